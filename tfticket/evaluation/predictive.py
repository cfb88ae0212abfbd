"""Predictions of trained networks."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from tfticket import seeds
from tfticket.backend import has_gpu
from tfticket.config.experiment import usable_cpus
from tfticket.config.training import Engine
from tfticket.errors import InputError
from tfticket.evaluation.metrics import log_probabilities
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive
from tfticket.network import MaskedNetwork, network_of
from tfticket.pruning.mask import density
from tfticket.sparse.build import compile_ticket, dense_from, of_means
from tfticket.sparse.noise import draw_normals, noise_places
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
        variational: Path -> layer, of the variational layers.
    """

    def __init__(self, spec: Spec, mask: Mask) -> None:
        self.variational: dict[str, Any] = {}
        self._layout, compiled = compile_ticket(of_means(spec), mask)
        self._theta = np.zeros(self._layout.size)
        self._spec = spec
        self._network = SparseNetwork(compiled, self._layout.size, usable_cpus())

    def take(self, weights: Weights) -> None:
        """Take weights, those of means in a variational network."""
        self._theta = self._layout.pack(weights)

    def logits(self, images: np.ndarray, seed: np.ndarray | None = None, index: int = 0) -> np.ndarray:
        """Return logits, float32 [rows, classes]; see ``MaskedNetwork.logits``."""
        rows = self._network.lay_out(network_of(self._spec).check_rows(images))
        return self._network.logits(self._theta if seed is None else self._draw(seed, index), rows)

    def _draw(self, seed: np.ndarray, index: int) -> np.ndarray:
        return self._theta


class SparseVariationalPrediction(SparsePrediction):
    """The same of a variational network, whose weights are drawn from their posterior."""

    def __init__(self, spec: Spec, mask: Mask) -> None:
        super().__init__(spec, mask)
        self.variational = network_of(spec).variational
        places = {path: layer.place for path, layer in self.variational.items()}
        self._places = noise_places(self._layout, places)
        self._deviations = np.zeros(self._layout.size)

    def take(self, weights: Weights) -> None:
        """Take means and rhos."""
        super().take(weights)
        rhos = {path: weights[f"{path}_rho"] for path in self._layout.shapes}
        self._deviations = np.logaddexp(0.0, self._layout.pack(rhos))

    def _draw(self, seed: np.ndarray, index: int) -> np.ndarray:
        noise = np.empty(self._layout.size, np.float32)
        draw_normals(self._places, np.asarray(seed).view(np.uint32), index, noise)
        return self._theta + self._deviations * noise


def sparse_prediction(spec: Spec, mask: Mask) -> SparsePrediction:
    """Return a network over surviving weights alone."""
    return (SparseVariationalPrediction if "variational" in spec else SparsePrediction)(spec, mask)


Network = MaskedNetwork | SparsePrediction


def network_with(spec: Spec, mask: Mask, weights: Weights, engine: Engine = "auto") -> Network:
    """Return a network with these weights: over surviving weights alone where that is faster, else dense and masked."""
    if engine == "sparse" or (engine == "auto" and density(mask) <= dense_from(mask) and not has_gpu()):
        with suppress(InputError):
            prediction = sparse_prediction(spec, mask)
            prediction.take(weights)
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
