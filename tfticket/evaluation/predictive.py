"""Predictions of trained networks."""

from collections.abc import Iterator

import numpy as np

from tfticket import seeds
from tfticket.evaluation.metrics import log_probabilities
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive
from tfticket.network import MaskedNetwork, network_of
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.noise import noise_seeds

DRAWS = 10
"""Default number of draws of a variational network."""


def predict(
    spec: Spec, mask: Mask, weights: Weights, images: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """Return the log probabilities of a trained network.

    Returns:
        float64 [rows, classes].
    """
    network = network_of(spec)
    network.assign(mask, weights)
    return mean_prediction(network, images, draws, seed)


def mean_prediction(network: MaskedNetwork, images: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return the log of the mean over draws of the probabilities, with the present weights: see ``predict``."""
    return PosteriorPredictive(predictions(network, images, draws, seed)).log_probs


def seed_of_pass(seed: int, number: int) -> int:
    """Return the seed of a repeated evaluation; pass 0 is reported."""
    return seeds.derive(seed, "pass", number) if number else seed


def predictions(network: MaskedNetwork, images: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield log probabilities float64 [rows, classes] of each draw; once for a deterministic network."""
    if not network.variational:
        yield log_probabilities(network.logits(images))
        return
    (noise,) = noise_seeds(seed, "evaluation", 0, 1)
    for index in range(draws):
        yield log_probabilities(network.logits(images, noise, index))
