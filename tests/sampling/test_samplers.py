"""Every sampler that accepts or corrects its draws on a known Gaussian, and the pieces of each. Needs TensorFlow."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from tests.refusals import refused
from tests.sampling import blackjax_reference
from tests.sampling.problems import Target, sample, worst_difference
from tfticket.backend import tf
from tfticket.config import SampleConfig
from tfticket.config.sampling import READ_BY
from tfticket.registry import SAMPLERS, resolve
from tfticket.sampling.hmc import Hmc
from tfticket.sampling.mclmc import Mclmc
from tfticket.sampling.metric import Metric
from tfticket.sampling.microcanonical import Particle, leapfrog, refresh
from tfticket.sampling.nuts import Nuts
from tfticket.sampling.protocol import SampleStats, State, jittered_steps
from tfticket.sampling.tuned_sampler import TunedSampler

SIZE, ERRORS = 10, 4.5
"""Standard errors that 10 means, or variances, may be off at most: by chance once in 15,000 times."""
RANDOM = np.random.default_rng(0)
FACTOR = np.eye(SIZE) + 0.6 * RANDOM.normal(size=(SIZE, SIZE)) / math.sqrt(SIZE)
SCALE = np.geomspace(0.1, 10, SIZE)
COVARIANCE = FACTOR @ FACTOR.T * np.outer(*[SCALE / np.sqrt(np.diag(FACTOR @ FACTOR.T))] * 2)
PRECISION, MEAN = np.linalg.inv(COVARIANCE), RANDOM.normal(size=SIZE)
START = MEAN + 0.1
METHODS = ["nuts", "hmc", "mams", "mclmc"]


def density(at):
    """Log density of the Gaussian and its gradient, NumPy."""
    gradient = -PRECISION @ (at - MEAN)
    return float(0.5 * (at - MEAN) @ gradient), gradient


def build(method, function=density, size=SIZE, **options):
    target = Target(size, function)
    config = SampleConfig(method=method, max_tree_depth=6, leapfrog_steps=5, **options)
    return target, resolve(SAMPLERS[method].target)(target, config)


@pytest.mark.parametrize(("method", "options"), [
    ("nuts", {"metric": "low-rank", "warmup": 120, "draws": 300}),
    ("hmc", {"leapfrog_steps": 5}),
    ("hmc", {"trajectory_length": 1.6, "metric": "low-rank"}),
    ("mams", {}),
    ("mams", {"metric": "low-rank"}),
    ("mclmc", {"metric": "low-rank", "draws": 2000}),
])  # fmt: skip
def test_draws_have_the_moments_and_energies_of_the_gaussian(method, options):
    start, target = 10 * np.random.default_rng(1).normal(size=SIZE), Target(SIZE, density)
    config = SampleConfig(**{"method": method, "warmup": 200, "draws": 600, "max_tree_depth": 6} | options)
    draws, stats, sampler = sample(target, start, config, seed=2)
    residual, variance = draws - MEAN, np.diag(COVARIANCE)
    log_density = np.array([each.log_density for each in stats])
    np.testing.assert_allclose(log_density, [density(draw)[0] for draw in draws], rtol=1e-7, atol=1e-7)
    assert worst_difference(residual, 0.0) < ERRORS
    assert worst_difference(residual**2, variance) < ERRORS
    assert worst_difference(residual[:, :-1] * residual[:, 1:], np.diag(COVARIANCE, 1)) < ERRORS
    if stats[0].energy is not None:
        kinetic = np.array([each.energy for each in stats]) + log_density
        assert (kinetic > 0).all()
        assert worst_difference(np.stack([-2 * log_density, 2 * kinetic], axis=1), SIZE) < ERRORS
    if sampler.adaptation.tuning == "acceptance":
        assert 0.7 < np.mean([each.acceptance_rate for each in stats]) < 0.97
    else:
        assert np.mean([each.energy_error for each in stats]) < 1e-3
    assert sampler.adaptation.settled
    assert not any(each.diverging for each in stats)
    metric = np.stack([target.metric.to_position(row) for row in np.eye(SIZE)], axis=1)
    condition = np.linalg.cond(np.linalg.solve(metric, np.linalg.cholesky(COVARIANCE)))
    assert condition < (1.6 if options.get("metric") == "low-rank" else 5)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_depends_on_its_state_and_random_numbers_alone_and_survives_a_checkpoint(method):
    target, sampler = build(method)
    target.metric = Metric.diagonal(SCALE)
    start = START / SCALE
    state, stats = sampler.step(sampler.init(start), 0.2, np.random.default_rng(0))
    whitened = np.asarray(state.position)
    expected, gradient = density(SCALE * whitened)
    assert stats.log_density == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(sampler.gradient(state), SCALE * gradient, rtol=1e-7)
    for name, kind in SampleStats.__annotations__.items():
        value = getattr(stats, name)
        assert type(value) is kind or (kind == float | None and isinstance(value, float | None)) or name == "n_steps"
    parts = [np.asarray(part) for part in tf.nest.flatten(state.results, expand_composites=True)]
    convert = tf.constant if tf.is_tensor(state.position) else np.asarray
    pattern = sampler.init(np.zeros(SIZE)).results
    packed = tf.nest.pack_sequence_as(pattern, [convert(part) for part in parts], expand_composites=True)
    results = [
        sampler.step(begin, 0.1, np.random.default_rng(seed))
        for begin, seed in ((state, 5), (State(convert(whitened), packed), 5), (state, 6))
    ]
    np.testing.assert_array_equal(results[0][0].position, results[1][0].position)
    assert results[0][1] == results[1][1]
    assert (np.asarray(results[2][0].position) != np.asarray(results[0][0].position)).any()


@pytest.mark.parametrize("method", SAMPLERS)
def test_the_options_that_a_sampler_reads_are_those_of_the_configuration(method):
    class Recorder:
        def __getattr__(self, name):
            read.add(name)
            return getattr(SampleConfig(method=method), name)

    read = set()
    target = Target(len(START), density)
    target.rows = 100
    resolve(SAMPLERS[method].target)(target, Recorder())
    by_the_warm_up = {"metric", "target_acceptance", "warmup_tree_depth"}  # and it may tune the trajectory length
    named = {name for name, methods in READ_BY.items() if method in methods}
    assert read & READ_BY.keys() == named - by_the_warm_up


@pytest.mark.parametrize("method", ["mams", "mclmc"])
def test_a_single_variable_has_no_direction_to_turn(method):
    with refused("sample.method", "nuts", "1 of this ticket's weights", method):
        TunedSampler(Target(1, lambda at: (0.0, at)), 1, SampleConfig(method=method))


@pytest.mark.parametrize("method", METHODS)
def test_an_unstable_step_diverges_and_stays(method):
    _, sampler = build(method)
    state, stats = sampler.step(sampler.init(START), 5e3 if method == "mclmc" else 500.0, np.random.default_rng(1))
    assert stats.diverging
    np.testing.assert_array_equal(state.position, START)
    assert stats.log_density == pytest.approx(density(START)[0], rel=1e-9)
    assert method == "mclmc" or stats.acceptance_rate < 1e-6
    assert stats.energy is None or math.isfinite(stats.energy)


@pytest.mark.parametrize("method", METHODS)
def test_a_density_that_is_not_a_number_is_never_entered(method):
    def bounded(at):
        return (-0.5 * float(at @ at), -at) if np.abs(at).max() < 1 else (math.nan, np.full(3, math.nan))

    _, sampler = build(method, bounded, 3)
    state, random = sampler.init(np.zeros(3)), np.random.default_rng(0)
    for _ in range(20):
        state, stats = sampler.step(state, 1.0, random)
        assert np.abs(np.asarray(state.position)).max() < 1
        assert math.isfinite(stats.log_density)
        assert 0 <= stats.acceptance_rate <= 1


# Hamiltonian dynamics


@pytest.mark.parametrize(("steps", "step_size", "accepted"), [(7, 0.05, True), (3, 0.5, False)])
def test_a_fixed_trajectory_follows_leapfrog_steps(steps, step_size, accepted):
    """HMC's proposal and energies against a leapfrog integrator in NumPy, with a metric."""
    target = Target(SIZE, density)
    target.metric = Metric.diagonal(np.linspace(0.5, 3, SIZE))
    start, whitened = START / target.metric.scale, target.log_density_and_gradient
    sampler = Hmc(target, leapfrog_steps=steps)
    state, stats = sampler.step(sampler.init(start), step_size, np.random.default_rng(2))
    momentum, position = state.results.proposed_results.initial_momentum[0].numpy(), start
    begin = 0.5 * momentum @ momentum - whitened(position)[0]
    for _ in range(steps):
        momentum = momentum + 0.5 * step_size * whitened(position)[1]
        position = position + step_size * momentum
        momentum = momentum + 0.5 * step_size * whitened(position)[1]
    end = 0.5 * momentum @ momentum - whitened(position)[0]
    np.testing.assert_allclose(state.results.proposed_state.numpy(), position, rtol=1e-9)
    assert bool(state.results.is_accepted) == accepted
    np.testing.assert_allclose(state.position, position if accepted else start, rtol=1e-9)
    assert stats.acceptance_rate == pytest.approx(math.exp(min(0.0, begin - end)), rel=1e-6)
    assert stats.energy == pytest.approx(end if accepted else begin, rel=1e-9)
    assert (stats.n_steps, stats.tree_depth, stats.reached_max_treedepth) == (steps, 0, False)
    assert sampler.step(state, step_size, np.random.default_rng(2), most_steps=2)[1].n_steps == 2


