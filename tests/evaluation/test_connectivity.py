"""Mean inputs against models of plain Keras that end where a layer begins. Needs TensorFlow."""

import functools

import numpy as np
import pytest

from tests.refusals import refused
from tfticket.backend import keras
from tfticket.errors import Stopped
from tfticket.evaluation import connectivity
from tfticket.evaluation.connectivity import Connectivity, by_weight, over_passes
from tfticket.models import initial_weights, kernel_shapes, named_variables, spec_of, to_variational

L = keras.layers
IMAGE, TILE = (8, 8, 1), 20


def of_calls(images, outputs):
    """A model, and for each kernel the models that end at the calls of its layer."""
    model = keras.Model(images, outputs)
    calls = {}
    for path in kernel_shapes(model):
        layer = model.get_layer(path.removesuffix("/kernel"))
        inputs = [layer.get_input_at(call) for call in range(len(layer.inbound_nodes))]
        calls[path] = [keras.Model(model.input, tensor) for tensor in inputs]
    return model, calls


def convolutional():
    images = keras.Input(IMAGE)
    x = L.MaxPool2D(name="pool")(L.Conv2D(4, 3, activation="relu", name="conv_1")(images))
    x = L.Conv2D(6, 2, activation="tanh", groups=2, name="conv_2")(x)
    x = L.Dense(5, activation="relu", name="dense_1")(L.Flatten()(x))
    return of_calls(images, L.Dense(3, name="dense_2")(x))


def residual():
    """A branch in which one layer is called twice."""
    images = keras.Input(IMAGE)
    x = L.ReLU()(L.BatchNormalization(name="norm")(L.Conv2D(4, 3, padding="same", name="conv_1")(images)))
    twice = L.Conv2D(4, 3, padding="same", activation="relu", name="twice")
    x = L.Add()([twice(twice(x)), L.Conv2D(4, 1, name="shortcut")(x)])
    return of_calls(images, L.Dense(3, name="dense_1")(L.GlobalAveragePooling2D()(x)))


def nested():
    inside, images = keras.Input(IMAGE), keras.Input(IMAGE)
    x = L.Flatten()(L.Conv2D(4, 3, activation="relu", name="conv")(inside))
    encoder = keras.Model(inside, L.Dense(6, activation="relu", name="dense")(x), name="encoder")
    head = keras.Sequential([keras.Input((6,)), L.Dense(5, "relu", name="dense"), L.Dense(3, name="out")], name="head")
    decode = keras.Model(head.input, head.get_layer("out").input)
    calls = {
        "encoder/conv/kernel": [lambda images: images],
        "encoder/dense/kernel": [keras.Model(encoder.input, encoder.get_layer("dense").input)],
        "head/dense/kernel": [encoder],
        "head/out/kernel": [lambda images: decode(encoder(images))],
    }
    return keras.Model(images, head(encoder(images))), calls


class Problem:
    """A masked network, images, and the mean inputs of its layers by plain Keras."""

    def __init__(self, build=convolutional, rows=TILE + 7):
        random = np.random.default_rng(0)
        self.model, self.calls = build()
        self.spec = spec_of(self.model)
        self.mask = {path: random.random(shape) < 0.6 for path, shape in kernel_shapes(self.model).items()}
        self.weights = {
            path: array if path in self.mask else random.uniform(0.1, 1.0, array.shape).astype(np.float32)
            for path, array in initial_weights(self.model, seed=1).items()
        }
        self.images = random.integers(0, 256, (rows, *IMAGE)).astype(np.uint8)

    def expected(self, path, mask=None):
        """By plain Keras; under the problem's mask if no other is given."""
        for name, (_, variable) in named_variables(self.model).items():
            variable.assign(self.weights[name] * (mask or self.mask).get(name, 1))
        calls = [np.asarray(call(self.images.astype(np.float32) / 255), float) for call in self.calls[path]]
        return np.mean([values.reshape(-1, values.shape[-1]).mean(0) for values in calls], 0)

    def connectivity(self, **hooks):
        return Connectivity(self.spec, self.weights, self.images, **hooks)


problem_of = functools.cache(Problem)


def assert_close(means, expected):
    assert means.dtype == np.float64
    np.testing.assert_allclose(means, expected, rtol=1e-5, atol=1e-6)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch, without_xla):
    monkeypatch.setattr("tfticket.network.TILE", TILE)


