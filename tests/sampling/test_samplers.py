"""NUTS and HMC on a known Gaussian, and what every sampler owes. Needs TensorFlow."""

import inspect
import math

import numpy as np
import pytest

from tests.sampling.problems import sample, worst_difference
from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.registry import SAMPLERS, resolve
from tfticket.sampling.hmc import Hmc
from tfticket.sampling.nuts import Nuts
from tfticket.sampling.protocol import SampleStats, State

SIZE = 50
ERRORS = 4.5
"""Standard errors that 50 means, or variances, may be off at most: by chance one in 3,000 times."""


class Gaussian:
    """Correlated, with deviations from 0.1 to 10."""

    def __init__(self, size=SIZE):
        random = np.random.default_rng(0)
        factor = np.eye(size) + 0.6 * random.normal(size=(size, size)) / math.sqrt(size)
        correlated = factor @ factor.T
        scale = np.geomspace(0.1, 10, size) / np.sqrt(np.diag(correlated))
        self.mean = random.normal(size=size)
        self.covariance = correlated * np.outer(scale, scale)
        self.precision = np.linalg.inv(self.covariance)

    def density(self, at):
        """Log density and gradient, NumPy."""
        gradient = -self.precision @ (at - self.mean)
        return float(0.5 * (at - self.mean) @ gradient), gradient

    def target(self, at):
        """Log density, TensorFlow."""
        residual = at - tf.constant(self.mean)
        return -0.5 * tf.reduce_sum(residual * tf.linalg.matvec(tf.constant(self.precision), residual))


GAUSSIAN = Gaussian()


@pytest.fixture(scope="module", params=["nuts", "hmc"])
def sampled(request):
    """A sampler, 700 draws of it, what it told, and its warm-up."""
    sampler = Nuts(GAUSSIAN.target, 8) if request.param == "nuts" else Hmc(GAUSSIAN.target, 5)
    start = 10 * np.random.default_rng(1).normal(size=SIZE)
    return sampler, *sample(sampler, GAUSSIAN.density, start, warmup=400, draws=700, seed=2)


def test_means_and_variances_of_a_correlated_gaussian(sampled):
    _, draws, _, _ = sampled
    residual = draws - GAUSSIAN.mean
    assert worst_difference(residual, 0.0) < ERRORS
    assert worst_difference(residual**2, np.diag(GAUSSIAN.covariance)) < ERRORS
    pairs = residual[:, :-1] * residual[:, 1:]
    assert worst_difference(pairs, np.diag(GAUSSIAN.covariance, 1)) < ERRORS
    chi_square = np.einsum("di,ij,dj->d", residual, GAUSSIAN.precision, residual)
    assert worst_difference(chi_square[:, None], SIZE) < ERRORS


def test_the_warm_up_finds_step_size_and_mass(sampled):
    _, _, told, adaptation = sampled
    ratio = adaptation.inverse_mass_sqrt / np.sqrt(np.diag(GAUSSIAN.covariance))
    assert (ratio > 0.4).all()
    assert (ratio < 2.5).all()
    assert 0.7 < np.mean([info.acceptance_rate for info in told]) < 0.95
    assert not any(info.diverging for info in told)


def test_energies_are_those_of_a_hamiltonian_system(sampled):
    """-log density + kinetic energy, of which the latter follows half a chi-square of 50."""
    _, draws, told, _ = sampled
    densities = np.array([GAUSSIAN.density(draw)[0] for draw in draws])
    np.testing.assert_allclose([info.log_density for info in told], densities, rtol=1e-9, atol=1e-9)
    kinetic = np.array([info.energy for info in told]) + densities
    assert (kinetic > 0).all()
    assert worst_difference(kinetic[:, None], SIZE / 2) < ERRORS
    energies = np.array([info.energy for info in told])
    assert worst_difference(energies[:, None], SIZE) < ERRORS


def test_the_same_seed_gives_the_same_bits_and_another_does_not(sampled):
    sampler, draws, _, adaptation = sampled
    first, again, other = (
        sample(sampler, GAUSSIAN.density, draws[-1], 0, 5, seed, warmed=adaptation)[0] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).all()


