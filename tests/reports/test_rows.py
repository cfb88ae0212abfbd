"""Rows of runs: what they take from the run's folder and its steps' results, of this version and of earlier ones."""

import numpy as np
import pytest

from tests.reports.conftest import METRICS, add_step, edit_config, edit_results
from tfticket.arms import CONTROL_NAMES, TICKET, Arm
from tfticket.data import sources
from tfticket.errors import InputError
from tfticket.registry import CONTROLS
from tfticket.reports.extra_metrics import rise_of, settled_at
from tfticket.reports.rows import Row, name_at, rows_of
from tfticket.runs.run_folder import read_run

MNIST, OTHERS = sources.mnist.contents, "0" * 64
BINS = {"count": [0, 7], "confidence": [None, 0.9], "accuracy": [None, 0.8]}


def test_rows_are_the_finished_evaluations_in_the_runs_order(make_run):
    assert rows_of(read_run(make_run("a-0"))) == []
    more = {
        "label": {"replicate": 2}, "reliability": {"test": BINS, "validation": {}}, "emptied": ["dense_1"],
        "intervals": {"test": {"accuracy": [0.88, 0.92]}, "validation": {"accuracy": [0.5, 0.6]}},
    }  # fmt: skip
    run = read_run(make_run("a-1", evaluations=[("ticket", 1, 0), ("random-mask", 1, 2, more)]))
    assert [step.kind for step in run.steps()] == ["start", "evaluate", "evaluate"]
    same = {"data": "MNIST, 2,000 training rows", "test": METRICS, "validation": METRICS}
    same |= {"network": "lenet-300-100", "data_set": "mnist"}
    details = {"replicate": 2, "reliability": BINS, "collapsed_layers": ("dense_1",)}
    details["intervals"] = {"accuracy": (0.88, 0.92)}
    assert rows_of(run) == [
        Row("a-1", TICKET, "IMP ticket", 1, 0, 1.0, **same),
        Row("a-1", Arm(control="random-mask"), "random mask", 1, 2, 0.25, **same, **details),
    ]
    (run.folder.parents[1] / "steps" / "evaluate-a-1-2" / "result.json").unlink()
    with pytest.raises(InputError, match="evaluate-a-1-2"):
        rows_of(read_run(run.folder))


# fmt: off
TICKETS = [
    ("magnitude", None, "IMP ticket", "dense"),
    ("random", None, "ticket by random score", "dense"),
    ("snr", {"prior": 1.0}, "Bayesian, SNR", "dense, Bayesian"),
]
DATA = [
    # configuration, the contents of the evaluation's data, its name, the registered data set
    ({}, MNIST, "MNIST", "mnist"),
    ({"name": "my digits", "path": "/my/digits.npz"}, MNIST, "MNIST", "mnist"),
    ({"name": "my digits", "path": "/my/digits.npz"}, OTHERS, "my digits", ""),
    ({"name": "cifar-10"}, OTHERS, "CIFAR-10", "cifar-10"),
    ({"classes": [3, 5]}, MNIST, "MNIST, classes 3, 5", ""),
    ({"classes": []}, MNIST, "MNIST", "mnist"),
]
# fmt: on


@pytest.mark.parametrize(("score", "variational", "name", "unpruned"), TICKETS)
def test_a_runs_own_ticket_is_named_by_network_and_score(make_run, score, variational, name, unpruned):
    folder = make_run("a-1", evaluations=[("ticket", 0, 1), ("reinitialise he_normal", 0, 1)])
    edit_config(folder, model={"name": "lenet-5", "variational": variational}, prune={"score": score})
    rows = rows_of(read_run(folder))
    assert [row.name for row in rows] == [name, "re-initialised (he_normal)"]
    assert [row.variational for row in rows] == [bool(variational)] * 2
    assert name_at(rows[0].name, rows[0].arm, 0, rows[0].variational) == unpruned
    assert set(CONTROL_NAMES) == {"monte-carlo", *CONTROLS}


@pytest.mark.parametrize(("data", "contents", "named", "data_set"), DATA)
def test_rows_name_their_data_by_contents_and_number_of_training_rows(make_run, data, contents, named, data_set):
    described = {"data": data, "contents": contents, "training_rows": 55_000}
    folder = make_run("a-1", evaluations=[("ticket", 0, 0)], **described)
    (row,) = rows_of(read_run(folder))
    assert (row.data, row.data_set) == (f"{named}, 55,000 training rows", data_set)
    # Evaluations of former versions do not describe their data.
    (row,) = rows_of(edit_results(folder, "evaluate", lambda label, result: result.pop("data")))
    assert (row.data, row.test) == (named if data.get("path") is None else "my digits", METRICS)


def test_runs_that_share_an_evaluation_name_its_data_each_by_their_own_name(make_run):
    folders = [
        make_run(f"{name}-1", evaluations=[("ticket", 0, 0)], data={"name": name}, contents=OTHERS)
        for name in ("letters", "glyphs")
    ]
    (folders[1] / "manifest.json").write_text((folders[0] / "manifest.json").read_text())
    assert [rows_of(read_run(folder))[0].data[:6] for folder in folders] == ["letter", "glyphs"]


def history(accuracies, every=100):
    return [{"iteration": every * number, "accuracy": value} for number, value in enumerate(accuracies, start=1)]


