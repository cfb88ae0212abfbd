"""Time to list a workspace of many long runs, and to read a long run.

The workspace is synthetic: the files that the window reads, without a training. These are the configuration, status,
progress, manifest and lease of a run, the events of its trainings and the results of its evaluations.
"""

import hashlib
import random
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from experiments.benchmarks.measure import Benchmark, Report, figure, say, seconds_of
from tfticket.arms import TICKET
from tfticket.presets import load_experiment
from tfticket.runs.events import event_line
from tfticket.runs.files import write_json
from tfticket.runs.follow import RunFollower
from tfticket.runs.index import FILE, Index
from tfticket.runs.lease import lease
from tfticket.runs.progress import Progress, write_progress

RUNS, EVENTS = 200, 10_000
PRESET = "quickstart"
SEEDS, LEVELS, RATE = 2, 5, 0.5
STATES = ("done", "done", "done", "stopped", "failed")
BEGAN = 1_700_000_000.0
MESSAGE = "The loss is not finite at iteration 4,300. Lower train.optimiser.learning_rate."


def make_workspace(workspace: Path, runs: int = RUNS, events: int = EVENTS) -> list[Path]:
    """Fill a folder with runs that have ended, with so many evaluations each; return their folders, the newest last."""
    return [make_run(workspace, number, STATES[number % len(STATES)], events) for number in range(runs)]


def make_run(workspace: Path, number: int, state: str, events: int) -> Path:
    """Write a run, an hour after the previous one, and its steps; return its folder."""
    name, began = f"synthetic-{number:04d}", BEGAN + 3600.0 * number
    folder = workspace / "runs" / f"{name}-{_digest(name)[:8]}"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({**_config(), "name": name}, sort_keys=False), encoding="utf-8")
    trainings = SEEDS * (1 + LEVELS)
    done = trainings if state == "done" else trainings - 2
    places = [(seed, level) for seed in range(SEEDS) for level in range(1 + LEVELS)][:done]
    dense = {"density": 1.0, "level": 0}
    steps = [_step(workspace, name, "start", {"seed": seed}, dense, _event_log(0)) for seed in range(SEEDS)]
    for seed, level in places:
        steps += _level(workspace, name, seed, level, events // done + (level < events % done))
    write_json(folder / "manifest.json", {"steps": steps}, sync=False)
    ended = began + 3000.0
    write_progress(folder, Progress(trainings, done, done, began=began, updated=ended))
    failure = {"message": MESSAGE, "traceback": f"Traceback (most recent call last):\nTfticketError: {MESSAGE}\n"}
    status = {"state": state, "experiment": "imp", "started": began, "updated": ended}
    write_json(folder / "status.json", status | (failure if state == "failed" else {}), sync=False)
    with lease(folder):
        pass
    return folder


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


@cache
def _config() -> dict[str, Any]:
    overrides = [f"seeds={list(range(SEEDS))}".replace(" ", ""), f"prune.levels={LEVELS}", "control_densities=[]"]
    return load_experiment(PRESET, overrides).model_dump(mode="json")


def _level(workspace: Path, run: str, seed: int, level: int, events: int) -> list[dict[str, Any]]:
    """Write the pruning, training and evaluation of a ticket."""
    density = RATE**level
    label = {"arm": TICKET.to_label(), "seed": seed, "level": level, "density": density}
    draw = random.Random(_digest(run, seed, level))  # noqa: S311 -- no secret
    metrics = {name: draw.uniform(0.05, 0.95) for name in ("accuracy", "nll", "brier", "ece", "mace")}
    pruning = {"density": density, "level": level}
    pruned = [_step(workspace, run, "prune", {"seed": seed, "level": level}, pruning, _event_log(0))] if level else []
    trained = _step(workspace, run, "train", label, {"density": density, "iterations": events}, _event_log(events))
    evaluation = {**pruning, "validation": metrics, "test": metrics}
    return [*pruned, trained, _step(workspace, run, "evaluate", label, evaluation, _event_log(0))]


def _step(
    workspace: Path, run: str, kind: str, label: dict[str, Any], result: dict[str, Any], event_log: str
) -> dict[str, Any]:
    """Write the folder of a step; return its entry in the manifest."""
    full = _digest(run, kind, label)
    folder = workspace / "steps" / f"{kind}-{full[:16]}"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text(event_log, encoding="utf-8")
    record = {"fingerprint": full, "kind": kind, "seconds": 250.0, "attempt": 1, "versions": {}, "result": result}
    write_json(folder / "result.json", record, sync=False)
    return {"kind": kind, "folder": folder.name, "fingerprint": full, "label": label}


@cache
def _event_log(events: int) -> str:
    """Return the events of a step with a number of evaluations."""
    lines = [event_line(1, "start", BEGAN)]
    if events:
        lines.append(event_line(1, "begin", BEGAN, iteration=0))
    for iteration in range(1, events + 1):
        loss = 2.3 / iteration**0.5
        metrics = {"loss": loss, "accuracy": 1 - loss / 3, "nll": 1.1 * loss, "brier": loss / 3, "ece": 0.1 / iteration}
        lines.append(event_line(1, "evaluation", BEGAN + iteration, iteration=iteration, **metrics, mace=0.1))
    return "".join([*lines, event_line(1, "done", BEGAN + events, seconds=float(events))])


def measure_workspace(rounds: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        say(f"  making {RUNS} runs of {EVENTS:,} events")
        runs = make_workspace(workspace)
        cold, warm, unchanged, followed, idle = [], [], [], [], []
        for _ in range(rounds):
            (workspace / FILE).unlink(missing_ok=True)
            cold.append(seconds_of(lambda: _open(workspace)))
            warm.append(seconds_of(lambda: _open(workspace)))
            with closing(Index(workspace)) as index:
                index.refresh()
                unchanged.append(seconds_of(index.refresh))
            follower = RunFollower(runs[0])
            followed.append(seconds_of(follower.poll))
            idle.append(seconds_of(follower.poll))
    rows = [
        figure("open and look, no index yet", cold, "s"),
        figure("open and look, warm index", warm, "s", at_most=1.0),
        figure("look again, nothing changed", unchanged, "s", at_most=0.05),
        figure(f"read a run's {EVENTS:,} events", followed, "s", at_most=0.3),
        figure("look at it again, nothing appended", idle, "s"),
    ]
    return Report(rows, [f"{RUNS} runs of {EVENTS:,} events each; the files are in the page cache."])


def _open(workspace: Path) -> None:
    with closing(Index(workspace)) as index:
        index.refresh()


BENCHMARK = Benchmark("workspaces", measure_workspace, rounds=5)
