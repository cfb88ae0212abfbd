"""The experiment of "Bayes always wins the lottery in Monte Carlo", on real data. Needs TensorFlow."""

import json
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from subprocess import DEVNULL

import numpy as np
import pytest
import xarray
from pydantic import ValidationError
from safetensors.numpy import load_file
from tfticket._experiments.bayes_always_wins import BayesAlwaysWins, Config
from typer.testing import CliRunner

from tests.plans import assert_planned
from tests.processes import execute, started, wait_for
from tfticket import build_model, load_data
from tfticket.cli import app
from tfticket.cli.options import Options
from tfticket.evaluation.predictive import predict
from tfticket.presets import load_experiment, planned, presets
from tfticket.reports.rows import rows_of
from tfticket.runs.files import read_json
from tfticket.runs.run_folder import find_run
from tfticket.runs.step import TICKET, WEIGHTS
from tfticket.sampling.build import check_engine
from tfticket.sampling.chain_files import draw_files
from tfticket.tickets import Ticket
from tfticket.tickets.weight_files import load_weights

PRESET = "bayes-always-wins-lenet-300-100-mnist-smoke"
OPTIONS = [
    "replicates=2",
    "controls=[reinitialise, shuffle-layerwise]",
    "chains=2",
    "sample.warmup=20",
    "sample.draws=16",
    "sample.evaluate_every=4",
    "svi=null",
    "execution.checkpoint_seconds=0",
]


def arguments(workspace: Path, *options: str) -> list[str]:
    given = [text for option in [*OPTIONS, *options] for text in ("-o", option)]
    return ["run", PRESET, "-w", str(workspace), *given]


def command(workspace: Path) -> list[str]:
    return [sys.executable, "-m", "tfticket", *arguments(workspace)]


def chains(workspace: Path) -> dict[str, dict[str, np.ndarray]]:
    """Of each chain everything but times: its draws as one array, what was told of them, its prediction."""
    found = {}
    for folder in sorted((workspace / "steps").glob("sample-*")):
        tensors = load_file(folder / "chain.safetensors")
        tensors.pop("told/seconds")
        draws = [load_file(file)["theta"] for file in draw_files(folder)]
        assert [file.name for file in draw_files(folder)] == [f"{n + 1:06d}.safetensors" for n in range(len(draws))]
        found[folder.name] = tensors | {"draws": np.concatenate(draws)}
    return found


def drawn(workspace: Path, since: float) -> bool:
    """Whether a chain has kept a draw since then and is not done."""
    running = [path.parents[1] for path in workspace.glob("steps/sample-*/draws/*") if path.stat().st_mtime > since]
    return any(not (folder / "result.json").exists() for folder in running)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("undisturbed")
    Options.quiet = False  # a test before may have been quiet
    done = CliRunner().invoke(app, arguments(workspace))
    assert done.exit_code == 0, done.output
    return workspace, " ".join(done.output.split())


def test_tickets_are_sampled_beside_trainings_and_an_ensemble(undisturbed):
    workspace, said = undisturbed
    run = find_run(workspace, PRESET)
    rows = {row.arm.key: row for row in rows_of(run) if row.level == 2}
    assert {arm: row.name for arm, row in rows.items()} == {
        "ticket": "IMP ticket",
        "reinitialise": "re-initialised",
        "shuffle-layerwise": "shuffled layerwise",
        "ensemble reinitialise": "ensemble, re-initialised",
        "ensemble shuffle-layerwise": "ensemble, shuffled layerwise",
        "nuts": "NUTS",
    }
    densities = {row.density for row in rows.values()}
    assert len(densities) == 1
    assert "not converged" in said
    assert "does not prove convergence in weight space" in said
    assert len(re.findall(r"of the network of each chain's mean weights [0-9.]+ %, [0-9.]+ %, NLL", said)) == 1
    assert (run.folder / "report" / "chains-nuts-seed-0-level-2.png").stat().st_size > 10_000
    assert len(list(workspace.glob("steps/sample-*"))) == 2
    (pool,) = workspace.glob("steps/pool-*/result.json")
    found = read_json(pool)["result"]["diagnostics"]
    assert (found["chains"], found["draws"]) == (2, [16, 16])
    assert len(found["e_bfmi"]) == 2


