"""The experiment of "Bayes always wins the lottery in Monte Carlo": a run on real data. Needs TensorFlow."""

import re
import shutil
import signal
import sys
import time
from collections import Counter
from subprocess import DEVNULL

import numpy as np
import pytest
import xarray
import yaml
from safetensors.numpy import load_file
from tfticket._experiments.bayes_always_wins import BayesAlwaysWins, Config

from tests.plans import DIGITS, Run, assert_planned, assert_same, differ
from tests.processes import execute, started, wait_for
from tests.refusals import refused
from tests.tables import refusals
from tfticket import build_model, load_data
from tfticket.config.schema import validate
from tfticket.errors import InputError
from tfticket.evaluation.predictive import predict
from tfticket.presets import load_experiment, merge, presets
from tfticket.reports.rows import rows_of
from tfticket.runs.files import read_json
from tfticket.runs.lease import holder_of
from tfticket.runs.run_folder import find_run
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.sampling.build_posterior import check_engine
from tfticket.sampling.chain_files import draw_files
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights

VALUES = {
    "experiment": "bayes-always-wins",
    "name": "bayes",
    "data": DIGITS,
    "model": {"name": "lenet-300-100"},
    "train": {"epochs": "5it", "batch_size": 50},
    "prune": {"levels": 1, "rate": 0.9},
    "controls": ["reinitialise", "shuffle-layerwise"],
    "control_densities": [0.1],
    "replicates": 2,
    "seeds": [0],
    "evaluation_passes": 1,
    "chains": 2,
    "sample": {"warmup": 20, "draws": 16, "evaluate_every": 4, "max_tree_depth": 3},
    "svi": {
        "train": {"epochs": "6it", "batch_size": 50, "objective": {"draws": 2, "evaluation_draws": 2}},
        "population": {"members": 2, "generations": 2},
    },
    "execution": {"processes": 1, "checkpoint_seconds": 0},
}
EXPERIMENT = BayesAlwaysWins()
SVI = ("svi", "svi-tuned", "svi-unscaled")


def config_of(changes=None):
    return validate(Config, merge(VALUES, dict(changes or {})), where="here")


def chains(workspace):
    """Everything but times of each chain: its draws as one array, its statistics, its predictions."""
    tensors = {}
    for folder in sorted((workspace / "steps").glob("sample-*")):
        chain = load_file(folder / "chain.safetensors")
        chain.pop("told/seconds")
        draws = [load_file(file)["theta"] for file in draw_files(folder)]
        assert [file.name for file in draw_files(folder)] == [f"{n + 1:06d}.safetensors" for n in range(len(draws))]
        tensors[folder.name] = chain | {"draws": np.concatenate(draws)}
    return tensors


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_xla):
    return Run(tmp_path_factory.mktemp("workspace"), EXPERIMENT, config_of())


def test_tickets_are_sampled_beside_trainings_an_ensemble_and_inference(run, call):
    rows = {row.arm.key: row for row in rows_of(find_run(run.workspace, "bayes")) if row.level == 1}
    trained = {"ticket", "reinitialise", "shuffle-layerwise"}
    assert {*rows} == trained | {"ensemble reinitialise", "ensemble shuffle-layerwise", "nuts", *SVI}
    assert len({row.density for row in rows.values()}) == 1
    (verdict,) = [note for note in run.notes if "seed 0, level 1, nuts" in note]
    assert "not converged" in verdict
    (pool,) = run.workspace.glob("steps/pool-*/result.json")
    diagnostics = read_json(pool)["result"]["diagnostics"]
    assert (diagnostics["chains"], diagnostics["draws"], len(diagnostics["e_bfmi"])) == (2, [16, 16], 2)
    code, out, err = call("report", "bayes", "-w", run.workspace)
    assert (code, "not converged" in " ".join(out.split())) == (0, True), err
    figure = find_run(run.workspace, "bayes").folder / "report" / "chains-nuts-seed-0-level-1.png"
    assert figure.stat().st_size > 10_000


def test_a_plan_lists_the_steps_that_a_run_takes_and_counts_its_trainings(run):
    assert_planned(run.workspace, config_of())
    expected = {"train": 2 + 4 + 3, "member": 4, "sample": 2}  # levels, controls, SVI; members x generations; chains
    kinds = Counter(step.kind for step in run.steps)
    assert {kind: kinds[kind] for kind in expected} == expected
    assert run.counted.trainings == run.counted.done == sum(expected.values()) == EXPERIMENT.plan(config_of()).trainings


def accuracy_of(probabilities):
    return pytest.approx((probabilities.argmax(axis=1) == load_data(**DIGITS).y_test).mean())


def test_the_pooled_prediction_is_the_mean_of_all_draws(run):
    mean = sum(chain["sums/test"] for chain in chains(run.workspace).values()) / 32
    np.testing.assert_allclose(mean.sum(axis=1), 1.0)
    (pool,) = run.workspace.glob("steps/pool-*/result.json")
    assert read_json(pool)["result"]["test"]["accuracy"] == accuracy_of(mean)


