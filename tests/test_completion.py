"""Completion through the protocol that the shells speak."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.answers import answers
from tests.processes import execute
from tests.tables import flat, rows
from tfticket import cli
from tfticket.cli import completion
from tfticket.presets import load_experiment, presets
from tfticket.registry import DATA_SETS, LISTS

# What is typed | what is offered | TFTICKET_DATA or TFTICKET_WORKSPACE, if any
OFFERED = """
doctor --w                                                  | --workspace |
run quick                                                   | quickstart-smoke quickstart |
run ~/                                                      | |
run quickstart -o train.epochs=2 --override train.ev        | train.evaluate_every= train.evaluate_test= |
show {}                                                     | quick-1 slow-1 |
show --workspace other q                                    | quick-2 quick-3 |
report -w other quick-2 {}                                  | quick-2 quick-3 |
show q                                                      | quick-2 quick-3 | TFTICKET_WORKSPACE=other
list m                                                      | models |
data m                                                      | mnist | TFTICKET_DATA=nowhere
data mnist m                                                | mnist mine mnist-too | TFTICKET_DATA=.
data [o                                                     | [odd] | TFTICKET_DATA=.
"""
ALL = ["", "run {}", "run quickstart -o {}", "list {}", "data {}"]


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """What completes a line, given with the environment, as bash asks for it."""
    folder = tmp_path_factory.mktemp("typed")
    for name in ("mine.npz", "mnist-too.zip", "[odd].npz", "m.txt", "quick.yaml"):
        (folder / name).touch()
    for run in ("workspace/runs/quick-1", "workspace/runs/slow-1", "other/runs/quick-2", "other/runs/quick-3"):
        (folder / run).mkdir(parents=True)
        (folder / run / "status.json").touch()
    lines = [(line, setting) for line, _, setting in rows(OFFERED, 3)] + [(line, "") for line in ALL]
    calls = []
    for line, setting in lines:
        words = ["tfticket", *line.replace("{}", "").split(" ")]
        protocol = {"_TFTICKET_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words)}
        name, _, value = setting.partition("=")
        calls.append(([], protocol | {"COMP_CWORD": str(len(words) - 1)} | ({name: value} if name else {})))
    made = answers(calls, folder)
    assert not [answer for answer in made if answer.err or answer.imported], "written into the line, or slow"
    return dict(zip(lines, (answer.out.split() for answer in made), strict=True))


def test_what_is_typed_is_completed_and_all_is_offered_where_nothing_is(complete):
    for line, offered, setting in rows(OFFERED, 3):
        assert complete[line, setting] == offered.split(), line
    commands, names, fields, lists, data = (complete[line, ""] for line in ALL)
    assert {*commands} == {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    assert names == [*presets()]
    assert lists == ["runs", "presets", *LISTS]
    assert data == [*DATA_SETS]
    assert {f"{key}=" for key in flat(load_experiment("quickstart").model_dump())} <= {*fields}
    assert {"train.optimiser.learning_rate=", "train.optimiser.nesterov=", "data.path="} <= {*fields}


def test_no_name_that_a_terminal_would_obey_is_offered(tmp_path, monkeypatch):
    for name in ("good-1", "bad-\x1b[31m", "bad\nline", "bad-\u202e"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "status.json").touch()
    monkeypatch.setenv("TFTICKET_WORKSPACE", str(tmp_path))
    assert completion.runs(SimpleNamespace(params={}), "") == ["good-1"]


TYPED = """
source {home}/.bashrc
COMP_WORDS=({script} list mod) COMP_CWORD=2
_tfticket_completion {script}
printf "%s\\n" "${{COMPREPLY[@]}}"
complete -p tfticket
"""


def test_completion_is_installed_for_the_shell_that_it_is_called_from_and_works_in_it(tmp_path):
    script, environment = Path(sys.executable).with_name("tfticket"), {**os.environ, "HOME": str(tmp_path)}
    command = ["bash", "--norc", "-c", f"{script} --install-completion || exit 1; true"]  # bash stays its parent
    done = execute(command, env=environment)
    (written,) = (path for path in tmp_path.glob(".bash_completions/*") if path.is_file())
    assert str(written) in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {".bashrc", ".bash_completions"}
    pressed = execute(["bash", "--norc", "-c", TYPED.format(home=tmp_path, script=script)], env=environment)
    # -o default: where it offers nothing, bash completes files
    assert pressed.stdout.splitlines() == ["models", "complete -o default -F _tfticket_completion tfticket"]
