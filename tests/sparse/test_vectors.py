"""Numba's vectors against NumPy."""

import numpy as np
from numba import njit

from tfticket.sparse import vectors
from tfticket.sparse.vectors import LANES, load, store


def mapped(operation):
    """A function of a vector as one of whole arrays, compiled."""

    @njit
    def map_columns(source, target):
        for column in range(0, len(source), LANES):
            store(target, column, operation(load(source, column)))

    def call(source):
        target = np.full_like(source, -77)
        map_columns(source, target)
        return target

    return call


exponential, tanh, positive = map(mapped, (vectors.exponential, vectors.hyperbolic_tangent, vectors.positive))


@njit
def pairwise(left, right, target):
    a, b = load(left, 0), load(right, 0)
    store(target[0], 0, vectors.maximum(a, b))
    store(target[1], 0, vectors.where_equal(a, b, vectors.splat(np.float32(7.0))))
    store(target[2], 0, vectors.where_positive(a, b))
    store(target[3], 0, vectors.divide(vectors.subtract(a, b), vectors.multiply(a, b)))
    store(target[4], 0, vectors.multiply_add(a, b, b))
    target[5, 0] = vectors.total(a)


@njit
def read(source, position, target):
    store(target, 0, vectors.load_input(source, position))


def sixteen(*values):
    return np.resize(np.array(values, np.float32), LANES)


def test_the_exponential_and_tanh_are_right_to_a_few_units_in_the_last_place():
    for end in (87, 4, 1, 1e-3, 1e-6):
        source = np.linspace(-end, end, 16 * 4096).astype(np.float32)
        exact, slope = np.exp(source.astype(np.float64)), np.tanh(source.astype(np.float64))
        unit = np.spacing(exact.astype(np.float32)).astype(np.float64)
        assert (np.abs(exponential(source) - exact) / unit).max() <= 2
        assert np.abs(tanh(source) - slope).max() <= 2e-7
        assert np.abs(tanh(source)).max() <= 1
    low, high = np.exp([-87.0, 87.0])  # beyond its ends the exponential is constant
    ends = exponential(sixteen(-100, -np.inf, -87.5, 100, np.inf, 1e30, -1e30, 0))[:8]
    np.testing.assert_allclose(ends, [low, low, low, high, high, high, low, 1.0], rtol=3e-7)
    assert ends[7] == 1.0
    np.testing.assert_array_equal(tanh(sixteen(-np.inf, np.inf, 0))[:3], [-1, 1, 0])
    cut = positive(sixteen(-1, 0, 2, -np.inf, np.inf, 1e-45))
    np.testing.assert_array_equal(cut[:6], np.array([0, 0, 2, 0, np.inf, 1e-45], np.float32))
    for function in (exponential, tanh, positive):
        np.testing.assert_array_equal(np.isnan(function(sixteen(np.nan, 1))), np.isnan(sixteen(np.nan, 1)))


def test_operations_on_pairs_of_vectors():
    left = sixteen(1, 2, -3, 0, np.nan, 5, np.inf, -0.0, -1)
    right, target = sixteen(2, 2, 4, 1, 1, np.nan, np.inf, 0, 1 + 2**-12), np.zeros((6, LANES), np.float32)
    pairwise(left, right, target)
    np.testing.assert_array_equal(target[0, :8], [2, 2, 4, 1, np.nan, 5, np.inf, 0])  # NaN on the left stays
    np.testing.assert_array_equal(target[1, :8], [0, 7, 0, 0, 0, 0, 7, 7])
    np.testing.assert_array_equal(target[2, :8], [2, 2, 0, 0, 0, np.nan, np.inf, 0])
    np.testing.assert_array_equal(target[3, :3], (left[:3] - right[:3]) / (left[:3] * right[:3]))
    assert target[4, 8] == np.float32(2**-11 + 2**-24)  # the last term is lost where the product is rounded


def test_totals_add_in_pairs_and_inputs_are_read_from_any_position():
    for values in np.random.default_rng(0).normal(size=(50, LANES)).astype(np.float32):
        target = np.zeros((6, LANES), np.float32)
        pairwise(values, values, target)
        halves = values
        while len(halves) > 1:
            halves = halves[: len(halves) // 2] + halves[len(halves) // 2 :]
        assert target[5, 0] == halves[0]
    for kind in (np.uint8, np.float32):
        source, target = np.arange(256, dtype=np.uint8).astype(kind), np.zeros(LANES, np.float32)
        for position in (0, 1, 117, 240):
            read(source, position, target)
            np.testing.assert_array_equal(target, source[position : position + LANES])
