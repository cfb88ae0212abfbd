"""Data, networks and masks for the tests of sampling; references in NumPy, float64, and in plain Keras."""

import numpy as np
from arviz_stats.base import array_stats
from scipy.special import log_softmax

from tfticket.backend import keras, tf
from tfticket.config import SampleConfig
from tfticket.data import Dataset, Normalisation
from tfticket.data.normalisation import standard_floats
from tfticket.models import kernel_shapes, named_variables
from tfticket.sampling.build import build_posterior
from tfticket.sampling.warmup import Adaptation, reasonable_step_size
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


def sample(sampler, density, start, warmup, draws, seed):
    """Warm up, then draw, with a sampler alone; return draws [draws, size], their statistics, and the warm-up."""
    random = np.random.default_rng(seed)
    adaptation = Adaptation.begin(warmup, len(start), 0.8)

    def find_step_size(position):
        adaptation.dual.restart(reasonable_step_size(density, position, adaptation.inverse_mass_sqrt, random))

    state, positions, stats = sampler.init(start), [], []
    find_step_size(start)
    for number in range(warmup + draws):
        seeds = tuple(random.integers(2**31, size=2).tolist())
        state, info = sampler.step(state, adaptation.step_size, adaptation.inverse_mass_sqrt, seeds)
        position = state.position.numpy()
        if number >= warmup:
            positions.append(position)
            stats.append(info)
        elif adaptation.update(position, sampler.gradient(state), info.acceptance_rate):
            find_step_size(position)
    return np.array(positions), stats, adaptation


def effective(draws):
    """Effective number of draws for the mean of each column."""
    return array_stats.ess(draws[None], chain_axis=0, draw_axis=1, method="mean")


def worst_difference(draws, means, errors=0.0):
    """The largest distance between the means of draws [draws, quantities] and those given, in standard errors."""
    own = draws.var(axis=0) / effective(draws)
    return float((np.abs(draws.mean(axis=0) - means) / np.sqrt(own + np.square(errors))).max())
