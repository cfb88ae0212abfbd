"""The command line as a user meets it. Bad input is tried in this process, the rest in one of its own."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import tfticket as tt
from tests.plans import assert_planned
from tests.processes import execute
from tfticket import cli
from tfticket.cli.doctor import MARKS
from tfticket.presets import load_experiment
from tfticket.registry import LISTS

pytestmark = pytest.mark.usefixtures("no_data_folder")


def fresh(code: str) -> str:
    """What a new Python prints."""
    return execute([sys.executable, "-c", code]).stdout


INVOKE = "import typer.testing; from tfticket.cli import app; assert typer.testing.CliRunner().invoke"


@pytest.mark.parametrize(
    "doing",
    [
        "import tfticket",
        "import tfticket.lab, tfticket.reports.report, tfticket._experiments.imp",
        f"{INVOKE}(app, ['--help']).exit_code == 0",
        f"{INVOKE}(app, ['list', 'models']).exit_code == 0",
        f"{INVOKE}(app, ['list', 'presets']).exit_code == 0",
        f"{INVOKE}(app, ['run', 'quickstart', '--dry-run']).exit_code == 0",
        f"{INVOKE}(app, ['doctor', '--help']).exit_code == 0",
        f"{INVOKE}(app, ['data']).exit_code == 0",
        f"{INVOKE}(app, ['data', 'cifar-10-small']).exit_code == 0",
    ],
)
def test_these_do_without_tensorflow(doing):
    assert fresh(f"{doing}\nimport sys; print('tensorflow' in sys.modules)").split()[-1] == "False"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["-m", "tfticket", "list", "presets"], "quickstart"),
        (["-m", "tfticket", "run", "quickstart", "--dry-run"], "lenet-300-100"),
        (["-c", "import experiments, gui, tfticket.presets as found; print(*found.presets())"], "quickstart"),
    ],
)
def test_packages_of_ones_own_may_be_named_experiments_and_gui(arguments, printed, tmp_path):
    for name in ("experiments", "gui", "benchmarks", "presets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    assert printed in execute([sys.executable, *arguments], cwd=tmp_path).stdout


def test_a_window_opens_beside_a_package_named_gui(tmp_path):
    (tmp_path / "gui.py").write_text("raise SystemExit('not the window')")
    found = execute([sys.executable, "-m", "tfticket._gui", "--help"], cwd=tmp_path)
    assert "workspace" in found.stdout


COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_by_example(command, call):
    code, out, _ = call(command, "--help")
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
    "batch beyond the rows": (["run", "quickstart", "-o", "data.train_rows=100"], "train.batch_size is 128"),
    "the same of a plan": (["run", "quickstart", "-o", "data.train_rows=10", "--dry-run"], "train.batch_size is 128"),
    "milestone at the end": (["run", "quickstart", "-o", "train.milestones=[6ep]", "--dry-run"], "train.milestones"),
    "training without end": (
        ["run", "quickstart", "-o", "train.epochs=2147483647", "--dry-run"],
        "iterations; expected",
    ),
    "run without a name": (["run", ""], "is not a file"),
    "show of no name": (["show", ""], "name is empty"),
    "report of no name": (["report", " "], "name is empty"),
    "branch of no name": (["branch", "", "-c", "shuffle-even"], "name is empty"),
    "export of no name": (["export", ""], "name is empty"),
    "inspection of no name": (["inspect", ""], "name is empty"),
    "name with a wildcard": (["show", "*"], "No run is named '*'"),
    "name longer than a file's": (["show", "a" * 3000], "No run is named 'aaa"),
    "control with a key twice": (["branch", "x", "-c", "{name: a, name: b}"], "No run is named 'x'"),
    "a seed twice": (["run", "quickstart", "-o", "seeds=[1,1]"], "repeat"),
    "exempt layer": (["run", "quickstart", "-o", "prune.exempt=[dense_7]"], "dense_7"),
    "emptied layer": (
        ["run", "quickstart", "-o", "prune.scope=layerwise", "-o", "prune.sparsity=0.9999"],
        "would empty dense_3 (1,000 weights) at level",
    ),
    "no such file of data": (["run", "quickstart", "-o", "data.path=nowhere.npz"], "nowhere.npz does not exist"),
    "too few classes": (["run", "quickstart", "-o", "data.classes=[1]"], "classes must be at least two, got [1]"),
    "unknown class": (["run", "quickstart", "-o", "data.classes=[1,17]"], "0 to 9"),
    "data that are not here": (["run", "quickstart", "-o", "data.name=cifar-10-jpeg"], "cifar-10-small, which is bun"),
    "no folder of data": (
        ["run", "quickstart", "-o", "data.name=letters", "--data-dir", "nowhere"],
        "The data folder nowhere does not exist",
    ),
    "no folder of data to look in": (["data", "--data-dir", "nowhere"], "The data folder nowhere does not exist"),
    "unknown data to show": (["data", "minst"], "Did you mean 'mnist'"),
    "data to show that are not here": (["data", "cifar-10-jpeg"], "cifar-10-jpeg is not on this machine; looked for"),
    "no such list": (["list", "model"], "Did you mean 'models'"),
    "the data themselves": (["run", "quickstart", "-o", "out_of_distribution={}"], "so no row is outside"),
    "some of the data themselves": (
        ["run", "quickstart", "-o", "out_of_distribution.classes=[3,4]", "-o", "data.classes=[1,3]"],
        "so no row is outside",
    ),
    "unknown data outside": (
        ["run", "quickstart", "-o", "out_of_distribution.name=minst"],
        "out_of_distribution.name: Unknown data set 'minst'. Did you mean 'mnist'",
    ),
    "no such file of data outside": (
        ["run", "quickstart", "-o", "out_of_distribution.path=nowhere.npz"],
        "nowhere.npz does not exist",
    ),
    "no such run": (["show", "nothing"], "Runs there: none yet"),
    "no such ticket": (["inspect", "nothing.safetensors"], "There is no file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message_exit_code_2_and_no_folder(name, tmp_path, monkeypatch, call):
    arguments, message = BAD[name]
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert not any(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, call):
    (tmp_path / "file").touch()
    code, _, err = call("run", "quickstart-smoke", "-w", tmp_path / "file" / "workspace")
    assert code == 2
    assert "is not a folder" in err


def test_a_corrupted_ticket_is_refused(tmp_path, call):
    path = tmp_path / "ticket.safetensors"
    path.write_bytes(np.random.default_rng(0).bytes(1000))
    code, _, err = call("inspect", path)
    assert code == 2
    assert str(path) in err


def test_global_pruning_that_empties_a_layer_names_it_and_keeps_what_is_done(tmp_path, call):
    options = ["prune.sparsity=0.99999", "prune.levels=1", "seeds=[0]", "train.epochs=5it"]
    arguments = [part for option in options for part in ("-o", option)]
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path, *arguments)
    assert code == 1
    assert "Failed: Pruning 100.0% of the survivors (global) would empty dense_" in err
    assert "allow_empty. The finished steps are kept; a run with other options uses" in err
    assert len(list(tmp_path.glob("steps/train-*/result.json"))) == 1


@pytest.mark.parametrize("columns", ["0", "-5", "wide", "\u00b2", "1" * 5000, "8"])
def test_a_width_that_no_terminal_has_is_ignored_and_a_narrow_one_is_24(columns, call, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    code, out, err = call("list", "controls")
    assert (code, err) == (0, "")
    longest = max(map(len, out.splitlines()))
    assert 12 < longest <= 24 if columns == "8" else 24 < longest <= 80
    assert "reinitialise" in out


def test_a_diverging_run_exits_1_and_says_where(tmp_path, call):
    options = ["train.optimiser={name: sgd, learning_rate: 1.0e+25}", "seeds=[0]"]
    arguments = [part for option in options for part in ("-o", option)]
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path, *arguments)
    assert code == 1
    assert "at iteration" in err
    code, out, _ = call("show", "quickstart-smoke", "-w", tmp_path)
    assert code == 0
    assert "failed" in out
    assert "at iteration" in out
    assert "lenet-300-100 on" not in out, "nothing was evaluated"
    code, out, _ = call("show", "quickstart-smoke", "-w", tmp_path, "--json")
    assert (code, json.loads(out)["title"], json.loads(out)["results"]) == (0, "", [])


def ctrl_c(*arguments, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("where", "command"),
    [
        ("tfticket.presets.load_sourced", ["run", "quickstart-smoke"]),
        ("tfticket._experiments.imp.Imp.check_data", ["run", "quickstart-smoke"]),
        ("tfticket._experiments.imp.Imp.check_model", ["-q", "run", "quickstart-smoke"]),
        ("tfticket.data.dataset_summary.summary", ["data", "mnist"]),
    ],
)
def test_a_ctrl_c_before_a_run_begins_leaves_nothing(where, command, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(where, ctrl_c)
    code, out, err = call(*command)
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "Stopped; nothing was written."
    assert "Traceback" not in err
    assert not any(tmp_path.iterdir())


def test_a_ctrl_c_after_a_run_began_is_told_as_such(tmp_path, monkeypatch, call):
    monkeypatch.setattr("tfticket._experiments.imp.Imp.main", ctrl_c)
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path)
    assert code == 130
    assert err == "Stopped at once; the last checkpoint stands. Run the same command again to go on.\n"
    _, out, _ = call("show", "quickstart-smoke", "-w", tmp_path)
    assert out.splitlines()[1].startswith("stopped, started ")


def test_debug_shows_the_traceback(tmp_path):
    done = execute([sys.executable, "-m", "tfticket", "--debug", "show", "nothing", "-w", tmp_path], check=False)
    assert "Traceback" in done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace with one finished smoke run, and what the command printed."""
    workspace = tmp_path_factory.mktemp("finished")
    return workspace, execute([sys.executable, "-m", "tfticket", "run", "quickstart-smoke", "-w", workspace])


