"""Rows and labels of whatever kind users have, as arrays and in a file."""

import datetime
import enum
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as float_arrays
from PIL import Image

from tests.data.rows import SPLITS, assert_equal
from tests.refusals import refused
from tfticket.data import check_alike, load_data
from tfticket.data.dataset_summary import summary
from tfticket.data.normalisation import IDENTITY, standard_floats
from tfticket.errors import InputError

ROWS = 30
CODES = np.arange(ROWS) % 3
NAMES = np.array(["dog", "cat", "cow"])[CODES]
PIXELS = np.arange(ROWS * 4, dtype=np.uint8).reshape(ROWS, 2, 2)
TABLE = np.random.default_rng(0).normal(5, 2, (ROWS, 4))
FRAME = pd.DataFrame(TABLE, columns=["age", "height", "weight", "pulse"])
IMAGES = np.random.default_rng(1).normal(size=(ROWS, 4, 5, 3)).astype(np.float32)
UNIT_IMAGES = np.random.default_rng(2).uniform(size=(ROWS, 4, 5, 3)).astype(np.float32)


def loaded(rows, test_rows=None, labels=CODES, test_labels=None, **options):
    x_test, y_test = (train if test is None else test for train, test in ((rows, test_rows), (labels, test_labels)))
    if test_rows is not None:
        y_test = y_test[: len(x_test)]
    return load_data("own", x_train=rows, y_train=labels, x_test=x_test, y_test=y_test, **options)


def labelled(labels, test_labels=None, **options):
    return loaded(PIXELS, None, labels, test_labels, **options)


def saved(path, rows, labels=CODES, **more):
    np.savez(path / "own.npz", x_train=rows, y_train=labels, x_test=rows[:9], y_test=labels[:9], **more)
    return path / "own.npz"


# Labels


Animal = enum.Enum("Animal", ["CAT", "COW", "DOG"])
Nameless = enum.Enum("Nameless", {"A": 1, "B": 2}, type=type("Mixin", (), {"__str__": lambda self: "it"}))
TEXTS = [
    NAMES, NAMES.tolist(), NAMES.astype(object)[:, None], NAMES.astype("S"), [(name,) for name in NAMES.tolist()],
    pd.Series(NAMES, dtype="string"), pd.Series(pd.Categorical(NAMES, ["whale", "dog", "cow", "cat"])),
    pd.DataFrame({"animal": NAMES}), np.ma.MaskedArray(NAMES, mask=False),
]  # fmt: skip
CLASSES = [  # labels, the names of their classes, and which of them the codes 0, 1 and 2 are
    *((labels, ("cat", "cow", "dog"), (2, 0, 1)) for labels in TEXTS),
    (CODES * 5 - 1, ("-1", "4", "9"), (0, 1, 2)), (CODES.astype(np.longdouble) + 1, "123", (0, 1, 2)),
    (CODES.astype(np.uint64) + np.uint64(2**63), tuple(str(2**63 + code) for code in range(3)), (0, 1, 2)),
    ([int(code) * 10**30 for code in CODES], ("0", str(10**30), str(2 * 10**30)), (0, 1, 2)),
    (pd.Series(CODES, dtype="Int64"), "012", (0, 1, 2)), (CODES > 0, ("False", "True"), (0, 1, 1)),
    (np.array([*map(np.int32, CODES), None], dtype=object)[:-1], "012", (0, 1, 2)),
    ([[*Animal][code] for code in CODES], ("Animal.CAT", "Animal.COW", "Animal.DOG"), (0, 1, 2)),
    ([("abc"[code], int(code)) for code in CODES], ("('a', 0)", "('b', 1)", "('c', 2)"), (0, 1, 2)),
    ([(0,) * code for code in CODES.tolist()], ("()", "(0, 0)", "(0,)"), (0, 2, 1)),
    (np.array(["10", "9", "b"])[CODES], ("b", "9", "10"), (2, 1, 0)),
]  # fmt: skip


