"""Chains: cut off and gone on with, cut into pieces, started where they cannot start. Needs TensorFlow."""

import copy

import arviz
import numpy as np
import pytest

from tests.sampling.problems import L, dataset, network, posterior_of, random_data, small_network, ticket_of
from tfticket.config import SampleConfig
from tfticket.errors import InputError, Stopped
from tfticket.evaluation.metrics import log_probabilities
from tfticket.sampling import hmc
from tfticket.sampling.chain import PROBES, Hooks, run_chain
from tfticket.sampling.chain_files import read_checkpoint, write_checkpoint

WARMUP, DRAWS = 20, 12


def problem(**values):
    """A small posterior, its options, and rows to predict."""
    data = random_data(np.random.default_rng(0), (2, 2, 1), rows=30)
    ticket = ticket_of(network((2, 2, 1), L.Flatten(), L.Dense(3)), data)
    config = SampleConfig(**{"warmup": WARMUP, "draws": DRAWS, "max_tree_depth": 4, "leapfrog_steps": 5} | values)
    posterior = posterior_of(ticket, data, threads=1, **values)
    splits = {"validation": data.split("validation"), "test": (data.x_test[:7], data.y_test[:7])}
    return posterior, config, splits


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


def run(posed, hooks=None, chain=0, seed=3, **options):
    """A chain and all of its draws that were kept."""
    posterior, config, splits = posed
    saved = Saved()
    found = run_chain(posterior, config, seed, chain, splits, hooks=Hooks(save=saved, **options))
    return found, saved


def untimed(history):
    return [{name: value for name, value in row.items() if name != "gradients_per_second"} for row in history]


def assert_same(first, second):
    """All but the clock."""
    assert first.done == second.done
    assert first.kept == second.kept
    assert set(first.sample_stats) == set(second.sample_stats)
    for name in set(first.sample_stats) - {"seconds"}:
        np.testing.assert_array_equal(first.sample_stats[name], second.sample_stats[name], err_msg=name)
    np.testing.assert_array_equal(np.array(first.probes), np.array(second.probes))
    assert set(first.sums) == set(second.sums)
    for name, sums in first.sums.items():
        np.testing.assert_array_equal(sums, second.sums[name])
    np.testing.assert_array_equal(first.mean, second.mean)
    assert untimed(first.history) == untimed(second.history)
    np.testing.assert_array_equal(first.adaptation.inverse_mass_sqrt, second.adaptation.inverse_mass_sqrt)
    assert first.adaptation.step_size == second.adaptation.step_size
    assert first.adaptation.dual == second.adaptation.dual


@pytest.fixture(scope="module", params=["nuts", "hmc"])
def whole(request):
    """A problem, its undisturbed chain, and what it was saved as after each draw."""
    posed = problem(method=request.param, warmup_tree_depth=3)
    return posed, *run(posed, save_seconds=0.0)


def test_how_often_a_chain_is_saved_changes_no_bit(whole):
    posed, chain, saved = whole
    rarely, once = run(posed)
    assert len(once.draws) == 1
    assert list(saved.states) == list(range(1, WARMUP + DRAWS + 1))
    assert_same(chain, rarely)
    np.testing.assert_array_equal(saved.theta, once.theta)


@pytest.mark.parametrize("done", [13, WARMUP, WARMUP + 7])
def test_a_chain_that_was_cut_off_goes_on_to_the_same_bits(whole, done):
    posed, chain, saved = whole
    resumed, rest = run(posed, resume=copy.deepcopy(saved.states[done]))
    assert_same(chain, resumed)
    np.testing.assert_array_equal(saved.theta[max(0, done - WARMUP) :], rest.theta)


def test_a_checkpoint_on_disk_goes_on_to_the_same_bits(whole, tmp_path):
    posed, chain, saved = whole
    path = tmp_path / "checkpoint.safetensors"
    write_checkpoint(path, *saved.states[13], 2, {"note": 1})
    *state, files, notes = read_checkpoint(path)
    assert (files, notes) == (2, {"note": 1})
    resumed, _ = run(posed, resume=tuple(state))
    assert_same(chain, resumed)


def test_a_chain_that_was_asked_to_stop_has_saved_its_draws_and_goes_on(whole):
    posed, chain, saved = whole
    told = []
    stopped = Saved()
    hooks = Hooks(save=stopped, on_draw=lambda number, row: told.append(number), should_stop=lambda: len(told) == 25)
    with pytest.raises(Stopped):
        run_chain(*posed[:2], 3, 0, posed[2], hooks=hooks)
    assert told == list(range(1, 26))
    assert list(stopped.states) == [25]
    resumed, rest = run(posed, resume=stopped.states[25])
    assert_same(chain, resumed)
    np.testing.assert_array_equal(saved.theta, np.concatenate([stopped.theta, rest.theta]))


