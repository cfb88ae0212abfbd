"""Needs TensorFlow."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfticket as tt
from tfticket.backend import tf
from tfticket.config import Augment, TrainConfig
from tfticket.errors import Stopped
from tfticket.training.augmentation import augment_images
from tfticket.training.batches import Augmentations
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks


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


@pytest.fixture(scope="module")
def photographs():
    return tt.load_data("cifar-10-small", train_rows=64)


@pytest.mark.parametrize("jit", [False, True], ids=["plain", "xla"])
def test_photographs_are_moved_and_mirrored_as_by_hand(photographs, jit):
    draws = Augmentations(0, 64, 64, Augment(flip=True, crop=4)).batches(0, 1)[0]
    moved = tf.function(augment_images, jit_compile=jit)(tf.constant(photographs.x_train), tf.constant(draws))
    assert moved.dtype == tf.uint8
    np.testing.assert_array_equal(moved, by_hand(photographs.x_train, draws))


@given(st.data(), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_images_of_any_shape_are_moved_by_any_offset(draw, rows, height, width, channels):
    images = np.random.default_rng(0).integers(1, 256, (rows, height, width, channels)).astype(np.uint8)
    offset = st.tuples(st.integers(-height, height), st.integers(-width, width), st.integers(0, 1))
    draws = np.array(draw.draw(st.lists(offset, min_size=rows, max_size=rows)), np.int32)
    np.testing.assert_array_equal(augment_images(tf.constant(images), tf.constant(draws)), by_hand(images, draws))


def test_offsets_and_mirrors_are_uniform():
    draws = Augmentations(0, 50_000, 1000, Augment(flip=True, crop=4)).batches(0, 50)
    assert (draws.dtype, draws.shape) == (np.int32, (50, 1000, 3))
    for part in (0, 1):
        values, counts = np.unique(draws[..., part], return_counts=True)
        assert values.tolist() == list(range(-4, 5))
        assert counts == pytest.approx(50_000 / 9, rel=0.05)
    assert draws[..., 2].mean() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.corrcoef(draws.reshape(-1, 3).T) - np.eye(3)).max() < 0.02


def test_an_option_that_is_off_draws_nothing():
    flips, crops = (
        Augmentations(0, 100, 10, augment).batches(0, 10) for augment in (Augment(flip=True), Augment(crop=2))
    )
    assert (np.unique(flips[..., :2]).tolist(), np.unique(flips[..., 2]).tolist()) == ([0], [0, 1])
    assert (np.unique(crops[..., :2]).tolist(), np.unique(crops[..., 2]).tolist()) == ([-2, -1, 0, 1, 2], [0])


@given(st.integers(1, 50), st.integers(1, 70), st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_any_cut_gives_the_same_draws(rows, batch_size, lengths):
    ends = np.cumsum(lengths).tolist()
    both = Augment(flip=True, crop=3)
    whole = Augmentations(1, rows, batch_size, both).batches(0, ends[-1])
    cut = Augmentations(1, rows, batch_size, both)
    parts = [cut.batches(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_epochs_and_seeds_have_draws_of_their_own():
    draws = [Augmentations(seed, 40, 40, Augment(crop=4)).batches(0, 3) for seed in (0, 1)]
    assert len({batch.tobytes() for batches in draws for batch in batches}) == 6


@pytest.fixture(scope="module")
def ticket(data):
    return tt.Ticket.dense(tt.build_model("lenet-300-100", data), seed=7)


def run(ticket, data, config, **options):
    return train_weights(ticket.model, ticket.mask, ticket.start, data, config, seed=3, **options)


def test_training_sees_the_augmented_images_and_evaluation_does_not(ticket, data):
    still = {"epochs": "5it", "evaluate_every": "5it", "optimiser": {"name": "sgd", "learning_rate": 1e-30}}
    plain, moved = (run(ticket, data, TrainConfig(**still, augment=augment)) for augment in ({}, {"crop": 4}))
    assert moved.history[0]["nll"] == plain.history[0]["nll"]
    assert moved.history[0]["loss"] != plain.history[0]["loss"]
    draws = Augmentations(3, len(data.x_train), 128, Augment(crop=4)).batches(0, 5).reshape(-1, 3)
    from tfticket.training.batches import RowOrder

    rows = RowOrder(3, len(data.x_train), 128).batches(0, 5).ravel()
    shown = replace(data, x_validation=by_hand(data.x_train[rows], draws), y_validation=data.y_train[rows])
    assert run(ticket, shown, TrainConfig(**still)).history[0]["nll"] == pytest.approx(moved.history[0]["loss"], 1e-5)


def test_an_augmented_training_cut_in_two_has_the_bits_of_a_whole_one(ticket, data):
    config = TrainConfig(epochs="40it", augment=Augment(flip=True, crop=2))
    whole, saved = run(ticket, data, config), []
    looks = iter([False, True])
    stop = Hooks(checkpoint=saved.append, segment_seconds=1e-3, should_stop=lambda: next(looks))
    with pytest.raises(Stopped):
        run(ticket, data, config, hooks=stop)
    resumed = run(ticket, data, config, hooks=Hooks(resume=saved[-1]))
    assert resumed.history == whole.history
    for path, weights in whole.weights.items():
        np.testing.assert_array_equal(resumed.weights[path], weights)
