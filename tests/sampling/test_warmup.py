"""Warm-up: windows, dual averaging, variances; against TensorFlow Probability and NumPy."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow_probability as tfp
from hypothesis import given
from hypothesis import strategies as st

from tfticket.backend import tf
from tfticket.config.sampling import SHORTEST_WARMUP
from tfticket.sampling.warmup import (
    Adaptation,
    DualAveraging,
    RunningVariance,
    Windows,
    estimate_inverse_mass_sqrt,
    reasonable_step_size,
)

# Windows


def test_the_windows_of_200_draws():
    windows = Windows.of(200)
    assert str(windows) == "30 / 10 + 20 + 40 + 80 / 20"
    assert windows.ends == [40, 60, 100, 180]


def test_windows_fill_any_warm_up_and_grow():
    for draws in range(SHORTEST_WARMUP, 2001):
        windows = Windows.of(draws)
        assert windows.total == draws
        assert min(windows.init_buffer, windows.term_buffer, *windows.slow) > 0
        assert windows.ends[-1] == draws - windows.term_buffer
        for before, after in zip(windows.slow[:-1], windows.slow[1:], strict=True):
            assert after >= 2 * before


# The step size


class FakeResults(NamedTuple):
    step_size: Any
    log_accept_ratio: Any
    number: Any


class Scripted(tfp.mcmc.TransitionKernel):
    """Moves nowhere, with acceptance rates that are told beforehand."""

    def __init__(self, rates):
        self._rates = rates

    @property
    def is_calibrated(self):
        return True

    @property
    def parameters(self):
        return {"rates": self._rates}

    def one_step(self, current_state, previous_kernel_results, seed=None):
        number = previous_kernel_results.number
        rate = tf.math.log(tf.constant(self._rates, tf.float64)[number])
        return current_state, FakeResults(previous_kernel_results.step_size, rate, number + 1)

    def bootstrap_results(self, init_state):
        return FakeResults(tf.constant(0.3, tf.float64), tf.constant(0.0, tf.float64), tf.constant(0))


def test_dual_averaging_is_that_of_tfp():
    rates = np.random.default_rng(0).uniform(0.01, 1.0, 40)
    kernel = tfp.mcmc.DualAveragingStepSizeAdaptation(
        Scripted(rates),
        num_adaptation_steps=1000,
        target_accept_prob=tf.constant(0.8, tf.float64),
        step_size_setter_fn=lambda results, step_size: results._replace(step_size=step_size),
        step_size_getter_fn=lambda results: results.step_size,
        log_accept_prob_getter_fn=lambda results: results.log_accept_ratio,
    )
    position = tf.zeros(1, tf.float64)
    results = kernel.bootstrap_results(position)
    ours = DualAveraging(target=0.8)
    ours.restart(0.3)
    for rate in rates:
        position, results = kernel.one_step(position, results)
        ours.update(float(rate))
        assert math.exp(ours.log_step_size) == pytest.approx(float(results.new_step_size), rel=1e-9)
        assert ours.log_step_size_bar == pytest.approx(float(tf.nest.flatten(results.log_averaging_step)[0]), rel=1e-9)


def test_dual_averaging_finds_the_step_size_that_is_accepted_so_often():
    random = np.random.default_rng(0)
    dual = DualAveraging(target=0.8)
    dual.restart(5.0)
    for _ in range(500):
        dual.update(float(np.clip(math.exp(-math.exp(dual.log_step_size)) + 0.1 * random.normal(), 0, 1)))
    assert math.exp(-math.exp(dual.log_step_size_bar)) == pytest.approx(0.8, abs=0.02)


def accepted(step, deviation, momentum, position):
    """Probability that one leapfrog step in a normal distribution is accepted, by hand."""
    half = momentum - 0.5 * step * position / deviation**2
    after = position + step * half
    end = half - 0.5 * step * after / deviation**2
    change = 0.5 * np.sum(position**2 - after**2) / deviation**2 + 0.5 * np.sum(momentum**2 - end**2)
    return math.exp(min(0.0, change))


@pytest.mark.parametrize("deviation", [1e-6, 0.03, 1.0, 500.0])
@pytest.mark.parametrize("begin", [1e-3, 0.1, 10.0])
def test_a_reasonable_step_size_is_accepted_with_at_least_four_fifths_and_its_double_with_less(deviation, begin):
    position = deviation * np.random.default_rng(1).normal(size=20)

    def density(at):
        return float(-0.5 * np.sum((at / deviation) ** 2)), -at / deviation**2

    with np.errstate(over="ignore"):
        found = reasonable_step_size(density, position, np.ones(20), np.random.default_rng(5), begin)
        momentum = np.random.default_rng(5).normal(size=20)
        assert accepted(found, deviation, momentum, position) > 0.8
        assert not accepted(2 * found, deviation, momentum, position) > 0.8


def test_the_step_size_is_in_units_of_the_scale():
    scale = np.array([1e-3, 1.0, 50.0])

    def density(at):
        return float(-0.5 * np.sum((at / scale) ** 2)), -at / scale**2

    found = reasonable_step_size(density, np.zeros(3), scale, np.random.default_rng(0))
    assert 0.2 < found < 5


def test_a_density_that_ends_asks_for_smaller_steps():
    def density(at):
        return (0.0, np.zeros(2)) if np.abs(at).max() < 1e-3 else (math.nan, np.full(2, math.nan))

    assert 0 < reasonable_step_size(density, np.zeros(2), np.ones(2), np.random.default_rng(0)) < 1e-2


# The mass


@given(st.integers(2, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_running_variances_are_numpys(count, size, seed):
    random = np.random.default_rng(seed)
    draws = random.normal(random.uniform(-100, 100), random.uniform(0.01, 10), (count, size))
    running = RunningVariance.of(size)
    for draw in draws:
        running.update(draw)
    assert running.count == count
    np.testing.assert_allclose(running.mean, draws.mean(axis=0), rtol=1e-9, atol=1e-9)
    variance = draws.var(axis=0, ddof=1)
    np.testing.assert_allclose(running.variance, variance, rtol=1e-7)


def test_a_chain_that_stands_still_has_a_mass():
    draws, gradients = RunningVariance.of(3), RunningVariance.of(3)
    assert (estimate_inverse_mass_sqrt(draws, gradients) > 0).all()
    for _ in range(10):
        draws.update(np.full(3, 7.0))
        gradients.update(np.full(3, -2.0))
    np.testing.assert_allclose(estimate_inverse_mass_sqrt(draws, gradients) ** 2, 1e-3 * 5 / 15)


def test_the_mass_of_a_normal_posterior_is_exact_from_few_draws():
    """Draws x = s z have gradients -z / s, so that the ratio of their variances knows s, however few there are."""
    deviations = np.array([1e-3, 0.1, 1.0, 30.0])
    draws, gradients = RunningVariance.of(4), RunningVariance.of(4)
    for normal in np.random.default_rng(0).normal(size=(10, 4)):
        draws.update(deviations * normal)
        gradients.update(-normal / deviations)
    np.testing.assert_allclose(
        estimate_inverse_mass_sqrt(draws, gradients) ** 2, 10 / 15 * deviations**2 + 1e-3 * 5 / 15, rtol=1e-9
    )


def test_a_warm_up_learns_the_mass_from_its_slow_windows():
    random = np.random.default_rng(0)
    adaptation = Adaptation.begin(200, 2, 0.8)
    adaptation.dual.restart(0.1)
    deviations = np.array([0.01, 100.0])
    draws = deviations * random.normal(size=(200, 2))
    gradients = -draws / deviations**2 + random.normal(size=(200, 2)) / deviations
    news = []
    for number, draw in enumerate(draws, 1):
        before = adaptation.inverse_mass_sqrt
        if adaptation.update(draw, gradients[number - 1], 0.8):
            news.append(number)
            part = slice([30, *news][-2] if len(news) > 1 else 30, number)
            ratio = np.sqrt(draws[part].var(axis=0) / gradients[part].var(axis=0))
            count = part.stop - part.start
            expected = np.sqrt(count / (count + 5) * ratio + 5e-3 / (count + 5))
            np.testing.assert_allclose(adaptation.inverse_mass_sqrt, expected, rtol=1e-9)
        else:
            np.testing.assert_array_equal(adaptation.inverse_mass_sqrt, before)
    assert news == adaptation.windows.ends == [40, 60, 100, 180]
    assert adaptation.done == adaptation.total == 200


def test_after_the_warm_up_the_mean_step_size_holds():
    adaptation = Adaptation.begin(20, 1, 0.8)
    adaptation.dual.restart(0.1)
    random = np.random.default_rng(0)
    for number in range(20):
        assert adaptation.step_size == math.exp(adaptation.dual.log_step_size), number
        adaptation.update(random.normal(size=1), random.normal(size=1), float(random.random()))
    assert adaptation.step_size == math.exp(adaptation.dual.log_step_size_bar)