def test_chains_and_seeds_differ_from_the_first_draw_on(whole):
    posed, chain, _ = whole
    for options in ({"chain": 1}, {"seed": 4}):
        other, _ = run(posed, **options)
        assert other.sample_stats["log_density"][0] != chain.sample_stats["log_density"][0]


def test_what_a_chain_tells_is_true_of_its_draws(whole):
    (posterior, _, splits), chain, saved = whole
    assert chain.done == WARMUP + DRAWS
    assert chain.draws == chain.kept == len(chain.probes) == DRAWS
    assert all(len(values) == WARMUP + DRAWS for values in chain.sample_stats.values())
    theta = saved.theta.astype(float)
    np.testing.assert_allclose(chain.mean, theta.mean(axis=0), rtol=1e-5, atol=1e-6)
    probes = posterior.engine.prepare(splits["validation"][0][:PROBES])
    for number, draw in enumerate(theta):
        at = WARMUP + number
        assert chain.sample_stats["log_density"][at] == pytest.approx(
            posterior.log_density_and_gradient(draw)[0], rel=1e-5
        )
        likelihood = posterior.engine.log_likelihood_and_gradient(draw)[0]
        assert chain.sample_stats["log_likelihood"][at] == pytest.approx(likelihood, rel=1e-5)
        np.testing.assert_allclose(chain.probes[number], posterior.engine.logits(draw, probes).ravel(), atol=1e-4)
    for name, (images, _) in splits.items():
        prepared = posterior.engine.prepare(images)
        each = [np.exp(log_probabilities(posterior.engine.logits(draw, prepared))) for draw in theta]
        np.testing.assert_allclose(chain.probabilities(name), np.mean(each, axis=0), atol=1e-5)
    assert [row["iteration"] for row in chain.history] == [10, 20, 30, 32]
    assert [bool(row["warmup"]) for row in chain.history] == [True, True, False, False]
    labels = splits["validation"][1]
    nll = -np.log(chain.probabilities("validation")[np.arange(len(labels)), labels]).mean()
    assert chain.history[-1]["nll"] == pytest.approx(nll)
    assert {"test_accuracy", "test_nll"} <= set(chain.history[-1])
    assert chain.history[-1]["loss"] == pytest.approx(-chain.sample_stats["log_likelihood"][-1] / 30)


def test_each_evaluation_tells_how_the_sampler_does_in_its_phase(whole):
    (_, config, _), chain, _ = whole
    for row in chain.history:
        begin = 0 if row["warmup"] else WARMUP
        told = {name: np.array(values[begin : row["iteration"]]) for name, values in chain.sample_stats.items()}
        assert row["divergences"] == told["diverging"].sum()
        assert row["capped"] == told["reached_max_treedepth"].mean()
        assert row["e_bfmi"] == pytest.approx(arviz.bfmi(told["energy"])[0])
        assert row["gradients_per_second"] == pytest.approx(told["n_steps"].sum() / told["seconds"].sum())
    if config.method == "nuts":
        assert chain.history[1]["capped"] > 0


def test_of_two_draws_there_is_no_e_bfmi():
    chain, _ = run(problem(method="hmc", evaluate_every=1))
    told = {row["iteration"] for row in chain.history if "e_bfmi" in row}
    assert told == set(range(1, WARMUP + DRAWS + 1)) - {1, 2, WARMUP + 1, WARMUP + 2}


@pytest.mark.parametrize(("cap", "samplers"), [(None, 1), (4, 1), (3, 2)])
def test_a_sampler_is_built_anew_after_the_warm_up_only_for_another_cap(monkeypatch, cap, samplers):
    built = []

    def build(log_density, config, warming_up):
        built.append(warming_up)
        return hmc.build(log_density, config, warming_up)

    monkeypatch.setattr("tfticket.sampling.chain.resolve", lambda target: build)
    run(problem(method="hmc", warmup_tree_depth=cap))
    assert built == [True, False][:samplers]


def test_after_the_warm_up_step_size_and_mass_hold(whole):
    _, chain, saved = whole
    assert len(set(chain.sample_stats["step_size"][WARMUP:])) == 1
    assert len(set(chain.sample_stats["step_size"][:WARMUP])) > 10
    np.testing.assert_array_equal(
        saved.states[WARMUP][0].adaptation.inverse_mass_sqrt, chain.adaptation.inverse_mass_sqrt
    )


def test_the_warm_up_has_its_own_cap(whole):
    (_, config, _), chain, _ = whole
    if config.method == "nuts":
        depths = np.array(chain.sample_stats["tree_depth"])
        assert depths[:WARMUP].max() == 3
        assert depths[WARMUP:].max() <= 4


