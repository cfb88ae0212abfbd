"""Layers of any Keras model swapped for variational ones."""

import itertools
from typing import Any

from tfticket.backend import keras
from tfticket.config import Variational
from tfticket.errors import InputError
from tfticket.variational.layers import LAYERS


def converted(model: Any, config: Variational) -> Any:
    """A copy of a model, of arbitrary weights, whose dense and convolutional layers are variational.

    Args:
        model: A functional or Sequential ``tf_keras`` model.
        config: Prior and initialisation.

    Raises:
        InputError: There is no Dense, Conv1D or Conv2D layer, or one computes in another precision than float32.
    """
    untouched, once = _before_any(model), _used_once(model)
    places = itertools.count()
    swapped = False

    def convert(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=convert)
        if type(layer) not in LAYERS:
            return type(layer).from_config(layer.get_config())
        if layer.compute_dtype != "float32":
            raise InputError(
                f"{model.name}: the layer {layer.name} computes in {layer.compute_dtype}; one that becomes variational "
                "must in float32. Leave its dtype out."
            )
        nonlocal swapped
        swapped = True
        return LAYERS[type(layer)](
            layer=layer.get_config(),
            prior=config.prior,
            deviation=config.deviation,
            means=config.means,
            place=next(places),
            first=id(layer) in untouched,
            once=id(layer) in once,
            name=layer.name,
        )

    copy = keras.models.clone_model(model, clone_function=convert)
    if not swapped:
        raise InputError(f"{model.name} has no Dense, Conv1D or Conv2D layer that could become variational.")
    return copy


def _used_once(model: Any, alone: bool = True) -> set[int]:
    """Identities of the layers that a model, itself used once, uses once, those of models inside it among them."""
    found = set()
    for layer in model.layers:
        once = alone and sum(layer is node.layer for nodes in model._nodes_by_depth.values() for node in nodes) == 1
        if isinstance(layer, keras.Model):
            found |= _used_once(layer, once)
        elif once:
            found.add(id(layer))
    return found


def _before_any(model: Any) -> set[int]:
    """Identities of the layers, used once, whose input no layer that is converted changes; a model inside is one."""
    found: dict[Any, bool] = {}

    def is_noisy(layer: Any) -> bool:
        """Whether a layer's output depends on a draw."""
        if layer not in found:
            found[layer] = type(layer) in LAYERS or isinstance(layer, keras.Model) or after_noise(layer)
        return found[layer]

    def after_noise(layer: Any) -> bool:
        parents = [parent for node in layer.inbound_nodes for parent in node.parent_nodes]
        return any(is_noisy(parent.layer) for parent in parents)

    once = (layer for layer in model.layers if type(layer) in LAYERS and len(layer.inbound_nodes) == 1)
    return {id(layer) for layer in once if not after_noise(layer)}
