import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.data.rows import SPLITS, arrays, assert_equal, by_hash, numbered, numbers, own, saved
from tests.data.writers import folder, formats, names, png
from tests.refusals import refused
from tfticket import seeds
from tfticket.config import DataConfig
from tfticket.data import load_data, load_dataset, sources
from tfticket.data.identity import identify
from tfticket.data.split import split_sizes


def sha256(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_the_bundled_data_are_the_real_ones_and_their_split_is_frozen(mnist):
    assert np.bincount(mnist.y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist.x_train.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    data = load_data("mnist")
    assert identify(mnist).contents == data.contents == sources.mnist.contents
    assert (data.name, data.label, data.class_names) == ("mnist", "MNIST", tuple("0123456789"))
    assert sha256(data.x_train) == "a918cebad53b147e7e4c9266efce1138d9db181895267b74b5f789d351db3b60"
    assert sha256(data.y_validation) == "762c149e361286bc64f36dddfccfe85d21660820b387d3556d7791bfb16a8cbd"
    assert data.checksum == "3bc71f77b9f2f669efde19058b17b6a7d0f973e881340e6fb2ef4e7d69b379b7"
    assert repr(data) == "Dataset(MNIST, 55,000 + 5,000 + 10,000 images of 28x28x1, 10 classes)"
    order = by_hash(mnist.x_train, mnist.y_train)[seeds.generator(0, "split", 60_000).permutation(60_000)]
    for rows, name in ((order[5000:], "train"), (order[:5000], "validation")):
        images, labels = data.split(name)
        np.testing.assert_array_equal(images, mnist.x_train[rows])
        np.testing.assert_array_equal(labels, mnist.y_train[rows])
    np.testing.assert_array_equal(data.x_test, mnist.x_test[by_hash(mnist.x_test, mnist.y_test)])
    data = load_data("cifar-10-small")
    assert [len(data.split(name)[0]) for name in SPLITS] == [4500, 500, 1000]
    assert (data.input_shape, data.class_names, data.contents) == ((32, 32, 3), names, sources.cifar_10_small.contents)
    assert np.bincount(np.concatenate([data.y_train, data.y_validation])).tolist() == [500] * 10


# The split: rows are numbered by their pixels


@settings(max_examples=60)
@given(st.data(), st.permutations(range(4)), st.integers(2, 4), st.integers(8, 60), st.integers(0, 3))
def test_rows_of_files_and_of_arrays_are_those_that_indexing_gives(
    tmp_path_factory, draw, order, count, rows, split_seed
):
    kept = order[:count]
    labels = np.arange(rows) % 4
    of_these = by_hash(numbered(rows), labels)
    of_these = of_these[np.isin(labels[of_these], kept)]
    validation_rows = draw.draw(st.integers(1, len(of_these) - 1))
    train_rows = draw.draw(st.none() | st.integers(1, len(of_these) - validation_rows))
    source = {"x_train": numbered(rows), "y_train": labels, "x_test": numbered(9), "y_test": np.arange(9) % 4}
    options = {"validation_rows": validation_rows, "train_rows": train_rows, "split_seed": split_seed}
    path = saved(tmp_path_factory.mktemp("npz"), **source)
    drawn = of_these[seeds.generator(split_seed, "split", len(of_these)).permutation(len(of_these))]
    tested = by_hash(source["x_test"], source["y_test"])
    expected = {
        "train": drawn[validation_rows:][:train_rows],
        "validation": drawn[:validation_rows],
        "test": tested[np.isin(source["y_test"][tested], kept)],
    }
    assume({*labels[expected["train"]]} == {*kept})
    for data in (load_data(**source, **options, classes=kept), load_data(path=path, **options, classes=kept)):
        for split, rows_of_it in expected.items():
            images, labels_of_it = data.split(split)
            np.testing.assert_array_equal(numbers(images), rows_of_it)
            assert labels_of_it.tolist() == [kept.index(row % 4) for row in rows_of_it]


def test_a_tenth_is_for_validation_but_never_more_than_5_000_and_never_none():
    for rows, validation in ((4, 1), (19, 1), (20, 2), (49_999, 4999), (60_000, 5000)):
        assert split_sizes(DataConfig(), rows, own_validation=False) == (rows - validation, validation)
    data = own(300, validation_rows=None, classes=[0, 1])
    assert (len(data.x_validation), len(data.x_train)) == (20, 180), "of the chosen classes"


# Equal rows are equal data


@settings(max_examples=60)
@given(st.permutations(range(40)), st.permutations(range(6)), st.booleans())
def test_rows_in_another_order_are_the_same_data(tmp_path_factory, train, test, from_file):
    rows = {name: array[train if name.endswith("train") else test] for name, array in arrays().items()}
    options = {"train_rows": 11, "validation_rows": 10, "classes": [2, 0, 1], "normalise": "standard"}
    source = {"path": saved(tmp_path_factory.mktemp("npz"), **rows)} if from_file else rows
    assert_equal(load_data("own", **source, **options), load_data("own", **arrays(), **options))


def test_each_row_counts_with_its_label_split_shape_number_and_choice():
    rows = arrays()
    swapped = {**rows, "y_train": rows["y_train"][::-1]}
    moved = dict(zip(rows, (rows["x_test"], rows["y_test"], rows["x_train"], rows["y_train"] % 2), strict=True))
    wide = {**rows, "x_train": rows["x_train"].swapaxes(1, 2), "x_test": rows["x_test"].swapaxes(1, 2)}
    twice = {**rows, "x_train": np.repeat(numbered(20), 2, axis=0), "y_train": np.repeat(np.arange(20) % 3, 2)}
    others = [load_data("own", **changed).contents for changed in (rows, swapped, moved, wide, twice)]
    assert len({*others}) == 5
    changes = [{}, {"x_test": numbered(6)[::-1]}, {"y_test": np.zeros(6, int)}, {"validation_rows": 11}]
    changes += [{"train_rows": 20}, {"split_seed": 1}, {"classes": [0, 1]}, {"classes": [1, 0]}, {"classes": [2, 1, 0]}]
    changes += [{"normalise": "standard"}]
    assert len({own(**values).checksum for values in changes}) == len(changes)
    same = [{"train_rows": 30}, {"classes": ["0", 1, "2"]}, {"y_train": (np.arange(40, dtype=np.uint8) % 3)[:, None]}]
    assert {own(**values).checksum for values in same} == {own().checksum}


def test_a_file_that_changed_is_read_anew_and_the_data_of_a_run_are_read_once(folders):
    path = saved(folders[0])
    config = DataConfig(path=str(path))
    before, kept = load_data(path=path), load_dataset(config)
    assert load_data(path.stem).contents == before.contents == kept.contents
    np.savez(path, **arrays(50))
    assert load_data(path=path).contents == load_data(path.stem).contents != before.contents
    assert load_dataset(config) is kept


# Classes


def test_classes_are_chosen_by_name_or_number(colour, digits, tmp_path):
    path = formats["cifar python"].write(colour, tmp_path / "data")
    by_name, by_number = (load_data(path=path, classes=c) for c in (["truck", 0, "frog"], [9, 0, 6]))
    assert (by_name.name, load_data(path=path).class_names) == ("data", names)
    assert_equal(by_name, by_number)
    assert by_name.class_names == ("truck", "airplane", "frog")
    with refused("data.classes", None, "twice"):
        load_data(path=path, classes=[3, "cat"])
    with refused("data.classes", "cat"):
        load_data(path=path, classes=["cta", "dog"])
    images = {name: digits.x_train[int(name)] for name in "321"}  # names that are numbers count before numbers
    members = {f"{split}/{name}/0.png": png(images[name]) for name in images for split in ("train", "test")}
    members |= {f"train/{name}/1.png": png(image) for name, image in images.items()}
    path = folder({**members, "train/1/2.png": png(images["1"])}, tmp_path / "images")
    data = load_data(path=path, classes=[1, "2"], stratify=True)
    assert data.class_names == ("1", "2")
    np.testing.assert_array_equal(data.x_test[data.y_test == 0][0, ..., 0], images["1"])
    assert load_data(path=path, classes=[0, 3], stratify=True).class_names == ("1", "3"), "no class is called 0"
    with refused("data.classes", None, "'0'"):
        load_data(path=path, classes=["0", "1"])


def test_classes_that_are_missing_or_no_choice_are_refused():
    known = [(["0", "3"], "'3'"), ([0, 3], "0 to 2"), ([-4, 0], "'-4'"), ([1, 2], "no test rows")]
    wrong = [([1, "1"], "repeat"), ([1], "[1]"), ("01", "list"), *(([v, 2], "numbers or") for v in (1.0, True, None))]
    for field, cases in {"data.classes": known, "classes": wrong}.items():
        for classes, mention in cases:
            with refused(field, None, mention):
                own(classes=classes, y_test=np.zeros(6, int))


# Own arrays


def test_own_arrays_keep_their_name_shape_and_classes():
    data = own(y_train=np.arange(40)[:, None] % 7, x_test=numbered(6)[..., None])
    assert (data.name, data.label, data.input_shape, data.class_names) == ("own", "own", (2, 1, 1), tuple("0123456"))
    assert load_data(**arrays()).name == "own data"
    assert repr(own(train_rows=7, classes=[0, 2])) == "Dataset(own, 7 + 10 + 3 images of 2x1x1, 2 classes)"


def test_own_arrays_are_left_as_they_were_and_data_share_nothing_and_cannot_be_written(tmp_path):
    layouts = (np.copy, np.asfortranarray, lambda array: array[::-1])
    for layout, options in itertools.product(layouts, ({}, {"classes": [2, 0]}, {"train_rows": 20})):
        theirs = {name: layout(array) for name, array in arrays().items()}
        before = {name: array.copy() for name, array in theirs.items()}
        data = own(**theirs, **options)
        assert data.x_train.ctypes.data % 64 == 0
        parts = [part for split in SPLITS for part in data.split(split)]
        for name, array in theirs.items():
            np.testing.assert_array_equal(array, before[name])
            assert not any(np.shares_memory(array, part) for part in parts)
        for part in (*parts, *load_data(path=saved(tmp_path), **options).split("train")):
            assert not part.flags.writeable


GREY, CODES = np.zeros((40, 5, 4), np.uint8), np.arange(40) % 3
REFUSED = [
    ("path", {"path": "mnist.npz"}, "either a path or arrays"), ("x_train", {"x_train": None}, "all four arrays"),
    ("x_train", {"x_train": GREY.astype(np.uint16)}, "x.astype(np.float32)"),
    ("x_train", {"x_train": GREY > 0}, "255 * x.astype(np.uint8)"),
    ("x_test", {"x_test": np.full((6, 2, 1, 1), np.nan)}, "float64, x_train is uint8"),
    ("x_test", {"x_test": numbered(6)[..., 0]}, "2 features, x_train has images of (2, 1, 1)"),
    ("x_test", {"x_test": np.zeros((6, 3, 1), np.uint8)}, "(3, 1, 1)"),
    ("y_train", {"y_train": np.arange(39)}, "39 labels, x_train 40 rows"),
    ("y_train", {"y_train": CODES[:, None, None]}, "(40, 1, 1)"), ("y_test", {"y_test": None}, "all four arrays"),
    ("y_test", {"y_test": np.full(6, 3)}, "one of 0, 1, 2"), ("y_validation", {"x_validation": numbered(5)}, "both"),
    ("data.validation_rows", {"validation_rows": 40}, "40 training rows: 40 for validation"),
    ("data.train_rows", {"train_rows": 31}, "10 for validation and 31 for training"),
    ("data.train_rows", {"classes": [0, 1], "train_rows": 18}, "27 training rows of these classes"),
    ("validation_rows", {"validation_rows": 0}, "0"), ("train_rows", {"train_rows": True}, "True"),
    ("split_seed", {"split_seed": -1}, "-1"), ("normalise", {"normalise": "z-score"}, "standard"),
]  # fmt: skip


def test_own_arrays_that_do_not_fit_are_refused():
    for field, changes, mention in REFUSED:
        with refused(field, None, mention):
            own(**changes)


def test_parts_that_do_not_fit_make_no_data_set_and_an_unknown_name_is_none():
    for changes, field, mention in (
        ({"x_validation": np.zeros((10, 2, 1, 1), np.float32)}, "x_validation", "float32"),
        ({"x_test": np.zeros((6, 1, 2, 1), np.uint8)}, "x_test", "(6, 1, 2, 1)"),
        ({"y_test": np.zeros(6, np.int64)}, "y_test", "int64"),
        ({"y_test": np.zeros(5, np.int32)}, "y_test", "int32 [6]"),
        ({"y_train": np.full(30, 3, np.int32)}, "y_train", "0 to 2"),
        ({"y_train": np.full(30, -1, np.int32)}, "y_train", "0 to 2"),
        ({"x_test": np.zeros((0, 2, 1, 1), np.uint8), "y_test": np.zeros(0, np.int32)}, "y_test", "[0]"),
    ):
        with refused(field, None, mention):
            replace(own(), **changes)
    with refused("split", None, "validation"):
        own().split("dev")
    with refused("data.name", "mnist", "--data-dir"):
        load_data("mnits")