def test_trajectories_have_a_jittered_number_of_steps():
    random = np.random.default_rng(0)
    steps = np.array([jittered_steps(3.0, 0.01, random) for _ in range(2000)])
    assert (180 <= steps.min() < 185, 415 < steps.max() <= 420) == (True, True)
    assert steps.mean() == pytest.approx(300, rel=0.02)
    assert (jittered_steps(3.0, 0.01, random, 32), jittered_steps(3.0, 100, random, 32)) == (32, 1)


def test_a_tree_is_cut_off_at_its_largest_depth_unless_it_turns():
    target, sampler = build("nuts")
    random = np.random.default_rng(1)
    _, stats = sampler.step(sampler.init(MEAN), 1e-4, random)
    assert (stats.tree_depth, stats.n_steps, stats.reached_max_treedepth) == (6, 63, True)
    assert sampler.step(sampler.init(MEAN), 1e-4, random, most_steps=20)[1].n_steps == 15
    target.metric = Metric.diagonal(SCALE)
    _, stats = sampler.step(sampler.init(MEAN / SCALE), 0.3, random)
    assert not stats.reached_max_treedepth
    assert 1 <= stats.tree_depth < 6
    assert 2 ** (stats.tree_depth - 1) <= stats.n_steps < 2**stats.tree_depth


