"""The table of chain diagnostics, and the sentences below it."""

from collections.abc import Sequence
from typing import Any

from tfticket.reports.chain_pools import Pool
from tfticket.reports.tables.arms import Table
from tfticket.runs.progress import clock


def chains_table(pools: Sequence[Pool]) -> Table:
    """Return a table with a row for each ticket's chains, narrow enough for 80 columns.

    R-hat and ESS (the smaller of bulk and tail) are in function space; then R-hat of weights, the lowest E-BFMI, the
    share of trees at the depth limit, and divergences.
    """
    header = ["chains of", "draws", "R-hat", "R-hat\nweights", "ESS", "E-\nBFMI", "at\ncap", "div."]
    return header, [_row(pool) for pool in pools]


def _row(pool: Pool) -> list[str]:
    diagnostics, function = pool.diagnostics, pool.diagnostics["function"]
    return [
        "\n".join([*pool.names[:-2], ", ".join(pool.names[-2:])]),
        f"{diagnostics['chains']} x {min(diagnostics['draws'])}",
        _text(function["r_hat"], ".4g"),
        _text(diagnostics["weights"]["r_hat"], ".4g"),
        _text(None if function["r_hat"] is None else min(function["ess_bulk"], function["ess_tail"]), ".0f"),
        _text(None if None in diagnostics["e_bfmi"] else min(diagnostics["e_bfmi"], default=None), ".2f"),
        f"{diagnostics['capped']:.0%}",
        str(diagnostics["divergences"]),
    ]


def _text(value: float | None, written: str) -> str:
    return "-" if value is None else format(value, written)


def verdict_text(name: str, diagnostics: dict[str, Any]) -> str:
    """Return the verdict on these chains, its reasons and the caution, in a sentence each."""
    reasons = f": {'; '.join(diagnostics['reasons'])}" if diagnostics["reasons"] else ""
    return f"{name}: {diagnostics['verdict']}{reasons}. {diagnostics['caution']}"


def cost_text(pool: Pool) -> str:
    """Return the cost of sampling, and the test metrics of the mean prediction and of the networks of mean weights."""

    def text(evaluations: Sequence[dict[str, float]]) -> str:
        accuracies = (f"{100 * metrics['accuracy']:.2f} %" for metrics in evaluations)
        nlls = (f"{metrics['nll']:.4f}" for metrics in evaluations)
        return f"{', '.join(accuracies)}, NLL {', '.join(nlls)}"

    seconds, gradients = pool.diagnostics["seconds"], pool.diagnostics["gradients"]
    return (
        f"{pool.name}: {clock(seconds)} of sampling, summed over chains, {gradients / seconds:,.0f} gradients a "
        f"second. Test accuracy of the mean prediction {text([pool.result['test']])}; of the network of each chain's "
        f"mean weights {text(pool.mean_weights)}."
    )
