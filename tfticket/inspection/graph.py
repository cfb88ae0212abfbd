"""A Keras model as a graph of calls, by rules from layers to operations on paths. Other layers are unknown."""

from dataclasses import dataclass, field
from typing import Any

from tfticket.backend import keras, tf
from tfticket.inspection import operations
from tfticket.inspection.operations import Convolution, Dense, KernelOperation, Operation
from tfticket.inspection.paths import Call, Graph
from tfticket.inspection.windows import Shape, Windows
from tfticket.models import model_from_spec
from tfticket.models.size_limits import limit_variables
from tfticket.models.variables import is_prunable
from tfticket.models.vit import Attend, ClassToken, Positions
from tfticket.registry import MODELS, check_name, resolve
from tfticket.types import Spec


def network_for_inspection(spec: Spec) -> Any:
    """Build the network of a spec, with any weights: drawing those of a large one takes as long as inspecting it."""
    if "keras" not in spec:
        target = MODELS[check_name("network", spec["name"], MODELS)].target
        if target.startswith("tfticket."):
            with limit_variables(spec):
                return resolve(target)(tuple(spec["input_shape"]), spec["num_classes"], "zeros")
    return model_from_spec(spec)


def graph_of(model: Any) -> Graph:
    """Return the calls of a functional or Sequential model of one input and output; nested models are opened."""
    builder = _Builder()
    image = builder.add_value(_shape(model.inputs[0]))
    (logits,) = builder.open(model, [image], "")
    return Graph(tuple(builder.shapes), tuple(builder.calls), image, logits)


@dataclass
class _Builder:
    shapes: list[Shape] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def add_value(self, shape: Shape) -> int:
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def open(self, model: Any, inputs: list[int], prefix: str) -> list[int]:
        """Add a model's calls; return the numbers of its outputs."""
        numbers = dict(zip((id(tensor) for tensor in model.inputs), inputs, strict=True))
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if not node.is_input:
                    node_inputs = [numbers[id(tensor)] for tensor in node.keras_inputs]
                    outputs = tf.nest.flatten(node.outputs)
                    output_numbers = self._add_call(node.layer, node_inputs, outputs, prefix)
                    numbers |= dict(zip(map(id, outputs), output_numbers, strict=True))
        return [numbers[id(tensor)] for tensor in model.outputs]

    def _add_call(self, layer: Any, inputs: list[int], outputs: list[Any], prefix: str) -> list[int]:
        path = f"{prefix}{layer.name}"
        if isinstance(layer, keras.Model) and getattr(layer, "_is_graph_network", False):
            return self.open(layer, inputs, f"{path}/")
        numbers = [self.add_value(_shape(tensor)) for tensor in outputs]
        shapes = [self.shapes[number] for number in inputs]
        operation = operation_of(layer, shapes, self.shapes[numbers[0]]) if len(outputs) == 1 else None
        kernel = f"{path}/kernel" if is_prunable(layer) else None
        for number in numbers:
            self.calls.append(Call(path, type(layer).__name__, operation, kernel, tuple(inputs), number))
        return numbers


def _shape(tensor: Any) -> Shape:
    """Return a tensor's shape without rows; an unknown size is 1."""
    return tuple(size or 1 for size in tensor.shape[1:])


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
    """Return the operation of a layer on paths, given shapes without rows; None if it is unknown.

    Activations are taken to act on every entry by itself; softmax does not, and is unknown.
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
