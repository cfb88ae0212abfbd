"""Labels of whatever kind users have, as arrays and in a file."""

import datetime
import enum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.refusals import refused
from tfticket.data import load_data

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


Animal = enum.Enum("Animal", ["CAT", "COW", "DOG"])
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


OTHERS = [
    ([[*Animal][code] for code in CODES], ("Animal.CAT", "Animal.COW", "Animal.DOG")),
    (pd.Series(pd.cut([1, 2, 3] * 10, [0, 1, 2, 3])), ("(0, 1]", "(1, 2]", "(2, 3]")),
    ([("abc"[code], int(code)) for code in CODES], ("('a', 0)", "('b', 1)", "('c', 2)")),
    (tuple(("ab"[code], code) for code in (CODES > 0).tolist()), ("('a', False)", "('b', True)")),
    ([(0,) * code for code in CODES.tolist()], ("()", "(0, 0)", "(0,)")),
    (pd.Series([frozenset({int(code)}) for code in CODES]), ("frozenset({0})", "frozenset({1})", "frozenset({2})")),
    (np.array(["10", "9", "b"])[CODES], ("b", "9", "10")),
]


def test_texts_numbers_and_other_values_are_classes_in_their_order():
    for kind, labels in TEXTS.items():
        data = loaded(labels)
        assert (data.class_names, classes(data)) == (("cat", "cow", "dog"), NAMES.tolist()), kind
        assert data.contents == loaded(NAMES).contents
    for kind, (labels, names) in NUMBERS.items():
        data, order = loaded(labels), sorted({*labels})
        assert data.class_names == tuple(names), kind
        assert classes(data) == [names[order.index(label)] for label in labels], kind
        assert data.y_train.dtype == np.int32
    for labels, names in OTHERS:
        data = loaded(labels)
        assert (data.class_names, classes(data)) == (names, [str(label) for label in labels])


@given(st.permutations(range(3)), st.sampled_from(["text", "number"]))
def test_the_class_of_a_row_does_not_depend_on_the_order(order, kind):
    rows = np.concatenate([np.flatnonzero(code == CODES) for code in order])
    labels = NAMES if kind == "text" else CODES * 3
    shuffled = load_data("own", x_train=IMAGES[rows], y_train=labels[rows], x_test=IMAGES, y_test=labels)
    assert shuffled.checksum == loaded(labels).checksum


def test_labels_are_kept_in_a_file_and_objects_refused_with_advice_that_keeps_them(tmp_path):
    def from_file(labels):
        np.savez(tmp_path / "own.npz", x_train=IMAGES, y_train=labels, x_test=IMAGES, y_test=labels)
        return load_data(path=tmp_path / "own.npz")

    objects = NAMES.astype(object)
    for labels in (NAMES, CODES + 1, CODES.astype(float), CODES > 0, NAMES.astype("S"), np.asarray(objects, str)):
        there, here = from_file(labels), loaded(labels)
        assert (there.class_names, there.checksum) == (here.class_names, here.checksum)
    with refused(None, None, "y_train holds pickled Python objects", "np.asarray(array, str)"):
        from_file(objects)


