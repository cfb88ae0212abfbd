import csv
import json
import shutil

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from tfticket.cli.console import show_report
from tfticket.data import sources
from tfticket.errors import InputError
from tfticket.reports import report
from tfticket.runs.run_folder import read_run

EVALUATIONS = [("ticket", 0, 0), ("ticket", 1, 0), ("ticket", 0, 1)]
BINS = {"count": [0, 20], "confidence": [None, 0.9], "accuracy": [None, 0.8]}


def full(seeds=range(5), accuracy=0.95):
    """Evaluations as they are now recorded: dense, tickets and controls."""
    recorded = {"test": {"mace": 0.1}, "reliability": {"test": BINS, "validation": BINS}}
    better = [recorded | {"test": {"mace": 0.2, "accuracy": accuracy + 1e-9 * seed}} for seed in seeds]
    return [
        (arm, seed, level, better[seed] if arm == "ticket" else recorded)
        for seed in seeds
        for arm, level in [("ticket", 0), ("ticket", 1), ("reinitialise", 1)]
    ]


def with_trainings(folder):
    """The run, with a training of each evaluated arm that has come to a plateau."""
    manifest = json.loads((folder / "manifest.json").read_text())
    result = {"history": [{"iteration": 10 * n, "accuracy": 0.9} for n in range(1, 9)]}
    for number, step in enumerate([step for step in manifest["steps"] if step["kind"] == "evaluate"]):
        trained = folder.parents[1] / "steps" / f"train-{folder.name}-{number}"
        trained.mkdir()
        (trained / "result.json").write_text(json.dumps({"fingerprint": "0", "result": result}))
        manifest["steps"].append({**step, "kind": "train", "folder": trained.name})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def drawn(monkeypatch):
    """Every figure of metrics that a report draws."""
    figures = []

    def note(*arguments):
        figures.append(draw(*arguments))
        return figures[-1]

    draw = report.metric_figure
    monkeypatch.setattr(report, "metric_figure", note)
    return figures


def title_of(figure):
    (axes,) = figure.axes
    return axes.get_title(loc="left")


def test_the_figure_is_called_after_network_and_data_and_its_legend_says_how_many_seeds(make_run, drawn):
    written = report.write_report([read_run(make_run("a-1", evaluations=EVALUATIONS))])
    (figure,) = drawn
    assert title_of(figure) == written.title == "lenet-300-100 on MNIST, 2,000 training rows"
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "mean and range of 1 to 2 seeds"


def test_runs_of_one_network_on_one_data_set_share_a_title(make_run, drawn, tmp_path):
    runs = [read_run(make_run(name, evaluations=EVALUATIONS)) for name in ("a-1", "b-1")]
    report.write_report(runs, tmp_path / "both")
    assert title_of(drawn[0]) == "lenet-300-100 on MNIST, 2,000 training rows"


def test_runs_of_several_networks_or_data_sets_are_all_named(make_run, drawn, tmp_path):
    small = {"data": {"name": "mine"}, "contents": sources.cifar_10_small.contents, "training_rows": 900}
    runs = [
        read_run(make_run("a-1", evaluations=EVALUATIONS)),
        read_run(make_run("b-1", evaluations=EVALUATIONS, **small)),
        read_run(make_run("c-1", evaluations=EVALUATIONS, **small, model="conv-2")),
        read_run(make_run("d-1", evaluations=EVALUATIONS, data={"classes": [3, 5]}, training_rows=900)),
    ]
    written = report.write_report(runs, tmp_path / "all")
    assert written.title == title_of(drawn[0])
    assert written.title.splitlines() == [
        "lenet-300-100 on MNIST, 2,000 training rows",
        "lenet-300-100 on CIFAR-10 small (6,000 images, re-encoded as JPEG), 900 training rows",
        "conv-2 on CIFAR-10 small (6,000 images, re-encoded as JPEG), 900 training rows",
        "lenet-300-100 on MNIST, classes 3, 5, 900 training rows",
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"name": "CIFAR-10 small (6,000 images, re-encoded as JPEG)"},
        {"name": "my letters of 1890" * 6},
        {"classes": [f"a class of number {number}" for number in range(10)]},
    ],
)
def test_a_long_title_stays_within_the_figure(make_run, drawn, data):
    options = {"data": data, "contents": "0", "training_rows": 4500}
    report.write_report([read_run(make_run("a-1", evaluations=EVALUATIONS, **options))])
    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    (title,) = [one for one in figure.axes[0].findobj(Text) if one.get_text().startswith("lenet")]
    extent = title.get_window_extent()
    assert 0 <= extent.x0 <= extent.x1 <= figure.bbox.x1
    assert figure.axes[0].bbox.y1 <= extent.y0 <= extent.y1 <= figure.bbox.y1


