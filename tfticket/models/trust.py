"""Trust in Keras configs: they may run Keras' harmless classes, and code of models described in this process."""

import itertools
import json
import re
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from tfticket.backend import keras
from tfticket.config.wording import given
from tfticket.errors import InputError
from tfticket.models.allow_list import entries_of, is_harmless, is_layer
from tfticket.text import one_line

_OP_LAYERS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer")
_OP_FIELDS = ("function", "cls_symbol", "method_name", "attr_name", "node_def")
_MOST_PARTS = 20_000
"""Layers, initialisers and the like; more than any sensible network has."""

_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_./>-]*")
"""A name that TensorFlow accepts for a scope."""

_TRUSTED: set[tuple[str, str, str]] = set()
"""Parts of models described in this process, whose code runs already."""

_USER_CODE: dict[str, Any] = {}
"""Name -> class or function of these models from outside Keras."""


def user_code() -> dict[str, Any]:
    """Return name -> class or function from outside Keras, of models described in this process."""
    return dict(_USER_CODE)


def check_no_lambda(model: Any) -> None:
    """Check that a model's functions can be found by name."""
    for layer in all_layers(model):
        held = vars(layer).values() if _is_of_keras(type(layer)) else ()
        if isinstance(layer, keras.layers.Lambda) or any(getattr(v, "__name__", "") == "<lambda>" for v in held):
            raise InputError(
                f"{model.name}: the layer {layer.name} holds a lambda, whose code a ticket cannot keep. Write it with "
                "TensorFlow's functions, as a layer of your own, or as a function that has a name.",
                field="model",
            )


def trust(model: Any, config: dict[str, Any]) -> None:
    """Allow configs to name the classes and functions of this model, whose code runs already."""
    named = {
        entry["config"] if entry["class_name"] == "function" else entry["class_name"] for entry in entries_of(config)
    }
    for layer in all_layers(model):
        for thing in _user_objects(layer):
            name = thing.__name__
            if _hides_one_of_keras(thing) or (
                name in named and _USER_CODE.get(name, thing).__module__ != thing.__module__
            ):
                raise InputError(
                    f"{model.name}: the layer {layer.name} holds {name} from {thing.__module__}, but there is another "
                    "of this name. Give it a name of its own.",
                    field="model",
                )
            if name in named:
                _USER_CODE[name] = thing
    _TRUSTED.update(_identity(entry) for entry in entries_of(config) if not is_harmless(entry))


def refuse_untrusted(config: Any) -> None:
    """Refuse configs with code that is neither harmless nor trusted: Keras imports and calls whatever they name."""
    entries = list(itertools.islice(entries_of(config), _MOST_PARTS + 1))
    if len(entries) > _MOST_PARTS:
        raise InputError(
            f"The model has more than {_MOST_PARTS:,} layers and other parts; expected fewer. Make "
            "the ticket anew, from a smaller network."
        )
    for entry in entries:
        if not is_harmless(entry) and _identity(entry) not in _TRUSTED:
            module, name, which = _identity(entry)
            raise InputError(
                f"The model holds {name}{one_line(which, 100)} from {module or 'no module'}, which would run code from "
                "outside Keras or read files; expected Keras' layers that compute from arrays, with plain arguments. "
                "If it is yours, build a model with it first in this process: "
                "tfticket.build_model, or Ticket.dense(model)."
            )


def check_names(config: Any) -> None:
    """Check that TensorFlow accepts the names of a config's models and layers, also of layers inside layers."""
    for entry in entries_of(config):
        inner = entry.get("config")
        layers = inner.get("layers") if isinstance(inner, dict) else None
        for part in [entry] * is_layer(entry) + (layers if isinstance(layers, list) else []):
            _check_name(part)


def _check_name(part: Any) -> None:
    """Refuse invalid names of models and layers; an input's name is no scope."""
    config = part.get("config") if isinstance(part, dict) else None
    if not isinstance(config, dict) or part.get("class_name") == "InputLayer":
        return
    name = config.get("name")
    if name is not None and not (isinstance(name, str) and _SCOPE.fullmatch(name)):
        raise InputError(
            f"The model or a layer of it is named {given(name)}, which TensorFlow does not accept; expected letters, "
            "digits and . _ / > -, a letter, digit or . first. Give it another name."
        )


def all_layers(model: Any) -> Iterator[Any]:
    """Yield the model and all layers, also those inside layers."""
    layers: Iterator[Any] = model._flatten_layers()
    return layers


def _user_objects(layer: Any) -> Iterator[Any]:
    """Yield a layer's class, and classes and functions it holds, such as initialisers, if outside Keras."""
    if type(layer).__name__ in _OP_LAYERS:
        return
    held = [value for value in vars(layer).values() if isinstance(value, FunctionType) or hasattr(value, "get_config")]
    for value in (layer, *held):
        thing = value if isinstance(value, FunctionType) else type(value)
        if not _is_of_keras(thing):
            yield thing


def _is_of_keras(thing: Any) -> bool:
    """Return True for Keras' objects and for TensorFlow functions that Keras also has, such as tf.nn.relu."""
    origin = thing.__module__.split(".")[0]
    return origin in ("keras", "tf_keras") or (origin == "tensorflow" and _hides_one_of_keras(thing))


def _hides_one_of_keras(thing: Any) -> bool:
    """Return True if a function has the name of a Keras activation, which Keras would use instead."""
    return isinstance(thing, FunctionType) and hasattr(keras.activations, thing.__name__)


def _identity(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Return module, class, and, for functions and Keras' own classes, whose effect depends on them, arguments."""
    module, name, config = str(entry.get("module") or ""), str(entry["class_name"]), entry.get("config")
    if name == "function":
        return module, name, f" {config}"
    arguments = config if isinstance(config, dict) else {}
    if name in _OP_LAYERS:
        return module, name, f" {json.dumps([arguments[field] for field in _OP_FIELDS if field in arguments])}"
    if module.split(".")[0] in ("", "keras", "tf_keras"):
        return module, name, f" {json.dumps({key: arguments[key] for key in sorted(arguments) if key != 'name'})}"
    return module, name, ""
