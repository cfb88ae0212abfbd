import hashlib
import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from PIL import Image

from tests.data.rows import SPLITS, arrays, assert_equal, by_hash, numbered, numbers, own, saved
from tfticket import seeds
from tfticket.config import DataConfig
from tfticket.data import load_data, load_dataset, sources
from tfticket.data.identity import identify
from tfticket.errors import InputError

# The bundled data


def sha256(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


def test_the_bundled_mnist_is_the_real_one(mnist):
    assert (mnist.x_train.shape, mnist.x_test.shape) == ((60_000, 28, 28, 1), (10_000, 28, 28, 1))
    assert np.bincount(mnist.y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.x_train.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist.x_train.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    assert identify(mnist).contents == load_data("mnist").contents == sources.mnist.contents


def test_mnist_by_name_has_all_its_rows_in_the_form_models_take():
    data = load_data("mnist")
    assert [len(data.split(name)[0]) for name in SPLITS] == [55_000, 5000, 10_000]
    assert (data.name, data.label, data.input_shape, data.num_classes) == ("mnist", "MNIST", (28, 28, 1), 10)
    assert data.class_names == tuple("0123456789")
    for name in SPLITS:
        images, labels = data.split(name)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
        assert images.shape == (len(labels), 28, 28, 1)


def test_the_split_of_mnist_is_frozen(mnist):
    data = load_data("mnist")
    assert sha256(data.x_train) == "a918cebad53b147e7e4c9266efce1138d9db181895267b74b5f789d351db3b60"
    assert sha256(data.y_validation) == "762c149e361286bc64f36dddfccfe85d21660820b387d3556d7791bfb16a8cbd"
    assert data.checksum == "3bc71f77b9f2f669efde19058b17b6a7d0f973e881340e6fb2ef4e7d69b379b7"
    assert load_dataset(DataConfig()).checksum == data.checksum
    order = by_hash(mnist.x_train, mnist.y_train)[seeds.generator(0, "split", 60_000).permutation(60_000)]
    for rows, name in ((order[5000:], "train"), (order[:5000], "validation")):
        images, labels = data.split(name)
        np.testing.assert_array_equal(images, mnist.x_train[rows])
        np.testing.assert_array_equal(labels, mnist.y_train[rows])
    order = by_hash(mnist.x_test, mnist.y_test)
    np.testing.assert_array_equal(data.x_test, mnist.x_test[order])
    np.testing.assert_array_equal(data.y_test, mnist.y_test[order])


def test_the_bundled_cifar_10_is_small_balanced_and_says_that_it_is_jpeg():
    data = load_data("cifar-10-small")
    assert [len(data.split(name)[0]) for name in SPLITS] == [4500, 500, 1000]
    assert (data.input_shape, data.num_classes) == ((32, 32, 3), 10)
    assert data.class_names == (
        *("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    )
    assert "JPEG" in data.label
    assert data.contents == sources.cifar_10_small.contents
    assert np.bincount(np.concatenate([data.y_train, data.y_validation])).tolist() == [500] * 10
    assert np.bincount(data.y_test).tolist() == [100] * 10


def test_the_fixtures_rows_are_the_first_of_the_same_order(data):
    whole = load_data("mnist", validation_rows=1000)
    np.testing.assert_array_equal(data.x_validation, whole.x_validation)
    np.testing.assert_array_equal(data.x_train, whole.x_train[:2000])
    np.testing.assert_array_equal(data.y_train, whole.y_train[:2000])


# The split: rows are numbered by their pixels


@given(st.data(), st.integers(4, 300), st.integers(0, 5))
def test_the_split_is_a_seeded_partition(draw, rows, split_seed):
    validation_rows = draw.draw(st.integers(1, rows - 1))
    train_rows = draw.draw(st.none() | st.integers(1, rows - validation_rows))
    options = {"validation_rows": validation_rows, "split_seed": split_seed}
    try:
        data = own(rows, **options, train_rows=train_rows)
    except InputError as error:
        assert "no training row is of class" in str(error)  # noqa: PT017
        reject()
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


def test_the_split_is_drawn_from_its_own_seed_and_from_no_other():
    one, again, other = (own(split_seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.x_train, again.x_train)
    assert np.any(one.y_validation != other.y_validation)


@pytest.mark.parametrize(
    ("rows", "validation"),
    [(4, 1), (9, 1), (19, 1), (20, 2), (5000, 500), (49_999, 4999), (50_000, 5000), (60_000, 5000)],
)
def test_a_tenth_is_for_validation_but_never_more_than_5_000_and_never_none(rows, validation):
    data = own(rows, y_train=np.arange(rows) % 2, validation_rows=None)
    assert (len(data.x_validation), len(data.x_train)) == (validation, rows - validation)


def test_the_default_counts_the_rows_of_the_chosen_classes():
    data = own(300, validation_rows=None, classes=[0, 1])
    assert (len(data.x_validation), len(data.x_train)) == (20, 180)


@pytest.mark.parametrize("train_rows", [8, 12, 30])
def test_so_many_training_rows_are_kept_and_the_validation_rows_are_the_same(train_rows):
    data, whole = own(train_rows=train_rows), own()
    np.testing.assert_array_equal(data.x_train, whole.x_train[:train_rows])
    np.testing.assert_array_equal(data.x_validation, whole.x_validation)


# Every format


def test_in_every_format_equal_rows_are_equal_data(form, request, tmp_path, writers):
    rows = request.getfixturevalue(form.rows)
    path = form.pack(form.members(rows), tmp_path / "in.this.folder")
    options = {"validation_rows": 40, "split_seed": 3}
    ours, theirs = load_data(path=path, **options), load_data("rows", **rows._asdict(), **options)
    assert_equal(ours, theirs)
    assert ours.class_names == (writers.names if form.name.startswith(("cifar", "images")) else tuple("0123456789"))
    names = {"data.npz": "data", "images.zip": "images", "in.this.folder": "in.this.folder"}
    names |= {f"cifar-10-{kind}.tar.gz": f"cifar-10-{kind}" for kind in ("python", "binary")}
    assert ours.name == ours.label == names[path.name]


@given(st.permutations(range(40)), st.permutations(range(6)), st.booleans())
def test_rows_that_lie_in_another_order_are_the_same_data(tmp_path_factory, train, test, from_file):
    rows = arrays()
    rows = {name: array[train if name.endswith("train") else test] for name, array in rows.items()}
    options = {"train_rows": 11, "validation_rows": 10, "classes": [2, 0, 1], "normalise": "standard"}
    expected = load_data("own", **arrays(), **options)
    if from_file:
        data = load_data(path=saved(tmp_path_factory.mktemp("npz"), **rows), **options)
    else:
        data = load_data("own", **rows, **options)
    assert_equal(data, expected)
    assert data.normalisation == expected.normalisation


def test_a_row_that_is_there_twice_stays_there_twice():
    rows = {**arrays(), "x_train": np.repeat(numbered(20), 2, axis=0), "y_train": np.repeat(np.arange(20) % 3, 2)}
    data = own(**rows)
    found = np.concatenate([numbers(data.x_train), numbers(data.x_validation)])
    assert sorted(found) == sorted([*range(20), *range(20)])


@pytest.mark.parametrize("classes", [None, [3, 7, 1]])
def test_in_every_format_the_training_rows_lie_where_tensorflow_can_use_them(form, classes, request, tmp_path):
    path = form.pack(form.members(request.getfixturevalue(form.rows)), tmp_path / "data")
    assert load_data(path=path, validation_rows=7, classes=classes).x_train.ctypes.data % 64 == 0


def test_rows_that_a_reader_had_to_copy_lie_there_too(colour, digits, tmp_path):
    np.savez(tmp_path / "data.npz", **{**colour._asdict(), "x_train": np.asfortranarray(colour.x_train)})
    assert load_data(path=tmp_path / "data.npz").x_train.ctypes.data % 64 == 0
    for split, image in itertools.product(("train", "test"), range(50)):
        file = tmp_path / "images" / split / "ab"[image % 2] / f"{image}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.x_train[image]).convert("L" if split == "train" else "RGB").save(file)
    data = load_data(path=tmp_path / "images")
    assert data.input_shape == (28, 28, 3)
    assert data.x_train.ctypes.data % 64 == 0


def test_contents_know_no_order_but_each_row_with_its_label():
    rows = arrays()
    upside_down = {name: array[::-1] for name, array in rows.items()}
    assert_equal(own(**upside_down), own())
    swapped = {**rows, "y_train": rows["y_train"][::-1]}
    moved = dict(zip(rows, (rows["x_test"], rows["y_test"], rows["x_train"], rows["y_train"] % 2), strict=True))
    wide = {**rows, "x_train": rows["x_train"].swapaxes(1, 2), "x_test": rows["x_test"].swapaxes(1, 2)}
    others = [load_data("own", **changed).contents for changed in (rows, swapped, moved, wide)]
    assert len({*others}) == 4


def test_equal_data_have_equal_checksums_and_others_have_not():
    changed = numbered(40).copy()
    changed[7, 0, 0] ^= 1
    different = [
        own(),
        own(x_train=changed),
        own(y_train=np.arange(40)[::-1] % 3),
        own(x_test=numbered(6)[::-1]),
        own(y_test=np.zeros(6, int)),
        own(validation_rows=11),
        own(train_rows=20),
        own(split_seed=1),
        own(classes=[0, 1]),
        own(classes=[1, 0]),
        own(classes=[2, 1, 0]),
        own(normalise="standard"),
        load_data("mnist"),
        load_data("mnist", train_rows=2000),
    ]
    assert len({data.checksum for data in different}) == len(different)
    bytes_in_a_column = (np.arange(40, dtype=np.uint8) % 3)[:, None]
    same = [own(train_rows=30), own(classes=[0, 1, 2]), own(classes=["0", 1, "2"]), own(y_train=bytes_in_a_column)]
    assert {data.checksum for data in same} == {own().checksum}


def test_a_data_set_says_in_a_line_what_it_is():
    assert repr(load_data("mnist")) == "Dataset(MNIST, 55,000 + 5,000 + 10,000 images of 28x28x1, 10 classes)"
    assert repr(own(train_rows=7, classes=[0, 2])) == "Dataset(own, 7 + 10 + 3 images of 2x1x1, 2 classes)"


def test_a_file_that_changed_is_read_anew_and_a_runs_data_are_read_once(tmp_path, folders):
    path = saved(folders[0])
    by_name, config = path.stem, DataConfig(path=str(path))
    before, kept = load_data(path=path), load_dataset(config)
    assert load_data(by_name).contents == before.contents == kept.contents
    np.savez(path, **arrays(50))
    assert load_data(path=path).contents == load_data(by_name).contents != before.contents
    assert load_dataset(config) is kept


# Classes


@pytest.mark.parametrize(
    ("classes", "kept"),
    [([3, 5], [3, 5]), ([5, 3], [5, 3]), (("cat", "dog"), [3, 5]), (["truck", 0, "frog"], [9, 0, 6])],
)
def test_classes_by_number_or_name_are_numbered_in_the_order_given(classes, kept, colour, tmp_path, writers):
    form = writers.formats["cifar python"]
    path = form.pack(form.members(colour), tmp_path / "data")
    data = load_data(path=path, classes=classes, validation_rows=20)
    assert data.class_names == tuple(writers.names[label] for label in kept)
    rows = {
        "train": list(zip(colour.x_train, colour.y_train, strict=True)),
        "test": list(zip(colour.x_test, colour.y_test, strict=True)),
    }
    ours = {"train": ("train", "validation"), "test": ("test",)}
    for split, parts in ours.items():
        expected = Counter((image.tobytes(), kept.index(label)) for image, label in rows[split] if label in kept)
        found = Counter(
            (image.tobytes(), label) for part in parts for image, label in zip(*data.split(part), strict=True)
        )
        assert found == expected
    labels = colour.y_test[by_hash(colour.x_test, colour.y_test)]
    assert data.y_test.tolist() == [kept.index(label) for label in labels if label in kept]


def test_a_class_without_a_name_is_named_by_its_number():
    assert own(classes=["2", "1"]).class_names == own(classes=(2, 1)).class_names == ("2", "1")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["0", "3"], r"own: Unknown class '3'.*Or a number, 0 to 2"),
        ([0, 3], "Unknown class '3'"),
        ([-1, 0], "Unknown class '-1'"),
        ([1, 1], "repeat"),
        ([1, "1"], "repeat"),
        ([1], r"load_data: classes must be at least two, got \[1\]"),
        ([], r"load_data: classes must be at least two, got \[\]"),
        ("01", "classes"),
        (7, "classes: expected a list"),
        *[
            ([one, 2], r"expected a list of numbers or names, .* \['cat', 'dog'\] \(got")
            for one in (0.5, 1.0, True, None, b"1")
        ],
        ([1, 2], "no test rows of the classes"),
    ],
)
def test_classes_that_are_not_there_or_no_choice_are_refused(classes, message):
    with pytest.raises(InputError, match=message):
        own(classes=classes, y_test=np.zeros(6, int))


def test_where_names_are_numbers_the_name_counts(writers, digits, tmp_path):
    members = {
        f"{split}/{name}/{row}.png": writers.png(digits.x_train[10 * row + int(name)])
        for name, split, row in itertools.product("321", ("train", "test"), range(4))
    }
    path = writers.folder(members, tmp_path / "images")
    for classes in ([1, 2], ["1", "2"], [1, "2"]):
        data = load_data(path=path, classes=classes)
        assert data.class_names == ("1", "2")
        pixels = {image.tobytes() for image, label in zip(data.x_test, data.y_test, strict=True) if label == 0}
        assert pixels == {digits.x_train[10 * row + 1].tobytes() for row in range(4)}
    assert load_data(path=path, classes=[0, 3]).class_names == ("1", "3"), "no class is called 0"
    with pytest.raises(InputError, match="name one of them twice"):
        load_data(path=path, classes=[0, 1])
    with pytest.raises(InputError, match="Unknown class '0'"):
        load_data(path=path, classes=["0", "1"])


def test_a_class_by_number_and_by_name_is_there_twice(writers, colour, tmp_path):
    form = writers.formats["cifar binary"]
    path = form.pack(form.members(colour), tmp_path / "data")
    with pytest.raises(InputError, match="name one of them twice"):
        load_data(path=path, classes=[3, "cat"])
    with pytest.raises(InputError, match="Did you mean 'cat'"):
        load_data(path=path, classes=["cta", "dog"])


def test_too_few_rows_of_the_classes_are_told_as_such():
    with pytest.raises(InputError, match="27 training rows of these classes: 10 for validation and 18"):
        own(classes=[0, 1], train_rows=18)


# Own arrays


def test_own_arrays_keep_their_name_shape_and_classes():
    data = own(y_train=np.arange(40)[:, None] % 7, x_test=numbered(6)[..., None])
    assert (data.name, data.label, data.input_shape, data.num_classes) == ("own", "own", (2, 1, 1), 7)
    assert data.class_names == tuple("0123456")
    assert dict(zip(numbers(data.x_test), data.y_test, strict=True)) == {row: row % 2 for row in range(6)}
    coloured = np.zeros((40, 4, 5, 3), np.uint8)
    assert own(x_train=coloured, x_test=coloured[:6]).input_shape == (4, 5, 3)
    assert load_data(**arrays()).name == "own data"


LAYOUTS = {
    "as they are": lambda array: array.copy(),
    "in Fortran's order": np.asfortranarray,
    "every second row of more": lambda array: np.repeat(array, 2, axis=0)[::2],
    "upside down": lambda array: array[::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("options", [{}, {"classes": [2, 0]}, {"train_rows": 20}], ids=str)
def test_own_arrays_are_left_as_they_were_and_shared_with_nothing(layout, options):
    theirs = {name: LAYOUTS[layout](array) for name, array in arrays().items()}
    for array in theirs.values():
        array.flags.writeable = False
    before = {name: array.copy() for name, array in theirs.items()}
    data = own(**theirs, **options)
    for name, array in theirs.items():
        np.testing.assert_array_equal(array, before[name])
        for split in SPLITS:
            assert not any(np.shares_memory(array, part) for part in data.split(split))
    assert data.x_train.ctypes.data % 64 == 0


def test_arrays_that_may_be_written_may_be_written_afterwards_and_the_data_stay():
    theirs = arrays()
    data, expected = own(**theirs), own()
    for array in theirs.values():
        array[:] = 0
    for split in SPLITS:
        for one, two in zip(data.split(split), expected.split(split), strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("options", [{}, {"classes": [2, 0]}, {"train_rows": 20}], ids=str)
def test_what_is_loaded_cannot_be_written(options, tmp_path):
    for data in (own(**options), load_data(path=saved(tmp_path), **options)):
        for split, part in itertools.product(SPLITS, (0, 1)):
            with pytest.raises(ValueError, match="read-only"):
                data.split(split)[part][0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *[({name: None}, "all four arrays: x_train, y_train, x_test, y_test") for name in arrays()],
        ({"path": "mnist.npz"}, "either a path or arrays"),
        (
            {"x_train": numbered(40)[..., None].astype(np.float32)},
            "own: x_test is uint8, x_train is float32; expected uint8",
        ),
        ({"x_test": numbered(6)[..., 0]}, r"own: x_test has 2 features, x_train has images of \(2, 1, 1\)"),
        ({"x_test": np.zeros((6, 3, 1), np.uint8)}, r"own: x_test has images of \(3, 1, 1\) .* of \(2, 1, 1\)"),
        ({"y_train": np.arange(39)}, "own: y_train has 39 labels, x_train 40 rows"),
        ({"y_test": np.zeros((6, 2), int)}, r"y_test has the shape \(6, 2\).*one column"),
        ({"y_test": np.int64(3)}, "y_test is int64; expected one label a row"),
        ({"y_train": 2 * (np.arange(40) % 3)}, r"y_test holds the label 1 \(row 1\), which no training row has"),
        ({"y_test": np.full(6, 3)}, "y_test holds the label 3 .* expected one of 0, 1, 2"),
        ({"x_validation": numbered(5)}, "both x_validation and y_validation"),
        ({"x_test": numbered(0), "y_test": np.zeros(0, int)}, r"x_test has the shape \(0, 2, 1\)"),
        ({"validation_rows": 40}, "40 training rows: 40 for validation"),
        ({"train_rows": 31}, "31 for training do not fit"),
        ({"validation_rows": 0}, "load_data: validation_rows"),
        ({"train_rows": -1}, "load_data: train_rows"),
        ({"split_seed": -1}, "load_data: split_seed"),
        ({"normalise": "z-score"}, "load_data: normalise"),
        ({"train_rows": True}, r"train_rows: expected a whole number, such as 128 \(got True\)\.$"),
    ],
)
def test_own_arrays_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        own(**changes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": 3}, r"name: expected a text \(got 3\)\.$"),
        ({"name": "mnits"}, "Did you mean 'mnist'.*data.path.*--data-dir"),
        ({"path": "no/such/file.npz"}, "no/such/file.npz does not exist"),
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_validation": np.zeros((10, 2, 1, 1), np.float32)}, "validation rows are float32"),
        ({"x_test": np.zeros((6, 1, 2, 1), np.uint8)}, "of one type and size in all splits"),
        ({"y_test": np.zeros(6, np.int64)}, "test labels are int64"),
        ({"y_test": np.zeros(5, np.int32)}, r"expected int32 \[6\]"),
        ({"y_train": np.full(30, 3, np.int32)}, "train labels go from 3 to 3; expected 0 to 2"),
        ({"x_test": np.zeros((0, 2, 1, 1), np.uint8), "y_test": np.zeros(0, np.int32)}, "test labels"),
    ],
)
def test_a_data_set_of_parts_that_do_not_fit_cannot_be_made(changes, message):
    with pytest.raises(InputError, match=message):
        replace(own(), **changes)
