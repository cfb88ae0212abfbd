"""Runs in one line, made up."""

from pathlib import Path

from tfticket.runs.index import RunSummary


def summary(name, **changes):
    values = {
        "folder": Path(f"/ws/runs/{name}-12345678"), "name": name, "experiment": "imp", "state": "done",
        "started": 1000.0 + len(name), "updated": 2000.0, "trainings": 10, "completed": 10.0, "seconds_left": None,
        "doing": "", "level": 3, "density": 0.1, "accuracy": 0.975, "nll": 0.1, "message": "",
    }  # fmt: skip
    return RunSummary(**values | changes)
