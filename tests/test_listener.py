import io

import pytest
from rich.console import Console

from tfticket import listener
from tfticket.arms import TICKET, Arm
from tfticket.cli.progress_bar import ProgressBar
from tfticket.listener import Listener, ProgressCounter, Recorder
from tfticket.runs.progress import Progress, clock, read_progress, write_progress

LABEL = {"seed": 0, "arm": TICKET, "level": 1}


@pytest.fixture
def clocked(monkeypatch):
    """A clock that a test sets."""
    time = [100.0]
    monkeypatch.setattr(listener, "now", lambda: time[0])
    return time


def test_trainings_and_parts_of_them_are_counted_and_the_time_left_told(clocked):
    tally = ProgressCounter()
    tally.expect(4)
    assert tally.state.seconds_left is None
    tally.finished("train", computed=False)
    tally.finished("evaluate", computed=False)
    assert (tally.state.done, tally.state.seconds_left) == (1, None)
    tally.started("train", "train-1", LABEL)
    clocked[0] += 10
    tally.progress(50, 200)
    assert tally.state.completed == 1.25
    assert tally.state.seconds_left == pytest.approx(10 / 0.25 * 2.75)
    tally.finished("train", computed=True)
    assert tally.state.step is None
    assert (tally.state.done, tally.state.computed, tally.state.fraction) == (2, 1, 0.0)


def test_the_time_left_counts_chains_apart_from_trainings(clocked):
    tally = ProgressCounter()
    tally.expect(4, chains=2)
    tally.started("train", "train-1", LABEL)
    clocked[0] += 10
    tally.finished("train", computed=True)
    assert tally.state.seconds_left is None  # nothing is known of chains
    tally.started("sample", "sample-1", LABEL)
    clocked[0] += 60
    tally.progress(50, 100)
    assert tally.state.seconds_left == pytest.approx(1 * 10 + 1.5 * 120)
    tally.finished("sample", computed=True)
    clocked[0] += 5
    tally.started("train", "train-2", LABEL)
    clocked[0] += 5
    tally.progress(1, 2)
    assert tally.state.completed == 2.5
    assert tally.state.seconds_left == pytest.approx(0.5 * 20 / 1.5 + 1 * 60)
    tally.finished("train", computed=False)
    tally.finished("sample", computed=False)
    assert (tally.state.done, tally.state.chains_done, tally.state.seconds_left) == (4, 2, 0.0)


@pytest.mark.parametrize("kind", ["train", "sample"])
def test_what_was_done_before_a_run_went_on_tells_nothing_of_the_time_left(kind, clocked):
    tally = ProgressCounter()
    tally.expect(2, chains=2 if kind == "sample" else 0)
    tally.started(kind, f"{kind}-1", LABEL)
    clocked[0] += 10
    tally.progress(400, 600, 400)
    assert tally.state.seconds_left is None
    clocked[0] += 10
    tally.progress(420, 600, 400)
    assert tally.state.completed == pytest.approx(0.7)
    assert tally.state.seconds_left == pytest.approx((180 + 600) * 1)
    tally.finished(kind, computed=True)
    assert (tally.state.done, tally.state.computed) == (1, pytest.approx(1 / 3))
    assert tally.state.seconds_left == pytest.approx(20 * 3)
    tally.started(kind, f"{kind}-2", LABEL)
    clocked[0] += 10
    tally.progress(300, 600)
    assert tally.state.seconds_left == pytest.approx(0.5 * 30 / (1 / 3 + 1 / 2))


def test_chains_that_are_drawn_at_once_count_each(clocked):
    tally = ProgressCounter()
    tally.expect(4, chains=4)
    tally.finished("sample", computed=False)
    tally.started("sample", "sample-1", LABEL, [("sample-2", LABEL), ("sample-3", LABEL)])
    assert [step["folder"] for step in tally.state.steps] == ["sample-1", "sample-2", "sample-3"]
    clocked[0] += 10
    tally.progress(100 + 40 + 10, 300, 90)
    assert (tally.state.fraction, tally.state.iteration, tally.state.iterations) == (0.5, 50, 100)
    assert tally.state.completed == 2.5
    assert tally.state.seconds_left == pytest.approx(10 * 1.5 / 0.6)
    for _ in range(3):
        tally.finished("sample", computed=True)
    assert (tally.state.completed, tally.state.steps) == (4, [])
    assert tally.state.chains_computed == pytest.approx(2.1)


