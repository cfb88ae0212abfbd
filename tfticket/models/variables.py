"""A Keras model's weights by path: layer's name + '/' + variable's name, with or without pruning wrapper.

Layers of a nested model follow its name: 'encoder/dense_1/kernel'. If a layer holds others, so that two of its
variables have one name, the attributes that lead to them are inserted: 'attention/query_dense/kernel'. Attributes stay
the same when the layer is rebuilt, whereas Keras renumbers the names of such layers.
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
    """Return True if a layer's kernel can be pruned: Dense, Conv1D, Conv2D and their variational versions."""
    return type(layer) in _PRUNABLE or is_variational(layer)


def trained_paths(model: Any) -> list[str]:
    """Return the paths of the trained weights; those of a frozen layer stay fixed."""
    trained = {id(variable) for variable in model.trainable_weights}
    return [path for path, (_, variable) in named_variables(model).items() if id(variable) in trained]


def is_variational(layer: Any) -> bool:
    """Return True if a layer's weights are normal distributions."""
    return getattr(layer, "is_variational", False) is True


def variational_layers(model: Any) -> dict[str, Any]:
    """Return path -> unwrapped layer, of the variational layers in the model's order."""
    layers = ((path, inner_layer(layer)) for path, layer in layers_by_path(model))
    return {path: layer for path, layer in layers if is_variational(layer)}


def inner_layer(layer: Any) -> Any:
    """Return a layer without TFMOT's wrapper."""
    return layer.layer if hasattr(layer, "pruning_vars") else layer


def layers_by_path(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and layer, wrapped or not, of all layers except nested models; shared ones once."""
    check_no_keras_3(model, "The model")
    for layer in model.layers:
        path = f"{prefix}{inner_layer(layer).name}"
        if isinstance(layer, keras.Model):
            yield from layers_by_path(layer, f"{path}/")
        else:
            yield path, layer


def named_variables(model: Any) -> dict[str, tuple[Any, Any]]:
    """Return path -> (innermost layer, variable), in the model's order, without variables of TFMOT's wrapper."""
    variables: dict[str, tuple[Any, Any]] = {}
    paths: dict[int, str] = {}
    for path, outer in layers_by_path(model):
        for name, owner, variable in _variables_of(inner_layer(outer)):
            full = f"{path}/{name}"
            if full in variables:
                raise InputError(f"{model.name}: two weights are called {full}; give each its own name.", field="model")
            if paths.setdefault(id(variable), full) != full:
                raise InputError(
                    f"{model.name}: {paths[id(variable)]} and {full} are one weight, which a ticket would untie. Use "
                    "a layer in one model only, as often as you like.",
                    field="model",
                )
            variables[full] = (owner, variable)
    return variables


def _variables_of(layer: Any) -> list[tuple[str, Any, Any]]:
    """Return name, innermost layer and variable of a layer's weights; repeated names become attribute paths."""
    attributes = {id(variable): (path, owner) for path, owner, variable in _attributes(layer, layer, "", set())}
    names = [variable.name.split(":")[0].rpartition("/")[2] for variable in layer.weights]
    variables = []
    for name, variable in zip(names, layer.weights, strict=True):
        path, owner = attributes.get(id(variable), (name, layer))
        variables.append((path if names.count(name) > 1 else name, owner, variable))
    return variables


def _attributes(part: Any, owner: Any, prefix: str, visited: set[int]) -> Iterator[tuple[str, Any, Any]]:
    """Yield attribute path, innermost layer and variable of all that a layer tracks for TensorFlow's checkpoints."""
    for name, value in part._trackable_children().items():
        if id(value) in visited:
            continue
        visited.add(id(value))
        path = f"{prefix}{name.lstrip('_')}"
        if isinstance(value, tf.Variable):
            yield path, owner, value
        else:
            inner = value if isinstance(value, keras.layers.Layer) else owner
            yield from _attributes(value, inner, f"{path}/", visited)


def canonical_names(model: Any) -> dict[str, str]:
    """Return path -> path in which Keras' automatic names, such as 'dense_7', are renumbered in the model's order.

    Keras numbers layers per process, so that the same code gives other names when it runs again.
    """
    classes = {type(layer).__name__ for layer in model._flatten_layers()}
    automatic = {"model"} | {keras.src.utils.generic_utils.to_snake_case(name) for name in classes}
    counts: Counter[tuple[str, str]] = Counter()
    renumbered = {"": ""}
    for path in (paths := list(named_variables(model))):
        prefix = ""
        for name in path.split("/")[:-1]:
            parent, prefix = prefix, f"{prefix}{name}/"
            if prefix in renumbered:
                continue
            stem = name if name in automatic else re.sub(r"_\d+$", "", name)
            if stem in automatic:
                count = counts[parent, stem]
                counts[parent, stem] += 1
                name = f"{stem}_{count}" if count else stem
            renumbered[prefix] = f"{renumbered[parent]}{name}/"
    return {path: renumbered[path[: path.rindex("/") + 1]] + path.rpartition("/")[2] for path in paths}


def kernel_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Return kernel path -> shape, of every kernel that can be pruned."""
    layers = [(path, inner_layer(layer)) for path, layer in layers_by_path(model)]
    shapes = {f"{path}/kernel": tuple(layer.kernel.shape) for path, layer in layers if is_prunable(layer)}
    if not shapes:
        raise InputError(f"{model.name} has no Dense, Conv1D or Conv2D layer to prune.", field="model")
    return shapes


def unprunable_layers(model: Any) -> dict[str, str]:
    """Return path -> class of the layers with trained arrays of two or more axes that cannot be pruned."""
    return {
        path: type(layer).__name__
        for path, layer in layers_by_path(model)
        if not is_prunable(layer) and any(len(variable.shape) > 1 for variable in layer.trainable_weights)
    }


def constraints(model: Any) -> dict[str, str]:
    """Return path -> name of the constraint, of trained weights that have one."""
    trained = {id(variable) for variable in model.trainable_weights}  # a frozen layer's are not
    return {
        path: getattr(variable.constraint, "__name__", type(variable.constraint).__name__)
        for path, (_, variable) in named_variables(model).items()
        if id(variable) in trained and variable.constraint is not None
    }
