"""The layout of theta, and priors against TensorFlow Probability."""

import math

import numpy as np
import pytest
import tensorflow_probability as tfp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import kstest

from tests.refusals import refused
from tests.sampling.problems import central_differences
from tfticket.config import PriorConfig, SampleConfig
from tfticket.config.schema import validate
from tfticket.sampling.priors import Prior
from tfticket.sparse.layout import Layout

tfd, tfb = tfp.distributions, tfp.bijectors


@given(st.data(), st.sampled_from([(), (2,), (3, 2)]))
def test_theta_holds_the_survivors_tensor_by_tensor_and_unpacks_to_0_where_pruned(data, batch):
    """Of some kernels, each with its mask and its bias; not all biases are sampled."""
    weights, mask = {}, {}
    for number in range(data.draw(st.integers(1, 3))):
        mask[f"{number}/kernel"] = kept = data.draw(arrays(bool, array_shapes(min_dims=2, max_dims=4, max_side=4)))
        weights |= {f"{number}/kernel": np.zeros(kept.shape), f"{number}/bias": np.zeros(kept.shape[-1:])}
    mask["0/kernel"].flat[-1] = True
    layout = Layout.of(weights, mask, [path for path in weights if path in mask or data.draw(st.booleans())])
    theta = np.random.default_rng(0).normal(size=(*batch, layout.size)).astype(np.float32)
    unpacked, begin = layout.unpack(theta), 0
    assert list(unpacked) == list(layout.shapes)
    for path, array in unpacked.items():
        kept = mask.get(path, np.ones(layout.shapes[path], bool))
        assert array.shape == (*batch, *kept.shape)
        assert not array[..., ~kept].any()
        np.testing.assert_array_equal(array[..., kept], theta[..., begin : begin + kept.sum()])
        assert layout.slices[path] == slice(begin, begin + kept.sum())
        begin += kept.sum()
    assert begin == layout.size
    if not batch:
        packed = layout.pack(unpacked)
        assert packed.dtype == np.float64
        np.testing.assert_array_equal(packed, theta)


def test_a_mask_without_survivors_is_refused():
    weights = {"dense/kernel": np.zeros((3, 2)), "dense/bias": np.zeros(2)}
    with refused("mask"):
        Layout.of(weights, {"dense/kernel": np.zeros((3, 2), bool)}, weights)


# Priors

SHAPES = {"conv/kernel": (3, 3, 2, 4), "conv/bias": (4,), "dense/kernel": (10, 5), "norm/gamma": (5,)}
RANDOM = np.random.default_rng(0)
MASK = {path: RANDOM.random(shape) < 0.5 for path, shape in SHAPES.items() if path.endswith("kernel")}
LAYOUT = Layout.of({path: np.zeros(shape) for path, shape in SHAPES.items()}, MASK, SHAPES)


def prior_of(kernels, others="normal(0, 1)", layout=LAYOUT):
    return Prior.of(layout, PriorConfig.model_validate(kernels), PriorConfig.model_validate(others))


def by_tfp(config, path):
    """TFP's distribution of a tensor's weights, and its bounds, None where it is normal."""
    centre, deviation = 1.0 if path.endswith("gamma") else 0.0, config.deviation
    low, high = config.low + centre, config.high + centre
    if config.name.startswith("glorot"):
        shape = SHAPES[path]
        fan = math.prod(shape[:-2]) * (shape[-2] + shape[-1]) * (MASK[path].mean() if config.fan == "surviving" else 1)
        deviation = math.sqrt(2 * config.factor / fan)
        low, high = -math.sqrt(3) * deviation, math.sqrt(3) * deviation
    if config.name.endswith("normal"):
        return tfd.Normal(np.float64(centre), deviation), None
    return tfd.Uniform(np.float64(low), high), (np.float64(low), np.float64(high))


CASES = [
    ("normal(0, 0.3)", "normal(0, 2)"),
    ("uniform(-0.5, 2)", "normal(0, 1)"),
    ("uniform(-1, 1)", "uniform(-3, 0.5)"),
    ("glorot-normal", "normal(0, 1)"),
    ("glorot-uniform", "uniform(-1, 1)"),
    ({"name": "glorot-uniform", "fan": "dense", "factor": 0.7}, "normal(0, 1)"),
]