def test_texts_numbers_and_other_values_are_classes_in_their_order():
    for labels, names, codes in CLASSES:
        data = labelled(labels)
        assert data.class_names == tuple(names)
        assert data.contents == labelled(np.array(codes)[CODES]).contents, names
    assert labelled(NAMES, classes=["dog", "cat"]).class_names == ("dog", "cat")
    assert labelled(CODES + 1, classes=[3, 1]).class_names == ("3", "1")


def test_labels_of_equal_kinds_may_be_of_other_types_in_a_file(tmp_path):
    assert labelled(CODES.astype(float), CODES.astype(np.uint8)).contents == labelled(CODES).contents
    for labels in (NAMES, CODES.astype(float), CODES > 0, NAMES.astype("S")):
        there, here = load_data(path=saved(tmp_path, PIXELS, labels)), loaded(PIXELS, PIXELS[:9], labels)
        assert (there.class_names, there.checksum) == (here.class_names, here.checksum)
    with refused(None, None, "y_train holds pickled Python objects", "np.asarray(array, str)"):
        load_data(path=saved(tmp_path, PIXELS, NAMES.astype(object)))


REFUSED_LABELS = [
    (np.linspace(0, 1, ROWS), "y_train[1] is 0.03", "np.digitize"), (CODES * 1e300, "y_train[1] is 1e+300"),
    (np.arange(ROWS) * 7, "30 different numbers in 30 rows", "y.astype(str)"), (np.arange(ROWS), "30 different"),
    (np.where(CODES == 1, np.nan, 0), "y_train[1] is nan"), ([None, *NAMES[1:]], "y_train[0] is None"),
    (pd.Series([pd.NA, *CODES[1:]]), "is <NA>"), (["cat", " "] * 15, "y_train[1] is an empty text"),
    (["cat", 1] * 15, "'cat' (str, row 0) and 1 (int, row 1)"), ([True, 0] * 15, "True (bool, row 0) and 0 (int"),
    ([[1], [2, 3]] * 15, "y_train[0] is of type list"), (np.ma.masked_equal(CODES, 1), "10 masked values"),
    (pd.Series(pd.date_range("2020-01-01", periods=ROWS)), "holds times"), (CODES * 1j, "complex128"),
    ([datetime.date(2020, 1, 1 + int(code)) for code in CODES], "holds times", "y.astype(str)"),
    (np.eye(3)[CODES], "(30, 3)", "one-hot: give y.argmax(axis=1)"),
    (np.eye(3)[CODES] * 0.9, "highest score is y.argmax"), (np.ones((ROWS, 2), int), "Rows of several classes"),
    (np.zeros((ROWS, 3), bool), "Rows of several classes"), (np.array([["a", "b"]] * ROWS), "the column that holds"),
    ([(0, 0, 1), (0, 1, 0), (1, 0, 0)] * 10, "one-hot: give np.argmax([*y], axis=1)"),
    ([(0.5, 1.5), (2.5, 0.5)] * 15, "y_train[0] is (0.5, 1.5)", "regression"), ("cat", "is str"),
    ({"cat", "dog"}, "y_train is set", "in the order of the rows"), (np.zeros(ROWS), "one class only, '0'"),
    (["cat", "cat "] * 15, "'cat' and 'cat '"), (["cat", "\x1b[31mdog"] * 15, r"'\x1b[31mdog', which cannot be"),
    ([*Nameless] * 15, "different labels of one name, 'it'"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_LABELS, ids=lambda case: case[1])
def test_labels_of_no_class_are_refused_with_their_place(case):
    labels, *mentions = case
    with refused("y_train", None, *mentions):
        labelled(labels)


def test_labels_that_no_training_row_has_or_of_another_kind_are_refused():
    for other, mention in ((CODES.astype(str), "texts, y_train holds numbers"), (CODES + 1, "the label 3 (row 2)")):
        with refused("y_test", None, mention):
            labelled(CODES, other)


def test_numbers_of_many_classes_are_labels_if_plain_or_with_rows_or_given_as_texts():
    plain, few, many = np.repeat(np.arange(25), 2), np.arange(ROWS) % 20 * 3, np.arange(210) % 21 * 7
    for labels, count in ((plain, 25), (few, 20), (many, 21), ((np.arange(ROWS) * 7).astype(str), ROWS)):
        images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1)
        assert loaded(images, None, labels, x_validation=images, y_validation=labels).num_classes == count


