import os
import sys

import numpy as np
import pytest

from tests.processes import execute
from tfticket import backend
from tfticket.backend import has_gpu, keras, on_device
from tfticket.data.formats.raw import room


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
    whole = room((1002 * 48,))
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
    others = [room((1002 * 48,)) for _ in range(50)]
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