def test_a_fixed_trajectory_is_followed_by_leapfrog_steps():
    """HMC's proposal and energies against a leapfrog integrator of ours, with a mass."""
    steps, step_size, scale = 7, 0.05, np.linspace(0.5, 3, SIZE)
    sampler = Hmc(GAUSSIAN.target, steps)
    start = GAUSSIAN.mean + 0.1
    state, info = sampler.step(sampler.init(start), step_size, scale, (1, 2))
    tried = state.results.proposed_results
    momentum, position = tried.initial_momentum[0].numpy(), start
    begin = 0.5 * momentum @ momentum - GAUSSIAN.density(position)[0]
    for _ in range(steps):
        momentum = momentum + 0.5 * step_size * scale * GAUSSIAN.density(position)[1]
        position = position + step_size * scale * momentum
        momentum = momentum + 0.5 * step_size * scale * GAUSSIAN.density(position)[1]
    end = 0.5 * momentum @ momentum - GAUSSIAN.density(position)[0]
    np.testing.assert_allclose(state.results.proposed_state.numpy(), position, rtol=1e-9)
    assert info.acceptance_rate == pytest.approx(math.exp(min(0.0, begin - end)), rel=1e-6)
    assert info.energy == pytest.approx(end if state.results.is_accepted else begin, rel=1e-9)
    assert info.n_steps == steps


def test_a_refused_proposal_keeps_the_energy_of_the_trajectorys_start():
    sampler = Hmc(GAUSSIAN.target, 3)
    start = GAUSSIAN.mean + 0.1
    state, info = sampler.step(sampler.init(start), 0.5, np.ones(SIZE), (1, 2))
    assert not state.results.is_accepted
    np.testing.assert_array_equal(state.position.numpy(), start)
    momentum = state.results.proposed_results.initial_momentum[0].numpy()
    assert info.energy == pytest.approx(0.5 * momentum @ momentum - GAUSSIAN.density(start)[0], rel=1e-9)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_the_cap_on_the_trees_depth_holds_and_is_told(depth):
    sampler = Nuts(GAUSSIAN.target, depth)
    _, info = sampler.step(sampler.init(GAUSSIAN.mean), 1e-4, np.ones(SIZE), (1, 2))
    assert info.reached_max_treedepth
    assert info.tree_depth == depth
    assert info.n_steps == 2**depth - 1


def test_a_tree_that_turns_does_not_reach_the_cap():
    sampler = Nuts(GAUSSIAN.target, 10)
    deviations = np.sqrt(np.diag(GAUSSIAN.covariance))
    _, info = sampler.step(sampler.init(GAUSSIAN.mean), 0.3, deviations, (1, 2))
    assert not info.reached_max_treedepth
    assert 1 <= info.tree_depth < 10
    assert 2 ** (info.tree_depth - 1) <= info.n_steps <= 2**info.tree_depth - 1


# Every sampler


@pytest.fixture(params=SAMPLERS)
def build(request):
    return resolve(SAMPLERS[request.param].target)


CONFIG = SampleConfig(max_tree_depth=6, warmup_tree_depth=3, leapfrog_steps=9)
START = GAUSSIAN.mean + 0.1
SCALE = np.sqrt(np.diag(GAUSSIAN.covariance))


def test_samplers_have_the_same_three_functions(build):
    assert list(inspect.signature(build).parameters) == ["log_density", "config", "warming_up"]
    sampler = build(GAUSSIAN.target, CONFIG, False)
    assert list(inspect.signature(sampler.init).parameters) == ["position"]
    assert list(inspect.signature(sampler.step).parameters) == ["state", "step_size", "inverse_mass_sqrt", "seed"]


