"""Rows and augmentations of batches, and augmented training. Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tfticket.backend import tf
from tfticket.config import Augment, TrainConfig
from tfticket.errors import Stopped
from tfticket.training.augmentation import augment_images
from tfticket.training.batches import Augmentations, RowOrder
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks

SEEDS, ROWS, BATCH = st.integers(0, 3), st.integers(1, 50), st.integers(1, 70)
BOTH = Augment(flip=True, crop=3)
SEGMENTS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=4)


@given(SEEDS, ROWS, BATCH, st.integers(1, 30))
def test_every_row_is_seen_once_in_each_epoch(seed, rows, batch_size, iterations):
    batches = RowOrder(seed, rows, batch_size).batches(0, iterations)
    assert (batches.dtype, batches.shape) == (np.int32, (iterations, batch_size))
    stream = batches.ravel()
    for begin in range(0, len(stream), rows):
        epoch = sorted(stream[begin : begin + rows])
        assert epoch == sorted({*epoch} & {*range(rows)})


@settings(max_examples=30)
@given(SEEDS, ROWS, BATCH, SEGMENTS)
def test_a_segment_depends_neither_on_the_cut_nor_on_earlier_segments(seed, rows, batch_size, segments):
    for kind, options in ((RowOrder, ()), (Augmentations, (BOTH,))):
        used = kind(seed, rows, batch_size, *options)
        whole = kind(seed, rows, batch_size, *options).batches(0, 42)
        for first, length in segments:
            np.testing.assert_array_equal(used.batches(first, first + length), whole[first : first + length])


def test_epochs_and_seeds_have_orders_and_draws_of_their_own_and_the_order_is_frozen():
    orders = [RowOrder(seed, rows=50, batch_size=50).batches(0, 3) for seed in (0, 1)]
    draws = [Augmentations(seed, 40, 40, Augment(crop=4)).batches(0, 3) for seed in (0, 1)]
    for streams in (orders, draws):
        assert len({batch.tobytes() for batches in streams for batch in batches}) == 6
    assert RowOrder(0, rows=8, batch_size=3).batches(1, 4).tolist() == [[2, 1, 0], [5, 4, 7], [6, 5, 4]]


def test_offsets_and_mirrors_are_uniform_and_an_option_that_is_off_draws_nothing():
    draws = Augmentations(0, 50_000, 1000, Augment(flip=True, crop=4)).batches(0, 50)
    assert (draws.dtype, draws.shape) == (np.int32, (50, 1000, 3))
    for part in (0, 1):
        values, counts = np.unique(draws[..., part], return_counts=True)
        assert values.tolist() == list(range(-4, 5))
        assert counts == pytest.approx(50_000 / 9, rel=0.05)
    assert draws[..., 2].mean() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.corrcoef(draws.reshape(-1, 3).T) - np.eye(3)).max() < 0.02
    flips, crops = (Augmentations(0, 100, 10, Augment(**o)).batches(0, 10) for o in ({"flip": True}, {"crop": 2}))
    assert (np.unique(flips[..., :2]).tolist(), np.unique(flips[..., 2]).tolist()) == ([0], [0, 1])
    assert (np.unique(crops[..., :2]).tolist(), np.unique(crops[..., 2]).tolist()) == ([-2, -1, 0, 1, 2], [0])


def by_hand(images, draws):
    """Pad with black, cut out, mirror: one image after the other."""
    results = []
    for image, (down, right, mirror) in zip(images, draws, strict=True):
        height, width, _ = image.shape
        pad = max(height, width)
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        cut = padded[pad + down : pad + down + height, pad + right : pad + right + width]
        results.append(cut[:, ::-1] if mirror else cut)
    return np.stack(results)


def test_photographs_are_moved_and_mirrored_as_by_hand_by_xla():
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)
    draws = Augmentations(0, 64, 64, Augment(flip=True, crop=4)).batches(0, 1)[0]
    moved = tf.function(augment_images, jit_compile=True)(tf.constant(images), tf.constant(draws))
    assert moved.dtype == tf.uint8
    np.testing.assert_array_equal(moved, by_hand(images, draws))


@given(st.data(), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_images_of_any_shape_are_moved_by_any_offset(draw, rows, height, width, channels):
    images = np.random.default_rng(0).integers(1, 256, (rows, height, width, channels)).astype(np.uint8)
    offset = st.tuples(st.integers(-height, height), st.integers(-width, width), st.integers(0, 1))
    draws = np.array(draw.draw(st.lists(offset, min_size=rows, max_size=rows)), np.int32)
    np.testing.assert_array_equal(augment_images(tf.constant(images), tf.constant(draws)), by_hand(images, draws))


def test_training_sees_augmented_images_evaluation_does_not_and_a_cut_changes_no_bit(without_xla):
    data = tt.load_data(**DIGITS)
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", data), seed=7)

    def run(config, data=data, **options):
        return train_weights(ticket.model, ticket.mask, ticket.start, data, TrainConfig(**config), seed=3, **options)

    still = {"epochs": "5it", "evaluate_every": "5it", "optimiser": {"name": "sgd", "learning_rate": 1e-30}}
    plain, moved = (run(still | {"augment": augment}).history[0] for augment in ({}, {"crop": 4}))
    assert moved["nll"] == plain["nll"]
    assert moved["loss"] != plain["loss"]
    draws = Augmentations(3, 300, 128, Augment(crop=4)).batches(0, 5).reshape(-1, 3)
    rows = RowOrder(3, 300, 128).batches(0, 5).ravel()
    shown = replace(data, x_validation=by_hand(data.x_train[rows], draws), y_validation=data.y_train[rows])
    assert run(still, shown).history[0]["nll"] == pytest.approx(moved["loss"], 1e-5)

    config = {"epochs": "40it", "augment": {"flip": True, "crop": 2}}
    whole, saved, looks = run(config), [], iter([False, True])
    stop = Hooks(checkpoint=saved.append, segment_seconds=1e-3, should_stop=lambda: next(looks))
    with pytest.raises(Stopped):
        run(config, hooks=stop)
    resumed = run(config, hooks=Hooks(resume=saved[-1]))
    assert resumed.history == whole.history
    assert_same(resumed.weights, whole.weights)
