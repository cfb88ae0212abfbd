"""Whether a configuration was run to its end already."""

import shutil
from dataclasses import replace

import pytest
import yaml

from gui.models.configurations import done_run
from gui.models.draft import preset_values
from tests.gui.summaries import summary
from tfticket.presets import load_experiment


@pytest.fixture
def done(run):
    """A run of a preset, which is done."""
    (run / "config.yaml").write_text(yaml.safe_dump(preset_values("quickstart-smoke")))
    return summary("quickstart-smoke", folder=run)


def config_of(**changes):
    return type(load_experiment("quickstart-smoke")).model_validate(preset_values("quickstart-smoke") | changes)


def test_a_done_run_of_the_same_configuration_is_shown_unless_anything_may_differ(done):
    assert done_run(config_of(), [done]) == done
    assert done_run(config_of(execution={"threads": 1}), [done]) == done
    for changes in ({"seeds": [7]}, {"name": "another"}, {"data": {"path": "mine.npz"}}):
        assert done_run(config_of(**changes), [done]) is None, changes
    assert done_run(config_of(), [replace(done, state="stopped")]) is None
    whole = (done.folder / "config.yaml").read_text()
    (done.folder / "config.yaml").write_text("{")
    assert done_run(config_of(), [done]) is None
    (done.folder / "config.yaml").write_text(whole)
    shutil.rmtree(next((done.folder.parents[1] / "steps").glob("train-*")))
    assert done_run(config_of(), [done]) is None
