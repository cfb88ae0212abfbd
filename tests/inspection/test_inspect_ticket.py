"""Numbers of an inspection against those worked by hand."""

import dataclasses

import numpy as np
import pytest

import tfticket as tt
from tests.refusals import refused
from tfticket.backend import keras
from tfticket.inspection.inspect_ticket import inspect_ticket

layers = keras.layers

LENET = [784 * 300, 300 * 100, 100 * 10]
CONV_2 = [32 * 32 * 27 * 64, 32 * 32 * 576 * 64, 16 * 16 * 64 * 256, 256 * 256, 256 * 10]
VIT_BLOCK = [65 * 192 * 192] * 4 + [65 * 192 * 768] * 2
VIT_TINY = [64 * 48 * 192, *VIT_BLOCK * 12, 192 * 10]


@pytest.mark.parametrize(
    ("name", "shape", "multiplies", "parameters"),
    [
        ("lenet-300-100", (28, 28, 1), LENET, 266_610),
        ("conv-2", (32, 32, 3), CONV_2, 4_301_642),
        pytest.param("vit-tiny", (32, 32, 3), VIT_TINY, 5_362_762, marks=pytest.mark.slow),
    ],
)
def test_multiplies_and_parameters_as_worked_by_hand(name, shape, multiplies, parameters):
    inspection = inspect_ticket(tt.Ticket.dense(tt.build_model(name, input_shape=shape, num_classes=10)))
    assert sorted(kernel.multiplies for kernel in inspection.kernels) == sorted(multiplies)
    assert inspection.multiplies == inspection.surviving_multiplies == sum(multiplies)
    assert inspection.parameters == inspection.surviving_parameters == parameters
    assert inspection.paths == pytest.approx(inspection.dense_paths, rel=1e-12)
    assert inspection.path_ratio == pytest.approx(1)


def test_a_shared_layer_counts_at_each_call_and_survivors_where_they_are(prune):
    images = keras.Input((4, 4, 3))
    shared = layers.Conv2D(3, 1, name="shared")
    x = layers.BatchNormalization(name="norm")(shared(layers.AveragePooling2D()(shared(images))))
    model = keras.Model(images, layers.Dense(2, name="dense")(layers.Flatten()(x)))
    half = np.zeros((1, 1, 3, 3), bool)
    half[..., :2] = True
    inspection = inspect_ticket(
        prune(model, {"shared/kernel": half, "dense/kernel": np.ones((12, 2))}, exempt=["dense"])
    )
    kernel = inspection.kernel("shared/kernel")
    assert (kernel.multiplies, kernel.surviving_multiplies) == ((16 + 4) * 9, (16 + 4) * 6)
    assert (inspection.multiplies, inspection.surviving_multiplies) == (180 + 24, 120 + 24)
    assert (inspection.parameters, inspection.surviving_parameters) == (9 + 3 + 6 + 24 + 2, 6 + 3 + 6 + 24 + 2)
    assert (inspection.density, inspection.exempt, kernel.kind) == (6 / 9, ("dense",), "Conv2D")
    assert inspection.receptive_fields.path == "shared/kernel"
    assert np.array_equal(inspection.receptive_fields.fields, half.transpose(3, 0, 1, 2))
    assert inspection.receptive_fields.per_pixel is None


def test_histograms_count_every_weight_once_and_what_was_pruned_before_not_at_all(prune):
    model = tt.build_model("lenet-300-100", input_shape=(4, 4, 1), num_classes=3)
    dense = prune(model, density=0.3)
    assert list(inspect_ticket(dense).kernels[0].histograms) == ["initial"]
    rng = np.random.default_rng(0)
    drawn = {path: rng.normal(size=array.shape).astype(np.float32) for path, array in dense.start.items()}
    earlier = {path: kept | (rng.random(kept.shape) < 0.5) for path, kept in dense.mask.items()}
    trained = {path: drawn[path] * kept for path, kept in dense.mask.items()}
    before = {path: drawn[path] * kept for path, kept in earlier.items()}
    rewound = {path: dense.start[path] * kept for path, kept in dense.mask.items()}
    for start in ({path: array + np.float32(0.1) for path, array in dense.start.items()}, dense.start | rewound):
        ticket = dataclasses.replace(dense, start=start)
        for kernel in inspect_ticket(ticket, trained, before).kernels:
            assert list(kernel.histograms) == ["initial", "start", "trained", "before"]
            pruned = {name: int(histogram.pruned.sum()) for name, histogram in kernel.histograms.items()}
            newly = np.count_nonzero(earlier[kernel.path] & ~ticket.mask[kernel.path])
            others = kernel.weights - kernel.survivors
            in_start = np.count_nonzero(start[kernel.path][~ticket.mask[kernel.path]])
            assert pruned == {"initial": others, "start": in_start, "trained": 0, "before": newly}
            assert {int(histogram.kept.sum()) for histogram in kernel.histograms.values()} == {kernel.survivors}


def test_weights_of_another_network_are_refused(prune):
    ticket = prune(tt.build_model("lenet-300-100", input_shape=(4, 4, 1), num_classes=3))
    other = ticket.start | {"dense_1/kernel": np.zeros(2, np.float32)}
    for name, weights, shape in (("trained", other, "(2,)"), ("before", {}, "missing")):
        with refused(name, None, "dense_1/kernel", shape, "(16, 300)"):
            inspect_ticket(ticket, **{name: weights})


def test_a_sequential_model_kernels_that_training_leaves_and_no_kernel_at_the_input(prune):
    frozen = layers.Dense(3, "relu", name="frozen", trainable=False)
    first = keras.Sequential([layers.Flatten(), frozen], name="first")
    model = keras.Sequential([keras.Input((2, 2, 1)), first, layers.Dropout(0.0), layers.Dense(2, name="last")])
    half = {"first/frozen/kernel": np.ones((4, 3)), "last/kernel": [[1, 0], [1, 0], [1, 0]]}
    inspection = inspect_ticket(prune(model, half))
    assert (inspection.paths, inspection.dense_paths, inspection.notes) == (12, 24, ())
    assert (inspection.parameters, inspection.surviving_parameters) == (12 + 8, 12 + 5)
    assert inspection.receptive_fields.path == "first/frozen/kernel"
    images = keras.Input((4, 4, 1))
    pooled = layers.Dense(2, name="dense")(layers.GlobalAveragePooling2D()(images))
    assert inspect_ticket(prune(keras.Model(images, pooled))).receptive_fields is None
