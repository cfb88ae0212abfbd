"""The metric of a chain: a linear map that makes a posterior rounder, by the Fisher divergence of draws and gradients.

u = scale * (y + V (sqrt(eigenvalues) - 1) V' y). Samplers move the whitened variables y with a unit mass.

The diagonal is scale^2 = sqrt(variance of draws / variance of gradients). What is left is a low-rank correction: in the
span of scaled draws and gradients, the geometric mean of the draws' covariance and of the inverse of the gradients'
covariance, of which eigenvectors are kept whose eigenvalues are far from 1.

Fewer draws than variables span only some directions, and others of the span have a variance of draws, or of gradients,
of nearly 0: their scale would be anything. So a few draws of unit variance are added, as Stan does for its covariances.

References:
    Seyboldt, Carlson and Carpenter (2025), "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence",
    arXiv 2603.18845 (nutpie's metric); Stan reference manual, "Euclidean metric" (draws added).
"""

from dataclasses import dataclass

import numpy as np

ADDED_DRAWS = 5.0
"""Number of draws, and gradients, of unit variance in all directions that are added to the scaled ones."""

CUTOFF = 2.0
"""Eigenvalues between 1 / this and this are taken as 1."""

MOST_DRAWS = 200
"""Most draws that a metric is estimated from: its cost grows with their square."""

MOST_NUMBERS = 20_000_000
"""Most numbers that these draws may have, 8 bytes each, and their gradients as many."""


@dataclass(frozen=True, eq=False)
class Metric:
    """A linear map from whitened variables y to the sampler's variables u.

    Attributes:
        scale: float64 [size].
        vectors: Orthonormal columns V, float64 [size, rank].
        eigenvalues: Of the correction, float64 [rank].
    """

    scale: np.ndarray
    vectors: np.ndarray
    eigenvalues: np.ndarray

    def __repr__(self) -> str:
        return f"Metric({len(self.scale):,} variables, rank {self.rank})"

    @classmethod
    def diagonal(cls, scale: np.ndarray) -> "Metric":
        """Return the metric of independent variables, from scales float64 [size]."""
        return cls(scale, np.zeros((len(scale), 0)), np.zeros(0))

    @property
    def rank(self) -> int:
        """Number of eigenvectors of the correction."""
        return len(self.eigenvalues)

    def to_position(self, whitened: np.ndarray) -> np.ndarray:
        """Return u of y, float64 [size]."""
        return np.asarray(self.scale * self._stretch(whitened, np.sqrt(self.eigenvalues)))

    def to_whitened(self, position: np.ndarray) -> np.ndarray:
        """Return y of u, float64 [size]."""
        return self._stretch(position / self.scale, 1 / np.sqrt(self.eigenvalues))

    def whiten_gradient(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in y, from that in u, float64 [size]."""
        return self._stretch(self.scale * gradient, np.sqrt(self.eigenvalues))

    def unwhiten_gradient(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient in u, from that in y, float64 [size]."""
        return np.asarray(self._stretch(gradient, 1 / np.sqrt(self.eigenvalues)) / self.scale)

    def _stretch(self, vector: np.ndarray, factors: np.ndarray) -> np.ndarray:
        if not self.rank:
            return vector
        return np.asarray(vector + self.vectors @ ((factors - 1) * (self.vectors.T @ vector)))


def fisher_scale(draws: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Return the scale of a diagonal metric; 1 for variables that stand still.

    Args:
        draws: float64 [n, size].
        gradients: Of the log density at the draws, float64 [n, size].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = (draws.var(axis=0) / gradients.var(axis=0)) ** 0.25
    return np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)


def fit_metric(
    draws: np.ndarray, gradients: np.ndarray, low_rank: bool = True, added_draws: float = ADDED_DRAWS
) -> Metric:
    """Return the metric of draws and gradients, float64 [n, size] each, of at least 3 draws."""
    scale = fisher_scale(draws, gradients)
    if not low_rank:
        return Metric.diagonal(scale)
    scaled_draws = (draws - draws.mean(axis=0)) / scale
    scaled_gradients = (gradients - gradients.mean(axis=0)) * scale
    basis = _span(scaled_draws, scaled_gradients)
    added = added_draws * np.eye(basis.shape[1])
    projected = (rows @ basis for rows in (scaled_draws, scaled_gradients))
    of_draws, of_gradients = (rows.T @ rows + added for rows in projected)
    eigenvalues, vectors = np.linalg.eigh(_geometric_mean(of_draws, of_gradients))
    kept = (eigenvalues > CUTOFF) | (eigenvalues < 1 / CUTOFF)
    return Metric(scale, basis @ vectors[:, kept], eigenvalues[kept])


def _span(*parts: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the rows of matrices [n, size]: float64 [size, rank], each part weighted alike."""
    rows = np.concatenate([part / max(np.linalg.norm(part), 1e-300) for part in parts])
    _, singular, basis = np.linalg.svd(rows, full_matrices=False)
    return np.asarray(basis[singular > 1e-10 * singular[0]].T)


def _geometric_mean(covariance: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return the symmetric S with S ``precision`` S = ``covariance``, both positive definite [n, n]."""
    values, vectors = np.linalg.eigh(precision)
    root = (vectors * np.sqrt(values)) @ vectors.T
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    values, vectors = np.linalg.eigh(root @ covariance @ root)
    middle = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.asarray(inverse_root @ middle @ inverse_root)
