"""Conversion of any Keras model to a variational one."""

import itertools
from typing import Any

from tfticket.backend import keras
from tfticket.config import Variational
from tfticket.errors import InputError
from tfticket.variational.layers import LAYERS


def convert_layers(model: Any, config: Variational) -> Any:
    """Return a copy of a model, with arbitrary weights, whose dense and convolutional layers are variational."""
    shared_inputs, once = _with_shared_input(model), _used_once(model)
    places = itertools.count()
    swapped = False

    def convert(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=convert)
        if type(layer) not in LAYERS:
            return type(layer).from_config(layer.get_config())
        if layer.compute_dtype != "float32":
            raise InputError(
                f"{model.name}: the layer {layer.name} computes in {layer.compute_dtype}; expected float32 for a "
                "layer that becomes variational. Leave its dtype out.",
                field="model",
            )
        nonlocal swapped
        swapped = True
        return LAYERS[type(layer)](
            layer=layer.get_config(),
            prior=config.prior,
            deviation=config.deviation,
            means=config.means,
            place=next(places),
            first=id(layer) in shared_inputs,
            once=id(layer) in once,
            name=layer.name,
        )

    copy = keras.models.clone_model(model, clone_function=convert)
    if not swapped:
        message = f"{model.name} has no Dense, Conv1D or Conv2D layer that could become variational."
        raise InputError(message, field="model")
    return copy


def _used_once(model: Any, model_used_once: bool = True) -> set[int]:
    """Return the identities of the layers that are used once, also in nested models that are used once."""
    layers = set()
    for layer in model.layers:
        once = (
            model_used_once
            and sum(layer is node.layer for nodes in model._nodes_by_depth.values() for node in nodes) == 1
        )
        if isinstance(layer, keras.Model):
            layers |= _used_once(layer, once)
        elif once:
            layers.add(id(layer))
    return layers


def _with_shared_input(model: Any) -> set[int]:
    """Return the identities of the layers, used once, whose input is the same in all draws.

    Nested models count as noisy.
    """
    noisy: dict[Any, bool] = {}

    def is_noisy(layer: Any) -> bool:
        """Return True if a layer's output depends on the draw."""
        if layer not in noisy:
            noisy[layer] = type(layer) in LAYERS or isinstance(layer, keras.Model) or after_noise(layer)
        return noisy[layer]

    def after_noise(layer: Any) -> bool:
        parents = [parent for node in layer.inbound_nodes for parent in node.parent_nodes]
        return any(is_noisy(parent.layer) for parent in parents)

    once = (layer for layer in model.layers if type(layer) in LAYERS and len(layer.inbound_nodes) == 1)
    return {id(layer) for layer in once if not after_noise(layer)}
