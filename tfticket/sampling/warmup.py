"""Warm-up: the chain settles, then windows end with a new metric each, then the step size is tuned.

A metric that is learnt while the log density still drifts is worse than none. So the chain moves by short trajectories
until a test finds no drift, for half the warm-up at most. Then follow slow windows, each twice as long as the one
before, as in Stan, with trajectories that may be twice as long. A window's draws and gradients give a metric and, where
none is given, a trajectory length; its log densities are tested again, since a slow climb may show only there. A
terminal buffer tunes the step size.

Where proposals are accepted or rejected, the step size follows the acceptance rate, by dual averaging. An unadjusted
sampler has none: its step size is searched at the end of each window, each candidate held fixed, by the variance of the
energy error, and falls with each draw of the warm-up whose energy error is too large after all. Where the step size is
fixed, the chain only settles, in one window with the metric of independent variables of scale 1, since in those the
step size is given.

References:
    Hoffman and Gelman (2014), section 3.2 (dual averaging); Stan reference manual, "Automatic parameter tuning".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tfticket.errors import TfticketError
from tfticket.sampling.metric import MOST_DRAWS, MOST_NUMBERS, Metric, fit_metric
from tfticket.sampling.protocol import QUARTER_PERIOD, Density, Sampler, Tuning

BASE_WINDOW = 20
"""Draws of the first slow window."""

FIRST_STEPS = 32
"""Integrator steps of a draw, at most, while the chain settles; twice as many in each window after that."""

DRIFT_DRAWS = 20
"""Fewest draws over which a drift is tested."""

DRIFT = 2.0
"""Deviations by which the log density changes over the tested draws if it drifts."""

ENERGY_ERROR = 1e-4
"""Largest mean squared energy error, a variable, of an unadjusted sampler's step."""

LEAP = 50.0
"""Growth of the energy error over the next larger step size that marks the edge of stability."""

FROM_EDGE = 0.6
"""Fraction of the largest stable step size that is taken where the edge, not the energy error, bounds it."""

TRIAL_STEPS = 50
"""Integrator steps, at least, of the trial of an unadjusted sampler's step size."""

CONFIRMING_STEPS = 300
"""The same of the trials that confirm it."""

SMALLER = 0.8
"""Factor of the next step size where a trial, or a draw of the warm-up, does not confirm one."""

TERM_BUFFER_FACTOR = 4
"""Growth of the cap on integrator steps in the terminal buffer, over that of one more window."""

WIDEST = 4.0
"""Largest root mean square deviation of whitened variables that a trajectory length follows: a drift widens it, too."""

SHORTEST_TERM_BUFFER = 7
"""Fewest draws in which a step size settles."""


@dataclass(frozen=True)
class Windows:
    """Schedule of a warm-up.

    Attributes:
        init_buffer: Draws until the chain has settled.
        slow: Draws of each slow window.
        term_buffer: Draws of the terminal buffer.
    """

    init_buffer: int
    slow: tuple[int, ...]
    term_buffer: int

    @classmethod
    def of(cls, draws: int, init_buffer: int) -> "Windows":
        """Return the windows of a warm-up of some draws that has settled after ``init_buffer`` of them."""
        term_buffer = min(max(SHORTEST_TERM_BUFFER, round(0.1 * draws)), draws - init_buffer)
        remaining, length = draws - init_buffer - term_buffer, BASE_WINDOW
        slow: list[int] = []
        while remaining:
            if remaining < length + 2 * length:  # the next window would not fit
                length = remaining
            slow.append(length)
            remaining -= length
            length *= 2
        return cls(init_buffer, tuple(slow), term_buffer)

    def __str__(self) -> str:
        parts = (str(self.init_buffer), " + ".join(map(str, self.slow)), str(self.term_buffer or ""))
        return " / ".join(filter(None, parts))

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


