"""When chains are long enough: a rule that a run names, checked after each part of its chains."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

UNTIL = r"converged|no better|[1-9]\d{0,8} effective draws"
"""What a rule may say, as a regular expression."""

BETTER = 0.005
"""Fraction of the validation NLL by which a part must improve the mean prediction to count as better."""


def is_enough(until: str, pools: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether chains may end.

    Args:
        until: 'converged': the verdict says so; '400 effective draws': of the log likelihood, in bulk and tails;
            'no better': the last part improved the validation NLL of the mean prediction by less than ``BETTER`` of it.
        pools: Results of the pool after each part, at least one.
    """
    diagnostics = pools[-1]["diagnostics"]
    if until == "converged":
        return bool(diagnostics["verdict"] == "converged")
    if match := re.match(r"(\d+) effective", until):
        function = diagnostics.get("function", {})
        enough = min(function.get(name) or 0.0 for name in ("ess_bulk", "ess_tail")) >= int(match[1])
        return enough and not diagnostics.get("broken")
    if len(pools) < 2:
        return False
    before, now = (pool["validation"]["nll"] for pool in pools[-2:])
    return bool(now > before * (1 - BETTER))