@pytest.mark.parametrize(("kernels", "others"), CASES)
def test_densities_bijectors_and_draws_are_those_of_tfp(kernels, others):
    prior, random = prior_of(kernels, others), np.random.default_rng(1)
    by_path = {
        path: by_tfp(PriorConfig.model_validate(kernels if path in MASK else others), path) for path in LAYOUT.slices
    }
    for u in (prior.draw(random), 3 * random.normal(size=LAYOUT.size), np.zeros(LAYOUT.size)):
        weights, expected = prior.constrain(u), 0.0
        np.testing.assert_allclose(prior.unconstrain(weights), u, rtol=1e-6, atol=1e-6)
        for path, part in LAYOUT.slices.items():
            distribution, bounds = by_path[path]
            if bounds is None:
                np.testing.assert_array_equal(weights[part], u[part])
            else:
                bijector = tfb.Sigmoid(*bounds)
                np.testing.assert_allclose(weights[part], bijector(u[part]).numpy(), rtol=1e-12, atol=1e-14)
                distribution = tfd.TransformedDistribution(distribution, tfb.Invert(bijector))
                slope = np.exp(bijector.forward_log_det_jacobian(u[part]).numpy())
                np.testing.assert_allclose(prior.slope(u)[part], slope, rtol=1e-10)
            expected += float(np.sum(distribution.log_prob(u[part])))
        log_density, gradient = prior.log_density_and_gradient(u)
        assert log_density == pytest.approx(expected, rel=1e-10)
        some = np.arange(0, LAYOUT.size, 7)
        differences = central_differences(lambda at: prior.log_density_and_gradient(at)[0], u, some)
        np.testing.assert_allclose(gradient[some], differences, rtol=1e-5, atol=1e-5)
    draws = np.stack([prior.draw(random) for _ in range(200)])
    weights = prior.constrain(draws)  # all at once
    np.testing.assert_array_equal(weights[7], prior.constrain(draws[7]))
    for path, part in LAYOUT.slices.items():
        assert kstest(weights[:, part].ravel(), lambda at, of=by_path[path][0]: of.cdf(at).numpy()).pvalue > 1e-3, path


def test_extremes_stay_finite():
    prior = prior_of("uniform(-1, 1)")
    for far in (800.0, -800.0):  # of a diverging trajectory
        u = np.full(LAYOUT.size, far)
        log_density, gradient = prior.log_density_and_gradient(u)
        assert np.isfinite([log_density, *gradient, *prior.slope(u)]).all()
    u = prior.unconstrain(np.full(LAYOUT.size, 5.0))  # beyond a bound
    inside = prior.constrain(u)[prior.bounded]
    assert (inside < 1).all()
    np.testing.assert_allclose(inside, 1, atol=1e-8)
    np.testing.assert_array_equal(u[~prior.bounded], 5.0)
    emptied = Layout(SHAPES, MASK | {"dense/kernel": np.zeros((10, 5), bool)})
    assert np.isfinite(prior_of("glorot-normal", layout=emptied).scale).all()


# How priors are written

WRITTEN = {
    "normal": {},
    "normal(0, 1)": {"name": "normal", "deviation": 1.0},
    " normal( 0 ,0.25 ) ": {"deviation": 0.25},
    "normal(0.0, 1e-2)": {"deviation": 0.01},
    "uniform(-1, 1)": {"name": "uniform"},
    "uniform(-0.5,2)": {"name": "uniform", "low": -0.5, "high": 2.0},
    "glorot-normal": {"name": "glorot-normal"},
    "glorot-uniform": {"name": "glorot-uniform", "factor": 1.44, "fan": "surviving"},
}


def test_priors_are_written_as_in_a_paper():
    for text, fields in WRITTEN.items():
        assert validate(SampleConfig, {"prior": text}, where="sample").prior == PriorConfig(**fields), text


@pytest.mark.parametrize(("field", "priors"), [
    ("prior", ["normal(1, 1)", "normal(0)", "normal(0, a)", "uniform(-1)"]),
    ("prior.name", ["laplace", "normal(0, 1"]),
    ("prior.deviation", ["normal(0, 0)", "normal(0, -1)", "normal(0, nan)", "normal(0, inf)"]),
    ("prior.low", ["uniform(-inf, 1)", "uniform(nan, 1)", "uniform(2, 2)", "uniform(1, -1)"]),
    ("prior.fan", [{"name": "glorot-normal", "fan": "sparse"}]),
])  # fmt: skip
def test_other_priors_are_refused(field, priors):
    for prior in priors:
        with refused(field, None, str(prior) if field == "prior" else ""):
            validate(SampleConfig, {"prior": prior}, where="sample")
    with refused("other_prior", None, "Glorot"):
        validate(SampleConfig, {"other_prior": "glorot-normal"}, where="sample")
