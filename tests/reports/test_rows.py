import json

import pytest
import yaml

from tfticket.arms import CONTROL_NAMES, TICKET, Arm
from tfticket.data import sources
from tfticket.errors import InputError
from tfticket.registry import CONTROLS
from tfticket.reports.rows import Row, name_at, rows_of
from tfticket.runs.lease import lease
from tfticket.runs.run_folder import find_run, list_runs, read_run

METRICS = {"accuracy": 0.9, "nll": 0.3}
MNIST = sources.mnist.contents
DATA = "MNIST, 2,000 training rows"

OF_MNIST = {"network": "lenet-300-100", "data_set": "mnist"}


def test_a_run_says_what_its_folder_says(make_run):
    run = read_run(make_run("a-1", evaluations=[("ticket", 0, 0)]))
    assert (run.config["name"], run.config["model"]) == ("a-1", {"name": "lenet-300-100"})
    assert [step.kind for step in run.steps()] == ["start", "evaluate"]
    assert run.state == "done"


def test_a_run_that_has_just_begun_has_no_steps(make_run):
    run = read_run(make_run("a-1"))
    assert run.steps() == []
    assert rows_of(run) == []


@pytest.mark.parametrize("state", ["done", "stopped", "failed"])
def test_a_run_that_ended_keeps_its_state(make_run, state):
    assert read_run(make_run("a-1", state)).state == state


def test_a_run_is_running_while_its_process_lives_and_killed_after(make_run):
    folder = make_run("a-1", "running")
    with lease(folder):
        assert read_run(folder).state == "running"
        held = (folder / "lease.json").read_text()
    assert read_run(folder).state == "killed"
    (folder / "lease.json").write_text(json.dumps({**json.loads(held), "boot_id": "another"}))
    assert read_run(folder).state == "killed"
    (folder / "lease.json").unlink()
    assert read_run(folder).state == "killed"


def test_rows_are_the_finished_evaluations_in_the_runs_order(make_run):
    run = read_run(make_run("a-1", evaluations=[("ticket", 1, 0), ("ticket", 1, 2), ("random-mask", 1, 2)]))
    assert rows_of(run) == [
        Row("a-1", TICKET, "IMP ticket", 1, 0, 1.0, DATA, METRICS, METRICS, **OF_MNIST),
        Row("a-1", TICKET, "IMP ticket", 1, 2, 0.25, DATA, METRICS, METRICS, **OF_MNIST),
        Row("a-1", Arm(control="random-mask"), "random mask", 1, 2, 0.25, DATA, METRICS, METRICS, **OF_MNIST),
    ]


@pytest.mark.parametrize(
    ("arm", "control", "name"),
    [
        ("ticket", "", "IMP ticket"),
        ("reinitialise", "reinitialise", "re-initialised"),
        ("reinitialise he_normal", "reinitialise", "re-initialised (he_normal)"),
        ("random-mask dense_1=0.2 dense_2=0.1", "random-mask", "random mask (dense_1=0.2 dense_2=0.1)"),
        ("mine", "mine", "mine"),
        ("mine 3", "mine", "mine 3"),
    ],
)
def test_an_arm_is_called_after_its_control_and_its_options(make_run, arm, control, name):
    assert (Arm.parse(arm).control, Arm.parse(arm).name) == (control, name)
    (row,) = rows_of(read_run(make_run("a-1", evaluations=[(arm, 0, 1)])))
    assert (row.arm.key, row.name) == (arm, name)


@pytest.mark.parametrize(
    ("score", "variational", "name", "unpruned"),
    [
        ("magnitude", None, "IMP ticket", "dense"),
        ("random", None, "ticket by random score", "dense"),
        ("snr", {"prior": 1.0}, "Bayesian, SNR", "dense, Bayesian"),
        ("magnitude", {"prior": 1.0}, "Bayesian, magnitude", "dense, Bayesian"),
    ],
)
def test_a_runs_own_ticket_is_called_after_network_and_score(make_run, score, variational, name, unpruned):
    folder = make_run("a-1", evaluations=[("ticket", 0, 1), ("reinitialise", 0, 1)])
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["variational"], config["prune"] = variational, {"score": score}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    rows = rows_of(read_run(folder))
    assert [row.name for row in rows] == [name, "re-initialised"]
    assert name_at(rows[0].name, rows[0].arm, 0, rows[0].variational) == unpruned


def test_a_row_has_the_bootstrap_intervals_of_its_test_metrics(make_run):
    recorded = {"test": {"accuracy": [0.88, 0.92], "nll": [0.25, 0.4]}, "validation": {"accuracy": [0.5, 0.6]}}
    folder = make_run("a-1", evaluations=[("ticket", 0, 0), ("ticket", 0, 1)])
    path = folder.parents[1] / "steps" / "evaluate-a-1-1" / "result.json"
    found = json.loads(path.read_text())
    path.write_text(json.dumps({**found, "result": found["result"] | {"intervals": recorded}}))
    before, told = rows_of(read_run(folder))
    assert before.intervals == {}
    assert told.intervals == {"accuracy": (0.88, 0.92), "nll": (0.25, 0.4)}


