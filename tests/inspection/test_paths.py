"""Paths, live survivors and what is dead, against counts by hand, by loops and by TensorFlow."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfticket as tt
from tfticket.backend import keras, tf
from tfticket.inspection.graph import graph_of
from tfticket.inspection.paths import count_paths, reach
from tfticket.inspection.ticket import inspect_ticket
from tfticket.registry import MODELS

layers = keras.layers


def dense_net(widths=(4, 3, 2), image=(2, 2, 1)):
    x = images = keras.Input(image)
    x = layers.Flatten()(x)
    for number, width in enumerate(widths, 1):
        x = layers.Dense(width, activation="relu" if number < len(widths) else None, name=f"dense_{number}")(x)
    return keras.Model(images, x)


def test_paths_of_a_dense_network_are_the_product_of_its_masks(prune):
    ticket = prune(dense_net())
    first, second, third = (ticket.mask[f"dense_{number}/kernel"].astype(int) for number in (1, 2, 3))
    found = inspect_ticket(ticket)
    assert found.paths == (first @ second @ third).sum()
    assert found.dense_paths == 4 * 4 * 3 * 2
    assert found.path_ratio == found.paths / 96
    assert np.array_equal(found.input_paths.ravel(), (first @ second @ third).sum(axis=1))


def test_what_is_dead_in_a_mask_by_hand(prune):
    # Pixel 3 has no weight. Unit 0 of dense_1 leads nowhere, unit 1 is reached by none, unit 2 works, unit 3 leads to
    # unit 2 of dense_2, which leads nowhere.
    masks = {
        "dense_1/kernel": [[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]],
        "dense_2/kernel": [[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]],
        "dense_3/kernel": [[1, 1], [1, 0], [0, 0]],
    }
    found = inspect_ticket(prune(dense_net(), masks))
    assert found.paths == 2
    assert found.dead_inputs.ravel().tolist() == [False, True, True, True]
    assert found.dead_input_count == 3
    assert [kernel.live for kernel in found.kernels] == [1, 1, 2]
    assert [kernel.survivors for kernel in found.kernels] == [4, 3, 3]
    assert [kernel.dead_units.tolist() for kernel in found.kernels] == [
        [True, True, False, True],
        [False, True, True],
        [False, False],
    ]
    assert [kernel.fed_inputs for kernel in found.kernels] == [4, 3, 2]
    assert [kernel.used_inputs for kernel in found.kernels] == [1, 1, 1]
    assert found.receptive_fields.per_pixel.ravel().tolist() == [2, 1, 1, 0]
    assert np.array_equal(found.receptive_fields.fields[2].ravel(), np.array(masks["dense_1/kernel"], bool)[:, 2])


def test_a_unit_that_only_a_shortcut_feeds_is_dead(prune):
    images = keras.Input((1, 1, 2))
    x = layers.Flatten()(images)
    x = layers.Add()([x, layers.Dense(2, name="branch")(x)])
    model = keras.Model(images, layers.Dense(2, name="out")(x))
    found = inspect_ticket(prune(model, {"branch/kernel": [[1, 0], [0, 0]], "out/kernel": [[1, 1], [1, 1]]}))
    assert found.kernel("branch/kernel").dead_units.tolist() == [False, True]
    assert found.kernel("out/kernel").fed_inputs == 2
    assert found.paths == 4 + 2


def residual_net():
    images = keras.Input((5, 4, 2))
    x = layers.Conv2D(3, 3, padding="same", name="conv_1")(images)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(3, 3, padding="same", name="conv_2")(x)]))
    x = layers.MaxPooling2D()(x)
    return keras.Model(images, layers.Dense(2, name="dense")(layers.Flatten()(x)))


def convolved(values, kernel):
    """A convolution with padding 'same' and stride 1, by loops."""
    height, width, _ = values.shape
    found = np.zeros((height, width, kernel.shape[-1]))
    for row, column, unit in np.ndindex(found.shape):
        for down, across, channel in np.ndindex(kernel.shape[:-1]):
            y, x = row + down - 1, column + across - 1
            if 0 <= y < height and 0 <= x < width:
                found[row, column, unit] += values[y, x, channel] * kernel[down, across, channel, unit]
    return found


def paths_by_loops(mask, image):
    x = convolved(image, mask["conv_1/kernel"])
    x = x + convolved(x, mask["conv_2/kernel"])
    x = sum(x[row:4:2, column:4:2] for row in (0, 1) for column in (0, 1))
    return (x.ravel() @ mask["dense/kernel"]).sum()


def test_paths_of_a_residual_network_as_loops_count_them(prune):
    ticket = prune(residual_net(), density=0.3)
    found = inspect_ticket(ticket)
    assert found.paths == paths_by_loops(ticket.mask, np.ones((5, 4, 2)))
    dense = {path: np.ones_like(kept) for path, kept in ticket.mask.items()}
    assert found.dense_paths == paths_by_loops(dense, np.ones((5, 4, 2)))
    for pixel in np.ndindex(5, 4, 2):
        one = np.zeros((5, 4, 2))
        one[pixel] = 1
        assert found.input_paths[pixel] == paths_by_loops(ticket.mask, one)
    assert found.dead_inputs[4].all() == (found.input_paths[4].sum() == 0)


@pytest.mark.parametrize("weight", [0, 7, 20])
def test_a_live_survivor_is_one_whose_loss_takes_paths_away(weight, prune):
    ticket = prune(residual_net(), density=0.15, seed=3)
    live = reach(graph_of(tt.models.model_from_spec(ticket.model)), ticket.mask).live
    for path, kept in ticket.mask.items():
        places = np.argwhere(kept)
        place = tuple(places[weight % len(places)])
        less = {name: each.copy() for name, each in ticket.mask.items()}
        less[path][place] = False
        image = np.ones((5, 4, 2))
        assert live[path][place] == (paths_by_loops(less, image) < paths_by_loops(ticket.mask, image))


def linear(x, kind):
    """Layers without activation whose output TensorFlow can add up: paths are then its gradients."""
    options = {"use_bias": False}
    if kind == "strides":
        x = layers.Conv2D(3, 3, 2, padding="same", name="a", **options)(x)
        x = layers.Conv2D(2, (2, 3), (1, 2), name="b", **options)(x)
    elif kind == "dilation":
        x = layers.Conv2D(3, 2, dilation_rate=2, padding="same", name="a", **options)(x)
        x = layers.Conv2D(2, 3, dilation_rate=(1, 2), name="b", **options)(x)
    elif kind == "tokens":
        x = layers.Reshape((21, 6))(x)
        x = layers.Conv1D(4, 3, padding="causal", dilation_rate=2, name="a", **options)(x)
        x = layers.Conv1D(3, 4, 3, padding="same", name="b", **options)(x)
        x = layers.Cropping1D((1, 0))(layers.ZeroPadding1D(1)(x))
        x = layers.Permute((2, 1))(layers.Dense(5, name="c", **options)(x))
    elif kind == "branches":
        x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
        one = layers.Conv2D(3, 1, name="a", **options)(x)
        two = layers.Conv2D(2, 3, padding="same", name="b", **options)(one)
        x = layers.Concatenate()([one, two, x])
        x = layers.Cropping2D(((0, 1), (1, 2)))(x)
        x = x + layers.Conv2D(8, 1, name="c", **options)(x)
    elif kind == "shared":
        shared = layers.Conv2D(3, 3, padding="same", name="a", **options)
        x = shared(shared(x) + x)
    elif kind == "nested":
        inside = keras.Input((7, 6, 3))
        inner = keras.Model(inside, layers.Conv2D(3, 3, padding="same", name="a", **options)(inside), name="inner")
        x = inner(layers.Add()([x, inner(x)]))
    return layers.Dense(2, name="last", **options)(layers.Flatten()(x))


@pytest.mark.parametrize("kind", ["strides", "dilation", "tokens", "branches", "shared", "nested"])
def test_paths_are_tensorflows_gradients_of_the_linear_network(kind, prune):
    images = keras.Input((7, 6, 3))
    ticket = prune(keras.Model(images, linear(images, kind)), density=0.4)
    found = inspect_ticket(ticket)
    model = ticket.build_model()
    variables = {path: variable for path, (_, variable) in tt.models.named_variables(model).items()}
    for path, kept in ticket.mask.items():
        variables[path].assign(kept.astype(np.float32))
    image = tf.ones((1, 7, 6, 3))
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(model(image))
    gradient, through = tape.gradient(total, (image, [variables[path] for path in ticket.mask]))
    assert found.paths == float(total) > 0
    assert np.array_equal(found.input_paths, gradient[0])
    for kernel, each in zip(found.kernels, through, strict=True):
        assert kernel.live == np.count_nonzero((each.numpy() > 0) & ticket.mask[kernel.path])


def test_pooling_adds_up_its_cells_and_padding_is_none(prune):
    images = keras.Input((3, 3, 1))
    x = layers.AveragePooling2D(2, padding="same")(images)
    model = keras.Model(images, layers.Dense(2, name="dense")(layers.GlobalMaxPooling2D()(x)))
    assert inspect_ticket(prune(model, {"dense/kernel": [[1, 1]]})).paths == 9 * 2


def test_attention_as_its_docstring_says(prune):
    model = tt.models.vit._vit("small", 4, 2, (4, 8, 1), 2, "zeros", depth=1)
    tokens, width, head = 3, 4, 2
    shapes = {path: kept.shape for path, kept in prune(model).mask.items()}
    dense = {path: np.ones(shape, bool) for path, shape in shapes.items()}
    hidden = 2 * (16 * width) * width  # paths to the keys of both patches, and as many to their values
    # To the class token: its own query, which no pixel reaches; the keys and values of both patches.
    keys, values = hidden * head, hidden
    attended = (keys + values) * width
    assert tokens == model.get_layer("class").output_shape[1]
    expected = (attended + attended * 16 * width) * 2
    assert inspect_ticket(prune(model, dense)).paths == expected
    without = dense | {"block_1_key/kernel": np.zeros((4, 4), bool)}
    assert inspect_ticket(prune(model, without)).paths == expected * values / (keys + values)


@settings(max_examples=25)
@given(density=st.floats(0.02, 0.9), seed=st.integers(0, 1000))
def test_live_survivors_are_survivors_and_the_others_are_on_no_path(density, seed):
    rng = np.random.default_rng(seed)
    mask = {path: rng.random(shape) < density for path, shape in SHAPES.items()}
    found = reach(GRAPH, mask)
    for path, kept in mask.items():
        assert not np.any(found.live[path] & ~kept)
    paths = count_paths(GRAPH, mask)
    assert np.array_equal(paths, count_paths(GRAPH, found.live))
    assert np.array_equal(paths > 0, found.inputs)
    assert all(np.array_equal(found.live[path], kept) for path, kept in reach(GRAPH, found.live).live.items())


GRAPH = graph_of(residual_net())
SHAPES = tt.models.kernel_shapes(residual_net())


@keras.saving.register_keras_serializable(package="tests")
class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (Doubled(name="mine"), "mine (Doubled)"),
        (layers.LSTM(3, name="memory"), "memory (LSTM)"),
        (layers.Dense(3, "softmax", name="share"), "share (Dense)"),
        (layers.Softmax(name="share"), "share (Softmax)"),
        (layers.Conv1D(2, 1, groups=2, name="grouped"), "grouped (Conv1D)"),
    ],
)
def test_a_layer_that_is_not_known_is_named_and_nothing_guessed(layer, named, prune):
    images = keras.Input((4, 2, 1))
    x = layer(layers.Reshape((4, 2))(images))
    model = keras.Model(images, layers.Dense(2, name="dense")(layers.Flatten()(x)))
    found = inspect_ticket(prune(model))
    assert len(found.notes) == 1
    assert named in found.notes[0]
    for name in ("paths", "dense_paths", "path_ratio", "input_paths", "dead_inputs", "dead_input_count"):
        assert getattr(found, name) is None
    for kernel in found.kernels:
        assert [kernel.live, kernel.dead_units, kernel.dead, kernel.fed_inputs, kernel.used_inputs] == [None] * 5
        assert kernel.survivors > 0


def test_too_many_paths_are_told_and_the_rest_is_there(prune):
    images = keras.Input((10, 10, 1))
    again = layers.Dense(100, name="again")
    x = layers.Flatten()(images)
    for _ in range(155):
        x = again(x)
    model = keras.Model(images, layers.Dense(2, name="dense")(x))
    masks = {path: np.ones(shape, bool) for path, shape in tt.models.kernel_shapes(model).items()}
    masks["again/kernel"][0] = masks["again/kernel"][:, 0] = False
    found = inspect_ticket(prune(model, masks))
    assert found.paths is found.dense_paths is found.input_paths is found.path_ratio is None
    assert len(found.notes) == 2
    assert "more paths than the largest float64" in found.notes[0]
    assert found.dead_inputs.ravel().tolist() == [True] + [False] * 99
    assert found.kernel("again/kernel").live == 99 * 99


def test_where_nothing_survives_there_is_no_path(prune):
    ticket = prune(residual_net())
    ticket = dataclasses.replace(ticket, mask={path: np.zeros_like(kept) for path, kept in ticket.mask.items()})
    found = inspect_ticket(ticket)
    assert found.paths == found.path_ratio == 0
    assert found.dead_inputs.all()
    assert [kernel.dead for kernel in found.kernels] == [kernel.units for kernel in found.kernels]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name not in ("conv-2", "resnet-20"))) for name in MODELS]
)
def test_every_registered_network_gives_its_paths(name):
    shape = (28, 28, 1) if name.startswith("lenet") else (32, 32, 3)
    shapes = tt.models.kernel_shapes(tt.build_model(name, input_shape=shape, num_classes=10))
    rng = np.random.default_rng(0)
    mask = {path: rng.random(size) < 0.2 for path, size in shapes.items()}
    weights = {path: np.broadcast_to(np.float32(1), size) for path, size in shapes.items()}
    spec = {"name": name, "input_shape": list(shape), "num_classes": 10, "initialiser": "glorot_normal"}
    found = inspect_ticket(tt.Ticket(spec, mask, weights, weights))
    assert found.notes == ()
    assert 0 < found.paths < found.dense_paths
    assert found.receptive_fields is not None
    assert all(0 < kernel.live <= kernel.survivors for kernel in found.kernels)
