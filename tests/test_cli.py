"""The command line as a user meets it."""

import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import tfticket as tt
from tests.answers import answers
from tests.plans import assert_planned
from tests.processes import execute
from tests.refusals import refused
from tests.tables import rows
from tfticket import cli
from tfticket.data.dataset_summary import summary
from tfticket.data.identity import source_by_name
from tfticket.data.sources import asset
from tfticket.presets import load_experiment, presets
from tfticket.registry import DATA_SETS, LISTS
from tfticket.reports.rows import rows_of
from tfticket.runs.run_folder import find_run

pytestmark = pytest.mark.usefixtures("no_data_folder", "without_xla")


def options(*changes):
    return [part for change in changes for part in ("-o", change)]


LETTERS = Path(__file__).with_name("digits.npz")
"""A user's own file, as letters.npz."""


# Answered before TensorFlow, or anything else that takes seconds, is imported: command | facts

WRONG = """
nope                                                 | nope
list nope                                            | nope
show nope                                            | nope; bare
report bare                                          | bare
export bare                                          | bare; chains
inspect damaged.safetensors                          | damaged.safetensors
run quickstar                                        | 'quickstart'
run quickstart -o train.epoch=1                      | 'train.epochs'
run quickstart -o model.name=nope:build              | 'nope'
run quickstart -o data.name=minst                    | 'mnist'
run quickstart -o data.path=damaged.npz              | damaged.npz
run quickstart -o out_of_distribution.name=minst     | out_of_distribution; 'mnist'
run quickstart -o 'data={name: mnist, path: letters.npz}' | letters.npz; mnist
run quickstart -w damaged.safetensors/below          | damaged.safetensors; --workspace
branch bare --control keep-signs                     | bare; stopped
mc-fit nope.safetensors --out s.txt                  | .json
mc-fit nope.safetensors --out damaged.npz/s.json     | damaged.npz; --out
mc-ticket nope.json --model nope:build               | 'nope'
mc-ticket nope.json --model conv-2 --initialiser nope | initialiser
data cifar-10-jpeg                                   | cifar-10-jpeg
data mnist --data-dir none                           | none
gui --theme darc                                     | 'dark'
doctor --nope                                        | --nope
"""
RIGHT = ["--help", "run quickstart --dry-run", "data", "data cifar-10-small", "list presets", "list runs --json"]
RIGHT += [f"list {what}" for what in LISTS]
RIGHT += [f"{command.name or command.callback.__name__} --help" for command in cli.app.registered_commands]


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """The answer to each of the commands; they leave nothing behind."""
    folder = tmp_path_factory.mktemp("typos")
    run = folder / "workspace" / "runs" / "bare"
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "stopped", "started": 0.0, "experiment": "imp"}')
    (run / "config.yaml").write_text("{name: bare, experiment: imp}")
    (run / "manifest.json").write_text('{"steps": []}')
    (folder / "damaged.safetensors").write_bytes(b"x" * 100)
    (folder / "damaged.npz").write_bytes(LETTERS.read_bytes()[:9000])
    (folder / "letters.npz").symlink_to(LETTERS)
    before = sorted(folder.rglob("*"))
    lines = [line for line, _ in rows(WRONG, 2)] + RIGHT
    made = answers([(shlex.split(line), {"COLUMNS": "200"}) for line in lines], folder)
    assert sorted(folder.rglob("*")) == before
    return dict(zip(lines, made, strict=True))


def test_bad_input_is_one_message_at_once_exit_code_2_and_no_file(answered):
    for line, facts in rows(WRONG, 2):
        code, out, err, imported = answered[line]
        assert (code, out, imported) == (2, "", []), line
        message = " ".join(re.sub("[│╭╰─╮╯]", " ", err).split())
        assert all(fact in message for fact in facts.split("; ")), message
        assert "Traceback" not in err and "fault of tfticket" not in err, err  # noqa: PT018