def test_every_control_of_the_program_has_a_name_for_people():
    assert set(CONTROL_NAMES) == {"monte-carlo", *CONTROLS}


def test_a_row_says_which_replicate_it_is_and_the_first_is_0(make_run):
    evaluations = [("reinitialise", 4, 1), ("reinitialise", 4, 1, {"label": {"replicate": 2}})]
    rows = rows_of(read_run(make_run("a-1", evaluations=evaluations)))
    assert [(row.seed, row.replicate) for row in rows] == [(4, 0), (4, 2)]


def test_a_row_has_the_reliability_of_its_test_rows_where_it_was_recorded(make_run):
    bins = {"count": [0, 7], "confidence": [None, 0.9], "accuracy": [None, 0.8]}
    recorded = {"reliability": {"test": bins, "validation": {}}}
    rows = rows_of(read_run(make_run("a-1", evaluations=[("ticket", 0, 0), ("ticket", 1, 0, recorded)])))
    assert [row.reliability for row in rows] == [None, bins]


OTHERS = "0" * 64


@pytest.mark.parametrize(
    ("data", "contents", "named"),
    [
        ({}, MNIST, "MNIST"),
        ({"name": "my digits", "path": "/my/digits.npz"}, MNIST, "MNIST"),
        ({"name": "my digits", "path": "/my/digits.npz"}, OTHERS, "my digits"),
        ({"name": "cifar-10"}, OTHERS, "CIFAR-10"),
        ({"name": "cifar-10-jpeg"}, sources.cifar_10_jpeg.contents, "CIFAR-10 (re-encoded as JPEG)"),
        ({"classes": [3, 5]}, MNIST, "MNIST, classes 3, 5"),
        ({"classes": []}, MNIST, "MNIST"),
        ({"name": "pets", "classes": ["dog", 3]}, OTHERS, "pets, classes dog, 3"),
    ],
)
@pytest.mark.parametrize(("training_rows", "said"), [(55_000, "55,000 training rows"), (900, "900 training rows")])
def test_rows_name_their_data_by_contents_and_how_much_of_them_was_trained_on(
    make_run, data, contents, named, training_rows, said
):
    evaluations = [("ticket", 0, 0), ("random-mask", 0, 1)]
    folder = make_run("a-1", evaluations=evaluations, data=data, contents=contents, training_rows=training_rows)
    assert [row.data for row in rows_of(read_run(folder))] == [f"{named}, {said}"] * 2


def test_runs_that_share_an_evaluation_call_its_data_each_by_their_own_name(make_run):
    folders = [
        make_run(f"{name}-1", evaluations=[("ticket", 0, 0)], data={"name": name}, contents=OTHERS)
        for name in ("letters", "glyphs")
    ]
    (folders[1] / "manifest.json").write_text((folders[0] / "manifest.json").read_text())
    for name, folder in zip(("letters", "glyphs"), folders, strict=True):
        assert [row.data for row in rows_of(read_run(folder))] == [f"{name}, 2,000 training rows"]


def test_a_step_that_is_gone_is_missed_by_name(make_run, tmp_path):
    run = read_run(make_run("a-1", evaluations=[("ticket", 0, 0)]))
    (tmp_path / "steps" / "evaluate-a-1-0" / "result.json").unlink()
    with pytest.raises(InputError, match="evaluate-a-1-0"):
        rows_of(run)


@pytest.mark.parametrize(
    ("data", "named"),
    [({}, "MNIST"), ({"name": "my digits"}, "my digits"), ({"classes": [3, 5]}, "MNIST, classes 3, 5")],
)
def test_a_run_of_before_evaluations_named_their_data_is_still_read(make_run, tmp_path, data, named):
    run = read_run(make_run("a-1", evaluations=[("ticket", 0, 0)], data=data))
    path = tmp_path / "steps" / "evaluate-a-1-0" / "result.json"
    record = json.loads(path.read_text())
    del record["result"]["data"]
    path.write_text(json.dumps(record))
    assert [(row.data, row.test) for row in rows_of(run)] == [(named, METRICS)]


def test_runs_are_listed_the_newest_first(make_run, tmp_path):
    assert list_runs(tmp_path) == []
    for name, started in [("a", 2.0), ("b", 3.0), ("c", 1.0)]:
        make_run(name, started=started)
    (tmp_path / "runs" / "no-run").mkdir()
    assert [run.folder.name for run in list_runs(tmp_path)] == ["b", "a", "c"]


def test_a_run_is_found_by_name_by_the_beginning_of_it_and_by_folder(make_run, tmp_path):
    folder = make_run("quick-12ab")
    make_run("other-34cd")
    for name in ("quick-12ab", "quick", "q", str(folder)):
        assert find_run(tmp_path, name).folder == folder


def test_a_whole_name_counts_more_than_a_beginning(make_run, tmp_path):
    make_run("quick-1")
    folder = make_run("quick")
    assert find_run(tmp_path, "quick").folder == folder


