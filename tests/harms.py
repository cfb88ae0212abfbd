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
    return lambda run: change(
        run / "manifest.json", lambda values: {"steps": [step | changes for step in values["steps"]]}
    )


def in_results(kind, value):
    return lambda run: [
        change(step / "result.json", lambda values: values | {"result": value}) for step in steps_of(run, kind)
    ]


def in_diaries(*lines):
    def alter(run):
        for step in steps_of(run, "train"):
            with (step / "events.jsonl").open("a", encoding="utf-8") as diary:
                diary.write("".join(f"{line}\n" for line in lines))

    return alter


def pipe(name):
    return lambda run: fifo(run / name)


EVENT = {"event": "evaluation", "attempt": 1, "time": 1.0, "iteration": 1}
METRICS = {"density": 1.0, "level": 0, "validation": {"accuracy": "x"}, "test": {"accuracy": HUGE}}
FAILED = {"state": "failed", "message": MARKUP, "experiment": MARKUP}
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
    "results of another shape": in_results("evaluate", []),
    "results without metrics": in_results("evaluate", {"density": 1.0, "level": 0}),
    "metrics that are none": in_results("evaluate", METRICS),
    "results that are pipes": lambda run: [fifo(step / "result.json") for step in steps_of(run, "evaluate")],
    "diaries that are pipes": lambda run: [fifo(step / "events.jsonl") for step in steps_of(run, "train")],
    "events": in_diaries(
        "[" * 100_000,
        "null",
        "[1]",
        json.dumps({**EVENT, "loss": HUGE, "accuracy": "x", "nll": None}),
        json.dumps({**EVENT, "loss": float("nan"), "accuracy": [1], MARKUP: MARKUP}),
        json.dumps({**EVENT, "iteration": HUGE}),
        json.dumps({**EVENT, "time": "now"}),
        json.dumps({"event": "evaluation", "loss": 1.0}),
        json.dumps({"event": MARKUP, "reason": MARKUP}),
        "\\udcff" * 3,
    ),
    "a configuration without fields": lambda run: (run / "config.yaml").write_text("name: x\n"),
    "a configuration of lists": lambda run: (run / "config.yaml").write_text("name: x\nmodel: []\ndata: 3\n"),
}
