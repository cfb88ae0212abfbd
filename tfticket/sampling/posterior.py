"""The posterior of a ticket's surviving weights: exact sums over all rows, in bounded memory.

log p(theta | data) = power * sum over rows of log p(label | image, theta) + log prior(theta) + constant

Two engines compute the first sum: ``sparse`` over the surviving weights alone, on the CPU, and ``keras``, which runs
any model, dense and masked. Both sum the rows of a tile in float32, and tiles in float64.
"""

from typing import Any, Protocol

import numpy as np

from tfticket.backend import tf
from tfticket.sampling.metric import Metric
from tfticket.sampling.priors import Prior
from tfticket.sampling.protocol import LogDensity
from tfticket.sparse.layout import Layout
from tfticket.types import Weights


class Engine(Protocol):
    """Computes the likelihood of the training rows.

    Attributes:
        name: 'sparse' or 'keras'.
        rows: Number of training rows.
    """

    name: str
    rows: int

    def log_likelihood_and_gradient(
        self, theta: np.ndarray, minibatch: np.ndarray | None = None
    ) -> tuple[float, np.ndarray]:
        """Return the log likelihood of training rows and its gradient, float64 [size].

        Args:
            theta: float64 [size].
            minibatch: Indices of rows, int [any]; None: all rows. Sums are not scaled to all rows.
        """

    def as_tensors(self, theta: Any) -> tuple[Any, Any]:
        """Return the log likelihood of all rows and its gradient as graph operations, float64 [] and [size]."""

    def prepare(self, images: np.ndarray) -> Any:
        """Lay out images or features, uint8 or float32 [rows, ...], for repeated prediction."""

    def logits(self, theta: np.ndarray, prepared: Any) -> np.ndarray:
        """Return the logits of prepared images, float32 [rows, classes]."""


