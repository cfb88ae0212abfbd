"""Scores of variational networks' posteriors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tfticket.errors import InputError
from tfticket.pruning import scores
from tfticket.pruning.mask import dense_mask

MASK = dense_mask({"dense_1/kernel": (2, 2), "dense_2/kernel": (2, 1)})
NUMBERS = st.floats(-20, 20, width=32)


def posterior(means, rhos):
    found = {}
    for path, mean, rho in zip(MASK, means, rhos, strict=True):
        found |= {path: mean.astype(np.float32), f"{path}_rho": rho.astype(np.float32)}
    return found


@given(arrays(np.float32, 6, elements=NUMBERS), arrays(np.float32, 6, elements=NUMBERS))
def test_the_scores_are_the_papers(mean, rho):
    means, rhos = ([flat[:4].reshape(2, 2), flat[4:].reshape(2, 1)] for flat in (mean, rho))
    weights = posterior(means, rhos)
    for place, path in enumerate(MASK):
        sigma = np.log1p(np.exp(-np.abs(rhos[place].astype(float)))) + np.maximum(rhos[place].astype(float), 0)
        expected = {
            "mu": np.abs(means[place]),
            "snr": np.abs(means[place]) / sigma,
            "square": np.sqrt(means[place].astype(float) ** 2 + sigma**2),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(getattr(scores, name)(weights, MASK, 0)[path], values, rtol=1e-6, atol=1e-300)


def test_snr_prunes_the_noisy_and_square_the_sure():
    mean = [np.full((2, 2), 0.5), np.full((2, 1), 0.5)]
    rho = [np.array([[-5.0, -1.0], [0.0, 1.0]]), np.array([[-3.0], [2.0]])]
    weights = posterior(mean, rho)
    by_snr = np.concatenate([one.ravel() for one in scores.snr(weights, MASK, 0).values()])
    by_square = np.concatenate([one.ravel() for one in scores.square(weights, MASK, 0).values()])
    assert np.argsort(by_snr).tolist() == np.argsort(by_square).tolist()[::-1]


@pytest.mark.parametrize("name", ["mu", "snr", "square"])
def test_a_deterministic_network_is_refused_with_what_to_take(name):
    weights = {path: np.ones(kept.shape, np.float32) for path, kept in MASK.items()}
    with pytest.raises(InputError, match=r"dense_1/kernel has none.*model\.variational.*magnitude"):
        getattr(scores, name)(weights, MASK, 0)