# Rows of floats


def kept_rows(data):
    """All training and validation rows, sorted."""
    rows = np.concatenate([data.x_train, data.x_validation]).reshape(ROWS, -1)
    return rows[np.lexsort(rows.T)]


TABLES = [
    TABLE, TABLE.astype(np.float32), TABLE.astype(np.longdouble), np.rint(TABLE * 1000).astype(np.int64),
    np.rint(TABLE * 10).astype(np.uint8), TABLE > 5, TABLE.tolist(), TABLE.astype(object), np.asfortranarray(TABLE),
    FRAME.assign(age=np.arange(ROWS), pulse=TABLE[:, 3] > 5), FRAME.astype("Float64"),
    np.ma.MaskedArray(TABLE, mask=False),
]  # fmt: skip


def test_tables_and_images_of_numbers_become_float32():
    for rows in (*TABLES, IMAGES, IMAGES.astype(np.float64).reshape(ROWS, 4, 15, 1)):
        data = loaded(rows)
        assert data.input_shape == np.shape(rows)[1:]
        for split in SPLITS:
            part = data.split(split)[0]
            assert (part.dtype, part.flags.writeable, np.shares_memory(rows, part)) == (np.float32, False, False)
        assert data.x_train.ctypes.data % 64 == 0
        expected = np.array(rows, np.float64).astype(np.float32).reshape(ROWS, -1)
        np.testing.assert_array_equal(kept_rows(data), expected[np.lexsort(expected.T)])
        assert data.normalisation == standard_floats(data.x_train)
    assert loaded([Image.new("L", (5, 4), row) for row in range(ROWS)]).input_shape == (4, 5, 1)
    rows = IMAGES.reshape(ROWS, 20, 3)
    with refused("x_train", None, "[30, 20, 3]", "x[..., None]", "x.reshape(len(x), -1)"):
        loaded(rows)


def test_images_of_floats_have_equal_scales_in_all_splits():
    for factor in (255, 1 / 255):
        with refused("x_test", None, "values up to"):
            loaded(UNIT_IMAGES, factor * UNIT_IMAGES)
    with refused("x_validation", None, "values up to"):
        loaded(UNIT_IMAGES, x_validation=255 * UNIT_IMAGES, y_validation=CODES)
    outlier = UNIT_IMAGES.copy()
    outlier[0, 0, 0, 0] = 255
    for rows in (UNIT_IMAGES * 5, UNIT_IMAGES - 0.5, outlier, UNIT_IMAGES * 0):
        loaded(UNIT_IMAGES, rows)
    loaded(TABLE, TABLE / 1000)  # a table's columns have scales of their own


def test_floats_in_a_file_are_the_same_data_and_texts_are_refused(tmp_path):
    for rows in (TABLE, IMAGES, np.asfortranarray(TABLE), np.rint(TABLE).astype(int)):
        there = load_data("own", path=saved(tmp_path, rows))
        assert_equal(there, loaded(rows, rows[:9]))
        assert there.x_train.ctypes.data % 64 == 0
    for kind, mention in ((None, "x_train is <U4"), (object, "x_train holds pickled Python objects")):
        with refused(None, None, mention):
            load_data(path=saved(tmp_path, np.full((ROWS, 2), "male", kind)))


def test_a_summary_describes_floats_and_notes_whether_they_are_pixels(tmp_path):
    table = summary(str(saved(tmp_path, TABLE, x_val=TABLE[:6], y_val=CODES[:6])))
    assert "  rows      4 features of float32, 3 classes\n" in str(table)
    assert "  validation      6 rows, 2 of each class\n" in str(table)
    assert (table.dtype, table.validation_rows, table.note) == ("float32", 6, None)
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, 4, 5, 3)).astype(np.uint8)
    pixels[0, 0, 0] = 0, 255, 128
    for floats in (pixels / 255, pixels * np.float32(1 / 255), pixels.astype(float)):
        note = summary(str(saved(tmp_path, floats))).note
        advice = re.search(r"pixels: (\S+(?: \S+)*) loses", note)[1]
        np.testing.assert_array_equal(eval(advice, {"np": np, "x": floats}), pixels)
    for floats in (pixels + 0.5, pixels / 254, pixels - 1.0):
        assert summary(str(saved(tmp_path, floats))).note is None


