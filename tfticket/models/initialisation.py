"""Initial weights of any Keras model, drawn on the host from a seed."""

import math
from typing import Any

import numpy as np
from scipy.special import ndtri

from tfticket import seeds
from tfticket.backend import keras
from tfticket.errors import InputError
from tfticket.models.spec import keras_initialiser, names_for_draws
from tfticket.models.variables import kernel_shapes, named_variables
from tfticket.types import Weights

# Variance scaling: Keras class -> (scale, mode, distribution). Glorot and Bengio (2010), He et al. (2015),
# LeCun et al. (1998).
_VARIANCE_SCALING = {
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
}
# Standard deviation of a standard normal truncated at +-2.
_TRUNCATED_SD = 0.87962566103423978


def initial_weights(model: Any, seed: int, initialiser: str | None = None) -> Weights:
    """Draw every weight of a model from its own layer's initialiser.

    Args:
        model: Any functional or Sequential ``tf_keras`` model.
        seed: Root seed; each weight has its own stream, named by its path, so that a layer's draw does not
            depend on other layers. Automatic names in it are numbered by their order in the model.
        initialiser: For the prunable kernels instead of their layers' own; as in a network's configuration.

    Returns:
        Path -> array. Weights that are not trained and have no initialiser keep their present values.
    """
    weights: Weights = {}
    names = names_for_draws(model)
    kernels = keras.initializers.get(keras_initialiser(initialiser)) if initialiser else None
    prunable = kernel_shapes(model) if initialiser else {}
    for path, (layer, variable) in named_variables(model).items():
        distribution = kernels if path in prunable else _layer_initialiser(layer, path.rpartition("/")[2])
        if distribution is not None:
            forgets = path.endswith("/bias") and getattr(layer, "unit_forget_bias", False)
            draw = _draw_forget_bias if forgets else _draw
            values = draw(distribution, tuple(variable.shape), seed, names[path])
            weights[path] = values.astype(variable.dtype.as_numpy_dtype)
        elif variable.trainable:
            raise InputError(
                f"{model.name}: the layer {layer.name} names no initialiser for {path}, so it cannot be drawn from a "
                "seed. Take the model's own weights, start='current', and leave out controls that draw weights anew.",
                field="start",
                suggestion="current",
            )
        else:
            weights[path] = variable.numpy()
    return weights


def _layer_initialiser(layer: Any, name: str) -> Any:
    """Return the initialiser that a layer names for one of its weights."""
    for key in (name, name.removesuffix("_kernel")):
        if getattr(layer, f"{key}_initializer", None) is not None:
            return getattr(layer, f"{key}_initializer")
    return None


def _draw_forget_bias(initialiser: Any, shape: tuple[int, ...], seed: int, path: str) -> np.ndarray:
    """Draw the biases of an LSTM's four gates as Keras does: 1 for the second, the forget gate."""
    units = shape[0] // 4
    input_gate = _draw(initialiser, (units,), seed, path)
    return np.concatenate([input_gate, np.ones(units), _draw(initialiser, (2 * units,), seed, f"{path}/rest")])


def _draw(initialiser: Any, shape: tuple[int, ...], seed: int, path: str) -> np.ndarray:
    kind, config = type(initialiser).__name__, initialiser.get_config()
    generator = seeds.generator(seed, "initial", path)
    if kind in _VARIANCE_SCALING or kind == "VarianceScaling":
        scale, mode, distribution = _VARIANCE_SCALING.get(kind) or (
            config["scale"],
            config["mode"],
            config["distribution"],
        )
        return _variance_scaling(generator, shape, scale, mode, distribution)
    if kind == "RandomNormal":
        return generator.normal(config["mean"], config["stddev"], shape)
    if kind == "TruncatedNormal":
        return float(config["mean"]) + float(config["stddev"]) * _truncated_normal(generator, shape)
    if kind == "RandomUniform":
        return generator.uniform(config["minval"], config["maxval"], shape)
    # Any other initialiser draws its own numbers, from our seed if it takes one.
    if "seed" in config:
        config["seed"] = int(generator.integers(2**31))
        initialiser = type(initialiser).from_config(config)
    return np.asarray(initialiser(shape, dtype="float32"))


def _variance_scaling(
    generator: np.random.Generator, shape: tuple[int, ...], scale: float, mode: str, distribution: str
) -> np.ndarray:
    """Draw with variance scale / fan; the fan includes the kernel's receptive field, as in Keras."""
    receptive = math.prod(shape[:-2])
    fan_in, fan_out = (shape[-2] * receptive, shape[-1] * receptive) if len(shape) > 1 else (shape[0], shape[0])
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    sd = math.sqrt(scale / max(1.0, fan))
    if distribution == "uniform":
        return generator.uniform(-math.sqrt(3) * sd, math.sqrt(3) * sd, shape)
    if distribution == "untruncated_normal":
        return generator.normal(0.0, sd, shape)
    return sd / _TRUNCATED_SD * _truncated_normal(generator, shape)


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw standard normals truncated at +-2, by the inverse distribution function."""
    lowest, highest = 0.022750131948179195, 0.9772498680518208
    values: np.ndarray = ndtri(generator.uniform(lowest, highest, shape))
    return values
