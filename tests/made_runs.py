"""Runs made by hand: their files and those of their steps as the lab writes them, without TensorFlow."""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import yaml

from tfticket.arms import Arm, written_label
from tfticket.data import sources
from tfticket.presets import load_experiment
from tfticket.runs.artefacts import files_of, save_tensors
from tfticket.runs.events import EventWriter, event_line
from tfticket.runs.files import write_json
from tfticket.runs.progress import Progress, write_progress
from tfticket.runs.run_folder import Step, write_manifest
from tfticket.runs.step_files import write_result

BEGAN = 1_700_000_000.0
ITERATIONS = (2, 4, 6)
LAYERS = {"conv_1": (5, 5, 1, 6), "conv_2": (5, 5, 6, 16), "dense_1": (400, 120), "dense_2": (120, 10)}


def step_label(level, arm="ticket", seed=0, **more):
    return {"arm": Arm.parse(arm), "seed": seed, "level": level, "density": 0.5**level, **more}


def change_json(path, **values):
    """Change fields of a JSON file."""
    write_json(path, json.loads(path.read_text()) | values)


class LiveRun:
    """A run that is being computed: a test writes its folder step by step."""

    def __init__(self, workspace, name="run"):
        self.folder, self.steps = workspace / "runs" / name, workspace / "steps"
        self.folder.mkdir(parents=True)
        self.entries, self.attempts = [], {}

    def start(self, step, label, iteration=0):
        """Begin an attempt of a step, called '<kind>-<anything>'."""
        (self.steps / step).mkdir(parents=True, exist_ok=True)
        entry = {"kind": step.partition("-")[0], "folder": step, "label": label}
        write_progress(self.folder, Progress(trainings=4, done=len(self.entries), step=entry, updated=1.0))
        self.attempts[step] = self.attempts.get(step, 0) + 1
        self.write(step, "start")
        self.write(step, "begin", iteration=iteration)

    def write(self, step, event, **values):
        EventWriter(self.events(step), self.attempts[step]).write(event, **values)

    def evaluate(self, step, *iterations):
        for iteration in iterations:
            self.write(step, "evaluation", iteration=iteration, loss=0.5, accuracy=0.9, nll=0.25)

    def finish(self, step, label):
        self.write(step, "done", seconds=1.5)
        write_json(self.steps / step / "result.json", {})
        self.list({"kind": step.partition("-")[0], "folder": step, "label": label})
        write_progress(self.folder, Progress(trainings=4, done=len(self.entries), updated=2.0))

    def list(self, *entries):
        """Add steps to the manifest."""
        self.entries += [{"fingerprint": entry["folder"], **entry} for entry in entries]
        entries = [entry | {"label": written_label(entry["label"])} for entry in self.entries]
        write_json(self.folder / "manifest.json", {"steps": entries})

    def events(self, step):
        return self.steps / step / "events.jsonl"


def make_run(workspace, name="made", **config):
    """Write a finished run: seeds 0 and 1, tickets of levels 0 to 2, and a re-initialised control of levels 1 and 2.

    Args:
        workspace: Its workspace.
        name: The run's name.
        config: Parts of its configuration that differ from the preset quickstart-smoke.

    Returns:
        The run's folder.
    """
    folder = workspace / "runs" / f"{name}-{_digest(name)[:8]}"
    folder.mkdir(parents=True)
    values = {**load_experiment("quickstart-smoke", ["controls=[reinitialise]"]).model_dump(mode="json"), **config}
    (folder / "config.yaml").write_text(yaml.safe_dump(values | {"name": name}, sort_keys=False))
    steps: list[Step] = []
    add_step = functools.partial(_add_step, folder, steps)
    for seed in (0, 1):
        random = np.random.default_rng(seed)
        mask = {f"{layer}/kernel": np.ones(shape, bool) for layer, shape in LAYERS.items()}
        ticket = trained = add_step("start", {"seed": seed}, {}, {"level": 0, "density": 1.0}, mask)
        tickets = []
        for level in range(3):
            if level:
                mask = {path: kept & (random.random(kept.shape) < 0.5) for path, kept in mask.items()}
                inputs, result = {"ticket": ticket, "trained": trained}, {"level": level, "density": 0.5**level}
                ticket = add_step("prune", {"seed": seed, "level": level}, inputs, result, mask)
            trained = _train_and_evaluate(add_step, step_label(level, seed=seed), ticket, random)
            tickets.append((ticket, mask))
        for level, (ticket, mask) in list(enumerate(tickets))[1:]:
            label = step_label(level, "reinitialise", seed)
            control = add_step("control", label, {"ticket": ticket}, {"level": level, "density": 0.5**level}, mask)
            _train_and_evaluate(add_step, label, control, random)
    write_manifest(folder, steps)
    status = {"format": 1, "state": "done", "experiment": "imp", "started": BEGAN, "updated": BEGAN + 60}
    write_json(folder / "status.json", status)
    write_progress(folder, Progress(10, 10, 10, began=BEGAN, updated=BEGAN + 60))
    return folder


def _train_and_evaluate(add_step, label, ticket: Path, random) -> Path:
    lines = [event_line(1, "start", BEGAN), event_line(1, "begin", BEGAN, iteration=0)]
    for iteration in ITERATIONS:
        metrics = {name: random.uniform(0.1, 0.9) for name in ("loss", "accuracy", "nll", "mace")}
        lines.append(event_line(1, "evaluation", BEGAN + iteration, iteration=iteration, **metrics))
    result = {"density": label["density"], "iterations": ITERATIONS[-1]}
    trained = add_step("train", label, {"ticket": ticket}, result, events="".join(lines))
    metrics = {
        split: {name: random.uniform(0.1, 0.9) for name in ("accuracy", "nll", "mace")}
        for split in ("validation", "test")
    }
    described = {"contents": sources.mnist.contents, "training_rows": 2000}
    result = {"level": label["level"], "density": label["density"], "data": described, **metrics}
    add_step("evaluate", label, {"ticket": ticket, "trained": trained}, result)
    return trained


def _add_step(run: Path, steps, kind, label, inputs, result, mask=None, events="") -> Path:
    fingerprint = _digest(run.name, kind, written_label(label))
    folder = run.parents[1] / "steps" / f"{kind}-{fingerprint[:16]}"
    folder.mkdir(parents=True)
    named = {name: path.name for name, path in inputs.items()}
    config = {"kind": kind, "version": 1, "fingerprint": fingerprint, "config": {}, "inputs": named}
    write_json(folder / "config.json", config, sync=False)
    (folder / "events.jsonl").write_text(events)
    if mask is not None:
        metadata = {"kernels": list(mask), "model": {"name": "lenet-5", "input_shape": [28, 28, 1], "num_classes": 10}}
        tensors = {f"mask/{path}": kept for path, kept in mask.items()}
        save_tensors(folder / "ticket.safetensors", "ticket", tensors, {**metadata, "level": result["level"]})
    if kind == "train":
        save_tensors(folder / "weights.safetensors", "weights", {"dense_2/bias": np.ones(10)}, {"label": str(label)})
    record = {"fingerprint": fingerprint, "kind": kind, "seconds": 1.0, "attempt": 1, "versions": {}, "result": result}
    write_result(folder, record, files_of(folder))
    steps.append(Step(run, kind, folder, label, fingerprint))
    return folder


def _digest(*parts) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()