def test_numbers_type_and_shape_count_but_no_order():
    order = np.random.default_rng(0).permutation(ROWS)
    assert_equal(loaded(TABLE[order], labels=CODES[order]), loaded(TABLE))
    zeros, signed = TABLE.copy(), TABLE.copy()
    zeros[::2, 0], signed[::2, 0] = 0.0, -0.0
    assert loaded(zeros).contents == loaded(signed).contents
    assert len({loaded(np.rint(TABLE).astype(kind)).contents for kind in (float, np.float16, int, np.uint8)}) == 1
    pixels = np.rint(IMAGES * 10 + 100).clip(0, 255).astype(np.uint8)
    rows = [pixels, pixels.astype(float), pixels.reshape(ROWS, -1), pixels.reshape(ROWS, 5, 4, 3)]
    assert len({loaded(each).contents for each in rows}) == 4
    for others in (pixels, TABLE, IMAGES):
        with refused("out_of_distribution"):
            check_alike(loaded(IMAGES), loaded(others))
    check_alike(loaded(TABLE), loaded(TABLE + 1))
    assert repr(loaded(TABLE[:, :1])) == "Dataset(own, 27 + 3 + 30 rows of 1 feature, 3 classes)"


def test_normalise_is_for_its_type_and_fits_the_training_rows():
    for rows, word in ((TABLE, "unit"), (PIXELS, "none")):
        with refused("data.normalise", "standard"):
            loaded(rows, normalise=word)
    assert loaded(PIXELS).checksum == loaded(PIXELS, normalise="unit").checksum
    assert len({loaded(TABLE, normalise=word).checksum for word in ("auto", "standard", "none")}) == 2
    data = loaded(TABLE, TABLE + 100, validation_rows=10)
    assert data.normalisation == standard_floats(data.x_train)
    wide, narrow = FRAME.assign(pulse=np.where(CODES > 0, 3e38, -3e38)), TABLE * [1, 1e-3, 1, 1]
    with refused("data.normalise", None, "column 3 ('pulse') leaves float32"):
        loaded(wide)
    with refused("data.normalise", None, "column 1 leaves float32"):
        loaded(narrow, np.where(np.arange(4) == 1, 3.4e38, narrow))
    assert loaded(wide, normalise="none").normalisation == IDENTITY


def test_the_names_of_columns_are_kept_and_must_be_the_same():
    assert loaded(FRAME).feature_names == ("age", "height", "weight", "pulse")
    assert loaded(FRAME, TABLE).contents == loaded(TABLE).contents
    with refused("x_test", None, "other columns than x_train", "x_test[x_train.columns]"):
        loaded(FRAME, FRAME.iloc[:, ::-1])
    with refused("x_validation", None, "other columns"):
        loaded(FRAME, x_validation=FRAME.rename(columns={"age": "Age"}), y_validation=CODES)


