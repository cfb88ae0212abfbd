"""Whose code a Keras config may run: Keras' own harmless classes, and what models described in this process hold."""

import json
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from tfticket.backend import keras
from tfticket.errors import InputError

_SPACES = ["layers", "models", "initializers", "regularizers", "constraints", "mixed_precision"]
_SPACES += ["optimizers", "losses", "metrics"]  # of a model that was compiled
_NAMESPACES = {"keras": keras} | {f"keras.{space}": getattr(keras, space) for space in _SPACES}
_OP_LAYERS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer")
_OP_FIELDS = ("function", "cls_symbol", "method_name", "attr_name", "node_def")
_HARMLESS_FAMILIES = ("math.", "nn.", "linalg.", "__operators__.")
_HARMLESS = {
    *("broadcast_to", "cast", "clip_by_value", "concat", "einsum", "expand_dims", "gather", "identity", "image.resize"),
    *("norm", "one_hot", "ones_like", "pad", "repeat", "reshape", "reverse", "roll", "shape", "slice", "sort", "split"),
    *("squeeze", "stack", "stop_gradient", "tensordot", "tile", "transpose", "unstack", "where", "zeros_like"),
}
"""Functions of TensorFlow that compute from arrays and do nothing else."""

_DESCRIBED: set[tuple[str, str, str]] = set()
"""What the models named that were described in this process: their code runs already."""

_OWN: dict[str, Any] = {}
"""Name -> class or function from outside Keras, of these models."""


def own_code() -> dict[str, Any]:
    """Name -> class or function from outside Keras, of the models that were described in this process."""
    return dict(_OWN)


def check_no_lambda(model: Any) -> None:
    """See that a model's functions can be found again by name.

    Raises:
        InputError: A lambda.
    """
    for layer in all_layers(model):
        held = vars(layer).values() if _is_of_keras(type(layer)) else ()
        if isinstance(layer, keras.layers.Lambda) or any(getattr(v, "__name__", "") == "<lambda>" for v in held):
            raise InputError(
                f"{model.name}: the layer {layer.name} holds a lambda, whose code a ticket cannot keep. Write it with "
                "TensorFlow's functions, as a layer of your own, or as a function that has a name."
            )


def trust(model: Any, config: dict[str, Any]) -> None:
    """Let configs name what this model, which runs here already, and its config name.

    Raises:
        InputError: A name means two things.
    """
    named = {
        entry["config"] if entry["class_name"] == "function" else entry["class_name"] for entry in _entries(config)
    }
    for layer in all_layers(model):
        for thing in _own_things(layer):
            name = thing.__name__
            if _hides_one_of_keras(thing) or (name in named and _OWN.get(name, thing).__module__ != thing.__module__):
                raise InputError(
                    f"{model.name}: the layer {layer.name} holds {name} from {thing.__module__}, but there is another "
                    "of this name. Give it a name of its own."
                )
            if name in named:
                _OWN[name] = thing
    _DESCRIBED.update(map(_what, _entries(config)))


def refuse_strangers(config: Any) -> None:
    """Keras imports and calls whatever a config names; only what is harmless is let in, or was described here.

    Raises:
        InputError: It names something else.
    """
    for entry in _entries(config):
        if not _is_harmless(entry) and _what(entry) not in _DESCRIBED:
            module, name, which = _what(entry)
            raise InputError(
                f"The model holds {name}{which} from {module or 'no module'}, which would run code from outside Keras. "
                "If it is yours, build a model with it first in this process: tfticket.build_model, or "
                "Ticket.dense(model)."
            )


def all_layers(model: Any) -> Iterator[Any]:
    """The model and all layers, also those inside layers."""
    layers: Iterator[Any] = model._flatten_layers()
    return layers


def _own_things(layer: Any) -> Iterator[Any]:
    """A layer's class, and the functions and classes of what it holds, such as initialisers, if outside Keras."""
    if type(layer).__name__ in _OP_LAYERS:
        return
    held = [value for value in vars(layer).values() if isinstance(value, FunctionType) or hasattr(value, "get_config")]
    for value in (layer, *held):
        thing = value if isinstance(value, FunctionType) else type(value)
        if not _is_of_keras(thing):
            yield thing


def _is_of_keras(thing: Any) -> bool:
    """Keras' own, or TensorFlow's function that Keras has by the same name, such as tf.nn.relu."""
    origin = thing.__module__.split(".")[0]
    return origin in ("keras", "tf_keras") or (origin == "tensorflow" and _hides_one_of_keras(thing))


def _hides_one_of_keras(thing: Any) -> bool:
    """Whether a function has the name of one of Keras' activations, for which Keras would take it."""
    return isinstance(thing, FunctionType) and hasattr(keras.activations, thing.__name__)


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """Every part of a config that names a class or a function."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _entries(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _entries(value)


def _what(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Module, class, and which function or op where the class alone does not say."""
    name, inner, which = str(entry["class_name"]), entry.get("config"), ""
    if name == "function":
        which = f" {inner}"
    elif name in _OP_LAYERS and isinstance(inner, dict):
        which = f" {json.dumps([inner[field] for field in _OP_FIELDS if field in inner])}"
    return str(entry.get("module") or ""), name, which


def _is_harmless(entry: dict[str, Any]) -> bool:
    module, name, _ = _what(entry)
    inner = entry.get("config")
    if name in ("__tensor__", "__numpy__", "__bytes__"):
        return True
    if name == "function":
        return module in ("", "builtins") and isinstance(inner, str) and hasattr(keras.activations, inner)
    if name in ("TFOpLambda", "SlicingOpLambda"):
        function = str(inner.get("function")) if isinstance(inner, dict) else ""
        return module == "tf_keras.src.layers.core.tf_op_layer" and (
            function in _HARMLESS or function.startswith(_HARMLESS_FAMILIES)
        )
    registered = entry.get("registered_name") or name
    if module.startswith("tfticket.models.") and registered == f"tfticket>{name}":
        return name.isidentifier()
    if registered != name or name == "Lambda":
        return False
    if (module, name) == ("tf_keras.src.engine.functional", "Functional"):
        return True
    # Without a module Keras looks the name up among its own, as old configs have it.
    spaces = [_NAMESPACES.get(module)] if module else _NAMESPACES.values()
    return any(isinstance(getattr(space, name, None), type) for space in spaces)
