"""Chains: against a known posterior, interrupted anywhere, and started where they cannot start. Needs TensorFlow."""

import copy
import functools

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from tests.sampling import problems
from tests.sampling.problems import L, dataset, network, posterior_of, random_data, ticket_of
from tfticket.config import SampleConfig
from tfticket.errors import InputError, Stopped
from tfticket.evaluation.metrics import log_probabilities
from tfticket.sampling.chain import PROBES, Hooks, run_chain
from tfticket.sampling.chain_files import read_checkpoint, write_checkpoint
from tfticket.sampling.starts import ascend

WARMUP, DRAWS = 20, 12


def problem(**values):
    """A small posterior, its options, and rows to predict."""
    data = random_data(np.random.default_rng(0), (2, 2, 1), rows=30)
    ticket = ticket_of(network((2, 2, 1), L.Flatten(), L.Dense(3)), data)
    options = {"method": "hmc", "warmup": WARMUP, "draws": DRAWS, "max_tree_depth": 4, "leapfrog_steps": 5} | values
    splits = {"validation": data.split("validation"), "test": (data.x_test[:7], data.y_test[:7])}
    return posterior_of(ticket, data, **values), SampleConfig(**options), splits


class Saved:
    """All that a chain hands out to be saved, as it is at that time."""

    def __init__(self):
        self.states, self.draws = {}, []

    def __call__(self, chain, position, results, draws):
        self.states[chain.done] = copy.deepcopy((chain, position, results))
        self.draws.append(draws)

    @property
    def theta(self):
        return np.concatenate(self.draws)


def run(posed, chain=0, seed=3, start=None, saved=None, **hooks):
    """A chain, and all that was saved of it."""
    posterior, config, splits = posed
    saved = Saved() if saved is None else saved
    return run_chain(posterior, config, seed, chain, splits, start, Hooks(save=saved, **hooks)), saved


def parts(chain):
    """All of a chain but the clock."""
    values = vars(copy.deepcopy(chain))
    del values["sample_stats"]["seconds"], values["tuning_seconds"]
    for row in values["history"]:
        del row["gradients_per_second"]
    adaptation = vars(values.pop("adaptation"))
    return values | {"adaptation": adaptation | {"metric": vars(adaptation["metric"])}}


@functools.cache
def whole_chain(method):
    """A problem, its undisturbed chain, and what was saved after each draw."""
    posed = problem(method=method, warmup_tree_depth=3)
    return posed, *run(posed, save_seconds=0.0)


@pytest.fixture(params=["nuts", "hmc"])
def whole(request):
    return whole_chain(request.param)


def test_a_chain_resumes_from_a_checkpoint_to_the_same_bits_however_often_it_is_saved(whole, tmp_path):
    posed, chain, saved = whole
    assert list(saved.states) == list(range(1, WARMUP + DRAWS + 1))
    for done in [WARMUP + 7] if posed[1].method == "nuts" else [13, WARMUP, WARMUP + 7]:  # NUTS compiles slowly
        write_checkpoint(tmp_path / "checkpoint.safetensors", *saved.states[done], 2, {"note": 1})
        *state, files, notes = read_checkpoint(tmp_path / "checkpoint.safetensors")
        assert (files, notes) == (2, {"note": 1})
        resumed, rest = run(posed, resume=tuple(state))
        assert len(rest.draws) == 1
        np.testing.assert_equal(parts(resumed), parts(chain))
        np.testing.assert_array_equal(saved.theta[max(0, done - WARMUP) :], rest.theta)


