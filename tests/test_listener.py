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


def expecting(trainings, chains=0):
    """A counter, and a function that returns its state."""
    counter = ProgressCounter()
    counter.expect(trainings, chains)
    return counter, lambda: counter.state


def test_trainings_and_parts_of_them_are_counted_and_the_time_left_is_estimated(clocked):
    counter, state = expecting(4)
    for kind in ("train", "evaluate"):
        counter.finished(kind, computed=False)
    assert (state().done, state().seconds_left) == (1, None)
    counter.started("train", "train-1", LABEL)
    clocked[0] += 10
    counter.progress(50, 200)
    assert (state().completed, state().seconds_left) == (1.25, pytest.approx(10 / 0.25 * 2.75))
    counter.finished("train", computed=True)
    assert (state().step, state().done, state().computed, state().fraction) == (None, 2, 1, 0.0)
    counter.started("fit", "fit-1", LABEL)  # no training
    counter.progress(3, 4)
    assert (state().iteration, state().iterations, state().completed) == (3, 4, 2)
    counter.finished("fit", computed=True)
    assert (state().step, state().iterations) == (None, 0)


def test_the_time_left_counts_chains_apart_from_trainings(clocked):
    counter, state = expecting(4, chains=2)
    counter.started("train", "train-1", LABEL)
    clocked[0] += 10
    counter.finished("train", computed=True)
    assert state().seconds_left is None  # nothing is known of chains
    counter.started("sample", "sample-1", LABEL)
    clocked[0] += 60
    counter.progress(50, 100)
    assert state().seconds_left == pytest.approx(1 * 10 + 1.5 * 120)
    counter.finished("sample", computed=True)
    clocked[0] += 5
    counter.started("train", "train-2", LABEL)
    clocked[0] += 5
    counter.progress(1, 2)
    assert state().completed == 2.5
    assert state().seconds_left == pytest.approx(0.5 * 20 / 1.5 + 1 * 60)
    counter.finished("train", computed=False)
    counter.finished("sample", computed=False)
    assert (state().done, state().chains_done, state().seconds_left) == (4, 2, 0.0)


@pytest.mark.parametrize("kind", ["train", "sample"])
def test_what_was_done_before_a_run_went_on_counts_not_for_the_time_left(kind, clocked):
    counter, state = expecting(2, chains=2 if kind == "sample" else 0)
    counter.started(kind, f"{kind}-1", LABEL)
    clocked[0] += 20
    counter.progress(420, 600, 400)
    assert (state().completed, state().seconds_left) == (pytest.approx(0.7), pytest.approx(180 + 600))
    counter.finished(kind, computed=True)
    assert (state().done, state().computed, state().seconds_left) == (1, pytest.approx(1 / 3), pytest.approx(20 * 3))
    counter.started(kind, f"{kind}-2", LABEL)
    clocked[0] += 10
    counter.progress(300, 600)
    assert state().seconds_left == pytest.approx(0.5 * 30 / (1 / 3 + 1 / 2))


def test_chains_that_are_drawn_at_once_count_each(clocked):
    counter, state = expecting(4, chains=4)
    counter.finished("sample", computed=False)
    counter.started("sample", "sample-1", LABEL, [("sample-2", LABEL), ("sample-3", LABEL)])
    assert [step["folder"] for step in state().steps] == ["sample-1", "sample-2", "sample-3"]
    clocked[0] += 10
    counter.progress(100 + 40 + 10, 300, 90)
    assert (state().fraction, state().iteration, state().iterations, state().completed) == (0.5, 50, 100, 2.5)
    assert state().seconds_left == pytest.approx(10 * 1.5 / 0.6)
    for _ in range(3):
        counter.finished("sample", computed=True)
    assert (state().completed, state().steps, state().chains_computed) == (4, [], pytest.approx(2.1))


def test_progress_is_kept_in_the_runs_folder_and_damaged_progress_is_none(tmp_path, clocked):
    assert read_progress(tmp_path) is None
    step = {"kind": "train", "folder": "train-1", "label": LABEL}
    progress = Progress(trainings=3, done=1, step=step, began=1.5, concurrent_steps=[step | {"folder": "train-2"}])
    write_progress(tmp_path, progress)
    assert read_progress(tmp_path) == progress
    whole = '{"step": {"kind": "train", "folder": "train-1", "label": {}}, "beside": [3]}'
    for text in ("", "[1]", '{"step": 3}', '{"trainings": "x"}', '{"step": {"kind": "train"}}', whole):
        (tmp_path / "progress.json").write_text(text)
        assert read_progress(tmp_path) is None, text
    recorder = Recorder(tmp_path, Listener())
    recorder.expect(2)
    recorder.started("train", "train-1", LABEL)
    first = read_progress(tmp_path)
    assert first.step == step
    recorder.progress(1, 10)  # too soon
    assert read_progress(tmp_path) == first
    clocked[0] += 1
    recorder.progress(2, 10)
    assert (read_progress(tmp_path).iteration, read_progress(tmp_path).iterations) == (2, 10)
    for computed in (True, False):
        recorder.finished("train", computed)
    recorder.close()
    assert read_progress(tmp_path).done == 2


def test_another_listener_hears_everything(tmp_path):
    heard = []

    class Ears(Listener):
        def __getattribute__(self, name):
            return lambda *values, **named: heard.append((name, *values, *named.values()))

    calls = [("expect", 3, 1), ("started", "train", "train-1", LABEL, [("train-2", LABEL)]), ("note", "n")]
    calls += [("waiting", "w"), ("stopping",), ("progress", 1, 2, 1), ("finished", "train", True)]
    recorder = Recorder(tmp_path, Ears())
    for name, *values in calls:
        getattr(recorder, name)(*values)
    assert heard == calls
    assert {name for name in vars(Listener) if not name.startswith("_")} == {name for name, *_ in calls}


@pytest.mark.parametrize("chains", [0, 2])
def test_the_bar_keeps_count_and_time_left_where_the_terminal_is_narrow(chains, clocked):
    output = io.StringIO()
    with ProgressBar(Console(width=80, file=output, force_terminal=True)) as bar:
        bar.expect(115, chains)
        label = {"seed": 0, "arm": Arm("population"), "level": 10, "density": 0.01, "member": 0, "generation": 1}
        bar.started("sample" if chains else "member", "member-1", label, [("member-2", label)])
        clocked[0] += 60
        bar.progress(60, 100)
        bar.stopping()
    shown = output.getvalue()
    facts = ("sample · seed 0", "trainings and chains") if chains else ("member · seed 0", "trainings", "ETA 1:34:50")
    assert all(fact in shown for fact in (*facts, "1.2/115", "Stopping"))
    assert not chains or "ETA 1:34:50" not in shown  # of trainings nothing is known where chains come first
    assert [clock(seconds) for seconds in (0, 61.6, 3599.6, 7322)] == ["0:00", "1:02", "1:00:00", "2:02:02"]
