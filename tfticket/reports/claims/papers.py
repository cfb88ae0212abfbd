"""All claims of the papers that the rows of a run bear on.

A verdict is about the claim as far as this run tests it, and its scope states the paper's and the run's networks, data
and training. Where the run rewinds to a later iteration, the weights of that iteration take the place of the
initialisation. The claims are about tickets by magnitude of deterministic networks: a run of other tickets decides
none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tfticket.arms import TICKET
from tfticket.reports.claims.decision import Comparison, Decision, decide
from tfticket.reports.claims.paper_a import chain_claims, initialisation_claims, svi_claims
from tfticket.reports.claims.paper_b import control_claims, variational_claims
from tfticket.reports.claims.paper_c import monte_carlo_claims
from tfticket.reports.grouping import by_seed
from tfticket.reports.rows import Row


def decisions_of(rows: Sequence[Row]) -> dict[str, list[Decision]]:
    """Decide the claims of all runs of a report together: run -> decisions, for each run that bears on a claim."""
    claims = {run: claims_of([row for row in rows if row.run == run]) for run in dict.fromkeys(row.run for row in rows)}
    decisions = iter(decide([claim for of_run in claims.values() for claim in of_run]))
    return {run: [next(decisions) for _ in of_run] for run, of_run in claims.items() if of_run}


def claims_of(rows: Sequence[Row]) -> list[Comparison]:
    """Return the claims that the rows of one run bear on, with their differences of seeds that have both arms."""
    if any(row.arm == TICKET and row.name != TICKET.name for row in rows):
        return []
    groups = {(level, arm): seeds for (_, level, arm), seeds in by_seed(rows).items()}
    network = rows[0].network if rows else ""
    return [
        *chain_claims(groups, network),
        *initialisation_claims(groups),
        *control_claims(groups, network),
        *svi_claims(groups, network),
        *monte_carlo_claims(groups, network),
        *variational_claims(groups, network),
    ]


def records(decisions: Mapping[str, list[Decision]]) -> list[dict[str, Any]]:
    """Return decisions as plain values, one object a claim, for JSON."""
    return [_record(run, decision) for run, of_run in decisions.items() for decision in of_run]


def _record(run: str, decision: Decision) -> dict[str, Any]:
    comparison = decision.comparison
    return {
        "run": run,
        **{name: getattr(comparison, name) for name in ("claim", "kind", "margin", "unit")},
        "scope": vars(comparison.scope),
        "preconditions": [vars(precondition) for precondition in comparison.needs],
        "differences": {label: list(values) for label, values in comparison.differences.items()},
        "verdict": decision.verdict,
        "reasons": comparison.reasons,
        "member": decision.member,
        "difference": vars(decision.difference),
        **{name: getattr(decision, name) for name in ("p", "p_against", "p_signs", "p_signs_against")},
    }
