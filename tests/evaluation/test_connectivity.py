"""Mean inputs against models of plain Keras that end where a layer begins. Needs TensorFlow."""

import numpy as np
import pytest

from tfticket.backend import keras
from tfticket.errors import InputError, Stopped
from tfticket.evaluation import connectivity
from tfticket.evaluation.connectivity import Connectivity, by_weight, over_passes
from tfticket.models import initial_weights, kernel_shapes, named_variables, spec_of, to_variational

layers = keras.layers
IMAGE = (8, 8, 1)


def convolutional():
    images = keras.Input(IMAGE)
    x = layers.MaxPool2D(name="pool")(layers.Conv2D(4, 3, activation="relu", name="conv_1")(images))
    x = layers.Conv2D(6, 2, activation="tanh", groups=2, name="conv_2")(x)
    x = layers.Dense(5, activation="relu", name="dense_1")(layers.Flatten()(x))
    return _flat(keras.Model(images, layers.Dense(3, name="dense_2")(x)))


def residual():
    images = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, padding="same", name="conv_1")(images)
    x = layers.ReLU()(layers.BatchNormalization(name="norm_1")(x))
    branch = layers.BatchNormalization(name="norm_2")(layers.Conv2D(4, 3, padding="same", name="conv_2")(x))
    x = layers.ReLU()(layers.Add()([branch, layers.Conv2D(4, 1, name="shortcut")(x)]))
    branch = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv_3")(x)
    x = layers.GlobalAveragePooling2D()(layers.Add()([branch, x]))
    return _flat(keras.Model(images, layers.Dense(3, name="dense_1")(x)))


def shared():
    images = keras.Input(IMAGE)
    twice = layers.Dense(8, activation="relu", name="twice")
    x = layers.Dense(6, activation="relu", name="each")(twice(twice(layers.Reshape((8, 8))(images))))
    return _flat(keras.Model(images, layers.Dense(3, name="out")(layers.Flatten()(x))))


def nested():
    inside = keras.Input(IMAGE)
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inside)
    encoder = keras.Model(inside, layers.Dense(6, activation="relu", name="dense")(layers.Flatten()(x)), name="encoder")
    head = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5, activation="relu", name="dense"), layers.Dense(3, name="out")], name="head"
    )
    images = keras.Input(IMAGE)
    encode = keras.Model(encoder.input, encoder.get_layer("dense").input)
    decode = keras.Model(head.input, head.get_layer("out").input)
    inputs = {
        "encoder/conv/kernel": [lambda images: images],
        "encoder/dense/kernel": [encode],
        "head/dense/kernel": [encoder],
        "head/out/kernel": [lambda images: decode(encoder(images))],
    }
    return keras.Model(images, head(encoder(images))), inputs


def _flat(model):
    """The model, and for each kernel the models that end at its layer's calls."""
    inputs = {}
    for path in kernel_shapes(model):
        layer = model.get_layer(path.removesuffix("/kernel"))
        calls = range(len(layer.inbound_nodes))
        inputs[path] = [keras.Model(model.input, layer.get_input_at(call)) for call in calls]
    return model, inputs


class Problem:
    """A masked network, images, and the mean inputs of its layers by plain Keras."""

    def __init__(self, build, rows):
        random = np.random.default_rng(0)
        model, inputs = build()
        self.spec = spec_of(model)
        self.mask = {path: random.random(shape) < 0.6 for path, shape in kernel_shapes(model).items()}
        self.paths = list(self.mask)
        self.weights = {
            path: array if path in self.mask else random.uniform(0.1, 1.0, array.shape).astype(np.float32)
            for path, array in initial_weights(model, seed=1).items()
        }
        self.images = random.integers(0, 256, (rows, *IMAGE)).astype(np.uint8)
        self.model, self.reached = model, inputs

    def expected(self, path, mask=None):
        """By plain Keras; under the problem's mask if no other is given."""
        mask = mask or self.mask
        for name, (_, variable) in named_variables(self.model).items():
            variable.assign(self.weights[name] * mask.get(name, 1))
        calls = [np.asarray(call(self.images.astype(np.float32) / 255), float) for call in self.reached[path]]
        return np.mean([values.reshape(-1, values.shape[-1]).mean(0) for values in calls], 0)

    def connectivity(self, **hooks):
        return Connectivity(self.spec, self.weights, self.images, **hooks)

    def check_layer_by_layer(self):
        """As a ticket is drawn: a layer's mask is chosen once its input was looked at."""
        inputs, mask = self.connectivity(), {path: np.ones_like(kept) for path, kept in self.mask.items()}
        for path in self.paths:
            assert_close(inputs.of([path], mask, keep=True)[path], self.expected(path, mask))
            mask[path] = self.mask[path]


def assert_close(found, expected):
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


BUILDS = [convolutional, residual, shared, nested]
TILE = 100


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr("tfticket.network.TILE", TILE)


@pytest.fixture(scope="module", params=BUILDS, ids=lambda build: build.__name__)
def problem(request):
    return Problem(request.param, rows=2 * TILE + 37)


