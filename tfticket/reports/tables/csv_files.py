"""The CSV files of a report: text of each file. Fractions and nats, to the last digit."""

import io
from collections.abc import Iterable, Sequence

from tfticket.evaluation.posterior_summary import QUANTILES
from tfticket.reports.grouping import metrics_of
from tfticket.reports.kl_lineages import Lineage
from tfticket.reports.network_uncertainty import QUANTITIES, NetworkUncertainty
from tfticket.reports.rows import Network, Row
from tfticket.reports.tables.best_epochs import RecordedTraining
from tfticket.text import CsvWriter


def csv_text(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as CSV; None is an empty cell."""
    buffer = io.StringIO()
    writer = CsvWriter(buffer)
    for row in (header, *rows):
        writer.writerow(row)
    return buffer.getvalue()


_NETWORK = ("arm", "seed", "replicate", "level", "density")


def _cells_of(network: Network) -> list[object]:
    return [network.arm.key, network.seed, network.replicate, network.level, network.density]


def rows_csv(rows: Sequence[Row]) -> str:
    """Return a line for each row: run, arm, seed and level, density and sparsity, then each split's metrics.

    Last, where any was recorded, the ends of the test metrics' bootstrap intervals.
    """
    splits, metrics = ("test", "validation"), metrics_of(rows)
    resampled = metrics if any(row.intervals for row in rows) else []
    header = ["run", "data", "arm", "seed", "replicate", "level", "density", "sparsity"]
    header += [f"{split}_{metric}" for split in splits for metric in metrics]
    header += [f"test_{metric}_{end}" for metric in resampled for end in ("low", "high")]
    lines = [
        [
            *(row.run, row.data, row.arm.key, row.seed, row.replicate, row.level, row.density, 1.0 - row.density),
            *(getattr(row, split)[metric] for split in splits for metric in metrics),
            *(end for metric in resampled for end in row.intervals.get(metric, ("", ""))),
        ]
        for row in rows
    ]
    return csv_text(header, lines)


def uncertainty_csv(networks: Sequence[NetworkUncertainty]) -> str:
    """Return a line for each evaluated network with its values; empty where there is none."""
    names = list(dict.fromkeys(name for network in networks for name in network.values))
    columns = (name.replace(", ", "_").replace(" ", "_") for name in names)
    lines = ([*_cells_of(network), *map(network.values.get, names)] for network in networks)
    return csv_text([*_NETWORK, *columns], lines)


def posterior_csv(networks: Sequence[NetworkUncertainty]) -> str:
    """Return a line for each layer of each variational network: mean magnitude, KL divergence in nats, quantiles."""
    columns = [f"{quantity}_{quantile}" for quantity in QUANTITIES for quantile in QUANTILES]
    lines = [
        [
            *(*_cells_of(network), layer, posterior["magnitude"], posterior["divergence"]),
            *(value for quantity in QUANTITIES for value in posterior[quantity] or [""] * len(QUANTILES)),
        ]
        for network in networks
        for layer, posterior in network.posterior.items()
    ]
    return csv_text([*_NETWORK, "layer", "magnitude", "divergence", *columns], lines)


def best_epochs_csv(trainings: Sequence[RecordedTraining]) -> str:
    """Return a line for each training and its last and best evaluations: the iteration and the test metrics."""
    metrics = [name for name in trainings[0].moments["last"] if name != "iteration"]
    lines = [
        [*_cells_of(training), moment, *(values[name] for name in ("iteration", *metrics))]
        for training in trainings
        for moment, values in training.moments.items()
    ]
    return csv_text([*_NETWORK, "moment", "iteration", *(f"test_{metric}" for metric in metrics)], lines)


def lineage_csv(lineages: Sequence[Lineage]) -> str:
    """Return a line for each member of each generation: its KL weights, its validation NLL and accuracy."""
    labels = list(dict.fromkeys(name for lineage in lineages for name in lineage.label))
    layers = list(dict.fromkeys(layer for lineage in lineages for layer in lineage.layers))
    metrics = ("nll", "accuracy")
    header = [*labels, "generation", "member", "parent", *(f"kl_weight_{layer}" for layer in layers)]
    lines = [
        [
            *map(lineage.label.get, labels),
            *(member.generation, member.member, member.parent),
            *map(member.weights.get, layers),
            *map(member.validation.get, metrics),
        ]
        for lineage in lineages
        for generation in lineage.members
        for _, member in sorted(generation.items())
    ]
    return csv_text([*header, *(f"validation_{metric}" for metric in metrics)], lines)
