"""Reports as they are written and printed: files, titles, notes, refusals."""

import json
import shutil

import matplotlib
import pytest

from tests.refusals import refused
from tests.reports.conftest import add_step, edit_config, edit_results
from tests.reports.test_monte_carlo_reports import closeness, fit_of, histogram
from tests.reports.test_variational_reports import add_trainings, as_variational
from tfticket.cli.console import show_report
from tfticket.data import sources
from tfticket.reports import report
from tfticket.reports.claims.papers import records
from tfticket.reports.tables.cells import record_of
from tfticket.runs.run_folder import read_run

EVALUATIONS = [("ticket", 0, 0), ("ticket", 1, 0), ("ticket", 0, 1)]
BINS = {"count": [0, 20], "confidence": [None, 0.9], "accuracy": [None, 0.8]}
TABLES = {"results.csv", "summary.json", "claims.json"}


def full(accuracy=0.95):
    """Return evaluations as they are now recorded: dense, tickets and controls of five seeds."""
    recorded = {"test": {"mace": 0.1}, "reliability": {"test": BINS, "validation": BINS}}
    better = [recorded | {"test": {"mace": 0.2, "accuracy": accuracy + 1e-9 * seed}} for seed in range(5)]
    arms = [("ticket", 0), ("ticket", 1), ("reinitialise", 1)]
    return [
        (arm, seed, level, better[seed] if arm == "ticket" else recorded) for seed in range(5) for arm, level in arms
    ]


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are files without contents; the fixture is the list of what draws them."""
    functions = {}

    def save(folder, figures):
        functions.update(figures)
        files = [f"{name}.{kind}" for name in figures for kind in ("png", "pdf")]
        for file in files:
            (folder / file).touch()
        return files, []

    monkeypatch.setattr(report, "save_figures", save)
    return functions


def drawn_of(written):
    """Names of a report's figures; every file that it names is there, and no other."""
    assert {path.name for path in written.folder.iterdir()} == set(written.files)
    return {file.removesuffix(".pdf") for file in written.files if file.endswith(".pdf")}


def test_a_report_is_drawn_and_printed_and_a_figure_that_fails_costs_a_note(make_run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    add_trainings(folder := make_run("a-1", evaluations=full()), tested=False)
    run = read_run(folder)
    (run.folder / "report").mkdir()
    (run.folder / "report" / "calibration.png").write_bytes(b"of an earlier report")
    draw = report.metric_figure

    def fail(cells, metric, *rest):
        if metric == "mace":
            raise RuntimeError("latex was not able to process the following string")
        return draw(cells, metric, *rest)

    monkeypatch.setattr(report, "metric_figure", fail)
    with matplotlib.rc_context({"text.usetex": True}):  # the user's matplotlibrc changes no figure
        written = report.write_report([run])
    assert drawn_of(written) == {"accuracy", "reliability", "learning"}
    assert written.files[-3:] == ["results.csv", "summary.json", "claims.json"]
    (note,) = written.notes
    assert note.startswith("calibration.png and calibration.pdf are not drawn: RuntimeError: latex was not able")
    for name in written.files[:-3]:
        assert (written.folder / name).read_bytes().startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[name[-3:]])

    show_report(written, as_json=False, quiet=True)
    assert capsys.readouterr() == ("", f"{note}\n")
    show_report(written, as_json=True, quiet=False)
    record, claims = json.loads(capsys.readouterr().out), json.loads((written.folder / "claims.json").read_text())
    assert record["claims"] == claims == json.loads(json.dumps(records(written.decisions)))
    assert [(claim["claim"][:2], claim["verdict"]) for claim in claims] == [("A5", "withheld"), ("B5", "withheld")]
    assert record["results"] == json.loads((written.folder / "summary.json").read_text())
    assert record["results"] == json.loads(json.dumps([record_of(cell) for cell in written.cells]))
    assert record["files"] == [str(written.folder / name) for name in written.files]
    assert (record["notes"], record["title"]) == ([note], "lenet-300-100 on MNIST, 2,000 training rows")
    show_report(written, as_json=False, quiet=False)
    printed = capsys.readouterr().out
    assert all(text in printed for text in (written.title, "IMP ticket", "Means over 5 seeds", "A5"))
    assert all(len(line) <= 80 for line in printed.splitlines() if str(written.folder) not in line)


