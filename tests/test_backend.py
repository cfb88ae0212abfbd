import json
import os
import sys

import numpy as np
import pytest

import tfticket as tt
from tests.plans import assert_same
from tests.processes import execute
from tfticket import backend, network
from tfticket.backend import has_gpu, keras, on_device, own_settings, tf
from tfticket.data.formats.raw import aligned_empty
from tfticket.models import model_from_spec, spec_of
from tfticket.training import loop


@pytest.mark.parametrize("offset", [0, 1, 64])
def test_a_tensor_holds_the_array_and_outlives_it(offset):
    whole = aligned_empty((1002 * 48,))
    whole[:] = np.random.default_rng(0).integers(0, 256, whole.shape)
    part = whole[offset : offset + 1000 * 48].reshape(1000, 4, 4, 3).view()
    part.flags.writeable = False
    expected, tensor = part.copy(), on_device(part)
    assert (tensor.dtype.as_numpy_dtype, part.flags.writeable) == (part.dtype, False)
    if not (offset % 64 or has_gpu()):  # on a CPU an aligned array is not copied
        whole[offset] ^= 1
        np.testing.assert_array_equal(tensor, part)
        whole[offset] ^= 1
    del whole, part
    others = [aligned_empty((1002 * 48,)) for _ in range(50)]
    for other in others:
        other[:] = 7
    np.testing.assert_array_equal(tensor, expected)


def test_xla_compiles_everything_on_a_gpu_and_dense_networks_on_a_cpu(monkeypatch):
    for gpu, layer, xla in (
        (False, keras.layers.Dense(2), True),
        (False, keras.layers.Conv2D(2, 3), False),
        (False, keras.layers.DepthwiseConv2D(3), False),
        (True, keras.layers.Conv2D(2, 3), True),
    ):
        monkeypatch.setattr(backend, "has_gpu", lambda gpu=gpu: gpu)
        assert backend.jit_policy(keras.Sequential([keras.Input((8, 8, 1)), layer, keras.layers.Flatten()])) is xla


# Processes

KERAS_FIRST = """
import tf_keras
import numpy as np, tfticket as tt
images, labels = np.arange(320).astype("uint8").reshape(20, 4, 4, 1), np.arange(20) % 2
data = tt.load_data(x_train=images, y_train=labels, x_test=images, y_test=labels)
layers = [tf_keras.Input((4, 4, 1)), tf_keras.layers.Conv2D(1, 3), tf_keras.layers.Flatten(), tf_keras.layers.Dense(2)]
model = tt.to_variational(tf_keras.Sequential(layers))
assert len(tt.Ticket.dense(model, data=data).mask) == 2
"""


def test_a_user_may_import_keras_first():
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    execute([sys.executable, "-c", KERAS_FIRST], env=environment)


HOSTILE = """
import os, signal
import tfticket as tt
from tfticket import backend
from tfticket.backend import tf

backend.configure(1)  # so that the main thread, where signals land, multiplies the matrices
model = tt.build_model("conv-2", input_shape=(32, 32, 3), num_classes=10)
tt.Ticket.dense(model)
print(model.count_params(), model.trainable_variables[0].dtype.name)
print([name for name in os.environ if name.endswith("FPMATH_MODE") or name == "NVIDIA_TF32_OVERRIDE"], flush=True)

signal.signal(signal.SIGALRM, lambda *_: None)
x, w = tf.random.normal([500, 784]), tf.random.normal([784, 300])


@tf.function(jit_compile=True)
def work(x, w):
    def body(i, w):
        return i + 1, w + 1e-9 * tf.matmul(x, tf.matmul(x, w), transpose_a=True)

    return tf.while_loop(lambda i, w: i < 200, body, (0, w))[1]


quiet = work(x, w)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
disturbed = work(x, w)
signal.setitimer(signal.ITIMER_REAL, 0)
assert bool(tf.reduce_all(quiet == disturbed))
"""
SETTINGS = {"floatx": "float16", "epsilon": 0.1, "backend": "theano", "image_data_format": "channels_first"}


@pytest.mark.parametrize("text", [json.dumps(SETTINGS), pytest.param('["a list"]', marks=pytest.mark.slow)])
def test_keras_json_variables_that_lower_the_precision_and_signals_change_nothing(text, tmp_path, monkeypatch):
    """Without the alternate stack of ``backend`` a signal within a matrix product corrupts the heap."""
    file = tmp_path / ".keras" / "keras.json"
    file.parent.mkdir()
    file.write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    monkeypatch.delenv("KERAS_HOME", raising=False)
    for name in backend._LOWER_PRECISION:
        monkeypatch.setenv(name, "BF16")
    done = execute([sys.executable, "-c", HOSTILE])
    assert done.stdout.split() == ["4301642", "float32", "[]"]
    assert file.read_text() == text