@pytest.mark.parametrize("build", [convolutional, residual, nested], ids=lambda build: build.__name__)
def test_mean_inputs_over_rows_positions_and_calls_at_once_and_layer_by_layer(build):
    """Layer by layer, as a ticket is drawn: a layer's mask is chosen after its inputs are known."""
    problem = problem_of(build)
    means = problem.connectivity().of(list(problem.mask), problem.mask)
    assert list(means) == list(problem.mask)
    layerwise, mask = problem.connectivity(), {path: np.ones_like(kept) for path, kept in problem.mask.items()}
    for path, kept in problem.mask.items():
        assert_close(means[path], problem.expected(path))
        assert_close(layerwise.of([path], mask, keep=True)[path], problem.expected(path, mask))
        mask[path] = kept


def test_of_a_variational_network_they_are_those_of_the_network_of_means():
    problem = problem_of()
    variational = to_variational(problem.model)
    weights = initial_weights(variational, 0) | problem.weights
    means = Connectivity(spec_of(variational), weights, problem.images).of(list(problem.mask), problem.mask)
    for path, mean in means.items():
        assert_close(mean, problem.expected(path))


@pytest.mark.parametrize("rows", [1, TILE])
def test_each_row_counts_once(rows):
    problem = problem_of(rows=rows)
    last = list(problem.mask)[-1]
    assert_close(problem.connectivity().of([last], problem.mask)[last], problem.expected(last))


CACHED = 4 * (TILE + 7) * 2 * 2 * 6
"""Bytes of the inputs of the third layer."""


@pytest.mark.parametrize("room", [CACHED, CACHED - 1])
def test_layers_before_cached_inputs_are_not_computed_again_if_there_is_room(room, monkeypatch):
    monkeypatch.setattr(connectivity, "CACHE_BYTES", room)
    problem = problem_of()
    first, _, third, last = problem.mask
    inputs = problem.connectivity()
    inputs.of([third], problem.mask, keep=True)
    changed = problem.mask | {first: np.zeros_like(problem.mask[first])}
    before, after = problem.expected(last), problem.expected(last, changed)
    assert np.abs(before - after).max() > 1e-3
    assert_close(inputs.of([last], changed)[last], before if room == CACHED else after)


def test_progress_is_reported_by_tiles_and_the_user_can_stop():
    problem, done = problem_of(), []
    hooks = {"on_progress": lambda *images: done.append(images), "should_stop": lambda: len(done) == 2}
    with pytest.raises(Stopped):
        problem.connectivity(**hooks).of(list(problem.mask), problem.mask)
    assert done == [(TILE, TILE + 7), (TILE + 7, TILE + 7)]
    passes = []
    on_progress = over_passes(lambda *images: passes.append(images), 3)
    for images in (40, 60) * 3:
        on_progress(images, 60)
    assert passes == [(40, 180), (60, 180), (100, 180), (120, 180), (160, 180), (180, 180)]


def test_images_that_the_network_does_not_take_are_refused():
    problem = problem_of()
    for images in (np.zeros((5, 9, 9, 1), np.uint8), np.zeros((5, *IMAGE), np.float32)):
        with refused("rows", None, "uint8 [rows, 8, 8, 1]", str(images.dtype), str(images.shape)):
            Connectivity(problem.spec, problem.weights, images)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_each_weight_has_the_mean_input_that_it_multiplies(groups):
    """With a single weight in the kernel, the output is the channel that it multiplies."""
    layer = L.Conv2D(6, 1, groups=groups, use_bias=False)
    layer.build((None, 1, 1, 6))
    channels, shape = np.arange(1.0, 7.0), tuple(layer.kernel.shape)
    inputs = np.zeros(shape)
    for place in np.ndindex(shape):
        kernel = np.zeros(shape, np.float32)
        kernel[place] = 1
        layer.kernel.assign(kernel)
        inputs[place] = layer(channels.reshape(1, 1, 1, 6).astype(np.float32)).numpy().sum()
    np.testing.assert_array_equal(by_weight(channels, shape), inputs)
    np.testing.assert_array_equal(by_weight(channels, (3, 2, *shape[2:])), np.broadcast_to(inputs, (3, 2, *shape[2:])))
    np.testing.assert_array_equal(by_weight(np.array([2.0, 5.0]), (2, 3)), [[2, 2, 2], [5, 5, 5]])