def test_a_run_says_what_it_does_and_where_everything_is(finished):
    workspace, done = finished
    (run,) = (workspace / "runs").iterdir()
    assert "14/14 trainings" in done.stderr
    assert "WARNING" not in done.stderr
    figures = [f"{name}.{kind}" for name in ("accuracy", "calibration", "reliability") for kind in ("png", "pdf")]
    names = [*figures, "results.csv", "summary.json", "claims.json"]
    said = " ".join(done.stdout.split())  # it is wrapped
    assert f"Figures, CSV, summary and claims in {run / 'report'}: {', '.join(names)} " in said
    assert all((run / "report" / name).stat().st_size > 500 for name in names)
    assert done.stderr.startswith(f"quickstart-smoke: {run}\nStarting TensorFlow ...\n")
    assert done.stdout.startswith("lenet-300-100 on MNIST, 2,000 training rows\n")
    assert "IMP ticket" in done.stdout
    assert "Means over 2 seeds" in done.stdout
    assert "ETA" in done.stderr
    proposed = [line.split("Next:")[-1].strip() for line in done.stdout.splitlines() if "tfticket" in line]
    shown = execute([sys.executable, *proposed[-2].split()[1:]], cwd=workspace)
    assert "done, started" in shown.stdout
    assert "-o 'seeds=[0,1,2,3]'" in proposed[-1]