def test_the_cap_of_a_tree_follows_the_step_size():
    sampler = Nuts(Target(SIZE, density), max_tree_depth=10, trajectory_length=4.0)
    assert [sampler.depth(step) for step in (5.0, 1.0, 0.1, 0.0041)] == [1, 3, 6, 10]
    assert [sampler.depth(0.0041, most) for most in (1, 31, 32, 10**9)] == [1, 5, 5, 10]


# Microcanonical dynamics


BLACKJAX = json.loads((Path(__file__).parent / "blackjax_reference.json").read_text())


def quadratic():
    precision, position, direction = blackjax_reference.problem()
    target = Target(len(position), lambda at: (-0.5 * float(at @ precision @ at), -precision @ at))
    value, gradient = target.log_density_and_gradient(position)
    return target, Particle(position, direction, value, gradient)


def test_a_microcanonical_step_is_blackjaxs():
    target, particle = quadratic()
    for step_size, (position, direction, kinetic) in zip(blackjax_reference.STEPS, BLACKJAX["steps"], strict=True):
        moved, change = leapfrog(target, particle, step_size / math.sqrt(len(position)))
        np.testing.assert_allclose(moved.position, position, rtol=1e-9)
        np.testing.assert_allclose(moved.direction, direction, rtol=1e-9, atol=1e-12)
        assert change == pytest.approx(kinetic - (moved.log_density - particle.log_density), rel=1e-9)


