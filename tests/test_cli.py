"""The command line as a user meets it. Bad input is tried in this process, the rest in one of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tfticket as tt
from tfticket import cli


def call(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    cli.Options.quiet = cli.Options.debug = False
    old, sys.argv = sys.argv, ["tfticket", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as end:
            cli.main()
    finally:
        sys.argv = old
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def fresh(code: str) -> str:
    """What a new Python prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout


INVOKE = "import typer.testing; from tfticket.cli import app; assert typer.testing.CliRunner().invoke"


@pytest.mark.parametrize(
    "doing",
    [
        "import tfticket",
        "import tfticket.lab, tfticket.reports.report, experiments.quickstart",
        f"{INVOKE}(app, ['--help']).exit_code == 0",
        f"{INVOKE}(app, ['list', 'models']).exit_code == 0",
    ],
)
def test_these_do_without_tensorflow(doing):
    assert fresh(f"{doing}\nimport sys; print('tensorflow' in sys.modules)").split()[-1] == "False"


@pytest.mark.parametrize("command", ["run", "list", "show", "report", "inspect"])
def test_every_command_teaches_by_example(command, capsys):
    code, out, _ = call(capsys, command, "--help")
    assert code == 0
    assert f"tfticket {command}" in out.split("Examples:")[1]


