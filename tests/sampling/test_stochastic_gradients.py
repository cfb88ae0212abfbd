"""SGLD and SGHMC against closed forms, published updates and an adjusted sampler; minibatches of both engines."""

import itertools

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from tests.sampling import problems
from tests.sampling.problems import L
from tfticket.config import SampleConfig
from tfticket.data.normalisation import standard_floats
from tfticket.errors import Stopped
from tfticket.registry import SAMPLERS, resolve
from tfticket.sampling.chain import Hooks, run_chain
from tfticket.sampling.chain_files import read_checkpoint, write_checkpoint
from tfticket.sampling.metric import Metric
from tfticket.sampling.posterior import Whitened
from tfticket.sampling.sghmc import Sghmc
from tfticket.sampling.stochastic_gradients import Schedule, minibatches

METHODS = ["sgld", "sghmc"]
DENSITY = problems.Regression()


def second_moments(h, a, spread):
    """The map of E[y^2], E[y v], E[v^2] by y <- y + v, v <- (1 - a) v - h P y, where P varies; SGLD has a = 1."""
    (s, t), (u, v) = np.array([[1, 1], [-h * DENSITY.precision, 1 - a - h * DENSITY.precision]])
    moments = np.array([[s * s, 2 * s * t, t * t], [s * u, s * v + t * u, t * v], [u * u, 2 * u * v, v * v]])
    moments[2] += h**2 * spread * np.array([1, 2, 1])
    return moments


@pytest.mark.parametrize("size", [40, 8])
@pytest.mark.parametrize("a", [1.0, 0.3])
def test_the_stationary_variance_is_that_of_the_closed_form_and_its_bias_falls_with_the_step(size, a):
    p, biases = DENSITY.precision, []
    for h in (0.2 / p, 0.1 / p):
        sampler = Sghmc(DENSITY, h * 40, a, size, Schedule(1))
        random, state, squares, temperatures = np.random.default_rng(0), sampler.init(DENSITY.mean), [], []
        for _ in range(3500):
            state, stats = sampler.step(state, sampler.step_size, random)
            squares.append(p * np.mean((state.position - DENSITY.mean) ** 2))
            temperatures.append(stats.temperature)
        spread, noise = DENSITY.noise(size)
        injected = np.array([0, 0, 2 * a * h + h**2 * noise])
        expected = p * np.linalg.solve(np.eye(3) - second_moments(h, a, spread), injected)[0]
        if size == 40:  # as the docstrings have it
            assert expected == pytest.approx(1 / (1 - h * p / (4 - 2 * a)), rel=1e-9)
        assert np.mean(squares[500:]) == pytest.approx(expected, rel=0.015)
        assert np.mean(temperatures[500:]) == pytest.approx(expected, rel=0.02)
        biases.append(expected - 1)
    assert 1.9 < biases[0] / biases[1] < 2.35


@pytest.mark.parametrize("method", METHODS)
def test_steps_are_those_of_posteriors_and_blackjax(method):
    """Their momentum is m = v / eps, with the step eps = sqrt(h) and the friction alpha = a / eps."""
    h, at, friction, random = 0.01, DENSITY.mean + 1, 0.25, np.random.default_rng(3)
    config = SampleConfig(learning_rate=h * 40, friction=friction, batch_size=8, steps_per_draw=3)
    sampler = resolve(SAMPLERS[method].target)(DENSITY, config)
    state, stats = sampler.step(sampler.init(at), h, np.random.default_rng(3))
    m, eps = np.zeros_like(at), np.sqrt(h)
    for batch in np.split(random.permutation(40), 5)[:3]:
        if method == "sghmc":
            at, alpha = at + eps * m, friction / eps
            noise = np.sqrt(2 * eps * alpha) * random.normal(size=len(at))
            m = m + eps * DENSITY.minibatch_gradient(at, batch) - eps * alpha * m + noise
        else:
            at = at + h * DENSITY.minibatch_gradient(at, batch) + np.sqrt(2 * h) * random.normal(size=len(at))
    last = state.results[2] if method == "sgld" else 0.0  # the step that the next draw begins with
    np.testing.assert_allclose(state.position + last, at)
    assert stats.n_steps == pytest.approx(3 * 8 / 40 + 1)