def test_a_second_run_computes_nothing_and_reports_the_same(finished, call):
    workspace, _ = finished
    before = {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/*")}
    (table,) = workspace.glob("runs/*/report/results.csv")
    text = table.read_text()
    code, out, _ = call("run", "quickstart-smoke", "-w", workspace, "--json")
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/*")} == before
    assert table.read_text() == text
    printed = json.loads(out)
    assert {cell["arm"] for cell in printed["results"]} == {"ticket", "reinitialise", "shuffle-layerwise"}
    assert printed["title"] == "lenet-300-100 on MNIST, 2,000 training rows"
    assert {Path(file).parent for file in printed["files"]} == {table.parent}
    assert all(Path(file).is_file() for file in printed["files"])


def test_a_plan_lists_the_steps_that_a_run_takes(finished):
    assert_planned(finished[0], load_experiment("quickstart-smoke"))


def test_a_dry_run_counts_the_steps_that_are_there(finished, tmp_path, call):
    def said(*options):
        code, out, err = call("run", "quickstart-smoke", "-w", tmp_path, "--dry-run", *options)
        assert code == 0, err
        return " ".join(out.split())

    shutil.copytree(finished[0] / "steps", tmp_path / "steps")
    total = len(list(tmp_path.glob("steps/*")))
    assert f"has {total} of its {total} steps. Nothing was begun." in said()
    evaluations = list(tmp_path.glob("steps/evaluate-*"))
    for folder in evaluations:
        (folder / "result.json").unlink()
    left = total - len(evaluations)
    assert f"has {left} of its {total} steps." in said()
    assert f"has {left} of its {total * 3 // 2} steps." in said("-o", "seeds=[0,1,2]")  # instead of two
    assert f"has none of its {total} steps." in said("-o", "data.split_seed=1")
    assert json.loads(said("--json"))["steps"] == {"planned": total, "done": left}


def test_a_dry_run_downloads_nothing(finished, folders, call):
    code, out, _ = call("run", "quickstart-smoke", "-w", finished[0], "--dry-run", "-o", "data.name=cifar-10")
    assert code == 0
    said = f"steps {finished[0]} has is not known: cifar-10 is not on this machine. Downloaded when"
    assert said in " ".join(out.split())


def test_one_field_changed_recomputes_only_what_it_reaches(finished, call):
    workspace, _ = finished
    before = {path.name for path in workspace.glob("steps/*")}
    code, _, _ = call("-q", "run", "quickstart-smoke", "-w", workspace, "-o", "control_densities=[0.1]")
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


def test_reports_come_from_folders_alone(finished, tmp_path, call):
    workspace, _ = finished
    run = next(path for path in sorted(workspace.glob("runs/*")) if (path / "report").exists())
    code, out, _ = call("report", run, "--out", tmp_path / "out", "-w", tmp_path / "elsewhere")
    assert code == 0
    assert out.startswith("lenet-300-100 on MNIST, 2,000 training rows\n")
    assert "10.0%" in out
    assert (tmp_path / "out" / "results.csv").read_text() == (run / "report" / "results.csv").read_text()


def test_two_runs_make_one_report_where_it_is_told_to(finished, tmp_path, call):
    workspace, _ = finished
    runs = [path.name for path in workspace.glob("runs/*")]
    assert len(runs) == 2
    assert call("report", *runs, "-w", workspace)[0] == 2
    code, out, _ = call("report", *runs, "-w", workspace, "--out", tmp_path / "both", "--json")
    assert code == 0
    assert {cell["run"] for cell in json.loads(out)["results"]} == set(runs)
    assert json.loads(out)["title"] == "lenet-300-100 on MNIST, 2,000 training rows"
    assert (tmp_path / "both" / "accuracy.png").stat().st_size > 10_000


def test_the_newest_run_of_a_name_is_meant(finished, call):
    workspace, _ = finished
    _, out, _ = call("list", "runs", "-w", workspace, "--json")
    newest = json.loads(out)[0]["run"]
    code, out, _ = call("show", "quickstart-smoke", "-w", workspace)
    assert code == 0
    assert newest in out.splitlines()[0]


@pytest.mark.parametrize(
    "arguments", [["-q", "list", "models"], ["list", "models", "-q"], ["list", "models", "--debug"]]
)
def test_what_holds_for_every_command_is_said_before_or_after_it(arguments, call):
    code, out, _ = call(*arguments)
    assert code == 0
    assert "lenet-300-100" in out


def shown_in(encoding, *arguments):
    """What a terminal of this encoding shows."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = execute([sys.executable, "-m", "tfticket", *arguments], env=environment, text=False)
    assert done.stderr == b""
    return done.stdout.decode(encoding)


def test_a_terminal_without_our_signs_is_written_to_all_the_same(finished, tmp_path):
    (tmp_path / "runs" / "größer").mkdir(parents=True)
    (tmp_path / "runs" / "größer" / "status.json").touch()
    assert "gr??er" in shown_in("ascii", "list", "runs", "-w", tmp_path)
    workspace, _ = finished
    shown = shown_in("iso8859-2", "show", "quickstart-smoke", "-w", workspace)
    assert "Means over 2 seeds; ? is the unadjusted 95 % interval" in shown


def test_list_show_and_inspect_what_is_there(finished, call):
    workspace, _ = finished
    code, out, _ = call("list", "runs", "-w", workspace, "--json")
    assert code == 0
    assert {run["state"] for run in json.loads(out)} == {"done"}
    name = json.loads(out)[-1]["run"]
    code, out, _ = call("show", name, "-w", workspace, "--json")
    assert code == 0
    assert json.loads(out)["config"]["train"]["epochs"] == "1ep"
    assert json.loads(out)["title"] == "lenet-300-100 on MNIST, 2,000 training rows"
    code, out, _ = call("show", name, "-w", workspace)
    assert code == 0
    assert "\n\nlenet-300-100 on MNIST, 2,000 training rows\n" in out
    folder = next(workspace.glob("steps/prune-*"))
    code, out, _ = call("inspect", folder, "--json")
    assert code == 0
    ticket = tt.Ticket.load(folder / "ticket.safetensors")
    assert [kernel["survivors"] for kernel in json.loads(out)["kernels"]] == list(ticket.survivors.values())


def test_a_dry_run_shows_where_each_field_comes_from_and_begins_nothing(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    run = ["run", "bayesian-lth-resnet-20-paper", "-o", "train.epochs=3", "-o", "train.milestones=[1,2]", "--dry-run"]
    code, out, err = call(*run)
    assert (code, err) == (0, "")
    assert re.search(r"train.epochs +\"3ep\" +yours: -o", out)
    assert re.search(r"prune.rate +0.2 +stated: section 4", out)
    cost = r"880 trainings of up to 1,055 iterations: .* on \d+ cores, with evaluations, without compiling\. "
    assert re.search(cost + r"workspace has none of its 2,640 steps\. Nothing was begun\.", " ".join(out.split()))
    code, out, _ = call(*run, "--json")
    assert json.loads(out)["fields"]["train.epochs"] == {"value": "3ep", "source": "yours: -o"}
    assert json.loads(out)["cost"]["trainings"] == 880
    assert json.loads(out)["steps"]["done"] == 0
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("what", ["presets", *LISTS])
def test_everything_that_has_a_name_is_listed(what, call):
    code, out, _ = call("list", what)
    assert code == 0
    assert len(out.splitlines()) > 3


def test_the_doctor_finds_what_the_program_needs_on_this_machine(tmp_path, call):
    code, out, _ = call("doctor", "--json", "-w", tmp_path)
    assert code == 0
    findings = {row["what"]: row for row in json.loads(out)}
    assert set(findings["Python"]) == {"what", "state", "found", "mend"}
    assert {row["state"] for row in findings.values()} <= {"ok", "note"}
    for what in ("tfticket", "packages", "memory", "workspace", "data mnist", "data cifar-10-small"):
        assert findings[what]["state"] == "ok"
    assert "tensorflow 2." in findings["packages"]["found"]
    code, out, err = call("doctor", "-w", tmp_path)
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines() if "packages" in line] == [[MARKS["ok"], "packages"]]
    assert f"{MARKS['note']} data cifar-10-jpeg: It is CIFAR-10 as lossy JPEG" in out
    assert err == "Starting TensorFlow ...\n"


def test_the_doctor_exits_1_where_the_program_cannot_work_and_says_what_to_do(tmp_path, call):
    (tmp_path / "file").touch()
    workspace = tmp_path / "file" / "w"
    code, out, err = call("doctor", "--json", "-w", workspace, "--data-dir", tmp_path / "none")
    assert code == 1
    assert [row["what"] for row in json.loads(out) if row["state"] == "broken"] == ["workspace", "data folder"]
    said = [
        f"workspace: {workspace}: {tmp_path / 'file'} cannot be written. Use --workspace.",
        f"data folder: The data folder {tmp_path / 'none'} does not exist. Mend --data-dir or TFTICKET_DATA.",
    ]
    assert err.splitlines() == [f"Failed: {said[0]}", said[1]]
    code, out, err = call("doctor", "-w", workspace)
    assert code == 1
    assert [line.split()[:2] for line in out.splitlines() if " workspace " in line] == [[MARKS["broken"], "workspace"]]
    assert err.splitlines() == ["Starting TensorFlow ...", f"Failed: {said[0]}"]
    assert not workspace.exists()


def test_the_api_example_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    """The README's code block, with a shorter training."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    short = code.replace('tt.load_data("mnist")', 'tt.load_data("mnist", train_rows=1000)')
    assert short != code
    monkeypatch.chdir(tmp_path)
    exec(compile(short, "README.md", "exec"), {})
    assert "accuracy" in capsys.readouterr().out


def test_a_keras_file_is_loaded_only_with_trust(tmp_path, call):
    model = tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10)
    model.save(tmp_path / "mine.keras")
    options = ["-o", f"model={{name: {tmp_path / 'mine.keras'}}}", "-w", tmp_path / "ws", "-o", "seeds=[0]"]
    code, _, err = call("run", "quickstart-smoke", *options)
    assert code == 2
    assert "mine.keras can run code when it is loaded. If you trust it, say so: --trust" in err
    assert not (tmp_path / "ws").exists()
    short = ["-o", "prune.levels=1", "-o", "train.epochs=3it", "-o", "control_densities=[]"]
    code, out, _ = call("run", "quickstart-smoke", "--trust", *options, *short)
    assert code == 0
    assert "IMP ticket" in out


def test_the_window_is_opened_by_a_process_of_its_own(monkeypatch, call):
    started = []
    monkeypatch.setattr("os.execv", lambda program, arguments: started.append((program, arguments)))
    assert call("gui")[0] == 0
    assert call("gui", "somewhere", "--theme", "dark")[0] == 0
    begin = [sys.executable, "-P", "-m", "tfticket._gui"]
    assert started == [(sys.executable, begin), (sys.executable, [*begin, "somewhere", "--theme", "dark"])]
