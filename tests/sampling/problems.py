"""Data, networks and masks for the tests of sampling; references in NumPy, float64, and in plain Keras."""

import numpy as np
from arviz_stats.base import array_stats
from scipy.special import log_softmax

from tfticket.backend import keras, tf
from tfticket.config import SampleConfig
from tfticket.data import Dataset, Normalisation
from tfticket.data.normalisation import standard_floats
from tfticket.models import kernel_shapes, named_variables
from tfticket.sampling.build_posterior import build_posterior
from tfticket.sampling.metric import Metric
from tfticket.sampling.tuned_sampler import TunedSampler
from tfticket.tickets.ticket import Ticket

L = keras.layers


def dataset(x_train, y_train, x_other=None, y_other=None, classes=None, normalisation=None):
    """A data set of these training rows; the other two splits are the same rows unless others are given."""
    if x_other is None:
        x_other, y_other = x_train, y_train
    names = tuple(map(str, range(int(y_train.max()) + 1 if classes is None else classes)))
    y_train, y_other = y_train.astype(np.int32), y_other.astype(np.int32)
    splits = (x_train, y_train, x_other, y_other, x_other, y_other)
    return Dataset("rows", "rows", *splits, names, normalisation or Normalisation(), "", "")


def random_data(random, shape, classes=3, rows=50, normalisation=None):
    """Pixels and labels that have nothing to do with each other."""
    images = random.integers(0, 256, (rows, *shape)).astype(np.uint8)
    return dataset(images, random.integers(0, classes, rows), classes=classes, normalisation=normalisation)


def random_floats(random, shape, classes=3, rows=50):
    """Standardised floats of all scales, the first channel or feature constant; labels have nothing to do with them."""
    scale = 10.0 ** random.uniform(-3, 3, shape[-1])
    values = random.normal(size=(rows, *shape)) + 1000 * random.normal(size=shape[-1])
    values[..., 0] = 1.1
    values = (values * scale).astype(np.float32)
    return dataset(values, random.integers(0, classes, rows), classes=classes, normalisation=standard_floats(values))


def inputs_of(data, rows):
    """Rows as a network's inputs, float64, flat."""
    offset, scale, shift = (np.array(getattr(data.normalisation, name)) for name in ("offset", "scale", "shift"))
    return ((rows.astype(np.float64) - offset.astype(np.float32)) * scale + shift).reshape(len(rows), -1)


def mnist_of_three(data, rows):
    """Real digits 0, 1 and 2 at 7x7 pixels: training rows and 40 others."""
    parts = []
    for split, count in (("train", rows), ("validation", 40)):
        images, labels = data.split(split)
        chosen = np.flatnonzero(labels < 3)[:count]
        means = images[chosen].reshape(count, 7, 4, 7, 4, 1).mean(axis=(2, 4))
        parts += [means.round().astype(np.uint8), labels[chosen]]
    return dataset(*parts)


def network(shape, *layers):
    """A chain of layers over images or features."""
    return keras.Sequential([keras.Input(shape), *layers])


def small_network(activation="tanh"):
    """4x4 images, 3 classes, two dense layers: 5 units between."""
    return network((4, 4, 1), L.Flatten(), L.Dense(5, activation=activation), L.Dense(3))


def random_mask(random, model, density):
    """Each weight survives with this probability, but one at least does."""
    mask = {path: random.random(shape) < density for path, shape in kernel_shapes(model).items()}
    path = list(mask)[random.integers(len(mask))]
    mask[path].flat[random.integers(mask[path].size)] = True
    return mask


def random_weights(random, model, mask, gain=1.0):
    """Weights whose activations neither vanish nor grow, whatever survives; path -> float32."""
    weights = {}
    for path, (_, variable) in named_variables(model).items():
        kept = mask.get(path, np.ones(variable.shape, bool))
        fan = max(1.0, kept.reshape(-1, kept.shape[-1]).sum(axis=0).mean()) if path in mask else 4.0
        weights[path] = (gain * random.normal(size=kept.shape) / np.sqrt(fan)).astype(np.float32) * kept
    return weights


def ticket_of(model, data, mask=None, start=None):
    """A ticket of this model, dense unless a mask is given."""
    dense = Ticket.dense(model, data=data)
    return Ticket(dense.model, mask or dense.mask, start or dense.start, start or dense.initial)


def posterior_of(ticket, data, threads=1, engine="sparse", **values):
    return build_posterior(ticket, data, SampleConfig(engine=engine, **values), threads)


