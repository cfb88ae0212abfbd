"""The one place that touches TensorFlow's environment: import it from here and from nowhere else.

``from tfticket.backend import keras, tf`` gives TensorFlow and Keras 2 (tf-keras), which TensorFlow Probability's
layers and TFMOT's wrappers need.
"""

import faulthandler
import os
import platform
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.config.experiment import usable_cpus
from tfticket.errors import InputError


@contextmanager
def _start_up_noise_hidden() -> Iterator[None]:
    """Hide what TensorFlow's C++ writes while it starts on a machine without a GPU; show it if that fails.

    Its log level does not reach these lines. They stay where there is a GPU, or with TF_CPP_MIN_LOG_LEVEL=0.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") == "0" or Path("/dev/nvidiactl").exists():
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


_LOWER_PRECISION = (
    "TF_SET_ONEDNN_FPMATH_MODE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "NVIDIA_TF32_OVERRIDE",
)
"""Environment variables that replace float32 arithmetic by a coarser one, whatever the program says: never heard."""

_DECIDE_BITS = (
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "TF_NUM_INTRAOP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
    "NUMBA_OPT",
    "CUBLAS_WORKSPACE_CONFIG",
)
"""Environment variables that may change the last bits of a result: heard, and recorded."""


_VECTOR_INSTRUCTIONS = {"avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx_vnni", "amx_bf16", "asimd", "sve"}


@contextmanager
def _without_keras_json() -> Iterator[None]:
    """Keep Keras from its keras.json: what other programs left there may be broken, or not be readable."""
    before = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = os.devnull
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        if before is not None:
            os.environ["KERAS_HOME"] = before


@contextmanager
def _without_keras_3() -> Iterator[None]:
    """Hide Keras 3: TFMOT imports it for nothing, and it reads keras.json and KERAS_BACKEND."""
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["keras"]


for _name in _LOWER_PRECISION:
    os.environ.pop(_name, None)
with _start_up_noise_hidden(), _without_keras_json():
    if "tensorflow" in sys.modules:
        # TensorFlow has read the setting below already, and found none. TensorFlow Probability takes tf-keras by itself
        # as long as the variable is unset, so it is imported before anything sets it.
        import tensorflow_probability  # noqa: F401
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tensorflow as tf
    import tf_keras as keras

    with _without_keras_3():
        import tensorflow_model_optimization  # noqa: F401

    tf.config.list_physical_devices()

__all__ = ["configure", "environment", "has_gpu", "jit_policy", "keras", "on_device", "own_settings", "tf"]

keras.utils.disable_interactive_logging()
# oneDNN's matrix products let the stack pointer point into the heap (its issue 4845), so that a signal's frame
# is written over other data unless it goes to an alternate stack. faulthandler sets one up for this thread,
# which is the one that hears signals, and Python's handlers use it.
if not faulthandler.is_enabled():
    faulthandler.enable(file=2)
# Op determinism costs nothing measurable here (experiments/benchmarks/determinism.py), and without it bits
# may differ from run to run on a GPU. It makes random ops without any seed an error, also in the user's own
# code, hence the global seed; no draw of ours comes from it.
tf.config.experimental.enable_op_determinism()
tf.random.set_seed(0)
# Tensor float 32 keeps 10 bits of the mantissa: too few for a Metropolis test, and bits would differ by GPU.
tf.config.experimental.enable_tensor_float_32_execution(False)
# Memory as it is needed, or the first of two runs would take all of a GPU.
for _gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(_gpu, True)


def _policy() -> Any:
    """Return Keras' global precision policy; None where it follows floatx."""
    policy = keras.mixed_precision.global_policy()
    return None if policy.name == keras.backend.floatx() else policy


