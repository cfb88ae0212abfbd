"""Stratified splits, and validation rows of one's own."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.rows import arrays, assert_equal, by_hash, numbered, numbers, own
from tfticket.config import DataConfig
from tfticket.data import load_data, load_dataset, split_rows
from tfticket.errors import InputError

# Stratified


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=5),
    st.floats(0.05, 0.9),
    st.floats(0.1, 1),
    st.integers(0, 3),
)
def test_each_split_has_the_classes_in_their_proportions(counts, share, kept, split_seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = len(labels)
    validation_rows = min(max(1, int(share * rows)), rows - 1)
    train_rows = max(1, int(kept * (rows - validation_rows)))
    options = {"validation_rows": validation_rows, "train_rows": train_rows, "split_seed": split_seed}
    test = {"x_test": numbered(1), "y_test": [0]}
    given = {"x_train": numbered(rows), "y_train": labels, **test, "stratify": True}
    if rows - validation_rows < len(counts):
        with pytest.raises(InputError, match="no training row is of class"):
            load_data("own", **given, **options)
        return
    whole = np.bincount(load_data("own", **given, **options | {"train_rows": None}).y_train, minlength=len(counts))
    assert whole.min() >= 1
    try:
        data = load_data("own", **given, **options)
    except InputError as error:
        assert "no training row is of class" in str(error) and train_rows < len(counts)  # noqa: PT017, PT018
        return
    lonely = (whole == 1).sum()  # each may have changed places with a row of the largest class
    for split, size in (("train", train_rows), ("validation", validation_rows)):
        found = np.bincount(data.split(split)[1], minlength=len(counts))
        assert found.sum() == size
        ends = 1 if split == "validation" else 2  # both ends of a stretch may fall between two rows
        # Classes of one size are rounded alike, at the cost of the larger ones.
        bound = lonely + ends * (1 + len(counts) * np.array(counts) / rows / 2)
        assert (np.abs(found - size * np.array(counts) / rows) <= bound).all()
    both = [*numbers(data.x_train), *numbers(data.x_validation)]
    assert len({*both}) == len(both)
    for split in ("train", "validation"):
        np.testing.assert_array_equal(data.split(split)[1], labels[numbers(data.split(split)[0])])


def test_a_stratified_split_is_seeded_and_another_one():
    plain, one, again, other = (
        own(300, stratify=stratify, split_seed=seed) for stratify, seed in ((False, 0), (True, 0), (True, 0), (True, 1))
    )
    assert_equal(one, again)
    assert len({plain.checksum, one.checksum, other.checksum}) == 3
    assert plain.contents == one.contents
    assert {*numbers(one.x_validation)} != {*numbers(other.x_validation)}
    assert own(300).checksum == plain.checksum


RARE = {"y_train": np.array([0] * 20 + [1] * 19 + [2])}


def test_a_class_of_one_row_trains_where_the_split_is_stratified():
    for validation_rows, split_seed in itertools.product((1, 10, 25, 37), range(3)):
        data = own(**RARE, stratify=True, validation_rows=validation_rows, split_seed=split_seed)
        assert np.bincount(data.y_train, minlength=3).min() >= 1
        assert len(data.y_validation) == validation_rows
        assert {*numbers(data.x_train)} | {*numbers(data.x_validation)} == {*range(40)}


def test_a_class_without_a_training_row_is_refused_and_the_advice_helps():
    def split(**options):
        try:
            return own(**RARE, validation_rows=30, **options)
        except InputError as error:
            return str(error)

    messages = [found for seed in range(5) if isinstance(found := split(split_seed=seed), str)]
    assert messages
    assert {*messages} == {
        "own: after the split, no training row is of class '2'; expected one of each class at least, among 10 training "
        "rows. Set stratify to true, or take fewer validation_rows, more train_rows or another split_seed; or add rows "
        "of the class."
    }
    assert 2 in split(stratify=True).y_train
    assert split(classes=[0, 1]).num_classes == 2
    assert "rows. Take at least 3 training rows" in split(stratify=True, train_rows=2)
    with pytest.raises(InputError, match="no training row is of class"):
        own(**{**RARE, **VALIDATION}, validation_rows=None, train_rows=2)


def test_a_stratified_split_with_few_training_rows_keeps_a_row_of_each_class():
    labels = np.array([0] * 30 + [1] * 28 + [2] * 2)
    for seed, validation_rows in itertools.product(range(5), (1, 15, 30)):
        options = {"stratify": True, "train_rows": 20, "validation_rows": validation_rows, "split_seed": seed}
        data = own(60, y_train=labels, **options)
        assert np.bincount(data.y_train, minlength=3).min() >= 1
        both = [*numbers(data.x_train), *numbers(data.x_validation)]
        assert len({*both}) == len(both) == 20 + validation_rows


def test_the_advice_for_as_many_rows_as_classes_helps():
    options = {"validation_rows": None, "stratify": True}
    with pytest.raises(InputError, match=r"among 2 training rows\. Add rows of these .* validation rows of your own"):
        own(3, **options)
    data = own(3, **options, x_validation=numbered(3), y_validation=[0, 1, 2])
    assert data.num_classes == 3
    with pytest.raises(InputError, match=r"among 1 training row\."):
        own(4, validation_rows=3, stratify=True)


def test_fewer_training_rows_are_the_first_of_more():
    data, whole = own(train_rows=12, stratify=True), own(stratify=True)
    np.testing.assert_array_equal(data.x_train, whole.x_train[:12])
    np.testing.assert_array_equal(data.x_validation, whole.x_validation)


def test_the_chosen_classes_are_stratified():
    data = own(300, stratify=True, classes=[2, 0], validation_rows=50)
    assert np.bincount(data.y_validation).tolist() == [25, 25]


# Validation rows of one's own

VALIDATION = {"x_validation": numbered(100)[60:], "y_validation": np.arange(60, 100) % 3}


def test_own_validation_rows_are_taken_as_they_are():
    data = own(**VALIDATION, validation_rows=None)
    assert [len(data.split(split)[1]) for split in ("train", "validation", "test")] == [40, 40, 6]
    assert {*numbers(data.x_train)} == {*range(40)}
    order = by_hash(VALIDATION["x_validation"], VALIDATION["y_validation"])
    np.testing.assert_array_equal(numbers(data.x_validation), 60 + order)
    np.testing.assert_array_equal(data.y_validation, (60 + order) % 3)
    assert data.contents != own(validation_rows=None).contents
    fewer = own(**VALIDATION, validation_rows=None, train_rows=7)
    np.testing.assert_array_equal(fewer.x_train, data.x_train[:7])
    np.testing.assert_array_equal(fewer.x_validation, data.x_validation)
    two = own(**VALIDATION, validation_rows=None, classes=[2, 0], stratify=True)
    assert np.bincount(two.y_validation).tolist() == [13, 14]


def test_own_validation_rows_in_a_file_and_in_folders_are_the_same_data(tmp_path, writers, digits):
    rows = digits.few(3, 1)
    parts = {"train": (rows.x_train, rows.y_train), "test": (rows.x_test, rows.y_test)}
    parts["validation"] = (digits.x_train[-50:], digits.y_train[-50:])
    given = {f"{axis}_{split}": array for split, part in parts.items() for axis, array in zip("xy", part, strict=True)}
    expected = load_data("own", **given)
    for x, y in (("x_val", "y_val"), ("x_valid", "y_valid"), ("x_validation", "y_validation")):
        names = {"x_validation": x, "y_validation": y}
        path = tmp_path / f"{x}.npz"
        np.savez(path, **{names.get(key, key): array for key, array in given.items()})
        assert_equal(load_data(path=path), expected)
    for name in ("validation", "val", "valid"):
        members = {
            f"{name if split == 'validation' else split}/{label}/{number}.png": writers.png(image)
            for split, (images, labels) in parts.items()
            for number, (image, label) in enumerate(zip(images, labels, strict=True))
        }
        assert_equal(load_data(path=writers.folder(members, tmp_path / name)), expected)
        zipped = writers.zipped(f"{name}.zip", 8, top="all/")(members, tmp_path)
        assert_equal(load_data(path=zipped), expected)
        members = {
            f"{name if split == 'validation' else split}-{what}-idx{array.ndim}-ubyte": writers.idx(array)
            for split, part in parts.items()
            for what, array in zip(("images", "labels"), part, strict=True)
        }
        assert_equal(load_data(path=writers.folder(members, tmp_path / f"{name} idx")), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_rows": 10}, "validation rows of its own, and validation_rows asks for 10.*Leave validation_rows"),
        ({"x_validation": None}, "both x_validation and y_validation"),
        ({"y_validation": None}, "both x_validation and y_validation"),
        ({"x_validation": numbered(39)}, "y_validation has 40 labels, x_validation 39 rows"),
        ({"x_validation": np.zeros((40, 3, 1), np.uint8)}, r"x_validation has images of \(3, 1, 1\)"),
        ({"x_validation": np.zeros((40, 2, 1, 1))}, "x_validation is float64, x_train is uint8"),
        ({"y_validation": np.full(40, 3)}, r"y_validation holds the label 3 \(row 0\), which no training row has"),
        ({"y_validation": np.full(40, "a")}, "y_validation holds texts, y_train holds numbers"),
        ({"y_validation": np.full(40, 0), "classes": [1, 2]}, r"no validation rows of the classes \[1, 2\]"),
        ({"train_rows": 41}, "40 training rows: 0 for validation and 41 for training do not fit"),
    ],
)
def test_own_validation_rows_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        own(**{"validation_rows": None, **VALIDATION, **changes})


def test_half_of_validation_rows_in_a_file_are_refused(tmp_path, writers, digits):
    for keys in (["x_val"], ["y_validation"], ["x_val", "y_validation"], ["x_val", "y_val", "x_validation"]):
        np.savez(tmp_path / "own.npz", **arrays(), **dict.fromkeys(keys, numbered(4)))
        with pytest.raises(InputError, match=rf"has {', '.join(keys)}; expected x_val and y_val, or neither"):
            load_data(path=tmp_path / "own.npz")
    np.savez(tmp_path / "own.npz", **arrays(), X_dev=numbered(4), y_dev=np.arange(4) % 3, names=np.array(["a"]))
    with pytest.raises(InputError, match=r"has 'X_dev', 'y_dev', which would not be read; .*x_val and y_val"):
        load_data(path=tmp_path / "own.npz")
    idx = {f"{split}-images-idx3-ubyte": writers.idx(digits.x_train[:4]) for split in ("train", "test", "val")}
    idx |= {f"{split}-labels-idx1-ubyte": writers.idx(digits.y_train[:4]) for split in ("train", "test")}
    with pytest.raises(InputError, match="no IDX file of the validation labels"):
        load_data(path=writers.folder(idx, tmp_path / "idx"))
    image = writers.png(digits.x_train[0])
    members = {f"{split}/{label}/0.png": image for split in ("train", "test", "val") for label in "ab"}
    with pytest.raises(InputError, match=r"has val/ and validation/; expected one folder"):
        load_data(path=writers.folder({**members, "validation/a/0.png": image}, tmp_path / "both"))
    for name in ("Validation", "dev", "Test", "eval", "holdout", "validate", "hold-out", "val2017"):
        with pytest.raises(InputError, match=rf"has {name}/, which would not be read; expected train/"):
            load_data(path=writers.folder({**members, f"{name}/a/0.png": image}, tmp_path / name))
    for keys in (["val_x", "val_y"], ["xval"], ["valid_images"], ["validation_x"], ["X_VAL"], ["held_out"]):
        np.savez(tmp_path / "own.npz", **arrays(), **dict.fromkeys(keys, numbered(4)))
        with pytest.raises(InputError, match=rf"has '{keys[0]}'.*, which would not be read; .*x_val and y_val"):
            load_data(path=tmp_path / "own.npz")
    idx["val-labels-idx1-ubyte"] = idx["train-labels-idx1-ubyte"]
    for name in ("dev", "Validation", "VAL", "holdout", "validation", "t10k"):
        path = writers.folder(idx | {f"{name}-images-idx3-ubyte": b""}, tmp_path / f"{name} idx")
        with pytest.raises(InputError, match=rf"has {name}-images-idx3-ubyte, which would not be read|test-images"):
            load_data(path=path)
    np.savez(tmp_path / "own.npz", **arrays(), evaluator=np.array(["a"]), devices=np.array(["b"]))
    assert len(load_data(path=tmp_path / "own.npz").x_train)
    with pytest.raises(InputError, match=r"validation/ has the class 'c', train/ has not"):
        load_data(path=writers.folder({**members, "val/c/0.png": image}, tmp_path / "class"))


def test_an_empty_folder_of_validation_images_does_not_count(tmp_path, writers, digits):
    members = {
        f"{split}/{label}/{row}.png": writers.png(digits.x_train[row])
        for split in ("train", "test")
        for label in "ab"
        for row in range(4)
    }
    path = writers.folder(members, tmp_path / "images")
    expected = load_data(path=path).checksum
    (path / "val").mkdir()
    assert load_data(path=path).checksum == expected


# Rows that are counted without reading the data


@pytest.mark.parametrize("options", [{"validation_rows": 60_000}, {"validation_rows": 10**7}, {"train_rows": 55_001}])
def test_rows_that_do_not_fit_are_refused_before_the_data_are_read(options):
    messages = []
    for count in (split_rows, load_dataset):
        with pytest.raises(InputError, match=r"mnist has 60,000 training rows: .* do not fit") as caught:
            count(DataConfig(**options))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("options", [{}, {"validation_rows": 59_000}, {"train_rows": 55_000}, {"train_rows": 70}])
def test_rows_that_fit_are_counted_as_they_are_loaded(options):
    data = load_dataset(DataConfig(**options))
    assert split_rows(DataConfig(**options)) == (len(data.x_train), len(data.x_validation), len(data.x_test))
