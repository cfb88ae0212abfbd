"""Numba's vectors against NumPy."""

import numpy as np
import pytest
from numba import njit

from tfticket.sampling import vectors
from tfticket.sampling.vectors import LANES, load, store


@njit
def _exponential(source, target):
    for column in range(0, len(source), LANES):
        store(target, column, vectors.exponential(load(source, column)))


@njit
def _tanh(source, target):
    for column in range(0, len(source), LANES):
        store(target, column, vectors.hyperbolic_tangent(load(source, column)))


@njit
def _totals(source, target):
    for column in range(0, len(source), LANES):
        target[column // LANES] = vectors.total(load(source, column))


@njit
def _positive(source, target):
    store(target, 0, vectors.positive(load(source, 0)))


@njit
def _pairwise(left, right, found):
    a, b = load(left, 0), load(right, 0)
    store(found[0], 0, vectors.maximum(a, b))
    store(found[1], 0, vectors.where_equal(a, b, vectors.splat(np.float32(7.0))))
    store(found[2], 0, vectors.where_positive(a, b))
    store(found[3], 0, vectors.divide(vectors.subtract(a, b), vectors.multiply(a, b)))


@njit
def _fused(first, second, third, target):
    store(target, 0, vectors.multiply_add(load(first, 0), load(second, 0), load(third, 0)))


@njit
def _inputs(source, position, target):
    store(target, 0, vectors.load_input(source, position))


def grid(low, high, count=16 * 4096):
    return np.linspace(low, high, count).astype(np.float32)


def mapped(function, source):
    target = np.full_like(source, -77)
    function(source, target)
    return target


def sixteen(*values):
    return np.resize(np.array(values, np.float32), LANES)


def test_the_exponential_is_right_to_two_units_in_the_last_place():
    for source in (grid(-87, 87), grid(-1, 1), grid(-1e-6, 1e-6)):
        exact = np.exp(source.astype(np.float64))
        unit = np.spacing(exact.astype(np.float32)).astype(np.float64)
        assert (np.abs(mapped(_exponential, source) - exact) / unit).max() <= 2


def test_beyond_its_range_the_exponential_stays_as_at_the_ends():
    found = mapped(_exponential, sixteen(-100, -np.inf, -87.5, 100, np.inf, 1e30, -1e30, 0))
    low, high = np.exp([-87.0, 87.0])
    np.testing.assert_allclose(found[:8], [low, low, low, high, high, high, low, 1.0], rtol=3e-7)
    assert found[7] == 1.0


def test_tanh_is_right_to_2e_7():
    for source in (grid(-100, 100), grid(-4, 4), grid(-1e-3, 1e-3)):
        found = mapped(_tanh, source)
        assert np.abs(found - np.tanh(source.astype(np.float64))).max() <= 2e-7
        assert np.abs(found).max() <= 1
    np.testing.assert_array_equal(mapped(_tanh, sixteen(-np.inf, np.inf, 0))[:3], [-1, 1, 0])


@pytest.mark.parametrize("function", [_exponential, _tanh, _positive])
def test_what_is_no_number_stays_so(function):
    found = mapped(function, sixteen(np.nan, 1))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(sixteen(np.nan, 1)))


def test_a_total_adds_in_pairs():
    source = np.random.default_rng(0).normal(size=16 * 50).astype(np.float32)
    target = np.zeros(50, np.float32)
    _totals(source, target)
    halves = source.reshape(50, LANES)
    while halves.shape[1] > 1:
        half = halves.shape[1] // 2
        halves = halves[:, :half] + halves[:, half:]
    np.testing.assert_array_equal(target, halves[:, 0])


def test_positive_cuts_off_what_is_below_0():
    found = mapped(_positive, sixteen(-1, 0, 2, -np.inf, np.inf, 1e-45))
    np.testing.assert_array_equal(found[:6], np.array([0, 0, 2, 0, np.inf, 1e-45], np.float32))


def test_pairs_of_vectors():
    left, right = sixteen(1, 2, -3, 0, np.nan, 5, np.inf, -0.0), sixteen(2, 2, 4, 1, 1, np.nan, np.inf, 0.0)
    found = np.zeros((4, LANES), np.float32)
    _pairwise(left, right, found)
    np.testing.assert_array_equal(found[0, :8], [2, 2, 4, 1, np.nan, 5, np.inf, 0])  # NaN on the left stays
    np.testing.assert_array_equal(found[1, :8], [0, 7, 0, 0, 0, 0, 7, 7])
    np.testing.assert_array_equal(found[2, :8], [2, 2, 0, 0, 0, np.nan, np.inf, 0])
    np.testing.assert_array_equal(found[3, :3], (left[:3] - right[:3]) / (left[:3] * right[:3]))


def test_a_product_is_added_with_one_rounding():
    first, second = sixteen(-1), sixteen(1 + 2**-12)
    target = np.zeros(LANES, np.float32)
    _fused(first, second, second, target)
    assert (target == np.float32(2**-11 + 2**-24)).all()  # the last term is lost where the product is rounded


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_bytes_and_floats_become_numbers_from_any_position(kind):
    source = np.arange(256, dtype=np.uint8).astype(kind)
    target = np.zeros(LANES, np.float32)
    for position in (0, 1, 117, 240):
        _inputs(source, position, target)
        np.testing.assert_array_equal(target, source[position : position + LANES])
