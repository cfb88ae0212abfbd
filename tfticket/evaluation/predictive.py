"""What a trained network predicts."""

from typing import Any

import numpy as np

from tfticket.data import Dataset
from tfticket.evaluation.bootstrap import bootstrap_intervals
from tfticket.evaluation.metrics import all_metrics, log_probabilities, reliability_record
from tfticket.network import network_of
from tfticket.types import Mask, Spec, Weights


def predict(spec: Spec, mask: Mask, weights: Weights, images: np.ndarray) -> np.ndarray:
    """Log probabilities of a trained network.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.
        weights: Path -> array, trained.
        images: uint8 [rows, height, width, channels].

    Returns:
        float64 [rows, classes].
    """
    network = network_of(spec)
    network.assign(mask, weights)
    return log_probabilities(network.logits(images))


def evaluate_splits(spec: Spec, mask: Mask, weights: Weights, data: Dataset) -> dict[str, dict[str, Any]]:
    """What an evaluation records of a trained network.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.
        weights: Path -> array, trained.
        data: Whose validation and test rows are predicted, once each.

    Returns:
        'validation' and 'test': every metric by name; 'reliability': split -> ``reliability_record``; 'intervals':
        split -> metric -> its 95 % bootstrap interval over rows.

    Raises:
        InputError: Data of other shapes, or of more classes, than the network's.
    """
    network_of(spec).check_data(data)
    result: dict[str, dict[str, Any]] = {"reliability": {}, "intervals": {}}
    for split in ("validation", "test"):
        images, labels = data.split(split)
        log_probs = predict(spec, mask, weights, images)
        result[split] = all_metrics(log_probs, labels)
        result["reliability"][split] = reliability_record(log_probs, labels)
        result["intervals"][split] = bootstrap_intervals(log_probs, labels)
    return result
