"""A Keras model's weights by path: layer's name + '/' + variable's name, wrapped or not."""

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


def named_variables(model: Any) -> dict[str, tuple[Any, Any]]:
    """Path -> (layer, variable), in the model's order; what TFMOT's wrapper keeps for itself is left out."""
    found: dict[str, tuple[Any, Any]] = {}
    for outer in model.layers:
        layer = inner_layer(outer)
        for variable in layer.weights:
            path = f"{layer.name}/{variable.name.split(':')[0].rpartition('/')[2]}"
            if path in found:
                raise InputError(f"{model.name}: two weights are called {path}; give each layer a name of its own.")
            found[path] = (layer, variable)
    return found


def kernel_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Kernel path -> shape, of every kernel that can be pruned.

    Raises:
        InputError: There is none.
    """
    layers = (inner_layer(layer) for layer in model.layers)
    shapes = {f"{layer.name}/kernel": tuple(layer.kernel.shape) for layer in layers if is_prunable(layer)}
    if not shapes:
        raise InputError(f"{model.name} has no Dense, Conv1D or Conv2D layer to prune.")
    return shapes
