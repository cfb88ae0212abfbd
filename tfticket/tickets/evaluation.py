"""What an evaluation says of a ticket: from predictions, however they were come by."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfticket.data import Dataset
from tfticket.evaluation.bootstrap import bootstrap_intervals
from tfticket.evaluation.metrics import all_metrics, reliability_record
from tfticket.evaluation.predictive import predict
from tfticket.network import network_of
from tfticket.pruning.mask import layer_of
from tfticket.tickets.ticket import Ticket
from tfticket.types import Weights

SPLITS = ("validation", "test")
"""What is evaluated."""


def predictions_of(ticket: Ticket, weights: Weights, data: Dataset) -> dict[str, np.ndarray]:
    """What trained weights predict: split -> log probabilities float64 [rows, classes].

    Raises:
        InputError: Data of other shapes, or of more classes, than the network's.
    """
    network_of(ticket.model).check_data(data)
    return {split: predict(ticket.model, ticket.mask, weights, data.split(split)[0]) for split in SPLITS}


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
