"""Kernels of the sparse engine for a tile of rows, compiled by Numba: forward, loss, backward.

Buffers are ordered by feature, with the rows of a tile side by side, so that a weight acts on a run of contiguous
numbers: the rows of a tile for a dense unit, a whole row of pixels for a convolution. Tables from
``tfticket.sparse.program`` map weights to runs; no dense kernel is formed, and pruned weights cost nothing. Sums over
the rows of a tile are float32, sums over tiles float64.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import float32

from tfticket.sparse.compiling import compiled, inlined
from tfticket.sparse.vectors import (
    LANES,
    add,
    divide,
    exponential,
    hyperbolic_tangent,
    load,
    load_input,
    maximum,
    multiply,
    multiply_add,
    positive,
    splat,
    store,
    subtract,
    total,
    where_equal,
    where_positive,
)

BLOCK, HALF = 8 * LANES, 4 * LANES
"""Numbers of a run that are summed in registers together; short runs take the second."""

LINEAR, MAX_POOL, AVERAGE_POOL, ACTIVATION = range(4)
"""Kinds of operations."""
NONE, RELU, TANH = range(3)
"""Kinds of activations."""


class Program(NamedTuple):
    """A masked network as tables. Positions are indices into the buffers of values and of errors, for one tile.

    Attributes:
        operations: int64 [operations, 12]: kind, activation, and the first and the last (exclusive) of its forward
            runs or windows, its backward runs, its dots, its bias sums, its pairs.
        runs: int64 [runs, 6]: target, length, first and last product, shift of the products' sources, bias or -1.
        sources: int64 [products]: where each product's run begins, before the shift.
        product_weights: int64 [products]: position of each product's weight in theta.
        dots: int64 [weights, 7]: value, error, rows, pitch of values, pitch of errors, length, position in theta.
        biases: int64 [biases, 5]: error, rows, pitch, length, position in theta.
        pairs: int64 [pairs, 3]: value, error, length; operands of the derivative or copy of an activation.
        windows: int64 [windows, 4]: value and error of a pooled output, its first and its last member.
        members: int64 [members, 2]: value and error of a pooled input.
        inputs: int64 [inputs]: value of each number of a row.
        offset, scale, shift: float32 [inputs]: of the normalisation.
        logits: int64 [classes, 2]: value and error.
    """

    operations: np.ndarray
    runs: np.ndarray
    sources: np.ndarray
    product_weights: np.ndarray
    dots: np.ndarray
    biases: np.ndarray
    pairs: np.ndarray
    windows: np.ndarray
    members: np.ndarray
    inputs: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    logits: np.ndarray


@inlined
def _activated(vector: Any, activation: Any) -> Any:
    if activation == RELU:
        return positive(vector)
    if activation == TANH:
        return hyperbolic_tangent(vector)
    return vector


@compiled
def _sum_products(
    program: Any, begin: int, end: int, activation: int, theta: Any, weights: Any, source: Any, target: Any
) -> None:
    """Compute target = activation(bias + sum over products of weight * source) for each run, in registers."""
    runs, sources = program.runs, program.sources
    for number in range(begin, end):
        at, length, first, last, shift, bias = runs[number]
        start = splat(float32(0.0) if bias < 0 else theta[bias])
        whole = length - length % BLOCK
        for column in range(0, whole, BLOCK):
            a = b = c = d = e = f = g = h = start
            offset = shift + column
            for product in range(first, last):
                weight, place = splat(weights[product]), sources[product] + offset
                a = multiply_add(a, weight, load(source, place))
                b = multiply_add(b, weight, load(source, place + LANES))
                c = multiply_add(c, weight, load(source, place + 2 * LANES))
                d = multiply_add(d, weight, load(source, place + 3 * LANES))
                e = multiply_add(e, weight, load(source, place + 4 * LANES))
                f = multiply_add(f, weight, load(source, place + 5 * LANES))
                g = multiply_add(g, weight, load(source, place + 6 * LANES))
                h = multiply_add(h, weight, load(source, place + 7 * LANES))
            position = at + column
            store(target, position, _activated(a, activation))
            store(target, position + LANES, _activated(b, activation))
            store(target, position + 2 * LANES, _activated(c, activation))
            store(target, position + 3 * LANES, _activated(d, activation))
            store(target, position + 4 * LANES, _activated(e, activation))
            store(target, position + 5 * LANES, _activated(f, activation))
            store(target, position + 6 * LANES, _activated(g, activation))
            store(target, position + 7 * LANES, _activated(h, activation))
        half = length - length % HALF
        for column in range(whole, half, HALF):
            a = b = c = d = start
            offset = shift + column
            for product in range(first, last):
                weight, place = splat(weights[product]), sources[product] + offset
                a = multiply_add(a, weight, load(source, place))
                b = multiply_add(b, weight, load(source, place + LANES))
                c = multiply_add(c, weight, load(source, place + 2 * LANES))
                d = multiply_add(d, weight, load(source, place + 3 * LANES))
            position = at + column
            store(target, position, _activated(a, activation))
            store(target, position + LANES, _activated(b, activation))
            store(target, position + 2 * LANES, _activated(c, activation))
            store(target, position + 3 * LANES, _activated(d, activation))
        for column in range(half, length, LANES):
            a = start
            for product in range(first, last):
                a = multiply_add(a, splat(weights[product]), load(source, sources[product] + shift + column))
            store(target, at + column, _activated(a, activation))


@compiled
def _sum_gradients(program: Any, begin: int, end: int, values: Any, errors: Any, gradient: Any) -> None:
    """Add to the gradient of each weight the sum over its runs of value * error."""
    dots = program.dots
    zero = splat(float32(0.0))
    for number in range(begin, end):
        value, error, rows, value_pitch, error_pitch, length, weight = dots[number]
        a = b = c = d = zero
        whole = length - length % (4 * LANES)
        for _ in range(rows):
            for column in range(0, whole, 4 * LANES):
                p, q = value + column, error + column
                a = multiply_add(a, load(values, p), load(errors, q))
                b = multiply_add(b, load(values, p + LANES), load(errors, q + LANES))
                c = multiply_add(c, load(values, p + 2 * LANES), load(errors, q + 2 * LANES))
                d = multiply_add(d, load(values, p + 3 * LANES), load(errors, q + 3 * LANES))
            for column in range(whole, length, LANES):
                a = multiply_add(a, load(values, value + column), load(errors, error + column))
            value += value_pitch
            error += error_pitch
        gradient[weight] += total(add(add(a, b), add(c, d)))


@compiled
def _propagate_back(
    program: Any, begin: int, end: int, width: int, weights: Any, values: Any, errors: Any, gradient: Any
) -> None:
    """Compute the errors of inputs and the gradients of weights of a dense layer, reading its errors once."""
    runs, sources, places = program.runs, program.sources, program.product_weights
    zero = splat(float32(0.0))
    whole = width - width % (4 * LANES)
    for number in range(begin, end):
        target, value, first, last = runs[number, 0], runs[number, 4], runs[number, 2], runs[number, 3]
        for column in range(0, whole, 4 * LANES):
            p = value + column
            v, w, x, y = (
                load(values, p),
                load(values, p + LANES),
                load(values, p + 2 * LANES),
                load(values, p + 3 * LANES),
            )
            if target < 0:  # the error of an input of the network
                for product in range(first, last):
                    q = sources[product] + column
                    i = multiply_add(multiply(v, load(errors, q)), w, load(errors, q + LANES))
                    j = multiply_add(multiply(x, load(errors, q + 2 * LANES)), y, load(errors, q + 3 * LANES))
                    gradient[places[product]] += total(add(i, j))
                continue
            a = b = c = d = zero
            for product in range(first, last):
                weight, q = splat(weights[product]), sources[product] + column
                e, f, g, h = (
                    load(errors, q),
                    load(errors, q + LANES),
                    load(errors, q + 2 * LANES),
                    load(errors, q + 3 * LANES),
                )
                a, b = multiply_add(a, weight, e), multiply_add(b, weight, f)
                c, d = multiply_add(c, weight, g), multiply_add(d, weight, h)
                i, j = multiply_add(multiply(v, e), w, f), multiply_add(multiply(x, g), y, h)
                gradient[places[product]] += total(add(i, j))
            q = target + column
            store(errors, q, a)
            store(errors, q + LANES, b)
            store(errors, q + 2 * LANES, c)
            store(errors, q + 3 * LANES, d)
        for column in range(whole, width, LANES):
            v, a = load(values, value + column), zero
            for product in range(first, last):
                e = load(errors, sources[product] + column)
                a = multiply_add(a, splat(weights[product]), e)
                gradient[places[product]] += total(multiply(v, e))
            if target >= 0:
                store(errors, target + column, a)


@compiled
def _sum_biases(program: Any, begin: int, end: int, errors: Any, gradient: Any) -> None:
    """Add to the gradient of each bias the sum of the errors of its unit."""
    for number in range(begin, end):
        error, rows, pitch, length, bias = program.biases[number]
        partial = splat(float32(0.0))
        for row in range(rows):
            for column in range(0, length, LANES):
                partial = add(partial, load(errors, error + row * pitch + column))
        gradient[bias] += total(partial)


@compiled
def _differentiate(program: Any, begin: int, end: int, activation: int, values: Any, errors: Any) -> None:
    """Turn errors of activation outputs into errors of inputs; the derivative is a function of the output."""
    one = splat(float32(1.0))
    for number in range(begin, end):
        value, error, length = program.pairs[number]
        for column in range(0, length, LANES):
            output, slope = load(values, value + column), load(errors, error + column)
            if activation == RELU:
                slope = where_positive(output, slope)
            else:
                slope = multiply(slope, subtract(one, multiply(output, output)))
            store(errors, error + column, slope)


@compiled
def _pool(program: Any, begin: int, end: int, kind: int, width: int, values: Any) -> None:
    """Compute the maximum or the mean of each window."""
    members = program.members
    for number in range(begin, end):
        output, _, first, last = program.windows[number]
        share = splat(float32(1.0 / (last - first)))
        for column in range(0, width, LANES):
            pooled = load(values, members[first, 0] + column)
            for member in range(first + 1, last):
                other = load(values, members[member, 0] + column)
                pooled = maximum(pooled, other) if kind == MAX_POOL else add(pooled, other)
            store(values, output + column, pooled if kind == MAX_POOL else multiply(pooled, share))


@compiled
def _unpool(program: Any, begin: int, end: int, kind: int, width: int, values: Any, errors: Any) -> None:
    """Pass the error of each window to its first largest member, or in equal shares to all."""
    members, zero = program.members, splat(float32(0.0))
    for member in range(program.windows[begin, 2], program.windows[end - 1, 3]):
        for column in range(0, width, LANES):
            store(errors, members[member, 1] + column, zero)
    for number in range(begin, end):
        output, error, first, last = program.windows[number]
        share = splat(float32(1.0 / (last - first)))
        for column in range(0, width, LANES):
            remaining = load(errors, error + column)
            largest = load(values, output + column)
            for member in range(first, last):
                place = members[member, 1] + column
                if kind == MAX_POOL:
                    part = where_equal(load(values, members[member, 0] + column), largest, remaining)
                    remaining = subtract(remaining, part)
                else:
                    part = multiply(remaining, share)
                store(errors, place, add(load(errors, place), part))


@compiled
def _activate(program: Any, begin: int, end: int, activation: int, values: Any) -> None:
    """Apply an activation that does not follow a dense layer or a convolution: pairs are input and output."""
    for number in range(begin, end):
        source, target, length = program.pairs[number]
        for column in range(0, length, LANES):
            store(values, target + column, _activated(load(values, source + column), activation))


@compiled
def _fill(program: Any, tile: Any, width: int, values: Any) -> None:
    """Write the normalised pixels or features of a tile where the first operation reads them."""
    for number in range(len(program.inputs)):
        offset, scale, shift = splat(program.offset[number]), splat(program.scale[number]), splat(program.shift[number])
        for column in range(0, width, LANES):
            numbers = subtract(load_input(tile, number * width + column), offset)
            store(values, program.inputs[number] + column, multiply_add(shift, numbers, scale))


@compiled
def softmax(program: Any, labels: Any, width: int, values: Any, errors: Any) -> float:
    """Return the log likelihood of a tile and write its gradient to ``errors``; labels below 0 are padding."""
    logits = program.logits
    classes = len(logits)
    largest, whole = len(errors) - 2 * width, len(errors) - width  # the last two runs of the buffer are scratch space
    minus = splat(float32(-1.0))
    for column in range(0, width, LANES):
        peak = load(values, logits[0, 0] + column)
        for k in range(1, classes):
            peak = maximum(peak, load(values, logits[k, 0] + column))
        powers = splat(float32(0.0))
        for k in range(classes):
            power = exponential(subtract(load(values, logits[k, 0] + column), peak))
            store(errors, logits[k, 1] + column, power)
            powers = add(powers, power)
        share = divide(minus, powers)
        for k in range(classes):
            at = logits[k, 1] + column
            store(errors, at, multiply(load(errors, at), share))
        store(errors, largest + column, peak)
        store(errors, whole + column, powers)
    log_likelihood = 0.0
    for row in range(width):
        label = labels[row]
        if label < 0:
            for k in range(classes):
                errors[logits[k, 1] + row] = float32(0.0)
        else:
            errors[logits[label, 1] + row] += float32(1.0)
            above = np.float64(values[logits[label, 0] + row]) - np.float64(errors[largest + row])
            log_likelihood += above - np.log(np.float64(errors[whole + row]))
    return log_likelihood


@compiled
def forward(program: Any, theta: Any, weights: Any, tile: Any, width: int, values: Any) -> None:
    """Compute the values of a tile; see ``sum_tiles``."""
    _fill(program, tile, width, values)
    for number in range(len(program.operations)):
        operation = program.operations[number]
        kind, activation, begin, end = operation[0], operation[1], operation[2], operation[3]
        if kind == LINEAR:
            _sum_products(program, begin, end, activation, theta, weights, values, values)
        elif kind == ACTIVATION:
            _activate(program, begin, end, activation, values)
        else:
            _pool(program, begin, end, kind, width, values)


@compiled
def backward(program: Any, theta: Any, weights: Any, width: int, values: Any, errors: Any, gradient: Any) -> None:
    """Add the gradient of a tile, from the errors of the logits; see ``sum_tiles``."""
    for number in range(len(program.operations) - 1, -1, -1):
        operation = program.operations[number]
        kind, activation = operation[0], operation[1]
        if kind in (MAX_POOL, AVERAGE_POOL):
            if operation[5] > operation[4]:
                _unpool(program, operation[2], operation[3], kind, width, values, errors)
            continue
        if activation != NONE:
            _differentiate(program, operation[10], operation[11], activation, values, errors)
        if kind == LINEAR:
            _sum_gradients(program, operation[6], operation[7], values, errors, gradient)
            _sum_biases(program, operation[8], operation[9], errors, gradient)
            if operation[12]:
                _propagate_back(program, operation[4], operation[5], width, weights, values, errors, gradient)
            else:
                _sum_products(program, operation[4], operation[5], NONE, theta, weights, errors, errors)


@compiled
def sum_tiles(
    program: Any,
    theta: Any,
    weights: Any,
    tiles: Any,
    labels: Any,
    width: int,
    values: Any,
    errors: Any,
    gradient: Any,
) -> float:
    """Return the log likelihood of tiles and add its gradient to ``gradient``.

    Args:
        program: The network.
        theta: float32 [dimensions].
        weights: float32 [products]: theta at ``product_weights`` of the program.
        tiles: uint8 or float32 [tiles, inputs * width]; each type is compiled once.
        labels: int32 [tiles, width], -1 in the padding.
        width: Rows per tile.
        values: float32 buffer; 0 in the padding of the program.
        errors: Like ``values``.
        gradient: float64 [dimensions].
    """
    log_likelihood = 0.0
    for number in range(len(tiles)):
        forward(program, theta, weights, tiles[number], width, values)
        log_likelihood += softmax(program, labels[number], width, values, errors)
        backward(program, theta, weights, width, values, errors, gradient)
    return log_likelihood


@compiled
def compute_logits(program: Any, theta: Any, weights: Any, tiles: Any, width: int, values: Any, logits: Any) -> None:
    """Write the logits of tiles to ``logits``, float32 [tiles, classes, width]; see ``sum_tiles`` for the rest."""
    for number in range(len(tiles)):
        forward(program, theta, weights, tiles[number], width, values)
        for k in range(logits.shape[1]):
            at = program.logits[k, 0]
            logits[number, k] = values[at : at + width]
