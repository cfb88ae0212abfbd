"""What a trained network predicts."""

import numpy as np

from tfticket.evaluation.metrics import log_probabilities
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
