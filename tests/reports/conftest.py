"""Run folders made by hand."""

import json

import pytest
import yaml

from tfticket.data import sources

METRICS = {"accuracy": 0.9, "nll": 0.3}


@pytest.fixture
def make_run(tmp_path):
    """Makes a run folder by hand.

    Evaluations are (arm, seed, level), and what differs in label or result; ``data`` is what the configuration says.
    """

    def make(
        name,
        state="done",
        started=0.0,
        evaluations=None,
        *,
        model="lenet-300-100",
        data=None,
        contents=sources.mnist.contents,
        training_rows=2000,
    ):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        config = {"name": name, "model": {"name": model}, "data": {"name": "mnist", "classes": None, **(data or {})}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "status.json").write_text(json.dumps({"state": state, "started": started, "experiment": "imp"}))
        if evaluations is None:
            (folder / "manifest.json").write_text(json.dumps({"steps": []}))
            return folder
        steps = [{"kind": "start", "folder": "start-0", "fingerprint": "0", "label": {"seed": 0}}]
        described = {"contents": contents, "training_rows": training_rows}
        for number, (arm, seed, level, *more) in enumerate(evaluations):
            changes = more[0] if more else {}
            step = tmp_path / "steps" / f"evaluate-{name}-{number}"
            step.mkdir(parents=True)
            result = {"level": level, "density": 0.5**level, "data": described}
            result |= dict.fromkeys(("test", "validation"), METRICS | changes.get("test", {}))
            result |= {"reliability": changes["reliability"]} if "reliability" in changes else {}
            (step / "result.json").write_text(json.dumps({"fingerprint": "0", "result": result}))
            step_label = {"arm": arm, "seed": seed, "level": level} | changes.get("label", {})
            steps.append({"kind": "evaluate", "folder": step.name, "fingerprint": "0", "label": step_label})
        (folder / "manifest.json").write_text(json.dumps({"steps": steps}))
        return folder

    return make
