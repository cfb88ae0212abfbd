"""Following a run: only what was appended is read, and what is shown is what counts."""

import json
import shutil

import numpy as np
import pytest

from experiments.benchmarks.workspaces import make_run
from tfticket.arms import Arm, written_label
from tfticket.runs.events import EventReader, EventWriter, event_line
from tfticket.runs.files import write_json
from tfticket.runs.follow import LOG_LINES, RunFollower
from tfticket.runs.progress import Progress, write_progress


def label(level, arm="ticket", seed=0):
    return {"arm": Arm.parse(arm), "seed": seed, "level": level, "density": 0.5**level}


class Hand:
    """Writes a run's folder as the lab does, when it is told to."""

    def __init__(self, workspace, name="run"):
        self.folder, self.steps = workspace / "runs" / name, workspace / "steps"
        self.folder.mkdir(parents=True)
        self.entries, self.attempts = [], {}

    def start(self, name, its_label, iteration=0):
        (self.steps / name).mkdir(parents=True, exist_ok=True)
        step = {"kind": name.partition("-")[0], "folder": name, "label": its_label}
        write_progress(self.folder, Progress(trainings=4, done=len(self.entries), step=step, updated=1.0))
        self.attempts[name] = self.attempts.get(name, 0) + 1
        self.write(name, "start")
        self.write(name, "begin", iteration=iteration)
        return step

    def write(self, name, event, **values):
        EventWriter(self.diary(name), self.attempts[name]).write(event, **values)

    def evaluate(self, name, *iterations):
        for iteration in iterations:
            self.write(name, "evaluation", iteration=iteration, loss=0.5, accuracy=0.9, nll=0.25)

    def finish(self, name, its_label):
        self.write(name, "done", seconds=1.5)
        write_json(self.steps / name / "result.json", {})
        self.list({"kind": name.partition("-")[0], "folder": name, "label": its_label})
        write_progress(self.folder, Progress(trainings=4, done=len(self.entries), updated=2.0))

    def list(self, *entries):
        self.entries += [{"fingerprint": entry["folder"], **entry} for entry in entries]
        entries = [entry | {"label": written_label(entry["label"])} for entry in self.entries]
        write_json(self.folder / "manifest.json", {"steps": entries})

    def diary(self, name):
        return self.steps / name / "events.jsonl"


@pytest.fixture
def hand(tmp_path):
    return Hand(tmp_path)


@pytest.fixture
def follower(hand):
    return RunFollower(hand.folder)


def iterations(follower):
    return [[point["iteration"] for point in training.points] for training in follower.trainings]


def test_a_run_that_has_not_begun_has_no_trainings(tmp_path, follower):
    assert follower.poll() is False
    assert (follower.trainings, follower.log) == ([], [])
    assert RunFollower(tmp_path / "runs" / "gone").poll() is False


def test_a_live_run_is_followed_from_step_to_step(hand, follower):
    hand.start("train-a", label(0))
    assert follower.poll() is True
    assert [(one.folder, one.label, one.points, one.done) for one in follower.trainings] == [
        ("train-a", label(0), (), False)
    ]
    assert follower.poll() is False
    hand.evaluate("train-a", 10, 20)
    assert follower.poll() is True
    assert iterations(follower) == [[10, 20]]
    hand.finish("train-a", label(0))
    assert follower.poll() is True
    assert follower.trainings[0].done
    hand.start("evaluate-a", label(0))
    hand.start("train-b", label(1))
    hand.evaluate("train-b", 10)
    assert follower.poll() is True
    assert iterations(follower) == [[10, 20], [10]]
    assert [one.done for one in follower.trainings] == [True, False]
    assert follower.poll() is False


