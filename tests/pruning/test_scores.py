import numpy as np
import pytest
from scipy.stats import kstest

from tfticket.pruning.mask import dense_mask
from tfticket.pruning.scores import magnitude, random
from tfticket.registry import SCORES, resolve

SHAPES = {"a/kernel": (50, 20), "b/kernel": (3, 3, 2, 4)}
MASK = dense_mask(SHAPES)
WEIGHTS = {
    "a/bias": np.ones(20, np.float32),
    **{path: np.random.default_rng(0).normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()},
    **{f"{path}_rho": np.random.default_rng(1).normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()},
}
"""Of a variational network: scores of others need no rho."""


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_finite_reproducible_and_over_just_the_kernels(name):
    score = resolve(SCORES[name].target)
    first, second = score(WEIGHTS, MASK, 3), score(WEIGHTS, MASK, 3)
    assert {path: values.shape for path, values in first.items()} == SHAPES
    for path, values in first.items():
        assert np.all(np.isfinite(values))
        np.testing.assert_array_equal(values, second[path])


def test_magnitude_is_the_absolute_value():
    weights = {"a/kernel": np.array([[-2.0, 0.5], [0.0, -0.25]])}
    scores = magnitude(weights, dense_mask({"a/kernel": (2, 2)}), seed=0)
    np.testing.assert_array_equal(scores["a/kernel"], [[2.0, 0.5], [0.0, 0.25]])


def test_random_scores_are_uniform_and_know_neither_weights_nor_other_layers():
    scores = random(WEIGHTS, MASK, seed=0)
    assert kstest(scores["a/kernel"].ravel(), "uniform").pvalue > 0.01
    alone = random({}, {"b/kernel": MASK["b/kernel"]}, seed=0)
    np.testing.assert_array_equal(alone["b/kernel"], scores["b/kernel"])


def test_random_scores_differ_by_seed_and_by_layer():
    mask = dense_mask({"a/kernel": (8,), "b/kernel": (8,)})
    first, second = random({}, mask, seed=0), random({}, mask, seed=1)
    assert len({scores.tobytes() for scores in (*first.values(), *second.values())}) == 4