# Settings of other programs


THEIRS = {"precision policy": "mixed_float16", "floatx": "float64", "image_data_format": "channels_first"}
THEIRS |= {"epsilon": 1e-3, "eager functions": True, "autoclustering": True, "tensor float 32": True}


def settings():
    return {name: read() for name, (read, _, _) in backend._SETTINGS.items()}


@pytest.fixture
def theirs():
    """A notebook that has set everything to something else."""
    before = settings()
    backend._set(THEIRS)
    yield settings()
    backend._set(before)


def test_every_setting_is_the_programs_own_within_and_the_notebooks_again_after(theirs):
    own = {name: value for name, (_, _, value) in backend._SETTINGS.items()} | {"precision policy": None}
    assert not [name for name in own if theirs[name] == own[name]]
    with own_settings():
        assert settings() == own
        assert keras.mixed_precision.global_policy().name == "float32"
        keras.backend.set_floatx("float16")  # as a module of the user's does that is imported on the way
        with own_settings():
            assert settings() == own
        assert settings() == own
    assert settings() == theirs
    with pytest.raises(RuntimeError), own_settings():
        raise RuntimeError
    assert settings() == theirs
    keras.mixed_precision.set_global_policy(None)  # one that follows floatx does so again
    with own_settings():
        assert keras.layers.Dense(2).dtype == "float32"
    for name in ("float64", "float16"):
        keras.backend.set_floatx(name)
        assert keras.layers.Dense(2).dtype == name


def trained():
    """Weights and predictions of a network that is built and trained anew."""
    for cached in (network._network, loop._loop):
        cached.cache_clear()
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), np.uint8), np.arange(40) % 2
    data = tt.load_data(x_train=images, y_train=labels, x_test=images, y_test=labels, validation_rows=10)
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", data), data=data)
    trained = tt.train(ticket, data, train={"epochs": "2it", "batch_size": 10})
    return trained.weights | {"predictions": trained.predict(images)}


def test_a_notebooks_settings_change_no_bit_of_a_training(theirs, without_xla):
    hostile = trained()
    backend._set({name: value for name, (_, _, value) in backend._SETTINGS.items()})
    expected = trained()
    assert_same(hostile, expected)
    assert {path: array.dtype for path, array in hostile.items()} == {p: array.dtype for p, array in expected.items()}


CHANGES_SETTINGS = """from tf_keras import Sequential, backend, layers
backend.set_floatx("float16")
backend.set_image_data_format("channels_first")
def build(shape, classes):
    return Sequential([layers.Input(shape), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(classes)])
"""


def test_networks_are_the_same_in_every_notebook_and_a_users_layer_keeps_its_format(theirs, tmp_path, monkeypatch):
    registered = tt.build_model("conv-2", input_shape=(32, 32, 3), num_classes=10)
    assert registered.count_params() == 4_301_642
    (tmp_path / "changes_settings.py").write_text(CHANGES_SETTINGS)
    monkeypatch.syspath_prepend(tmp_path)
    model = tt.build_model("changes_settings:build", input_shape=(8, 8, 1), num_classes=2)
    assert (model.layers[0].data_format, model.count_params()) == ("channels_last", 3 * 3 * 2 + 2 + 6 * 6 * 2 * 2 + 2)
    assert {variable.dtype for each in (registered, model) for variable in each.variables} == {tf.float32}
    assert settings() == theirs
    keras.mixed_precision.set_global_policy("float32")
    images = keras.Input((1, 8, 8))
    first = keras.layers.Conv2D(2, 3)(images)  # in the notebook's format
    second = keras.layers.Conv2D(2, 3, data_format="channels_first")(first)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(second)))
    again = model_from_spec(spec_of(model))
    assert [layer.data_format for layer in again.layers[1:4]] == ["channels_first"] * 3
    assert again.count_params() == model.count_params()


def test_what_decides_bits_is_recorded(monkeypatch):
    for name in backend._DECIDE_BITS:
        monkeypatch.delenv(name, raising=False)
    here = backend.environment()
    assert here.keys() == {"device", "threads", "processor", "variables"}
    assert (bool(here["processor"]), here["variables"]) == (True, {})
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("TF_VAR_password", "Terraform's, and nobody's business")
    assert backend.environment() == here | {"variables": {"TF_ENABLE_ONEDNN_OPTS": "0"}}
