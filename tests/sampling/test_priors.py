"""Priors and their bijector, against TensorFlow Probability."""

import math

import numpy as np
import pytest
import tensorflow_probability as tfp
from scipy.stats import kstest

from tests.sampling.problems import central_differences
from tfticket.config import PriorConfig, SampleConfig
from tfticket.config.schema import validate
from tfticket.errors import InputError
from tfticket.sampling.layout import Layout
from tfticket.sampling.priors import Prior

tfd, tfb = tfp.distributions, tfp.bijectors

SHAPES = {"conv/kernel": (3, 3, 2, 4), "conv/bias": (4,), "dense/kernel": (10, 5), "norm/gamma": (5,)}


def layout(density=0.5):
    random = np.random.default_rng(0)
    mask = {path: random.random(shape) < density for path, shape in SHAPES.items() if path.endswith("kernel")}
    return Layout.of({path: np.zeros(shape, np.float32) for path, shape in SHAPES.items()}, mask, SHAPES)


def prior_of(kernels, others="normal(0, 1)", where=None):
    return Prior.of(where or layout(), PriorConfig.model_validate(kernels), PriorConfig.model_validate(others))


def by_tfp(config, where, path):
    """TFP's distribution of one tensor's weights; None where the prior is normal, else also the bounds."""
    centre = 1.0 if path.endswith("gamma") else 0.0
    if config.name == "normal":
        return tfd.Normal(np.float64(centre), config.deviation), None
    if config.name == "uniform":
        low, high = config.low + centre, config.high + centre
        return tfd.Uniform(np.float64(low), high), (low, high)
    shape = SHAPES[path]
    fan = math.prod(shape[:-2]) * (shape[-2] + shape[-1])
    if config.fan == "surviving":
        fan *= where.mask[path].sum() / where.mask[path].size
    deviation = math.sqrt(2 * config.factor / fan)
    if config.name == "glorot-normal":
        return tfd.Normal(np.float64(0), deviation), None
    low, high = -math.sqrt(3) * deviation, math.sqrt(3) * deviation
    return tfd.Uniform(np.float64(low), high), (low, high)


CASES = [
    ("normal(0, 0.3)", "normal(0, 2)"),
    ("uniform(-0.5, 2)", "normal(0, 1)"),
    ("uniform(-1, 1)", "uniform(-3, 0.5)"),
    ("glorot-normal", "normal(0, 1)"),
    ("glorot-uniform", "uniform(-1, 1)"),
    ({"name": "glorot-uniform", "fan": "dense", "factor": 0.7}, "normal(0, 1)"),
    ({"name": "glorot-normal", "fan": "dense"}, "normal(0, 1)"),
]


