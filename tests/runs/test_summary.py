"""A run in one line: what it does, what is wrong with it."""

import json
import os
import sys
from contextlib import closing
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes import started
from tests.runs.conftest import anew, by_name, change, folders
from tfticket.arms import TICKET, Arm
from tfticket.runs.index import Index
from tfticket.runs.lease import lease
from tfticket.runs.progress import Progress, write_progress
from tfticket.runs.run_folder import find_run, list_runs
from tfticket.runs.summary import step_words

LABEL = {"arm": TICKET, "seed": 0, "level": 3, "density": 0.125}


def test_a_run_that_computes_says_what_and_how_far(workspace, opened):
    folder = folders(workspace)[0]
    found = opened(workspace)
    change(folder / "status.json", state="running")
    step = {"kind": "train", "folder": "train-1", "label": LABEL}
    progress = Progress(12, 3, 3, fraction=0.5, step=step, began=1e9, updated=1e9 + 70)
    with lease(folder):
        write_progress(folder, progress)
        run = by_name(found.refresh())["synthetic-0000"]
        assert (run.state, run.doing) == ("running", "seed 0 · ticket · level 3")
        assert (run.level, run.density) == (5, 0.5**5), "of the ticket whose accuracy stands beside"
        assert (run.completed, run.seconds_left) == (3.5, pytest.approx(170))
        assert run.accuracy is not None
        write_progress(folder, progress.at(1e9 + 71, step={"kind": "prune", "folder": "prune-1", "label": {"seed": 0}}))
        run = by_name(found.refresh())["synthetic-0000"]
        assert (run.doing, run.level) == ("prune · seed 0", 5)
        write_progress(folder, Progress(trainings=12))
        run = by_name(found.refresh())["synthetic-0000"]
        assert (run.doing, run.completed, run.seconds_left) == ("", 0.0, None)


def test_before_the_first_evaluation_the_density_is_that_of_what_is_trained(workspace, opened):
    folder = folders(workspace)[0]
    (folder / "manifest.json").unlink()
    change(folder / "status.json", state="running")
    with lease(folder):
        write_progress(folder, Progress(12, 3, 3, step={"kind": "train", "folder": "train-1", "label": LABEL}))
        run = by_name(opened(workspace).refresh())["synthetic-0000"]
        assert (run.level, run.density, run.accuracy) == (3, 0.125, None)


