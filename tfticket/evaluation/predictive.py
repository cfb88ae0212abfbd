"""Predictions of trained networks."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from tfticket import seeds
from tfticket.backend import has_gpu
from tfticket.config.experiment import usable_cpus
from tfticket.config.training import DENSE_FROM, Engine
from tfticket.errors import InputError
from tfticket.evaluation.metrics import log_probabilities
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive
from tfticket.network import MaskedNetwork, network_of
from tfticket.pruning.mask import density
from tfticket.sparse.build import compile_ticket
from tfticket.sparse.tiles import SparseNetwork
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.noise import noise_seeds

DRAWS = 10
"""Default number of draws of a variational network."""


class SparsePrediction:
    """A ticket's network over its surviving weights alone, for predictions.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.

    Raises:
        InputError: The network has layers that the tables do not support, or no weight survives.

    Attributes:
        theta: float [size], its weights.
        variational: Nothing.
    """

    def __init__(self, spec: Spec, mask: Mask) -> None:
        self.layout, compiled = compile_ticket(spec, mask)
        self.theta: np.ndarray = np.zeros(self.layout.size)
        self.variational: dict[str, Any] = {}
        self._spec = spec
        self._network = SparseNetwork(compiled, self.layout.size, usable_cpus())

    def logits(self, images: np.ndarray, seed: np.ndarray | None = None, index: int = 0) -> np.ndarray:
        """Return logits, float32 [rows, classes]; see ``MaskedNetwork.logits``."""
        images = network_of(self._spec).check_rows(images)
        return self._network.logits(self.theta, self._network.lay_out(images))


Network = MaskedNetwork | SparsePrediction


def network_with(spec: Spec, mask: Mask, weights: Weights, engine: Engine = "auto") -> Network:
    """Return a network with these weights: over surviving weights alone where that is faster, else dense and masked."""
    if engine == "sparse" or (engine == "auto" and density(mask) <= DENSE_FROM and not has_gpu()):
        with suppress(InputError):
            prediction = SparsePrediction(spec, mask)
            prediction.theta = prediction.layout.pack(weights)
            return prediction
    network = network_of(spec)
    network.assign(mask, weights)
    return network


def predict(
    spec: Spec,
    mask: Mask,
    weights: Weights,
    images: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
    engine: Engine = "auto",
) -> np.ndarray:
    """Return the log probabilities of a trained network.

    Returns:
        float64 [rows, classes].
    """
    return mean_prediction(network_with(spec, mask, weights, engine), images, draws, seed)


def mean_prediction(network: Network, images: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return the log of the mean over draws of the probabilities, with the present weights: see ``predict``."""
    return PosteriorPredictive(predictions(network, images, draws, seed)).log_probs


def seed_of_pass(seed: int, number: int) -> int:
    """Return the seed of a repeated evaluation; pass 0 is reported."""
    return seeds.derive(seed, "pass", number) if number else seed


def predictions(network: Network, images: np.ndarray, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Yield log probabilities float64 [rows, classes] of each draw; once for a deterministic network."""
    if not network.variational:
        yield log_probabilities(network.logits(images))
        return
    (noise,) = noise_seeds(seed, "evaluation", 0, 1)
    for index in range(draws):
        yield log_probabilities(network.logits(images, noise, index))
