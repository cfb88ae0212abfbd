"""What float32's rounding explains, on whichever CPU."""

import numpy as np

EPS = float(np.finfo(np.float32).eps)


def assert_equal_but_for_rounding(found, expected, terms: int) -> None:
    """Two float32 computations of one thing are the same, but that they add up in another order.

    A sum of n terms of either sign has an error of about eps times sqrt(n) times the terms' root of squares, since
    roundings are a random walk; a result that happens to be near 0 has as much of it as the others. Relative to the
    largest one, n eps leaves a factor of sqrt(n). Where sums of sums are taken, n is of all that follow one another.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=terms * EPS * np.abs(expected).max(initial=0.0))