def test_test_metrics_in_an_evaluation_are_passed_on_and_not_spoken_of(hand, follower):
    hand.start("train-a", label(0))
    metrics = {"loss": 0.5, "accuracy": 0.9, "nll": 0.25, "test": {"accuracy": 0.875}}
    hand.write("train-a", "evaluation", iteration=10, **metrics)
    follower.poll()
    (training,) = follower.trainings
    assert training.points[0]["test"] == {"accuracy": 0.875}
    assert follower.log[-1].endswith("iteration 10, loss 0.5, accuracy 0.9, nll 0.25")


def test_chains_that_are_drawn_at_once_are_all_followed(hand, follower):
    chains = [{"kind": "sample", "folder": f"sample-{n}", "label": label(1, "nuts") | {"chain": n}} for n in range(3)]
    for chain in chains[:2]:
        hand.start(chain["folder"], chain["label"])
        hand.evaluate(chain["folder"], 10)
    write_progress(hand.folder, Progress(trainings=4, step=chains[0], concurrent_steps=chains[1:], updated=2.0))
    assert follower.poll() is True
    assert [one.label["chain"] for one in follower.trainings] == [0, 1, 2]
    assert iterations(follower) == [[10], [10], []]
    hand.evaluate("sample-1", 20)
    assert follower.poll() is True
    assert iterations(follower) == [[10], [10, 20], []]
    assert "chain 1: iteration 20" in follower.log[-1]


def test_what_did_not_change_stays_the_same_object(hand, follower):
    hand.start("train-a", label(0))
    hand.finish("train-a", label(0))
    hand.start("train-b", label(1))
    follower.poll()
    first, second = follower.trainings
    hand.evaluate("train-b", 10)
    follower.poll()
    assert follower.trainings[0] is first
    assert follower.trainings[1] is not second


def test_only_appended_bytes_are_read(hand, follower, monkeypatch):
    hand.start("train-a", label(0))
    hand.evaluate("train-a", *range(1, 500))
    follower.poll()
    taken = []
    take = EventReader._take
    monkeypatch.setattr(EventReader, "_take", lambda self, line: (taken.append(line), take(self, line)))
    hand.evaluate("train-a", 500)
    follower.poll()
    assert [json.loads(line)["iteration"] for line in taken] == [500]
    assert len(follower.trainings[0].points) == 500


def test_a_training_that_is_done_is_not_looked_at_again(hand, follower, monkeypatch):
    for name in ("train-a", "train-b"):
        hand.start(name, label(0))
        hand.finish(name, label(0))
    hand.start("train-c", label(1))
    monkeypatch.setattr("tfticket.runs.follow.last_change", lambda path: [path == str(hand.steps)])
    follower.poll()
    follower._seen = []
    polled = []
    poll = EventReader.poll
    monkeypatch.setattr(EventReader, "poll", lambda self: (polled.append(self._path.parent.name), poll(self))[1])
    hand.evaluate("train-c", 10)
    assert follower.poll() is True
    assert polled == ["train-c"]


def test_a_training_that_is_computed_anew_is_looked_at_though_it_was_done(hand, follower):
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 10)
    hand.finish("train-a", label(0))
    follower.poll()
    (hand.steps / "train-a" / "result.json").unlink()
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 20)
    assert follower.poll() is True
    assert not follower.trainings[0].done


def test_training_time_goes_on_where_the_attempt_before_was(hand, follower):
    lines = [
        (1, "start", 100.0, {}),
        (1, "evaluation", 101.0, {"iteration": 5}),
        (1, "begin", 102.0, {"iteration": 0}),
        (1, "evaluation", 103.0, {"iteration": 10}),
        (1, "evaluation", 105.5, {"iteration": 20}),
        (1, "evaluation", 109.0, {"iteration": 30}),
        (2, "begin", 500.0, {"iteration": 20}),
        (2, "evaluation", 502.0, {"iteration": 30}),
    ]
    hand.start("train-a", label(0))
    hand.diary("train-a").write_text("".join(event_line(*line[:3], **line[3]) for line in lines))
    follower.poll()
    (training,) = follower.trainings
    assert [point["iteration"] for point in training.points] == [10, 20, 30]
    assert training.seconds == (1.0, 3.5, 5.5)
    hand.diary("train-a").write_text("".join(event_line(*line[:3], **line[3]) for line in lines[3:5]))
    follower.poll()
    assert np.isnan(follower.trainings[0].seconds).tolist() == [True, True]


