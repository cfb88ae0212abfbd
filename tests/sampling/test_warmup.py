"""Warm-up: settling, windows, step sizes; against closed forms and NumPy."""

import math

import numpy as np
import pytest

from tests.sampling.problems import Target, sample
from tfticket.config import SampleConfig
from tfticket.config.sampling import SHORTEST_WARMUP
from tfticket.errors import TfticketError
from tfticket.sampling.mclmc import Mclmc
from tfticket.sampling.metric import fit_metric
from tfticket.sampling.warmup import (
    DRIFT_DRAWS,
    ENERGY_ERROR,
    FIRST_STEPS,
    SMALLER,
    WIDEST,
    Adaptation,
    DualAveraging,
    Windows,
    drifts,
    reasonable_step_size,
    stable_step_size,
)


def test_windows_fill_any_warm_up_and_grow():
    assert str(Windows.of(200, 30)) == "30 / 20 + 40 + 90 / 20"
    assert Windows.of(200, 30).ends == [50, 90, 180]
    assert str(Windows.of(SHORTEST_WARMUP, 10)) == "10 / 3 / 7"
    assert str(Windows.of(60, 20)) == "20 / 33 / 7"
    for draws in range(SHORTEST_WARMUP, 501):
        for settled in {1, draws // 4, draws // 2}:
            windows = Windows.of(draws, settled)
            assert windows.total == draws
            assert min(windows.init_buffer, windows.term_buffer, *windows.slow) > 0
            assert windows.ends[-1] == draws - windows.term_buffer
            assert all(after >= 2 * before for before, after in zip(windows.slow[:-1], windows.slow[1:], strict=True))


# Settling


@pytest.mark.parametrize("size", [2, 2000])
def test_a_trend_of_more_than_the_noise_drifts(size):
    random, deviation = np.random.default_rng(0), math.sqrt(size / 2)
    noise = deviation * random.normal(size=(400, DRIFT_DRAWS))
    trend = deviation * np.linspace(0, 1, DRIFT_DRAWS)
    shares = [np.mean([drifts(-100 + factor * trend + row, size) for row in noise]) for factor in (0, 1, 4, -4)]
    assert shares[0] < 0.05
    assert shares[1] < 0.3
    assert min(shares[2:]) > 0.9
    assert drifts(np.zeros(DRIFT_DRAWS - 1), size)  # too few to tell
    assert not drifts(np.append(1e6 * np.arange(20), np.zeros(DRIFT_DRAWS)), size)  # the first half does not count
    slow = 0.5 * trend + deviation * random.normal(size=DRIFT_DRAWS)
    assert not drifts(slow, size)
    assert drifts(np.append(np.zeros(200), 4 * deviation * np.linspace(0, 1, 200)), size)  # slower, but over more draws


def climbing(adaptation, draws, slope=1e3):
    """Teach draws whose log density climbs."""
    return [adaptation.update(np.zeros(2), np.zeros(2), slope * number, 0.9) for number in range(draws)]


def test_windows_begin_once_the_chain_has_settled_or_at_half_the_warm_up():
    adaptation = Adaptation.begin(200, 2, 0.8)
    assert climbing(adaptation, 30) == [False] * 30
    begun = [adaptation.update(np.zeros(2), np.zeros(2), 0.0, 0.9) for _ in range(DRIFT_DRAWS)]
    assert (any(begun), adaptation.settled) == (True, True)
    assert adaptation.windows == Windows.of(200, 31 + begun.index(True))
    never = Adaptation.begin(200, 2, 0.8)
    assert climbing(never, 100) == [False] * 99 + [True]
    assert (never.settled, str(never.windows)) == (False, "100 / 20 + 60 / 20")


@pytest.mark.parametrize(("deviation", "length"), [(1.0, 1.0), (3.0, 3.0), (30.0, WIDEST)])
def test_a_trajectory_is_a_quarter_period_of_the_whitened_draws_deviations(deviation, length):
    """The metric balances draws and gradients: with both wider than a normal's, whitened draws stay as wide."""
    random, adaptation = np.random.default_rng(0), Adaptation.begin(200, 50, 0.8)
    scale = np.geomspace(0.1, 10, 50)
    for _ in range(200):
        draw, gradient = deviation * scale * random.normal(size=50), deviation / scale * random.normal(size=50)
        adaptation.update(draw, gradient, 0.0, 0.9)
    assert adaptation.trajectory_length == pytest.approx(math.pi / 2 * length, rel=0.05)


def test_a_climb_that_shows_in_the_last_window_only_is_no_settled_chain():
    adaptation = Adaptation.begin(200, 2, 0.8)
    random = np.random.default_rng(0)
    for number in range(200):
        adaptation.update(random.normal(size=2), random.normal(size=2), float(max(0, number - 100)), 0.9)
        assert adaptation.settled == (
            DRIFT_DRAWS <= number + 1 < adaptation.windows.ends[-1] if adaptation.windows else False
        )


def test_trajectories_are_short_while_the_chain_settles_and_may_be_twice_as_long_in_each_window():
    adaptation, most = Adaptation.begin(200, 2, 0.8), []
    for number in range(200):
        most.append(adaptation.most_steps)
        adaptation.update(np.full(2, number), np.full(2, -number), 0.0, 0.9)
    assert most[:DRIFT_DRAWS] == [FIRST_STEPS] * DRIFT_DRAWS
    windows = [2 * FIRST_STEPS] * 20 + [4 * FIRST_STEPS] * 40 + [8 * FIRST_STEPS] * 100 + [64 * FIRST_STEPS] * 20
    assert most[DRIFT_DRAWS:] == windows
    assert adaptation.most_steps is None


def test_a_sampler_of_a_fixed_step_only_settles_in_variables_of_scale_1():
    adaptation = Adaptation.begin(200, 2, 0.8, tuning="fixed")
    adaptation.dual.restart(0.25)
    assert climbing(adaptation, 200) == [False] * 200
    assert (adaptation.settled, str(adaptation.windows), adaptation.most_steps) == (False, "200", None)
    assert adaptation.step_size == 0.25
    np.testing.assert_array_equal(adaptation.metric.scale, [1, 1])


@pytest.mark.parametrize("low_rank", [False, True])
def test_each_window_ends_with_the_metric_of_its_draws_and_the_warm_up_with_the_mean_step_size(low_rank):
    random = np.random.default_rng(0)
    adaptation, deviations, ends = Adaptation.begin(200, 3, 0.8, low_rank), np.array([0.01, 1.0, 100.0]), []
    adaptation.dual.restart(0.1)
    draws = deviations * random.normal(size=(200, 3))
    gradients = -draws / deviations**2 + random.normal(size=(200, 3)) / deviations
    for number, (draw, gradient) in enumerate(zip(draws, gradients, strict=True), 1):
        assert adaptation.step_size == math.exp(adaptation.dual.log_step_size)
        if adaptation.update(draw, gradient, 0.0, float(random.random())):
            if ends:
                part = slice(ends[-1], number)
                expected = fit_metric(draws[part], gradients[part], low_rank)
                np.testing.assert_array_equal(adaptation.metric.scale, expected.scale)
                np.testing.assert_array_equal(adaptation.metric.eigenvalues, expected.eigenvalues)
            ends.append(number)
    assert ends == [DRIFT_DRAWS, *adaptation.windows.ends]
    assert adaptation.done == adaptation.total == adaptation.dual.count == 200
    assert adaptation.step_size == math.exp(adaptation.dual.log_step_size_bar)


def test_a_warm_up_that_begins_far_away_learns_the_metric_of_the_place_where_it_settles():
    """Of a density that is much rounder far away: log density -sum log cosh."""
    deviations = np.geomspace(0.02, 1, 30)

    def density(at):
        scaled = at / deviations
        return -float(np.logaddexp(scaled, -scaled).sum()), -np.tanh(scaled) / deviations

    config = SampleConfig(method="mams", warmup=200, draws=1)
    _, _, sampler = sample(Target(30, density), np.full(30, 10.0), config)
    assert sampler.adaptation.settled
    ratio = sampler.adaptation.metric.scale / deviations
    assert ratio.max() / ratio.min() < 2.5


# The step size


def test_a_draw_with_too_large_an_energy_error_makes_an_unadjusted_samplers_step_smaller():
    adaptation, steps = Adaptation.begin(200, 2, 0.8, tuning="energy error"), []
    adaptation.dual.restart(1.0)
    for error in (0.0, ENERGY_ERROR, 2 * ENERGY_ERROR, math.nan, math.inf):
        adaptation.update(np.zeros(2), np.zeros(2), 0.0, 1.0, error)
        steps.append(adaptation.step_size)
    assert steps == pytest.approx([1, 1, SMALLER, SMALLER**2, SMALLER**3])


def test_dual_averaging_is_that_of_the_papers_equation_6():
    """Without recursion: log x = mu - sqrt(t) / gamma * sum of errors / (t + t0), and its mean by weights t^-kappa."""
    rates, dual = np.random.default_rng(0).uniform(0.01, 1.0, 40), DualAveraging(target=0.8)
    dual.update(0.5)
    assert dual.log_step_size == pytest.approx(-(0.8 - 0.5) / 11 / 0.05)
    dual.restart(0.3)
    assert dual == DualAveraging(0.8, math.log(3.0), 0, 0.0, math.log(0.3), 0.0)
    times = np.arange(1, 41)
    steps = math.log(3.0) - np.sqrt(times) / 0.05 * np.cumsum(0.8 - rates) / (times + 10)
    for count, rate in enumerate(rates, 1):
        dual.update(float(rate))
        assert dual.log_step_size == pytest.approx(steps[count - 1], rel=1e-9)
        shares = times[:count] ** -0.75 * np.append(np.cumprod(1 - times[1:count][::-1] ** -0.75)[::-1], 1.0)
        assert dual.log_step_size_bar == pytest.approx(shares @ steps[:count], rel=1e-9)
    assert dual.count == 40


def normal(deviation):
    """Log density and gradient of a centred normal distribution, as a target."""
    size = np.size(deviation) if np.ndim(deviation) else 20
    return Target(size, lambda at: (float(-0.5 * np.sum((at / deviation) ** 2)), -at / deviation**2))


@pytest.mark.parametrize("deviation", [1e-6, 0.03, 1.0, 500.0])
@pytest.mark.parametrize("begin", [1e-3, 0.1, 10.0])
def test_a_reasonable_step_size_is_accepted_with_more_than_four_fifths_and_its_double_with_less(deviation, begin):
    position = deviation * np.random.default_rng(1).normal(size=20)
    momentum = np.random.default_rng(5).normal(size=20)

    def accepted(step):
        """By hand."""
        half = momentum - 0.5 * step * position / deviation**2
        after = position + step * half
        end = half - 0.5 * step * after / deviation**2
        change = 0.5 * np.sum(position**2 - after**2) / deviation**2 + 0.5 * np.sum(momentum**2 - end**2)
        return change > math.log(0.8)

    with np.errstate(over="ignore"):
        step = reasonable_step_size(normal(deviation), position, np.random.default_rng(5), begin)
        assert accepted(step)
        assert not accepted(2 * step)
        assert math.log2(step / begin).is_integer()


def test_the_search_for_a_step_size_ends_for_densities_that_end_or_are_flat():
    def ends(at):
        return (0.0, np.zeros(2)) if np.abs(at).max() < 1e-3 else (math.nan, np.full(2, math.nan))

    assert 0 < reasonable_step_size(Target(2, ends), np.zeros(2), np.random.default_rng(0)) < 1e-2
    flat = Target(2, lambda at: (0.0, 0 * at))
    assert reasonable_step_size(flat, np.zeros(2), np.random.default_rng(0)) == 0.1 * 2.0**60


def energy_error(target, start, step_size, steps=2000):
    _, stats = Mclmc(target, steps=steps).step(Mclmc(target).init(start), step_size, np.random.default_rng(9))
    return math.inf if stats.diverging else stats.energy_error


@pytest.mark.parametrize("begin", [1e-3, 1.0, 100.0])
def test_the_step_size_of_an_unadjusted_sampler_has_the_energy_error_that_is_allowed(begin):
    target = normal(np.geomspace(0.3, 3, 200))
    start = np.geomspace(0.3, 3, 200) * np.random.default_rng(0).normal(size=200)
    step_size = stable_step_size(Mclmc(target), start, np.random.default_rng(1), begin)
    assert energy_error(target, start, 0.85 * step_size) < ENERGY_ERROR < energy_error(target, start, 1.25 * step_size)


def test_a_density_without_a_stable_step_size_is_refused():
    def a_point(at):
        return (0.0, np.ones(3)) if not at.any() else (math.nan, np.full(3, math.nan))

    with pytest.raises(TfticketError, match="stable"):
        stable_step_size(Mclmc(Target(3, a_point)), np.zeros(3), np.random.default_rng(0), 1.0)


def test_the_step_size_keeps_away_from_the_edge_of_stability():
    """A stiff direction of many: the energy error leaps where the integrator of that one becomes unstable."""
    deviations = np.append(0.005, np.ones(2000))
    target, start = normal(deviations), deviations * np.random.default_rng(0).normal(size=2001)
    edge = 2 * 0.005  # of the leapfrog steps of a harmonic oscillator
    step_size = stable_step_size(Mclmc(target), start, np.random.default_rng(1), 1.0)
    assert 0.3 * edge < step_size < 0.9 * edge
    assert energy_error(target, start, step_size) < 5 * ENERGY_ERROR  # in more steps, some of them hotter
