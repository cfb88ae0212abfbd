"""Split of rows into training and validation, drawn from the split's own seed."""

import numpy as np

from tfticket import seeds
from tfticket.config import DataConfig
from tfticket.errors import InputError

USUAL_VALIDATION_ROWS = 5000


def split_sizes(config: DataConfig, rows: int, *, own_validation: bool) -> tuple[int, int]:
    """Return the numbers of training rows and of validation rows."""
    if own_validation and config.validation_rows is not None:
        raise InputError(
            f"{config.name} has validation rows of its own, and validation_rows asks for {config.validation_rows:,} of "
            "the training rows. Leave validation_rows out (null), or take the data's own rows away.",
            field="data.validation_rows",
        )
    usual = max(1, min(USUAL_VALIDATION_ROWS, rows // 10))
    validation = 0 if own_validation else config.validation_rows or usual
    available = rows - validation
    train = config.train_rows if config.train_rows is not None else available
    if available < 1 or train > available:
        raise InputError(
            f"{config.name} has {rows:,} training rows{' of these classes' if config.classes else ''}: "
            f"{validation:,} for validation and {max(train, 1):,} for training do not fit. Lower validation_rows or "
            "train_rows.",
            field="data.validation_rows" if available < 1 or config.train_rows is None else "data.train_rows",
        )
    return train, validation


def split_positions(config: DataConfig, labels: np.ndarray, *, own_validation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw training and validation rows.

    Returns:
        Positions of the training rows and of the validation rows.
    """
    rows = len(labels)
    train, validation = split_sizes(config, rows, own_validation=own_validation)
    order = seeds.generator(config.split_seed, "split", rows).permutation(rows)
    if config.stratify:
        order = order[_interleave(labels[order])]
        for end in (rows, validation + train):
            _keep_a_row_of_each(labels, order, validation, end)
    return order[validation:][:train], order[:validation]


def _interleave(labels: np.ndarray) -> np.ndarray:
    """Return an order in which each stretch of rows holds the classes in their proportions, about.

    The i-th of n rows of a class is placed at (i + 1/2) / n; ties keep their order. Up to any place, each class has its
    share to within half a row. Classes of one size are rounded alike, so many small classes may be rounded down at the
    cost of a large one: of 100 rows of one class and 2 of each of 50 others, the first 30 are 25 and 5, not 15 and 15.
    """
    position = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        position[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(position, kind="stable")


def _keep_a_row_of_each(labels: np.ndarray, order: np.ndarray, begin: int, end: int) -> None:
    """Swap rows in place, so that each class has one from ``begin`` to ``end``, if there are as many as classes.

    The first row there of the largest class changes places with the last row elsewhere of a class that has none.
    """
    kept = order[begin:end]
    for label in np.setdiff1d(labels, labels[kept]):
        counts = np.bincount(labels[kept])
        if counts.max() < 2:
            return
        here = np.flatnonzero(labels[order] == label)[-1]
        there = np.flatnonzero(labels[kept] == counts.argmax())[0]
        order[here], kept[there] = kept[there], order[here]
