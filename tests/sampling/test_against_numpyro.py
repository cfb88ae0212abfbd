"""Posteriors that NumPyro's NUTS samples too, dense and in float64. Needs TensorFlow."""

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from jax import numpy as jnp
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import log_density
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer

from tests.sampling.problems import (
    L,
    dataset,
    effective,
    inputs_of,
    label_log_likelihood,
    mnist_of_three,
    network,
    normal_log_density,
    posterior_of,
    random_mask,
    ticket_of,
    worst_difference,
)
from tfticket.config import SampleConfig
from tfticket.data.normalisation import standard_floats
from tfticket.sampling.chain import Hooks, run_chain

ERRORS = 4.5
"""Standard errors that the worst of some hundred moments may be off."""


@pytest.fixture(autouse=True)
def float64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def uniform_or_normal(prior, shape):
    chosen = dist.Normal(0.0, 1.0) if prior == "normal(0, 1)" else dist.Uniform(-0.5, 1.0)
    return chosen.expand(shape).to_event(len(shape))


def dense(images, kernels, biases):
    """Logits of dense layers with tanh between."""
    x = images
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        x = jnp.tanh(x) if number else x
        x = x @ kernel + bias
    return x


def model(images, labels, masks, prior):
    """A masked network; what it samples is called theta, tensor by tensor."""
    kernels, biases = [], []
    for number, mask in enumerate(masks):
        theta = numpyro.sample(f"kernel {number}", uniform_or_normal(prior, (int(mask.sum()),)))
        kernels.append(jnp.zeros(mask.shape).at[np.nonzero(mask)].set(theta))
        biases.append(numpyro.sample(f"bias {number}", uniform_or_normal("normal(0, 1)", mask.shape[-1:])))
    numpyro.sample("labels", dist.Categorical(logits=dense(images, kernels, biases)), obs=labels)


def numpyros_draws(data, masks, prior, draws=500):
    """Theta [draws, size] in our order: kernel, bias, kernel, ..."""
    kernel = NUTS(model, max_tree_depth=6)
    chain = MCMC(kernel, num_warmup=200, num_samples=draws, progress_bar=False)
    chain.run(jax.random.PRNGKey(0), inputs_of(data, data.x_train), data.y_train, masks, prior)
    found = {name: np.asarray(values) for name, values in chain.get_samples().items()}
    parts = [found[f"{kind} {number}"] for number in range(len(masks)) for kind in ("kernel", "bias")]
    return np.concatenate(parts, axis=1)


def our_draws(posterior, data, **values):
    saved = []
    config = SampleConfig(warmup=150, draws=300, **values)
    hooks = Hooks(save=lambda chain, position, results, draws: saved.append(draws))
    chain = run_chain(posterior, config, 1, 0, {"validation": data.split("validation")}, hooks=hooks)
    assert not any(chain.sample_stats["diverging"][150:])
    return np.concatenate(saved).astype(float), chain


def in_numpy(theta, masks, inputs):
    """Logits, float64 [rows, classes]."""
    x, begin = inputs, 0
    for number, mask in enumerate(masks):
        kernel = np.zeros(mask.shape)
        kernel[mask] = theta[begin : (begin := begin + int(mask.sum()))]
        x = np.tanh(x) if number else x
        x = x @ kernel + theta[begin : (begin := begin + mask.shape[-1])]
    return x


def predictions(draws, masks, inputs):
    """Probabilities [draws, rows * classes]."""
    return np.stack([softmax(in_numpy(draw, masks, inputs), axis=1).ravel() for draw in draws])


def agree(ours, theirs):
    """Whether means and variances are within their errors."""
    centre = theirs.mean(axis=0)
    for own, other in ((ours, theirs), ((ours - centre) ** 2, (theirs - centre) ** 2)):
        errors = [each.std(axis=0) for each in (own, other)]
        kept = np.minimum(*errors) > 1e-12
        error = other[:, kept].std(axis=0) / np.sqrt(effective(other[:, kept]))
        assert worst_difference(own[:, kept], other[:, kept].mean(axis=0), error) < ERRORS


