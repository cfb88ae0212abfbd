"""The table of a run's chains on the command line."""

from pathlib import Path

import pytest

from tfticket.arms import Arm
from tfticket.cli.console import show_chains
from tfticket.reports.chain_pools import Pool


@pytest.mark.parametrize("arm", ["nuts", "nuts shuffle-layerwise", "hmc reinitialise he_normal"])
def test_the_table_of_chains_is_whole_in_80_columns(monkeypatch, capsys, arm):
    monkeypatch.setenv("COLUMNS", "80")
    function, missing = {"r_hat": 1.0123, "ess_bulk": 412.4, "ess_tail": 1405.0}, dict.fromkeys(("r_hat", "ess_bulk"))
    diagnostics = {"chains": 2, "draws": [1400, 1500], "function": function, "weights": {"r_hat": 12.345}}
    diagnostics |= {
        "e_bfmi": [0.83, 0.94],
        "capped": 0.123,
        "divergences": 12,
        "seconds": 46000.0,
        "gradients": 56764000,
    }
    diagnostics |= {
        "probes": {"r_hat_median": 1.0071, "r_hat_95": 1.234, "between": 0.127},
        "within": [1.01, None, 1.056],
    }
    diagnostics |= {"per_1000_gradients": 0.01234, "per_minute": 2.345, "remaining": 3456789}
    diagnostics |= {"verdict": "not converged", "reasons": ["12 divergences"], "caution": "Agreement."}
    label = {"arm": Arm.parse(arm), "seed": 10, "level": 2, "density": 0.1074}
    means = [{"accuracy": 0.95, "nll": 0.1503}, {"accuracy": 0.9433, "nll": 0.16}]
    result, tables = {"test": {"accuracy": 0.9712, "nll": 0.0912}}, []
    between = {"between_chains": {"label_agreement": 0.98765, "total_variation": 0.0341}}
    former = {name: diagnostics[name] for name in ("chains", "draws", "capped", "divergences", "seconds", "gradients")}
    former |= {name: diagnostics[name] for name in ("verdict", "reasons", "caution")}
    former |= {"function": missing, "weights": missing, "e_bfmi": [None, 0.5]}
    for known, pooled in ((diagnostics, result | between), (former, result)):
        show_chains([Pool(Path("pool-0"), [], label, known, pooled, means, [])])
        tables.append(capsys.readouterr().out.partition(": not converged"))
    table, _, verdict = tables[0]
    assert "…" not in table
    assert max(map(len, table.splitlines())) <= 80
    for value in ["2 x 1400", "1.012", "12.35", "412", "0.83", "12%", "seed 10, 10.7 % left"]:
        assert value in table
    for value in ["1.056", "1.007", "1.234", "13%", "0.012", "2.3", "3,456,789", "56,764,000"]:
        assert value in table
    text = " ".join(verdict.split())
    for fact in ["12 divergences", "12:46:40", "1,234", "97.12 %", "0.0912", "95.00 %, 94.33 %", "0.1503, 0.1600"]:
        assert fact in text
    assert "98.8 % of the validation rows; their total variation is 0.034" in text
    assert tables[1][0].count(" - ") == 10