def test_a_last_line_without_its_end_waits_for_the_rest(hand, follower):
    hand.start("train-a", label(0))
    follower.poll()
    line = event_line(1, "evaluation", 5.0, iteration=10, note="größer").encode()
    with hand.diary("train-a").open("ab", buffering=0) as diary:
        for byte in (line[i : i + 1] for i in range(len(line) - 1)):
            diary.write(byte)
            assert follower.poll() is False
        diary.write(b"\n")
        assert follower.poll() is True
    assert iterations(follower) == [[10]]


def test_an_attempt_that_goes_on_supersedes_what_came_after_its_checkpoint(hand, follower):
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 10, 20, 30)
    follower.poll()
    with hand.diary("train-a").open("a") as diary:
        diary.write('{"attempt": 1, "event": "evalu')  # it was killed
    assert follower.poll() is False
    hand.start("train-a", label(0), iteration=20)
    assert follower.poll() is True
    assert iterations(follower) == [[10, 20]]
    hand.evaluate("train-a", 30)
    follower.poll()
    assert iterations(follower) == [[10, 20, 30]]
    assert [point["attempt"] for point in follower.trainings[0].points] == [1, 1, 2]
    assert any("start, attempt 2" in line for line in follower.log)


def test_a_step_whose_folder_vanishes_has_no_points_and_may_be_computed_anew(hand, follower):
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 10, 20)
    hand.finish("train-a", label(0))
    follower.poll()
    shutil.rmtree(hand.steps / "train-a")
    assert follower.poll() is True
    assert [(one.points, one.done) for one in follower.trainings] == [((), False)]
    assert follower.poll() is False
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 5)
    assert follower.poll() is True
    assert iterations(follower) == [[5]]


def test_a_diary_that_was_replaced_between_two_looks_is_read_anew(hand, follower):
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 10)
    follower.poll()
    hand.diary("train-a").write_text("".join(event_line(1, "evaluation", 9.0, iteration=n) for n in range(1, 50)))
    assert follower.poll() is True
    assert iterations(follower) == [list(range(1, 50))]
    hand.diary("train-a").write_text("")
    assert follower.poll() is True
    assert iterations(follower) == [[]]


def test_a_run_that_is_restarted_has_the_trainings_of_its_new_manifest(hand, follower):
    for name, level in (("train-a", 0), ("train-b", 1), ("train-c", 2)):
        hand.start(name, label(level))
        hand.finish(name, label(level))
    follower.poll()
    hand.entries = [hand.entries[2], hand.entries[0]]
    hand.list()
    assert follower.poll() is True
    assert [one.folder for one in follower.trainings] == ["train-c", "train-a"]
    assert follower.poll() is False


def test_a_damaged_or_vanished_run_folder_is_no_exception(hand, follower):
    hand.start("train-a", label(0))
    hand.finish("train-a", label(0))
    follower.poll()
    manifest = hand.folder / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole[:20])
    assert follower.poll() is False
    assert len(follower.trainings) == 1
    manifest.write_text(whole)
    (hand.folder / "progress.json").write_text('{"step": {"kind": 3}}')
    assert follower.poll() is False
    shutil.rmtree(hand.folder)
    assert follower.poll() is True
    assert follower.trainings == []


def test_a_step_that_runs_share_is_read_for_each_under_its_own_label(tmp_path, hand, follower):
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 10)
    hand.finish("train-a", label(0))
    other = Hand(tmp_path, "other")
    other.list({"kind": "train", "folder": "train-a", "label": label(3, arm="dense")})
    second = RunFollower(other.folder)
    assert follower.poll() is second.poll() is True
    assert second.trainings[0].points == follower.trainings[0].points
    assert [one.trainings[0].label["arm"].key for one in (follower, second)] == ["ticket", "dense"]