_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], None], Any]] = {
    "precision policy": (_policy, keras.mixed_precision.set_global_policy, "float32"),  # before floatx, which it reads
    "floatx": (keras.backend.floatx, keras.backend.set_floatx, "float32"),
    "image_data_format": (keras.backend.image_data_format, keras.backend.set_image_data_format, "channels_last"),
    "epsilon": (keras.backend.epsilon, keras.backend.set_epsilon, 1e-7),
    "eager functions": (tf.config.functions_run_eagerly, tf.config.run_functions_eagerly, False),
    "autoclustering": (lambda: bool(tf.config.optimizer.get_jit()), tf.config.optimizer.set_jit, False),
    "tensor float 32": (
        tf.config.experimental.tensor_float_32_execution_enabled,
        tf.config.experimental.enable_tensor_float_32_execution,
        False,
    ),
}
"""Global settings that decide what is computed: how each is read and set, and the program's own value."""

_inside = 0
_outside: dict[str, Any] = {}
_lock = threading.Lock()


@contextmanager
def own_settings() -> Iterator[None]:
    """Compute under the program's own global settings; those of a notebook or keras.json return at the end.

    Every function that builds a network or computes with one does so within. A layer keeps what its own config says.
    """
    global _inside
    with _lock:
        if not _inside:
            _outside.update({name: read() for name, (read, _, _) in _SETTINGS.items()})
        _inside += 1
        _set({name: value for name, (_, _, value) in _SETTINGS.items()})
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _set(_outside)


def _set(values: Mapping[str, Any]) -> None:
    tf.config.experimental.enable_op_determinism()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's, at eager functions: the user has seen it
        for name, value in values.items():
            read, write, _ = _SETTINGS[name]
            if name == "precision policy" or read() != value:  # a policy that follows floatx looks like it
                write(value)


def configure(threads: int | None) -> None:
    """Set the number of CPU threads; None leaves TensorFlow's own choice, all CPUs that this process may use."""
    if threads is None or tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise InputError(f"TensorFlow already runs in this process; {threads} threads need a new one.") from None


def leave_gpus_alone() -> None:
    """Work on the CPU: for what needs a network's structure only, beside a training that has the GPU."""
    with suppress(RuntimeError):  # TensorFlow has taken them already
        tf.config.set_visible_devices([], "GPU")


def _threads() -> int:
    variable = os.environ.get("TF_NUM_INTRAOP_THREADS", "")  # TensorFlow hears it where nothing else is set
    return (
        tf.config.threading.get_intra_op_parallelism_threads()
        or (int(variable) if variable.isdecimal() else 0)
        or usable_cpus()
    )


def _processor() -> str:
    """Return the processor's name and its vector instructions: libraries choose their code by them."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        info = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in reversed(lines))}
        instructions = _VECTOR_INSTRUCTIONS & set(info.get("flags", info.get("Features", "")).split())
        return ", ".join([info.get("model name", platform.machine()), *sorted(instructions)])
    return platform.processor() or platform.machine()


def has_gpu() -> bool:
    """Return True if TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def on_device(array: np.ndarray) -> Any:
    """An array as a tensor where the work is done: on a CPU in the array's own memory, if it is aligned for that.

    Args:
        array: Nobody may write to it afterwards.
    """
    shared = array.view()
    try:
        shared.flags.writeable = True  # DLPack knows no arrays that are read only; nobody writes to this view
    except ValueError:  # memory that is truly read only
        return tf.constant(array)
    if has_gpu() or array.ctypes.data % 64 or not array.flags.c_contiguous:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(shared.__dlpack__())


def jit_policy(model: Any) -> bool:
    """Return True if training loops of this model are compiled by XLA.

    On a GPU always. On a CPU XLA halves the time of dense layers in a loop (0.37 s against 0.72 s an epoch of
    LeNet-300-100 on MNIST) but its convolutions inside a ``while_loop`` fall back to a naive kernel, 46 times
    slower than without: so dense models only.
    """
    if has_gpu():
        return True
    any_convolution = keras.layers.Conv2D.__bases__[0]  # depthwise, separable and transposed ones too
    return not any(isinstance(layer, any_convolution) for layer in model.submodules)


def environment() -> dict[str, Any]:
    """Return the conditions of bitwise promises, except versions and jit policy: recorded with every training."""
    gpus = tf.config.list_physical_devices("GPU")
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else "CPU"
    heard = {name: os.environ[name] for name in _DECIDE_BITS if os.environ.get(name)}
    return {"device": device, "threads": _threads(), "processor": _processor(), "variables": heard}
