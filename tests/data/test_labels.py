"""Labels of whatever kind users have, as arrays and in a file."""

import datetime
import enum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.data import load_data
from tfticket.errors import InputError

ROWS = 30
CODES = np.arange(ROWS) % 3
IMAGES = np.arange(ROWS * 4, dtype=np.uint8).reshape(ROWS, 2, 2)


def loaded(labels, test_labels=None, **options):
    y_test = labels if test_labels is None else test_labels
    return load_data("own", x_train=IMAGES, y_train=labels, x_test=IMAGES, y_test=y_test, **options)


def classes(data):
    """The class of each image, by the image's first pixel."""
    rows = [
        (int(image.flat[0]) // 4, data.class_names[label])
        for split in ("train", "validation")
        for image, label in zip(*data.split(split), strict=True)
    ]
    return [name for _, name in sorted(rows)]


def refused(labels, message, test_labels=None):
    with pytest.raises(InputError, match=message):
        loaded(labels, test_labels)


class Animal(enum.Enum):
    CAT = 1
    COW = 2
    DOG = 3


NAMES = np.array(["dog", "cat", "cow"])[CODES]
TEXTS = {
    "NumPy's texts": NAMES,
    "a list": NAMES.tolist(),
    "a list of NumPy's texts": list(NAMES),
    "a tuple": tuple(NAMES.tolist()),
    "objects": NAMES.astype(object),
    "bytes": NAMES.astype("S"),
    "a column": NAMES[:, None],
    "a column of objects": NAMES.astype(object)[:, None],
    "a list of lists": [[name] for name in NAMES.tolist()],
    "a column of tuples": [(name,) for name in NAMES.tolist()],
    "a series": pd.Series(NAMES),
    "a series of objects": pd.Series(NAMES.astype(object), index=np.arange(ROWS)[::-1]),
    "a series of categories": pd.Series(pd.Categorical(NAMES, ["whale", "dog", "cow", "cat"])),
    "a series of pandas' own texts": pd.Series(NAMES, dtype="string"),
    "a frame": pd.DataFrame({"animal": NAMES}),
    "a mask that hides nothing": np.ma.MaskedArray(NAMES, mask=False),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_are_classes_in_the_order_of_the_alphabet(kind):
    data = loaded(TEXTS[kind])
    assert data.class_names == ("cat", "cow", "dog")
    assert classes(data) == NAMES.tolist()
    assert data.contents == loaded(NAMES).contents


NUMBERS = {
    "from 1": (CODES + 1, "123"),
    "-1 and 1": (2 * (CODES % 2) - 1, ("-1", "1")),
    "with gaps": (CODES * 5 + 3, ("3", "8", "13")),
    "whole floats": (CODES.astype(float), "012"),
    "whole floats of 16 bits from 1": (CODES.astype(np.float16) + 1, "123"),
    "whole floats of 80 bits": (CODES.astype(np.longdouble) + 1, "123"),
    "huge": (CODES + 2**62, tuple(str(2**62 + code) for code in range(3))),
    "unsigned and huge": (CODES.astype(np.uint64) + np.uint64(2**63), tuple(str(2**63 + code) for code in range(3))),
    "beyond 64 bits": ([int(code) * 10**30 for code in CODES], ("0", str(10**30), str(2 * 10**30))),
    "of 8 bits": (CODES.astype(np.int8) - np.int8(127) - np.int8(1), ("-128", "-127", "-126")),
    "big-endian": (CODES.astype(">i4") + 7, "789"),
    "objects": (np.array([*map(int, CODES)], dtype=object), "012"),
    "objects of NumPy's": (np.array([*map(np.int32, CODES), None], dtype=object)[:-1], "012"),
    "a series of pandas' own whole numbers": (pd.Series(CODES, dtype="Int64"), "012"),
    "truth values": (CODES > 0, ("False", "True")),
    "objects of truth values": ((CODES > 0).astype(object), ("False", "True")),
    "pandas' own truth values": (pd.Series(CODES > 0, dtype="boolean"), ("False", "True")),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_and_truth_values_are_classes_in_their_order(kind):
    labels, names = NUMBERS[kind]
    data = loaded(labels)
    assert data.class_names == tuple(names)
    plain = [*labels]
    order = sorted({*plain})
    assert classes(data) == [data.class_names[order.index(label)] for label in plain]
    assert data.y_train.dtype == np.int32


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([[*Animal][code] for code in CODES], ("Animal.CAT", "Animal.COW", "Animal.DOG")),
        (pd.Series(pd.cut([1, 2, 3] * 10, [0, 1, 2, 3])), ("(0, 1]", "(1, 2]", "(2, 3]")),
        ([("abc"[code], int(code)) for code in CODES], ("('a', 0)", "('b', 1)", "('c', 2)")),
        (tuple(("ab"[code], code) for code in (CODES > 0).tolist()), ("('a', False)", "('b', True)")),
        ([(0,) * code for code in CODES.tolist()], ("()", "(0, 0)", "(0,)")),
        (pd.Series([frozenset({int(code)}) for code in CODES]), ("frozenset({0})", "frozenset({1})", "frozenset({2})")),
    ],
    ids=["members of an enumeration", "intervals", "tuples", "a tuple of tuples", "tuples of several lengths", "sets"],
)
def test_other_hashable_values_are_classes_by_their_text(labels, names):
    data = loaded(labels)
    assert data.class_names == names
    assert classes(data) == [str(label) for label in labels]


def test_names_that_are_numbers_go_by_their_number_as_in_folders():
    assert loaded(np.array(["10", "9", "b"])[CODES]).class_names == ("b", "9", "10")


def test_classes_are_chosen_by_the_labels_that_users_know():
    data = loaded(NAMES, classes=["dog", "cat"])
    assert data.class_names == ("dog", "cat")
    assert loaded(CODES + 1, classes=[3, 1]).class_names == ("3", "1")


@given(st.permutations(range(3)), st.sampled_from(["text", "number"]))
def test_which_row_has_which_class_does_not_depend_on_the_order(order, kind):
    rows = np.concatenate([np.flatnonzero(code == CODES) for code in order])
    labels = NAMES if kind == "text" else CODES * 3
    shuffled = load_data("own", x_train=IMAGES[rows], y_train=labels[rows], x_test=IMAGES, y_test=labels)
    assert shuffled.checksum == loaded(labels).checksum


def test_labels_are_kept_in_a_file(tmp_path):
    for labels in (NAMES, CODES + 1, CODES.astype(float), CODES > 0, NAMES.astype("S")):
        np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=labels, x_test=IMAGES, y_test=labels)
        there, here = load_data(path=tmp_path / "own.npz"), loaded(labels)
        assert (there.class_names, there.checksum) == (here.class_names, here.checksum)