def test_the_pooled_prediction_is_the_mean_of_all_draws(undisturbed):
    workspace, _ = undisturbed
    each = chains(workspace).values()
    mean = sum(chain["sums/test"] for chain in each) / 32
    np.testing.assert_allclose(mean.sum(axis=1), 1.0)
    (pool,) = workspace.glob("steps/pool-*/result.json")
    labels = load_data("mnist", train_rows=500, validation_rows=100).y_test
    accuracy = (mean.argmax(axis=1) == labels).mean()
    assert read_json(pool)["result"]["test"]["accuracy"] == pytest.approx(accuracy)


def test_an_ensemble_is_the_mean_of_its_members_each_under_its_own_mask(undisturbed):
    workspace, _ = undisturbed
    data = load_data("mnist", train_rows=500, validation_rows=100)
    for row in (row for row in rows_of(find_run(workspace, PRESET)) if row.arm.method == "ensemble"):
        (entry,) = (step for step in find_run(workspace, PRESET).steps() if step.label.get("arm") == row.arm)
        members = read_json(entry.path / "config.json")["inputs"]
        probabilities = []
        for name in (folder for role, folder in members.items() if role != "ticket"):
            ticket = read_json(workspace / "steps" / name / "config.json")["inputs"]["ticket"]
            weights, _ = load_weights(workspace / "steps" / name / WEIGHTS)
            its = Ticket.load(workspace / "steps" / ticket / TICKET)
            probabilities.append(np.exp(predict(its.model, its.mask, weights, data.x_test)))
        assert len(probabilities) == 2
        mean = np.mean(probabilities, axis=0)
        assert row.test["accuracy"] == pytest.approx((mean.argmax(axis=1) == data.y_test).mean())
        likelihoods = mean[np.arange(len(mean)), data.y_test]
        assert row.test["nll"] == pytest.approx(-np.log(likelihoods).mean(), rel=1e-6)


def test_a_second_run_computes_nothing(undisturbed, call):
    workspace, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/result.json")}
    code, _, err = call(*arguments(workspace))
    assert code == 0, err
    assert {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/result.json")} == before


@pytest.mark.slow  # a minute; what a chain needs to go on is tested in tests/sampling/test_chain.py
def test_killed_and_stopped_chains_go_on_to_the_same_bits(undisturbed, tmp_path):
    reached = 0
    for how in (signal.SIGKILL, signal.SIGTERM):
        since = time.time()
        with started(command(tmp_path), stdout=DEVNULL, stderr=DEVNULL) as process:
            while process.poll() is None and not drawn(tmp_path, since):
                time.sleep(0.005)
            reached += process.poll() is None
            process.send_signal(how)
            process.wait()
            wait_for(lambda: not _children(tmp_path))  # orphans notice within a draw
    execute(command(tmp_path))
    assert reached == 2, "the runs ended before they could be disturbed"
    expected = chains(undisturbed[0])
    found = chains(tmp_path)
    assert list(found) == list(expected)
    for name, tensors in expected.items():
        for tensor, values in tensors.items():
            np.testing.assert_array_equal(found[name][tensor], values, err_msg=f"{name} {tensor}")
    assert not list(tmp_path.glob("steps/*/checkpoint.safetensors"))


@pytest.mark.slow  # a chain, and TensorFlow begun twice
def test_a_chain_that_alone_is_left_is_drawn_to_the_same_bits(undisturbed, tmp_path):
    workspace = shutil.copytree(undisturbed[0], tmp_path / "workspace")
    *_, last = sorted(workspace.glob("steps/sample-*"))
    shutil.rmtree(last)
    execute(command(workspace))
    result = read_json(undisturbed[0] / "steps" / last.name / "result.json")["result"]
    assert read_json(last / "result.json")["result"]["environments"] == result["environments"]
    expected, found = chains(undisturbed[0]), chains(workspace)
    for tensor, values in expected[last.name].items():
        np.testing.assert_array_equal(found[last.name][tensor], values, err_msg=tensor)


def _children(workspace: Path) -> list[int]:
    """Processes that hold a step of a workspace."""
    from tfticket.runs.lease import holder_of

    holders = [holder_of(folder) for folder in workspace.glob("steps/sample-*")]
    return [holder["pid"] for holder in holders if holder]


def test_chains_open_in_arviz_with_the_standard_names(undisturbed, tmp_path, call):
    workspace, _ = undisturbed
    out = tmp_path / "chains.nc"
    code, _, err = call("export", PRESET, "-w", workspace, "--out", out)
    assert code == 0, err
    data = xarray.open_datatree(out)
    names = {"diverging", "energy", "tree_depth", "n_steps", "acceptance_rate", "step_size", "lp"}
    assert names <= set(data.sample_stats)
    assert data.sample_stats.sizes == {"chain": 2, "draw": 16}
    assert data.warmup_sample_stats.sizes == {"chain": 2, "draw": 20}
    draws = [chain["draws"] for chain in chains(workspace).values()]
    values = np.concatenate([data.posterior[name].values for name in data.posterior], axis=-1)
    np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(np.stack(draws), axis=None))
    ticket = load_file(next(iter(workspace.glob("steps/prune-*/ticket.safetensors"))))
    assert "mask/dense_1/kernel" in ticket
    lowest = data.posterior["dense_3.kernel"]
    assert lowest.dims == ("chain", "draw", "dense_3.kernel_place")
    assert lowest.attrs["shape"].tolist() == [100, 10]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no-such-run", "No run is named"),
        ("steps", "holds no finished chain"),
    ],
)
def test_what_cannot_be_exported_is_refused(undisturbed, tmp_path, what, message, call):
    workspace, _ = undisturbed
    if what == "steps":
        what = next(iter(workspace.glob("steps/train-*")))
    code, _, err = call("export", what, "-w", workspace, "--out", tmp_path / "x.nc")
    assert (code, message in err) == (2, True), err
    assert not (tmp_path / "x.nc").exists()


