"""Warm-up in windows: the step size by dual averaging, the diagonal mass by the variances of draws and gradients.

An initial buffer moves from the start to the typical set; slow windows, each twice as long as the one before, end with
a new mass; a terminal buffer tunes the step size. The schedule and the shrinkage are Stan's.

One over the mass is sqrt(variance of the draws / variance of the gradients). It equals the variance of the draws where
the posterior is normal, and settles earlier than that while a chain still climbs, since gradients show at once how
steep a coordinate is.

References:
    Hoffman and Gelman (2014), section 3.2 (dual averaging); Stan reference manual, "Automatic parameter tuning".
    Seyboldt, Carlson and Carpenter (2025), "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

BASE_WINDOW = 10
"""Draws of the first slow window."""

SHORTEST_TERM_BUFFER = 7
"""Fewest draws in which a step size settles."""


@dataclass(frozen=True)
class Windows:
    """Schedule of a warm-up.

    Attributes:
        init_buffer: Draws of the initial buffer.
        slow: Draws of each slow window.
        term_buffer: Draws of the terminal buffer.
    """

    init_buffer: int
    slow: tuple[int, ...]
    term_buffer: int

    @classmethod
    def of(cls, draws: int) -> "Windows":
        """Return the windows of a warm-up of at least 20 draws: 15 %, doubling ones, 10 % or the shortest buffer."""
        init_buffer, term_buffer = round(0.15 * draws), max(SHORTEST_TERM_BUFFER, round(0.1 * draws))
        remaining, length = draws - init_buffer - term_buffer, BASE_WINDOW
        slow = []
        while remaining:
            if remaining < length + 2 * length:  # the next window would not fit
                length = remaining
            slow.append(length)
            remaining -= length
            length *= 2
        return cls(init_buffer, tuple(slow), term_buffer)

    def __str__(self) -> str:
        return f"{self.init_buffer} / {' + '.join(map(str, self.slow))} / {self.term_buffer}"

    @property
    def total(self) -> int:
        """Draws of all windows."""
        return self.init_buffer + sum(self.slow) + self.term_buffer

    @property
    def ends(self) -> list[int]:
        """Numbers of draws after which the mass is updated."""
        return [int(end) for end in self.init_buffer + np.cumsum(self.slow)]


@dataclass
class DualAveraging:
    """Step size adapted to a target acceptance rate: log x <- mu - sqrt(t) / gamma * h_bar.

    Attributes:
        target: Acceptance rate.
        mu: Point towards which new trials shrink.
        count: t, the number of steps so far.
        h_bar: Weighted mean of target - acceptance rate.
        log_step_size: Of the next trial.
        log_step_size_bar: Weighted mean over trials, used after the warm-up.
    """

    target: float
    mu: float = 0.0
    count: int = 0
    h_bar: float = 0.0
    log_step_size: float = 0.0
    log_step_size_bar: float = 0.0

    def restart(self, step_size: float) -> None:
        """Begin again from a step size."""
        self.mu, self.count = math.log(10 * step_size), 0
        self.h_bar, self.log_step_size, self.log_step_size_bar = 0.0, math.log(step_size), 0.0

    def update(self, acceptance_rate: float) -> None:
        """Learn from a step (Hoffman and Gelman, algorithm 6: gamma 0.05, t0 10, kappa 0.75)."""
        self.count += 1
        weight = 1.0 / (self.count + 10)
        self.h_bar = (1 - weight) * self.h_bar + weight * (self.target - acceptance_rate)
        self.log_step_size = self.mu - math.sqrt(self.count) / 0.05 * self.h_bar
        weight = self.count**-0.75
        self.log_step_size_bar = weight * self.log_step_size + (1 - weight) * self.log_step_size_bar


@dataclass
class RunningVariance:
    """Mean and sum of squared deviations, draw by draw (Welford, 1962)."""

    count: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, size: int) -> "RunningVariance":
        """Return the variance of no draws."""
        return cls(0, np.zeros(size), np.zeros(size))

    def update(self, draw: np.ndarray) -> None:
        """Add a draw, float64 [size]."""
        self.count += 1
        deviation = draw - self.mean
        self.mean += deviation / self.count
        self.squares += deviation * (draw - self.mean)

    @property
    def variance(self) -> np.ndarray:
        """Variances, float64 [size]; 0 for fewer than two draws."""
        return self.squares / max(1, self.count - 1)


def estimate_inverse_mass_sqrt(draws: RunningVariance, gradients: RunningVariance) -> np.ndarray:
    """Return one over the root of the mass, float64 [size].

    It is shrunk a little towards 1e-3, as in Stan, so that it is never 0, even for a chain that stood still.

    Args:
        draws: Of a window.
        gradients: Of the log density at these draws.
    """
    n = draws.count
    ratio = np.divide(draws.variance, gradients.variance, out=np.zeros_like(draws.mean), where=gradients.variance > 0)
    inverse_mass_sqrt: np.ndarray = np.sqrt(n / (n + 5) * np.sqrt(ratio) + 1e-3 * 5 / (n + 5))
    return inverse_mass_sqrt


@dataclass
class Adaptation:
    """State of a warm-up.

    Attributes:
        windows: Schedule.
        dual: Dual averaging of the step size.
        draws: Variance of the draws of the current slow window.
        gradients: Variance of the log density's gradients at these draws.
        inverse_mass_sqrt: float64 [size], one over the root of the mass.
        done: Draws so far.
    """

    windows: Windows
    dual: DualAveraging
    draws: RunningVariance
    gradients: RunningVariance
    inverse_mass_sqrt: np.ndarray
    done: int = field(default=0)

    @classmethod
    def begin(cls, draws: int, size: int, target: float) -> "Adaptation":
        """Return the state before the first draw."""
        variances = RunningVariance.of(size), RunningVariance.of(size)
        return cls(Windows.of(draws), DualAveraging(target), *variances, np.ones(size))

    @property
    def step_size(self) -> float:
        """Step size of the next draw."""
        return math.exp(self.dual.log_step_size_bar if self.done >= self.total else self.dual.log_step_size)

    @property
    def total(self) -> int:
        """Draws of the whole warm-up."""
        return self.windows.total

    def update(self, position: np.ndarray, gradient: np.ndarray, acceptance_rate: float) -> bool:
        """Learn from a draw and its gradient; return True if the mass is new and the step size must be searched."""
        self.done += 1
        self.dual.update(acceptance_rate)
        if not self.windows.init_buffer < self.done <= self.windows.init_buffer + sum(self.windows.slow):
            return False
        self.draws.update(position)
        self.gradients.update(gradient)
        if self.done not in self.windows.ends:
            return False
        self.inverse_mass_sqrt = estimate_inverse_mass_sqrt(self.draws, self.gradients)
        self.draws, self.gradients = (RunningVariance.of(len(position)) for _ in range(2))
        return True


def reasonable_step_size(
    density: Callable[[np.ndarray], tuple[float, np.ndarray]],
    position: np.ndarray,
    inverse_mass_sqrt: np.ndarray,
    random: np.random.Generator,
    step_size: float = 0.1,
) -> float:
    """Return a step size at which a single step is accepted with a probability near 0.8.

    Args:
        density: Position -> log density and gradient.
        position: float64 [size].
        inverse_mass_sqrt: float64 [size].
        random: Source of the momentum.
        step_size: Where the search begins.

    References:
        Hoffman and Gelman (2014), algorithm 4, with Stan's 0.8.
    """
    log_density, gradient = density(position)
    momentum = random.normal(size=position.shape)

    def log_acceptance(step: float) -> float:
        half = momentum + 0.5 * step * inverse_mass_sqrt * gradient
        proposed_density, proposed_gradient = density(position + step * inverse_mass_sqrt * half)
        end = half + 0.5 * step * inverse_mass_sqrt * proposed_gradient
        difference = proposed_density - log_density - 0.5 * float(end @ end - momentum @ momentum)
        return difference if math.isfinite(difference) else -math.inf

    threshold = math.log(0.8)
    factor = 2.0 if log_acceptance(step_size) > threshold else 0.5
    for _ in range(60):
        if (log_acceptance(step_size * factor) > threshold) != (factor > 1):
            return step_size * factor if factor < 1 else step_size
        step_size *= factor
    return step_size
