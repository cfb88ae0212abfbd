"""Runs that an earlier version wrote: they open, report and resume.

``tests/old_runs/workspace.tar.xz`` holds two runs of tfticket at commit cdddb673e441, without figures and leases: of
`bayes-always-wins` and `bayesian-lth`, which between them have every kind of step.
"""

import csv
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from tfticket.runs.run_folder import list_runs, read_run

RUNS = ("sampled", "variational")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(Path(__file__).parent / "old_runs" / "workspace.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "ws"


def folder_of(workspace, name):
    (folder,) = (workspace / "runs").glob(f"{name}-*")
    return folder


def test_old_runs_are_done_and_undamaged(workspace, call):
    assert {run.config["name"]: run.state for run in list_runs(workspace)} == dict.fromkeys(RUNS, "done")
    code, out, err = call("verify", "-w", workspace)
    assert (code, err, out.startswith("No damaged file in 2 runs")) == (0, "", True)


@pytest.mark.parametrize("name", RUNS)
def test_an_old_run_is_reported_as_it_was(workspace, name, call):
    report = folder_of(workspace, name) / "report"
    before = {file.name: file.read_text() for file in report.iterdir()}
    assert len(before) >= 5
    summary, claims = (json.loads(before.pop(f"{name}.json")) for name in ("summary", "claims"))
    code, _, err = call("report", report.parent.name, "-w", workspace)
    assert code == 0, err
    assert {name: (report / name).read_text() for name in before} == before
    for row, expected in zip(json.loads((report / "summary.json").read_text()), summary, strict=True):
        assert row | expected == row  # later versions add fields
    for claim, expected in zip(json.loads((report / "claims.json").read_text()), claims, strict=True):
        for read in (claim, expected):  # texts may change, verdicts may not
            read["preconditions"] = [condition["failure"] for condition in read["preconditions"]]
        assert claim == expected


@pytest.mark.parametrize("name", ["variational", pytest.param("sampled", marks=pytest.mark.slow)])
def test_an_old_run_goes_on_from_the_steps_that_it_has(workspace, name, call, tmp_path):
    shutil.copytree(workspace, tmp_path / "w")
    folder = folder_of(tmp_path / "w", name)
    results = folder / "report" / "results.csv"
    before, steps = results.read_text(), read_run(folder).steps()
    lost = [step for step in steps if step.kind == "evaluate"][-1]
    shutil.rmtree(lost.path)
    code, _, err = call("run", folder / "config.yaml", "-w", tmp_path / "w", "-o", "execution.threads=null")
    assert code == 0, err
    assert ([step.entry for step in read_run(folder).steps()], lost.is_done) == ([step.entry for step in steps], True)
    for row, expected in zip(*(csv.reader(text.splitlines()) for text in (results.read_text(), before)), strict=True):
        for value, number in zip(row, expected, strict=True):
            assert value == number or float(value) == pytest.approx(float(number), rel=1e-4)
