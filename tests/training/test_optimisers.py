"""Optimisers and learning rates. Needs TensorFlow."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rounding import EPS
from tfticket.backend import keras, tf
from tfticket.config import Adam, Sgd, TrainConfig
from tfticket.config.durations import iterations_in
from tfticket.training.optimisers import learning_rates, make_optimiser


def adam(config, weight, gradients):
    first = second = np.zeros_like(weight)
    for count, gradient in enumerate(gradients, start=1):
        first = config.beta_1 * first + (1 - config.beta_1) * gradient
        second = config.beta_2 * second + (1 - config.beta_2) * gradient**2
        rate = config.learning_rate * np.sqrt(1 - config.beta_2**count) / (1 - config.beta_1**count)
        weight = weight - rate * first / (np.sqrt(second) + config.epsilon)
    return weight


def sgd(config, weight, gradients):
    velocity = np.zeros_like(weight)
    for gradient in gradients:
        velocity = config.momentum * velocity - config.learning_rate * gradient
        ahead = config.momentum * velocity - config.learning_rate * gradient
        weight = weight + (ahead if config.nesterov else velocity)
    return weight


CASES = [
    (Adam(), adam),
    (Adam(learning_rate=0.1, beta_1=0.5, beta_2=0.7, epsilon=0.3), adam),
    (Sgd(momentum=0.0), sgd),
    (Sgd(learning_rate=0.3, momentum=0.8), sgd),
    (Sgd(learning_rate=0.3, momentum=0.8, nesterov=True), sgd),
]


@pytest.mark.parametrize(("config", "by_hand"), CASES)
def test_updates_are_those_of_the_papers(config, by_hand):
    assert {type(case) for case, _ in CASES} == set(get_args(TrainConfig.model_fields["optimiser"].annotation))
    random = np.random.default_rng(0)
    weight, gradients = random.normal(size=(3, 2)), random.normal(size=(4, 3, 2))
    variable = tf.Variable(weight.astype(np.float32))
    optimiser = make_optimiser(config)
    for gradient in gradients:
        optimiser.apply_gradients([(tf.constant(gradient.astype(np.float32)), variable)])
    np.testing.assert_allclose(variable.numpy(), by_hand(config, weight, gradients), rtol=1e-5, atol=1e-6)


def rates(**values):
    config = TrainConfig(optimiser={"name": "sgd", "learning_rate": 0.2}, batch_size=10, **values)
    return learning_rates(config, 100, 0, iterations_in(config.epochs, 100, 10))


def test_the_rate_falls_at_milestones_rises_in_a_warm_up_and_follows_a_cosine_to_0():
    config = TrainConfig(optimiser=Sgd(learning_rate=0.8), milestones=["3it", "1ep"], gamma=0.5, batch_size=10)
    falling = learning_rates(config, rows=50, first=0, last=7)
    assert falling.dtype == np.float32
    np.testing.assert_allclose(falling, [0.8, 0.8, 0.8, 0.4, 0.4, 0.2, 0.2])
    np.testing.assert_array_equal(learning_rates(TrainConfig(), 50, 3, 6), np.full(3, 1.2e-3, np.float32))
    warm, cold = rates(epochs="100it", warmup="10it", milestones=("50it",)), rates(epochs="100it", milestones=("50it",))
    cosine = rates(epochs="110it", warmup="1ep", schedule="cosine")
    for rising in (warm, cosine):
        np.testing.assert_allclose(rising[:10], 0.2 * np.arange(1, 11) / 10, rtol=1e-6)
    np.testing.assert_array_equal(warm[10:], cold[10:])
    expected = [float(keras.optimizers.schedules.CosineDecay(0.2, 100)(step)) for step in range(100)]
    # Keras' float32 1 + cos(x) is off by an eps, be it 2 or nearly 0.
    np.testing.assert_allclose(cosine[10:], expected, rtol=0, atol=0.2 * EPS)


MOMENTS = st.tuples(st.integers(0, 5), st.sampled_from(["ep", "it"])).map(lambda moment: f"{moment[0]}{moment[1]}")
MILESTONES = st.lists(MOMENTS, max_size=3, unique=True)


@given(MILESTONES, st.integers(1, 40), st.integers(1, 10), st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_the_rate_depends_on_the_iteration_and_not_on_the_cut(milestones, rows, batch_size, cuts):
    config = TrainConfig(milestones=milestones, batch_size=batch_size)
    bounds = sorted({0, *cuts, 60})
    parts = [learning_rates(config, rows, first, last) for first, last in pairwise(bounds)]
    passed = [sum(now >= iterations_in(m, rows, batch_size) for m in milestones) for now in range(60)]
    np.testing.assert_allclose(np.concatenate(parts), 1.2e-3 * 0.1 ** np.array(passed), rtol=1e-6)
    np.testing.assert_array_equal(np.concatenate(parts), learning_rates(config, rows, 0, 60))