def test_objects_in_a_file_are_not_read_and_the_advice_keeps_them(tmp_path):
    np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=NAMES.astype(object), x_test=IMAGES, y_test=NAMES)
    with pytest.raises(InputError, match=r"y_train holds pickled Python objects.*np\.asarray\(array, str\)"):
        load_data(path=tmp_path / "own.npz")
    kept = np.asarray(NAMES.astype(object), str)
    np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=kept, x_test=IMAGES, y_test=kept)
    assert classes(load_data(path=tmp_path / "own.npz")) == NAMES.tolist()


# What is no label


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.linspace(0, 1, ROWS), r"y_train\[1\] is 0\.03.*: a target of regression.*np\.digitize"),
        (np.arange(ROWS) * 7.0, "30 different numbers in 30 rows: a target of regression"),
        (np.arange(ROWS) * 7, "30 different numbers in 30 rows: a target of regression.*y.astype"),
        (CODES * 1e300, r"y_train\[1\] is 1e\+300: a target of regression"),
        (np.where(CODES == 1, np.inf, 0), r"y_train\[1\] is inf: a target of regression"),
        (np.where(CODES == 1, np.nan, 0), r"y_train\[1\] is nan: a row without a label"),
        ([None, *NAMES[1:]], r"y_train\[0\] is None: a row without a label"),
        (pd.Series([pd.NA, *CODES[1:]]), r"y_train\[0\] is <NA>: a row without a label"),
        (pd.Series(["cat", None] * 15), r"y_train\[1\] is nan: a row without a label"),
        (
            pd.Series(NAMES).astype("category").cat.remove_categories("cow"),
            r"y_train\[2\] is nan: a row without a label",
        ),
        (["cat", " "] * 15, r"y_train\[1\] is an empty text"),
        ([b"cat", b""] * 15, r"y_train\[1\] is an empty text"),
        (["cat", 1] * 15, r"'cat' \(str, row 0\) and 1 \(int, row 1\); expected one"),
        ([True, 0] * 15, r"True \(bool, row 0\) and 0 \(int, row 1\); expected one"),
        (["cat", b"cow"] * 15, "of several kinds"),
        ([1, 2.5] * 15, r"y_train\[1\] is 2\.5: a target of regression"),
        (pd.Series(["a", 1, 2.0] * 10), "of several kinds"),
        ([[1], [2, 3]] * 15, r"y_train\[0\] is of type list; expected one label a row"),
        ([{"a": 1}] * ROWS, r"y_train\[0\] is of type dict"),
        (np.ma.masked_equal(CODES, 1), "masked array of 10 masked values, which NumPy would unmask"),
        (pd.Series(pd.date_range("2020-01-01", periods=ROWS)), "holds times; expected classes"),
        ([datetime.date(2020, 1, 1 + int(code)) for code in CODES], r"holds times; .*y\.astype\(str\)"),
        (CODES.astype("m8[s]"), "holds times"),
        (CODES * 1j, "is complex128; expected one label a row"),
        (np.array([(1, 2)] * ROWS, "i4,i4"), "expected one label a row"),
        (np.eye(3)[CODES], r"shape \(30, 3\); .* one-hot: give y\.argmax\(axis=1\)"),
        (pd.get_dummies(pd.Series(NAMES)), r"one-hot: give y\.argmax\(axis=1\)"),
        (np.eye(3)[CODES] * 0.9, "class of the highest score is y.argmax"),
        (np.ones((ROWS, 2), int), "Rows of several classes"),
        ("cat", "y_train is str; expected one label a row"),
        (3, "y_train is int; expected one label a row"),
        (iter(CODES), r"y_train is .*iterator; expected one label a row\. Give a list"),
        ({"cat", "dog"}, r"y_train is set; .*in the order of the rows"),
        (dict(enumerate(CODES)).values(), "y_train is dict_values; expected one label a row"),
        ([("a", [1]), ("b", [2])] * 15, "of type tuple; expected one label a row"),
        ([("a", 1), "b"] * 15, "of several kinds"),
        (np.arange(ROWS), "30 different numbers in 30 rows: a target of regression"),
        (np.zeros(ROWS), "own holds one class only, '0'; expected at least two"),
        (["cat"] * ROWS, "own holds one class only, 'cat'"),
        ([(0, 0, 1), (0, 1, 0), (1, 0, 0)] * 10, r"one-hot: give np\.argmax\(\[\*y\], axis=1\)"),
        ([(1.0, 0.0), (0.0, 1.0)] * 15, "one-hot: give np.argmax"),
        (pd.Series([(True, False), (False, True)] * 15), "one-hot: give np.argmax"),
        ([(10**400, 0.5)] * ROWS, "targets of regression"),
        ([(0.5, 1.5), (2.5, 0.5)] * 15, r"y_train\[0\] is \(0\.5, 1\.5\): targets of regression"),
        ([(np.float32(0.1 * row), 1) for row in range(ROWS)], "targets of regression"),
        (["cat", "cat "] * 15, "the labels 'cat' and 'cat ', which differ in spaces alone"),
        ([Fraction(1, 2), "a"] * 15, "of several kinds"),
        (["cat", "dog\n"] * 15, r"the label 'dog\\n', which cannot be printed.*strip"),
        (["cat", "\x1b[31mdog"] * 15, r"'\\x1b\[31mdog', which cannot be printed"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_label_is_refused_with_its_place(labels, message):
    refused(labels, message)


def test_many_classes_may_be_numbers_if_they_are_plain_or_have_rows_or_are_called_texts():
    plain = np.repeat(np.arange(25), 2)
    images = np.arange(50, dtype=np.uint8).reshape(50, 1, 1)
    data = load_data("own", x_train=images, y_train=plain, x_test=images, y_test=plain, stratify=True)
    assert data.num_classes == 25, "0, 1, 2, ..., two rows each"
    twenty = (np.arange(ROWS) % 20) * 3
    assert loaded(twenty, x_validation=IMAGES, y_validation=twenty).num_classes == 20
    texts = (np.arange(ROWS) * 7).astype(str)
    assert loaded(texts, x_validation=IMAGES, y_validation=texts).num_classes == ROWS, "as the message says"
    rows = 10 * 21
    images = np.arange(rows, dtype=np.uint8).reshape(rows, 1, 1)
    labels = np.arange(rows) % 21 * 7
    assert load_data("own", x_train=images, y_train=labels, x_test=images, y_test=labels).num_classes == 21


@pytest.mark.parametrize(
    ("labels", "test_labels", "message"),
    [
        (
            NAMES,
            np.where(NAMES == "dog", "Dog", NAMES),
            r"y_test holds the label Dog \(row 0\), which no training row has",
        ),
        (CODES, CODES + 1, r"y_test holds the label 3 \(row 2\)"),
        (CODES > 0, CODES, "y_test holds numbers, y_train holds truth values"),
        (CODES, CODES.astype(str), "y_test holds texts, y_train holds numbers"),
        (CODES, CODES + 0.5, r"y_test\[0\] is 0\.5: a target of regression"),
    ],
)
def test_labels_that_no_training_row_has_or_of_another_kind_are_refused(labels, test_labels, message):
    refused(labels, message, test_labels)


def test_labels_of_one_kind_may_be_of_other_types():
    data = loaded(CODES.astype(float), CODES.astype(np.uint8))
    assert data.contents == loaded(CODES).contents
    assert loaded(NAMES.astype(object), NAMES.astype("S")).contents == loaded(NAMES).contents
