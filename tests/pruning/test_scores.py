"""Scores: magnitude, random, and those of variational posteriors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kstest

from tests.refusals import refused
from tfticket.pruning import scores
from tfticket.pruning.mask import dense_mask
from tfticket.registry import SCORES, resolve

SHAPES = {"dense_1/kernel": (50, 20), "conv/kernel": (3, 3, 2, 4)}
MASK = dense_mask(SHAPES)
RANDOM = np.random.default_rng(0)
WEIGHTS = {
    f"{path}{end}": RANDOM.normal(size=MASK[path].shape).astype(np.float32) for path in MASK for end in ("", "_rho")
}
WEIGHTS["dense_1/bias"] = np.ones(20, np.float32)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_finite_reproducible_and_over_just_the_kernels(name):
    score = resolve(SCORES[name].target)
    first, second = score(WEIGHTS, MASK, 3), score(WEIGHTS, MASK, 3)
    assert {path: values.shape for path, values in first.items()} == SHAPES
    for path, values in first.items():
        assert np.all(np.isfinite(values))
        np.testing.assert_array_equal(values, second[path])


NUMBERS = st.floats(-20, 20, width=32)


@given(arrays(np.float32, (2, 3), elements=NUMBERS), arrays(np.float32, (2, 3), elements=NUMBERS))
def test_scores_are_the_papers(mean, rho):
    weights, mask = {"a/kernel": mean, "a/kernel_rho": rho}, dense_mask({"a/kernel": (2, 3)})
    mean, sigma = mean.astype(float), np.log1p(np.exp(-np.abs(rho.astype(float)))) + np.maximum(rho.astype(float), 0)
    expected = {
        "magnitude": np.abs(mean),
        "mu": np.abs(mean),
        "snr": np.abs(mean) / sigma,
        "square": np.sqrt(mean**2 + sigma**2),
    }
    for name, values in expected.items():
        ours = getattr(scores, name)(weights, mask, 0)["a/kernel"]
        np.testing.assert_allclose(ours, values, rtol=1e-6, atol=1e-300, err_msg=name)


def test_random_scores_are_uniform_by_seed_and_layer_and_independent_of_weights_and_other_layers():
    drawn = scores.random(WEIGHTS, MASK, seed=0)
    assert kstest(drawn["dense_1/kernel"].ravel(), "uniform").pvalue > 0.01
    alone = scores.random({}, {"conv/kernel": MASK["conv/kernel"]}, seed=0)
    np.testing.assert_array_equal(alone["conv/kernel"], drawn["conv/kernel"])
    same_shape = dense_mask({"a/kernel": (8,), "b/kernel": (8,)})
    kernels = [kernel for seed in (0, 1) for kernel in scores.random({}, same_shape, seed).values()]
    assert len({kernel.tobytes() for kernel in kernels}) == 4


@pytest.mark.parametrize("name", ["mu", "snr", "square"])
def test_a_posterior_score_of_a_deterministic_network_is_refused(name):
    weights = {path: array for path, array in WEIGHTS.items() if not path.endswith("_rho")}
    with refused("prune.score", "magnitude", name, "dense_1/kernel"):
        getattr(scores, name)(weights, MASK, 0)
