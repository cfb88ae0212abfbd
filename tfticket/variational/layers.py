"""Dense and convolutional layers whose weights are independent normal distributions.

Each weight has a mean and a rho; its standard deviation is softplus(rho). A pruned weight has mean and standard
deviation 0: TFMOT's wrapper carries the mask and sets the mean to 0; the layer takes the mask from the wrapper and
multiplies the standard deviation by it. The rho of a pruned weight stays unchanged.

References:
    Blundell et al. (2015), "Weight uncertainty in neural networks"; Wen et al. (2018), "Flipout: efficient
    pseudo-independent weight perturbations on mini-batches"; Kingma et al. (2015), "Variational dropout and the local
    reparameterization trick".
"""

import json
import math
from collections.abc import Callable
from typing import Any

import tensorflow_model_optimization as tfmot
import tensorflow_probability as tfp

from tfticket.backend import keras, tf
from tfticket.variational import noise

tfd = tfp.distributions


class _Variational(tfmot.sparsity.keras.PrunableLayer):  # type: ignore[misc]
    """Base class of variational layers: Keras' own layer, called with a kernel that is drawn.

    Attributes:
        kernel, kernel_rho, bias, bias_rho: Variables; bias and bias_rho are None in a layer without bias.
        kernel_posterior, bias_posterior: Their TFP distributions.
        mask: Returns the kernel's mask, float32 of its shape, or None in a layer that is not pruned.
        place: Number of the layer, unique in its network; seeds its noise.
        first: True if its input is the same in all draws.
        once: True if the network uses it once.
    """

    is_variational = True
    _of_vectors = False
    """True if each row of the input is one vector."""
    _kind: Any
    """Keras' layer."""

    def __init__(
        self,
        layer: dict[str, Any],
        prior: float,
        deviation: float,
        means: str,
        place: int,
        first: bool,
        name: str,
        once: bool = True,
    ) -> None:
        plain = self._kind.from_config(layer)
        sizes = {key: layer[key] for key in ("units", "filters", "kernel_size") if key in layer}
        super().__init__(
            **sizes,
            activation=plain.activation,
            kernel_prior_fn=None,
            kernel_divergence_fn=None,
            bias_divergence_fn=None,
            trainable=plain.trainable,
            name=name,
        )
        config = {"layer": layer, "prior": prior, "deviation": deviation, "means": means, "place": place}
        config |= {"first": first, "once": once, "name": name}
        self._config = json.dumps(config)  # Keras would track a dictionary
        self.prior, self.place, self.first, self.once = tfd.Normal(0.0, prior), place, first, once
        self.kernel_prior = self.bias_prior = None  # for TFP's divergences, which are unused: they ignore the mask
        self.mask: Callable[[], Any] = lambda: None
        self.kernel_posterior_tensor = self.bias_posterior_tensor = None
        self._linear_layer = self._kind.from_config({**layer, "use_bias": False, "activation": None})

    def get_config(self) -> dict[str, Any]:
        """Return the present configuration, including later changes of ``activation`` and ``trainable``."""
        config: dict[str, Any] = json.loads(self._config)
        changed = {"activation": keras.activations.serialize(self.activation), "trainable": self.trainable}
        return config | {"layer": config["layer"] | changed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def build(self, input_shape: Any) -> None:
        config = self.get_config()
        plain = self._kind.from_config(config["layer"])
        plain.build(input_shape)
        shape = tuple(plain.kernel.shape)
        bound = 1.0 / math.sqrt(math.prod(shape[:-1]))
        deviation = config["deviation"] * bound
        rho = keras.initializers.Constant(deviation + math.log(-math.expm1(-deviation)))  # softplus(rho) = deviation
        unused = self._linear_layer  # its initialisers have drawn nothing yet; Keras warns of one that draws twice
        self.kernel_initializer, self.bias_initializer = unused.kernel_initializer, unused.bias_initializer
        if config["means"] == "fan-in":
            self.kernel_initializer = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
            self.bias_initializer = keras.initializers.RandomUniform(-bound, bound)
        self.kernel_rho_initializer = self.bias_rho_initializer = rho
        self.kernel = self.add_weight(
            "kernel", shape, initializer=self.kernel_initializer, constraint=unused.kernel_constraint
        )
        self.kernel_rho = self.add_weight("kernel_rho", shape, initializer=rho)
        self.kernel_posterior = _normal(self.kernel, self.kernel_rho, lambda: self.mask())
        self.bias: Any = None
        self.bias_rho: Any = None
        self.bias_posterior: Any = None
        if plain.use_bias:
            self.bias = self.add_weight(
                "bias", shape[-1:], initializer=self.bias_initializer, constraint=unused.bias_constraint
            )
            self.bias_rho = self.add_weight("bias_rho", shape[-1:], initializer=rho)
            self.bias_posterior = _normal(self.bias, self.bias_rho, lambda: None)
        self.input_spec = plain.input_spec
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._linear_layer.compute_output_shape(input_shape)

    @property
    def is_local(self) -> bool:
        """True if each weight acts in one place, so that outputs are independent given the inputs."""
        return self._of_vectors and self.once

    def get_prunable_weights(self) -> list[Any]:
        return [self.kernel]

    def _apply_variational_kernel(self, inputs: Any) -> Any:
        draw = noise.current_draw()
        if draw is None:
            return self._linear(inputs, self.kernel)
        scale = draw.shared_value(self.place, "scale", self.kernel_posterior.distribution.stddev)
        if draw.estimator == "local":
            return self._local(inputs, scale, draw)
        noisy = scale * draw.normal(self.place, noise.KERNEL, scale.shape)
        if draw.estimator == "independent":
            return self._linear(inputs, self.kernel + noisy)

        def mean() -> Any:
            return self._linear(inputs, self.kernel)

        def flipped() -> Any:
            return inputs * self._signs(inputs, draw, noise.SIGNS_IN)

        mean_outputs = draw.shared_value(self.place, "mean", mean) if self.first else mean()
        flipped_inputs = draw.shared_value(self.place, "flipped", flipped) if self.first else flipped()
        outputs = self._linear(flipped_inputs, noisy)
        return mean_outputs + outputs * self._signs(outputs, draw, noise.SIGNS_OUT)

    def _apply_variational_bias(self, outputs: Any) -> Any:
        if self.bias is None:
            return outputs
        draw = noise.current_draw()
        bias = self.bias
        if draw is not None:
            scale = draw.shared_value(self.place, "bias scale", self.bias_posterior.distribution.stddev)
            bias = bias + scale * draw.normal(self.place, noise.BIAS, scale.shape)
        return tf.nn.bias_add(outputs, bias, "NC..." if self._channel_axis == 1 else None)

    def _signs(self, values: Any, draw: noise.Draw, purpose: int) -> Any:
        """Return one sign per row and channel; all draws share them, since their noise is independent anyway."""
        shape = [1] * values.shape.rank
        shape[0], shape[self._channel_axis] = tf.shape(values)[0], values.shape[self._channel_axis]
        # A layer that is used twice takes the same signs, in the shape of each input.
        return draw.shared_value(
            self.place, f"signs {purpose} {len(shape)}", lambda: draw.signs(self.place, purpose, shape)
        )

    def _local(self, inputs: Any, scale: Any, draw: noise.Draw) -> Any:
        """Draw outputs from their normal distribution given the inputs; a variance of 0 stays exactly 0."""
        variance = self._linear(tf.square(inputs), tf.square(scale))
        varies = variance > 0
        deviation = tf.where(varies, tf.sqrt(tf.where(varies, variance, 1.0)), 0.0)
        mean = self._linear(inputs, self.kernel)
        return mean + deviation * draw.normal(self.place, noise.OUTPUT, tf.shape(mean))

    def _linear(self, inputs: Any, kernel: Any) -> Any:
        self._linear_layer.kernel = tf.convert_to_tensor(kernel)
        outputs = self._linear_layer.call(inputs)
        self._linear_layer.kernel = None
        return outputs

    @property
    def _channel_axis(self) -> int:
        return 1 if getattr(self._linear_layer, "data_format", None) == "channels_first" else -1


def _normal(mean: Any, rho: Any, mask: Callable[[], Any]) -> Any:
    def deviation(value: Any) -> Any:
        kept = mask()
        return tf.nn.softplus(value) if kept is None else kept * tf.nn.softplus(value)

    scale = tfp.util.DeferredTensor(rho, deviation)
    return tfd.Independent(tfd.Normal(mean, scale), len(mean.shape))


class VariationalDense(_Variational, tfp.layers.DenseFlipout):  # type: ignore[misc]
    """Dense layer with normal weights."""

    _kind = keras.layers.Dense

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self._of_vectors = len(input_shape) == 2


class VariationalConv1D(_Variational, tfp.layers.Convolution1DFlipout):  # type: ignore[misc]
    """Convolution over one axis, with normal weights."""

    _kind = keras.layers.Conv1D


class VariationalConv2D(_Variational, tfp.layers.Convolution2DFlipout):  # type: ignore[misc]
    """Convolution over two axes, with normal weights."""

    _kind = keras.layers.Conv2D


LAYERS = {kind._kind: kind for kind in (VariationalDense, VariationalConv1D, VariationalConv2D)}
"""Keras' layer -> variational layer."""