MONTE_CARLO = {"monte_carlo": [{"connectivity": False}], "control_levels": [0, 2]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampled_levels": [3]}, "no level 3; the last is 2"),
        ({"sampled_arms": ["shuffle-even"]}, "is none of ticket, reinitialise, shuffle-layerwise"),
        ({"sampled_arms": ["ticket", "reinitialise"]}, "'reinitialise' has the ticket's mask"),
        ({"sampled_arms": []}, "at least 1 item"),
        ({"sampled_arms": ["shuffle-layerwise"], "sampled_levels": [0]}, "at none of the levels that are sampled"),
        (MONTE_CARLO | {"sampled_arms": ["monte-carlo magnitude"], "sampled_levels": [0]}, "none of the levels"),
        ({"sample": {"warmup": 19}}, "greater than or equal to 20"),
        ({"sample": {"max_tree_depth": 0}}, "greater than or equal to 1"),
        ({"sample": {"prior": "cauchy"}}, "normal"),
        ({"sample": {"prior": "uniform(1, -1)"}}, "is not below"),
    ],
)
def test_what_cannot_be_sampled_is_refused_before_it_begins(changes, message):
    values = load_experiment(PRESET).model_dump(mode="json")
    with pytest.raises(ValidationError, match=message):
        Config.model_validate(values | changes)


def test_a_network_with_batch_statistics_is_refused_before_it_begins(tmp_path, call):
    code, _, err = call(*arguments(tmp_path, "model.name=resnet-20", "data.name=cifar-10-small"))
    assert code == 2
    assert "freeze_batch_norm" in err
    assert not list(tmp_path.iterdir())


def test_the_number_of_trainings_counts_chains():
    plan = planned(PRESET, OPTIONS)
    assert (plan.trainings, plan.chains) == (3 + 4 + 2, 2)
    more = ["sampled_arms=[ticket, shuffle-layerwise]", "sampled_levels=[1, 2]", "seeds=[0, 1]"]
    # seeds, two tickets and two shuffled at level 2 alone, chains
    assert planned(PRESET, [*OPTIONS, *more]).chains == 2 * (2 + 2) * 2
    config = load_experiment(PRESET, OPTIONS)
    assert json.loads(json.dumps(config.model_dump(mode="json")))["sample"]["draws"] == 16
    arms = {"sampled_arms": ["shuffle-layerwise", "monte-carlo magnitude"], "sampled_levels": [0, 2]}
    drawn = Config.model_validate(config.model_dump(mode="json") | MONTE_CARLO | arms)
    assert BayesAlwaysWins().plan(drawn).chains == (2 + 1) * 2 * 2  # none is drawn at level 0; replicates, chains


def test_a_plan_lists_the_steps_that_a_run_takes(undisturbed):
    workspace, _ = undisturbed
    assert_planned(workspace, load_experiment(PRESET, OPTIONS))


@pytest.mark.parametrize("name", [name for name in presets() if re.match("bayes-always-wins.*-desk", name)])
def test_every_preset_that_samples_has_a_network_that_can_be_sampled(name):
    config = load_experiment(name)
    if config.chains:
        model = build_model(config.model.name, load_data("cifar-10-small" if "cifar" in name else "mnist"))
        assert check_engine(model, config.sample, 0.01).startswith("Gradients over the surviving weights alone")
    else:
        assert config.model.name == "resnet-18"
