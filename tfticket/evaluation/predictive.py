"""What a trained network predicts."""

from collections.abc import Iterator

import numpy as np

from tfticket import seeds
from tfticket.evaluation.metrics import log_probabilities
from tfticket.evaluation.uncertainty import Pooled
from tfticket.network import MaskedNetwork, network_of
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.noise import noise_seeds

DRAWS = 10
"""Of a variational network, unless something else is said."""


def predict(
    spec: Spec, mask: Mask, weights: Weights, images: np.ndarray, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """Log probabilities of a trained network.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.
        weights: Path -> array, trained.
        images: As the ticket's data, uint8 or float32 [rows, ...].
        draws: Of a variational network: draws of its weights whose predictions are averaged.
        seed: Of these draws.

    Returns:
        float64 [rows, classes].
    """
    network = network_of(spec)
    network.assign(mask, weights)
    return mean_prediction(network, images, draws, seed)


def mean_prediction(network: MaskedNetwork, images: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Log of the mean over draws of a network's probabilities, as it is now: see ``predict``."""
    return Pooled(predictions(network, images, draws, seed)).log_probs


def seed_of_pass(seed: int, number: int) -> int:
    """The seed of the draws of a repeated evaluation; pass 0 is the one that is reported."""
    return seeds.derive(seed, "pass", number) if number else seed


def predictions(network: MaskedNetwork, images: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Log probabilities float64 [rows, classes] of each draw; of a deterministic network once."""
    if not network.variational:
        yield log_probabilities(network.logits(images))
        return
    (noise,) = noise_seeds(seed, "evaluation", 0, 1)
    for index in range(draws):
        yield log_probabilities(network.logits(images, noise, index))
