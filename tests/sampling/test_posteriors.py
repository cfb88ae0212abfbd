"""Posteriors that NumPyro's NUTS samples too, dense and in float64. Needs TensorFlow; takes minutes."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer

from tests.sampling import problems
from tests.sampling.problems import L, dataset, inputs_of, network, posterior_of, ticket_of
from tfticket.config import SampleConfig
from tfticket.data.normalisation import standard_floats
from tfticket.sampling.chain import Hooks, run_chain

pytestmark = pytest.mark.slow
ERRORS = 4.5
"""Standard errors that the worst of some hundred moments may be off."""


@pytest.fixture
def by_numpyro():
    """Draws by NumPyro's NUTS, dense and in float64, and their log densities."""
    import jax  # it takes seconds
    import numpyro
    import numpyro.distributions as dist
    from jax import numpy as jnp

    def model(inputs, labels, masks, prior):
        """A masked network with tanh between its layers; its samples are theta, tensor by tensor."""
        x, normal = inputs, dist.Normal(0.0, 1.0)
        for number, mask in enumerate(masks):
            kernels = normal if prior == "normal(0, 1)" else dist.Uniform(-0.5, 1.0)
            theta = numpyro.sample(f"{number} kernel", kernels.expand([int(mask.sum())]).to_event(1))
            bias = numpyro.sample(f"{number} bias", normal.expand(mask.shape[-1:]).to_event(1))
            x = (jnp.tanh(x) if number else x) @ jnp.zeros(mask.shape).at[np.nonzero(mask)].set(theta) + bias
        numpyro.sample("labels", dist.Categorical(logits=x), obs=labels)

    def draws(*arguments):
        kernel = numpyro.infer.NUTS(model, max_tree_depth=6)
        chain = numpyro.infer.MCMC(kernel, num_warmup=200, num_samples=500, progress_bar=False)
        chain.run(jax.random.PRNGKey(0), *arguments)
        samples = {name: np.asarray(values) for name, values in chain.get_samples().items()}
        names = [f"{number} {kind}" for number in range(len(arguments[2])) for kind in ("kernel", "bias")]
        some = [{name: values[draw] for name, values in samples.items()} for draw in range(4)]
        densities = [float(numpyro.infer.util.log_density(model, arguments, {}, parts)[0]) for parts in some]
        return np.concatenate([samples[name] for name in names], axis=1), np.array(densities)

    jax.config.update("jax_enable_x64", True)
    yield draws
    jax.config.update("jax_enable_x64", False)


def in_numpy(theta, masks, inputs):
    """Logits, float64 [rows, classes]."""
    x, begin = inputs, 0
    for number, mask in enumerate(masks):
        kernel = np.zeros(mask.shape)
        kernel[mask] = theta[begin : (begin := begin + int(mask.sum()))]
        x = (np.tanh(x) if number else x) @ kernel + theta[begin : (begin := begin + mask.shape[-1])]
    return x


def agree(ours, theirs):
    """Assert that means and variances are within their errors."""
    centre = theirs.mean(axis=0)
    for own, other in ((ours, theirs), ((ours - centre) ** 2, (theirs - centre) ** 2)):
        kept = np.minimum(own.std(axis=0), other.std(axis=0)) > 1e-12
        error = other[:, kept].std(axis=0) / np.sqrt(problems.effective(other[:, kept]))
        assert problems.worst_difference(own[:, kept], other[:, kept].mean(axis=0), error) < ERRORS


def measured_features(data):
    values, labels = load_breast_cancer(return_X_y=True)
    rows = values[:, [1, 4, 8, 9]].astype(np.float32)  # features that say little of one another: short trees
    normalisation = standard_floats(rows[:150])
    return network((4,), L.Dense(2)), dataset(
        rows[:150], labels[:150], rows[150:190], labels[150:190], 2, normalisation
    )


def digits(data):
    return network((7, 7, 1), L.Flatten(), L.Dense(3)), problems.mnist_of_three(data, 150)


def masked_network(data):
    return network((7, 7, 1), L.Flatten(), L.Dense(6, activation="tanh"), L.Dense(3)), problems.mnist_of_three(
        data, 100
    )


@pytest.mark.parametrize(
    ("problem", "prior"),
    [(measured_features, "normal(0, 1)"), (digits, "uniform(-0.5, 1)"), (masked_network, "normal(0, 1)")],
)
def test_weights_predictions_and_log_densities_are_those_of_numpyro(problem, prior, data, by_numpyro):
    model, rows = problem(data)
    mask = problems.random_mask(np.random.default_rng(0), model, 0.3) if problem is masked_network else None
    ticket, saved = ticket_of(model, rows, mask), []
    posterior, masks = posterior_of(ticket, rows, prior=prior), list(ticket.mask.values())
    config = SampleConfig(warmup=150, draws=300, prior=prior, max_tree_depth=5 if mask else 10)
    hooks = Hooks(save=lambda chain, position, results, draws: saved.append(draws))
    chain = run_chain(posterior, config, 1, 0, {"validation": rows.split("validation")}, hooks=hooks)
    assert not any(chain.sample_stats["diverging"][150:])
    inputs, others = inputs_of(rows, rows.x_train), inputs_of(rows, rows.x_validation)
    theirs, log_densities = by_numpyro(inputs, rows.y_train, masks, prior)
    thetas = np.concatenate(saved).astype(float), theirs
    if mask is None:  # whose units cannot be permuted
        agree(*thetas)
    predicted = [[softmax(in_numpy(theta, masks, others), axis=1).ravel() for theta in draws] for draws in thetas]
    agree(*map(np.array, predicted))
    np.testing.assert_allclose(chain.probabilities("validation").ravel(), np.mean(predicted[0], axis=0), atol=1e-5)
    likelihoods = [
        np.array([[problems.label_log_likelihood(in_numpy(theta, masks, inputs), rows.y_train)] for theta in draws])
        for draws in thetas
    ]
    agree(*likelihoods)
    np.testing.assert_allclose(chain.sample_stats["log_likelihood"][150:], likelihoods[0][:, 0], rtol=0, atol=1e-3)
    for engine in ("sparse", "keras") if prior == "normal(0, 1)" else ():  # else NumPyro's are of the bounded weights
        posterior = posterior_of(ticket, rows, engine=engine)
        ours = [posterior.log_density_and_gradient(theta)[0] for theta in theirs[:4]]
        np.testing.assert_allclose(np.diff(ours), np.diff(log_densities), rtol=0, atol=2e-4)  # sums of float32
