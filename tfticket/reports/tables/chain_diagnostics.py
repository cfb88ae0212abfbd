"""The table of chain diagnostics, and the sentences below it."""

import math
from collections.abc import Sequence
from typing import Any

from tfticket.reports.chain_pools import Pool
from tfticket.reports.tables.arms_table import Table
from tfticket.runs.progress import clock

MOST_REMAINING = 10_000_000
"""From here on, an estimate of the draws still needed is shown as "many"."""


def chains_table(pools: Sequence[Pool]) -> Table:
    """Return a table with a row for each ticket's chains, narrow enough for 80 columns.

    R-hat and ESS (the smaller of bulk and tail) are in function space; then R-hat of weights, the lowest E-BFMI, the
    share of trees at the depth limit, and divergences.
    """
    header = ["chains of", "draws", "R-hat", "R-hat\nweights", "ESS", "E-\nBFMI", "at\ncap", "div."]
    return header, [_row(pool) for pool in pools]


def efficiency_table(pools: Sequence[Pool]) -> Table:
    """Return a table with a row for each ticket's chains: what they cost, and how well they mix.

    Gradients with those of start and warm-up; effective draws of the log likelihood; split R-hat of the log likelihood
    within the worst chain; of the probabilities of probe rows R-hat, its median and 95 % quantile, and the median share
    of the variance that lies between chains; an estimate of the draws a chain still needs.
    """
    header = ["chains of", "gradients", "ESS per\n1,000", "ESS per\nminute"]
    header += ["split\nR-hat", "R-hat of\nprobes", "between\nchains", "draws\nleft"]
    return header, [_efficiency(pool) for pool in pools]


def _efficiency(pool: Pool) -> list[str]:
    diagnostics, probes = pool.diagnostics, pool.diagnostics.get("probes", {})  # none in those of an earlier version
    within = [value for value in diagnostics.get("within", []) if value is not None]
    r_hats = [_text(probes.get(name), ".4g") for name in ("r_hat_median", "r_hat_95")]
    between, remaining = probes.get("between"), diagnostics.get("remaining")
    return [
        _name(pool),
        f"{diagnostics['gradients']:,}",
        _text(diagnostics.get("per_1000_gradients"), ".2g"),
        _text(diagnostics.get("per_minute"), ".2g"),
        _text(max(within, default=None), ".4g"),
        "\n".join(r_hats),
        _text(between, ".0%"),
        "many" if remaining is not None and remaining >= MOST_REMAINING else _text(remaining, ",d"),
    ]


def _name(pool: Pool) -> str:
    return "\n".join([*pool.names[:-2], ", ".join(pool.names[-2:])])


def _row(pool: Pool) -> list[str]:
    diagnostics, function = pool.diagnostics, pool.diagnostics["function"]
    return [
        _name(pool),
        f"{diagnostics['chains']} x {min(diagnostics['draws'])}",
        _text(function["r_hat"], ".4g"),
        _text(diagnostics["weights"]["r_hat"], ".4g"),
        _text(None if function["r_hat"] is None else min(function["ess_bulk"], function["ess_tail"]), ".0f"),
        _text(None if None in diagnostics["e_bfmi"] else min(diagnostics["e_bfmi"], default=None), ".2f"),
        f"{diagnostics['capped']:.0%}",
        str(diagnostics["divergences"]),
    ]


def _text(value: float | None, written: str) -> str:
    return "-" if value is None or not math.isfinite(value) else format(value, written)


def verdict_text(name: str, diagnostics: dict[str, Any]) -> str:
    """Return the verdict on these chains, its reasons and the caution, in a sentence each."""
    reasons = f": {'; '.join(diagnostics['reasons'])}" if diagnostics["reasons"] else ""
    return f"{name}: {diagnostics['verdict']}{reasons}. {diagnostics['caution']}"


def cost_text(pool: Pool) -> str:
    """Return the cost of sampling, and the test metrics of the mean prediction and of the networks of mean weights."""

    def text(evaluations: Sequence[dict[str, float]]) -> str:
        accuracies = (f"{100 * metrics['accuracy']:.2f} %" for metrics in evaluations)
        nlls = (_text(metrics["nll"], ".4f") for metrics in evaluations)
        return f"{', '.join(accuracies)}, NLL {', '.join(nlls)}"

    seconds, gradients = pool.diagnostics["seconds"], pool.diagnostics["gradients"]
    between = pool.result.get("between_chains", {})
    further = ""
    if (error := pool.diagnostics.get("energy_error")) is not None:
        further = f" Mean squared energy error of a step, a variable: {error:.2g}."
    if between.get("label_agreement") is not None:
        further += (
            f" Two chains' mean predictions give the same label to {100 * between['label_agreement']:.1f} % of the "
            f"validation rows; their total variation is {between['total_variation']:.3f}."
        )
    return (
        f"{pool.name}: {clock(seconds)} of sampling, summed over chains, {gradients / seconds:,.0f} gradients a "
        f"second. Test accuracy of the mean prediction {text([pool.result['test']])}; of the network of each chain's "
        f"mean weights {text(pool.mean_weights)}.{further}"
    )