def test_a_name_with_dollars_is_no_formula(make_run, drawn):
    name = r"$5 \frac $x"
    run = read_run(make_run("a-1", evaluations=EVALUATIONS, data={"name": name}, contents="0"))
    written = report.write_report([run])
    assert written.title == f"lenet-300-100 on {name}, 2,000 training rows"
    assert title_of(drawn[0]) == written.title.replace("$", r"\$")


def test_a_report_has_its_figures_twice_its_rows_its_summary_and_its_claims(make_run):
    written = report.write_report([read_run(with_trainings(make_run("a-1", evaluations=full())))])
    names = ("accuracy", "calibration", "reliability", "learning")
    figures = [f"{name}.{kind}" for name in names for kind in ("png", "pdf")]
    assert written.files == [*figures, "results.csv", "summary.json", "claims.json"]
    assert {path.name for path in written.folder.iterdir()} == set(written.files)
    for name in figures:
        assert (written.folder / name).read_bytes().startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[name[-3:]])
    claims = json.loads((written.folder / "claims.json").read_text())
    assert [(one["run"], one["claim"][:2], one["verdict"]) for one in claims] == [
        ("a-1", "A5", "holds"),
        ("a-1", "B5", "holds"),
    ]
    assert claims[0]["scope"]["here"] == "lenet-300-100 on MNIST, 2,000 training rows; 50 % of the weights"
    assert [one.verdict for one in written.decisions["a-1"]] == ["holds", "holds"]


def test_a_run_that_recorded_no_trainings_gets_no_verdict(make_run):
    written = report.write_report([read_run(make_run("a-1", evaluations=full()))])
    assert [one.verdict for one in written.decisions["a-1"]] == ["withheld", "withheld"]
    (claim, _) = json.loads((written.folder / "claims.json").read_text())
    (reason,) = claim["reasons"]
    assert reason.startswith("whether trainings still rise is not recorded")


def test_the_figure_of_calibration_shows_the_mace(make_run, drawn):
    report.write_report([read_run(make_run("a-1", evaluations=full()))])
    accuracy, calibration = drawn
    assert accuracy.axes[0].get_ylabel() == "test accuracy (%)"
    assert calibration.axes[0].get_ylabel() == "test MACE (%)"
    assert calibration.axes[0].get_lines()[0].get_ydata().tolist() == [20, 20]


def test_several_runs_have_no_reliability_diagrams_and_each_its_claims(make_run, tmp_path):
    good, bad = make_run("a-1", evaluations=full()), make_run("b-1", evaluations=full(accuracy=0.8))
    good, bad = with_trainings(good), with_trainings(bad)
    written = report.write_report([read_run(good), read_run(bad)], tmp_path / "both")
    assert written.files[2:] == ["calibration.png", "calibration.pdf", "results.csv", "summary.json", "claims.json"]
    verdicts = {run: [one.verdict for one in each] for run, each in written.decisions.items()}
    assert verdicts == {"a-1": ["holds", "holds"], "b-1": ["contradicted", "contradicted"]}


def test_figures_of_another_report_do_not_stay_in_the_folder(make_run, tmp_path):
    new, old = make_run("a-1", evaluations=full()), make_run("b-1", evaluations=EVALUATIONS)
    for run in (new, old):
        written = report.write_report([read_run(run)], tmp_path / "out")
        assert {path.name for path in (tmp_path / "out").iterdir()} == set(written.files)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_what_is_printed_names_results_claims_and_files(make_run, small, capsys):
    written = report.write_report([read_run(make_run("a-1", evaluations=full()))])
    show_report(written, as_json=False, quiet=False)
    said = capsys.readouterr().out
    positions = [said.index(text) for text in (written.title, "IMP ticket", "Means over 5 seeds", "A5", "Claims: 5 %")]
    assert positions == sorted(positions)
    words = " ".join(said.split())
    assert words.endswith(f"Figures, CSV, summary and claims in {written.folder}: {', '.join(written.files)}")
    assert all(len(line) <= 80 for line in said.splitlines() if str(written.folder) not in line)
    show_report(written, as_json=True, quiet=False)
    printed = json.loads(capsys.readouterr().out)
    assert printed["claims"] == json.loads((written.folder / "claims.json").read_text())
    assert printed["results"] == json.loads((written.folder / "summary.json").read_text())
    assert printed["files"] == [str(written.folder / name) for name in written.files]
    show_report(written, as_json=False, quiet=True)
    assert capsys.readouterr().out == ""


