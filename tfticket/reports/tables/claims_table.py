"""The table of claims and the notes below it."""

import re
from collections.abc import Sequence

from tfticket.reports.claims.decision import Decision
from tfticket.reports.tables.arms_table import Table, difference_text


def claims_table(decisions: Sequence[Decision]) -> Table:
    """Return the table of the claims of one run."""
    header = ["claim", "claimed mean\n(points)", "decided by", "difference\n(points)", "verdict", "p", "p\nsigns"]
    return header, [_claim_row(decision) for decision in decisions]


def _claim_row(decision: Decision) -> list[str]:
    comparison = decision.comparison
    members, factor = len(comparison.differences), comparison.factor
    unit = "" if comparison.unit == "points" else f" {comparison.unit}"
    margin = f"{factor * comparison.margin:g}{unit}"
    test = {"beats": "above 0", "matches": f"within ±{margin}", "reaches": f"above -{margin}"}[comparison.kind]
    against = decision.verdict == "contradicted"
    p_values = (decision.p_against, decision.p_signs_against) if against else (decision.p, decision.p_signs)
    test = f"all {members} {test}" if members > 1 else test
    difference = difference_text(decision.difference, factor, 2) + unit
    return [number_of(decision), test, decision.member, difference, decision.verdict, *map(_p_text, p_values)]


def number_of(decision: Decision) -> str:
    """Return the paper's letter and the claim's number: 'A5'."""
    return decision.comparison.claim.partition(":")[0]


def _p_text(p: float | None) -> str:
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def claims_notes(decisions: Sequence[Decision]) -> list[str]:
    """Return the notes below one run's table: the reasons of withheld claims, a line for each kind of reason."""
    reasons: dict[str, list[tuple[str, str]]] = {}
    for decision in decisions:
        for reason in decision.comparison.reasons:
            kind, *detail = re.split(r"(?<=[:;]) ", reason, maxsplit=1)
            reasons.setdefault(kind, []).append((number_of(decision), "".join(detail)))
    return [_withheld_note(kind, details) for kind, details in reasons.items()]


def _withheld_note(kind: str, details: Sequence[tuple[str, str]]) -> str:
    claims: dict[str, list[str]] = {}
    for claim, detail in details:
        claims.setdefault(detail, []).append(claim)
    parts = [f"{detail} ({', '.join(numbers)})" for detail, numbers in claims.items()] if len(claims) > 1 else claims
    return f"Withheld ({', '.join(dict(details))}): {kind} {'; '.join(parts)}".rstrip() + "."