class Posterior:
    """Log density and gradient over the sampler's variables u.

    Args:
        engine: Computes the likelihood.
        layout: Order of theta.
        prior: Of theta; it also maps u to theta.
        power: Exponent of the likelihood; 1 is Bayes.
        fixed: Weights that are not sampled.
        engine_reason: A sentence on why this engine was chosen.
        unused: bool [size]: variables that change no output, so that their posterior is the prior; None: none.

    Attributes:
        gradients: Number of gradients over all rows so far, except those as tensors; a minibatch counts as its share.
    """

    def __init__(
        self,
        engine: Engine,
        layout: Layout,
        prior: Prior,
        power: float,
        fixed: Weights,
        engine_reason: str = "",
        unused: np.ndarray | None = None,
    ) -> None:
        self.engine, self.layout, self.prior, self.power = engine, layout, prior, power
        self.fixed, self.engine_reason = fixed, engine_reason
        self.unused = np.zeros(layout.size, bool) if unused is None else unused
        self.gradients = 0.0

    @property
    def size(self) -> int:
        """Number of variables."""
        return self.layout.size

    @property
    def rows(self) -> int:
        """Number of training rows."""
        return self.engine.rows

    def log_density_and_gradient(self, u: np.ndarray, minibatch: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Return the log density up to a constant, and its gradient.

        Args:
            u: float64 [size].
            minibatch: Indices of rows, int [any], whose likelihood is scaled to all rows: an estimate, without bias if
                all rows are drawn alike. None: all rows.

        Returns:
            The log density, and float64 [size].
        """
        likelihood, gradient = self.engine.log_likelihood_and_gradient(self.prior.constrain(u), minibatch)
        scale = 1.0 if minibatch is None else self.rows / len(minibatch)
        self.gradients += 1 / scale
        return self.combined(u, scale * likelihood, scale * gradient)

    def log_likelihood(self, u: np.ndarray, log_density: float) -> float:
        """Return the log likelihood of the training rows, at power 1, from the log density."""
        return (log_density - self.prior.log_density_and_gradient(u)[0]) / self.power

    @np.errstate(over="ignore", invalid="ignore")  # of a diverging trajectory
    def combined(self, u: np.ndarray, likelihood: float, gradient: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density and its gradient in u, from those of the likelihood in theta."""
        log_prior, prior_gradient = self.prior.log_density_and_gradient(u)
        slope = self.prior.slope(u) if self.prior.bounded.any() else 1.0
        return self.power * float(likelihood) + log_prior, prior_gradient + self.power * gradient * slope

    def weights(self, u: np.ndarray) -> Weights:
        """Return all weights of the network at u, 0 where pruned."""
        return self.fixed | self.layout.unpack(self.prior.constrain(u))


class Whitened:
    """A posterior seen through a metric: see ``protocol.Density``.

    Variables that change no output rest at the prior's centre: a sampler does not move them, and a draw takes them from
    the prior.

    Attributes:
        posterior: Of the variables u, float64 [size].
        moving: Indices of the variables that a sampler moves, int64 [n].
        metric: From the whitened variables y to these.
    """

    def __init__(self, posterior: Posterior) -> None:
        self.posterior, self.moving = posterior, np.flatnonzero(~posterior.unused)
        self.metric = Metric.diagonal(np.ones(len(self.moving)))
        self._rest = np.where(posterior.prior.bounded, 0.0, posterior.prior.centre)

    def complete(self, variables: np.ndarray) -> np.ndarray:
        """Return u, float64 [size], of the variables that move, float64 [n]."""
        position = self._rest.copy()
        position[self.moving] = variables
        return position

    def to_position(self, whitened: np.ndarray) -> np.ndarray:
        """Return u of y [n], float64 [size]."""
        return self.complete(self.metric.to_position(whitened))

    def with_unused(self, position: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Return u with the variables that change no output drawn from the prior, float64 [size]."""
        unused = self.posterior.unused
        return np.where(unused, self.posterior.prior.draw(random), position) if unused.any() else position

    @property
    def rows(self) -> int:
        """Number of training rows."""
        return self.posterior.rows

    def log_density_and_gradient(self, whitened: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the log density up to a constant, and its gradient in y, float64 [n]."""
        value, gradient = self.posterior.log_density_and_gradient(self.to_position(whitened))
        return value, self.metric.whiten_gradient(gradient[self.moving])

    def minibatch_gradient(self, whitened: np.ndarray, minibatch: np.ndarray) -> np.ndarray:
        """Return an estimate of the gradient in y, float64 [n], from some rows; see ``protocol.MinibatchDensity``."""
        _, gradient = self.posterior.log_density_and_gradient(self.to_position(whitened), minibatch)
        return self.metric.whiten_gradient(gradient[self.moving])

    def as_tensor(self) -> LogDensity:
        """Return the log density of y as a function of tensors, for ``tfp.mcmc``."""
        posterior = self.posterior

        def to_theta(whitened: Any) -> Any:
            return posterior.prior.constrain(self.to_position(whitened))

        def combined(whitened: Any, likelihood: Any, gradient: Any) -> tuple[Any, Any]:
            value, combined_gradient = posterior.combined(self.to_position(whitened), likelihood, gradient)
            return np.float64(value), self.metric.whiten_gradient(combined_gradient[self.moving])

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def log_density(whitened: Any) -> tuple[Any, Any]:
            theta = tf.ensure_shape(tf.numpy_function(to_theta, [whitened], tf.float64), [posterior.size])
            parts = posterior.engine.as_tensors(theta)
            value, gradient = tf.numpy_function(combined, [whitened, *parts], (tf.float64, tf.float64))
            value, gradient = tf.ensure_shape(value, []), tf.ensure_shape(gradient, [len(self.moving)])

            def pulled_back(upstream: Any, variables: Any = ()) -> Any:
                """Return the gradient in y; ``variables`` of the Keras engine hold theta and need none."""
                return (upstream * gradient, [None] * len(variables)) if variables else upstream * gradient

            return value, pulled_back

        target: LogDensity = log_density
        return target
