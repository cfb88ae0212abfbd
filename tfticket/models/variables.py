"""A Keras model's weights by path: layer's name + '/' + variable's name, wrapped or not.

A model inside a model is a layer whose own layers follow: 'encoder/dense_1/kernel'. Where a layer holds others, so that
two variables have one name, the attributes that lead to them come between: 'attention/query_dense/kernel'. Those stay
the same when the layer is built again; Keras numbers the names of such layers anew.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tfticket.backend import keras, tf
from tfticket.errors import InputError
from tfticket.keras_versions import check_no_keras_3

_PRUNABLE = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D)


def is_prunable(layer: Any) -> bool:
    """Whether a layer has a kernel that can be pruned: just Dense, Conv1D and Conv2D, and our variational ones."""
    return type(layer) in _PRUNABLE or is_variational(layer)


def is_variational(layer: Any) -> bool:
    """Whether a layer's weights are normal distributions."""
    return getattr(layer, "is_variational", False) is True


def variational_layers(model: Any) -> dict[str, Any]:
    """Path -> layer, out of its wrapper, of the variational layers in the model's order."""
    layers = ((path, inner_layer(layer)) for path, layer in layers_by_path(model))
    return {path: layer for path, layer in layers if is_variational(layer)}


def inner_layer(layer: Any) -> Any:
    """The layer itself, out of TFMOT's wrapper if it is in one."""
    return layer.layer if hasattr(layer, "pruning_vars") else layer


def layers_by_path(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Path and layer, wrapped or not, of all layers that are no models themselves; a shared one comes once."""
    check_no_keras_3(model, "The model")
    for layer in model.layers:
        path = f"{prefix}{inner_layer(layer).name}"
        if isinstance(layer, keras.Model):
            yield from layers_by_path(layer, f"{path}/")
        else:
            yield path, layer


def named_variables(model: Any) -> dict[str, tuple[Any, Any]]:
    """Path -> (innermost layer, variable), in the model's order; what TFMOT's wrapper keeps for itself is left out.

    Raises:
        InputError: Two variables of one path, or two paths of one variable.
    """
    found: dict[str, tuple[Any, Any]] = {}
    paths: dict[int, str] = {}
    for path, outer in layers_by_path(model):
        for name, owner, variable in _variables_of(inner_layer(outer)):
            full = f"{path}/{name}"
            if full in found:
                raise InputError(f"{model.name}: two weights are called {full}; give each a name of its own.")
            if paths.setdefault(id(variable), full) != full:
                raise InputError(
                    f"{model.name}: {paths[id(variable)]} and {full} are one weight, which a ticket would untie. Use "
                    "a layer in one model only, as often as you like."
                )
            found[full] = (owner, variable)
    return found


def _variables_of(layer: Any) -> list[tuple[str, Any, Any]]:
    """Name, innermost layer and variable of a layer's weights; its name is by attributes where two have the same."""
    homes = {id(variable): (place, owner) for place, owner, variable in _homes(layer, layer, "", set())}
    names = [variable.name.split(":")[0].rpartition("/")[2] for variable in layer.weights]
    found = []
    for name, variable in zip(names, layer.weights, strict=True):
        place, owner = homes.get(id(variable), (name, layer))
        found.append((place if names.count(name) > 1 else name, owner, variable))
    return found


def _homes(part: Any, owner: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any, Any]]:
    """Attributes, innermost layer and variable, of whatever a layer keeps, as TensorFlow's checkpoints see it."""
    for name, value in part._trackable_children().items():
        if id(value) in seen:
            continue
        seen.add(id(value))
        place = f"{prefix}{name.lstrip('_')}"
        if isinstance(value, tf.Variable):
            yield place, owner, value
        else:
            yield from _homes(value, value if isinstance(value, keras.layers.Layer) else owner, f"{place}/", seen)


def canonical_names(model: Any) -> dict[str, str]:
    """Path -> the same with Keras' automatic names, such as 'dense_7', counted anew in the model's order.

    Keras counts on in a process, so that the same lines give other names when they run again.
    """
    classes = {type(layer).__name__ for layer in model._flatten_layers()}
    automatic = {"model"} | {keras.src.utils.generic_utils.to_snake_case(name) for name in classes}
    counts: Counter[tuple[str, str]] = Counter()
    anew = {"": ""}
    for path in (paths := list(named_variables(model))):
        place = ""
        for name in path.split("/")[:-1]:
            around, place = place, f"{place}{name}/"
            if place in anew:
                continue
            stem = name if name in automatic else re.sub(r"_\d+$", "", name)
            if stem in automatic:
                count = counts[around, stem]
                counts[around, stem] += 1
                name = f"{stem}_{count}" if count else stem
            anew[place] = f"{anew[around]}{name}/"
    return {path: anew[path[: path.rindex("/") + 1]] + path.rpartition("/")[2] for path in paths}


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


def unprunable_layers(model: Any) -> dict[str, str]:
    """Path -> class of the layers that have trained matrices, or larger arrays, and still cannot be pruned."""
    return {
        path: type(layer).__name__
        for path, layer in layers_by_path(model)
        if not is_prunable(layer) and any(len(variable.shape) > 1 for variable in layer.trainable_weights)
    }


def constraints(model: Any) -> dict[str, str]:
    """Path -> name of the constraint, of the trained weights that have one."""
    trained = {id(variable) for variable in model.trainable_weights}  # a frozen layer's are not
    return {
        path: getattr(variable.constraint, "__name__", type(variable.constraint).__name__)
        for path, (_, variable) in named_variables(model).items()
        if id(variable) in trained and variable.constraint is not None
    }
