"""Ways of variational inference: which KL weights a training has."""

from collections.abc import Mapping
from typing import Any, Literal

from tfticket.config import TrainConfig

Way = Literal["default", "tuned", "unscaled"]
"""1 for each layer; tuned by a population; or of the whole sum, not divided by the number of rows."""


def with_kl_weights(train: TrainConfig, way: Way, tuned: Mapping[str, float], rows: int) -> TrainConfig:
    """Return a training with KL weights of a kind.

    Args:
        train: The training; its own KL weights are replaced.
        way: The kind.
        tuned: Layer -> KL weight, for 'tuned'.
        rows: Training rows, for 'unscaled': the KL divergence is added undivided to the mean loss of a row.
    """
    changes: dict[str, Any] = {"kl_weights": dict(tuned) if way == "tuned" else {}}
    if way == "unscaled":
        changes["temperature"] = train.objective.temperature * rows
    return train.model_copy(update={"objective": train.objective.model_copy(update=changes)})
