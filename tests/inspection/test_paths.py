"""Paths, live survivors and what is dead, against counts by hand, by loops and by TensorFlow."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfticket as tt
from tfticket.backend import keras, tf
from tfticket.inspection.graph import graph_of
from tfticket.inspection.inspect_ticket import inspect_ticket
from tfticket.inspection.paths import count_paths, reach
from tfticket.registry import MODELS

layers = keras.layers


def dense_net():
    x = images = keras.Input((2, 2, 1))
    x = layers.Flatten()(x)
    for number, width in enumerate((4, 3, 2), 1):
        x = layers.Dense(width, activation="relu" if number < 3 else None, name=f"dense_{number}")(x)
    return keras.Model(images, x)


def residual_net():
    images = keras.Input((5, 4, 2))
    x = layers.Conv2D(3, 3, padding="same", name="conv_1")(images)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(3, 3, padding="same", name="conv_2")(x)]))
    x = layers.MaxPooling2D()(x)
    return keras.Model(images, layers.Dense(2, name="dense")(layers.Flatten()(x)))


GRAPH = graph_of(residual_net())
SHAPES = tt.models.kernel_shapes(residual_net())


def test_what_is_dead_in_a_mask_by_hand(prune):
    # Pixel 3 has no weight. Unit 0 of dense_1 leads nowhere, unit 1 is reached by none, unit 2 works, unit 3 leads to
    # unit 2 of dense_2, which leads nowhere.
    masks = {
        "dense_1/kernel": [[1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]],
        "dense_2/kernel": [[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]],
        "dense_3/kernel": [[1, 1], [1, 0], [0, 0]],
    }
    inspection = inspect_ticket(prune(dense_net(), masks))
    kernels, fields = inspection.kernels, inspection.receptive_fields
    assert (inspection.paths, inspection.dead_input_count) == (2, 3)
    assert inspection.dead_inputs.ravel().tolist() == [False, True, True, True]
    numbers = [(k.live, k.survivors, k.fed_inputs, k.used_inputs) for k in kernels]
    assert numbers == [(1, 4, 4, 1), (1, 3, 3, 1), (2, 3, 2, 1)]
    dead = [[True, True, False, True], [False, True, True], [False, False]]
    assert [kernel.dead_units.tolist() for kernel in kernels] == dead
    assert fields.per_pixel.ravel().tolist() == [2, 1, 1, 0]
    assert np.array_equal(fields.fields[2].ravel(), np.array(masks["dense_1/kernel"], bool)[:, 2])
    empty = inspect_ticket(prune(dense_net(), {path: np.zeros_like(kept) for path, kept in masks.items()}))
    assert (empty.paths, empty.path_ratio, empty.dense_paths) == (0, 0, 4 * 4 * 3 * 2)


def test_a_unit_that_only_a_shortcut_feeds_is_dead_and_pooling_adds_up_its_cells(prune):
    images = keras.Input((1, 1, 2))
    x = layers.Flatten()(images)
    x = layers.Add()([x, layers.Dense(2, name="branch")(x)])
    model = keras.Model(images, layers.Dense(2, name="out")(x))
    inspection = inspect_ticket(prune(model, {"branch/kernel": [[1, 0], [0, 0]], "out/kernel": [[1, 1], [1, 1]]}))
    assert inspection.kernel("branch/kernel").dead_units.tolist() == [False, True]
    assert inspection.kernel("out/kernel").fed_inputs == 2
    assert inspection.paths == 4 + 2
    images = keras.Input((3, 3, 1))
    x = layers.AveragePooling2D(2, padding="same")(images)
    model = keras.Model(images, layers.Dense(2, name="dense")(layers.GlobalMaxPooling2D()(x)))
    assert inspect_ticket(prune(model, {"dense/kernel": [[1, 1]]})).paths == 9 * 2


def convolved(values, kernel):
    """Convolve with padding 'same' and stride 1, by loops."""
    height, width, _ = values.shape
    output = np.zeros((height, width, kernel.shape[-1]))
    for row, column, unit in np.ndindex(output.shape):
        for down, across, channel in np.ndindex(kernel.shape[:-1]):
            y, x = row + down - 1, column + across - 1
            if 0 <= y < height and 0 <= x < width:
                output[row, column, unit] += values[y, x, channel] * kernel[down, across, channel, unit]
    return output


def paths_by_loops(mask, image):
    x = convolved(image, mask["conv_1/kernel"])
    x = x + convolved(x, mask["conv_2/kernel"])
    x = sum(x[row:4:2, column:4:2] for row in (0, 1) for column in (0, 1))
    return (x.ravel() @ mask["dense/kernel"]).sum()


def test_paths_and_live_survivors_of_a_residual_network_as_loops_count_them(prune):
    ones = np.ones((5, 4, 2))
    ticket = prune(residual_net(), density=0.15, seed=3)
    inspection = inspect_ticket(ticket)
    whole = paths_by_loops(ticket.mask, ones)
    assert inspection.paths == whole
    assert inspection.dense_paths == paths_by_loops({path: np.ones(shape) for path, shape in SHAPES.items()}, ones)
    for pixel in np.ndindex(5, 4, 2):
        image = np.zeros((5, 4, 2))
        image[pixel] = 1
        assert inspection.input_paths[pixel] == paths_by_loops(ticket.mask, image)
    live = reach(GRAPH, ticket.mask).live
    for path, kept in ticket.mask.items():
        for place in np.argwhere(kept)[:: max(1, kept.sum() // 4)]:  # one is live if its loss takes paths away
            less = {name: mask.copy() for name, mask in ticket.mask.items()}
            less[path][tuple(place)] = False
            assert live[path][tuple(place)] == (paths_by_loops(less, ones) < whole)


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
        first = layers.Conv2D(3, 1, name="a", **options)(x)
        x = layers.Concatenate()([first, layers.Conv2D(2, 3, padding="same", name="b", **options)(first), x])
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
    inspection = inspect_ticket(ticket)
    model = ticket.build_model()
    variables = {path: variable for path, (_, variable) in tt.models.named_variables(model).items()}
    for path, kept in ticket.mask.items():
        variables[path].assign(kept.astype(np.float32))
    image = tf.ones((1, 7, 6, 3))
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(model(image))
    gradient, through = tape.gradient(total, (image, [variables[path] for path in ticket.mask]))
    assert inspection.paths == float(total) > 0
    assert np.array_equal(inspection.input_paths, gradient[0])
    for kernel, paths in zip(inspection.kernels, through, strict=True):
        assert kernel.live == np.count_nonzero((paths.numpy() > 0) & ticket.mask[kernel.path])


def test_attention_as_its_docstring_says(prune):
    model = tt.models.vit._vit("small", 4, 2, (4, 8, 1), 2, "zeros", depth=1)
    width, head = 4, 2
    dense = {path: np.ones(kept.shape, bool) for path, kept in prune(model).mask.items()}
    hidden = 2 * (16 * width) * width  # paths to the keys of both patches, and as many to their values
    # To the class token: its own query, which no pixel reaches; the keys and values of both patches.
    keys, values = hidden * head, hidden
    attended = (keys + values) * width
    expected = (attended + attended * 16 * width) * 2
    assert inspect_ticket(prune(model, dense)).paths == expected
    without = dense | {"block_1_key/kernel": np.zeros((4, 4), bool)}
    assert inspect_ticket(prune(model, without)).paths == expected * values / (keys + values)


@settings(max_examples=25)
@given(density=st.floats(0.02, 0.9), seed=st.integers(0, 1000))
def test_live_survivors_are_survivors_and_the_others_are_on_no_path(density, seed):
    rng = np.random.default_rng(seed)
    mask = {path: rng.random(shape) < density for path, shape in SHAPES.items()}
    on_path = reach(GRAPH, mask)
    assert not any(np.any(on_path.live[path] & ~kept) for path, kept in mask.items())
    paths = count_paths(GRAPH, mask)
    assert np.array_equal(paths, count_paths(GRAPH, on_path.live))
    assert np.array_equal(paths > 0, on_path.inputs)
    assert all(np.array_equal(on_path.live[path], kept) for path, kept in reach(GRAPH, on_path.live).live.items())


@keras.saving.register_keras_serializable(package="tests")
class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def test_a_layer_that_is_not_known_is_named_and_nothing_guessed(prune):
    unknown = Doubled(name="mine"), layers.Dense(3, "softmax", name="share"), layers.Softmax(name="soft")
    for layer in (*unknown, layers.LSTM(3, name="memory"), layers.Conv1D(2, 1, groups=2, name="grouped")):
        images = keras.Input((4, 2, 1))
        x = layer(layers.Reshape((4, 2))(images))
        inspection = inspect_ticket(prune(keras.Model(images, layers.Dense(2, name="dense")(layers.Flatten()(x)))))
        (note,) = inspection.notes
        assert f"{layer.name} ({type(layer).__name__})" in note
        for name in ("paths", "dense_paths", "path_ratio", "input_paths", "dead_inputs", "dead_input_count"):
            assert getattr(inspection, name) is None
        for kernel in inspection.kernels:
            assert {kernel.live, kernel.dead_units, kernel.dead, kernel.fed_inputs, kernel.used_inputs} == {None}
            assert kernel.survivors > 0


def test_too_many_paths_are_noted_and_the_rest_is_there(prune, monkeypatch):
    images = keras.Input((10, 10, 1))
    x = layers.Dense(100, name="again")(layers.Flatten()(images))
    model = keras.Model(images, layers.Dense(2, name="dense")(x))
    graph = graph_of(model)
    flatten, again, last = graph.calls
    values = [again.inputs[0], *range(len(graph.shapes), len(graph.shapes) + 154), again.output]  # 155 calls of a layer
    repeated = [dataclasses.replace(again, inputs=(a,), output=b) for a, b in itertools.pairwise(values)]
    shapes = graph.shapes + ((100,),) * 154
    long = dataclasses.replace(graph, shapes=shapes, calls=(flatten, *repeated, last))
    monkeypatch.setattr("tfticket.inspection.inspect_ticket.graph_of", lambda model: long)
    masks = {path: np.ones(shape, bool) for path, shape in tt.models.kernel_shapes(model).items()}
    masks["again/kernel"][0] = masks["again/kernel"][:, 0] = False
    inspection = inspect_ticket(prune(model, masks))
    assert inspection.paths is inspection.dense_paths is inspection.input_paths is inspection.path_ratio is None
    assert len(inspection.notes) == 2
    assert inspection.dead_inputs.ravel().tolist() == [True] + [False] * 99
    assert inspection.kernel("again/kernel").live == 99 * 99


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "conv-2")) for name in MODELS])
def test_every_registered_network_gives_its_paths(name):
    shape = (28, 28, 1) if name.startswith("lenet") else (32, 32, 3)
    shapes = tt.models.kernel_shapes(tt.build_model(name, input_shape=shape, num_classes=10))
    rng = np.random.default_rng(0)
    mask = {path: rng.random(size) < 0.2 for path, size in shapes.items()}
    weights = {path: np.broadcast_to(np.float32(1), size) for path, size in shapes.items()}
    spec = {"name": name, "input_shape": list(shape), "num_classes": 10, "initialiser": "glorot_normal"}
    inspection = inspect_ticket(tt.Ticket(spec, mask, weights, weights))
    assert 0 < inspection.paths < inspection.dense_paths
    assert all(0 < kernel.live <= kernel.survivors for kernel in inspection.kernels)