def test_the_rise_is_the_slope_over_the_last_quarter_and_settled_97_per_cent_of_the_plateau():
    assert rise_of(history(np.linspace(0.1, 0.5, 41)[1:])) == pytest.approx(0.1)
    assert rise_of(history([0.1 * number for number in range(1, 31)] + [3.0] * 10)) == pytest.approx(0.0)
    assert rise_of(history([0.9, 0.8, 0.7, 0.6])) == pytest.approx(-0.1)  # over the last three
    unequal = [{"iteration": at, "accuracy": 0.1 + 0.001 * at} for at in (1, 5, 50, 80, 90, 100)]
    assert rise_of(unequal) == pytest.approx(0.025)
    for count in (0, 1, 3):
        assert rise_of(history([0.5] * count)) is settled_at(history([0.5] * count)) is None
    for plateau in (1.0, 0.1):
        assert settled_at(history([0.0, 0.5 * plateau, *[plateau] * 6])) == pytest.approx(294)
    assert settled_at(history([0.99, 1.0, 1.0, 1.0])) == settled_at(history([-0.1, -0.2, -0.3, -0.4])) == 100


@pytest.mark.parametrize(("own", "draws"), [({}, 2.0), ({"variational_train": {"objective": {"draws": 7}}}, 7.0)])
def test_metrics_of_trainings(make_run, own, draws):
    arms = ("ticket", "reinitialise", "bayesian-snr", "bayesian-snr reinitialise", "transplant-start", "svi-tuned")
    folder = make_run("a-1", evaluations=[(arm, 0, 1) for arm in arms])
    svi = {"carried": "mask", "variational": {"means": "own"}, "population": {"members": 8}}
    svi["train"] = {"batch_size": 50, "objective": {"draws": 3}}
    train = {"batch_size": 100, "objective": {"draws": 2}}
    pruning = {"trunks": [{"score": "snr"}], "prune": {"scope": "layerwise"}}
    edit_config(folder, **pruning, train=train, svi=svi, **own)
    for arm in arms:
        seconds = {"first_call": 3.0, "an_iteration": 0.0 if arm == "ticket" else 0.2}
        result = {"iterations": 50, "seconds": seconds, "history": history([0.5] * 4), "deviations_at_bound": 0.3}
        add_step(folder, "train", {"arm": arm, "seed": 0, "level": 1}, result)
    metrics = {row.arm.key: row.extra_metrics for row in rows_of(read_run(folder))}
    common = {"rise": pytest.approx(0), "settled": 100.0, "at_bound": 0.3}
    assert metrics["ticket"] == common | {"epochs": 2.5}  # its only segment compiled: no seconds
    assert metrics["reinitialise"] == common | {"epochs": 2.5, "seconds": 0.2}
    for arm in arms[2:5]:
        assert metrics[arm]["draws"] == draws
    population = {"own_means": 1.0, "members": 8, "draws": 3.0, "epochs": 1.25, "seconds": 0.2}
    assert metrics["svi-tuned"] == common | population


def test_metrics_of_masks_and_chains(make_run):
    folder = make_run("a-1", evaluations=[("ticket", 0, 1), ("bayesian-snr", 0, 1)])
    prune = {"scope": "global", "exempt": ["out"]}
    edit_config(folder, trunks=[{"score": "snr"}], prune=prune, sample={"start": "ticket"})
    paths = ("a/kernel", "b/kernel", "c/kernel", "out/kernel")
    made = {"density": 1.0, "survivors": dict.fromkeys(paths, 100)}
    for arm, survivors in (("ticket", (80, 60, 10, 1)), ("bayesian-snr", (50, 50, 50, 1))):
        add_step(folder, "start", {"arm": arm, "seed": 0}, made | {"level": 0})
        pruned = made | {"level": 1, "survivors": dict(zip(paths, survivors, strict=True))}
        add_step(folder, "prune", {"arm": arm, "seed": 0, "level": 1}, pruned)
    magnitudes = {"a": 1.4, "b": 1.2, "c": None, "out": 1.0}
    add_step(folder, "fit", {"seed": 0, "level": 1}, {"relative_magnitude": magnitudes})
    pooled = {"level": 1, "density": 0.5, "test": METRICS, "validation": METRICS}
    verdicts = (("nuts", "converged", ["x"]), ("hmc", "not converged", ["R-hat"]), ("nuts a", "short", []))
    for arm, verdict, reasons in verdicts:
        diagnostics = {"verdict": verdict, "reasons": reasons}
        add_step(folder, "pool", {"arm": arm, "seed": 0, "level": 1}, pooled | {"diagnostics": diagnostics})
    ticket, bayesian, *chains = rows_of(read_run(folder))
    assert ticket.extra_metrics == {"depth": 1.0, "layers": 3.0, "relative_magnitude": pytest.approx(1.3)}
    assert bayesian.extra_metrics == {}  # pruned alike everywhere
    assert [row.convergence_problems for row in chains] == [(), ("R-hat",), ("short",)]
    assert chains[0].extra_metrics == {"independent_start": 0.0}
    edit_config(folder, prune={"scope": "layerwise"}, sample={})
    ticket, *_, chain = rows_of(read_run(folder))
    assert ticket.extra_metrics == {"relative_magnitude": pytest.approx(1.3)}
    assert chain.extra_metrics == {"independent_start": 1.0}