def test_runs_of_several_networks_or_data_sets_are_all_named(make_run, undrawn, tmp_path):
    small = {"data": {"name": "mine"}, "contents": sources.cifar_10_small.contents, "training_rows": 900}
    name = r"$5 \frac $x"
    runs = [
        read_run(make_run("a-1", evaluations=full())),
        read_run(make_run("b-1", evaluations=full(0.8))),
        read_run(make_run("c-1", evaluations=full(), **small, model="conv-2")),
        read_run(make_run("e-1", evaluations=full(), data={"name": name, "classes": [3, 5]}, contents="0")),
    ]
    written = report.write_report(runs, tmp_path / "all")
    assert written.title.splitlines() == [
        "lenet-300-100 on MNIST, 2,000 training rows",
        "conv-2 on CIFAR-10 small (6,000 images, re-encoded as JPEG), 900 training rows",
        f"lenet-300-100 on {name}, classes 3, 5, 2,000 training rows",
    ]
    assert drawn_of(written) == {"accuracy", "calibration"}  # others are of one run
    accuracy, calibration = (undrawn[name]() for name in ("accuracy", "calibration"))
    assert accuracy.axes[0].get_title(loc="left") == written.title.replace("$", r"\$")  # no formula
    assert calibration.axes[0].get_lines()[0].get_ydata().tolist() == [20, 20]
    assert accuracy.legends[0].get_title().get_text() == "mean and range of 5 seeds"
    assert len(report.write_report([runs[0]] * 2, tmp_path / "twice").rows) == 15


def test_each_kind_of_run_has_its_files_and_those_of_another_report_are_removed(make_run, undrawn, tmp_path, capsys):
    rich = make_run("a-1", evaluations=[("ticket", 0, 0), ("bayesian-snr", 0, 1), ("bayesian-snr reinitialise", 0, 1)])
    edit_config(rich, svi={"population": {"members": 1}})
    edit_results(rich, "evaluate", as_variational)
    add_trainings(rich)
    add_step(rich, "fit", {"seed": 0, "level": 2}, fit_of(0))
    layers = {"conv_1": closeness(0.25, 0), "dense_1": closeness(0.15, 0)}
    drawn = {"histograms": histogram(layers, 0), "layers": layers}
    add_step(rich, "draw", {"seed": 0, "level": 2, "arm": "monte-carlo magnitude"}, drawn)
    member = {"arm": "population", "member": 0, "generation": 0, "parent": None, "weights": {"a": 1.0}, "metric": "nll"}
    add_step(rich, "member", {"seed": 0} | member, {"validation": {"nll": 0.5, "accuracy": 0.9}})
    written = report.write_report([read_run(rich)], tmp_path / "out")
    figures = {"accuracy", "calibration", "controls", "learning", "start-weights", "connectivity", "uncertainty"}
    assert drawn_of(written) == figures | {"posterior", "lineage"}
    tables = {name for name in written.files if name.endswith(("csv", "json"))}
    assert tables == TABLES | {"uncertainty.csv", "posterior.csv", "moments.csv", "lineage.csv"}
    for draw in undrawn.values():
        draw()
    show_report(written, as_json=True, quiet=False)
    record = json.loads(capsys.readouterr().out)
    assert record["moments"] == [record_of(training) for training in written.best_epochs]
    assert [len(record[name]) for name in ("uncertainty", "fits", "closeness", "moments")] == [3, 2, 2, 3]
    show_report(written, as_json=False, quiet=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert all(text in printed for text in ("epistemic", "best by test", "slope of", "KS of"))

    former = report.write_report([read_run(make_run("b-1", evaluations=EVALUATIONS))], tmp_path / "out")
    assert drawn_of(former) == {"accuracy"}
    trunks = [(arm, 0, level) for arm in ("ticket", "bayesian-snr") for level in (0, 1)]
    assert "controls" not in drawn_of(report.write_report([read_run(make_run("c-1", evaluations=trunks))]))


def test_tables_are_written_before_figures(make_run, monkeypatch):
    def killed(folder, figures):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "save_figures", killed)
    run = read_run(make_run("a-1", evaluations=EVALUATIONS))
    with pytest.raises(KeyboardInterrupt):
        report.write_report([run])
    assert {path.name for path in (run.folder / "report").iterdir()} == TABLES


def test_runs_without_evaluations_without_a_folder_or_of_one_name_are_refused(make_run, tmp_path):
    run, empty = read_run(make_run("a-1", evaluations=EVALUATIONS)), read_run(make_run("b-1", evaluations=[]))
    other = read_run(shutil.copytree(run.folder, tmp_path / "elsewhere" / "a-1"))
    for runs, folder, field, mention in (
        ([run, empty], None, "--out", "several"),
        ([empty], None, None, "b-1"),
        ([run, other], tmp_path / "both", None, "a-1, a-1"),
    ):
        with refused(field, None, mention):
            report.write_report(runs, folder)
    assert not list(tmp_path.glob("runs/*/report"))