def test_a_training_that_arms_share_is_there_for_each_and_its_log_once(hand, follower):
    arms = [label(0, arm=arm) for arm in ("ticket", "bayesian-snr", "bayesian-snr-lrr")]
    hand.start("train-a", arms[0])
    hand.evaluate("train-a", 10)
    follower.poll()
    for arm in (*arms, arms[1]):
        hand.finish("train-a", arm)
    assert follower.poll() is True
    assert [(one.folder, one.label, one.done) for one in follower.trainings] == [("train-a", arm, True) for arm in arms]
    first, *others = follower.trainings
    assert [point["iteration"] for point in first.points] == [10]
    assert all((one.points, one.seconds) == (first.points, first.seconds) for one in others)
    assert sum("iteration 10" in line for line in follower.log) == 1
    before = list(map(id, follower.trainings))
    assert follower.poll() is False
    assert list(map(id, follower.trainings)) == before


def test_the_log_tells_in_the_order_of_events_what_happened(hand, follower):
    hand.start("train-a", label(0))
    hand.evaluate("train-a", 1000)
    hand.finish("train-a", label(0))
    hand.start("train-b", label(1, arm="reinitialise"))
    hand.write("train-b", "checkpoint discarded", reason="it is damaged")
    follower.poll()
    hand.evaluate("train-b", 10)
    follower.poll()
    stamps, words = zip(*(line.split("  ", 1) for line in follower.log), strict=True)
    assert list(words) == [
        "seed 0 · ticket · level 0: start",
        "seed 0 · ticket · level 0: begin, iteration 0",
        "seed 0 · ticket · level 0: iteration 1,000, loss 0.5, accuracy 0.9, nll 0.25",
        "seed 0 · ticket · level 0: done, seconds 1.5",
        "seed 0 · reinitialise · level 1: start",
        "seed 0 · reinitialise · level 1: begin, iteration 0",
        "seed 0 · reinitialise · level 1: checkpoint discarded, reason it is damaged",
        "seed 0 · reinitialise · level 1: iteration 10, loss 0.5, accuracy 0.9, nll 0.25",
    ]
    assert list(stamps) == sorted(stamps)


def test_what_two_trainings_did_is_told_in_the_order_of_time(hand, follower):
    for name, moments in (("train-a", (1, 3)), ("train-b", (2, 4))):
        hand.diary(name).parent.mkdir(parents=True)
        hand.diary(name).write_text("".join(event_line(1, f"at {moment}", moment) for moment in moments))
        hand.list({"kind": "train", "folder": name, "label": {}})
    follower.poll()
    assert [line[-1] for line in follower.log] == ["1", "2", "3", "4"]


def test_the_log_keeps_the_last_lines_of_a_long_run(tmp_path):
    follower = RunFollower(make_run(tmp_path, 0, "done", 3 * LOG_LINES))
    follower.poll()
    assert len(follower.log) == LOG_LINES
    assert sum(len(training.points) for training in follower.trainings) == 3 * LOG_LINES


def test_a_real_run_is_read_as_it_was_trained(tmp_path, call, no_data_folder):
    options = ["-o", "seeds=[3]", "-o", "train.epochs=6it", "-o", "train.evaluate_every=2it"]
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path, *options)
    assert code == 0, err
    (run,) = (tmp_path / "runs").iterdir()
    follower = RunFollower(run)
    assert follower.poll() is True
    assert len(follower.trainings) == 7
    assert {one.label["arm"].key for one in follower.trainings} == {"ticket", "reinitialise", "shuffle-layerwise"}
    for training in follower.trainings:
        history = json.loads((tmp_path / "steps" / training.folder / "result.json").read_text())["result"]["history"]
        assert training.done
        assert [
            {name: point[name] for name in row} for point, row in zip(training.points, history, strict=True)
        ] == history
    assert follower.poll() is False