def test_a_run_without_its_process_is_killed_and_may_come_back(workspace, opened):
    folder = folders(workspace)[0]
    change(folder / "status.json", state="running")
    write_progress(folder, Progress(12, 1, step={"kind": "train", "folder": "train-1", "label": LABEL}))
    hold = (
        "import sys, pathlib\nfrom tfticket.runs.lease import lease\n"
        "with lease(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    found = opened(workspace)
    with started([sys.executable, "-c", hold, folder], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert by_name(found.refresh())["synthetic-0000"].state == "running"
        process.kill()
        process.wait()
        run = by_name(found.refresh())["synthetic-0000"]
        assert (run.state, run.doing, run.completed) == ("killed", "", 1.0)
    assert by_name(opened(workspace).runs())["synthetic-0000"].state == "killed"
    assert find_run(workspace, folder.name).state == "killed"
    with lease(folder):
        assert by_name(found.refresh())["synthetic-0000"].state == "running"


def test_a_run_that_is_about_to_begin_is_no_damaged_one(tmp_path, opened):
    folder = tmp_path / "runs" / "new-01234567"
    folder.mkdir(parents=True)
    found = opened(tmp_path)
    with lease(folder):
        assert found.refresh() == []
        (folder / "config.yaml").write_text("name: new\n")
        (run,) = found.refresh()
        assert (run.name, run.state, run.message) == ("new", "running", "")
    (run,) = found.refresh()
    assert run.state == "damaged"
    assert "no status.json" in run.message


def sparse(path, size):
    """A file of a size that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


def entry(**values):
    """A manifest of one step, but for some values."""
    return json.dumps({"steps": [{"kind": "evaluate", "folder": "evaluate-1", "label": {}, **values}]})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("status.json", None, "no status.json"),
        ("status.json", '{"state": "do', "not readable as JSON"),
        ("status.json", "[]", "status.json is not as tfticket writes it: it is a list; expected a table"),
        ("status.json", "null", "it is null; expected a table"),
        ("status.json", b"\xff\xfe", "not readable as JSON"),
        ("status.json", '{"state": "done"}', "there is no 'started'"),
        ("status.json", '{"state": "done", "started": null}', "'started' is null; expected a number"),
        ("status.json", '{"state": "done", "started": "1"}', "'started' is '1'; expected a number"),
        ("status.json", '{"state": "done", "started": true}', "'started' is true; expected a number"),
        ("status.json", '{"state": "done", "started": NaN}', "'started' is nan; expected a finite number"),
        ("status.json", '{"state": "done", "started": Infinity}', "'started' is inf; expected a finite number"),
        ("status.json", '{"state": "done", "started": 1e300}', "'started' is 1e+300; expected less than 1e+11"),
        ("status.json", f'{{"state": "done", "started": 1{"0" * 400}}}', "'started' is a huge number"),
        ("status.json", f'{{"state": "done", "started": 1{"0" * 5000}}}', "not readable as JSON"),
        ("status.json", '{"state": "done", "started": 1, "message": [1]}', "'message' is a list; expected text"),
        ("status.json", '{"state": "asleep", "started": 1}', "'state' is 'asleep'; expected one of 'running', 'done'"),
        ("status.json", "[" * 100_000, "status.json is not readable as JSON: it is nested too deep"),
        ("status.json", os.mkfifo, "status.json is a named pipe; expected a file"),
        ("status.json", os.mkdir, "status.json is a folder; expected a file"),
        ("status.json", lambda path: path.symlink_to("/dev/zero"), "status.json is a device; expected a file"),
        ("status.json", lambda path: path.symlink_to(path), "status.json is not readable: Too many levels of symb"),
        ("status.json", lambda path: sparse(path, 2**40), "status.json has 1,099,511,627,776 bytes; expected at most"),
        ("config.yaml", None, "no config.yaml"),
        ("config.yaml", "name: [", "not readable as YAML"),
        ("config.yaml", "!!bool maybe", "config.yaml: line 1: the tag !!bool has no meaning here"),
        ("config.yaml", "[" * 50_000, "config.yaml: line 1: lists and tables more than 40 deep"),
        ("config.yaml", "name: a\nname: b", "line 2: the key 'name' stands twice"),
        ("config.yaml", "name: \0", "not readable as YAML"),
        ("config.yaml", "", "holds no configuration"),
        ("config.yaml", "name: {a: 1}", "no text"),
        ("config.yaml", os.mkfifo, "config.yaml is a named pipe"),
        ("config.yaml", lambda path: sparse(path, 2**40), "config.yaml has 1,099,511,627,776 bytes"),
        ("manifest.json", '{"steps": [{"kind": "tr', "not readable as JSON"),
        ("manifest.json", "{}", "there is no 'steps'"),
        ("manifest.json", "null", "it is null"),
        ("manifest.json", "[1]", "it is a list"),
        ("manifest.json", "[" * 100_000, "nested too deep"),
        ("manifest.json", os.mkfifo, "is a named pipe"),
        ("manifest.json", '{"steps": {"0": 1}}', "'steps' is a table; expected a list"),
        ("manifest.json", '{"steps": [{"kind": "evaluate"}]}', "there is no 'folder' in steps.0"),
        ("manifest.json", entry(folder="../../etc"), "'steps.0.folder' is '../../etc'; expected the name of a folder"),
        ("manifest.json", entry(label=[]), "'steps.0.label' is a list; expected a table"),
        ("manifest.json", entry(label={"level": 10**400}), "'steps.0.label.level' is a huge number"),
        ("manifest.json", entry(label={"level": "3"}), "'steps.0.label.level' is '3'; expected a whole number"),
        ("manifest.json", entry(label={"density": "x"}), "'steps.0.label.density' is 'x'; expected a number"),
    ],
)
def test_a_damaged_folder_is_a_row_that_says_so_until_it_is_mended(workspace, opened, name, text, message):
    found = opened(workspace)
    before = found.refresh()
    path = folders(workspace)[1] / name
    whole = path.read_bytes()
    path.unlink()
    if callable(text):
        text(path)
    elif text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    runs = found.refresh()
    (damaged,) = [run for run in runs if run.state == "damaged"]
    assert damaged.folder == path.parent
    assert message in damaged.message
    assert "\n" not in damaged.message
    assert anew(workspace) == runs
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_bytes(whole)
    assert found.refresh() == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"done": "x"}', '{"updated": null, "step": 3}', '{"step": {"a": 1}}'])
def test_a_damaged_progress_damages_no_run(workspace, opened, text):
    path = folders(workspace)[0] / "progress.json"
    path.write_text(text)
    run = by_name(opened(workspace).refresh())["synthetic-0000"]
    assert (run.state, run.trainings) == ("done", None)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"held": true}', '{"held": true, "host": 3, "pid": "x"}'])
def test_a_damaged_lease_holds_no_run(workspace, opened, text):
    folder = folders(workspace)[0]
    change(folder / "status.json", state="running")
    (folder / "lease.json").write_text(text)
    assert by_name(opened(workspace).refresh())["synthetic-0000"].state in ("killed", "running")


WORDS = ["state", "started", "updated", "steps", "kind", "folder", "label", "step", "held", "host", "name", "level"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["status.json", "config.yaml", "progress.json", "manifest.json", "lease.json"]),
        st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()),
        min_size=1,
    )
)
def test_whatever_a_folder_holds_it_is_a_row_and_never_an_exception(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("workspace") / "runs" / "any"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with closing(Index(folder.parents[1])) as found:
        runs = found.refresh()
    assert [run.folder for run in runs] == ([] if contents.keys() == {"lease.json"} else [folder])
    with closing(Index(folder.parents[1])) as again:
        assert again.runs() == runs


def test_states_are_those_of_reports(workspace, opened):
    change(folders(workspace)[0] / "status.json", state="running")
    (folders(workspace)[1] / "config.yaml").write_text("[")
    runs = opened(workspace).refresh()
    assert [run.state for run in runs] == ["done", "damaged", "killed"]
    assert {run.folder: run.state for run in list_runs(workspace)} == {run.folder: run.state for run in runs}


@pytest.mark.parametrize(
    ("label", "kind", "words"),
    [
        (LABEL, "train", "seed 0 · ticket · level 3"),
        (
            {**LABEL, "arm": Arm(control="reinitialise", options="he_normal"), "replicate": 2},
            "train",
            "seed 0 · reinitialise he_normal · level 3 · replicate 2",
        ),
        ({"seed": 1}, "prune", "prune · seed 1"),
        ({}, "train", ""),
    ],
)
def test_a_steps_label_in_words(label, kind, words):
    assert step_words(label, kind) == words
