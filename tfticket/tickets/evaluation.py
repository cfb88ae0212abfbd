"""Evaluation of a ticket from predictions, whatever method produced them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfticket.config import EvaluateStep
from tfticket.data import Dataset, check_alike
from tfticket.evaluation.bootstrap import bootstrap_intervals
from tfticket.evaluation.metrics import METRICS, all_metrics, reliability_record
from tfticket.evaluation.posterior_summary import summarise_posterior
from tfticket.evaluation.predictive import DRAWS, network_with, predict, predictions, seed_of_pass
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive, aurocs, ood_scores
from tfticket.network import network_of
from tfticket.pruning.mask import layer_of
from tfticket.tickets.ticket import Ticket, check_class_names
from tfticket.types import Weights

SPLITS = ("validation", "test")
"""Splits that are evaluated."""


def predict_splits(
    ticket: Ticket, weights: Weights, data: Dataset, draws: int = DRAWS, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return the predictions of trained weights: split -> log probabilities float64 [rows, classes], as ``predict``."""
    network_of(ticket.model).check_data(data)
    check_class_names(ticket, data)
    return {
        split: predict(ticket.model, ticket.mask, weights, data.split(split)[0], draws, seed, "keras")
        for split in SPLITS
    }


def evaluation_record(ticket: Ticket, data: Dataset, predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the record of an evaluation.

    Returns:
        'density', 'level', 'data'; 'emptied': collapsed layers; split -> every metric by name; 'reliability': split ->
        ``reliability_record``; 'intervals': split -> metric -> 95 % bootstrap interval over rows.
    """
    record: dict[str, Any] = {
        "density": ticket.density,
        "level": ticket.level,
        "emptied": [layer_of(path) for path, kept in ticket.mask.items() if not kept.any()],
        "data": {"contents": data.contents, "training_rows": len(data.x_train)},
        "reliability": {},
        "intervals": {},
    }
    for split, log_probs in predictions.items():
        _, labels = data.split(split)
        record[split] = all_metrics(log_probs, labels)
        record["reliability"][split] = reliability_record(log_probs, labels)
        record["intervals"][split] = bootstrap_intervals(log_probs, labels)
    return record


def evaluate_weights(
    ticket: Ticket,
    weights: Weights,
    data: Dataset,
    config: EvaluateStep,
    outside: Dataset | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Evaluate trained weights. Draws are streamed, one in memory at a time.

    Args:
        ticket: The ticket that was trained.
        weights: Path -> array, trained.
        data: The data it was trained on.
        config: Draws, passes, seed.
        outside: Data whose test rows are to be distinguished from those of ``data``.
        on_progress: Called after each draw of a variational network with (draws done, draws in all).

    Returns:
        As ``evaluation_record``. For a variational network also 'uncertainty': split -> mean 'entropy', 'aleatoric' and
        'epistemic' entropy; 'passes': metric -> values on test rows in repeated evaluations, of which the first is
        reported (they show the spread due to draws, and are no replicates); 'posterior': layer -> that of
        ``summarise_posterior``.
        With ``outside`` also 'out_of_distribution': 'data', number of 'rows', and 'auroc' by score.
    """
    network_of(ticket.model).check_data(data)
    check_class_names(ticket, data)
    if outside is not None:
        check_alike(data, outside)
    network = network_with(ticket.model, ticket.mask, weights, config.engine)
    variational = bool(network.variational)
    passes, done = config.passes if variational else 1, 0
    total = config.draws * (len(SPLITS) + passes - 1 + (outside is not None))

    def count(draws: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        nonlocal done
        for log_probs in draws:
            yield log_probs
            done += 1
            if variational:
                on_progress(done, total)

    def pool(images: np.ndarray, number: int = 0) -> PosteriorPredictive:
        return PosteriorPredictive(count(predictions(network, images, config.draws, seed_of_pass(config.seed, number))))

    pools = {split: pool(data.split(split)[0]) for split in SPLITS}
    record = evaluation_record(ticket, data, {split: pooled.log_probs for split, pooled in pools.items()})
    if variational:
        record["uncertainty"] = {split: pooled.uncertainty.means() for split, pooled in pools.items()}
        repeats = [all_metrics(pool(data.x_test, number).log_probs, data.y_test) for number in range(1, passes)]
        record["passes"] = {name: [metrics[name] for metrics in (record["test"], *repeats)] for name in METRICS}
        record["posterior"] = summarise_posterior(ticket.mask, weights, ticket.model["variational"]["prior"])
    if outside is not None:
        scores = [
            ood_scores(pooled.log_probs, pooled.uncertainty if variational else None)
            for pooled in (pools["test"], pool(outside.x_test))
        ]
        record["out_of_distribution"] = {
            "data": {"name": outside.label, "contents": outside.contents},
            "rows": len(outside.x_test),
            "auroc": aurocs(*scores),
        }
    return record