def test_what_needs_no_tensorflow_imports_none_and_every_command_teaches_by_example(answered):
    for line in RIGHT:
        code, out, err, imported = answered[line]
        assert (code, err, "tensorflow" in imported) == (0, "", False), line
        assert len(out.splitlines()) > 3 or line == "list runs --json", line
        if line.endswith(" --help"):
            assert f"tfticket {line.removesuffix(' --help')}" in out.split("Examples:")[1]
    assert {run["run"] for run in json.loads(answered["list runs --json"].out)} == {"bare"}
    listed = answered["list presets"].out
    assert {*presets()} <= {*listed.split()}
    assert "not measured" not in listed, "no measured step: renew experiments/presets/costs.json"
    code = "import tfticket.lab, tfticket.reports.report, tfticket._experiments.imp as imp; import sys; "
    code += "print('tensorflow' in sys.modules)"
    assert execute([sys.executable, "-c", code]).stdout == "False\n"


# How the program is called


def test_packages_of_ones_own_may_be_named_as_ours(tmp_path):
    for name in ("experiments", "gui", "benchmarks", "presets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    code = "import experiments, gui, tfticket.presets as presets; print(*presets.presets())"
    for arguments, fact in (
        (["-m", "tfticket", "run", "quickstart", "--dry-run"], "lenet-300-100"),
        (["-c", code], "quickstart"),
        (["-m", "tfticket._gui", "--help"], "workspace"),
    ):
        assert fact in execute([sys.executable, *arguments], cwd=tmp_path).stdout


CLOSED = """
import os, sys
for stream in map(int, sys.argv[2:]):
    os.close(stream)
from tfticket import cli
log, sys.argv = sys.argv[1], ["tfticket", "list", "samplers"]
try:
    cli.main()
except SystemExit as end:
    null = os.stat(os.devnull).st_rdev
    open(log, "w").write(f"{end.code} {[os.fstat(stream).st_rdev == null for stream in range(3)]}")
"""


def test_the_numbers_of_closed_streams_are_not_given_to_other_files(tmp_path):
    for closed in ([0, 1], [0, 1, 2]):
        execute([sys.executable, "-c", CLOSED, tmp_path / "log", *closed], stdin=subprocess.DEVNULL)
        assert (tmp_path / "log").read_text() == f"0 {[stream in closed for stream in range(3)]}"


def test_options_of_every_command_stand_before_or_after_it_and_debug_raises(tmp_path, monkeypatch, call):
    for columns, arguments in (("0", ["-q", "list", "models"]), ("\u00b2", ["list", "models", "--debug"])):
        monkeypatch.setenv("COLUMNS", columns)  # a width that no terminal has
        code, out, _ = call(*arguments)
        assert (code, "lenet-300-100" in out, max(map(len, out.splitlines())) <= 80) == (0, True, True)
    monkeypatch.setattr(sys, "argv", ["tfticket", "--debug", "show", "nothing", "-w", str(tmp_path)])
    with refused("run", None, "nothing"):
        cli.main()


def test_a_terminal_without_our_signs_is_written_to_all_the_same(tmp_path, monkeypatch):
    (tmp_path / "runs" / "größer ±").mkdir(parents=True)
    (tmp_path / "runs" / "größer ±" / "status.json").touch()
    monkeypatch.setattr(sys, "argv", ["tfticket", "list", "runs", "-w", str(tmp_path)])
    for encoding, shown in (("ascii", b"gr??er ?"), ("iso8859-2", "größer ?".encode("iso8859-2"))):
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
        assert shown in sys.stdout.buffer.getvalue()


def test_the_window_is_opened_by_a_process_of_its_own(monkeypatch, call):
    started = []
    monkeypatch.setattr("os.execv", lambda program, arguments: started.append((program, arguments)))
    assert call("gui", "somewhere", "--theme", "dark")[0] == 0
    command = [sys.executable, "-P", "-m", "tfticket._gui", "somewhere", "--theme", "dark"]
    assert started == [(sys.executable, command)]


def ctrl_c(*arguments, **named):
    raise KeyboardInterrupt


def test_a_ctrl_c_leaves_nothing_before_a_run_begins_and_stops_it_afterwards(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    run = ["-q", "run", "quickstart-smoke"]
    for where, command in (
        ("tfticket.presets.load_sourced", run[1:]),
        ("tfticket._experiments.imp.Imp.check_model", run),
        ("tfticket.data.dataset_summary.summary", ["data", "mnist"]),
        ("tfticket._experiments.imp.Imp.main", run),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, ctrl_c)
            code, out, err = call(*command)
        assert (code, out, "Traceback" in err) == (130, "", False)
        assert err.splitlines()[-1].startswith("Stopped")
        assert any(tmp_path.iterdir()) == where.endswith("main")
    assert json.loads(call("show", "quickstart-smoke", "--json")[1])["state"] == "stopped"


# Runs that fail


def test_networks_that_cannot_be_pruned_so_are_refused_and_what_is_done_is_kept(tmp_path, call):
    run = ["-q", "run", "quickstart-smoke", "-w", tmp_path / "ws"]
    code, _, err = call(*run, *options("prune.exempt=[dense_7]"))
    assert (code, "dense_7" in err, list(tmp_path.iterdir())) == (2, True, [])
    changes = options("prune.sparsity=0.99999", "prune.levels=1", "seeds=[0]", "train.epochs=5it")
    code, _, err = call(*run, *changes)
    assert (code, "dense_" in err, "allow_empty" in err) == (1, True, True)
    assert len(list(tmp_path.glob("ws/steps/train-*/result.json"))) == 1


def test_a_diverging_run_exits_1_and_says_where(tmp_path, call):
    changes = options("train.optimiser={name: sgd, learning_rate: 1.0e+25}", "seeds=[0]")
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path, *changes)
    assert (code, "at iteration" in err) == (1, True)
    shown = json.loads(call("show", "quickstart-smoke", "-w", tmp_path, "--json")[1])
    assert (shown["state"], shown["title"], shown["results"]) == ("failed", "", [])
    assert "at iteration" in call("show", "quickstart-smoke", "-w", tmp_path)[1]


def test_a_keras_file_is_loaded_only_with_trust(tmp_path, monkeypatch, call):
    model = tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10)
    model.save(tmp_path / "mine.keras")
    run = ["run", "quickstart-smoke", "-w", tmp_path / "ws", *options(f"model={{name: {tmp_path / 'mine.keras'}}}")]
    code, _, err = call(*run)
    assert (code, "mine.keras" in err, "--trust" in err, (tmp_path / "ws").exists()) == (2, True, True, False)
    monkeypatch.setattr("tfticket._experiments.imp.Imp.main", ctrl_c)
    assert call(*run, "--trust")[0] == 130  # it began


