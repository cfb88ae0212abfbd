"""Ways in which the files of a run may be damaged, or made to harm who looks at it."""

import json
import os

from tfticket.runs.files import read_json

HUGE = 10**400
MARKUP = "<img src='file:///etc/passwd'><a href='http://x'>[/red]\x1b]0;OWNED\x07\u202e$\\frac{1}{0}$"


def change(path, alter):
    """Alter a JSON file's value in place; it may be anything afterwards."""
    value = read_json(path)
    path.write_text(json.dumps(alter(value)))


def fifo(path):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def steps_of(run, kind):
    steps = read_json(run / "manifest.json")["steps"]
    return [run.parents[1] / "steps" / step["folder"] for step in steps if step["kind"] == kind]


def in_manifest(**changes):
    changed = lambda values: {"steps": [step | changes for step in values["steps"]]}  # noqa: E731
    return lambda run: change(run / "manifest.json", changed)


def in_steps(kind, name, alter):
    return lambda run: [alter(step / name) for step in steps_of(run, kind)]


def in_results(value):
    return in_steps("evaluate", "result.json", lambda file: change(file, lambda values: values | {"result": value}))


def in_events(*lines):
    text = "".join(f"{line}\n" for line in lines)
    return in_steps("train", "events.jsonl", lambda file: file.write_text(file.read_text() + text))


def pipe(name):
    return lambda run: fifo(run / name)


EVENT = {"event": "evaluation", "attempt": 1, "time": 1.0, "iteration": 1}
METRICS = {"density": 1.0, "level": 0, "validation": {"accuracy": "x"}, "test": {"accuracy": HUGE}}
LISTED = "name: x\nmodel: []\ndata: 3\nprune: [1]\n"
FAILED = {"state": "failed", "message": MARKUP, "experiment": MARKUP}
EVENTS = [{"loss": HUGE, "accuracy": "x", "nll": None}, {"loss": float("nan"), "accuracy": [1], MARKUP: MARKUP}]
EVENTS += [{"iteration": HUGE}, {"time": "now"}]
HARMS = {
    "texts": lambda run: (
        change(run / "status.json", lambda values: values | FAILED),
        (run / "config.yaml").write_text((run / "config.yaml").read_text() + json.dumps(MARKUP).join(["x: ", "\n"])),
    ),
    "arms": in_manifest(label={"arm": MARKUP, "seed": 0, "level": 1, "density": 0.5}),
    "labels": in_manifest(label={"arm": "ticket", "seed": [0], "level": None}),
    "no labels": in_manifest(label={}),
    "huge labels": in_manifest(label={"arm": "ticket", "seed": HUGE, "level": HUGE, "density": 1e300}),
    "folders elsewhere": in_manifest(folder="../../../etc"),
    "kinds": in_manifest(kind=3),
    "a deep manifest": lambda run: (run / "manifest.json").write_text("[" * 100_000),
    "a manifest that is a pipe": pipe("manifest.json"),
    "a status that is a pipe": pipe("status.json"),
    "a configuration that is a pipe": pipe("config.yaml"),
    "progress that is a pipe": pipe("progress.json"),
    "a lease that is a pipe": pipe("lease.json"),
    "a lease of process 0": lambda run: (
        change(run / "lease.json", lambda values: values | {"pid": 0, "held": True}),
        change(run / "status.json", lambda values: values | {"state": "running"}),
    ),
    "a status of another time": lambda run: change(run / "status.json", lambda values: values | {"started": 1e300}),
    "results of another shape": in_results([]),
    "results without metrics": in_results({"density": 1.0, "level": 0}),
    "metrics that are none": in_results(METRICS),
    "results that are pipes": in_steps("evaluate", "result.json", fifo),
    "diaries that are pipes": in_steps("train", "events.jsonl", fifo),
    "events": in_events(
        *["[" * 100_000, "null", "[1]", "\\udcff" * 3],
        *(json.dumps(EVENT | changes) for changes in EVENTS),
        *(json.dumps(event) for event in ({"event": "evaluation", "loss": 1.0}, {"event": MARKUP, "reason": MARKUP})),
    ),
    "a configuration without fields": lambda run: (run / "config.yaml").write_text("name: x\n"),
    "a configuration of lists": lambda run: (run / "config.yaml").write_text(LISTED),
}
