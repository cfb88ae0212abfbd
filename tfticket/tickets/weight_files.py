"""Files of trained weights."""

from pathlib import Path

from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.types import Weights


def save_weights(path: Path, weights: Weights, iteration: int) -> None:
    """Write trained weights (0 off the mask) and their iteration."""
    save_tensors(path, "weights", weights, {"weights": list(weights), "iteration": iteration})


def load_weights(path: Path) -> tuple[Weights, int]:
    """Read trained weights, in the network's order, and their iteration."""
    tensors, header = load_tensors(path, "weights")
    return {name: tensors[name] for name in header["weights"]}, header["iteration"]
