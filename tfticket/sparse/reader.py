"""Translate a Keras model to layers of the sparse engine, or say why the engine cannot run it."""

import math
from typing import Any

import numpy as np

from tfticket.backend import keras
from tfticket.errors import InputError
from tfticket.sparse.kernels import AVERAGE_POOL, MAX_POOL, NONE, RELU, TANH
from tfticket.sparse.layout import Layout
from tfticket.sparse.program import Activation, Layer, Linear, Pair, Pool, Shape

_ACTIVATIONS = {"linear": NONE, "relu": RELU, "tanh": TANH}


class CannotRun(InputError):
    """A model that the sparse engine does not support."""

    def __init__(self, reason: str, field: str = "engine") -> None:
        self.reason = reason
        message = (
            f"The sparse engine cannot run this network: {reason}. It supports chains of Dense, Conv2D, max and "
            "average pooling, Flatten, ReLU and tanh. Use engine: keras."
        )
        super().__init__(message, field=field, suggestion="keras")


def sparse_layers(model: Any, layout: Layout) -> tuple[Shape, list[Layer]]:
    """Return (channels, height, width) of the image, or (features, 1, 1), and the layers up to the logits.

    Args:
        model: A functional or Sequential ``tf_keras`` model.
        layout: Order of theta.

    Raises:
        CannotRun: The model is not a chain of supported layers.
    """
    layers = _chain(model)
    *size, channels = model.input_shape[1:]
    is_flat = not size
    height, width = size or (1, 1)
    image: Shape = (channels, height, width)
    translated: list[Layer] = []
    shape = image
    for layer in layers:
        kind = type(layer)
        last = translated[-1] if translated else None
        if kind is keras.layers.Flatten:
            if layer.data_format != "channels_last":
                raise CannotRun(f"{layer.name} has its channels first")
            is_flat = True
        elif kind in (keras.layers.Dense, keras.layers.Conv2D):
            translated.append(_linear(layer, shape, is_flat, layout))
            is_flat = kind is keras.layers.Dense
        elif kind in (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D):
            translated.append(_pool(layer, shape))
        elif kind is keras.layers.GlobalAveragePooling2D:
            if layer.data_format != "channels_last":
                raise CannotRun(f"{layer.name} has its channels first")
            translated.append(Pool(AVERAGE_POOL, shape[1:], shape[1:], (0, 0), (shape[0], 1, 1)))
            is_flat = not layer.keepdims
        elif kind in (keras.layers.Activation, keras.layers.ReLU):
            activation = _activation(layer)
            if isinstance(last, Linear) and last.activation == NONE:
                translated[-1] = Linear(**{**last.__dict__, "activation": activation})
            elif activation != NONE:
                translated.append(Activation(activation, shape))
        else:
            raise CannotRun(f"{layer.name} is a {kind.__name__}")
        shape = translated[-1].shape if translated else image
    last = translated[-1] if translated else None
    if not isinstance(last, Linear) or last.activation != NONE or shape[1:] != (1, 1):
        raise CannotRun(f"{model.name} does not end in a layer that gives logits")
    return image, translated


def _chain(model: Any) -> list[Any]:
    """Return the layers after the input, each with the previous one as its only input.

    Raises:
        CannotRun: The model branches or uses a layer twice.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    before = model.inputs[0] if len(model.inputs) == 1 else None
    for layer in layers:
        if len(layer.inbound_nodes) != 1 or layer.input is not before:
            raise CannotRun(f"{model.name} is not a chain of layers at {layer.name}")
        before = layer.output
    if len(model.input_shape) not in (2, 4):
        raise CannotRun(f"{model.name} takes neither images [height, width, channels] nor [features]")
    return layers


def _activation(layer: Any) -> int:
    if isinstance(layer, keras.layers.ReLU):
        plain = layer.max_value is None and not layer.negative_slope and not layer.threshold
        name = "relu" if plain else "ReLU with options"
    else:
        name = getattr(layer.activation, "__name__", "custom")
    if name not in _ACTIVATIONS:
        raise CannotRun(f"{layer.name} has the activation {name}")
    return _ACTIVATIONS[name]


def _linear(layer: Any, shape: Shape, is_flat: bool, layout: Layout) -> Linear:
    path = f"{layer.name}/kernel"
    if path not in layout.slices:
        raise CannotRun(f"{layer.name} is not trained")
    kept, part = layout.mask[path], layout.slices[path]
    activation = _activation(layer)
    units = kept.shape[-1]
    bias = layout.slices.get(f"{layer.name}/bias")
    biases = np.full(units, -1) if bias is None else np.arange(bias.start, bias.stop)
    kernel = np.arange(part.start, part.stop)
    if type(layer) is keras.layers.Dense:
        if not is_flat:
            raise CannotRun(f"{layer.name} is applied to each pixel of an image")
        whole = kept.reshape(*shape[1:], shape[0], units)
        return Linear(whole, kernel, biases, (units, 1, 1), activation)
    if layer.data_format != "channels_last" or layer.groups != 1 or tuple(layer.dilation_rate) != (1, 1):
        raise CannotRun(f"{layer.name} is grouped, dilated or has its channels first")
    sizes, padding = _window(shape, layer.kernel_size, layer.strides, layer.padding)
    if padding == (0, 0):  # the part of a kernel outside the image has no effect
        down, right = np.nonzero(kept)[:2]
        kernel, kept = kernel[(down < shape[1]) & (right < shape[2])], kept[: shape[1], : shape[2]]
    return Linear(kept, kernel, biases, (units, *sizes), activation, tuple(layer.strides), padding)


def _pool(layer: Any, shape: Shape) -> Pool:
    if layer.data_format != "channels_last":
        raise CannotRun(f"{layer.name} has its channels first")
    kind = MAX_POOL if type(layer) is keras.layers.MaxPooling2D else AVERAGE_POOL
    sizes, padding = _window(shape, layer.pool_size, layer.strides, layer.padding)
    return Pool(kind, tuple(layer.pool_size), tuple(layer.strides), padding, (shape[0], *sizes))


def _window(shape: Shape, size: Any, stride: Any, padding: str) -> tuple[Pair, Pair]:
    """Return height and width of the output, and the padding at the top and on the left, as in TensorFlow."""
    outs, before = [], []
    for length, kernel, step in zip(shape[1:], size, stride, strict=True):
        if padding == "valid":
            outs.append((length - kernel) // step + 1)
            before.append(0)
        else:
            outs.append(math.ceil(length / step))
            before.append(max((outs[-1] - 1) * step + kernel - length, 0) // 2)
    return (outs[0], outs[1]), (before[0], before[1])
