"""Manifests whose labels hold arms as text, as they did before arms were values."""

import json

import pytest

from tfticket.arms import Arm
from tfticket.reports.claims.papers import decisions_of, records
from tfticket.reports.report import arms_of
from tfticket.reports.rows import rows_of
from tfticket.reports.tables.cells import record_of, summarise
from tfticket.reports.tables.csv_files import rows_csv
from tfticket.runs.run_folder import read_run

ARMS = (
    "ticket",
    "reinitialise he_normal",
    "shuffle-layerwise",
    "bayesian-snr-lrr",
    "bayesian-snr-lrr reinitialise",
    "transplant-start",
    "svi-tuned",
    "ensemble shuffle-layerwise",
    "monte-carlo magnitude, as printed, 5000 images",
)


@pytest.fixture
def run(make_run):
    return make_run("a-1", evaluations=[(arm, seed, level) for arm in ARMS for seed in (0, 1) for level in (0, 1)])


def told(run):
    found = read_run(run)
    rows = rows_of(found)
    cells = [record_of(cell) for cell in summarise(rows)]
    return rows_csv(rows), cells, records(decisions_of(rows)), arms_of([found])


def test_a_run_of_before_is_reported_as_one_of_today(run):
    before = told(run)
    manifest = json.loads((run / "manifest.json").read_text())
    for step in manifest["steps"]:
        if "arm" in step["label"]:
            step["label"]["arm"] = Arm.parse(step["label"]["arm"]).to_label()
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert told(run) == before
    assert all(f",{arm}," in before[0] or f'"{arm}",' in before[0] for arm in ARMS)