@pytest.fixture
def failing(monkeypatch):
    """A report whose figure of calibration cannot be drawn."""

    def fail(cells, metric, *rest):
        if metric == "mace":
            raise RuntimeError("latex was not able to process the following string")
        return draw(cells, metric, *rest)

    draw = report.metric_figure
    monkeypatch.setattr(report, "metric_figure", fail)


def test_a_figure_that_fails_costs_a_note_and_nothing_else(make_run, failing, capsys):
    run = read_run(make_run("a-1", evaluations=full()))
    (run.folder / "report").mkdir()
    (run.folder / "report" / "calibration.png").write_bytes(b"of an earlier report")
    written = report.write_report([run])
    names = {path.name for path in written.folder.iterdir()}
    assert names == set(written.files)
    assert {"results.csv", "summary.json", "claims.json", "accuracy.png", "reliability.pdf"} <= names
    assert not any(name.startswith("calibration") for name in names)
    (note,) = written.notes
    assert note.startswith("calibration.png and calibration.pdf are not drawn: RuntimeError: latex was not able")
    for as_json, quiet in ((False, False), (False, True), (True, False)):
        show_report(written, as_json=as_json, quiet=quiet)
        out, err = capsys.readouterr()
        assert err == f"{note}\n"
    assert json.loads(out)["notes"] == [note]


def test_tables_are_written_before_figures(make_run, monkeypatch):
    def killed(folder, figures):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "save_figures", killed)
    run = read_run(make_run("a-1", evaluations=full()))
    with pytest.raises(KeyboardInterrupt):
        report.write_report([run])
    names = {path.name for path in (run.folder / "report").iterdir()}
    assert names == {"results.csv", "summary.json", "claims.json"}


def test_a_matplotlibrc_changes_no_figure(make_run):
    run = read_run(make_run("a-1", evaluations=full()))
    written = report.write_report([run])
    figures = {name: (written.folder / name).read_bytes() for name in written.files if name.endswith(".png")}
    theirs = {"text.usetex": True, "font.size": 30.0, "axes.facecolor": "black", "savefig.bbox": "tight"}
    theirs |= {"figure.autolayout": True, "savefig.transparent": True, "lines.linewidth": 9.0, "axes.grid": True}
    with matplotlib.rc_context(theirs):
        again = report.write_report([run])
        assert matplotlib.rcParams["font.size"] == 30.0
    assert again.notes == []
    assert {name: (again.folder / name).read_bytes() for name in figures} == figures


def test_a_report_of_former_evaluations_has_what_they_hold(make_run):
    folder = make_run("a-1", evaluations=EVALUATIONS)
    written = report.write_report([read_run(folder)])
    assert written.folder == folder / "report"
    files = {path.name: path.read_bytes() for path in written.folder.iterdir()}
    assert set(files) == {"accuracy.png", "accuracy.pdf", "results.csv", "summary.json", "claims.json"}
    assert json.loads(files["claims.json"]) == []
    table = list(csv.DictReader(files["results.csv"].decode().splitlines()))
    assert [line["data"] for line in table] == ["MNIST, 2,000 training rows"] * len(EVALUATIONS)
    assert [row.data for row in written.rows] == [line["data"] for line in table]
    assert [(cell["level"], cell["density"]) for cell in json.loads(files["summary.json"])] == [(0, 1.0), (1, 0.5)]


def test_what_cannot_be_reported_is_refused(make_run, tmp_path):
    runs = [read_run(make_run("a-1", evaluations=EVALUATIONS)), read_run(make_run("b-1", evaluations=[]))]
    with pytest.raises(InputError, match="--out FOLDER"):
        report.write_report(runs)
    with pytest.raises(InputError, match="b-1: nothing has been evaluated yet"):
        report.write_report(runs[1:])
    assert not list(tmp_path.glob("runs/*/report"))


def test_two_runs_of_one_folder_name_are_not_mixed(make_run, tmp_path):
    run = read_run(make_run("a-1", evaluations=[("ticket", 0, 0)]))
    other = read_run(shutil.copytree(run.folder, tmp_path / "elsewhere" / "a-1"))
    with pytest.raises(InputError, match="the same folder name: a-1, a-1"):
        report.write_report([run, other], tmp_path / "both")


def test_a_run_that_is_given_twice_counts_once(make_run, tmp_path):
    folder = make_run("a-1", evaluations=[("ticket", 0, 0)])
    once, twice = (report.write_report([read_run(folder)] * count, tmp_path / "out") for count in (1, 2))
    assert twice.title == once.title
    assert len(twice.rows) == len(once.rows) == 1