def test_a_chain_that_is_stopped_has_saved_its_thinned_draws_and_resumes_and_others_differ():
    posed, numbers, stopped = problem(thinning=5, evaluate_every=1), [], Saved()
    chain, saved = run(posed)
    _, every, whole = whole_chain("hmc")
    np.testing.assert_array_equal(saved.theta, whole.theta[::5])
    assert chain.kept == 3
    np.testing.assert_array_equal(chain.probabilities("test"), every.probabilities("test"))
    on_draw = {"on_draw": lambda number, row: numbers.append(number), "should_stop": lambda: len(numbers) == 27}
    with pytest.raises(Stopped):
        run(posed, saved=stopped, **on_draw)
    assert (numbers, list(stopped.states)) == (list(range(1, 28)), [27])
    resumed, rest = run(posed, resume=stopped.states[27])
    np.testing.assert_equal(parts(resumed), parts(chain))
    np.testing.assert_array_equal(saved.theta, np.concatenate([stopped.theta, rest.theta]))
    with_e_bfmi = {row["iteration"] for row in chain.history if "e_bfmi" in row}  # which needs three draws
    assert with_e_bfmi == {*range(1, WARMUP + DRAWS + 1)} - {1, 2, WARMUP + 1, WARMUP + 2}
    firsts = [chain.sample_stats["log_density"][0]]
    hooks = {"on_draw": lambda number, row: firsts.append(row["log_density"])}
    for options in ({"chain": 1}, {"seed": 4}):
        with pytest.raises(Stopped):  # after a draw
            run(posed, **options, **hooks, should_stop=iter((False, True)).__next__)
    assert len({*firsts}) == len(firsts) == 3


def test_the_records_of_a_chain_are_those_of_its_draws(whole):
    (posterior, config, splits), chain, saved = whole
    stats = {name: np.array(values) for name, values in chain.sample_stats.items()}
    assert chain.done == WARMUP + DRAWS == len(stats["energy"])
    assert chain.draws == chain.kept == len(chain.probes) == DRAWS
    theta, engine = saved.theta.astype(float), posterior.engine
    np.testing.assert_allclose(chain.mean, theta.mean(axis=0), rtol=1e-5, atol=1e-6)
    densities = [posterior.log_density_and_gradient(draw)[0] for draw in theta]
    np.testing.assert_allclose(stats["log_density"][WARMUP:], densities, rtol=1e-5)
    likelihoods = [engine.log_likelihood_and_gradient(draw)[0] for draw in theta]
    np.testing.assert_allclose(stats["log_likelihood"][WARMUP:], likelihoods, rtol=1e-5)
    probes = engine.prepare(splits["validation"][0][:PROBES])
    np.testing.assert_allclose(chain.probes, [engine.logits(draw, probes).ravel() for draw in theta], atol=1e-4)
    for name, (images, labels) in splits.items():
        rows = engine.prepare(images)
        predicted = np.mean([np.exp(log_probabilities(engine.logits(draw, rows))) for draw in theta], axis=0)
        np.testing.assert_allclose(chain.probabilities(name), predicted, atol=1e-5)
        nll = -np.log(predicted[np.arange(len(labels)), labels]).mean()
        assert chain.history[-1]["nll" if name == "validation" else "test_nll"] == pytest.approx(nll, abs=1e-4)
    assert chain.history[-1]["loss"] == pytest.approx(-stats["log_likelihood"][-1] / 30)
    assert [(row["iteration"], row["warmup"]) for row in chain.history] == [(10, 1), (20, 1), (30, 0), (32, 0)]
    for row in chain.history:
        phase = {name: values[0 if row["warmup"] else WARMUP : row["iteration"]] for name, values in stats.items()}
        assert row["divergences"] == phase["diverging"].sum()
        assert row["capped"] == phase["reached_max_treedepth"].mean()
        assert row["e_bfmi"] == pytest.approx(array_stats.bfmi(phase["energy"][None])[0])
        assert row["gradients_per_second"] == pytest.approx(phase["n_steps"].sum() / phase["seconds"].sum())
    assert len({*stats["step_size"][WARMUP:]}) == 1  # which hold after the warm-up, as does the mass
    assert len({*stats["step_size"][:WARMUP]}) > 10
    metric = saved.states[WARMUP][0].adaptation.metric
    np.testing.assert_array_equal(metric.scale, chain.adaptation.metric.scale)
    if config.method == "nuts":  # whose trees may have another depth in the warm-up
        assert (stats["tree_depth"][:WARMUP].max(), stats["tree_depth"].max()) == (3, 4)