class Tensor:
    """A tensor of a library that has to be asked for its numbers."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def changed(value, position=(7, 2), rows=TABLE):
    rows = rows.copy()
    rows[position] = value
    return rows


REFUSED_ROWS = [
    (changed(np.nan), "x_train[7, 2] is NaN"), (changed(np.nan, (7, 1, 2, 0), IMAGES), "x_train[7, 1, 2, 0] is NaN"),
    (changed(-np.inf), "x_train[7, 2] is -inf"), (changed(1e39), "x_train[7, 2] is 1e+39", "3.4e+38"),
    (FRAME.mask(FRAME > 9).assign(age=np.nan), "x_train[0, 0] (column 'age') is NaN"),
    (FRAME.astype("Float64").mask(FRAME.iloc[3, 1] == FRAME), "x_train[3, 1] (column 'height') is <NA>"),
    (FRAME.assign(pulse=None), "(column 'pulse') is None"),
    (FRAME.assign(sex="male"), "x_train[0, 4] (column 'sex') is 'male'", "pandas.get_dummies"),
    (TABLE.astype(str), "<U32 [30, 4]", "x.astype(float)"), (TABLE * 1j, "complex128"), ({"a": 1}, "dict"),
    (np.rint(TABLE).astype("M8[D]"), "datetime64", "days since"), (np.rint(TABLE).astype("m8[D]"), "np.timedelta64"),
    (np.array([*map(tuple, TABLE)], "f4,f4,f4,f4"), "a structured array's fields as columns"),
    (scipy.sparse.csr_matrix(TABLE), "csr_matrix", "x.toarray()"), ([[1.0], [2.0, 3.0]] * 15, "rows of one length"),
    (np.array([np.zeros(1), np.zeros(2)] * 15, object), "different kinds or lengths"),
    (TABLE[:, 0], "(30,)", "[rows, features]"), (TABLE[:, :0], "(30, 0)", "none of them 0"),
    (TABLE.reshape(ROWS, 1, 1, 2, 2), "(30, 1, 1, 2, 2)"),
    (np.rint(TABLE).astype(int).reshape(ROWS, 2, 2), "int64 [30, 2, 2]", "x.astype(np.uint8)"),
    (TABLE[:, None, :, None] * np.ones((1, 3, 1, 5)), "channels first"), ([Image.new("P", (3, 4))] * ROWS, "palettes"),
    (Tensor(), "Tensor: Can't call numpy()", "x.detach().cpu().numpy()"), ("iris.csv", "'iris.csv'", "path=..."),
    (np.ones((ROWS, 3)), "every feature has the same value"),
    (FRAME.set_axis(["age", "age", "weight", "pulse"], axis=1), "called 'age'"),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED_ROWS, ids=lambda case: case[1])
def test_rows_of_no_numbers_are_refused_with_their_place(case):
    rows, *mentions = case
    with refused("x_train", None, *mentions):
        loaded(rows)


def test_values_that_float32_cannot_tell_apart_are_refused_and_the_advice_keeps_them():
    with refused("x_test", None, "x_test[7, 2] is NaN"):
        loaded(TABLE, changed(np.nan))
    near = TABLE[:2].copy()
    near[1] = near[0] * (1 + 1e-12)
    assert loaded(TABLE, near).x_test.shape == (2, 4), "the training rows have the measure"
    for column in (1.7e9 + np.arange(ROWS) * 0.5, 2**60 + np.arange(ROWS), 1 + np.arange(ROWS) * 1e-12):
        frame = pd.DataFrame({"when": column}) if column.dtype.kind == "i" else FRAME.assign(when=column)
        with refused("x_train", None, "('when')", "Subtract the same number"):
            loaded(frame)
        data = loaded(frame.assign(when=column - column[0]))
        assert len(np.unique(kept_rows(data)[:, -1])) == ROWS
    count = np.arange(ROWS)[:, None]
    for rows, kept in ((TABLE * 1e-46, ROWS), (count * 1e-309, 2), (count % 2 * 5e-324, 2)):
        with pytest.raises(InputError, match="column 0 apart") as error:
            loaded(rows)
        factor = re.search(r"Multiply this column by the same number, such as (\S+),", str(error.value))[1]
        assert len(np.unique(kept_rows(loaded(rows * float(factor)))[:, 0])) >= kept  # 1e308 is the largest factor


@given(float_arrays(np.float64, (ROWS, 2), elements=st.floats(-1e3, 1e3)))
def test_a_table_is_refused_or_kept_to_a_thousandth_of_its_range(rows):
    try:
        data = loaded(rows, normalise="none")
    except InputError as error:
        assert re.search("cannot tell|every feature has the same value", str(error))  # noqa: PT017
        return
    span = rows.max(axis=0) - rows.min(axis=0)
    for column in range(2):
        kept = np.sort(kept_rows(data)[:, column].astype(float))
        assert np.abs(kept - np.sort(rows[:, column])).max() <= max(span[column] / 1000, 1e-4 * (span[column] == 0))
