"""Rules from Keras layers to operations on paths. Other layers are unknown."""

from typing import Any

from tfticket.backend import keras
from tfticket.inspection.operations import (
    Attention,
    Concatenate,
    Convolution,
    Crop,
    Dense,
    KernelOperation,
    Operation,
    Pad,
    Permute,
    Pool,
    PoolAll,
    Reshape,
    Same,
    Sum,
)
from tfticket.inspection.windows import Shape, Windows
from tfticket.models.vit import Attend, ClassToken, Positions

_SAME = (
    *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "ActivityRegularization"),
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
    *("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization"),
    *("Normalization", "Rescaling", "InputLayer"),
)
_SAME_OPS = {
    *("nn.relu", "nn.relu6", "nn.leaky_relu", "nn.elu", "nn.gelu", "nn.selu", "nn.silu", "identity", "cast"),
    *("math.sigmoid", "math.softplus", "math.tanh"),
}
_SUM_OPS = {"__operators__.add", "math.add", "math.subtract", "math.maximum", "math.minimum"}
_SUMS = ("Add", "Average", "Maximum", "Minimum", "Subtract")


def operation_of(layer: Any, inputs: list[Shape], output: Shape) -> Operation | KernelOperation | None:
    """Return the operation of a layer on paths.

    Activations are taken to act on every entry by itself; softmax does not, and is unknown.

    Args:
        layer: The layer.
        inputs: Shapes of its inputs, without rows.
        output: Shape of its output.

    Returns:
        The operation; None if it is unknown.
    """
    if getattr(layer, "activation", None) is keras.activations.softmax:
        return None
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return None
    if type(layer).__name__ == "TFOpLambda":
        return _operation_of_function(layer.symbol, inputs, output)
    rule = _RULES.get(type(layer))
    return None if rule is None else rule(layer, inputs, output)


def _operation_of_function(symbol: str, inputs: list[Shape], output: Shape) -> Operation | None:
    """Return the operation of a function of tensors, such as '+' in ``x + y``; an added constant begins no path."""
    if any(shape != output for shape in inputs):
        return None
    if symbol in _SUM_OPS:
        return Sum()
    return Same() if symbol in _SAME_OPS and len(inputs) == 1 else None


def _sum(layer: Any, inputs: list[Shape], output: Shape) -> Operation | None:
    return Sum() if all(shape == output for shape in inputs) else None


def _concatenate(layer: Any, inputs: list[Shape], output: Shape) -> Operation:
    return Concatenate(layer.axis if layer.axis < 0 else layer.axis - 1)


def _sides(pads: Any) -> tuple[tuple[int, int], ...]:
    """Return cells before and after along each dimension, none along the channels."""
    pairs = [pads] if isinstance(pads[0], int) else pads
    return (*((int(before), int(after)) for before, after in pairs), (0, 0))


def _dense(layer: Any, inputs: list[Shape], output: Shape) -> KernelOperation:
    return Dense()


def _convolution(layer: Any, inputs: list[Shape], output: Shape) -> KernelOperation | None:
    if layer.groups != 1:
        return None
    return Convolution(Windows(layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding))


def _pool(layer: Any, inputs: list[Shape], output: Shape) -> Operation:
    def along_each(sizes: Any) -> Shape:
        return (int(sizes),) if isinstance(sizes, int) else tuple(map(int, sizes))

    size = along_each(layer.pool_size)
    return Pool(Windows(size, along_each(layer.strides), (1,) * len(size), layer.padding))


_RULES: dict[type, Any] = {
    **{getattr(keras.layers, name): lambda layer, inputs, output: Same() for name in _SAME},
    **{getattr(keras.layers, name): _sum for name in _SUMS},
    **{getattr(keras.layers, f"{kind}Pooling{n}D"): _pool for kind in ("Max", "Average") for n in (1, 2)},
    **{
        getattr(keras.layers, f"Global{kind}Pooling{n}D"): lambda layer, inputs, output: PoolAll(layer.keepdims)
        for kind in ("Max", "Average")
        for n in (1, 2)
    },
    **{
        getattr(keras.layers, f"ZeroPadding{n}D"): lambda layer, inputs, output: Pad(_sides(layer.padding))
        for n in (1, 2)
    },
    **{
        getattr(keras.layers, f"Cropping{n}D"): lambda layer, inputs, output: Crop(_sides(layer.cropping))
        for n in (1, 2)
    },
    **{getattr(keras.layers, name): lambda layer, inputs, output: Reshape(output) for name in ("Flatten", "Reshape")},
    keras.layers.Permute: lambda layer, inputs, output: Permute(tuple(size - 1 for size in layer.dims)),
    keras.layers.Concatenate: _concatenate,
    keras.layers.Dense: _dense,
    keras.layers.Conv1D: _convolution,
    keras.layers.Conv2D: _convolution,
    Positions: lambda layer, inputs, output: Same(),
    ClassToken: lambda layer, inputs, output: Pad(((1, 0), (0, 0))),
    Attend: lambda layer, inputs, output: Attention(layer.heads),
}
"""Class of a layer, without subclasses -> function that makes its operation."""