def test_a_trained_start_is_the_mode_that_scikit_learn_finds_and_its_gradients_count():
    """Of logistic regression, whose posterior has one mode; without biases, which scikit-learn gives no prior."""
    posed = logistic()
    posterior, config, splits = posed
    u = ascend(posterior, np.random.default_rng(0), 1500)
    x = splits["validation"][0].reshape(-1, 4) / 255
    reference = LogisticRegression(fit_intercept=False, tol=1e-10, max_iter=10_000).fit(x, splits["validation"][1])
    np.testing.assert_allclose(softmax(x @ u.reshape(4, 3), axis=1), reference.predict_proba(x), atol=2e-3)
    gradients = []
    for start in ("prior", "trained"):
        options = config.model_copy(update={"start": start, "start_gradients": 300})
        chain, saved = run((posterior, options, splits))
        first = saved.states[WARMUP + DRAWS][0].tuning_gradients
        assert chain.gradients == first + sum(chain.sample_stats["n_steps"])
        gradients.append(first)
    assert 300 <= gradients[1] <= 300 + gradients[0] + 20


def logistic():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 30)
    images = np.clip(random.integers(0, 120, (30, 4)) + 50 * (labels[:, None] == np.arange(4)), 0, 255)
    data = dataset(images.reshape(30, 2, 2, 1).astype(np.uint8), labels, classes=3)
    ticket = ticket_of(network((2, 2, 1), L.Flatten(), L.Dense(3, use_bias=False)), data)
    config = SampleConfig(method="hmc", warmup=WARMUP, draws=DRAWS, leapfrog_steps=5)
    return posterior_of(ticket, data), config, {"validation": data.split("validation")}


def test_weights_that_change_no_output_are_drawn_from_the_prior_and_others_are_not():
    """Two of five hidden units lead nowhere: their biases and what feeds them."""
    random, model = np.random.default_rng(0), problems.small_network()
    data = random_data(random, (4, 4, 1))
    ticket = ticket_of(model, data)
    first, last = ticket.mask
    mask = {first: ticket.mask[first], last: ticket.mask[last].copy()}
    mask[last][:2] = False
    ticket = ticket_of(model, data, mask, ticket.start)
    config = SampleConfig(method="hmc", warmup=20, draws=400, leapfrog_steps=2, other_prior="normal(0, 3)")
    posterior = posterior_of(ticket, data, other_prior="normal(0, 3)")
    assert posterior.unused.sum() == 2 * (16 + 1)
    chain, saved = run((posterior, config, {"validation": data.split("validation")}))
    theta = saved.theta.astype(float)
    scale = posterior.layout.pack(
        {path: 1.0 + 2.0 * (path not in mask) + 0 * array for path, array in ticket.start.items()}
    )
    unused = (theta / scale)[:, posterior.unused]
    assert stats.kstest(unused.ravel(), "norm").pvalue > 1e-4
    assert np.abs(np.corrcoef(unused[1:, 0], unused[:-1, 0])[0, 1]) < 0.2
    likelihoods = [posterior.engine.log_likelihood_and_gradient(draw)[0] for draw in theta[:3]]
    np.testing.assert_allclose(chain.sample_stats["log_likelihood"][20:23], likelihoods, rtol=1e-5)


def test_a_chain_by_the_keras_engine_follows_that_by_the_sparse_one():
    """As far as float32 lets it: a few draws."""
    sparse, keras = (run(problem(engine=engine, draws=1))[0].sample_stats for engine in ("sparse", "keras"))
    for name in ("log_density", "energy", "n_steps"):
        np.testing.assert_allclose(sparse[name][:8], keras[name][:8], rtol=1e-2)