def test_microcanonical_steps_follow_the_flow_to_second_order_and_keep_its_energy():
    """du/dt = (1 - u u') g / (d - 1), dx/dt = u, by an integrator of SciPy's."""
    target, start = quadratic()
    size = len(start.position)

    def flow(_, state):
        position, direction = np.split(state, 2)
        gradient = target.log_density_and_gradient(position)[1]
        return np.concatenate([direction, (gradient - direction * (direction @ gradient)) / (size - 1)])

    begin = np.concatenate([start.position, start.direction])
    end = solve_ivp(flow, (0, 1), begin, rtol=1e-10, atol=1e-12).y[:, -1]
    off, energies = [], []
    for steps in (50, 100):
        particle, energy = start, 0.0
        for _ in range(steps):
            particle, change = leapfrog(target, particle, 1 / steps / math.sqrt(size))
            energy += change
        off.append(np.linalg.norm(np.concatenate([particle.position, particle.direction]) - end))
        energies.append(abs(energy))
    assert off[0] / off[1] == pytest.approx(4, rel=0.05)
    assert energies[0] / energies[1] == pytest.approx(4, rel=0.2)
    assert energies[1] < 0.01


def test_microcanonical_steps_compare_with_those_of_hamiltonian_dynamics():
    """Each variable moves by about one step size, in however many dimensions."""
    target = Target(1000, lambda at: (-0.5 * float(at @ at), -at))
    start = Particle(np.zeros(1000), np.ones(1000) / math.sqrt(1000), *target.log_density_and_gradient(np.zeros(1000)))
    np.testing.assert_allclose(leapfrog(target, start, 0.1)[0].position, 0.1)


def test_a_direction_is_forgotten_over_its_length():
    random, size = np.random.default_rng(0), 2000
    first = direction = np.eye(size)[0]
    for _ in range(50):
        direction = refresh(direction, 0.02, 1.0, random)
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert direction @ first == pytest.approx(math.exp(-1), abs=4 / math.sqrt(size))


def test_the_bias_falls_with_the_square_of_the_step_and_the_energy_error_with_its_sixth_power():
    """Of the variables with the smallest deviations; step sizes are held fixed, the powers are the literature's."""
    deviations, biases, errors = np.geomspace(0.5, 2, 100), [], []
    for step_size in (0.5, 0.25):
        target = Target(100, lambda at: (-0.5 * float(((at / deviations) ** 2).sum()), -at / deviations**2))
        sampler, random = Mclmc(target, steps=4), np.random.default_rng(0)
        state, squares, energy_errors = sampler.init(deviations * random.normal(size=100)), [], []
        for number in range(5000):
            state, stats = sampler.step(state, step_size, random)
            if number >= 100:
                squares.append(np.mean((state.position / deviations)[:20] ** 2))
                energy_errors.append(stats.energy_error)
        biases.append(np.mean(squares) - 1)
        errors.append(np.mean(energy_errors))
    assert biases[0] > biases[1] > 0.02
    assert math.log2(biases[0] / biases[1]) == pytest.approx(2, abs=0.5)
    assert math.log2(errors[0] / errors[1]) == pytest.approx(6, abs=0.7)