# References


def by_plain_keras(model, data, weights):
    """Log likelihood of the training rows, its gradient (path -> array), and the logits of the other rows."""
    variables = {path: variable for path, (_, variable) in named_variables(model).items()}
    for path, variable in variables.items():
        variable.assign(weights[path])
    train, others = (
        inputs_of(data, rows).reshape(rows.shape).astype(np.float32) for rows in (data.x_train, data.x_validation)
    )
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(data.y_train, model(train, training=False))
        log_likelihood = -tf.reduce_sum(losses)
    gradients = tape.gradient(log_likelihood, variables, unconnected_gradients="zero")
    return float(log_likelihood), {path: each.numpy() for path, each in gradients.items()}, model(others).numpy()


def normal_log_density(values, deviation):
    return float(np.sum(-0.5 * (values / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)))


def label_log_likelihood(logits, labels):
    return float(log_softmax(logits, axis=1)[np.arange(len(labels)), labels].sum())


def central_differences(function, at, coordinates, step=1e-5):
    """The gradient in some coordinates, by differences of both sides."""
    steps = step * np.eye(len(at))[coordinates]
    return np.array([(function(at + there) - function(at - there)) / (2 * step) for there in steps])


# Chains


class Target:
    """A density of a function's, u float64 [size] -> (log density, gradient): see ``protocol.Density``."""

    def __init__(self, size, log_density_and_gradient):
        self.size, self.metric, self._function = size, Metric.diagonal(np.ones(size)), log_density_and_gradient

    @np.errstate(all="ignore")  # of a diverging trajectory
    def log_density_and_gradient(self, whitened):
        value, gradient = self._function(self.metric.to_position(whitened))
        return float(value), self.metric.whiten_gradient(gradient)

    def as_tensor(self):
        def both(whitened):
            value, gradient = self.log_density_and_gradient(whitened)
            return np.float64(value), gradient

        @tf.custom_gradient
        def log_density(whitened):
            value, gradient = tf.numpy_function(both, [whitened], (tf.float64, tf.float64))
            gradient = tf.ensure_shape(gradient, whitened.shape)
            return tf.ensure_shape(value, []), lambda upstream: upstream * gradient

        return log_density


def sample(density, start, config, seed=0):
    """Warm up, then draw, with a sampler alone; return draws [draws, size], their statistics, and the sampler."""
    random, sampler = np.random.default_rng(seed), TunedSampler(density, len(start), config)
    sampler.begin(start, random)
    draws, stats = [], []
    for number in range(config.warmup + config.draws):
        drawn = sampler.step(random)
        if number < config.warmup:
            sampler.learn(drawn, random)
        else:
            draws.append(sampler.variables)
            stats.append(drawn)
    return np.array(draws), stats, sampler


def effective(draws):
    """Effective number of draws for the mean of each column."""
    return array_stats.ess(draws[None], chain_axis=0, draw_axis=1, method="mean")


def worst_difference(draws, means, errors=0.0):
    """The largest distance between the means of draws [draws, quantities] and those given, in standard errors."""
    own = draws.var(axis=0) / effective(draws)
    return float((np.abs(draws.mean(axis=0) - means) / np.sqrt(own + np.square(errors))).max())


# A posterior in closed form, by rows


class Regression:
    """500 outputs of one input over 40 rows, noise 1, prior N(0, 1): normal posteriors of one precision."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.rows, self.x = 40, random.normal(size=40) / 4
        self.y = np.outer(self.x, random.normal(size=500)) + random.normal(size=(40, 500))
        self.precision = self.x @ self.x + 1
        self.mean = self.x @ self.y / self.precision

    def log_density_and_gradient(self, at):
        gradient = self.precision * (self.mean - at)
        return 0.5 * float((at - self.mean) @ gradient), gradient

    def minibatch_gradient(self, at, minibatch):
        x = self.x[minibatch]
        return self.rows / len(x) * (x @ self.y[minibatch] - x @ x * at) - at

    def noise(self, size):
        """Variance of a minibatch's precision, and that of its gradient at the mean: of a sample of rows."""
        factor = self.rows**2 / size * (1 - size / self.rows)
        gradients = self.x[:, None] * (self.y - self.x[:, None] * self.mean)
        return factor * (self.x**2).var(ddof=1), factor * gradients.var(axis=0, ddof=1).mean()