def test_a_chain_has_the_posterior_by_quadrature():
    """Two bounded weights of a logistic regression, from a start within the bounds."""
    images = np.random.default_rng(0).integers(0, 256, (15, 1, 1, 1)).astype(np.uint8)
    data = dataset(images, (images.ravel() > 100).astype(int))
    ticket = ticket_of(network((1, 1, 1), L.Flatten(), L.Dense(2, use_bias=False)), data)
    options = {"prior": "uniform(-1, 3)", "likelihood_power": 0.7}
    config = SampleConfig(method="hmc", warmup=50, draws=250, leapfrog_steps=3, evaluate_every=300, **options)
    posterior, evaluated, start = posterior_of(ticket, data, **options), [], np.array([0.25, -0.5])
    density = posterior.log_density_and_gradient
    posterior.log_density_and_gradient = lambda u: evaluated.append(u) or density(u)
    chain, saved = run((posterior, config, {"validation": data.split("validation")}), start=start)
    np.testing.assert_allclose(posterior.prior.constrain(evaluated[0]), start)
    axis, x = np.linspace(-1, 3, 61)[:-1] + 1 / 30, images.reshape(-1, 1) / 255
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    weights = softmax([0.7 * problems.label_log_likelihood(x @ theta[None], data.y_train) for theta in grid])
    theta, centre = saved.theta.astype(float), weights @ grid
    moments, expected = (
        np.concatenate([at, (at - centre) ** 2, (at - centre).prod(axis=1, keepdims=True)], axis=1)
        for at in (theta, grid)
    )
    assert problems.worst_difference(moments, weights @ expected) < 4
    predicted = np.tensordot(weights, [softmax(x @ theta[None], axis=1) for theta in grid], axes=1)
    np.testing.assert_allclose(chain.probabilities("validation"), predicted, atol=0.03)


def test_a_prediction_that_is_surely_wrong_has_a_finite_loss():
    images = np.full((8, 1, 1, 1), 255, np.uint8)
    data = dataset(images, np.tile([0, 1], 4), images, np.ones(8, int))
    ticket = ticket_of(network((1, 1, 1), L.Flatten(), L.Dense(2, use_bias=False)), data)
    posterior = posterior_of(ticket, data, likelihood_power=1e-6, prior="normal(0, 1e6)")
    config = SampleConfig(method="hmc", warmup=20, draws=2, leapfrog_steps=1, evaluate_every=1)
    chain, _ = run((posterior, config, {"validation": data.split("validation")}))
    assert np.isfinite([row["nll"] for row in chain.history]).all()


@pytest.mark.parametrize(("prior", "start", "at_fault"), [
    ("normal(0, 1e30)", None, [0]),  # the largest weights
    ("normal(0, 1)", {2: np.nan}, [2]),
    ("normal(0, 1)", {0: np.nan, 2: np.nan}, [0, 2]),
    ("normal(0, 1)", {0: 1.0, 2: 1e200}, [2]),
])  # fmt: skip
def test_a_start_that_is_not_finite_or_too_large_is_refused_with_its_tensors(prior, start, at_fault):
    data = random_data(np.random.default_rng(0), (4, 4, 1))
    posterior = posterior_of(ticket_of(problems.small_network("relu"), data), data, prior=prior)
    paths, theta = list(posterior.layout.slices), None if start is None else np.zeros(posterior.size)
    for number, value in (start or {}).items():
        theta[posterior.layout.slices[paths[number]]] = value
    with pytest.raises(InputError) as error:
        run((posterior, SampleConfig(), {"validation": data.split("validation")}), start=theta)
    assert (error.value.field, error.value.suggestion) == ("sample.start", "ticket" if start is None else "prior")
    assert [number for number, path in enumerate(paths) if path in str(error.value)] == at_fault