REFUSED = [
    (np.linspace(0, 1, ROWS), "y_train[1] is 0.03", "np.digitize"),
    (np.arange(ROWS) * 7.0, "30 different numbers in 30 rows", "np.digitize"),
    (np.arange(ROWS) * 7, "30 different numbers in 30 rows", "y.astype(str)"),
    (np.arange(ROWS), "30 different numbers in 30 rows"),
    (CODES * 1e300, "y_train[1] is 1e+300", "regression"),
    (np.where(CODES == 1, np.inf, 0), "y_train[1] is inf", "regression"),
    (np.where(CODES == 1, np.nan, 0), "y_train[1] is nan", "without a label"),
    ([None, *NAMES[1:]], "y_train[0] is None", "without a label"),
    (pd.Series([pd.NA, *CODES[1:]]), "y_train[0] is <NA>", "without a label"),
    (pd.Series(["cat", None] * 15), "y_train[1] is nan", "without a label"),
    (pd.Series(NAMES).astype("category").cat.remove_categories("cow"), "y_train[2] is nan", "without a label"),
    (["cat", " "] * 15, "y_train[1] is an empty text"),
    ([b"cat", b""] * 15, "y_train[1] is an empty text"),
    (["cat", 1] * 15, "'cat' (str, row 0) and 1 (int, row 1)"),
    ([True, 0] * 15, "True (bool, row 0) and 0 (int, row 1)"),
    (["cat", b"cow"] * 15, "several kinds"),
    (pd.Series(["a", 1, 2.0] * 10), "several kinds"),
    ([("a", 1), "b"] * 15, "several kinds"),
    ([Fraction(1, 2), "a"] * 15, "several kinds"),
    ([1, 2.5] * 15, "y_train[1] is 2.5", "regression"),
    ([[1], [2, 3]] * 15, "y_train[0] is of type list"),
    ([{"a": 1}] * ROWS, "y_train[0] is of type dict"),
    ([("a", [1]), ("b", [2])] * 15, "of type tuple"),
    (np.ma.masked_equal(CODES, 1), "10 masked values"),
    (pd.Series(pd.date_range("2020-01-01", periods=ROWS)), "holds times"),
    ([datetime.date(2020, 1, 1 + int(code)) for code in CODES], "holds times", "y.astype(str)"),
    (CODES.astype("m8[s]"), "holds times"),
    (CODES * 1j, "complex128"),
    (np.array([(1, 2)] * ROWS, "i4,i4"), "expected one label a row"),
    (np.eye(3)[CODES], "(30, 3)", "one-hot: give y.argmax(axis=1)"),
    (pd.get_dummies(pd.Series(NAMES)), "one-hot: give y.argmax(axis=1)"),
    (np.eye(3)[CODES] * 0.9, "highest score is y.argmax"),
    (np.ones((ROWS, 2), int), "Rows of several classes"),
    (np.zeros((ROWS, 3), bool), "Rows of several classes"),
    (np.array([["a", "b"]] * ROWS), "the column that holds the classes"),
    ([(0, 0, 1), (0, 1, 0), (1, 0, 0)] * 10, "one-hot: give np.argmax([*y], axis=1)"),
    ([(1.0, 0.0), (0.0, 1.0)] * 15, "one-hot: give np.argmax"),
    (pd.Series([(True, False), (False, True)] * 15), "one-hot: give np.argmax"),
    ([(10**400, 0.5)] * ROWS, "regression"),
    ([(0.5, 1.5), (2.5, 0.5)] * 15, "y_train[0] is (0.5, 1.5)", "regression"),
    ([(np.float32(0.1 * row), 1) for row in range(ROWS)], "regression"),
    ("cat", "y_train is str"),
    (3, "y_train is int"),
    (iter(CODES), "iterator; expected one label a row"),
    ({"cat", "dog"}, "y_train is set", "in the order of the rows"),
    (dict(enumerate(CODES)).values(), "y_train is dict_values"),
    (np.zeros(ROWS), "one class only, '0'"),
    (["cat"] * ROWS, "one class only, 'cat'"),
    (["cat", "cat "] * 15, "'cat' and 'cat '"),
    (["cat", "dog\n"] * 15, r"'dog\n', which cannot be printed", "strip"),
    (["cat", "\x1b[31mdog"] * 15, r"'\x1b[31mdog', which cannot be printed"),
]


@pytest.mark.parametrize(("labels", "mentions"), [(labels, mentions) for labels, *mentions in REFUSED])
def test_labels_of_no_class_are_refused_with_their_place(labels, mentions):
    with refused("y_train", None, *mentions):
        loaded(labels)


def test_labels_that_no_training_row_has_or_of_another_kind_are_refused():
    for labels, test_labels, mention in (
        (NAMES, np.where(NAMES == "dog", "Dog", NAMES), "the label Dog (row 0)"),
        (CODES, CODES + 1, "the label 3 (row 2)"),
        (CODES > 0, CODES, "numbers, y_train holds truth values"),
        (CODES, CODES.astype(str), "texts, y_train holds numbers"),
        (CODES, CODES + 0.5, "y_test[0] is 0.5"),
    ):
        with refused("y_test", None, mention):
            loaded(labels, test_labels)


def test_numbers_of_many_classes_are_labels_if_plain_or_with_rows_or_given_as_texts():
    def count(labels, **options):
        images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1)
        own = options if options else {"x_validation": images, "y_validation": labels}
        return load_data("own", x_train=images, y_train=labels, x_test=images, y_test=labels, **own).num_classes

    assert count(np.repeat(np.arange(25), 2), stratify=True) == 25, "0, 1, 2, ..., two rows each"
    assert count(np.arange(ROWS) % 20 * 3) == 20, "few"
    assert count((np.arange(ROWS) * 7).astype(str)) == ROWS, "as the message says"
    assert count(np.arange(210) % 21 * 7) == 21, "ten rows each"


def test_labels_of_equal_kinds_may_be_of_other_types_and_chosen_as_users_know_them():
    assert loaded(NAMES, classes=["dog", "cat"]).class_names == ("dog", "cat")
    assert loaded(CODES + 1, classes=[3, 1]).class_names == ("3", "1")
    assert loaded(CODES.astype(float), CODES.astype(np.uint8)).contents == loaded(CODES).contents
    assert loaded(NAMES.astype(object), NAMES.astype("S")).contents == loaded(NAMES).contents
