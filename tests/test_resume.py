"""kill -9 at any moment, start again: the same bits as an undisturbed run. Needs TensorFlow, in subprocesses."""

import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, CompletedProcess

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.processes import execute, started
from tfticket.runs.events import read_events
from tfticket.runs.files import read_json

# One seed, two levels, trainings long enough to be hit; a checkpoint after every short segment.
OPTIONS = [
    "seeds=[3]",
    "train.epochs=400it",
    "train.evaluate_every=100it",
    "prune.rewind=50it",
    "control_densities=[0.1]",
    "execution.checkpoint_seconds=0",
    "execution.segment_seconds=0.05",
    "execution.threads=1",
]
ENDS = (signal.SIGKILL, "STOP", signal.SIGTERM, signal.SIGKILL, signal.SIGINT)
"""How a run ends, one after another; after the third it finds the disk full. Each end takes ten seconds."""


def command(workspace: Path) -> list[str]:
    options = [text for option in OPTIONS for text in ("-o", option)]
    return [sys.executable, "-m", "tfticket", "--quiet", "run", "quickstart-smoke", "-w", str(workspace), *options]


def results(workspace: Path) -> dict[str, object]:
    """Everything that must not depend on what happened to the process: tensors, metrics, the diary."""
    found: dict[str, object] = {}
    for folder in sorted((workspace / "steps").iterdir()):
        result = read_json(folder / "result.json")["result"]
        result.pop("seconds", None)
        found[folder.name] = result
        for file in folder.glob("*.safetensors"):
            found[f"{folder.name}/{file.name}"] = load_file(file)
        events = [event for event in read_events(folder / "events.jsonl") if event["event"] == "evaluation"]
        found[f"{folder.name}/events"] = [
            {key: value for key, value in event.items() if key not in ("attempt", "time")} for event in events
        ]
    return found


def assert_same(left: dict[str, object], right: dict[str, object]) -> None:
    assert list(left) == list(right)
    for name, value in left.items():
        if name.endswith(".safetensors"):
            for path, array in value.items():
                np.testing.assert_array_equal(array, right[name][path], err_msg=f"{name} {path}")
        else:
            assert value == right[name], name


def in_training(number: int, workspace: Path, since: float) -> bool:
    """Whether the number-th training has written a checkpoint since then, and is most likely still at it."""
    if len(list(workspace.glob("steps/train-*/result.json"))) != number:
        return False
    for path in workspace.glob("steps/train-*/checkpoint.safetensors"):
        with suppress(FileNotFoundError):  # the training ended meanwhile
            if path.stat().st_mtime > since:
                return True
    return False


def disturb(workspace: Path, number: int, how: signal.Signals | str, delay: float = 0.0) -> int:
    """Run until the number-th training has a checkpoint, wait, end the run; returns the exit code."""
    since = time.time()
    with started(command(workspace), stderr=DEVNULL) as process:
        while process.poll() is None and not in_training(number, workspace, since):
            time.sleep(0.005)
        time.sleep(delay)
        if isinstance(how, str):
            (run,) = (workspace / "runs").iterdir()
            (run / how).touch()
        else:
            process.send_signal(how)
        return process.wait()


def on_a_small_disk(workspace: Path) -> CompletedProcess[str]:
    """Run under a limit on files' size, where tickets and weights fit and checkpoints do not."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    return execute(command(workspace), check=False, preexec_fn=limit)


@pytest.mark.parametrize("ends", [ENDS[:1], pytest.param(ENDS, marks=pytest.mark.slow)], ids=["one end", "all ends"])
def test_killed_stopped_and_out_of_disk_it_ends_with_the_bits_of_an_undisturbed_run(ends, tmp_path):
    undisturbed, workspace = tmp_path / "undisturbed", tmp_path / "disturbed"
    execute(command(undisturbed))

    def state() -> str:
        (run,) = (workspace / "runs").iterdir()
        return read_json(run / "status.json")["state"]

    kept = 0
    for number, how in enumerate(ends):
        delay = 0.3 if how == signal.SIGKILL and number > 1 else 0.0
        expected = -signal.SIGKILL if how == signal.SIGKILL else 130
        assert disturb(workspace, number, how, delay) == expected, f"{how} came too late"
        if expected == 130:
            assert state() == "stopped"
        if number == 2:
            full = on_a_small_disk(workspace)
            assert (full.returncode, state()) == (1, "failed")
            assert "Failed" in full.stderr
            assert "Cannot write" in full.stderr
            assert "File too large" in full.stderr
            assert "fault of tfticket" not in full.stderr
        done = len(list(workspace.glob("steps/*/result.json")))
        assert done >= kept
        kept = done

    execute(command(workspace))
    assert state() == "done"
    assert_same(results(workspace), results(undisturbed))
    diaries = [read_events(path) for path in workspace.glob("steps/train-*/events.jsonl")]
    begins = [event["iteration"] for diary in diaries for event in diary if event["event"] == "begin"]
    went_on = sum(iteration > 0 for iteration in begins)
    assert went_on >= max(1, len(ends) - 1), "too few trainings went on from a checkpoint"
    assert not list(workspace.glob("**/.*.part"))
    assert not list(workspace.glob("steps/*/checkpoint.safetensors"))
