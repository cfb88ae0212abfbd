"""A Keras model's weights by path: layer's name + '/' + variable's name, wrapped or not.

A model inside a model is a layer whose own layers follow: 'encoder/dense_1/kernel'.
"""

from collections.abc import Iterator
from typing import Any

from tfticket.backend import keras
from tfticket.errors import InputError

_PRUNABLE = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)


def is_prunable(layer: Any) -> bool:
    """Whether a layer has a kernel that can be pruned: just Dense, Conv1D and Conv2D, not what derives from them."""
    return type(layer) in _PRUNABLE


def inner_layer(layer: Any) -> Any:
    """The layer itself, out of TFMOT's wrapper if it is in one."""
    return layer.layer if hasattr(layer, "pruning_vars") else layer


def layers_by_path(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and layer, wrapped or not, of all layers that are no models themselves; a shared one comes once."""
    for layer in model.layers:
        path = f"{prefix}{inner_layer(layer).name}"
        if isinstance(layer, keras.Model):
            yield from layers_by_path(layer, f"{path}/")
        else:
            yield path, layer


def named_variables(model: Any) -> dict[str, tuple[Any, Any]]:
    """Path -> (layer, variable), in the model's order; what TFMOT's wrapper keeps for itself is left out."""
    found: dict[str, tuple[Any, Any]] = {}
    for path, outer in layers_by_path(model):
        layer = inner_layer(outer)
        for variable in layer.weights:
            name = f"{path}/{variable.name.split(':')[0].rpartition('/')[2]}"
            if name in found:
                raise InputError(f"{model.name}: two weights are called {name}; give each layer a name of its own.")
            found[name] = (layer, variable)
    return found


def kernel_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Kernel path -> shape, of every kernel that can be pruned.

    Raises:
        InputError: There is none.
    """
    layers = [(path, inner_layer(layer)) for path, layer in layers_by_path(model)]
    shapes = {f"{path}/kernel": tuple(layer.kernel.shape) for path, layer in layers if is_prunable(layer)}
    if not shapes:
        raise InputError(f"{model.name} has no Dense, Conv1D or Conv2D layer to prune.")
    return shapes


def left_alone(model: Any) -> dict[str, str]:
    """Path -> class of the layers that have trained matrices, or larger arrays, and still cannot be pruned."""
    return {
        path: type(layer).__name__
        for path, layer in layers_by_path(model)
        if not is_prunable(layer) and any(len(variable.shape) > 1 for variable in layer.trainable_weights)
    }