@pytest.mark.slow
@pytest.mark.parametrize("prior", ["normal(0, 1)", "uniform(-0.5, 1)"])
def test_multinomial_logistic_regression_has_the_posterior_that_numpyro_finds(data, prior):
    digits = mnist_of_three(data, 150)
    ticket = ticket_of(network((7, 7, 1), L.Flatten(), L.Dense(3)), digits)
    posterior = posterior_of(ticket, digits, prior=prior)
    masks = list(ticket.mask.values())
    ours, chain = our_draws(posterior, digits, prior=prior)
    theirs = numpyros_draws(digits, masks, prior)
    agree(ours, theirs)
    check_predictions(chain, ours, theirs, masks, digits)


def check_predictions(chain, ours, theirs, masks, data):
    own, other = (predictions(draws, masks, inputs_of(data, data.x_validation)) for draws in (ours, theirs))
    agree(own, other)
    np.testing.assert_allclose(chain.probabilities("validation").ravel(), own.mean(axis=0), atol=1e-5)


def test_logistic_regression_on_measured_features_has_the_posterior_that_numpyro_finds():
    values, labels = load_breast_cancer(return_X_y=True)
    rows = values[:, [1, 4, 8, 9]].astype(np.float32)  # features that say little of one another: short trees
    normalisation = standard_floats(rows[:150])
    tumours = dataset(rows[:150], labels[:150], rows[150:190], labels[150:190], normalisation=normalisation)
    ticket = ticket_of(network((4,), L.Dense(2)), tumours)
    ours, chain = our_draws(posterior_of(ticket, tumours), tumours)
    masks = list(ticket.mask.values())
    theirs = numpyros_draws(tumours, masks, "normal(0, 1)")
    agree(ours, theirs)
    check_predictions(chain, ours, theirs, masks, tumours)


@pytest.fixture
def masked(data):
    """A network of two dense layers, a third of its weights left, and digits."""
    digits = mnist_of_three(data, 100)
    chain = network((7, 7, 1), L.Flatten(), L.Dense(6, activation="tanh"), L.Dense(3))
    ticket = ticket_of(chain, digits, random_mask(np.random.default_rng(0), chain, 0.3))
    return ticket, digits


@pytest.mark.parametrize("engine", ["sparse", "keras"])
def test_log_density_differences_are_numpyros(masked, engine):
    """Over 100 rows: NumPy and NumPyro in float64 to 1e-8; ours, which sums rows in float32, to 1e-4."""
    ticket, digits = masked
    posterior = posterior_of(ticket, digits, engine=engine)
    masks = list(ticket.mask.values())
    images = inputs_of(digits, digits.x_train)
    random = np.random.default_rng(1)
    found = []
    for _ in range(5):
        u = posterior.prior.draw(random)
        parts = {
            f"{path.rpartition('/')[2]} {number // 2}": u[part]
            for number, (path, part) in enumerate(posterior.layout.slices.items())
        }
        theirs, _ = log_density(model, (images, digits.y_train, masks, "normal(0, 1)"), {}, parts)
        exact = label_log_likelihood(in_numpy(u, masks, images), digits.y_train) + normal_log_density(u, 1.0)
        found.append((float(theirs), exact, posterior.log_density_and_gradient(u)[0]))
    theirs, exact, ours = (np.diff(column) for column in np.transpose(found))
    np.testing.assert_allclose(exact, theirs, rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_masked_network_predicts_what_numpyros_nuts_does(masked):
    ticket, digits = masked
    masks = list(ticket.mask.values())
    ours, chain = our_draws(posterior_of(ticket, digits), digits, max_tree_depth=5)
    theirs = numpyros_draws(digits, masks, "normal(0, 1)")
    own, other = (predictions(draws, masks, inputs_of(digits, digits.x_validation)) for draws in (ours, theirs))
    assert np.abs(own.mean(axis=0) - other.mean(axis=0)).max() < 0.05
    agree(own, other)
    inputs = inputs_of(digits, digits.x_train)
    likelihoods = [
        np.array([[label_log_likelihood(in_numpy(draw, masks, inputs), digits.y_train)] for draw in draws])
        for draws in (ours, theirs)
    ]
    agree(*likelihoods)
    np.testing.assert_allclose(chain.sample_stats["log_likelihood"][150:], likelihoods[0][:, 0], rtol=0, atol=1e-3)