def test_a_step_gives_a_state_and_tells_of_it(build):
    for warming_up in (False, True):
        sampler = build(GAUSSIAN.target, CONFIG, warming_up)
        state = sampler.init(START)
        assert isinstance(state, State)
        np.testing.assert_array_equal(state.position.numpy(), START)
        for number in range(4):
            state, info = sampler.step(state, 0.2, SCALE, (number, 7))
            assert isinstance(state, State)
            assert isinstance(info, SampleStats)
            assert state.position.dtype == tf.float64
            assert state.position.shape == START.shape
            types = {name: type(value) for name, value in info._asdict().items()}
            assert types == inspect.get_annotations(SampleStats, eval_str=True)
            assert info.log_density == pytest.approx(GAUSSIAN.density(state.position.numpy())[0], rel=1e-9)
            assert math.isfinite(info.energy)
            assert 0 <= info.acceptance_rate <= 1
            assert info.step_size == 0.2
            assert info.n_steps >= 1
            assert info.tree_depth <= CONFIG.max_tree_depth
            assert not info.diverging


def test_a_step_leaves_its_state_alone_and_can_be_taken_again(build):
    sampler = build(GAUSSIAN.target, CONFIG, False)
    state, _ = sampler.step(sampler.init(START), 0.2, SCALE, (0, 1))
    before = [part.numpy() for part in tf.nest.flatten(state)]
    (first, told), (again, told_again) = (sampler.step(state, 0.2, SCALE, (5, 6)) for _ in range(2))
    other, _ = sampler.step(state, 0.2, SCALE, (6, 5))
    for old, part in zip(before, tf.nest.flatten(state), strict=True):
        np.testing.assert_array_equal(old, part.numpy())
    np.testing.assert_array_equal(first.position, again.position)
    assert told == told_again
    assert (first.position.numpy() != other.position.numpy()).any()


def test_a_state_that_was_flattened_and_packed_again_goes_on_to_the_same_bits(build):
    sampler = build(GAUSSIAN.target, CONFIG, False)
    state, _ = sampler.step(sampler.init(START), 0.2, SCALE, (0, 1))
    parts = [part.numpy() for part in tf.nest.flatten(state.results, expand_composites=True)]
    elsewhere = build(GAUSSIAN.target, CONFIG, False)
    pattern = elsewhere.init(np.zeros(SIZE)).results
    packed = tf.nest.pack_sequence_as(pattern, list(map(tf.constant, parts)), expand_composites=True)
    resumed = State(tf.constant(state.position.numpy()), packed)
    (found, told), (expected, expected_told) = (
        each.step(at, 0.1, SCALE, (2, 3)) for each, at in ((elsewhere, resumed), (sampler, state))
    )
    np.testing.assert_array_equal(found.position, expected.position)
    assert told == expected_told


def test_the_step_size_and_the_scale_count_by_their_product(build):
    sampler = build(GAUSSIAN.target, CONFIG, False)
    state = sampler.init(START)
    (first, _), (second, _) = (sampler.step(state, *both, (1, 1)) for both in ((0.25, SCALE), (0.5, SCALE / 2)))
    np.testing.assert_array_equal(first.position, second.position)


def test_an_unstable_step_diverges_and_goes_nowhere(build):
    sampler = build(GAUSSIAN.target, CONFIG, False)
    state, info = sampler.step(sampler.init(START), 50.0, SCALE, (1, 1))
    assert info.diverging
    assert info.acceptance_rate < 1e-6
    np.testing.assert_array_equal(state.position.numpy(), START)
    assert info.log_density == pytest.approx(GAUSSIAN.density(START)[0], rel=1e-9)
    assert math.isfinite(info.energy)


def test_a_density_that_is_no_number_is_a_place_to_stay_away_from(build):
    def target(at):
        inside = tf.reduce_all(tf.abs(at) < 1.0)
        return tf.where(inside, -0.5 * tf.reduce_sum(tf.square(at)), tf.constant(np.nan, tf.float64))

    sampler = build(target, CONFIG, False)
    state = sampler.init(np.zeros(3))
    for number in range(20):
        state, info = sampler.step(state, 1.0, np.ones(3), (number, 0))
        assert np.abs(state.position.numpy()).max() < 1
        assert math.isfinite(info.log_density)
        assert math.isfinite(info.acceptance_rate)
