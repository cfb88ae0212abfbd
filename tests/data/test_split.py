"""Stratified splits, and validation rows of one's own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.data.rows import arrays, assert_equal, by_hash, numbered, numbers, own
from tests.data.writers import folder, idx, png, zipped
from tests.refusals import refused
from tfticket.config import DataConfig
from tfticket.data import load_data, load_dataset, split_rows
from tfticket.errors import InputError

# Stratified


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.floats(0.05, 0.9), st.floats(0.1, 1), st.integers(0, 3))
def test_each_split_has_the_classes_in_their_proportions(counts, share, kept, split_seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = len(labels)
    validation_rows = min(max(1, int(share * rows)), rows - 1)
    train_rows = max(1, int(kept * (rows - validation_rows)))
    given = {"x_train": numbered(rows), "y_train": labels, "x_test": numbered(1), "y_test": [0], "stratify": True}
    options = {**given, "validation_rows": validation_rows, "split_seed": split_seed}
    if rows - validation_rows < len(counts):
        with refused("data.train_rows" if rows - 1 >= len(counts) else "x_validation"):
            load_data("own", **options)
        return
    whole = np.bincount(load_data("own", **options).y_train, minlength=len(counts))
    assert whole.min() >= 1
    if train_rows < len(counts):
        with refused("data.train_rows"):
            load_data("own", **options, train_rows=train_rows)
        return
    data = load_data("own", **options, train_rows=train_rows)
    assert np.bincount(data.y_train, minlength=len(counts)).min() >= 1
    lonely = (whole == 1).sum()  # each may have changed places with a row of the largest class
    for split, size in (("train", train_rows), ("validation", validation_rows)):
        images, classes = data.split(split)
        sizes = np.bincount(classes, minlength=len(counts))
        assert sizes.sum() == size
        ends = 1 if split == "validation" else 2  # both ends of a stretch may fall between two rows
        # Classes of equal sizes are rounded alike, at the cost of the larger ones.
        bound = lonely + ends * (1 + len(counts) * np.array(counts) / rows / 2)
        assert (np.abs(sizes - size * np.array(counts) / rows) <= bound).all()
        np.testing.assert_array_equal(classes, labels[numbers(images)])
    both = [*numbers(data.x_train), *numbers(data.x_validation)]
    assert len({*both}) == len(both)


def test_a_stratified_split_is_seeded_nested_and_another_split():
    plain, first, other = (own(300, stratify=s, split_seed=seed) for s, seed in ((False, 0), (True, 0), (True, 1)))
    assert len({plain.checksum, first.checksum, other.checksum}) == 3
    assert plain.contents == first.contents
    assert {*numbers(first.x_validation)} != {*numbers(other.x_validation)}
    fewer = own(300, train_rows=12, stratify=True)
    np.testing.assert_array_equal(fewer.x_train, first.x_train[:12])
    np.testing.assert_array_equal(fewer.x_validation, first.x_validation)
    chosen = own(300, stratify=True, classes=[2, 0], validation_rows=50)
    assert np.bincount(chosen.y_validation).tolist() == [25, 25]


RARE = {"y_train": np.array([0] * 20 + [1] * 19 + [2])}


def test_a_class_without_a_training_row_is_refused_and_the_advice_helps():
    refusals = 0
    for seed in range(5):
        options = {**RARE, "validation_rows": 30, "split_seed": seed}
        try:
            own(**options)
        except InputError as error:
            refusals += 1
            assert (error.field, error.suggestion) == ("data.stratify", "true")  # noqa: PT017
            assert "class '2'; " in str(error) and "among 10 training rows" in str(error)  # noqa: PT017, PT018
        data = own(**options, stratify=True)
        assert 2 in data.y_train
        assert {*numbers(data.x_train)} | {*numbers(data.x_validation)} == {*range(40)}
    assert refusals
    assert own(**RARE, validation_rows=30, classes=[0, 1]).num_classes == 2
    with refused("data.train_rows", None, "at least 3 training rows"):
        own(**RARE, validation_rows=30, stratify=True, train_rows=2)
    with refused("x_validation", None, "among 2 training rows"):
        own(3, validation_rows=None, stratify=True)
    three = {"x_validation": numbered(3), "y_validation": [0, 1, 2], "validation_rows": None}
    assert own(3, stratify=True, **three).num_classes == 3
    with refused("data.train_rows", None, "among 1 training row."):
        own(4, validation_rows=3, stratify=True)


# Validation rows of one's own

VALIDATION = {"x_validation": numbered(100)[60:], "y_validation": np.arange(60, 100) % 3, "validation_rows": None}


def test_own_validation_rows_are_taken_as_they_are():
    data = own(**VALIDATION)
    assert {*numbers(data.x_train)} == {*range(40)}
    order = by_hash(VALIDATION["x_validation"], VALIDATION["y_validation"])
    np.testing.assert_array_equal(numbers(data.x_validation), 60 + order)
    np.testing.assert_array_equal(data.y_validation, (60 + order) % 3)
    assert data.contents != own(validation_rows=None).contents
    np.testing.assert_array_equal(own(**VALIDATION, train_rows=7).x_train, data.x_train[:7])
    two = own(**VALIDATION, classes=[2, 0], stratify=True)
    assert np.bincount(two.y_validation).tolist() == [13, 14]


def test_own_validation_rows_in_files_are_the_same_data(tmp_path, digits):
    rows = digits.few(3, 1)
    parts = {"train": (rows.x_train, rows.y_train), "test": (rows.x_test, rows.y_test)}
    parts["validation"] = (digits.x_train[-50:], digits.y_train[-50:])
    given = {f"{axis}_{split}": array for split, part in parts.items() for axis, array in zip("xy", part, strict=True)}
    expected = load_data("own", **given)
    for name in ("validation", "val"):
        called = {"train": "train", "test": "test", "validation": name}
        np.savez(tmp_path / f"{name}.npz", **{key.replace("validation", name): array for key, array in given.items()})
        pictures, files = {}, {}
        for split, (images, labels) in parts.items():
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                pictures[f"{called[split]}/{label}/{number}.png"] = png(image)
            files[f"{called[split]}-images-idx3-ubyte"] = idx(images)
            files[f"{called[split]}-labels-idx1-ubyte"] = idx(labels)
        zip_of_all = zipped(f"{name}.zip", top="all/")(pictures, tmp_path)
        folders = folder(pictures, tmp_path / name), folder(files, tmp_path / f"{name} idx")
        for path in (tmp_path / f"{name}.npz", zip_of_all, *folders):
            assert_equal(load_data("own", path=path), expected)
    (tmp_path / "val" / "valid").mkdir()  # an empty folder does not count
    assert_equal(load_data("own", path=tmp_path / "val"), expected)


def test_own_validation_rows_that_do_not_fit_are_refused():
    for changes, field, mention in (
        ({"validation_rows": 10}, "data.validation_rows", "10"), ({"x_validation": None}, "x_validation", "both"),
        ({"x_validation": numbered(39)}, "y_validation", "40 labels, x_validation 39 rows"),
        ({"y_validation": np.full(40, 0), "classes": [1, 2]}, "data.classes", "no validation rows"),
        ({"train_rows": 41}, "data.train_rows", "0 for validation and 41 for training"),
    ):  # fmt: skip
        with refused(field, None, mention):
            own(**{**VALIDATION, **changes})


def test_validation_rows_in_files_that_would_not_be_read_are_refused(tmp_path, digits):
    def check(path, *mentions):
        with refused(None, None, str(path), *mentions):
            load_data(path=path)

    path, four = tmp_path / "own.npz", numbered(4)
    for keys in (["x_val"], ["x_val", "y_validation"], ["x_val", "y_val", "x_validation"]):
        np.savez(path, **arrays(), **dict.fromkeys(keys, four))
        check(path, f"has {', '.join(keys)}; expected x_val and y_val")
    for key in ("X_dev", "xval", "valid_images", "held_out"):
        np.savez(path, **arrays(), **{key: four}, names=np.array(["a"]))
        check(path, f"has '{key}'", "would not be read")
    np.savez(path, **arrays(), evaluator=np.array(["a"]), devices=np.array(["b"]))
    assert len(load_data(path=path).x_train)

    files = {f"{split}-images-idx3-ubyte": idx(digits.x_train[:4]) for split in ("train", "test", "val")}
    files |= {f"{split}-labels-idx1-ubyte": idx(digits.y_train[:4]) for split in ("train", "test")}
    check(folder(files, tmp_path / "idx"), "validation labels")
    files["val-labels-idx1-ubyte"] = files["train-labels-idx1-ubyte"]
    for name in ("dev", "Validation", "validation", "t10k"):
        path = folder(files | {f"{name}-images-idx3-ubyte": b""}, tmp_path / f"{name} idx")
        check(path, "test-images" if name == "t10k" else f"{name}-images-idx3-ubyte", "would not be read")

    image = png(digits.x_train[0])
    members = {f"{split}/{label}/0.png": image for split in ("train", "test", "val") for label in "ab"}
    check(folder({**members, "validation/a/0.png": image}, tmp_path / "both"), "val/ and validation/")
    for name in ("Validation", "Test", "eval", "hold-out", "val2017"):
        check(folder({**members, f"{name}/a/0.png": image}, tmp_path / name), f"has {name}/", "would not be read")
    check(folder({**members, "val/c/0.png": image}, tmp_path / "class"), "validation/ has the class 'c'")


# Rows that are counted without reading the data


def test_rows_are_counted_and_refused_as_they_are_loaded():
    assert split_rows(DataConfig()) == (55_000, 5000, 10_000)
    config = DataConfig(validation_rows=59_000, train_rows=70)
    data = load_dataset(config)
    assert split_rows(config) == (len(data.x_train), len(data.x_validation), len(data.x_test))
    for options, *counts in (
        ({"validation_rows": 60_000}, split_rows, load_dataset),
        ({"train_rows": 55_001}, split_rows),
    ):
        for count in counts:
            with refused(f"data.{next(iter(options))}", None, "mnist has 60,000 training rows"):
                count(DataConfig(**options))