def test_an_ensemble_is_the_mean_of_its_members_each_under_its_own_mask(run):
    data = load_data(**DIGITS)
    rows = {row.arm.key: row for row in rows_of(find_run(run.workspace, "bayes"))}
    for control in ("reinitialise", "shuffle-layerwise"):
        inputs = read_json(run.folder("ensemble", f"ensemble {control}") / "config.json")["inputs"]
        probabilities = []
        for folder in (run.workspace / "steps" / name for role, name in inputs.items() if role != "ticket"):
            ticket = Ticket.load(run.input("ticket", folder) / TICKET)
            weights, _ = load_weights(folder / WEIGHTS)
            probabilities.append(np.exp(predict(ticket.model, ticket.mask, weights, data.x_test)))
        assert len(probabilities) == 2
        mean, row = np.mean(probabilities, axis=0), rows[f"ensemble {control}"]
        assert row.test["accuracy"] == accuracy_of(mean)
        likelihoods = mean[np.arange(len(mean)), data.y_test]
        assert row.test["nll"] == pytest.approx(-np.log(likelihoods).mean(), rel=1e-6)


def test_inference_trains_the_tickets_mask_with_the_winners_kl_weights(run):
    last = [step for step in run.steps if step.kind == "member" and step.label["generation"] == 1]
    results = [read_json(step.path / "result.json")["result"]["validation"]["nll"] for step in last]
    winner = last[np.argmin(results)].label["weights"]
    assert (len(last), sorted(winner)) == (2, ["dense_1", "dense_2", "dense_3"])
    ticket, weights = run.ticket("ticket"), []
    for arm, expected in {"svi": {}, "svi-tuned": winner, "svi-unscaled": {}}.items():
        training = read_json(run.folder("train", arm) / "config.json")["config"]["train"]
        assert training["objective"]["kl_weights"] == expected
        assert_same(run.ticket(arm).mask, ticket.mask)
        assert differ(ticket.start, run.ticket(arm).start)
        assert differ(run.weights("ticket"), run.ticket(arm).start)
        weights.append(run.weights(arm))
    assert all(differ(weights[one], weights[other]) for one, other in ((0, 1), (0, 2), (1, 2)))
    starts = [Ticket.load(run.input("ticket", step.path) / TICKET) for step in last]
    assert differ(*(start.start for start in starts))
    for start in starts:
        assert_same(start.mask, ticket.mask)


def test_chains_open_in_arviz_with_the_standard_names(run, tmp_path, call):
    out = tmp_path / "chains.nc"
    code, _, err = call("export", "bayes", "-w", run.workspace, "--out", out)
    assert code == 0, err
    data = xarray.open_datatree(out)
    names = {"diverging", "energy", "tree_depth", "n_steps", "acceptance_rate", "step_size", "lp"}
    assert names <= set(data.sample_stats)
    assert data.sample_stats.sizes == {"chain": 2, "draw": 16}
    assert data.warmup_sample_stats.sizes == {"chain": 2, "draw": 20}
    draws = [chain["draws"] for chain in chains(run.workspace).values()]
    values = np.concatenate([data.posterior[name].values for name in data.posterior], axis=-1)
    np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(np.stack(draws), axis=None))
    last = data.posterior["dense_3.kernel"]
    assert (last.dims, last.attrs["shape"].tolist()) == (("chain", "draw", "dense_3.kernel_place"), [100, 10])
    for source, mention in (("no-such-run", "no-such-run"), (next(run.workspace.glob("steps/train-*")), "chain")):
        code, _, err = call("export", source, "-w", run.workspace, "--out", tmp_path / "x.nc")
        assert (code, mention in err, (tmp_path / "x.nc").exists()) == (2, True, False), err


def test_a_trained_ticket_and_the_draws_of_its_chains_become_c_files(run, tmp_path, call):
    training, pool = run.folder("train", "ticket"), next(run.workspace.glob("steps/pool-*"))
    for what, options, draws in (("bayes", ("--arm", "reinitialise"), 1), (training, (), 1), (pool, ("--draws", 8), 8)):
        out = tmp_path / "ticket.c"
        code, said, err = call("export", what, "--format", "c", "-w", run.workspace, "--out", out, *options)
        assert (code, "cc -O3" in said) == (0, True), err
        assert f"#define DRAWS {draws}\n" in out.read_text()
    for options, mention in ((("--level", 9), "level 9"), (("--arm", "random-mask"), "random-mask")):
        code, _, err = call("export", "bayes", "--format", "c", "-w", run.workspace, *options)
        assert (code, mention in err) == (2, True), err


def drawn(workspace, since):
    """Return True if a chain has saved a draw since then and is not done."""
    running = [path.parents[1] for path in workspace.glob("steps/sample-*/draws/*") if path.stat().st_mtime > since]
    return any(not (folder / "result.json").exists() for folder in running)


