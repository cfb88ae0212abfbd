import json
import os
import sys

import numpy as np
import pytest

import tfticket as tt
from tests.processes import execute
from tfticket import backend, network
from tfticket.backend import has_gpu, keras, on_device, own_settings, tf
from tfticket.data.formats.raw import aligned_empty
from tfticket.models import model_from_spec, spec_of
from tfticket.training import loop


def test_a_user_may_import_keras_first():
    code = """import tf_keras
import numpy as np, tfticket as tt
images, labels = np.zeros((50, 4, 4, 1), "uint8"), np.arange(50) % 2
data = tt.load_data(x_train=images, y_train=labels, x_test=images, y_test=labels)
model = tt.to_variational(tt.build_model("lenet-300-100", data))
tt.train(tt.Ticket.dense(model, data=data), data, train={"epochs": "1it", "batch_size": 10})
"""
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    execute([sys.executable, "-c", code], env=environment)


def images(offset):
    whole = aligned_empty((1002 * 48,))
    whole[:] = np.random.default_rng(0).integers(0, 256, whole.shape)
    part = whole[offset : offset + 1000 * 48].reshape(1000, 4, 4, 3).view()
    part.flags.writeable = False
    return whole, part


@pytest.mark.parametrize("offset", [0, 1, 48, 64])
def test_a_tensor_holds_the_array(offset):
    _, part = images(offset)
    tensor = on_device(part)
    np.testing.assert_array_equal(tensor, part)
    assert tensor.dtype.as_numpy_dtype == part.dtype
    assert not part.flags.writeable


def test_labels_too():
    labels = np.arange(10, dtype=np.int32)
    np.testing.assert_array_equal(on_device(labels), labels)


@pytest.mark.skipif(has_gpu(), reason="a GPU has memory of its own")
def test_on_a_cpu_an_aligned_array_is_not_copied():
    whole, part = images(0)
    tensor = on_device(part)
    whole[0] ^= 1
    np.testing.assert_array_equal(tensor, part)


def test_a_tensor_outlives_the_array():
    whole, part = images(0)
    expected, tensor = part.copy(), on_device(part)
    del whole, part
    others = [aligned_empty((1002 * 48,)) for _ in range(50)]
    for other in others:
        other[:] = 7
    np.testing.assert_array_equal(tensor, expected)


# XLA or not


@pytest.mark.parametrize(
    ("gpu", "layers", "xla"),
    [
        (False, [keras.layers.Dense(2)], True),
        (False, [keras.layers.Conv2D(2, 3), keras.layers.Flatten()], False),
        (False, [keras.layers.DepthwiseConv2D(3), keras.layers.Flatten()], False),
        (True, [keras.layers.Dense(2)], True),
        (True, [keras.layers.Conv2D(2, 3), keras.layers.Flatten()], True),
    ],
)
def test_xla_compiles_everything_on_a_gpu_and_dense_networks_on_a_cpu(gpu, layers, xla, monkeypatch):
    monkeypatch.setattr(backend, "has_gpu", lambda: gpu)
    assert backend.jit_policy(keras.Sequential([keras.Input((8, 8, 1)), *layers])) is xla


SIGNALS = """
import signal
from tfticket import backend
from tfticket.backend import tf

backend.configure(1)  # so that the main thread, where signals land, multiplies the matrices
signal.signal(signal.SIGALRM, lambda *_: None)
x, w = tf.random.normal([500, 784]), tf.random.normal([784, 300])


@tf.function(jit_compile=True)
def work(x, w):
    def body(i, w):
        return i + 1, w + 1e-9 * tf.matmul(x, tf.matmul(x, w), transpose_a=True)

    return tf.while_loop(lambda i, w: i < 400, body, (0, w))[1]


quiet = work(x, w)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
disturbed = work(x, w)
signal.setitimer(signal.ITIMER_REAL, 0)
assert bool(tf.reduce_all(quiet == disturbed))
"""


def test_a_signal_in_the_middle_of_a_matrix_product_harms_nothing():
    """Without the alternate stack of ``backend`` the process dies with "corrupted size vs. prev_size"."""
    execute([sys.executable, "-c", SIGNALS])


# Settings of other programs


THEIRS = {
    "precision policy": "mixed_float16",
    "floatx": "float64",
    "image_data_format": "channels_first",
    "epsilon": 1e-3,
    "eager functions": True,
    "autoclustering": True,
    "tensor float 32": True,
}


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


