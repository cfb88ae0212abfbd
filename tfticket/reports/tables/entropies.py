"""Tables of variational networks: calibration, entropies and AUROCs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import compress

import numpy as np

from tfticket.reports.grouping import by_level_and_arm
from tfticket.reports.network_uncertainty import AUROC, PASSES, NetworkUncertainty, seed_means
from tfticket.reports.tables.arms_table import Table, arm_table, network_row

_ENTROPIES = "Aleatoric and epistemic entropies in nats per row, means over the test rows and over seeds."
_DEVIATIONS = (
    " Deviation of passes: standard deviation of the accuracy over repeated evaluations of the same weights by other "
    "draws; passes are no replicates."
)
_EMPTY = " Empty: of a deterministic network, which has no draws."
_AUROCS = (
    "AUROC: the probability that an out-of-distribution row has a higher score than a test row, by low confidence or "
    "by entropy; 0.5 is chance."
)

_Column = tuple[str, str, Callable[[float], str]]
"""Name of a value, its header and its format."""


def uncertainty_tables(
    networks: Sequence[NetworkUncertainty], levels: Sequence[int]
) -> list[tuple[list[str], list[list[str]], str]]:
    """Return header, rows and footnote of the table of entropies, and of that of AUROCs where there are any.

    A row is an arm at one of these levels, means over seeds. Cells of values that were not recorded are empty; a column
    that is empty in all rows is left out.
    """
    entropies: list[_Column] = [
        ("mace", "MACE", "{:.1%}".format),
        ("aleatoric", "aleatoric\nentropy", "{:.2g}".format),
        ("epistemic", "epistemic\nentropy", "{:.2g}".format),
        (f"accuracy, {PASSES}", "deviation\nof passes", "{:.2%}".format),
    ]
    scores = dict.fromkeys(name for network in networks for name in network.values if name.startswith(AUROC))
    aurocs: list[_Column] = [(name, f"AUROC by\n{name.removeprefix(AUROC)}", "{:.3f}".format) for name in scores]
    tables = []
    for note, columns in ((_ENTROPIES, entropies), (_AUROCS, aurocs)):
        header, rows = _table(networks, levels, columns)
        note += _DEVIATIONS if entropies[-1][1] in header else ""
        note += _EMPTY if any("" in row for row in rows) else ""
        tables += [(header, rows, note)] if rows else []
    return tables


def _table(networks: Sequence[NetworkUncertainty], levels: Sequence[int], columns: Sequence[_Column]) -> Table:
    rows = []
    for (level, _), seeds in sorted(by_level_and_arm(networks).items(), key=lambda group: group[0][0]):
        group = [network for replicates in seeds.values() for network in replicates]
        values = [
            to_text(float(np.mean(seed_means(seeds, name)))) if all(name in network.values for network in group) else ""
            for name, _, to_text in columns
        ]
        if level in levels and any(values):
            rows.append(network_row(seeds, values))
    used = [any(values) for values in zip(*(row.values for row in rows), strict=True)]
    rows = [replace(row, values=list(compress(row.values, used))) for row in rows]
    return arm_table([header for _, header, _ in compress(columns, used)], rows)