@pytest.mark.slow  # a minute; what a chain needs to resume is tested in tests/sampling/test_chain.py
def test_killed_and_stopped_chains_go_on_to_the_same_bits(tmp_path):
    file, undisturbed, disturbed = (tmp_path / name for name in ("chains.yaml", "undisturbed", "disturbed"))
    values = config_of({"svi": None, "controls": [], "execution": {"processes": 2}})  # two chains in processes
    file.write_text(yaml.safe_dump(values.model_dump(mode="json")))
    command = [sys.executable, "-m", "tfticket", "run", file, "-w"]
    execute([*command, undisturbed])
    expected, reached = chains(undisturbed), 0
    for how in (signal.SIGKILL, signal.SIGTERM):
        since = time.time()
        with started([*command, disturbed], stdout=DEVNULL, stderr=DEVNULL) as process:
            while process.poll() is None and not drawn(disturbed, since):
                time.sleep(0.005)
            reached += process.poll() is None
            process.send_signal(how)
            process.wait()
            wait_for(lambda: not any(map(holder_of, disturbed.glob("steps/sample-*"))))  # orphans notice within a draw
    assert reached == 2, "the runs ended before they could be disturbed"
    for alone in (False, True):
        execute([*command, disturbed])
        made = chains(disturbed)
        assert list(made) == list(expected)
        for name, chain in expected.items():
            assert_same(made[name], chain)
        assert not list(disturbed.glob("steps/*/checkpoint.safetensors"))
        if not alone:  # the chain that is left is drawn alone next, to the same bits
            shutil.rmtree(sorted(disturbed.glob("steps/sample-*"))[-1])


# Refusals

DRAWN = "monte_carlo: [{connectivity: false}], control_levels: [0, 1], sampled_arms: [monte-carlo magnitude]"
REFUSED = f"""
{{sampled_levels: [3]}}                  | sampled_levels | | no level 3; the last is 1
{{sampled_arms: [shuffle-even]}}         | sampled_arms   | | ticket, reinitialise, shuffle-layerwise
{{sampled_arms: [ticket, reinitialise]}} | sampled_arms   | | 'reinitialise'
{{sampled_arms: []}}                     | sampled_arms
{{sampled_arms: [shuffle-layerwise], sampled_levels: [0]}} | sampled_arms | | control_levels
{{{DRAWN}, sampled_levels: [0]}}         | sampled_arms   | | control_levels
{{sample: {{warmup: 19}}}}               | sample.warmup  | | 20
{{sample: {{max_tree_depth: 0}}}}        | sample.max_tree_depth
{{sample: {{prior: cauchy}}}}            | sample.prior.name | | normal
{{sample: {{prior: "uniform(1, -1)"}}}}  | sample.prior.low
"""


def test_what_cannot_be_sampled_is_refused_before_it_begins():
    for changes, field, suggestion, facts in refusals(REFUSED):
        with refused(field, suggestion, *facts):
            validate(Config, VALUES | yaml.safe_load(changes), where="here")


BATCH_STATISTICS = """from tf_keras import Sequential, layers
def build(shape, classes):
    return Sequential([layers.Input(shape), layers.Flatten(), layers.BatchNormalization(), layers.Dense(classes)])
"""


def test_a_network_with_batch_statistics_is_refused_before_it_begins(tmp_path, monkeypatch):
    (tmp_path / "with_statistics.py").write_text(BATCH_STATISTICS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="freeze_batch_norm"):
        EXPERIMENT.check_model(config_of({"model": {"name": "with_statistics:build"}, "svi": None}))


def test_chains_are_counted_by_seeds_tickets_and_levels():
    def chains_of(changes):
        return EXPERIMENT.plan(config_of({"svi": None, "prune": {"levels": 2}} | changes)).chains

    assert chains_of({}) == 2
    arms = {"sampled_arms": ["ticket", "shuffle-layerwise"], "control_levels": [2], "sampled_levels": [1, 2]}
    assert chains_of(arms | {"seeds": [0, 1]}) == 2 * (2 + 2) * 2  # seeds; tickets, and shuffled at level 2; chains
    drawn = {"sampled_arms": ["shuffle-layerwise", "monte-carlo magnitude"], "sampled_levels": [0, 2]}
    drawn |= {"monte_carlo": [{"connectivity": False}], "control_levels": [0, 2]}
    assert chains_of(drawn) == (2 + 1) * 2 * 2  # none is drawn at level 0; replicates, chains


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in presets() if re.match("bayes-always-wins.*-desk", name)])
def test_every_preset_that_samples_has_a_network_that_can_be_sampled(name):
    config = load_experiment(name)
    if config.chains:
        model = build_model(config.model.name, load_data("cifar-10-small" if "cifar" in name else "mnist"))
        assert check_engine(model, config.sample, 0.01).startswith("Gradients over the surviving weights alone")
    else:
        assert config.model.name == "resnet-18"
