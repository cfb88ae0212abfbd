"""The loop of the sparse engine for variational networks: means and deviations of surviving weights alone."""

from typing import Any

import numpy as np

from tfticket.config import TrainConfig
from tfticket.data import Dataset
from tfticket.network import network_of
from tfticket.sparse.noise import noise_places
from tfticket.sparse.variational_updates import DrawBuffers, Posterior, train_variational_iterations
from tfticket.training.segment import Segment
from tfticket.training.sparse_loop import SparseLoop
from tfticket.types import Mask, Spec, Weights


class SparseVariationalLoop(SparseLoop):
    """Means and rhos of a ticket's surviving weights: see ``SparseLoop``.

    Draws have the same noise as in Keras' layers with the estimator 'independent'. Rhos of pruned weights keep their
    start, as there.
    """

    _compiled_kernels = False

    def __init__(self, spec: Spec, mask: Mask, train: TrainConfig, capacity: int) -> None:
        super().__init__(spec, mask, train, capacity)
        self.variational = network_of(spec).variational
        self._objective, self._rhos = train.objective, dict[str, np.ndarray]()
        size = self._layout.size
        self._theta, self._slots = np.zeros(2 * size, np.float32), np.zeros((2, 2 * size), np.float32)
        self._posterior: Posterior | None = None
        draws = train.objective.draws
        self._draws = DrawBuffers(
            noise=np.zeros((draws, size), np.float32),
            weights=np.zeros((draws, size), np.float32),
            sigma=np.zeros(size),
            log_likelihoods=np.zeros((draws, self._compiled.width)),
            gradient=np.zeros(2 * size),
        )

    def load(self, data: Dataset) -> tuple[Any, Any]:
        """Return training rows and labels; see ``SparseLoop.load``."""
        layers = list(self.variational)
        numbers = [
            np.full(part.stop - part.start, layers.index(path.rpartition("/")[0]))
            for path, part in self._layout.slices.items()
        ]
        self._posterior = Posterior(
            places=noise_places(self._layout, {path: layer.place for path, layer in self.variational.items()}),
            layers=np.concatenate(numbers).astype(np.int64),
            priors=np.array([float(layer.prior.scale) for layer in self.variational.values()]),
            draws=self._objective.draws,
            predictive=self._objective.loss == "predictive",
            factor=float(len(data.x_train)) if self._objective.scaled else 1.0,
        )
        return super().load(data)

    def _iterate(self, segment: Segment, losses: np.ndarray) -> None:
        train_variational_iterations(
            self._compiled.program,
            self._compiled.width,
            self._rule,
            self._posterior,
            segment.images,
            segment.rows,
            segment.moves,
            segment.rates,
            segment.noise.view(np.uint32),
            segment.kl_coefficients,
            self._steps,
            self._theta,
            self._slots,
            self._buffers,
            self._draws,
            losses,
        )

    def _pack(self, weights: Weights) -> np.ndarray:
        self._rhos = {path: weights[_rho(path)] for path in self._layout.shapes}
        return np.concatenate([self._layout.pack(weights), self._layout.pack(self._rhos)])

    def weights(self) -> Weights:
        """Return the present means and rhos."""
        means, rhos = np.split(self._theta, 2)
        weights = self._layout.unpack(means)
        for path, part in self._layout.slices.items():
            rho = self._rhos[path].ravel().copy()
            rho[self._layout.indices[path]] = rhos[part]
            weights[_rho(path)] = rho.reshape(self._layout.shapes[path])
        return weights


def _rho(path: str) -> str:
    return f"{path}_rho"
