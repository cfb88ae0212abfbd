"""Following a run: only what was appended is read, and what is shown is what counts."""

import shutil

import numpy as np
import pytest

from tests.made_runs import LiveRun, step_label
from tfticket.runs.events import EventReader, event_line
from tfticket.runs.follow import LOG_LINES, RunFollower
from tfticket.runs.progress import Progress, write_progress


@pytest.fixture
def run(tmp_path):
    return LiveRun(tmp_path)


@pytest.fixture
def follower(run):
    return RunFollower(run.folder)


def iterations(follower):
    return [[point["iteration"] for point in training.points] for training in follower.trainings]


def test_a_live_run_is_followed_from_step_to_step(tmp_path, run, follower):
    assert (follower.poll(), follower.trainings, follower.log) == (False, [], [])
    assert RunFollower(tmp_path / "runs" / "gone").poll() is False
    run.start("train-a", step_label(0))
    assert follower.poll() is True
    (training,) = follower.trainings
    assert (training.folder, training.label, training.points, training.done) == ("train-a", step_label(0), (), False)
    assert follower.poll() is False
    run.evaluate("train-a", 10, 20)
    assert (follower.poll(), iterations(follower)) == (True, [[10, 20]])
    run.finish("train-a", step_label(0))
    assert (follower.poll(), follower.trainings[0].done) == (True, True)
    run.start("evaluate-a", step_label(0))
    run.start("train-b", step_label(1))
    follower.poll()
    first, second = follower.trainings
    run.evaluate("train-b", 10)
    assert (follower.poll(), iterations(follower)) == (True, [[10, 20], [10]])
    assert [training.done for training in follower.trainings] == [True, False]
    assert follower.trainings[0] is first  # what did not change stays the same object
    assert follower.trainings[1] is not second
    assert follower.poll() is False


def test_chains_that_are_drawn_at_once_are_all_followed(run, follower):
    labels = [step_label(1, "nuts", chain=number) for number in range(3)]
    chains = [{"kind": "sample", "folder": f"sample-{n}", "label": label} for n, label in enumerate(labels)]
    for chain in chains[:2]:
        run.start(chain["folder"], chain["label"])
        run.evaluate(chain["folder"], 10)
    write_progress(run.folder, Progress(trainings=4, step=chains[0], concurrent_steps=chains[1:], updated=2.0))
    assert (follower.poll(), iterations(follower)) == (True, [[10], [10], []])
    assert [training.label["chain"] for training in follower.trainings] == [0, 1, 2]
    run.evaluate("sample-1", 20)
    assert (follower.poll(), iterations(follower)) == (True, [[10], [10, 20], []])
    assert "chain 1: iteration 20" in follower.log[-1]


def test_trainings_that_are_done_are_not_read_again_until_a_step_comes_or_goes(run, follower, monkeypatch):
    for step in ("train-a", "train-b"):
        run.start(step, step_label(0))
        run.finish(step, step_label(0))
    run.start("train-c", step_label(1))
    stamps = {str(run.steps): [1]}
    monkeypatch.setattr("tfticket.runs.follow.last_change", lambda path: stamps.get(path, [2]))
    for _ in range(2):
        follower.poll()
    polled, poll = [], EventReader.poll
    monkeypatch.setattr(EventReader, "poll", lambda self: (polled.append(self._path.parent.name), poll(self))[1])
    run.evaluate("train-c", 300)
    assert (follower.poll(), polled) == (True, ["train-c"])
    stamps[str(run.steps)] = [3]
    follower.poll()
    assert polled == ["train-c", "train-a", "train-b", "train-c"]


def test_a_training_that_is_computed_anew_is_followed_though_it_was_done(run, follower):
    run.start("train-a", step_label(0))
    run.evaluate("train-a", 10, 20)
    run.finish("train-a", step_label(0))
    follower.poll()
    (run.steps / "train-a" / "result.json").unlink()
    run.start("train-a", step_label(0))
    run.evaluate("train-a", 30)
    assert (follower.poll(), follower.trainings[0].done) == (True, False)
    shutil.rmtree(run.steps / "train-a")
    assert follower.poll() is True
    assert [(training.points, training.done) for training in follower.trainings] == [((), False)]
    assert follower.poll() is False
    run.start("train-a", step_label(0))
    run.evaluate("train-a", 5)
    assert (follower.poll(), iterations(follower)) == (True, [[5]])


def test_training_time_is_summed_over_attempts(run, follower):
    def write(*events):
        lines = (event_line(1, event, moment, iteration=iteration) for event, moment, iteration in events)
        run.events("train-a").write_text("".join(lines))
        follower.poll()

    run.start("train-a", step_label(0))
    first = ("evaluation", 103.0, 10), ("evaluation", 105.5, 20)
    resumed = ("begin", 500.0, 20), ("evaluation", 502.0, 30), ("evaluation", 499.0, 40)
    write(("evaluation", 101.0, 5), ("begin", 102.0, 0), *first, ("evaluation", 109.0, 30), *resumed)
    assert iterations(follower) == [[10, 20, 30, 40]]
    assert follower.trainings[0].seconds == (1.0, 3.5, 5.5, 3.5)  # at last the clock was set back
    write(*first)
    assert np.isnan(follower.trainings[0].seconds).tolist() == [True, True]