def drifts(log_densities: np.ndarray, size: int) -> bool:
    """Return whether log densities over ``size`` variables still climb, or fall.

    Their last half, of ``DRIFT_DRAWS`` at least, changes by more than ``DRIFT`` deviations: those around a line, or
    sqrt(size / 2), which are a normal posterior's, if that is more. Longer chains show slower drifts.
    """
    recent = log_densities[-max(DRIFT_DRAWS, len(log_densities) // 2) :]
    if len(recent) < DRIFT_DRAWS:
        return True
    draws = np.arange(len(recent)) - (len(recent) - 1) / 2
    slope = float(draws @ recent) / float(draws @ draws)
    deviation = float(np.std(recent - recent.mean() - slope * draws, ddof=2))
    return abs(slope) * len(recent) > DRIFT * max(deviation, math.sqrt(size / 2))


@dataclass
class Adaptation:
    """State of a warm-up.

    Attributes:
        total: Draws of the whole warm-up.
        dual: Adaptation of the step size; where ``tuning`` is not by acceptance, its ``log_step_size`` alone is used.
        metric: Of the next draws.
        low_rank: Whether the metric has a low-rank correction.
        tuning: How the step size is found; see ``protocol.Sampler``.
        windows: None until the chain has settled.
        trajectory_length: ``QUARTER_PERIOD`` times the root mean square deviation of the last window's whitened draws.
        settled: Whether the log density had stopped drifting in the last slow window; until its end, when the windows
            began.
        done: Draws so far.
        log_densities: Of the draws until the chain settles, then of the present window.
        draws, gradients: Of the present window, float64 [size] each.
    """

    total: int
    dual: DualAveraging
    metric: Metric
    low_rank: bool = False
    tuning: Tuning = "acceptance"
    windows: Windows | None = None
    trajectory_length: float = QUARTER_PERIOD
    settled: bool = False
    done: int = 0
    log_densities: list[float] = field(default_factory=list)
    draws: list[np.ndarray] = field(default_factory=list)
    gradients: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def begin(
        cls, total: int, size: int, target: float, low_rank: bool = False, tuning: Tuning = "acceptance"
    ) -> "Adaptation":
        """Return the warm-up of a chain over ``size`` variables, with a target acceptance rate."""
        return cls(total, DualAveraging(target), Metric.diagonal(np.ones(size)), low_rank, tuning)

    @property
    def step_size(self) -> float:
        """Step size of the next draw."""
        averaged = self.done >= self.total and self.dual.count
        return math.exp(self.dual.log_step_size_bar if averaged else self.dual.log_step_size)

    @property
    def most_steps(self) -> int | None:
        """Most integrator steps of the next draw; None: as many as the sampler's options say."""
        if self.tuning == "fixed" or self.done >= self.total:
            return None
        if self.windows is None:
            return FIRST_STEPS
        begun = 1 + sum(self.done >= end for end in self.windows.ends)
        in_term_buffer = begun > len(self.windows.slow)  # where the step size is tuned for trajectories of full length
        return int(FIRST_STEPS * 2**begun * (TERM_BUFFER_FACTOR if in_term_buffer else 1))

    def update(
        self,
        position: np.ndarray,
        gradient: np.ndarray,
        log_density: float,
        acceptance_rate: float,
        energy_error: float = 0.0,
    ) -> bool:
        """Learn from a draw; return True if a window begins: the metric is new, and the step size is searched anew.

        Args:
            position: u, float64 [size].
            gradient: Of the log density in u, float64 [size].
            log_density: At the draw.
            acceptance_rate: Of the draw.
            energy_error: Of the draw, of unadjusted samplers; infinite if it diverged.
        """
        self.done += 1
        if self.tuning == "acceptance":
            self.dual.update(acceptance_rate)
        elif self.tuning == "energy error" and not energy_error <= ENERGY_ERROR:
            self.dual.restart(SMALLER * self.step_size)
        self.log_densities.append(log_density)
        if self.windows is None:
            self.settled = not drifts(np.array(self.log_densities), len(position))
            if self.tuning == "fixed":
                self.windows = Windows(self.total, (), 0) if self.done == self.total else None
                return False
            if self.settled or self.done >= self.total // 2:
                self.windows, self.log_densities = Windows.of(self.total, self.done), []
            return self.windows is not None
        if self.done > self.windows.init_buffer + sum(self.windows.slow):
            return False
        keep = max(SHORTEST_TERM_BUFFER, min(MOST_DRAWS, MOST_NUMBERS // len(position)))
        self.draws, self.gradients = [*self.draws, position][-keep:], [*self.gradients, gradient][-keep:]
        if self.done not in self.windows.ends:
            return False
        self.metric = fit_metric(np.array(self.draws), np.array(self.gradients), self.low_rank)
        self.trajectory_length = _trajectory_length(self.metric, self.draws)
        if len(self.log_densities) >= DRIFT_DRAWS:  # a shorter window tells nothing
            self.settled = not drifts(np.array(self.log_densities), len(position))
        self.draws, self.gradients, self.log_densities = [], [], []
        return True


def _trajectory_length(metric: Metric, draws: Sequence[np.ndarray]) -> float:
    """Return the trajectory length for a metric and the draws it comes from, [size] each.

    A Fisher metric balances the spread of draws and of gradients. Where the posterior is normal, whitened variables
    have a deviation of 1; the further it is from that, the larger it is.
    """
    variances = np.var([metric.to_whitened(draw) for draw in draws], axis=0)
    return QUARTER_PERIOD * min(max(1.0, math.sqrt(variances.mean())), WIDEST)


def reasonable_step_size(
    density: Density, position: np.ndarray, random: np.random.Generator, step_size: float = 0.1
) -> float:
    """Return a step size at which a single step is accepted with a probability near 0.8.

    Args:
        density: Of whitened variables.
        position: Whitened, float64 [size].
        random: Source of the momentum.
        step_size: Where the search begins.

    References:
        Hoffman and Gelman (2014), algorithm 4, with Stan's 0.8.
    """
    log_density, gradient = density.log_density_and_gradient(position)
    momentum = random.normal(size=position.shape)

    def log_acceptance(step: float) -> float:
        half = momentum + 0.5 * step * gradient
        proposed_density, proposed_gradient = density.log_density_and_gradient(position + step * half)
        end = half + 0.5 * step * proposed_gradient
        difference = proposed_density - log_density - 0.5 * float(end @ end - momentum @ momentum)
        return difference if math.isfinite(difference) else -math.inf

    threshold = math.log(0.8)
    factor = 2.0 if log_acceptance(step_size) > threshold else 0.5
    for _ in range(60):
        if (log_acceptance(step_size * factor) > threshold) != (factor > 1):
            return step_size * factor if factor < 1 else step_size
        step_size *= factor
    return step_size


def stable_step_size(sampler: Sampler, position: np.ndarray, random: np.random.Generator, step_size: float) -> float:
    """Return the step size of an unadjusted sampler: about the largest whose energy error is at most ``ENERGY_ERROR``.

    Each candidate is held fixed while the sampler moves from the position; the chain itself does not move. Published
    tuners extrapolate the energy error by the sixth power of the step size; near the edge of stability it leaps, and
    they end beyond it. Here a bisection by short trials is confirmed by long ones, in which rare leaps show, and where
    the error leaps just beyond the step size found, ``FROM_EDGE`` of it is taken.

    Args:
        sampler: The sampler, at the metric that is to be used.
        position: Whitened, float64 [size].
        random: Source of the trials' randomness.
        step_size: Where the search begins.
    """
    start = sampler.init(position)

    def energy_error(candidate: float, length: int) -> float:
        state, total, steps = start, 0.0, 0.0
        while steps < length:
            state, stats = sampler.step(state, candidate, random, length)
            if stats.diverging or stats.energy_error is None:
                return math.inf
            total, steps = total + stats.n_steps * stats.energy_error, steps + stats.n_steps
        return total / steps

    stable, unstable = 0.0, math.inf
    for _ in range(60):
        if energy_error(step_size, TRIAL_STEPS) <= ENERGY_ERROR:
            stable = step_size
        else:
            unstable = step_size
        if stable and unstable / stable < 1.2:
            break
        step_size = 2 * stable if math.isinf(unstable) else unstable / 2 if not stable else math.sqrt(stable * unstable)
    error = math.inf
    for _ in range(60):
        if not stable or (error := energy_error(stable, CONFIRMING_STEPS)) <= ENERGY_ERROR:
            break
        stable *= SMALLER
    if error > ENERGY_ERROR:
        raise TfticketError("No step size of the sampler is stable: the metric of the warm-up is too ill-conditioned.")
    leaps = energy_error(stable / SMALLER, CONFIRMING_STEPS) > LEAP * max(error, 1e-300)
    return stable * (FROM_EDGE if leaps else 1.0)