@pytest.mark.parametrize(("kernels", "others"), CASES)
def test_densities_and_bijectors_are_those_of_tfp(kernels, others):
    where = layout()
    prior = prior_of(kernels, others, where)
    random = np.random.default_rng(1)
    for u in (prior.draw(random), 3 * random.normal(size=where.size), np.zeros(where.size)):
        weights = prior.constrain(u)
        expected = 0.0
        for path, part in where.slices.items():
            config = PriorConfig.model_validate(kernels if path in where.mask else others)
            distribution, bounds = by_tfp(config, where, path)
            if bounds is None:
                np.testing.assert_array_equal(weights[part], u[part])
            else:
                bijector = tfb.Sigmoid(*(np.float64(bound) for bound in bounds))
                np.testing.assert_allclose(weights[part], bijector(u[part]).numpy(), rtol=1e-12, atol=1e-14)
                distribution = tfd.TransformedDistribution(distribution, tfb.Invert(bijector))
                slope = np.exp(bijector.forward_log_det_jacobian(u[part]).numpy())
                np.testing.assert_allclose(prior.slope(u)[part], slope, rtol=1e-10)
            expected += float(np.sum(distribution.log_prob(u[part])))
        found, gradient = prior.log_density_and_gradient(u)
        assert found == pytest.approx(expected, rel=1e-10)
        some = np.arange(0, where.size, 7)
        differences = central_differences(lambda at: prior.log_density_and_gradient(at)[0], u, some)
        np.testing.assert_allclose(gradient[some], differences, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kernels", "others"), CASES)
def test_what_is_constrained_comes_back(kernels, others):
    prior = prior_of(kernels, others)
    u = prior.draw(np.random.default_rng(2))
    np.testing.assert_allclose(prior.unconstrain(prior.constrain(u)), u, rtol=1e-6, atol=1e-6)
    for at in (np.full_like(u, 800.0), np.full_like(u, -800.0)):  # a trajectory far out
        found, gradient = prior.log_density_and_gradient(at)
        assert np.isfinite(found)
        assert np.isfinite(gradient).all()
        assert np.isfinite(prior.slope(at)).all()


def test_weights_on_or_beyond_a_bound_come_to_lie_inside():
    prior = prior_of("uniform(-1, 1)")
    weights = np.full(len(prior.centre), 5.0)
    u = prior.unconstrain(weights)
    assert np.isfinite(u).all()
    inside = prior.constrain(u)[prior.bounded]
    assert (inside < 1).all()
    np.testing.assert_allclose(inside, 1, atol=1e-8)
    np.testing.assert_array_equal(u[~prior.bounded], 5.0)


def test_many_draws_at_once_are_constrained_as_one_by_one():
    prior = prior_of("uniform(-1, 3)")
    random = np.random.default_rng(0)
    draws = np.stack([prior.draw(random) for _ in range(3)])
    np.testing.assert_array_equal(prior.constrain(draws), [prior.constrain(draw) for draw in draws])


@pytest.mark.parametrize(("kernels", "others"), CASES)
def test_draws_have_the_priors_distribution(kernels, others):
    where = layout()
    prior = prior_of(kernels, others, where)
    random = np.random.default_rng(3)
    draws = prior.constrain(np.stack([prior.draw(random) for _ in range(200)]))
    for path, part in where.slices.items():
        config = PriorConfig.model_validate(kernels if path in where.mask else others)
        distribution, _ = by_tfp(config, where, path)
        found = draws[:, part].ravel()
        assert kstest(found, lambda at, of=distribution: of.cdf(at).numpy()).pvalue > 1e-3, path


def test_fans_of_an_empty_layer_do_not_divide_by_0():
    where = layout()
    where.mask["dense/kernel"][:] = False
    prior = Prior.of(Layout(where.shapes, where.mask), PriorConfig(name="glorot-normal"), PriorConfig())
    assert np.isfinite(prior.scale).all()


# How priors are written


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("normal(0, 1)", PriorConfig(name="normal", deviation=1.0)),
        (" normal( 0 ,0.25 ) ", PriorConfig(name="normal", deviation=0.25)),
        ("normal(0.0, 1e-2)", PriorConfig(name="normal", deviation=0.01)),
        ("normal", PriorConfig()),
        ("uniform(-1, 1)", PriorConfig(name="uniform")),
        ("uniform(-0.5,2)", PriorConfig(name="uniform", low=-0.5, high=2.0)),
        ("glorot-normal", PriorConfig(name="glorot-normal")),
        ("glorot-uniform", PriorConfig(name="glorot-uniform", factor=1.44, fan="surviving")),
    ],
)
def test_priors_can_be_written_as_in_a_paper(written, expected):
    assert validate(SampleConfig, {"prior": written}, where="sample").prior == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("normal(1, 1)", r"expected normal\(0, deviation\)"),
        ("normal(0)", r"expected normal\(0, deviation\)"),
        ("normal(0, a)", "expected numbers in the brackets"),
        ("normal(0, -1)", "deviation"),
        ("normal(0, 0)", "deviation"),
        ("uniform(1, -1)", "the lower bound 1 is not below the upper one, -1"),
        ("uniform(2, 2)", "the lower bound 2 is not below"),
        ("uniform(-1)", r"expected normal\(0, deviation\)"),
        ("glorot-normal(0, 1)", r"expected normal\(0, deviation\)"),
        ("laplace", "laplace"),
        ("normal(0, 1", "normal"),
        ("normal(0, nan)", "deviation|finite"),
        ("normal(0, inf)", "deviation|finite"),
        ("uniform(-inf, 1)", "low|finite"),
        ("uniform(nan, 1)", "low|finite"),
        ({"name": "normal", "sd": 2}, "sd"),
        ({"name": "glorot-normal", "fan": "sparse"}, "fan"),
    ],
)
def test_other_priors_are_refused(written, message):
    with pytest.raises(InputError, match=message):
        validate(SampleConfig, {"prior": written}, where="sample")


@pytest.mark.parametrize("written", ["glorot-normal", "glorot-uniform"])
def test_biases_have_no_fans(written):
    with pytest.raises(InputError, match=r"(?i)glorot"):
        validate(SampleConfig, {"other_prior": written}, where="sample")