BAD = {
    "unknown key": (["run", "quickstart", "-o", "train.epoch=5"], "Did you mean 'train.epochs'"),
    "unknown optimiser key": (["run", "quickstart", "-o", "train.optimiser.rate=1"], "learning_rate"),
    "unknown model": (["run", "quickstart", "-o", "model.name=lenet"], "lenet-300-100"),
    "unknown preset": (["run", "quickstar"], "Did you mean 'quickstart'"),
    "unknown score": (["run", "quickstart", "-o", "prune.score=size"], "magnitude"),
    "unknown data": (["run", "quickstart", "-o", "data.name=minst"], "Did you mean 'mnist'"),
    "sparsity of 1": (["run", "quickstart", "-o", "prune.sparsity=1.0"], "prune.sparsity"),
    "negative sparsity": (["run", "quickstart", "-o", "prune.sparsity=-0.5"], "prune.sparsity"),
    "no levels": (["run", "quickstart", "-o", "prune.levels=0"], "prune.levels"),
    "a duration": (["run", "quickstart", "-o", "train.epochs=long"], "'40ep'"),
    "not an override": (["run", "quickstart", "-o", "train.epochs"], "key=value"),
    "too many rows": (["run", "quickstart", "-o", "data.validation_rows=60000"], "validation_rows"),
    "rewinding to the end": (["run", "quickstart", "-o", "prune.rewind=6ep"], "rewind"),
    "rewinding beyond the end": (["run", "quickstart", "-o", "prune.rewind=50000it"], "Train longer"),
    "training of no iteration": (["run", "quickstart", "-o", "data.train_rows=10", "-o", "train.epochs=1"], "is 0 it"),
    "a seed twice": (["run", "quickstart", "-o", "seeds=[1,1]"], "repeat"),
    "exempt layer": (["run", "quickstart", "-o", "prune.exempt=[dense_7]"], "dense_7"),
    "emptied layer": (
        ["run", "quickstart", "-o", "prune.scope=layerwise", "-o", "prune.sparsity=0.9999"],
        "would empty dense_3 (1,000 weights) at level",
    ),
    "no such list": (["list", "model"], "Did you mean 'models'"),
    "no such run": (["show", "nothing"], "Runs there: none yet"),
    "no such ticket": (["inspect", "nothing.safetensors"], "There is no file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_exit_code_2_and_no_folder(name, tmp_path, monkeypatch, capsys):
    arguments, message = BAD[name]
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    code, _, err = call(capsys, "run", "quickstart-smoke", "-w", tmp_path / "file" / "workspace")
    assert code == 2
    assert "Cannot write in" in err


def test_a_corrupted_ticket_is_refused(tmp_path, capsys):
    path = tmp_path / "ticket.safetensors"
    path.write_bytes(np.random.default_rng(0).bytes(1000))
    code, _, err = call(capsys, "inspect", path)
    assert code == 2
    assert str(path) in err


def test_global_pruning_that_empties_a_layer_names_it_and_keeps_what_is_done(tmp_path, capsys):
    options = ["prune.sparsity=0.99999", "prune.levels=1", "seeds=[0]", "train.epochs=5it"]
    arguments = [part for option in options for part in ("-o", option)]
    code, _, err = call(capsys, "-q", "run", "quickstart-smoke", "-w", tmp_path, *arguments)
    assert code == 2
    assert "would empty dense_" in err
    assert "allow_empty" in err
    assert len(list(tmp_path.glob("steps/train-*/result.json"))) == 1


def test_a_diverging_run_exits_1_and_says_where(tmp_path, capsys):
    options = ["train.optimiser={name: sgd, learning_rate: 1.0e+25}", "seeds=[0]"]
    arguments = [part for option in options for part in ("-o", option)]
    code, _, err = call(capsys, "-q", "run", "quickstart-smoke", "-w", tmp_path, *arguments)
    assert code == 1
    assert "at iteration" in err
    code, out, _ = call(capsys, "show", "quickstart-smoke", "-w", tmp_path)
    assert code == 0
    assert "failed" in out
    assert "at iteration" in out


def test_debug_shows_the_traceback(tmp_path):
    command = [sys.executable, "-m", "tfticket", "--debug", "show", "nothing", "-w", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" in done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace with one finished smoke run, and what the command printed."""
    workspace = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-m", "tfticket", "run", "quickstart-smoke", "-w", str(workspace)]
    return workspace, subprocess.run(command, check=True, capture_output=True, text=True, timeout=200)


def test_a_run_says_what_it_does_and_where_everything_is(finished):
    workspace, done = finished
    (run,) = (workspace / "runs").iterdir()
    assert "14.0/14 trainings" in done.stderr
    assert "WARNING" not in done.stderr
    for name in ("accuracy.png", "accuracy.pdf", "results.csv"):
        assert str(run / "report" / name) in done.stdout.replace("\n", "")
        assert (run / "report" / name).stat().st_size > 500
    assert "IMP ticket" in done.stdout
    assert "Means over 2 seeds" in done.stdout
    assert "ETA" in done.stderr
    proposed = [line.split("Next:")[-1].strip() for line in done.stdout.splitlines() if "tfticket" in line]
    shown = subprocess.run(
        [sys.executable, *proposed[-2].split()[1:]],
        cwd=workspace,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "done, started" in shown.stdout
    assert "-o 'seeds=[0,1,2,3]'" in proposed[-1]


def test_a_second_run_computes_nothing_and_reports_the_same(finished, capsys):
    workspace, _ = finished
    before = {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/*")}
    (table,) = workspace.glob("runs/*/report/results.csv")
    text = table.read_text()
    code, out, _ = call(capsys, "run", "quickstart-smoke", "-w", workspace, "--json")
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/*")} == before
    assert table.read_text() == text
    assert {cell["arm"] for cell in json.loads(out)["results"]} == {"ticket", "reinitialise", "random-mask"}


def test_one_field_changed_recomputes_only_what_it_reaches(finished, capsys):
    workspace, _ = finished
    before = {path.name for path in workspace.glob("steps/*")}
    code, _, _ = call(capsys, "-q", "run", "quickstart-smoke", "-w", workspace, "-o", "control_densities=[0.1]")
    assert code == 0
    assert {path.name for path in workspace.glob("steps/*")} == before
    assert len(list(workspace.glob("runs/*"))) == 2


def test_the_library_finds_the_tickets_that_the_lab_finds(finished, data):
    workspace, _ = finished
    model = tt.build_model("lenet-300-100", data)
    series = tt.find_tickets(model, data, sparsity=0.9, levels=2, train={"epochs": 1}, seed=1)
    labs = [tt.Ticket.load(path) for path in workspace.glob("steps/prune-*/ticket.safetensors")]
    found = {ticket.level: ticket for ticket in labs if ticket.provenance["seed"] == 1}
    for level in (1, 2):
        for path, kept in series[level].mask.items():
            np.testing.assert_array_equal(kept, found[level].mask[path])
            np.testing.assert_array_equal(series[level].start[path], found[level].start[path])


def test_reports_come_from_folders_alone(finished, tmp_path, capsys):
    workspace, _ = finished
    run = next(path for path in sorted(workspace.glob("runs/*")) if (path / "report").exists())
    code, out, _ = call(capsys, "report", run, "--out", tmp_path / "out", "-w", tmp_path / "elsewhere")
    assert code == 0
    assert "10.0%" in out
    assert (tmp_path / "out" / "results.csv").read_text() == (run / "report" / "results.csv").read_text()


def test_two_runs_make_one_report_where_it_is_told_to(finished, tmp_path, capsys):
    workspace, _ = finished
    runs = [path.name for path in workspace.glob("runs/*")]
    assert len(runs) == 2
    assert call(capsys, "report", *runs, "-w", workspace)[0] == 2
    code, out, _ = call(capsys, "report", *runs, "-w", workspace, "--out", tmp_path / "both", "--json")
    assert code == 0
    assert {cell["run"] for cell in json.loads(out)["results"]} == set(runs)
    assert (tmp_path / "both" / "accuracy.png").stat().st_size > 10_000


def test_the_newest_run_of_a_name_is_meant(finished, capsys):
    workspace, _ = finished
    _, out, _ = call(capsys, "list", "runs", "-w", workspace, "--json")
    newest = json.loads(out)[0]["run"]
    code, out, _ = call(capsys, "show", "quickstart-smoke", "-w", workspace)
    assert code == 0
    assert newest in out.splitlines()[0]


@pytest.mark.parametrize(
    "arguments", [["-q", "list", "models"], ["list", "models", "-q"], ["list", "models", "--debug"]]
)
def test_what_holds_for_every_command_is_said_before_or_after_it(arguments, capsys):
    code, out, _ = call(capsys, *arguments)
    assert code == 0
    assert "lenet-300-100" in out


def test_list_show_and_inspect_what_is_there(finished, capsys):
    workspace, _ = finished
    code, out, _ = call(capsys, "list", "runs", "-w", workspace, "--json")
    assert code == 0
    assert {run["state"] for run in json.loads(out)} == {"done"}
    name = json.loads(out)[-1]["run"]
    code, out, _ = call(capsys, "show", name, "-w", workspace, "--json")
    assert code == 0
    assert json.loads(out)["config"]["train"]["epochs"] == "1ep"
    folder = next(workspace.glob("steps/prune-*"))
    code, out, _ = call(capsys, "inspect", folder, "--json")
    assert code == 0
    ticket = tt.Ticket.load(folder / "ticket.safetensors")
    assert [layer["survivors"] for layer in json.loads(out)["layers"]] == list(ticket.survivors.values())


@pytest.mark.parametrize("what", ["presets", "experiments", "models", "data", "scores", "controls"])
def test_everything_that_has_a_name_is_listed(what, capsys):
    code, out, _ = call(capsys, "list", what)
    assert code == 0
    assert len(out.splitlines()) > 3


def test_the_api_example_of_the_readme_runs(tmp_path):
    """The README's code block, with a shorter training."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    short = code.replace('tt.load_data("mnist")', 'tt.load_data("mnist", train_rows=1000)')
    assert short != code
    done = subprocess.run([sys.executable, "-c", short], cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout
