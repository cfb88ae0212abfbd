"""Allow list of the parts of a Keras config that are harmless, whoever wrote it: layers that compute from arrays.

Both classes and arguments are on the list. Other classes are refused, such as lookup layers that read a vocabulary from
a file, and so are arguments that name anything but Keras' own activations, initialisers, regularisers and constraints.
"""

import re
from collections.abc import Iterator
from typing import Any

ACTIVATIONS = frozenset(
    [
        *("elu", "exponential", "gelu", "hard_sigmoid", "linear", "mish", "relu", "selu", "sigmoid"),
        *("softmax", "softplus", "softsign", "swish", "tanh"),
    ]
)
_INITIALISERS = frozenset(
    [
        *("Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal"),
        *("LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"),
        *("Zeros",),
    ]
)
_REGULARISERS = frozenset(["L1", "L1L2", "L2", "OrthogonalRegularizer"])
_CONSTRAINTS = frozenset(["MaxNorm", "MinMaxNorm", "NonNeg", "RadialConstraint", "UnitNorm"])
_LAYERS = frozenset(
    [
        *("InputLayer", "Dense", "EinsumDense", "Embedding", "Activation", "ActivityRegularization"),
        *("Masking", "Identity"),
        *(f"{kind}Conv{n}D" for kind in ("", "Depthwise", "Separable") for n in (1, 2)),
        *("Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        *(f"{kind}{n}D" for kind in ("Cropping", "UpSampling", "ZeroPadding") for n in (1, 2, 3)),
        *(f"{where}{kind}Pooling{n}D" for where in ("", "Global") for kind in ("Max", "Average") for n in (1, 2, 3)),
        *("ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU"),
        *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"),
        *("Flatten", "Permute", "RepeatVector", "Reshape", "CenterCrop", "Rescaling", "Resizing"),
        *("BatchNormalization", "GroupNormalization", "LayerNormalization", "Normalization", "UnitNormalization"),
        *("SpectralNormalization", "AdditiveAttention", "Attention", "MultiHeadAttention"),
        *("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"),
        *(f"SpatialDropout{n}D" for n in (1, 2, 3)),
        *("Bidirectional", "TimeDistributed", "RNN", "StackedRNNCells"),
        *("GRU", "GRUCell", "LSTM", "LSTMCell", "SimpleRNN", "SimpleRNNCell"),
        *(f"ConvLSTM{n}D" for n in (1, 2, 3)),
    ]
)
_MODELS = frozenset(["Functional", "Sequential"])
_MODULES = {
    "keras": _MODELS,
    "keras.models": _MODELS,
    "keras.src.engine.functional": _MODELS,
    "tf_keras.src.engine.functional": _MODELS,
    "keras.layers": _LAYERS,
    "keras.initializers": _INITIALISERS,
    "keras.regularizers": _REGULARISERS,
    "keras.constraints": _CONSTRAINTS,
    "keras.mixed_precision": frozenset(["Policy"]),
}
"""Module -> its harmless classes; a config without a module names one of Keras' own."""
_VALUES = frozenset(["__tensor__", "__numpy__", "__bytes__"])

_OPERATIONS = "tf_keras.src.layers.core.tf_op_layer"
_FAMILIES = ("math.", "nn.", "linalg.", "__operators__.")
_FUNCTIONS = frozenset(
    [
        *("broadcast_to", "cast", "clip_by_value", "concat", "einsum", "expand_dims", "gather", "identity"),
        *("image.resize", "norm", "one_hot", "ones_like", "pad", "repeat", "reshape", "reverse", "roll"),
        *("shape", "slice", "sort", "split", "squeeze", "stack", "stop_gradient", "tensordot", "tile"),
        *("transpose", "unstack", "where", "zeros_like"),
    ]
)
"""TensorFlow functions that compute from arrays and do nothing else."""

_BY_NAME = {
    "activation": ACTIVATIONS,
    "initializer": _INITIALISERS,
    "regularizer": _REGULARISERS,
    "constraint": _CONSTRAINTS,
}
"""Last word of an argument -> names that it may hold."""
_WORD = re.compile(r"[A-Za-z0-9_]{0,40}")
_EQUATION = re.compile(r"[A-Za-z.,>-]{0,80}")


def entries_of(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of a config that names a class or a function."""
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if "class_name" in part:
                yield part
            left.extend(reversed(part.values()))
        elif isinstance(part, list | tuple):
            left.extend(reversed(part))


def is_layer(entry: dict[str, Any]) -> bool:
    """Return True if a part of a config builds a layer or a model."""
    config = entry.get("config")
    return str(entry["class_name"]) in _LAYERS | _MODELS or (isinstance(config, dict) and "trainable" in config)


def is_harmless(entry: dict[str, Any]) -> bool:
    """Return True if a part of a config builds an allowed class or names an allowed function, and no more."""
    module, name, config = str(entry.get("module") or ""), str(entry["class_name"]), entry.get("config")
    if name in _VALUES:
        return True
    if name == "function":
        return module in ("", "builtins") and isinstance(config, str) and config in ACTIVATIONS
    if name in ("TFOpLambda", "SlicingOpLambda"):
        return module == _OPERATIONS and _is_harmless_function(config) and _has_inputs(entry)
    registered = entry.get("registered_name") or name
    if module.startswith("tfticket.models."):
        return registered == f"tfticket>{name}" and name.isidentifier() and _are_harmless(config)
    if registered != name:
        return False
    known = _MODULES.get(module, frozenset()) if module else frozenset().union(*_MODULES.values())
    return name in known and _has_inputs(entry) and (name in _MODELS or _are_harmless(config))


def _is_harmless_function(config: Any) -> bool:
    function = str(config.get("function")) if isinstance(config, dict) else ""
    return function in _FUNCTIONS or function.startswith(_FAMILIES)


def _has_inputs(entry: dict[str, Any]) -> bool:
    """Return True if each call of a layer has a layer's output as input; calls on constants compute at once."""
    nodes = entry.get("inbound_nodes") or []
    return isinstance(nodes, list) and all(_names_a_layer(node) for node in nodes)


def _names_a_layer(node: Any) -> bool:
    if isinstance(node, dict):
        return any(map(_names_a_layer, node.values()))
    if not isinstance(node, list) or not node:
        return False
    if not isinstance(node[0], str):
        return any(map(_names_a_layer, node))
    if node[0] == "_CONSTANT_VALUE":
        return any(map(_names_a_layer, node[3:]))
    return len(node) >= 3 and isinstance(node[1], int)


def _are_harmless(arguments: Any) -> bool:
    """Return True if a layer's arguments are numbers, plain words and names of Keras' own."""
    if arguments is None:
        return True
    return isinstance(arguments, dict) and all(_is_harmless_value(key, value) for key, value in arguments.items())


def _is_harmless_value(key: str, value: Any) -> bool:
    if isinstance(value, dict):
        return "class_name" in value or all(_is_harmless_value(key, part) for part in value.values())
    if isinstance(value, list | tuple):
        return all(_is_harmless_value(key, part) for part in value)
    if not isinstance(value, str):
        return key != "unroll" or not value  # an unrolled loop is as large as its input is long
    if key == "name":
        return True
    if known := _BY_NAME.get(key.rpartition("_")[2]):
        return value in known or value in {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in known}
    return (_EQUATION if key == "equation" else _WORD).fullmatch(value) is not None
