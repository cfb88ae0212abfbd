"""Branches: controls of a finished run's tickets. Needs TensorFlow."""

import json

import pytest

from tests.plans import OPTIONS_OF_DIGITS
from tests.real_run import make_run
from tests.refusals import refused
from tfticket.cli.run import numbers_in
from tfticket.reports.rows import rows_of
from tfticket.runs.files import write_json
from tfticket.runs.run_folder import find_run

RUN, BRANCH = "quickstart-smoke", "quickstart-smoke-branch"


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        *[("3", [3]), ("0-2", [0, 1, 2]), ("0-5, 8,12", [0, 1, 2, 3, 4, 5, 8, 12]), ("4-4,4", [4])],
        *((text, None) for text in ("", "a", "3-1", "1-", "-2", "1,,2", "1.5", "1-2-3", "9" * 5000, "0-" + "9" * 10)),
    ],
)
def test_levels_are_numbers_and_ranges(text, levels):
    if levels is None:
        with refused("--levels", None, "such as 0-5,8"):
            numbers_in(text, "--levels")
    else:
        assert numbers_in(text, "--levels") == levels


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("branch")
    make_run(workspace, *OPTIONS_OF_DIGITS, "train.epochs=3it", "control_densities=[0.1]", "seeds=[0]")
    return workspace


def controls_of(workspace, run=BRANCH):
    return [row for row in rows_of(find_run(workspace, run)) if row.arm.key != "ticket"]


def test_a_branch_shares_every_step_of_the_tickets_and_adds_only_controls(finished, call):
    before = set(finished.glob("steps/*"))
    command = ["branch", RUN, "-w", finished, "--levels", "0,2", "--replicates", 2]
    he_normal = "{name: reinitialise, initialiser: he_normal}"
    code, out, err = call(*command, "-c", "shuffle-global", "-c", "reinitialise", "-c", he_normal, "--json")
    assert code == 0, err
    assert json.loads(out)["results"]
    added = [path.name.partition("-")[0] for path in set(finished.glob("steps/*")) - before]
    new = 3 * 2 * 2 - 1  # controls, levels, replicates; the run has one of them
    assert {kind: added.count(kind) for kind in added} == {"control": new, "train": new, "evaluate": new}
    branch = find_run(finished, BRANCH)
    assert [row.level for row in rows_of(branch) if row.arm.key == "ticket"] == [0, 1, 2]
    arms = ("shuffle-global", "reinitialise", "reinitialise he_normal")
    rows = {(row.arm.key, row.level, row.replicate): row for row in controls_of(finished)}
    assert set(rows) == {(arm, level, replicate) for arm in arms for level in (0, 2) for replicate in (0, 1)}
    (own,) = [row for row in controls_of(finished, RUN) if row.level == 2]
    assert rows["reinitialise", 2, 0].test == own.test != rows["reinitialise", 2, 1].test


@pytest.mark.parametrize(
    ("arguments", "mention"),
    [
        (["-c", "shuffle"], "Did you mean 'shuffle-"),
        (["-c", "shuffle-even", "--levels", "3"], "no level 3; the last is 2"),
        (["-c", "shuffle-even", "--levels", "2-1"], "such as 0-5,8"),
        (["-c", "{name: shuffle-even, initialiser: he_normal}"], "initialiser"),
        (["-c", "{name: "], "YAML"),
        (["-c", "random-mask"], "densities"),
        (["-c", "3"], "controls.0"),
        (["-c", "shuffle-even", "--name", "a/b"], "name"),
        (["-c", "shuffle-even", "--of", "bayesian-snr"], "'bayesian-snr'"),
    ],
)
def test_bad_input_is_refused_and_no_folder_made(arguments, mention, finished, call):
    before = sorted(finished.glob("*/*"))
    code, out, err = call("branch", RUN, "-w", finished, *arguments)
    assert (code, out, mention in err, "Traceback" in err) == (2, "", True, False), err
    assert sorted(finished.glob("*/*")) == before


def test_a_run_that_is_not_done_has_no_branch(tmp_path, call):
    folder = tmp_path / "runs" / "half-12345678"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("{experiment: imp, name: half}")
    write_json(folder / "status.json", {"state": "stopped", "experiment": "imp", "started": 0.0})
    code, _, err = call("branch", "half", "-w", tmp_path, "-c", "shuffle-even")
    assert (code, "half-12345678 is stopped" in err) == (2, True)
