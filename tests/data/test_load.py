from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.config import DataConfig
from tfticket.data import data_checksum, load_data, load_dataset
from tfticket.data.sources import asset, npz
from tfticket.errors import InputError

# MNIST as bundled


def test_the_bundled_mnist_is_the_real_one():
    assert data_checksum(DataConfig()) == "f4b66dca55451d17d2903f45a9ee68e4ab0093dce37500643c6d818d2c765201"
    x_train, y_train, x_test, y_test = npz(asset("mnist.npz"))
    assert (x_train.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert np.bincount(y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert x_train.std() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_mnist_by_name_has_all_its_rows_in_the_form_models_take():
    data = load_data("mnist")
    assert [len(data.split(name)[0]) for name in ("train", "validation", "test")] == [55_000, 5000, 10_000]
    assert (data.name, data.input_shape, data.num_classes) == ("mnist", (28, 28, 1), 10)
    for name in ("train", "validation", "test"):
        images, labels = data.split(name)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
        assert images.shape == (len(labels), 28, 28, 1)


def test_training_and_validation_rows_of_mnist_are_its_training_rows_each_once():
    data = load_data("mnist")
    x_train, y_train, x_test, y_test = npz(asset("mnist.npz"))
    ours = Counter(
        (image.tobytes(), label)
        for part in ("train", "validation")
        for image, label in zip(*data.split(part), strict=True)
    )
    assert ours == Counter((image.tobytes(), label) for image, label in zip(x_train, y_train, strict=True))
    np.testing.assert_array_equal(data.x_test[..., 0], x_test)
    np.testing.assert_array_equal(data.y_test, y_test)


def test_the_fixtures_rows_are_the_first_of_the_same_order(data):
    whole = load_data("mnist", validation_rows=1000)
    np.testing.assert_array_equal(data.x_validation, whole.x_validation)
    np.testing.assert_array_equal(data.x_train, whole.x_train[:2000])
    np.testing.assert_array_equal(data.y_train, whole.y_train[:2000])


# The split: rows are numbered by their pixels


def numbered(rows):
    """Images that say which row they are, 2 x 1 pixels."""
    return np.arange(rows, dtype=np.uint16).view(np.uint8).reshape(rows, 2, 1)


def numbers(images):
    return images.reshape(len(images), 2).view(np.uint16).ravel()


def own(rows=40, **changes):
    arrays = {
        "x_train": numbered(rows),
        "y_train": np.arange(rows) % 3,
        "x_test": numbered(6),
        "y_test": np.arange(6) % 2,
    }
    return load_data("own", **{"validation_rows": 10, **arrays, **changes})


@given(st.data(), st.integers(2, 300), st.integers(0, 5))
def test_the_split_is_a_seeded_partition(draw, rows, split_seed):
    validation_rows = draw.draw(st.integers(1, rows - 1))
    train_rows = draw.draw(st.none() | st.integers(1, rows - validation_rows))
    options = {"validation_rows": validation_rows, "split_seed": split_seed}
    data = own(rows, **options, train_rows=train_rows)
    train, validation = numbers(data.x_train), numbers(data.x_validation)
    assert len(validation) == validation_rows
    assert len(train) == (train_rows or rows - validation_rows)
    assert len({*train, *validation}) == len(train) + len(validation)
    assert {*train, *validation} <= set(range(rows))
    np.testing.assert_array_equal(data.y_train, train % 3)
    np.testing.assert_array_equal(data.y_validation, validation % 3)
    whole = own(rows, **options)
    np.testing.assert_array_equal(numbers(whole.x_validation), validation)
    np.testing.assert_array_equal(numbers(whole.x_train)[: len(train)], train)


def test_the_split_is_drawn_from_its_own_seed_and_from_no_other():
    one, again, other = (load_dataset.__wrapped__(DataConfig(split_seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.x_train, again.x_train)
    np.testing.assert_array_equal(one.y_validation, again.y_validation)
    assert np.any(one.y_validation != other.y_validation)


# Own arrays


def test_own_arrays_keep_their_name_shape_and_classes():
    data = own(y_train=np.arange(40)[:, None] % 7, x_test=numbered(6)[..., None])
    assert (data.name, data.input_shape, data.num_classes) == ("own", (2, 1, 1), 7)
    np.testing.assert_array_equal(numbers(data.x_test), range(6))
    colour = np.zeros((40, 4, 5, 3), np.uint8)
    assert own(x_train=colour, x_test=colour[:6]).input_shape == (4, 5, 3)


def test_equal_data_have_equal_checksums_and_others_have_not():
    changed = numbered(40).copy()
    changed[7, 0, 0] ^= 1
    different = [
        own(),
        own(x_train=changed),
        own(y_train=np.arange(40) % 2),
        own(x_test=numbered(6)[::-1]),
        own(y_test=np.zeros(6, int)),
        own(validation_rows=11),
        own(train_rows=20),
        own(split_seed=1),
        load_data("mnist"),
        load_data("mnist", train_rows=2000),
    ]
    assert len({data.checksum for data in different}) == len(different)
    assert own().checksum == own().checksum == own(train_rows=30).checksum


# Errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "all four arrays"),
        ({"x_train": numbered(40).astype(np.float32)}, "train images are float32 .*expected uint8"),
        ({"x_test": numbered(6)[..., 0]}, r"test images are uint8 \(6, 2\)"),
        ({"x_test": np.zeros((6, 3, 1), np.uint8)}, r"training images are \(2, 1, 1\), test images \(3, 1, 1\)"),
        ({"y_train": np.arange(39)}, "expected 40 integers"),
        ({"y_train": np.arange(40.0)}, "train labels are float64"),
        ({"y_test": np.zeros((6, 2), int)}, r"test labels are int64 \(6, 2\)"),
        ({"y_test": np.int64(3)}, "test labels are int64"),
        ({"y_train": np.arange(40) - 1}, "train label -1 is negative"),
        ({"y_test": np.full(6, 3)}, r"test label 3 does not occur in training \(0 to 2\)"),
        ({"x_test": numbered(0), "y_test": np.zeros(0, int)}, "no test rows"),
        ({"validation_rows": 40}, "40 training rows: 40 for validation"),
        ({"train_rows": 31}, "31 for training do not fit"),
        ({"validation_rows": 0}, "validation_rows"),
        ({"train_rows": -1}, "train_rows"),
        ({"split_seed": -1}, "split_seed"),
    ],
)
def test_own_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        own(**changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "mnits"}, "Did you mean 'mnist'"),
        ({"train_rows": 56_000}, "60,000 training rows: 5,000 for validation and 56,000 for training"),
        ({"validation_rows": 60_000}, "Lower validation_rows"),
        ({"validation_rows": 0}, "validation_rows"),
        ({"train_rows": 0}, "train_rows"),
    ],
)
def test_what_the_named_data_do_not_have_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        load_data(**options)