def test_a_diary_or_manifest_that_was_replaced_is_read_anew_and_a_damaged_or_vanished_one_left(run, follower):
    for step, level in (("train-a", 0), ("train-b", 1), ("train-c", 2)):
        run.start(step, step_label(level))
        run.finish(step, step_label(level))
    follower.poll()
    run.entries = [run.entries[2], run.entries[0]]
    run.list()
    assert follower.poll() is True
    assert [training.folder for training in follower.trainings] == ["train-c", "train-a"]
    assert follower.poll() is False
    run.start("train-d", step_label(3))
    run.evaluate("train-d", 10)
    follower.poll()
    for iteration in (range(1, 50), ()):
        text = "".join(event_line(1, "evaluation", 9.0, iteration=number) for number in iteration)
        run.events("train-d").write_text(text)
        assert (follower.poll(), iterations(follower)[-1]) == (True, list(iteration))
    manifest = run.folder / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole[:20])
    assert (follower.poll(), len(follower.trainings)) == (False, 3)
    manifest.write_text(whole)
    (run.folder / "progress.json").write_text('{"step": {"kind": 3}}')
    assert (follower.poll(), len(follower.trainings)) == (True, 2)
    shutil.rmtree(run.folder)
    assert (follower.poll(), follower.trainings) == (True, [])


def test_a_training_that_arms_and_runs_share_is_listed_for_each_and_logged_once(tmp_path, run, follower):
    arms = [step_label(0, arm) for arm in ("ticket", "bayesian-snr", "bayesian-snr-lrr")]
    run.start("train-a", arms[0])
    run.evaluate("train-a", 10)
    follower.poll()
    for arm in (*arms, arms[1]):
        run.finish("train-a", arm)
    assert follower.poll() is True
    listed = [(training.folder, training.label, training.done) for training in follower.trainings]
    assert listed == [("train-a", arm, True) for arm in arms]
    assert iterations(follower) == [[10]] * 3
    assert sum("iteration 10" in line for line in follower.log) == 1
    before = list(map(id, follower.trainings))
    assert (follower.poll(), list(map(id, follower.trainings))) == (False, before)
    other = LiveRun(tmp_path, "other")
    other.list({"kind": "train", "folder": "train-a", "label": step_label(3, "dense")})
    second = RunFollower(other.folder)
    assert (second.poll(), iterations(second)) == (True, [[10]])
    assert second.trainings[0].label["arm"].key == "dense"


def test_the_log_has_the_last_events_in_order_of_time(run, follower):
    run.start("train-a", step_label(0))
    run.write("train-a", "evaluation", iteration=1000, loss=0.5, accuracy=0.9, nll=0.25, test={"accuracy": 0.875})
    run.finish("train-a", step_label(0))
    run.start("train-b", step_label(1, "reinitialise"))
    run.write("train-b", "checkpoint discarded", reason="it is damaged")
    follower.poll()
    assert [line.split("  ", 1)[1] for line in follower.log] == [
        "seed 0 · ticket · level 0: start",
        "seed 0 · ticket · level 0: begin, iteration 0",
        "seed 0 · ticket · level 0: iteration 1,000, loss 0.5, accuracy 0.9, nll 0.25",
        "seed 0 · ticket · level 0: done, seconds 1.5",
        "seed 0 · reinitialise · level 1: start",
        "seed 0 · reinitialise · level 1: begin, iteration 0",
        "seed 0 · reinitialise · level 1: checkpoint discarded, reason it is damaged",
    ]
    stamps = [line.split("  ", 1)[0] for line in follower.log]
    assert stamps == sorted(stamps)
    for step, moments in (("train-c", (1, 3)), ("train-d", (2, 4))):
        run.events(step).parent.mkdir()
        run.events(step).write_text("".join(event_line(1, f"at {moment}", moment) for moment in moments))
        run.list({"kind": "train", "folder": step, "label": {}})
    follower.poll()
    assert [line[-1] for line in follower.log[-4:]] == ["1", "2", "3", "4"]
    run.start("train-c", {}, iteration=5)
    with run.events("train-c").open("a") as events:
        events.writelines(event_line(1, "more", 9.0) for _ in range(LOG_LINES + 1))
    run.evaluate("train-c", 10)
    follower.poll()
    assert len(follower.log) == LOG_LINES
    assert {line.split(": ")[-1] for line in follower.log[:-3]} == {"more"}