def test_it_is_the_mean_of_what_reaches_a_layer_over_rows_positions_and_calls(problem):
    found = problem.connectivity().of(problem.paths, problem.mask)
    assert list(found) == problem.paths
    for path in problem.paths:
        assert_close(found[path], problem.expected(path))


def test_of_a_variational_network_it_is_that_of_the_network_of_means():
    plain, _ = convolutional()
    variational = to_variational(plain)
    weights = {path: variable.numpy() for path, (_, variable) in named_variables(variational).items()}
    mask = {path: np.random.default_rng(3).random(shape) < 0.5 for path, shape in kernel_shapes(plain).items()}
    images = np.random.default_rng(4).integers(0, 256, (20, *IMAGE), np.uint8)
    means = {path: array for path, array in weights.items() if not path.endswith("_rho")}
    found = Connectivity(spec_of(variational), weights, images).of(list(mask), mask)
    expected = Connectivity(spec_of(plain), means, images).of(list(mask), mask)
    assert found.keys() == expected.keys()
    for path in mask:
        assert_close(found[path], expected[path])


def test_layer_by_layer_it_is_that_of_the_network_masked_so_far(problem):
    problem.check_layer_by_layer()


def test_without_room_for_inputs_all_begin_at_the_images(problem, monkeypatch):
    monkeypatch.setattr(connectivity, "CACHE_BYTES", 0)
    problem.check_layer_by_layer()


@pytest.mark.parametrize("rows", [1, TILE - 1, TILE, TILE + 1])
def test_no_row_counts_twice_and_none_is_left_out(rows):
    problem = Problem(convolutional, rows)
    (last,) = problem.paths[-1:]
    assert_close(problem.connectivity().of([last], problem.mask)[last], problem.expected(last))


def since_the_first_mask_changed():
    """A conv net's last mean inputs, where the third layer's inputs were to be kept; and those by plain Keras."""
    problem = Problem(convolutional, rows=TILE + 37)
    first, _, third, last = problem.paths
    inputs = problem.connectivity()
    inputs.of([third], problem.mask, keep=True)
    changed = problem.mask | {first: np.zeros_like(problem.mask[first])}
    return inputs.of([last], changed)[last], problem.expected(last), problem.expected(last, changed)


KEPT_OF_THE_THIRD = 4 * (TILE + 37) * 2 * 2 * 6


@pytest.mark.parametrize("room", [KEPT_OF_THE_THIRD, KEPT_OF_THE_THIRD - 1])
def test_what_lies_before_a_kept_layer_is_not_computed_again_if_there_was_room(room, monkeypatch):
    monkeypatch.setattr(connectivity, "CACHE_BYTES", room)
    found, before, after = since_the_first_mask_changed()
    assert np.abs(before - after).max() > 1e-3
    assert_close(found, before if room == KEPT_OF_THE_THIRD else after)


def test_it_tells_how_far_it_is_and_can_be_stopped():
    problem, told = Problem(convolutional, rows=2 * TILE + 37), []
    with pytest.raises(Stopped):
        problem.connectivity(on_progress=lambda *done: told.append(done), should_stop=lambda: len(told) == 2).of(
            problem.paths, problem.mask
        )
    assert told == [(TILE, 2 * TILE + 37), (2 * TILE, 2 * TILE + 37)]


def test_several_passes_are_told_as_one():
    told = []
    tell = over_passes(lambda *done: told.append(done), 3)
    for _ in range(3):
        tell(40, 60)
        tell(60, 60)
    assert told == [(40, 180), (60, 180), (100, 180), (120, 180), (160, 180), (180, 180)]


@pytest.mark.parametrize("images", [np.zeros((5, 9, 9, 1), np.uint8), np.zeros((5, *IMAGE), np.float32)])
def test_images_that_the_network_does_not_take_are_refused(images):
    problem = Problem(convolutional, rows=5)
    with pytest.raises(InputError, match=r"^Expected images uint8 \[rows, 8, 8, 1\]; got "):
        Connectivity(problem.spec, problem.weights, images)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_each_weight_has_the_input_that_it_multiplies(groups):
    """A weight is alone in its kernel; the channel it hears is the one whose change changes the output."""
    layer = layers.Conv2D(6, 1, groups=groups, use_bias=False)
    channels = np.arange(1.0, 7.0)
    layer.build((None, 1, 1, 6))
    shape = tuple(layer.kernel.shape)
    heard = np.zeros(shape)
    for place in np.ndindex(shape):
        kernel = np.zeros(shape, np.float32)
        kernel[place] = 1
        layer.kernel.assign(kernel)
        heard[place] = layer(channels.reshape(1, 1, 1, 6).astype(np.float32)).numpy().sum()
    np.testing.assert_array_equal(by_weight(channels, shape), heard)
    np.testing.assert_array_equal(by_weight(channels, (3, 2, *shape[2:])), np.broadcast_to(heard, (3, 2, *shape[2:])))


def test_a_dense_weight_has_its_units_input():
    np.testing.assert_array_equal(by_weight(np.array([2.0, 5.0]), (2, 3)), [[2, 2, 2], [5, 5, 5]])
