"""Warm-up in windows: the step size by dual averaging, the diagonal mass by the variances of draws and gradients.

A first window moves from the start to where the mass lies; slow windows, each twice as long as the one before, end with
a new mass; a last one tunes the step size. The schedule and the shrinkage are Stan's.

One over the mass is sqrt(variance of the draws / variance of the gradients), which is the variance itself where the
posterior is normal, and settles earlier than the draws' own where a chain still climbs: its gradients tell at once how
steep a coordinate is.

References:
    Hoffman and Gelman (2014), section 3.2 (dual averaging); Stan reference manual, "Automatic parameter tuning".
    Seyboldt, Carlson and Carpenter (2025), "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher divergence".
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

FIRST_SLOW = 10
"""Draws of the first slow window."""

LAST = 7
"""Draws that a step size needs at least to settle."""


@dataclass(frozen=True)
class Windows:
    """Where a warm-up's windows end.

    Attributes:
        first: Draws of the first window.
        slow: Draws of each slow window.
        last: Draws of the last window.
    """

    first: int
    slow: tuple[int, ...]
    last: int

    @classmethod
    def of(cls, draws: int) -> "Windows":
        """The windows of a warm-up of so many draws, at least 20: 15 %, doubling ones, 10 % but ``LAST`` at least."""
        first, last = round(0.15 * draws), max(LAST, round(0.1 * draws))
        left, length = draws - first - last, FIRST_SLOW
        slow = []
        while left:
            if left < length + 2 * length:  # the next one would not fit
                length = left
            slow.append(length)
            left -= length
            length *= 2
        return cls(first, tuple(slow), last)

    def __str__(self) -> str:
        return f"{self.first} / {' + '.join(map(str, self.slow))} / {self.last}"

    @property
    def total(self) -> int:
        """Draws of them all."""
        return self.first + sum(self.slow) + self.last

    @property
    def ends(self) -> list[int]:
        """After which draws the mass is set anew."""
        return [int(end) for end in self.first + np.cumsum(self.slow)]


@dataclass
class DualAveraging:
    """The step size whose acceptance rate is the target: log x <- mu - sqrt(t) / gamma * mean error.

    Attributes:
        target: Acceptance rate.
        centre: mu; new trials shrink towards it.
        count: t, of steps so far.
        error: Weighted mean of target - acceptance rate.
        log_step: Of the next trial.
        log_mean: Weighted mean of the trials', which stays when the warm-up ends.
    """

    target: float
    centre: float = 0.0
    count: int = 0
    error: float = 0.0
    log_step: float = 0.0
    log_mean: float = 0.0

    def restart(self, step_size: float) -> None:
        """Begin again from a step size."""
        self.centre, self.count = math.log(10 * step_size), 0
        self.error, self.log_step, self.log_mean = 0.0, math.log(step_size), 0.0

    def update(self, acceptance_rate: float) -> None:
        """Learn from a step (Hoffman and Gelman, algorithm 6: gamma 0.05, t0 10, kappa 0.75)."""
        self.count += 1
        weight = 1.0 / (self.count + 10)
        self.error = (1 - weight) * self.error + weight * (self.target - acceptance_rate)
        self.log_step = self.centre - math.sqrt(self.count) / 0.05 * self.error
        weight = self.count**-0.75
        self.log_mean = weight * self.log_step + (1 - weight) * self.log_mean


@dataclass
class RunningVariance:
    """Mean and sum of squared deviations, draw by draw (Welford, 1962)."""

    count: int
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, size: int) -> "RunningVariance":
        """Of no draw yet."""
        return cls(0, np.zeros(size), np.zeros(size))

    def update(self, draw: np.ndarray) -> None:
        """Add a draw, float64 [size]."""
        self.count += 1
        before = draw - self.mean
        self.mean += before / self.count
        self.squares += before * (draw - self.mean)

    @property
    def variance(self) -> np.ndarray:
        """The variances, float64 [size]; 0 of fewer than two draws."""
        return self.squares / max(1, self.count - 1)


def scale_of(draws: RunningVariance, gradients: RunningVariance) -> np.ndarray:
    """One over the root of the mass, float64 [size].

    Drawn a little towards 1e-3, as Stan does: never 0, even of a chain that stood still.

    Args:
        draws: Of a window.
        gradients: Of the log density at these.
    """
    n = draws.count
    ratio = np.divide(draws.variance, gradients.variance, out=np.zeros_like(draws.mean), where=gradients.variance > 0)
    scale: np.ndarray = np.sqrt(n / (n + 5) * np.sqrt(ratio) + 1e-3 * 5 / (n + 5))
    return scale


@dataclass
class Adaptation:
    """The state of a warm-up.

    Attributes:
        windows: The schedule.
        dual: Of the step size.
        draws: Of the draws of this slow window.
        gradients: Of the log density's gradients at them.
        scale: float64 [size], one over the root of the mass.
        done: Draws so far.
    """

    windows: Windows
    dual: DualAveraging
    draws: RunningVariance
    gradients: RunningVariance
    scale: np.ndarray
    done: int = field(default=0)

    @classmethod
    def begin(cls, draws: int, size: int, target: float) -> "Adaptation":
        """A warm-up that is to begin."""
        variances = RunningVariance.of(size), RunningVariance.of(size)
        return cls(Windows.of(draws), DualAveraging(target), *variances, np.ones(size))

    @property
    def step_size(self) -> float:
        """Of the next draw."""
        return math.exp(self.dual.log_mean if self.done >= self.total else self.dual.log_step)

    @property
    def total(self) -> int:
        """Draws of the whole warm-up."""
        return self.windows.total

    def learn(self, position: np.ndarray, gradient: np.ndarray, acceptance_rate: float) -> bool:
        """Learn from a draw and the gradient there; whether the mass is new, and the step size to be found again."""
        self.done += 1
        self.dual.update(acceptance_rate)
        if not self.windows.first < self.done <= self.windows.first + sum(self.windows.slow):
            return False
        self.draws.update(position)
        self.gradients.update(gradient)
        if self.done not in self.windows.ends:
            return False
        self.scale = scale_of(self.draws, self.gradients)
        self.draws, self.gradients = (RunningVariance.of(len(self.scale)) for _ in range(2))
        return True


def reasonable_step_size(
    density: Callable[[np.ndarray], tuple[float, np.ndarray]],
    position: np.ndarray,
    scale: np.ndarray,
    random: np.random.Generator,
    step_size: float = 0.1,
) -> float:
    """A step size whose single step is accepted with a probability that is near 0.8.

    Args:
        density: Position -> log density and gradient.
        position: float64 [size].
        scale: float64 [size].
        random: Of the momentum.
        step_size: To begin with.

    References:
        Hoffman and Gelman (2014), algorithm 4, with Stan's 0.8.
    """
    before, gradient = density(position)
    momentum = random.normal(size=position.shape)

    def gain(step: float) -> float:
        half = momentum + 0.5 * step * scale * gradient
        after, there = density(position + step * scale * half)
        end = half + 0.5 * step * scale * there
        found = after - before - 0.5 * float(end @ end - momentum @ momentum)
        return found if math.isfinite(found) else -math.inf

    enough = math.log(0.8)
    factor = 2.0 if gain(step_size) > enough else 0.5
    for _ in range(60):
        if (gain(step_size * factor) > enough) != (factor > 1):
            return step_size * factor if factor < 1 else step_size
        step_size *= factor
    return step_size
