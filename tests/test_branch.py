"""Branches: controls of a finished run's tickets. Needs TensorFlow."""

import json

import pytest

from tests.real_run import make_run
from tfticket.cli.run import numbers_in
from tfticket.errors import InputError
from tfticket.reports.rows import rows_of
from tfticket.runs.files import write_json
from tfticket.runs.run_folder import find_run


@pytest.mark.parametrize(
    ("text", "levels"), [("3", [3]), ("0-2", [0, 1, 2]), ("0-5, 8,12", [0, 1, 2, 3, 4, 5, 8, 12]), ("4-4,4", [4])]
)
def test_levels_are_numbers_and_ranges(text, levels):
    assert numbers_in(text, "--levels") == levels


@pytest.mark.parametrize("text", ["", "a", "3-1", "1-", "-2", "1,,2", "1.5", "1-2-3", "9" * 5000, "0-" + "9" * 10])
def test_what_is_no_level_is_refused(text):
    with pytest.raises(InputError, match="such as 0-5,8"):
        numbers_in(text, "--levels")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("branch")
    make_run(workspace, "train.epochs=5it", "seeds=[4]")
    return workspace


def test_a_branch_shares_every_step_of_the_tickets_and_adds_only_controls(finished, call):
    before = {path.name for path in finished.glob("steps/*")}
    command = ["branch", "quickstart-smoke", "-w", finished, "--levels", "0,2", "--replicates", 2]
    code, out, err = call(*command, "-c", "shuffle-global", "-c", "{name: reinitialise, initialiser: he_normal}")
    assert code == 0, err
    added = sorted({path.name.partition("-")[0] for path in set(finished.glob("steps/*")) if path.name not in before})
    assert added == ["control", "evaluate", "train"]
    steps = [path.name for path in finished.glob("steps/*") if path.name not in before]
    assert len(steps) == 3 * 2 * 2 * 2  # kinds, controls, levels, replicates
    rows = rows_of(find_run(finished, "quickstart-smoke-branch"))
    tickets = [row for row in rows if row.arm.key == "ticket"]
    assert [row.level for row in tickets] == [0, 1, 2]
    mine = {(row.arm.key, row.level, row.replicate) for row in rows if row.arm.key != "ticket"}
    arms = ("shuffle-global", "reinitialise he_normal")
    assert mine == {(arm, level, replicate) for arm in arms for level in (0, 2) for replicate in (0, 1)}
    assert "(he_normal)" in out
    assert f"report {find_run(finished, 'quickstart-smoke').folder.name}" in out


def test_replicates_differ_and_the_first_is_the_runs_own_control(finished, call):
    code, out, _ = call(
        "branch", "quickstart-smoke", "-w", finished, "-c", "reinitialise", "--levels", 2, "--replicates", 3, "--json"
    )
    assert code == 0
    assert json.loads(out)["results"]
    rows = {
        row.replicate: row for row in rows_of(find_run(finished, "quickstart-smoke-branch")) if row.arm.key != "ticket"
    }
    runs_own = rows_of(find_run(finished, "quickstart-smoke"))
    (own,) = [row for row in runs_own if (row.arm.key, row.level) == ("reinitialise", 2)]
    assert rows[0].test == own.test
    assert len({row.test["nll"] for row in rows.values()}) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "shuffle"], "Did you mean 'shuffle-"),
        (["-c", "shuffle-even", "--levels", "3"], "there is no level 3; the last is 2"),
        (["-c", "shuffle-even", "--levels", "2-1"], "such as 0-5,8"),
        (["-c", "{name: shuffle-even, initialiser: he_normal}"], "initialiser has no say in shuffle-even"),
        (["-c", "{name: "], "not readable as YAML"),
        (["-c", "random-mask"], "random-mask needs densities"),
        (["-c", "3"], "controls.0"),
        (["-c", "shuffle-even", "--name", "a/b"], "name"),
        (["-c", "shuffle-even", "--of", "bayesian-snr"], "Unknown tickets 'bayesian-snr'. Known: ticket."),
    ],
)
def test_bad_input_is_refused_and_no_folder_made(arguments, message, finished, call):
    before = sorted(finished.glob("*/*"))
    code, out, err = call("branch", "quickstart-smoke", "-w", finished, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert sorted(finished.glob("*/*")) == before


def test_a_run_that_is_not_done_has_no_branch(tmp_path, call):
    folder = tmp_path / "runs" / "half-12345678"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("{experiment: imp, name: half}")
    write_json(folder / "status.json", {"state": "stopped", "experiment": "imp", "started": 0.0})
    code, _, err = call("branch", "half", "-w", tmp_path, "-c", "shuffle-even")
    assert code == 2
    assert "half-12345678 is stopped; a branch needs its tickets. Finish it: " in err
