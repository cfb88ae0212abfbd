"""Warm-up: windows, dual averaging, variances; against closed forms and NumPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.config.sampling import SHORTEST_WARMUP
from tfticket.sampling.warmup import (
    Adaptation,
    DualAveraging,
    RunningVariance,
    Windows,
    estimate_inverse_mass_sqrt,
    reasonable_step_size,
)


def test_windows_fill_any_warm_up_and_grow():
    assert str(Windows.of(200)) == "30 / 10 + 20 + 40 + 80 / 20"
    assert Windows.of(200).ends == [40, 60, 100, 180]
    assert str(Windows.of(SHORTEST_WARMUP)) == "3 / 10 / 7"
    assert str(Windows.of(60)) == "9 / 10 + 34 / 7"
    for draws in range(SHORTEST_WARMUP, 2001):
        windows = Windows.of(draws)
        assert windows.total == draws
        assert min(windows.init_buffer, windows.term_buffer, *windows.slow) > 0
        assert windows.ends[-1] == draws - windows.term_buffer
        assert all(after >= 2 * before for before, after in zip(windows.slow[:-1], windows.slow[1:], strict=True))


# The step size


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
    """Log density and gradient of a centred normal distribution."""
    return lambda at: (float(-0.5 * np.sum((at / deviation) ** 2)), -at / deviation**2)


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
        step = reasonable_step_size(normal(deviation), position, np.ones(20), np.random.default_rng(5), begin)
        assert accepted(step)
        assert not accepted(2 * step)
        assert math.log2(step / begin).is_integer()


def test_the_step_size_is_in_units_of_the_mass_and_shrinks_for_a_density_that_ends():
    mass = np.array([1e-3, 1.0, 50.0])
    scaled = reasonable_step_size(normal(mass), mass, mass, np.random.default_rng(0))
    assert scaled == reasonable_step_size(normal(1.0), np.ones(3), np.ones(3), np.random.default_rng(0))
    assert 0.2 < scaled < 5

    def ends(at):
        return (0.0, np.zeros(2)) if np.abs(at).max() < 1e-3 else (math.nan, np.full(2, math.nan))

    assert 0 < reasonable_step_size(ends, np.zeros(2), np.ones(2), np.random.default_rng(0)) < 1e-2
    flat = reasonable_step_size(lambda at: (0.0, 0 * at), np.zeros(2), np.ones(2), np.random.default_rng(0))
    assert flat == 0.1 * 2.0**60  # the search ends


# The mass


@given(st.integers(2, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_running_variances_are_numpys(count, size, seed):
    random = np.random.default_rng(seed)
    draws = random.normal(random.uniform(-100, 100), random.uniform(0.01, 10), (count, size))
    running = RunningVariance.of(size)
    assert not running.variance.any()
    for draw in draws:
        running.update(draw)
    assert running.count == count
    np.testing.assert_allclose(running.mean, draws.mean(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(running.variance, draws.var(axis=0, ddof=1), rtol=1e-7)


def test_the_mass_of_a_normal_posterior_is_exact_from_few_draws_and_of_a_chain_that_stands_still_positive():
    """Draws x = s z have gradients -z / s, so that the ratio of their variances knows s, however few there are."""
    deviations = np.array([1e-3, 0.1, 1.0, 30.0, 0.0])
    draws, gradients = RunningVariance.of(5), RunningVariance.of(5)
    assert (estimate_inverse_mass_sqrt(draws, gradients) > 0).all()
    for each in np.random.default_rng(0).normal(size=(10, 5)):
        draws.update(deviations * each)
        gradients.update(np.divide(-each, deviations, out=np.full(5, -2.0), where=deviations > 0))
    inverse_mass = estimate_inverse_mass_sqrt(draws, gradients) ** 2
    np.testing.assert_allclose(inverse_mass, 10 / 15 * deviations**2 + 1e-3 * 5 / 15, rtol=1e-9)


def test_a_warm_up_learns_the_mass_from_its_slow_windows_and_ends_with_the_mean_step_size():
    random = np.random.default_rng(0)
    adaptation = Adaptation.begin(200, 2, 0.8)
    adaptation.dual.restart(0.1)
    np.testing.assert_array_equal(adaptation.inverse_mass_sqrt, [1, 1])
    deviations = np.array([0.01, 100.0])
    draws = deviations * random.normal(size=(200, 2))
    gradients = -draws / deviations**2 + random.normal(size=(200, 2)) / deviations
    ends = [30]
    for number, (draw, gradient) in enumerate(zip(draws, gradients, strict=True), 1):
        assert adaptation.step_size == math.exp(adaptation.dual.log_step_size)
        before = adaptation.inverse_mass_sqrt
        if adaptation.update(draw, gradient, float(random.random())):
            part, count = slice(ends[-1], number), number - ends[-1]
            ratio = np.sqrt(draws[part].var(axis=0) / gradients[part].var(axis=0))
            expected = np.sqrt(count / (count + 5) * ratio + 5e-3 / (count + 5))
            np.testing.assert_allclose(adaptation.inverse_mass_sqrt, expected, rtol=1e-9)
            ends.append(number)
        else:
            assert adaptation.inverse_mass_sqrt is before
    assert ends[1:] == adaptation.windows.ends == [40, 60, 100, 180]
    assert adaptation.done == adaptation.total == adaptation.dual.count == 200
    assert adaptation.step_size == math.exp(adaptation.dual.log_step_size_bar)