def test_an_unknown_split_is_refused(data):
    with pytest.raises(InputError, match="Known: train, validation, test"):
        data.split("dev")


def test_a_missing_asset_is_refused():
    with pytest.raises(InputError, match=r"'none\.npz' is missing"):
        asset("none.npz")


@pytest.mark.parametrize("part", [0, 0.001, 0.5, 0.999999])
def test_a_truncated_source_is_refused(tmp_path, part):
    whole = asset("mnist.npz").read_bytes()
    (tmp_path / "mnist.npz").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(InputError, match="not a readable npz"):
        npz(tmp_path / "mnist.npz")


def test_a_source_that_is_no_npz_of_plain_arrays_is_refused(tmp_path):
    path = tmp_path / "source.npz"
    with pytest.raises(InputError, match="not a readable npz"):
        npz(path)
    path.write_text("hello")
    with pytest.raises(InputError, match="not a readable npz"):
        npz(path)
    np.savez(path, x_train=numbered(3), y_train=np.arange(3))
    with pytest.raises(InputError, match="no array x_test, y_test"):
        npz(path)
    np.savez(path, **dict.fromkeys(("x_train", "y_train", "x_test", "y_test"), np.array([object()])))
    with pytest.raises(InputError, match="not a readable npz"):
        npz(path)
