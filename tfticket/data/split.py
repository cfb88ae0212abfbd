"""Which rows are for training and which for validation: drawn from the split's own seed."""

import numpy as np

from tfticket import seeds
from tfticket.config import DataConfig
from tfticket.errors import InputError

USUAL_VALIDATION_ROWS = 5000


def split_sizes(config: DataConfig, rows: int, *, own_validation: bool) -> tuple[int, int]:
    """Return how many rows are for training and how many are taken for validation.

    Args:
        config: How many are asked for.
        rows: How many there are to choose from.
        own_validation: Whether validation rows come from elsewhere, so that none is taken here.

    Raises:
        InputError: There are too few rows, or validation rows are asked for beside those that there are.
    """
    if own_validation and config.validation_rows is not None:
        raise InputError(
            f"{config.name} has validation rows of its own, and validation_rows asks for {config.validation_rows:,} of "
            "the training rows. Leave validation_rows out (null), or take the data's own rows away."
        )
    usual = max(1, min(USUAL_VALIDATION_ROWS, rows // 10))
    validation = 0 if own_validation else config.validation_rows or usual
    left = rows - validation
    wanted = config.train_rows if config.train_rows is not None else left
    if left < 1 or wanted > left:
        raise InputError(
            f"{config.name} has {rows:,} training rows{' of these classes' if config.classes else ''}: "
            f"{validation:,} for validation and {max(wanted, 1):,} for training do not fit. Lower validation_rows or "
            "train_rows."
        )
    return wanted, validation


def split_positions(config: DataConfig, labels: np.ndarray, *, own_validation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw training and validation rows.

    Args:
        config: How many, and from which seed.
        labels: Of the rows to choose from, int32 [rows].
        own_validation: Whether validation rows come from elsewhere, so that none is taken here.

    Returns:
        Positions of the training rows and of the validation rows.

    Raises:
        InputError: As ``split_sizes``.
    """
    rows = len(labels)
    wanted, validation = split_sizes(config, rows, own_validation=own_validation)
    order = seeds.generator(config.split_seed, "split", rows).permutation(rows)
    if config.stratify:
        order = order[_spread(labels[order])]
        _keep_a_row_of_each(labels, order, validation)
    return order[validation:][:wanted], order[:validation]


def _spread(labels: np.ndarray) -> np.ndarray:
    """An order in which each stretch of rows holds the classes in their proportions, within a row or two.

    The i-th of n rows of a class comes at (i + 1/2) / n of the way; classes that meet there keep their order.
    """
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(place, kind="stable")


def _keep_a_row_of_each(labels: np.ndarray, order: np.ndarray, validation: int) -> None:
    """Swap rows in place, so that each class has one beyond the validation rows, if there are as many as classes.

    The first training row of the largest class changes places with the last validation row of a class that has none.
    """
    taken, left = order[:validation], order[validation:]
    for label in np.setdiff1d(labels, labels[left]):
        counts = np.bincount(labels[left])
        if counts.max() < 2:
            return
        here = np.flatnonzero(labels[taken] == label)[-1]
        there = np.flatnonzero(labels[left] == counts.argmax())[0]
        taken[here], left[there] = left[there], taken[here]
