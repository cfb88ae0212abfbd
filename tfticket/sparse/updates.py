"""Kernels of training over surviving weights: gather a batch, compute its gradient, update the weights."""

from typing import Any, NamedTuple

import numpy as np
from numba import float32

from tfticket.sparse.compiling import compiled
from tfticket.sparse.kernels import sum_tiles

ADAM, SGD, NESTEROV = range(3)
"""Update rules."""


class Rule(NamedTuple):
    """An update rule and the decay of weights.

    Attributes:
        kind: ADAM, SGD or NESTEROV.
        first, second: Decay of Adam's moments; of SGD, its momentum and 0.
        epsilon: Of Adam.
        weight_decay: Factor of the weights that is added to their gradient, or subtracted from them if decoupled.
        decoupled: Whether the decay is apart from the gradient.
    """

    kind: int
    first: np.float32
    second: np.float32
    epsilon: np.float32
    weight_decay: np.float32
    decoupled: bool


class Images(NamedTuple):
    """Training rows as the kernels read them.

    Attributes:
        numbers: uint8 or float32 [rows, numbers], C-contiguous; without augmentation only those that the network reads.
        labels: int32 [rows].
        shape: (height, width, channels) of augmented images.
        places: int64 [inputs]: of augmented images, the flat index of each number that the network reads.
    """

    numbers: np.ndarray
    labels: np.ndarray
    shape: tuple[int, int, int]
    places: np.ndarray


class Buffers(NamedTuple):
    """Memory of a training.

    Attributes:
        tile: Like the images, [inputs * width]; the rows of a tile side by side.
        labels: int32 [1, width], -1 in the padding.
        weights: float32 [products].
        gradient: float64 [size].
        values, errors: float32, as ``sum_tiles`` takes them.
    """

    tile: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    gradient: np.ndarray
    values: np.ndarray
    errors: np.ndarray


@compiled
def _gather(images: Any, rows: Any, width: int, tile: Any) -> None:
    """Lay rows out as a tile; the last row fills the padding."""
    numbers = images.numbers
    inputs = numbers.shape[1]
    for place in range(width):
        row = rows[min(place, len(rows) - 1)]
        for number in range(inputs):
            tile[number * width + place] = numbers[row, number]


@compiled
def _gather_moved(images: Any, rows: Any, moves: Any, width: int, tile: Any) -> None:
    """Lay augmented rows out as a tile: see ``tfticket.training.augmentation``."""
    height, across, channels = images.shape
    for place in range(width):
        at = min(place, len(rows) - 1)
        row, down, right, mirrored = rows[at], moves[at, 0], moves[at, 1], moves[at, 2] > 0
        for number in range(len(images.places)):
            pixel, channel = divmod(images.places[number], channels)
            y, x = divmod(pixel, across)
            y += down
            x = (across - 1 - x if mirrored else x) + right
            inside = 0 <= y < height and 0 <= x < across
            source = (y * across + x) * channels + channel if inside else 0
            tile[number * width + place] = images.numbers[row, source] if inside else images.numbers.dtype.type(0)


@compiled
def gather(images: Any, rows: Any, moves: Any, width: int, buffers: Any) -> None:
    """Lay rows and their labels out as the tile of the buffers."""
    if moves.shape[1]:
        _gather_moved(images, rows, moves, width, buffers.tile[0])
    else:
        _gather(images, rows, width, buffers.tile[0])
    for place in range(width):
        buffers.labels[0, place] = images.labels[rows[place]] if place < len(rows) else -1


@compiled
def update(
    rule: Any, rate: float, step: int, scale: float, gradient: Any, theta: Any, slots: Any, decaying: int
) -> None:
    """Update weights in place: Keras' Adam and SGD.

    Args:
        rule: What to do.
        rate: Learning rate.
        step: Number of updates before this one.
        scale: Factor of the gradient.
        gradient: float64 [size].
        theta: float32 [size].
        slots: float32 [2, size]: Adam's moments, or the velocity.
        decaying: Number of weights that decay, the first ones.

    References:
        Kingma and Ba (2015), algorithm 1 with the order of section 2; Sutskever et al. (2013), equations 1 to 4.
    """
    zero, one = float32(0.0), float32(1.0)
    decay = zero if rule.decoupled else rule.weight_decay
    subtracted = rate * rule.weight_decay if rule.decoupled else zero
    first, second = rule.first, rule.second
    if rule.kind == ADAM:
        first_power, second_power = np.float64(first) ** (step + 1), np.float64(second) ** (step + 1)
        alpha = float32(rate * np.sqrt(1.0 - second_power) / (1.0 - first_power))
        for k in range(len(theta)):
            slope = float32(scale * gradient[k]) + (decay * theta[k] if k < decaying else zero)
            slots[0, k] += (slope - slots[0, k]) * (one - first)
            slots[1, k] += (slope * slope - slots[1, k]) * (one - second)
            theta[k] -= subtracted * theta[k] if k < decaying else zero
            theta[k] -= alpha * slots[0, k] / (np.sqrt(slots[1, k]) + rule.epsilon)
    else:
        for k in range(len(theta)):
            slope = float32(scale * gradient[k]) + (decay * theta[k] if k < decaying else zero)
            slots[0, k] = first * slots[0, k] - rate * slope
            move = first * slots[0, k] - rate * slope if rule.kind == NESTEROV else slots[0, k]
            theta[k] += move - (subtracted * theta[k] if k < decaying else zero)


@compiled
def train_iterations(
    program: Any,
    width: int,
    rule: Any,
    images: Any,
    rows: Any,
    moves: Any,
    rates: Any,
    step: int,
    theta: Any,
    slots: Any,
    buffers: Any,
    losses: Any,
) -> None:
    """Run iterations: for each, the gradient of the mean cross-entropy of a batch, and an update.

    Args:
        program: The network.
        width: Rows per tile.
        rule: Update rule.
        images: Training rows; each type of number is compiled once.
        rows: int32 [iterations, batch_size].
        moves: int32 [iterations, batch_size, 3], augmentation of each image; the last axis is empty without.
        rates: float32 [iterations], learning rates.
        step: Number of updates before these.
        theta: float32 [size], updated.
        slots: float32 [2, size], updated.
        buffers: Memory.
        losses: float32 [iterations], the mean cross-entropy of each batch before its update.
    """
    count = rows.shape[1]
    for iteration in range(len(rows)):
        for product in range(len(buffers.weights)):
            buffers.weights[product] = theta[program.product_weights[product]]
        buffers.gradient[:] = 0.0
        log_likelihood = 0.0
        for begin in range(0, count, width):
            end = min(begin + width, count)
            gather(images, rows[iteration, begin:end], moves[iteration, begin:end], width, buffers)
            log_likelihood += sum_tiles(
                program,
                theta,
                buffers.weights,
                buffers.tile,
                buffers.labels,
                width,
                buffers.values,
                buffers.errors,
                buffers.gradient,
            )
        losses[iteration] = -log_likelihood / count
        update(rule, rates[iteration], step + iteration, -1.0 / count, buffers.gradient, theta, slots, len(theta))
