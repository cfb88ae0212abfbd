"""Stopped or killed at any moment, a run goes on to the bits of an undisturbed one. Needs TensorFlow."""

import resource
import signal
import sys
import time
from contextlib import suppress
from subprocess import DEVNULL

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.plans import OPTIONS_OF_DIGITS
from tests.processes import execute, started
from tfticket.errors import Stopped
from tfticket.listener import Listener
from tfticket.presets import experiment_of, load_experiment
from tfticket.run import open_run, run_folder
from tfticket.runs.events import read_events
from tfticket.runs.files import read_json

# One seed, two levels, trainings long enough to be hit; a checkpoint after every short segment.
OPTIONS = [
    *OPTIONS_OF_DIGITS,
    "train.engine=keras",  # whose checkpoints are large
    "seeds=[3]",
    "train.epochs=1000it",
    "train.evaluate_every=250it",
    "prune.rewind=50it",
    "control_densities=[0.1]",
    "execution={checkpoint_seconds: 0, segment_seconds: 0.05, threads: 1}",
]


def results(workspace):
    """Everything that must not depend on what happened to the process: tensors, metrics, the log of evaluations."""
    results = {}
    for folder in sorted((workspace / "steps").iterdir()):
        result = read_json(folder / "result.json")["result"]
        result.pop("seconds", None)
        tensors = {(file.name, path): a for file in folder.glob("*.safetensors") for path, a in load_file(file).items()}
        events = [event for event in read_events(folder / "events.jsonl") if event["event"] == "evaluation"]
        events = [{key: value for key, value in event.items() if key not in ("attempt", "time")} for event in events]
        results[folder.name] = result, tensors, events
    return results


def assert_same_results(disturbed, undisturbed):
    made, expected = results(disturbed), results(undisturbed)
    assert list(made) == list(expected)
    for name, (result, tensors, events) in made.items():
        assert (result, events, tensors.keys()) == (expected[name][0], expected[name][2], expected[name][1].keys())
        for path, array in tensors.items():
            np.testing.assert_array_equal(array, expected[name][1][path], err_msg=f"{name} {path}")
    assert not [*disturbed.glob("**/.*.part"), *disturbed.glob("steps/*/checkpoint.safetensors")]


def resumed(workspace):
    """Return how often a training went on from a checkpoint."""
    logs = [read_events(path) for path in workspace.glob("steps/train-*/events.jsonl")]
    begins = [[event["iteration"] for event in log if event["event"] == "begin"] for log in logs]
    return sum(iteration > first for first, *later in begins for iteration in later)


class Stopping(Listener):
    """Asks a run to stop within the training of a level."""

    def __init__(self, folder, level):
        self.folder, self.level, self.here = folder, level, False

    def started(self, kind, folder, label, others=()):
        self.here = kind == "train" and label["level"] == self.level

    def progress(self, done, total, first=0):
        if self.here and done >= 20:
            (self.folder / "STOP").touch()


def test_a_run_that_is_stopped_in_its_trainings_goes_on_to_the_same_bits(tmp_path, without_xla):
    short = ["train.epochs=60it", "train.evaluate_every=10it", "prune={rewind: 5it, levels: 1}", "controls=[]"]
    short += ["execution.threads=null"]  # TensorFlow may run in this process already
    config, undisturbed = load_experiment("quickstart-smoke", [*OPTIONS, *short]), tmp_path / "undisturbed"

    def run(workspace, listener=None):
        with open_run(workspace, config, listener) as lab:
            experiment_of("imp").run(lab, config)

    run(undisturbed)
    for level in (0, 1):
        with pytest.raises(Stopped):
            run(tmp_path, Stopping(run_folder(tmp_path, config), level))
    run(tmp_path)
    assert_same_results(tmp_path, undisturbed)
    assert resumed(tmp_path) == 2


def command(workspace):
    options = [text for option in OPTIONS for text in ("-o", option)]
    return [sys.executable, "-m", "tfticket", "--quiet", "run", "quickstart-smoke", "-w", str(workspace), *options]


def is_training(number, workspace, since):
    """Return True if a training after the number-th has written a checkpoint since then, and most likely goes on."""
    if len(list(workspace.glob("steps/train-*/result.json"))) < number:
        return False
    for path in workspace.glob("steps/train-*/checkpoint.safetensors"):
        with suppress(FileNotFoundError):  # the training ended meanwhile
            if path.stat().st_mtime > since:
                return True
    return False


def disturb(workspace, number, how, delay=0.0):
    """Run until a training after the number-th has a checkpoint, wait, end the run; return the exit code."""
    since = time.time()
    with started(command(workspace), stderr=DEVNULL) as process:
        while process.poll() is None and not is_training(number, workspace, since):
            time.sleep(0.005)
        time.sleep(delay)
        if isinstance(how, str):
            (run,) = (workspace / "runs").iterdir()
            (run / how).touch()
        else:
            process.send_signal(how)
        return process.wait()


def limit_files():
    """Limit the size of files, so that tickets and weights fit and checkpoints do not."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (550_000, 550_000))


@pytest.mark.slow  # each end takes ten seconds
def test_killed_stopped_and_out_of_disk_it_ends_with_the_bits_of_an_undisturbed_run(tmp_path):
    undisturbed, workspace = tmp_path / "undisturbed", tmp_path / "disturbed"
    execute(command(undisturbed))

    def state():
        (run,) = (workspace / "runs").iterdir()
        return read_json(run / "status.json")["state"]

    kept = 0
    for number, how in enumerate((signal.SIGKILL, "STOP", signal.SIGTERM, signal.SIGKILL, signal.SIGINT)):
        delay = 0.3 if how == signal.SIGKILL and number > 1 else 0.0
        expected = -signal.SIGKILL if how == signal.SIGKILL else 130
        assert disturb(workspace, number, how, delay) == expected, f"{how} came too late"
        assert expected != 130 or state() == "stopped"
        if number == 2:
            full = execute(command(workspace), check=False, preexec_fn=limit_files)
            assert (full.returncode, state()) == (1, "failed")
            assert "File too large" in full.stderr
            assert "fault of tfticket" not in full.stderr
        done = len(list(workspace.glob("steps/*/result.json")))
        assert done >= kept
        kept = done
    execute(command(workspace))
    assert state() == "done"
    assert_same_results(workspace, undisturbed)
    assert resumed(workspace) >= 3, "too few trainings went on from a checkpoint"