@pytest.mark.parametrize(
    ("name", "message"), [("quick", "2 runs are named 'quick'"), ("slow", "No run is named 'slow'")]
)
def test_an_ambiguous_or_unknown_name_is_refused_with_what_there_is(make_run, tmp_path, name, message):
    make_run("quick-1", started=1.0)
    make_run("quick-2")
    with pytest.raises(InputError, match=f"{message} .*quick-1, quick-2"):
        find_run(tmp_path, name)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "/", "*", "?", "[q]uick-1", "quick*", "a" * 5000, "a\0b", "a\nb"])
def test_what_names_nothing_is_no_run(make_run, tmp_path, monkeypatch, name):
    make_run("quick-1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"No run is named|name is empty"):
        find_run(tmp_path, name)


def test_an_empty_workspace_says_so(tmp_path):
    with pytest.raises(InputError, match="none yet"):
        find_run(tmp_path, "quick")


@pytest.mark.parametrize(
    ("where", "name"), [(".", "runs/a-1"), ("runs", "a-1"), ("runs/a-1", "."), ("steps", "../runs/a-1")]
)
def test_a_folder_may_be_named_from_anywhere(make_run, tmp_path, monkeypatch, where, name):
    make_run("a-1", evaluations=[("ticket", 0, 0)])
    monkeypatch.chdir(tmp_path / where)
    assert rows_of(find_run(tmp_path, name)) == [
        Row("a-1", TICKET, "IMP ticket", 0, 0, 1.0, DATA, METRICS, METRICS, **OF_MNIST)
    ]


@pytest.mark.parametrize("missing", ["status.json", "config.yaml"])
def test_a_folder_that_is_no_whole_run_is_refused(make_run, missing):
    folder = make_run("a-1")
    (folder / missing).unlink()
    with pytest.raises(InputError, match=missing):
        read_run(folder)


@pytest.mark.parametrize(("file", "content"), [("status.json", ""), ("config.yaml", "a: ["), ("manifest.json", "{")])
def test_a_damaged_run_is_refused_by_name(make_run, file, content):
    folder = make_run("a-1", evaluations=[])
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=file):
        read_run(folder)


@pytest.mark.parametrize(
    "content", ["[" * 50_000, "x: " + "{a: " * 50_000, "name: a\nname: b", "a: &a [*a]", "!!set {a}"]
)
def test_a_hostile_configuration_damages_its_own_run_alone(make_run, tmp_path, content):
    make_run("good-1", started=2.0)
    (make_run("bad-1", started=1.0) / "config.yaml").write_text(content)
    assert {run.folder.name: run.status["state"] for run in list_runs(tmp_path)} == {
        "good-1": "done",
        "bad-1": "damaged",
    }


def trained(make_run, results, config):
    """A run of variational networks, of seed 0 and level 1: arm -> the result of its training."""
    folder = make_run("a-1", evaluations=[(arm, 0, 1) for arm in results])
    (folder / "config.yaml").write_text(yaml.safe_dump(yaml.safe_load((folder / "config.yaml").read_text()) | config))
    manifest = json.loads((folder / "manifest.json").read_text())
    for arm, result in results.items():
        label = {"arm": arm, "seed": 0, "level": 1}
        manifest["steps"].append({"kind": "train", "folder": f"train-{arm}", "fingerprint": "0", "label": label})
        (folder.parents[1] / "steps" / f"train-{arm}").mkdir()
        (folder.parents[1] / "steps" / f"train-{arm}" / "result.json").write_text(json.dumps({"result": result}))
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return {row.arm.key: row.extra_metrics for row in rows_of(read_run(folder))}


def timed(an_iteration):
    return {"iterations": 50, "seconds": {"first_call": 3.0, "training": 10.0, "an_iteration": an_iteration}}


VARIATIONAL = {
    "trunks": [{"score": "snr"}],
    "prune": {"scope": "layerwise"},
    "train": {"objective": {"draws": 2}},
}


def test_seconds_of_an_iteration_are_told_of_trainings_that_did_more_than_compile(make_run):
    metrics = trained(make_run, {"ticket": timed(0.0), "bayesian-snr": timed(0.2)}, VARIATIONAL)
    assert metrics["bayesian-snr"]["seconds"] == 0.2
    assert "seconds" not in metrics["ticket"]


@pytest.mark.parametrize(("own", "draws"), [({}, 2.0), ({"variational_train": {"objective": {"draws": 7}}}, 7.0)])
def test_draws_are_those_of_the_training_of_variational_networks(make_run, own, draws):
    arms = ("ticket", "reinitialise", "bayesian-snr", "bayesian-snr reinitialise", "transplant-start")
    metrics = trained(make_run, dict.fromkeys(arms, timed(0.0)), VARIATIONAL | own)
    found = {arm: one["draws"] for arm, one in metrics.items() if "draws" in one}
    assert found == dict.fromkeys(arms[2:], draws)