# A finished run


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace with one finished smoke run, and what the command printed."""
    workspace = tmp_path_factory.mktemp("finished")
    return workspace, CliRunner().invoke(cli.app, ["run", "quickstart-smoke", "-w", str(workspace)])


TITLE = "lenet-300-100 on MNIST, 2,000 training rows"


def test_a_run_says_what_it_does_and_where_everything_is(finished):
    workspace, done = finished
    (run,) = (workspace / "runs").iterdir()
    assert (done.exit_code, str(run) in done.stderr, "WARNING" in done.stderr) == (0, True, False)
    figures = [f"{name}.{kind}" for name in ("accuracy", "calibration", "reliability") for kind in ("png", "pdf")]
    names = [*figures, "results.csv", "summary.json", "claims.json"]
    assert f"{run / 'report'}: {', '.join(names)} " in " ".join(done.stdout.split())
    assert all((run / "report" / name).stat().st_size > 500 for name in names)
    assert all(part in done.stdout for part in (TITLE, "IMP ticket", "Means over 2 seeds"))
    assert "14/14 trainings" in done.stderr
    proposed = [line.split("Next:")[-1] for line in done.stdout.splitlines() if f"--workspace {workspace}" in line]
    assert "show" in shlex.split(proposed[0])
    assert "seeds=[0,1,2,3]" in shlex.split(proposed[1])


def test_a_second_run_computes_nothing_and_reports_the_same(finished, call):
    workspace, _ = finished
    assert_planned(workspace, load_experiment("quickstart-smoke"))
    before = {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/*")}
    (table,) = workspace.glob("runs/*/report/results.csv")
    text = table.read_text()
    table.unlink()
    printed = json.loads(call("run", "quickstart-smoke", "-w", workspace, "--json")[1])
    assert {path: path.stat().st_mtime_ns for path in workspace.glob("steps/*/*")} == before
    assert table.read_text() == text
    assert {cell["arm"] for cell in printed["results"]} == {"ticket", "reinitialise", "shuffle-layerwise"}
    assert (printed["title"], {Path(file).parent for file in printed["files"]}) == (TITLE, {table.parent})


def test_a_dry_run_counts_the_steps_that_are_there_and_downloads_nothing(finished, folders, tmp_path, call):
    def steps(*changes):
        code, out, err = call("run", "quickstart-smoke", "-w", tmp_path, "--dry-run", "--json", *options(*changes))
        assert code == 0, err
        return json.loads(out)["steps"]

    shutil.copytree(finished[0] / "steps", tmp_path / "steps")
    total, evaluations = len(list(tmp_path.glob("steps/*"))), list(tmp_path.glob("steps/evaluate-*/result.json"))
    for file in evaluations:
        file.unlink()
    left = total - len(evaluations)
    assert steps() == {"planned": total, "done": left}
    assert steps("seeds=[0,1,2]") == {"planned": total * 3 // 2, "done": left}  # instead of two
    assert steps("data.split_seed=1") == {"planned": total, "done": 0}
    unknown = steps("data.name=cifar-10")
    assert (unknown["done"], "cifar-10" in unknown["unknown"]) == (None, True)


def test_a_dry_run_shows_where_each_field_comes_from_and_begins_nothing(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    run = ["run", "bayesian-lth-resnet-20-paper", *options("train.epochs=3", "train.milestones=[1,2]"), "--dry-run"]
    code, out, err = call(*run)
    assert (code, err) == (0, "")
    for row in (r"train.epochs +\"3ep\" +yours: -o", r"prune.rate +0.2 +stated: section 4", r"880\s+trainings"):
        assert re.search(row, out)
    described = json.loads(call(*run, "--json")[1])
    assert described["fields"]["train.epochs"] == {"value": "3ep", "source": "yours: -o"}
    assert (described["steps"], any(tmp_path.iterdir())) == ({"planned": 2640, "done": 0}, False)


def test_the_library_finds_the_tickets_that_the_lab_finds(data, tmp_path, call):
    same = options("seeds=[1]", "controls=[]", "execution.processes=1")  # with the threads of this process
    assert call("run", "quickstart-smoke", "-w", tmp_path, *same)[0] == 0
    model = tt.build_model("lenet-300-100", data)
    series = tt.find_tickets(model, data, sparsity=0.9, levels=2, train={"epochs": 1}, seed=1)
    tickets = [tt.Ticket.load(path) for path in tmp_path.glob("steps/prune-*/ticket.safetensors")]
    assert len(tickets) == 2
    for ticket in tickets:
        for path, kept in series[ticket.level].mask.items():
            np.testing.assert_array_equal(kept, ticket.mask[path])
            np.testing.assert_array_equal(series[ticket.level].start[path], ticket.start[path])


def test_runs_are_listed_shown_and_reported_together(finished, tmp_path, call):
    workspace, _ = finished
    before = {path.name for path in workspace.glob("steps/*")}
    again = ["-q", "run", "quickstart-smoke", "-w", workspace, *options("control_densities=[0.1]")]
    assert call(*again)[0] == 0  # one field changed recomputes only what it reaches: here nothing
    assert {path.name for path in workspace.glob("steps/*")} == before
    listed = json.loads(call("list", "runs", "-w", workspace, "--json")[1])
    names = [run["run"] for run in listed if run["state"] == "done"]
    assert len(names) == 2
    assert call("report", *names, "-w", workspace)[0] == 2  # of two runs, where to?
    both = json.loads(call("report", *names, "-w", workspace, "--out", tmp_path / "both", "--json")[1])
    assert ({cell["run"] for cell in both["results"]}, both["title"]) == ({*names}, TITLE)
    assert (tmp_path / "both" / "accuracy.png").stat().st_size > 10_000
    code, out, _ = call("show", "quickstart-smoke", "-w", workspace)
    assert (code, TITLE in out, names[0] in out.splitlines()[0]) == (0, True, True), "the newest run of a name is meant"
    shown = json.loads(call("show", names[-1], "-w", workspace, "--json")[1])
    assert (shown["config"]["train"]["epochs"], shown["title"]) == ("1ep", TITLE)


def test_the_api_example_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    text = (Path(__file__).parents[1] / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    short = code.replace('tt.load_data("mnist")', 'tt.load_data("mnist", train_rows=200, validation_rows=200)')
    assert short != code
    monkeypatch.chdir(tmp_path)
    exec(compile(short, "README.md", "exec"), {})
    assert "accuracy" in capsys.readouterr().out


# Data


def test_data_sets_are_listed_with_where_they_lie_or_how_to_get_them(folders, tmp_path, monkeypatch, call):
    monkeypatch.delenv("TFTICKET_DATA")
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("letters.npz", "mnist.npz", "cifar-10-jpeg.npz"):
        (mine / name).symlink_to(LETTERS)
    listed = {row["name"]: row for row in json.loads(call("data", "--json")[1])}
    assert (listed["mnist"]["path"], listed["cifar-10"]["path"]) == (str(asset("mnist.npz")), None)
    how = source_by_name("cifar-10").how
    assert (listed["cifar-10"]["how"], how in call("data")[1]) == (how, True)
    assert call("data", "mnist")[:2] == (0, f"{summary('mnist')}\n")
    (described,) = json.loads(call("data", mine / "letters.npz", "--json")[1])
    assert (described["name"], described["train_rows"], described["shape"]) == ("letters", 360, [8, 8, 1])
    paths = {row["name"]: row["path"] for row in json.loads(call("data", "--data-dir", mine, "--json")[1])}
    assert [*paths] == [*DATA_SETS, "letters"]
    assert (paths["mnist"], paths["letters"]) == (str(asset("mnist.npz")), str(mine / "letters.npz"))
    assert paths["cifar-10-jpeg"] == str(mine / "cifar-10-jpeg.npz")


def test_a_users_own_file_is_run_by_its_folder_and_named_in_the_report(tmp_path, call):
    (tmp_path / "letters.npz").symlink_to(LETTERS)
    changes = ["seeds=[0]", "prune.levels=1", "data.train_rows=300", "data.validation_rows=60", "train.epochs=3it"]
    run = ["run", "quickstart-smoke", "-w", tmp_path, *options(*changes, "control_densities=[]", "data.name=letters")]
    code, out, err = call(*run, "--data-dir", tmp_path)
    assert code == 0, err
    proposed = next(shlex.split(line) for line in out.splitlines() if " run quickstart-smoke " in line)
    assert f"--data-dir={tmp_path}" in proposed
    assert {row.data for row in rows_of(find_run(tmp_path, "quickstart-smoke"))} == {"letters, 300 training rows"}
