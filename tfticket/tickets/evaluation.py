"""What an evaluation says of a ticket: from predictions, however they were come by."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfticket.config import EvaluateStep
from tfticket.data import Dataset, check_alike
from tfticket.evaluation.bootstrap import bootstrap_intervals
from tfticket.evaluation.metrics import METRICS, all_metrics, reliability_record
from tfticket.evaluation.posterior_summary import summarise_posterior
from tfticket.evaluation.predictive import DRAWS, predict, predictions, seed_of_pass
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive, aurocs, ood_scores
from tfticket.network import network_of
from tfticket.pruning.mask import layer_of
from tfticket.tickets.ticket import Ticket, check_class_names
from tfticket.types import Weights

SPLITS = ("validation", "test")
"""What is evaluated."""


def predictions_of(
    ticket: Ticket, weights: Weights, data: Dataset, draws: int = DRAWS, seed: int = 0
) -> dict[str, np.ndarray]:
    """What trained weights predict, as ``predict``: split -> log probabilities float64 [rows, classes].

    Raises:
        InputError: Data of other shapes, of more classes or of others than the network's.
    """
    network_of(ticket.model).check_data(data)
    check_class_names(ticket, data)
    return {split: predict(ticket.model, ticket.mask, weights, data.split(split)[0], draws, seed) for split in SPLITS}


def evaluation_of(ticket: Ticket, data: Dataset, predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What an evaluation records.

    Args:
        ticket: Whose predictions they are.
        data: Whose rows they are of.
        predictions: Split -> log probabilities float64 [rows, classes].

    Returns:
        'density', 'level', 'emptied' layers, 'data'; of each split every metric by name; 'reliability': split ->
        ``reliability_record``; 'intervals': split -> metric -> its 95 % bootstrap interval over rows.
    """
    result: dict[str, Any] = {
        "density": ticket.density,
        "level": ticket.level,
        "emptied": [layer_of(path) for path, kept in ticket.mask.items() if not kept.any()],
        "data": {"contents": data.contents, "training_rows": len(data.x_train)},
        "reliability": {},
        "intervals": {},
    }
    for split, log_probs in predictions.items():
        _, labels = data.split(split)
        result[split] = all_metrics(log_probs, labels)
        result["reliability"][split] = reliability_record(log_probs, labels)
        result["intervals"][split] = bootstrap_intervals(log_probs, labels)
    return result


def evaluate_weights(
    ticket: Ticket,
    weights: Weights,
    data: Dataset,
    config: EvaluateStep,
    others: Dataset | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Everything that an evaluation of trained weights records. Draws are taken in one after another.

    Args:
        ticket: Whose weights they are.
        weights: Path -> array, trained.
        data: What they were trained on.
        config: Draws, passes, seed.
        others: Data whose test rows are to be told from those of ``data``.
        tell: Told after each draw of a variational network: (draws done, draws in all).

    Returns:
        As ``evaluation_of``. Of a variational network also 'uncertainty': split -> mean 'entropy', 'aleatoric' and
        'epistemic' entropy; 'passes': metric -> its value on test rows in each of the repeated evaluations, the first
        of which is the one that is reported: they are error bars of the draws, and no replicates; 'posterior': layer ->
        what ``summarise_posterior`` returns. With ``others`` 'out_of_distribution': their 'data', how many 'rows', and
        'auroc' by each score.

    Raises:
        InputError: Data of other shapes, of more classes or of others than the network's; others of another shape.
    """
    network = network_of(ticket.model)
    network.check_data(data)
    check_class_names(ticket, data)
    if others is not None:
        check_alike(data, others)
    network.assign(ticket.mask, weights)
    variational = bool(network.variational)
    passes, done = config.passes if variational else 1, 0
    total = config.draws * (len(SPLITS) + passes - 1 + (others is not None))

    def told(draws: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        nonlocal done
        for log_probs in draws:
            yield log_probs
            done += 1
            if variational:
                tell(done, total)

    def pooled(images: np.ndarray, number: int = 0) -> PosteriorPredictive:
        return PosteriorPredictive(told(predictions(network, images, config.draws, seed_of_pass(config.seed, number))))

    first = {split: pooled(data.split(split)[0]) for split in SPLITS}
    result = evaluation_of(ticket, data, {split: one.log_probs for split, one in first.items()})
    if variational:
        result["uncertainty"] = {split: one.uncertainty.means() for split, one in first.items()}
        again = [all_metrics(pooled(data.x_test, number).log_probs, data.y_test) for number in range(1, passes)]
        result["passes"] = {name: [one[name] for one in (result["test"], *again)] for name in METRICS}
        result["posterior"] = summarise_posterior(ticket.mask, weights, ticket.model["variational"]["prior"])
    if others is not None:
        both = (first["test"], pooled(others.x_test))
        inside, outside = (ood_scores(one.log_probs, one.uncertainty if variational else None) for one in both)
        result["out_of_distribution"] = {
            "data": {"name": others.label, "contents": others.contents},
            "rows": len(others.x_test),
            "auroc": aurocs(inside, outside),
        }
    return result