def test_minibatches_are_permutations_of_the_rows():
    batches = list(itertools.islice(minibatches(11, 3, np.random.default_rng(0)), 1200))
    assert all(len(set(np.concatenate(batches[first : first + 3]))) == 9 for first in range(0, 1200, 3))
    np.testing.assert_allclose(np.bincount(np.concatenate(batches)) / 1200, 3 / 11, atol=0.03)
    assert sorted(next(minibatches(5, 100, np.random.default_rng(0)))) == list(range(5))


def test_a_cycle_follows_half_a_cosine_and_its_draws_come_from_the_end():
    schedule, k = Schedule(3, cycle=4, warmup=10), np.arange(16)
    steps = [list(schedule.of_draw(number)) for number in range(10, 14)]
    assert [len(of_draw) for of_draw in steps] == [7, 3, 3, 3]
    factors, noisy = zip(*itertools.chain(*steps), strict=True)
    np.testing.assert_allclose(factors, (np.cos(np.pi * k / 16) + 1) / 2)
    assert list(noisy) == [False] * 4 + [True] * 12
    assert [list(schedule.of_draw(number)) for number in (14, 9)] == [steps[0], steps[3]]  # the warm-up ends with one
    sampler = Sghmc(DENSITY, 0.4, 1.0, 40, Schedule(1, 3))
    state, stats = sampler.step(sampler.init(DENSITY.mean), 0.01, np.random.default_rng(0))
    assert (stats.step_size, stats.n_steps) == pytest.approx((0.005 * (np.cos(0.25 * np.pi) + 1), 3))
    noise = state.results[2]  # of the one step with noise, at rest till then
    assert np.var(noise) == pytest.approx(2 * stats.step_size, rel=0.25)


@pytest.mark.parametrize("method", METHODS)
def test_a_preconditioner_is_the_root_mean_square_of_the_warm_up_and_then_stays(method):
    config = SampleConfig(batch_size=8, steps_per_draw=9, learning_rate=0.01, preconditioned=True, warmup=20)
    sampler, random = resolve(SAMPLERS[method].target)(DENSITY, config), np.random.default_rng(0)
    assert (sampler.tuning, sampler.step_size) == ("fixed", 0.01 / 40)
    state = sampler.init(DENSITY.mean)
    for number in range(22):
        before, (state, _) = state, sampler.step(state, sampler.step_size, random)
        assert (before.results[1].squares != state.results[1].squares).any() == (number < 20)
    squares = (40 * (1 / state.results[1].scale - 1e-5)) ** 2
    assert squares.mean() == pytest.approx(DENSITY.noise(8)[1] + DENSITY.precision / 2, rel=0.3)


def test_the_gradient_of_a_minibatch_is_the_same_by_both_engines_and_sums_to_that_of_all_rows():
    random, close = np.random.default_rng(0), {"rtol": 1e-4, "atol": 2e-3}
    data = problems.random_data(random, (3, 3, 1), rows=1300)  # of more than one tile
    ticket = problems.ticket_of(
        problems.network((3, 3, 1), L.Flatten(), L.Dense(4, activation="tanh"), L.Dense(3)), data
    )
    posterior, keras = (
        problems.posterior_of(ticket, data, threads=2),
        problems.posterior_of(ticket, data, engine="keras").engine,
    )
    theta, order = random.normal(size=posterior.size), random.permutation(1300)
    for engine in (posterior.engine, keras):
        value, gradient = engine.log_likelihood_and_gradient(theta)
        for cuts in ([], [1, 100]):
            parts = [engine.log_likelihood_and_gradient(theta, rows) for rows in np.split(order, cuts)]
            assert sum(part[0] for part in parts) == pytest.approx(value, rel=1e-6)
            np.testing.assert_allclose(sum(part[1] for part in parts), gradient, **close)
    one, other = (engine.log_likelihood_and_gradient(theta, order[:70]) for engine in (posterior.engine, keras))
    assert one[0] == pytest.approx(other[0], rel=1e-6)
    np.testing.assert_allclose(one[1], other[1], **close)
    assert keras._compiled_minibatch.experimental_get_tracing_count() == 1
    density, y = Whitened(posterior), random.normal(size=posterior.size)
    density.metric = Metric(np.exp(y), np.eye(len(y))[:, :2], np.array([3.0, 0.2]))
    parts = [density.minibatch_gradient(y, batch) for batch in np.split(order, 13)]
    np.testing.assert_allclose(np.mean(parts, axis=0), density.log_density_and_gradient(y)[1], **close)


