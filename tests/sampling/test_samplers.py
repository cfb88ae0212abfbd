"""Every sampler on a known Gaussian, and what NUTS and HMC report. Needs TensorFlow."""

import math

import numpy as np
import pytest

from tests.sampling.problems import sample, worst_difference
from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.registry import SAMPLERS, resolve
from tfticket.sampling.hmc import Hmc
from tfticket.sampling.protocol import SampleStats, State

SIZE, ERRORS = 10, 4.5
"""Standard errors that 10 means, or variances, may be off at most: by chance once in 15,000 times."""
RANDOM = np.random.default_rng(0)
FACTOR = np.eye(SIZE) + 0.6 * RANDOM.normal(size=(SIZE, SIZE)) / math.sqrt(SIZE)
SCALE = np.geomspace(0.1, 10, SIZE)
COVARIANCE = FACTOR @ FACTOR.T * np.outer(*[SCALE / np.sqrt(np.diag(FACTOR @ FACTOR.T))] * 2)
PRECISION, MEAN = np.linalg.inv(COVARIANCE), RANDOM.normal(size=SIZE)
START = MEAN + 0.1
CONFIG = SampleConfig(max_tree_depth=6, leapfrog_steps=5)


def density(at):
    """Log density of the Gaussian and its gradient, NumPy."""
    gradient = -PRECISION @ (at - MEAN)
    return float(0.5 * (at - MEAN) @ gradient), gradient


def target(at):
    residual = at - tf.constant(MEAN)
    return -0.5 * tf.reduce_sum(residual * tf.linalg.matvec(tf.constant(PRECISION), residual))


def build(name, log_density=target):
    return resolve(SAMPLERS[name].target)(log_density, CONFIG, False)


@pytest.fixture(scope="module", params=SAMPLERS)
def sampler(request):
    return build(request.param)


def test_draws_have_the_moments_and_energies_of_the_gaussian(sampler):
    start = 10 * np.random.default_rng(1).normal(size=SIZE)
    draws, stats, adaptation = sample(sampler, density, start, warmup=150, draws=400, seed=2)
    residual, variance = draws - MEAN, np.diag(COVARIANCE)
    log_density, energy, rate, *_, diverging, _ = np.array(stats, float).T
    np.testing.assert_allclose(log_density, [density(draw)[0] for draw in draws], rtol=1e-9, atol=1e-9)
    kinetic, chi_square = energy + log_density, np.einsum("di,ij,dj->d", residual, PRECISION, residual)
    assert (kinetic > 0).all()
    assert worst_difference(residual, 0.0) < ERRORS
    assert worst_difference(residual**2, variance) < ERRORS
    assert worst_difference(residual[:, :-1] * residual[:, 1:], np.diag(COVARIANCE, 1)) < ERRORS
    sums = np.stack([chi_square, 2 * kinetic, energy], axis=1)
    assert worst_difference(sums, SIZE) < ERRORS
    ratio = adaptation.inverse_mass_sqrt / SCALE
    assert 0.4 < ratio.min() <= ratio.max() < 2.5
    assert 0.7 < rate.mean() < 0.97
    assert not diverging.any()


def test_a_step_depends_on_its_state_and_seed_alone_and_survives_a_checkpoint(sampler):
    state, info = sampler.step(sampler.init(START), 0.2, SCALE, (0, 1))
    assert {name: type(value) for name, value in info._asdict().items()} == SampleStats.__annotations__
    assert (state.position.dtype, state.position.shape) == (tf.float64, START.shape)
    np.testing.assert_allclose(sampler.gradient(state), density(state.position.numpy())[1], rtol=1e-9)
    parts = [tf.constant(part.numpy()) for part in tf.nest.flatten(state.results, expand_composites=True)]
    packed = tf.nest.pack_sequence_as(sampler.init(np.zeros(SIZE)).results, parts, expand_composites=True)
    restored = State(tf.constant(state.position.numpy()), packed)
    steps = ((state, 0.1, SCALE), (restored, 0.1, SCALE), (state, 0.05, 2 * SCALE))  # the last: the same product
    results = [sampler.step(*step, (5, 6)) for step in steps]
    for (at, stats), (_, step_size, _) in zip(results, steps, strict=True):
        np.testing.assert_array_equal(at.position, results[0][0].position)
        assert stats == results[0][1]._replace(step_size=step_size)
    assert (sampler.step(state, 0.1, SCALE, (6, 5))[0].position.numpy() != results[0][0].position.numpy()).any()


def test_an_unstable_step_diverges_and_stays(sampler):
    state, info = sampler.step(sampler.init(START), 50.0, SCALE, (1, 1))
    assert info.diverging
    assert info.acceptance_rate < 1e-6
    np.testing.assert_array_equal(state.position.numpy(), START)
    assert info.log_density == pytest.approx(density(START)[0], rel=1e-9)
    assert math.isfinite(info.energy)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_density_that_is_not_a_number_is_never_entered(name):
    def bounded(at):
        inside = tf.reduce_all(tf.abs(at) < 1.0)
        return tf.where(inside, -0.5 * tf.reduce_sum(tf.square(at)), tf.constant(np.nan, tf.float64))

    sampler = build(name, bounded)
    state = sampler.init(np.zeros(3))
    for number in range(20):
        state, info = sampler.step(state, 1.0, np.ones(3), (number, 0))
        assert np.abs(state.position.numpy()).max() < 1
        assert math.isfinite(info.log_density)
        assert 0 <= info.acceptance_rate <= 1


@pytest.mark.parametrize(("steps", "step_size", "accepted"), [(7, 0.05, True), (3, 0.5, False)])
def test_a_fixed_trajectory_follows_leapfrog_steps(steps, step_size, accepted):
    """HMC's proposal and energies against a leapfrog integrator in NumPy, with a mass."""
    scale = np.linspace(0.5, 3, SIZE)
    sampler = Hmc(target, steps)
    state, info = sampler.step(sampler.init(START), step_size, scale, (1, 2))
    momentum, position = state.results.proposed_results.initial_momentum[0].numpy(), START
    begin = 0.5 * momentum @ momentum - density(position)[0]
    for _ in range(steps):
        momentum = momentum + 0.5 * step_size * scale * density(position)[1]
        position = position + step_size * scale * momentum
        momentum = momentum + 0.5 * step_size * scale * density(position)[1]
    end = 0.5 * momentum @ momentum - density(position)[0]
    np.testing.assert_allclose(state.results.proposed_state.numpy(), position, rtol=1e-9)
    assert bool(state.results.is_accepted) == accepted
    np.testing.assert_allclose(state.position, position if accepted else START, rtol=1e-9)
    assert info.acceptance_rate == pytest.approx(math.exp(min(0.0, begin - end)), rel=1e-6)
    assert info.energy == pytest.approx(end if accepted else begin, rel=1e-9)
    assert (info.n_steps, info.tree_depth, info.reached_max_treedepth) == (steps, 0, False)


def test_a_tree_is_cut_off_at_its_largest_depth_unless_it_turns():
    sampler = build("nuts")
    _, info = sampler.step(sampler.init(MEAN), 1e-4, np.ones(SIZE), (1, 2))
    assert (info.tree_depth, info.n_steps, info.reached_max_treedepth) == (6, 63, True)
    _, info = sampler.step(sampler.init(MEAN), 0.3, SCALE, (1, 2))
    assert not info.reached_max_treedepth
    assert 1 <= info.tree_depth < 6
    assert 2 ** (info.tree_depth - 1) <= info.n_steps < 2**info.tree_depth