def test_passes_of_other_steps_are_told_and_are_no_trainings(clocked):
    tally = ProgressCounter()
    tally.expect(1)
    tally.started("fit", "fit-1", LABEL)
    tally.progress(3, 4)
    assert (tally.state.iteration, tally.state.iterations, tally.state.completed) == (3, 4, 0)
    tally.finished("fit", computed=True)
    assert (tally.state.step, tally.state.iterations) == (None, 0)


def test_a_run_that_is_watched_by_its_folder_says_how_far_it_is(tmp_path, clocked):
    recorder = Recorder(tmp_path, Listener())
    recorder.expect(2)
    recorder.started("train", "train-1", LABEL)
    found = read_progress(tmp_path)
    assert found.step == {"kind": "train", "folder": "train-1", "label": LABEL}
    recorder.progress(1, 10)  # too soon
    assert read_progress(tmp_path) == found
    clocked[0] += 1
    recorder.progress(2, 10)
    assert (read_progress(tmp_path).iteration, read_progress(tmp_path).iterations) == (2, 10)
    recorder.finished("train", computed=True)
    recorder.finished("train", computed=False)
    recorder.close()
    assert read_progress(tmp_path).done == 2


def test_another_listener_hears_everything(tmp_path):
    heard = []

    class Ears(Listener):
        def __getattribute__(self, name):
            return lambda *values, **named: heard.append((name, *values, *named.values()))

    recorder = Recorder(tmp_path, Ears())
    calls = [
        ("expect", 3, 1),
        ("started", "train", "train-1", LABEL, [("train-2", LABEL)]),
        ("note", "n"),
        ("waiting", "w"),
        ("stopping",),
        ("progress", 1, 2, 1),
        ("finished", "train", True),
    ]
    for name, *values in calls:
        getattr(recorder, name)(*values)
    assert heard == calls
    assert {name for name in vars(Listener) if not name.startswith("_")} == {name for name, *_ in calls}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        '{"step": 3}',
        '{"trainings": "x"}',
        '{"step": {"kind": "train"}}',
        '{"beside": 3}',
        '{"step": {"kind": "train", "folder": "train-1", "label": {}}, "beside": [3]}',
    ],
)
def test_progress_that_cannot_be_read_is_none(text, tmp_path):
    assert read_progress(tmp_path) is None
    (tmp_path / "progress.json").write_text(text)
    assert read_progress(tmp_path) is None


def test_progress_is_read_as_it_was_written(tmp_path):
    step = {"kind": "train", "folder": "train-1", "label": LABEL}
    progress = Progress(trainings=3, done=1, step=step, began=1.5, concurrent_steps=[step | {"folder": "train-2"}])
    write_progress(tmp_path, progress)
    assert read_progress(tmp_path) == progress


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (61.6, "1:02"), (3599.6, "1:00:00"), (7322, "2:02:02")])
def test_a_time_as_a_clock_shows_it(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(("chains", "counted"), [(0, "trainings"), (2, "trainings and chains")])
def test_the_line_keeps_count_and_time_left_where_the_terminal_is_narrow(chains, counted, clocked):
    console = Console(width=80, record=True, file=io.StringIO())
    bar = ProgressBar(console)
    bar.expect(115, chains)
    label = {"seed": 0, "arm": Arm("population"), "level": 10, "density": 0.01, "member": 0, "generation": 1}
    bar.started("sample" if chains else "member", "member-1", label, [("member-2", label)])
    clocked[0] += 60
    bar.progress(60, 100)
    console.print(bar._progress.get_renderable())
    (line,) = console.export_text().splitlines()
    assert line.startswith("member · seed 0 · popula" if not chains else "sample · seed 0")
    assert f" 1.2/115 {counted}" in line
    assert ("ETA 1:34:50" in line) == (not chains)  # of trainings nothing is known where chains come first


def test_a_stop_request_is_confirmed():
    console = Console(width=80, record=True, file=io.StringIO())
    ProgressBar(console).stopping()
    assert console.export_text() == "Stopping at the next checkpoint; again: at once\n"


def test_the_line_says_what_is_evaluated():
    console = Console(width=80, record=True, file=io.StringIO())
    bar = ProgressBar(console)
    bar.expect(2)
    for number in range(2):
        bar.started("train", f"train-{number}", {"seed": number, "arm": TICKET, "level": 0})
        bar.finished("train", computed=True)
    bar.started("evaluate", "evaluate-1", {"seed": 1, "arm": TICKET, "level": 0})
    console.print(bar._progress.get_renderable())
    line = console.export_text()
    assert line.startswith("evaluate · seed 1 · ticket · level 0")
    assert " 2/2 trainings" in line
