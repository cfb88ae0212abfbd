"""The objective of variational inference, as the training minimises it.

For a batch, per row:

    loss = NLL + sum over layers of coefficient[layer] * KL[layer]

    NLL = -mean over draws and rows of log p(label | row, weights)           ('elbo')
    NLL = -mean over rows of log mean over draws of p(label | row, weights)  ('predictive')
    KL[layer] = sum over surviving weights of KL(N(mean, softplus(rho)^2) || N(0, prior^2))
    coefficient[layer] = warmup_factor * temperature * kl_weights[layer] / training rows

References:
    Blundell et al. (2015), "Weight uncertainty in neural networks", equation 2; Wenzel et al. (2020), "How good is the
    Bayes posterior in deep neural networks really?" (temperature). 'predictive' is the loss of torch-blue.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tfticket.backend import tf
from tfticket.config import Objective, TrainConfig
from tfticket.config.durations import iterations_in
from tfticket.errors import InputError
from tfticket.variational.noise import Draw, drawing


def variational_loss(
    model: Any, layers: Collection[Any], inputs: Any, labels: Any, noise: Any, coefficients: Any, objective: Objective
) -> Any:
    """Return the loss of a batch."""
    shared: dict[Any, Any] = {}
    logits = []
    for index in range(objective.draws):
        with drawing(Draw(noise, index, objective.estimator, shared)):
            logits.append(tf.cast(model(inputs, training=True), tf.float32))
    divergences = tf.stack([kl_divergence(layer) for layer in layers])
    likelihood = negative_log_likelihood(tf.stack(logits), labels, objective.loss)
    return likelihood + tf.tensordot(coefficients, divergences, 1)


def negative_log_likelihood(logits: Any, labels: Any, loss: str) -> Any:
    """Return the mean negative log-likelihood of a row, in nats.

    Args:
        logits: [draws, rows, classes].
        labels: [rows].
        loss: 'elbo': mean over draws of the log-likelihood; 'predictive': log-likelihood of the mean prediction.
    """
    targets = tf.broadcast_to(labels, tf.shape(logits)[:2])
    log_likelihood = -tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    if loss == "elbo":
        return -tf.reduce_mean(log_likelihood)
    draws = tf.cast(tf.shape(logits)[0], tf.float32)
    return -tf.reduce_mean(tf.reduce_logsumexp(log_likelihood, 0) - tf.math.log(draws))


def kl_divergence(layer: Any) -> Any:
    """Return the KL divergence of a layer's posterior from its prior, in nats.

    Pruned weights do not count, so the sum is finite at any sparsity.
    """
    import tensorflow_probability as tfp  # slow; deterministic networks do without it

    tfd = tfp.distributions
    kernel = tfd.kl_divergence(tfd.Normal(layer.kernel, tf.nn.softplus(layer.kernel_rho)), layer.prior)
    mask = layer.mask()
    total = tf.reduce_sum(kernel if mask is None else tf.where(mask > 0, kernel, 0.0))
    if layer.bias is None:
        return total
    return total + tf.reduce_sum(tfd.kl_divergence(layer.bias_posterior.distribution, layer.prior))


def kl_coefficients(config: TrainConfig, layers: Collection[str], rows: int, first: int, last: int) -> np.ndarray:
    """Return the coefficients of the layers' KL divergences: temperature * the layer's weight / rows.

    They increase linearly during the warm-up.

    Args:
        config: Temperature, weights, warm-up.
        layers: Names of the variational layers.
        rows: Training rows after the split.
        first: First iteration.
        last: The iteration after the last one.

    Returns:
        float32 [iterations, layers].
    """
    objective = config.objective
    warmup = iterations_in(objective.kl_warmup, rows, config.batch_size)
    warmup_factor = np.minimum(1.0, (np.arange(first, last) + 1) / warmup) if warmup else np.ones(last - first)
    weights = np.array([objective.kl_weights.get(name, 1.0) for name in layers])
    coefficients: np.ndarray = (objective.temperature / rows * warmup_factor[:, None] * weights).astype(np.float32)
    return coefficients


def check_precision(config: TrainConfig, variational: bool) -> None:
    """Check that the training's precision suits the network."""
    if variational and config.precision != "float32":
        message = f"train.precision {config.precision} is not for variational networks. Take float32."
        raise InputError(message, field="train.precision", suggestion="float32")


def check_objective(objective: Objective, layers: Mapping[str, Any]) -> None:
    """Check that an objective suits a network."""
    for name in objective.kl_weights:
        if name not in layers:
            known = ", ".join(layers) or "none, the network is deterministic; set model.variational"
            message = f"objective.kl_weights: there is no variational layer '{name}'. Known: {known}."
            raise InputError(message, field="train.objective.kl_weights")
    if objective.estimator == "local" and (others := [path for path, layer in layers.items() if not layer.is_local]):
        raise InputError(
            "objective.estimator local is for dense layers of one vector a row; each weight acts in several places in "
            f"{', '.join(others)}. Take flipout.",
            field="train.objective.estimator",
            suggestion="flipout",
        )
