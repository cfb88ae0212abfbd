"""What the training of a variational network minimises.

References:
    Blundell et al. (2015), "Weight uncertainty in neural networks", equation 2; Wenzel et al. (2020), "How good is the
    Bayes posterior in deep neural networks really?" (temperature). torch-blue's loss is 'predictive'.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tfticket.backend import tf
from tfticket.config import Objective, TrainConfig
from tfticket.durations import iterations_in
from tfticket.errors import InputError


def negative_log_likelihood(logits: Any, labels: Any, loss: str) -> Any:
    """Return the negative log likelihood per row, in nats.

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


def divergence_factors(config: TrainConfig, layers: Collection[str], rows: int, first: int, last: int) -> np.ndarray:
    """Factors on the layers' KL divergences in nats, beside a mean row's: temperature x the layer's weight / rows.

    Over the warm-up they rise linearly.

    Args:
        config: Temperature, weights, warm-up.
        layers: Names of the variational layers.
        rows: Training rows after the split.
        first: An iteration.
        last: The iteration after the last of them.

    Returns:
        float32 [iterations, layers].
    """
    objective = config.objective
    warmup = iterations_in(objective.kl_warmup, rows, config.batch_size)
    rising = np.minimum(1.0, (np.arange(first, last) + 1) / warmup) if warmup else np.ones(last - first)
    weights = np.array([objective.kl_weights.get(name, 1.0) for name in layers])
    result: np.ndarray = (objective.temperature / rows * rising[:, None] * weights).astype(np.float32)
    return result


def check_precision(config: TrainConfig, variational: bool) -> None:
    """See that a network is trained in an arithmetic that is for it.

    Raises:
        InputError: A variational network in another one than float32.
    """
    if variational and config.precision != "float32":
        raise InputError(f"train.precision {config.precision} is not for variational networks. Take float32.")


def check_objective(objective: Objective, layers: Mapping[str, Any]) -> None:
    """See that a network can be trained so.

    Args:
        objective: The objective.
        layers: Path -> variational layer.

    Raises:
        InputError: A weight for a layer that there is not; local noise where weights act in several places.
    """
    for name in objective.kl_weights:
        if name not in layers:
            known = ", ".join(layers) or "none, the network is deterministic; set model.variational"
            raise InputError(f"objective.kl_weights: there is no variational layer '{name}'. Known: {known}.")
    if objective.estimator == "local" and (others := [path for path, layer in layers.items() if not layer.is_local]):
        raise InputError(
            "objective.estimator local is for dense layers of one vector a row; each weight acts in several places in "
            f"{', '.join(others)}. Take flipout."
        )