@pytest.fixture(scope="module")
def tumours():
    values, labels = load_breast_cancer(return_X_y=True)
    rows, labels = values[:190, [1, 4, 8, 9]].astype(np.float32), labels[:190]
    normalisation = standard_floats(rows[:150])
    data = problems.dataset(rows[:150], labels[:150], rows[150:], labels[150:], normalisation=normalisation)
    model = problems.network((4,), L.Dense(2))
    return data, problems.posterior_of(problems.ticket_of(model, data), data)


def drawn(tumours, hooks=None, **values):
    splits = {"validation": tumours[0].split("validation")}
    return run_chain(tumours[1], SampleConfig(warmup=20, **values), 1, 0, splits, hooks=hooks)


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("cycle", [None, 4])
@pytest.mark.parametrize("method", METHODS)
def test_a_chain_that_is_cut_goes_on_to_the_same_bits(method, cycle, preconditioned, tumours, tmp_path):
    options = {"draws_per_cycle": cycle, "preconditioned": preconditioned, "batch_size": 40, "steps_per_draw": 4}
    options |= {"method": method, "draws": 10}
    whole, path = drawn(tumours, **options), tmp_path / "chain.safetensors"
    assert str(whole.adaptation.windows) == "20"
    assert not any(whole.sample_stats["diverging"])
    most = SampleConfig(warmup=20, **options).most_gradients(150)
    assert sum(whole.sample_stats["n_steps"]) == pytest.approx(most, rel=0.2 if cycle else 0.01)
    for end in (7, 22):
        stop = itertools.count()
        save = lambda chain, position, results, _: write_checkpoint(path, chain, position, results, 0, {})  # noqa: E731
        with pytest.raises(Stopped):
            drawn(tumours, Hooks(save=save, should_stop=lambda end=end, stop=stop: next(stop) == end), **options)
        resumed = drawn(tumours, Hooks(resume=read_checkpoint(path)[:3]), **options)
        assert resumed.sample_stats["temperature"] == whole.sample_stats["temperature"]
        np.testing.assert_array_equal(resumed.mean, whole.mean)


@pytest.mark.parametrize("method", METHODS)
def test_a_step_that_overflows_is_told_and_not_taken(method, tumours):
    chain = drawn(tumours, method=method, draws=2, steps_per_draw=5, learning_rate=1e300)
    assert all(chain.sample_stats["diverging"])
    assert len(set(chain.sample_stats["log_density"])) == 1


def observed(tumours, **values):
    """Log likelihoods and weights, [draws, 11]."""
    saved = []
    chain = drawn(tumours, Hooks(save=lambda *parts: saved.append(parts[-1])), **values)
    return np.column_stack([chain.sample_stats["log_likelihood"][20:], np.concatenate(saved)])


@pytest.fixture(scope="module")
def exact(tumours):
    return observed(tumours, method="mams", draws=500)[100:]


@pytest.mark.parametrize(("method", "rate", "preconditioned"), [("sgld", 0.02, True), ("sghmc", 0.05, False)])
def test_the_posterior_of_a_regression_is_that_of_an_adjusted_sampler(method, rate, preconditioned, tumours, exact):
    options = {"method": method, "learning_rate": rate, "preconditioned": preconditioned, "friction": 0.5}
    draws = observed(tumours, draws=600, batch_size=75, steps_per_draw=20, **options)[100:]
    for own, other in ((draws, exact), ((draws - exact.mean(axis=0)) ** 2, (exact - exact.mean(axis=0)) ** 2)):
        error = other.std(axis=0) / np.sqrt(problems.effective(other))
        assert problems.worst_difference(own, other.mean(axis=0), error) < 4.5
