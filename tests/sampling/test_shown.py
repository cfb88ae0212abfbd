"""What a run's chains are shown as."""

from pathlib import Path

import pytest

from tfticket.arms import Arm
from tfticket.cli.console import show_chains
from tfticket.reports.chain_pools import Pool


def pool_of(arm, **values):
    found = {
        "chains": 2,
        "draws": [1400, 1500],
        "function": {"r_hat": 1.0123, "ess_bulk": 412.4, "ess_tail": 1405.0},
        "weights": {"r_hat": 12.345},
        "e_bfmi": [0.83, 0.94],
        "capped": 0.123,
        "divergences": 12,
        "seconds": 46000.0,
        "gradients": 46000 * 1234,
        "verdict": "not converged",
        "reasons": ["12 divergences"],
        "caution": "Agreement.",
    }
    label = {"arm": Arm.parse(arm), "seed": 10, "level": 2, "density": 0.1074}
    result = {"test": {"accuracy": 0.9712, "nll": 0.0912}}
    means = [{"accuracy": 0.95, "nll": 0.1503}, {"accuracy": 0.9433, "nll": 0.16}]
    return Pool(Path("pool-0"), [], label, found | values, result, means, [])


@pytest.mark.parametrize("arm", ["nuts", "nuts shuffle-layerwise", "hmc reinitialise he_normal"])
def test_the_table_of_chains_is_whole_in_80_columns(monkeypatch, capsys, arm):
    monkeypatch.setenv("COLUMNS", "80")
    show_chains([pool_of(arm)])
    table, _, _ = capsys.readouterr().out.partition(": not converged")
    assert "…" not in table
    assert max(map(len, table.splitlines())) <= 80
    for value in ("2 x 1400", "1.012", "12.35", "412", "0.83", "12%", "seed 10, 10.7 % left"):
        assert value in table


def test_estimates_that_there_are_none_of_are_dashes(capsys):
    nothing = {"r_hat": None, "ess_bulk": None, "ess_tail": None}
    show_chains([pool_of("nuts", function=nothing, weights=nothing, e_bfmi=[None, 0.5])])
    assert capsys.readouterr().out.partition(": not converged")[0].count(" - ") == 4


def test_the_cost_and_the_networks_of_mean_weights_are_told_beside_the_verdict(capsys):
    show_chains([pool_of("nuts")])
    said = " ".join(capsys.readouterr().out.split())  # as wrapped to a window of any width
    assert "NUTS, seed 10, 10.7 % left: not converged: 12 divergences. Agreement." in said
    assert "12:46:40 of sampling, summed over chains, 1,234 gradients a second." in said
    assert (
        "Test accuracy of the mean prediction 97.12 %, NLL 0.0912; of the network of each chain's mean weights "
        "95.00 %, 94.33 %, NLL 0.1503, 0.1600." in said
    )
