"""The main job whole, as `make run` does it: four minutes on 2 cores."""

import csv
import sys

import pytest

from tests.processes import execute


@pytest.mark.slow
def test_tickets_beat_their_controls_and_match_the_dense_network(tmp_path):
    execute([sys.executable, "-m", "tfticket", "--quiet", "run", "quickstart", "-w", tmp_path])
    (table,) = tmp_path.glob("runs/*/report/results.csv")
    with table.open() as file:
        rows = list(csv.DictReader(file))
    accuracy = {(int(row["seed"]), int(row["level"]), row["arm"]): float(row["test_accuracy"]) for row in rows}
    assert len(accuracy) == 3 * (11 + 2 * 4)
    for seed in (0, 1, 2):
        dense = accuracy[seed, 0, "ticket"]
        assert dense > 0.97
        for level in (3, 5, 7, 10):
            assert accuracy[seed, level, "ticket"] > accuracy[seed, level, "reinitialise"]
            assert accuracy[seed, level, "reinitialise"] > accuracy[seed, level, "shuffle-layerwise"]
        assert abs(accuracy[seed, 7, "ticket"] - dense) < 0.005  # 4 % of the weights
        assert accuracy[seed, 10, "ticket"] > 0.94  # 1 %
