"""Branches: controls of a finished run's tickets. Needs TensorFlow."""

import json
import shlex

import pytest

from tests.plans import OPTIONS_OF_DIGITS
from tests.real_run import make_run
from tests.refusals import refused
from tests.tables import rows
from tfticket.cli.run import numbers_in
from tfticket.reports.rows import rows_of
from tfticket.runs.run_folder import find_run

RUN, BRANCH = "quickstart-smoke", "quickstart-smoke-branch"


def test_levels_are_numbers_and_ranges():
    for text, levels in {"3": [3], "0-2": [0, 1, 2], "0-5, 8,12": [0, 1, 2, 3, 4, 5, 8, 12], "4-4,4": [4]}.items():
        assert numbers_in(text, "--levels") == levels
    for text in ("", "a", "3-1", "1-", "-2", "1,,2", "1.5", "1-2-3", "9" * 5000, "0-" + "9" * 10):
        with refused("--levels", None, "such as 0-5,8"):
            numbers_in(text, "--levels")


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
    made = {(row.arm.key, row.level, row.replicate): row for row in controls_of(finished)}
    assert set(made) == {(arm, level, replicate) for arm in arms for level in (0, 2) for replicate in (0, 1)}
    (own,) = [row for row in controls_of(finished, RUN) if row.level == 2]
    assert made["reinitialise", 2, 0].test == own.test != made["reinitialise", 2, 1].test


WRONG = """
shuffle                                          | Did you mean 'shuffle-
shuffle-even --levels 3                          | no level 3; the last is 2
'{name: shuffle-even, initialiser: he_normal}'   | initialiser
'{name: '                                        | YAML
random-mask                                      | densities
3                                                | controls.0
shuffle-even --name a/b                          | name
shuffle-even --of bayesian-snr                   | 'bayesian-snr'
"""


def test_bad_input_is_refused_and_no_folder_made(finished, call):
    before = sorted(finished.glob("*/*"))
    for line, mention in rows(WRONG, 2):
        code, out, err = call("branch", RUN, "-w", finished, "-c", *shlex.split(line))
        assert (code, out, mention in err, "Traceback" in err) == (2, "", True, False), err
    assert sorted(finished.glob("*/*")) == before
