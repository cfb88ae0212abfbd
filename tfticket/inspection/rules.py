"""Rules from Keras layers to operations on paths. Other layers are unknown."""

from typing import Any

from tfticket.backend import keras
from tfticket.inspection import operations
from tfticket.inspection.operations import Convolution, Dense, KernelOperation, Operation
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
        return operations.SUM
    return operations.SAME if symbol in _SAME_OPS and len(inputs) == 1 else None


def _sum(layer: Any, inputs: list[Shape], output: Shape) -> Operation | None:
    return operations.SUM if all(shape == output for shape in inputs) else None


def _sides(pads: Any) -> tuple[tuple[int, int], ...]:
    """Return cells before and after along each dimension, none along the channels."""
    pairs = [pads] if isinstance(pads[0], int) else pads
    return (*((int(before), int(after)) for before, after in pairs), (0, 0))


def _convolution(layer: Any, inputs: list[Shape], output: Shape) -> KernelOperation | None:
    if layer.groups != 1:
        return None
    return Convolution(Windows(layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding))


def _pool(layer: Any, inputs: list[Shape], output: Shape) -> Operation:
    size, strides = (
        (int(sizes),) if isinstance(sizes, int) else tuple(map(int, sizes))
        for sizes in (layer.pool_size, layer.strides)
    )
    return operations.pool(Windows(size, strides, (1,) * len(size), layer.padding))


def _each(rule: Any, *names: str) -> dict[type, Any]:
    return {getattr(keras.layers, name): rule for name in names}


_RULES: dict[type, Any] = {
    **_each(lambda layer, inputs, output: operations.SAME, *_SAME),
    **_each(_sum, *_SUMS),
    **_each(_pool, "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"),
    **_each(
        lambda layer, inputs, output: operations.pool_all(layer.keepdims),
        *("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    ),
    **_each(lambda layer, inputs, output: operations.pad(_sides(layer.padding)), "ZeroPadding1D", "ZeroPadding2D"),
    **_each(lambda layer, inputs, output: operations.crop(_sides(layer.cropping)), "Cropping1D", "Cropping2D"),
    **_each(lambda layer, inputs, output: operations.reshape(output), "Flatten", "Reshape"),
    keras.layers.Permute: lambda layer, inputs, output: operations.permute(tuple(size - 1 for size in layer.dims)),
    keras.layers.Concatenate: lambda layer, inputs, output: operations.concatenate(layer.axis - (layer.axis >= 0)),
    keras.layers.Dense: lambda layer, inputs, output: Dense(),
    **_each(_convolution, "Conv1D", "Conv2D"),
    Positions: lambda layer, inputs, output: operations.SAME,
    ClassToken: lambda layer, inputs, output: operations.pad(((1, 0), (0, 0))),
    Attend: lambda layer, inputs, output: operations.attention(layer.heads),
}
"""Class of a layer, without subclasses -> function that makes its operation."""
