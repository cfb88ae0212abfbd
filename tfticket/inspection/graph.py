"""A Keras model as a graph of calls."""

from dataclasses import dataclass, field
from typing import Any

from tfticket.backend import keras, tf
from tfticket.inspection.paths import Call, Graph
from tfticket.inspection.rules import operation_of
from tfticket.inspection.windows import Shape
from tfticket.models import model_from_spec
from tfticket.models.size_limits import limit_variables
from tfticket.models.variables import is_prunable
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
    """Return the calls of a functional or Sequential model; nested models are opened.

    Args:
        model: A ``tf_keras`` model with one input and one output.
    """
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
