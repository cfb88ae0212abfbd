"""A run in one line: its state, its progress, what is wrong with it."""

import json
import os
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.made_runs import step_label
from tests.runs.conftest import anew, by_name, change, folders
from tests.runs.test_lease import ask, other_process
from tfticket.runs.index import Index
from tfticket.runs.lease import lease
from tfticket.runs.progress import Progress, write_progress
from tfticket.runs.run_folder import find_run
from tfticket.runs.summary import step_words

STEP = {"kind": "train", "folder": "train-1", "label": step_label(3)}
PRUNE = {"kind": "prune", "folder": "prune-1", "label": {"seed": 0}}


def test_a_run_that_computes_is_listed_with_its_progress(workspace, opened):
    folder = folders(workspace)[0]
    index = opened(workspace)
    change(folder / "status.json", state="running")
    progress = Progress(12, 3, 3, fraction=0.5, step=STEP, began=1e9, updated=1e9 + 70)

    def run(progress):
        write_progress(folder, progress)
        return by_name(index.refresh())["synthetic-0000"]

    with lease(folder):
        shown = run(progress)
        assert (shown.state, shown.doing) == ("running", "seed 0 · ticket · level 3")
        assert (shown.level, shown.density) == (5, 0.5**5), "of the ticket whose accuracy stands beside"
        assert (shown.completed, shown.seconds_left) == (3.5, pytest.approx(170))
        assert shown.accuracy is not None
        shown = run(replace(progress, updated=1e9 + 71, step=PRUNE))
        assert (shown.doing, shown.level) == ("prune · seed 0", 5)
        shown = run(Progress(trainings=12))
        assert (shown.doing, shown.completed, shown.seconds_left) == ("", 0.0, None)
        (folder / "manifest.json").unlink()  # before the first evaluation: of what is trained
        shown = run(progress)
        assert (shown.level, shown.density, shown.accuracy) == (3, 0.125, None)


def test_a_run_without_its_process_is_killed_and_may_come_back(workspace, opened):
    folder = folders(workspace)[0]
    change(folder / "status.json", state="running")
    write_progress(folder, Progress(12, 1, step=STEP))
    index = opened(workspace)

    def shown():
        run = by_name(index.refresh())["synthetic-0000"]
        return run.state, run.doing, run.completed

    with other_process(folder) as process:
        assert ask(process).startswith("held")
        assert shown()[0] == "running"
        process.kill()
        process.wait()
        assert shown() == ("killed", "", 1.0)
    assert by_name(opened(workspace).runs())["synthetic-0000"].state == "killed"
    assert find_run(workspace, folder.name).state == "killed"
    with lease(folder):
        assert shown()[0] == "running"


def test_a_run_that_is_about_to_begin_is_not_damaged(tmp_path, opened):
    folder = tmp_path / "runs" / "new-01234567"
    folder.mkdir(parents=True)
    index = opened(tmp_path)
    with lease(folder):
        assert index.refresh() == []
        (folder / "config.yaml").write_text("name: new\n")
        (run,) = index.refresh()
        assert (run.name, run.state, run.message) == ("new", "running", "")
    (run,) = index.refresh()
    assert (run.state, run.updated) == ("damaged", run.started)
    assert run.started == pytest.approx((folder / "lease.json").stat().st_mtime, abs=60)
    assert "no status.json" in run.message


