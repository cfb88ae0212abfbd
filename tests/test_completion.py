"""Completion through the protocol that the shells speak: a process for every press of the tab key."""

import os
import sys
from pathlib import Path

import pytest

from tests.processes import execute
from tfticket.config import scientific_fields
from tfticket.presets import load_experiment, presets
from tfticket.registry import DATA_SETS, LISTS

SCRIPT = Path(sys.executable).with_name("tfticket")
PROGRAM = """
import sys
sys.argv = ["tfticket"]
from tfticket.cli import main
try:
    main()
finally:
    print("tensorflow" in sys.modules, file=sys.stderr)
"""


@pytest.fixture
def complete(tmp_path):
    """Completes the last word of a line as bash does; the line is typed in ``tmp_path``."""

    nowhere = {"TFTICKET_WORKSPACE": "", "TFTICKET_DATA": "", "XDG_DATA_HOME": str(tmp_path / "nothing")}

    def ask(line, **environment):
        words = line.split(" ")
        protocol = {
            "_TFTICKET_COMPLETE": "complete_bash",
            "COMP_WORDS": "\n".join(words),
            "COMP_CWORD": str(len(words) - 1),
        }
        done = execute(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path,
            env={**os.environ, **nowhere, **protocol, **environment},
        )
        assert done.stderr == "False\n", "it wrote into the user's line, or imported TensorFlow"
        return done.stdout.split()

    return ask


def test_commands_and_their_options_are_completed(complete):
    assert {
        "run",
        "branch",
        "list",
        "data",
        "doctor",
        "show",
        "report",
        "export",
        "inspect",
        "mc-fit",
        "mc-ticket",
        "verify",
        "gui",
    } == set(complete("tfticket "))
    assert complete("tfticket doctor --w") == ["--workspace"]


def test_run_takes_presets_and_leaves_files_to_the_shell(complete, tmp_path):
    (tmp_path / "quick.yaml").touch()
    assert complete("tfticket run ") == [*presets()]
    assert complete("tfticket run quick") == ["quickstart-smoke", "quickstart"]
    assert complete("tfticket run quickstart-") == ["quickstart-smoke"]
    for nothing in ("quick.", "./quick", f"{tmp_path}/", "~/"):
        assert complete(f"tfticket run {nothing}") == []


def fields_of(values, prefix=""):
    """Every key of a configuration, dotted."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from fields_of(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}="


def test_overrides_take_the_fields_of_a_configuration(complete):
    config = load_experiment("quickstart")
    every = complete("tfticket run quickstart -o ")
    assert set(fields_of(config.model_dump())) <= set(every)
    assert set(fields_of(scientific_fields(config))) <= set(every)
    assert {"train.optimiser.learning_rate=", "train.optimiser.nesterov=", "data.path="} <= set(every)
    assert every == sorted(set(every))
    again = complete("tfticket run quickstart -o train.epochs=2 --override train.e")
    assert again == ["train.epochs=", "train.evaluate_every=", "train.evaluate_test="]


@pytest.fixture
def runs(tmp_path):
    """The default workspace has two runs, another has three."""
    for workspace, names in (("workspace", ("quick-1", "slow-1")), ("other", ("quick-2", "quick-3", "slow-2"))):
        for name in names:
            (tmp_path / workspace / "runs" / name).mkdir(parents=True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("tfticket show ", ["quick-1", "slow-1"]),
        ("tfticket report quick-1 s", ["slow-1"]),
        ("tfticket show --workspace other q", ["quick-2", "quick-3"]),
        ("tfticket report -w other quick-2 ", ["quick-2", "quick-3", "slow-2"]),
        ("tfticket show --workspace nowhere ", []),
        ("tfticket show /", []),
        ("tfticket show **", []),
    ],
)
def test_runs_are_those_of_the_workspace_that_the_line_names(line, found, runs, complete):
    assert complete(line) == found


def test_runs_are_those_of_the_workspace_that_the_environment_names(runs, complete):
    assert complete("tfticket show s", TFTICKET_WORKSPACE="other") == ["slow-2"]


def test_what_can_be_listed_is_completed(complete):
    assert complete("tfticket list ") == ["runs", "presets", *LISTS]
    assert complete("tfticket list m") == ["models"]


def test_data_sets_are_completed_also_the_users_own_and_files_are_left_to_the_shell(complete, tmp_path):
    for name in ("mine.npz", "mnist-too.zip", "[odd].npz", "m.txt"):
        (tmp_path / name).touch()
    assert complete("tfticket data cif") == [name for name in DATA_SETS if name.startswith("cif")]
    assert complete("tfticket data m") == ["mnist"]
    own = {"TFTICKET_DATA": str(tmp_path)}
    assert complete("tfticket data ", **own) == [*DATA_SETS, "[odd]", "mine", "mnist-too"]
    assert complete("tfticket data mnist m", **own) == ["mnist", "mine", "mnist-too"]
    assert complete(f"tfticket data --data-dir {tmp_path} mi") == ["mine"]
    assert complete("tfticket data [o", **own) == ["[odd]"]
    assert complete("tfticket data m", TFTICKET_DATA="nowhere") == ["mnist"], "no place to say that it is not there"
    for nothing in (f"{tmp_path}/mi", "./", "nothing-of-this-name"):
        assert complete(f"tfticket data {nothing}", **own) == []


def test_completion_is_installed_for_the_shell_that_it_is_called_from_and_works_in_it(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path)}
    command = ["bash", "--norc", "-c", f"{SCRIPT} --install-completion || exit 1; true"]  # bash stays its parent
    done = execute(command, env=environment)
    (script,) = (path for path in tmp_path.glob(".bash_completions/*") if path.is_file())
    assert str(script) in done.stdout
    assert "restart the terminal" in done.stdout
    assert str(script) in (tmp_path / ".bashrc").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {".bashrc", ".bash_completions"}
    typed = (
        f"source {tmp_path}/.bashrc\n"
        f"COMP_WORDS=({SCRIPT} list mod) COMP_CWORD=2\n"
        f"_tfticket_completion {SCRIPT}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
        "complete -p tfticket\n"
    )
    pressed = execute(["bash", "--norc", "-c", typed], env=environment)
    assert pressed.stdout.splitlines()[0] == "models"
    # -o default: where it offers nothing, bash completes files
    assert pressed.stdout.splitlines()[1] == "complete -o default -F _tfticket_completion tfticket"