def test_a_policy_that_follows_floatx_does_so_again(theirs):
    keras.mixed_precision.set_global_policy(None)
    with own_settings():
        assert keras.layers.Dense(2).dtype == "float32"
    assert keras.layers.Dense(2).dtype == "float64"
    keras.backend.set_floatx("float16")
    assert keras.layers.Dense(2).dtype == "float16"


def test_settings_return_also_where_a_function_fails(theirs):
    @own_settings()
    def fail():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert settings() == theirs


def trained():
    """Weights and predictions of a network that is built and trained anew."""
    for kept in (network._network, loop._loop):
        kept.cache_clear()
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), np.uint8), np.arange(40) % 2
    data = tt.load_data(x_train=images, y_train=labels, x_test=images, y_test=labels, validation_rows=10)
    model = tt.build_model("lenet-300-100", data)
    found = tt.train(tt.Ticket.dense(model, data=data), data, train={"epochs": "2it", "batch_size": 10})
    return found.weights | {"predictions": found.predict(images)}


def test_a_notebooks_settings_change_no_bit_of_a_training(theirs, without_xla):
    hostile = trained()
    backend._set({name: value for name, (_, _, value) in backend._SETTINGS.items()})
    expected = trained()
    assert hostile.keys() == expected.keys()
    for path, array in expected.items():
        np.testing.assert_array_equal(hostile[path], array)
        assert hostile[path].dtype == array.dtype


def test_a_registered_network_is_the_same_in_every_notebook(theirs):
    model = tt.build_model("conv-2", input_shape=(32, 32, 3), num_classes=10)
    assert model.count_params() == 4_301_642
    assert {variable.dtype for variable in model.variables} == {tf.float32}


def test_a_module_of_the_users_that_changes_settings_makes_the_same_network_each_time(theirs, tmp_path, monkeypatch):
    code = """from tf_keras import Sequential, backend, layers
backend.set_floatx("float16")
backend.set_image_data_format("channels_first")
def build(shape, classes):
    return Sequential([layers.Input(shape), layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(classes)])
"""
    (tmp_path / "changes_settings.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        model = tt.build_model("changes_settings:build", input_shape=(8, 8, 1), num_classes=2)
        assert model.layers[0].data_format == "channels_last"
        assert model.count_params() == 3 * 3 * 2 + 2 + 6 * 6 * 2 * 2 + 2
        assert {variable.dtype for variable in model.variables} == {tf.float32}
    assert settings() == theirs


def test_a_layer_of_the_users_keeps_what_its_config_says(theirs):
    keras.mixed_precision.set_global_policy("float32")
    images = keras.Input((1, 8, 8))
    first = keras.layers.Conv2D(2, 3)(images)  # in the notebook's format
    second = keras.layers.Conv2D(2, 3, data_format="channels_first")(first)
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(second)))
    again = model_from_spec(spec_of(model))
    assert [layer.data_format for layer in again.layers[1:4]] == ["channels_first"] * 3
    assert again.count_params() == model.count_params()


KERAS_JSON = """
import tfticket as tt
model = tt.build_model("conv-2", input_shape=(32, 32, 3), num_classes=10)
tt.Ticket.dense(model)
print(model.count_params(), model.trainable_variables[0].dtype.name)
"""


@pytest.mark.parametrize("text", ["channels_first", '["a list"]'])
def test_a_keras_json_decides_nothing(text, tmp_path, monkeypatch):
    if text == "channels_first":
        text = json.dumps({"floatx": "float16", "epsilon": 0.1, "backend": "theano", "image_data_format": text})
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    monkeypatch.delenv("KERAS_HOME", raising=False)
    code = [sys.executable, "-c", KERAS_JSON]
    done = execute(code, check=False)
    assert done.stdout.split() == ["4301642", "float32"], done.stderr
    assert (tmp_path / ".keras" / "keras.json").read_text() == text


def test_what_decides_bits_is_recorded(monkeypatch):
    for name in backend._DECIDE_BITS:
        monkeypatch.delenv(name, raising=False)
    here = backend.environment()
    assert here.keys() == {"device", "threads", "processor", "variables"}
    assert here["processor"]
    assert here["variables"] == {}
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("TF_VAR_password", "Terraform's, and nobody's business")
    assert backend.environment() == here | {"variables": {"TF_ENABLE_ONEDNN_OPTS": "0"}}


def test_variables_that_lower_the_precision_are_not_heard(monkeypatch):
    for name in backend._LOWER_PRECISION:
        monkeypatch.setenv(name, "BF16")
    code = "import os; from tfticket import backend; print([n for n in backend._LOWER_PRECISION if n in os.environ])"
    done = execute([sys.executable, "-c", code], check=False)
    assert done.stdout == "[]\n", done.stderr