def sparse(path, size=2**40):
    """Make a file of a size that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


def linked(path):
    path.symlink_to(path)


def entry(**values):
    """Return a manifest of one step, but for some values."""
    return json.dumps({"steps": [{"kind": "evaluate", "folder": "evaluate-1", "label": {}, **values}]})


def status(text):
    return f'{{"state": "done", "started": {text}}}'


DAMAGE = {
    "status.json": [
        (None, "no status.json"), ('{"state": "do', "JSON"), ("[]", "a list; expected a table"),
        ("null", "null; expected a table"), (b"\xff\xfe", "JSON"), ('{"state": "done"}', "no 'started'"),
        (status('"1"'), "'started' is '1'; expected a number"), (status("true"), "'started' is true"),
        (status("NaN"), "'started' is nan; expected a finite number"),
        (status("1e300"), "'started' is 1e+300; expected less than 1e+11"),
        (status("-1"), "'started' is -1; expected at least 0"), (status(f"1{'0' * 400}"), "'started' is a huge number"),
        (status('1, "message": [1]'), "'message' is a list; expected text"),
        ('{"state": "asleep", "started": 1}', "'state' is 'asleep'; expected one of 'running', 'done'"),
        (os.mkfifo, "a named pipe"), (linked, "Too many levels"), (partial(sparse, size=2**24 + 1), "16,777,217"),
    ],
    "config.yaml": [
        (None, "no config.yaml"), ("name: [", "YAML"), ("!!bool maybe", "line 1"), ("[" * 50_000, "line 1"),
        ("", "no configuration"), ("name: {a: 1}", "no text"), (os.mkfifo, "a named pipe"),
        (sparse, "1,099,511,627,776"),
    ],
    "manifest.json": [
        ('{"steps": [{"kind": "tr', "JSON"), ("{}", "no 'steps'"), ("[" * 100_000, "nested too deep"),
        ('{"steps": {"0": 1}}', "'steps' is a table; expected a list"),
        ('{"steps": [{"kind": "evaluate"}]}', "no 'folder' in steps.0"),
        (entry(folder="../../etc"), "'steps.0.folder' is '../../etc'; expected the name of a folder"),
        (entry(folder=".."), "'steps.0.folder'"), (entry(folder=""), "'steps.0.folder'"),
        (entry(), "a step whose label has arm, seed and level"),
        (entry(kind="train", label={"arm": "ticket", "seed": 0}), "a step whose label has arm, seed and level"),
        (entry(label={"level": "3"}), "'steps.0.label.level' is '3'; expected an integer"),
        (entry(label={"density": 1.5}), "'steps.0.label.density' is 1.5; expected at most 1"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_folder_is_listed_as_damaged_until_it_is_mended(workspace, opened, name):
    index = opened(workspace)
    before = index.refresh()
    path = folders(workspace)[1] / name
    whole = path.read_bytes()
    for content, message in DAMAGE[name]:
        path.unlink()
        if callable(content):
            content(path)
        elif content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        runs = index.refresh()
        (damaged,) = [run for run in runs if run.state == "damaged"]
        assert (damaged.folder, len(damaged.message) <= 500, "\n" in damaged.message) == (path.parent, True, False)
        assert message in damaged.message
        assert anew(workspace) == runs
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        path.write_bytes(whole)
        assert index.refresh() == before, message


def test_damaged_progress_damages_no_run_and_a_damaged_lease_holds_none(workspace, opened):
    folder, other = folders(workspace)[:2]
    change(other / "status.json", state="running")
    for text in (
        "",
        "[]",
        "{",
        '{"done": "x"}',
        '{"updated": null, "step": 3}',
        '{"step": {"a": 1}}',
        '{"held": true}',
    ):
        (folder / "progress.json").write_text(text)
        (other / "lease.json").write_text(text)
        runs = by_name(opened(workspace).refresh())
        run = runs["synthetic-0000"]
        assert (run.state, run.trainings, run.completed) == ("done", None, 0.0), text
        assert runs["synthetic-0001"].state == "killed", text


WORDS = ["state", "started", "updated", "steps", "kind", "folder", "label", "step", "held", "host", "name", "level"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.sampled_from(WORDS) | st.text()
json_values = SCALARS
for _ in range(3):
    json_values = SCALARS | st.lists(json_values, max_size=3) | st.dictionaries(KEYS, json_values, max_size=4)


@given(
    st.dictionaries(
        st.sampled_from(["status.json", "config.yaml", "progress.json", "manifest.json", "lease.json"]),
        st.binary(max_size=40) | json_values.map(lambda value: json.dumps(value).encode()),
        min_size=1,
    )
)
def test_whatever_a_folder_holds_it_is_listed(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("workspace") / "runs" / "any"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with closing(Index(folder.parents[1])) as index:
        runs = index.refresh()
    assert [run.folder for run in runs] == ([] if contents.keys() == {"lease.json"} else [folder])
    with closing(Index(folder.parents[1])) as again:
        assert again.runs() == runs


def test_labels_in_words():
    label = {**step_label(3, "reinitialise he_normal"), "replicate": 2}
    assert step_words(label) == "seed 0 · reinitialise he_normal · level 3 · replicate 2"
    label = {"seed": 1, "chain": 0, "member": 2, "generation": 3}
    assert step_words(label, "prune") == "prune · seed 1 · chain 0 · member 2 · generation 3"