def test_of_so_many_draws_one_is_kept_and_predictions_use_all():
    posed = problem(method="hmc", thinning=5)
    thinned, some = run(posed, save_seconds=0.0)
    chain, saved = run(problem(method="hmc"))
    np.testing.assert_array_equal(some.theta, saved.theta[::5])
    assert thinned.kept == 3
    np.testing.assert_array_equal(thinned.probabilities("test"), chain.probabilities("test"))
    resumed, rest = run(posed, resume=copy.deepcopy(some.states[WARMUP + 7]))
    assert_same(thinned, resumed)
    np.testing.assert_array_equal(rest.theta, some.theta[2:])


@pytest.mark.parametrize("method", ["nuts", "hmc"])
def test_a_chain_by_the_keras_engine_follows_that_of_the_sparse_one(method):
    """As far as float32 lets it: a few draws."""
    chains = [run(problem(method=method, engine=engine))[0] for engine in ("sparse", "keras")]
    for name in ("log_density", "energy", "n_steps"):
        first, second = (chain.sample_stats[name][:8] for chain in chains)
        np.testing.assert_allclose(first, second, rtol=1e-2)


def test_a_chain_may_begin_at_the_tickets_weights():
    data = random_data(np.random.default_rng(0), (2, 2, 1), rows=30)
    ticket = ticket_of(network((2, 2, 1), L.Flatten(), L.Dense(3)), data)
    config = SampleConfig(method="hmc", warmup=20, draws=1, leapfrog_steps=1, prior="uniform(-2, 2)")
    posterior = posterior_of(ticket, data, prior="uniform(-2, 2)")
    start = posterior.layout.pack(ticket.start)
    expected, _ = posterior.log_density_and_gradient(posterior.prior.unconstrain(start))
    near = run_chain(posterior, config, 0, 0, {"validation": data.split("validation")}, start=start)
    assert abs(near.sample_stats["log_density"][0] - expected) < 10


def test_a_bounded_prior_gives_bounded_draws():
    _, saved = run(problem(method="hmc", prior="uniform(-0.5, 0.25)"))
    kernels = saved.theta[:, :12]
    assert kernels.min() >= -0.5
    assert kernels.max() <= 0.25


# Where a chain cannot go on


def refused_start(prior, start=None):
    """The paths of a network of two layers, and what is said of a chain that cannot begin; start: path -> theta."""
    data = random_data(np.random.default_rng(0), (4, 4, 1))
    posterior = posterior_of(ticket_of(small_network("relu"), data), data, prior=prior)
    paths, theta = list(posterior.layout.slices), None
    if start is not None:
        theta = np.zeros(posterior.size)
        for number, value in start.items():
            theta[posterior.layout.slices[paths[number]]] = value
    with pytest.raises(InputError) as refused:
        run_chain(posterior, SampleConfig(), 0, 0, {"validation": data.split("validation")}, start=theta)
    return paths, str(refused.value)


def names(paths, said):
    return {path for path in paths if path in said}


def test_a_draw_of_the_prior_too_large_for_the_network_names_the_largest_tensor():
    paths, said = refused_start("normal(0, 1e30)")
    assert said.startswith("The log density at the chain's start is ")
    assert "e+30, are in " in said
    assert names(paths, said) == {paths[0]}
    assert said.endswith("Take a narrower prior, or start: ticket for the ticket's own start weights.")


@pytest.mark.parametrize(("bad", "verb"), [([2], "has"), ([0, 2], "have")])
def test_a_tickets_start_that_is_not_finite_names_its_tensors_alone(bad, verb):
    paths, said = refused_start("normal(0, 1)", dict.fromkeys(bad, np.nan))
    assert f"{', '.join(paths[number] for number in bad)} {verb} weights that are not finite" in said
    assert names(paths, said) == {paths[number] for number in bad}
    assert said.endswith("Take a ticket with other start weights, or start: prior for a draw from the prior.")


def test_a_tickets_start_that_is_too_large_is_not_answered_by_itself():
    paths, said = refused_start("normal(0, 1)", {0: 1.0, 2: 1e200})
    assert names(paths, said) == {paths[2]}
    assert "start: ticket" not in said


def test_a_prediction_that_is_surely_wrong_is_told_without_a_warning():
    images = np.full((8, 1, 1, 1), 255, np.uint8)
    data = dataset(images, np.tile([0, 1], 4), images, np.ones(8, int))
    ticket = ticket_of(network((1, 1, 1), L.Flatten(), L.Dense(2, use_bias=False)), data)
    posterior = posterior_of(ticket, data, likelihood_power=1e-6, prior="normal(0, 1e6)")
    config = SampleConfig(method="hmc", warmup=20, draws=2, leapfrog_steps=1, evaluate_every=1)
    chain = run_chain(posterior, config, 0, 0, {"validation": data.split("validation")})
    assert all(not np.isnan(row["nll"]) for row in chain.history)
