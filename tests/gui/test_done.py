"""Whether a configuration was run to its end already."""

import shutil
from pathlib import Path

import pytest
import yaml

from gui.models.done import done_run
from gui.models.preset_list import preset_entries, preset_values
from tests.gui.summaries import summary
from tfticket.presets import load_experiment
from tfticket.runs.files import write_json


@pytest.fixture
def run(tmp_path):
    """A run of a preset, which is done."""
    folder = tmp_path / "runs" / "quickstart-smoke-12345678"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(preset_values("quickstart-smoke")))
    write_json(folder / "manifest.json", {"steps": [{"kind": "train", "folder": "train-1", "label": {}}]})
    (tmp_path / "steps" / "train-1").mkdir(parents=True)
    write_json(tmp_path / "steps" / "train-1" / "result.json", {})
    return summary("quickstart-smoke", folder=folder)


def config_of(**changes):
    config = load_experiment("quickstart-smoke")
    return type(config).model_validate(preset_values("quickstart-smoke") | changes)


def test_a_run_of_the_same_configuration_is_found_and_execution_does_not_count(run):
    assert done_run(config_of(), [run]) == run
    assert done_run(config_of(execution={"threads": 1}), [run]) == run


@pytest.mark.parametrize("changes", [{"seeds": [7]}, {"name": "another"}, {"data": {"path": "mine.npz"}}])
def test_another_configuration_is_another_run_and_files_of_the_users_own_may_have_changed(run, changes):
    assert done_run(config_of(**changes), [run]) is None


def test_a_run_that_is_not_done_damaged_or_lost_results_does_not_count(run, tmp_path):
    assert done_run(config_of(), [summary("quickstart-smoke", folder=run.folder, state="stopped")]) is None
    (Path(run.folder) / "config.yaml").write_text("{")
    assert done_run(config_of(), [run]) is None
    (run.folder / "config.yaml").write_text(yaml.safe_dump(preset_values("quickstart-smoke")))
    shutil.rmtree(tmp_path / "steps")
    assert done_run(config_of(), [run]) is None


def test_an_offer_says_how_many_trainings_and_chains_it_takes():
    work = {offer.name: offer.work for offer in preset_entries()}
    assert work["quickstart"].isdecimal()
    chains = [offer for offer in preset_entries() if offer.chains]
    for offer in chains:
        assert offer.work.startswith(f"{offer.trainings:,} + {offer.chains:,} chain")
