"""Rows of floats: tables and images, as arrays and in a file."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as float_arrays
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits

from tests.data.rows import SPLITS, assert_equal
from tests.refusals import refused
from tfticket.data import check_alike, load_data
from tfticket.data.dataset_summary import summary
from tfticket.data.normalisation import IDENTITY, standard_floats
from tfticket.errors import InputError

ROWS = 30
LABELS = np.arange(ROWS) % 3
TABLE = np.random.default_rng(0).normal(5, 2, (ROWS, 4))
FRAME = pd.DataFrame(TABLE, columns=["age", "height", "weight", "pulse"])
IMAGES = np.random.default_rng(1).normal(size=(ROWS, 4, 5, 3)).astype(np.float32)
UNIT_IMAGES = np.random.default_rng(2).uniform(size=(ROWS, 4, 5, 3)).astype(np.float32)


def loaded(rows, test_rows=None, **options):
    x_test = rows if test_rows is None else test_rows
    return load_data("own", x_train=rows, y_train=LABELS, x_test=x_test, y_test=LABELS[: len(x_test)], **options)


def saved(path, rows, **more):
    np.savez(path / "own.npz", x_train=rows, y_train=LABELS, x_test=rows[:9], y_test=LABELS[:9], **more)
    return path / "own.npz"


def kept_rows(data):
    """All training and validation rows, sorted."""
    rows = np.concatenate([data.x_train, data.x_validation]).reshape(ROWS, -1)
    return rows[np.lexsort(rows.T)]


def assert_rows(data, expected):
    expected = np.asarray(expected, np.float32).reshape(ROWS, -1)
    np.testing.assert_array_equal(kept_rows(data), expected[np.lexsort(expected.T)])


TYPES = {
    "float64": TABLE,
    "float32": TABLE.astype(np.float32),
    "float16": TABLE.astype(np.float16),
    "80 bits": TABLE.astype(np.longdouble),
    "big-endian": TABLE.astype(">f8"),
    "int64": np.rint(TABLE * 1000).astype(np.int64),
    "uint8": np.rint(TABLE * 10).astype(np.uint8),
    "uint16": np.rint(TABLE * 1000).astype(np.uint16),
    "truth values": TABLE > 5,
    "a list": TABLE.tolist(),
    "objects": TABLE.astype(object),
    "Fortran's order": np.asfortranarray(TABLE),
    "every second of more": np.repeat(TABLE, 2, axis=0)[::2],
    "a frame": FRAME,
    "a frame of several types": FRAME.assign(age=np.arange(ROWS), pulse=TABLE[:, 3] > 5),
    "a frame of pandas' own types": FRAME.astype("Float64"),
    "a mask that hides nothing": np.ma.MaskedArray(TABLE, mask=False),
    "a matrix": np.asmatrix(TABLE),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_table_of_numbers_becomes_float32(kind):
    data = loaded(TYPES[kind])
    assert (data.dtype, data.input_shape) == ("float32", (4,))
    for split in SPLITS:
        assert data.split(split)[0].dtype == np.float32
        assert not data.split(split)[0].flags.writeable
        assert not np.shares_memory(TYPES[kind], data.split(split)[0])
    assert data.x_train.ctypes.data % 64 == 0
    assert_rows(data, np.array(TYPES[kind], float))
    assert data.normalisation == standard_floats(data.x_train)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_images_of_floats_become_float32_and_need_four_dimensions(kind, tmp_path):
    for shape in ((4, 5, 3), (4, 15, 1), (60, 1, 1)):
        images = IMAGES.reshape(ROWS, *shape).astype(kind)
        data = loaded(images)
        assert data.input_shape == shape
        assert_rows(data, images)
        assert len(data.normalisation.offset) == shape[-1]
    rows = IMAGES.reshape(ROWS, 20, 3).astype(kind)
    with refused("x_train", None, "[30, 20, 3]", "x[..., None]", "x.reshape(len(x), -1)"):
        loaded(rows)
    with refused(None, None, "x_train", "[30, 20, 3]"):
        load_data(path=saved(tmp_path, rows))
    assert loaded(rows[..., None]).input_shape == (20, 3, 1)
    assert loaded(rows.reshape(ROWS, -1)).input_shape == (60,)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_images_of_floats_have_equal_scales_in_all_splits(split):
    def load(rows):
        own = {"x_test": UNIT_IMAGES, "y_test": LABELS, "x_validation": UNIT_IMAGES, "y_validation": LABELS}
        own |= {f"x_{split}": rows, f"y_{split}": LABELS[: len(rows)]}
        load_data("own", x_train=UNIT_IMAGES, y_train=LABELS, **own)

    for factor in (255, 1 / 255):
        with refused(f"x_{split}", None, "values up to"):
            load(factor * UNIT_IMAGES)
    outlier = UNIT_IMAGES.copy()
    outlier[0, 0, 0, 0] = 255
    for rows in (UNIT_IMAGES * 5, UNIT_IMAGES - 0.5, UNIT_IMAGES[:1], outlier, UNIT_IMAGES * 0):
        load(rows)
    loaded(TABLE, TABLE / 1000)  # a table's columns have scales of their own


# In a file


def test_floats_in_a_file_are_the_same_data_and_texts_are_refused(tmp_path):
    for rows in (TABLE, IMAGES, np.asfortranarray(TABLE), TABLE.astype(np.float16), np.rint(TABLE).astype(int)):
        there = load_data("own", path=saved(tmp_path, rows))
        assert_equal(there, loaded(rows, rows[:9]))
        assert there.x_train.ctypes.data % 64 == 0
    for kind, mention in ((None, "x_train is <U4"), (object, "x_train holds pickled Python objects")):
        with refused(None, None, mention):
            load_data(path=saved(tmp_path, np.full((ROWS, 2), "male", kind)))


def test_a_summary_describes_floats_and_notes_whether_they_are_pixels(tmp_path):
    table = summary(str(saved(tmp_path, TABLE, x_val=TABLE[:6], y_val=LABELS[:6])))
    assert str(table).splitlines()[2:6] == [
        "  rows      4 features of float32, 3 classes",
        "  training       30 rows, 10 of each class",
        "  validation      6 rows, 2 of each class",
        "  test            9 rows, 3 of each class",
    ]
    assert (table.dtype, table.validation_rows, table.note) == ("float32", 6, None)
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, 4, 5, 3)).astype(np.uint8)
    pixels[0, 0, 0] = 0, 255, 128
    for floats in (pixels / 255, (pixels / 255).astype(np.float32), pixels * np.float32(1 / 255), pixels.astype(float)):
        note = summary(str(saved(tmp_path, floats))).note
        advice = re.search(r"pixels: (\S+(?: \S+)*) loses", note)[1]
        np.testing.assert_array_equal(eval(advice, {"np": np, "x": floats}), pixels)
    for floats in (pixels + 0.5, pixels / 254, pixels - 1.0, IMAGES):
        assert summary(str(saved(tmp_path, floats))).note is None


# Equal numbers are equal data


@given(st.permutations(range(ROWS)))
def test_the_order_of_rows_does_not_count(order):
    shuffled = load_data("own", x_train=TABLE[order], y_train=LABELS[order], x_test=TABLE[order], y_test=LABELS[order])
    assert_equal(shuffled, loaded(TABLE))


def test_numbers_type_and_shape_count():
    zeros, signed = TABLE.copy(), TABLE.copy()
    zeros[::2, 0], signed[::2, 0] = 0.0, -0.0
    assert loaded(zeros).contents == loaded(signed).contents
    whole = np.rint(TABLE)
    assert len({loaded(whole.astype(kind)).contents for kind in (float, np.float16, int, np.uint8)}) == 1
    pixels = np.rint(IMAGES * 10 + 100).clip(0, 255).astype(np.uint8)
    rows = [pixels, pixels.astype(float), pixels.reshape(ROWS, -1), pixels.reshape(ROWS, 5, 4, 3)]
    assert len({loaded(each).contents for each in rows}) == 4
    for data, others in ((IMAGES, pixels), (TABLE, IMAGES), (TABLE, TABLE)):
        with refused("out_of_distribution"):
            check_alike(loaded(data), loaded(others))
    check_alike(loaded(TABLE), loaded(TABLE + 1))
    assert repr(loaded(TABLE)) == "Dataset(own, 27 + 3 + 30 rows of 4 features, 3 classes)"
    assert repr(loaded(TABLE[:, :1])) == "Dataset(own, 27 + 3 + 30 rows of 1 feature, 3 classes)"


# Normalisation


def test_normalise_is_for_its_type_and_of_the_training_rows():
    pixels = np.zeros((ROWS, 2, 2), np.uint8)
    pixels[:, 0, 0] = np.arange(ROWS)
    for rows, word in ((TABLE, "unit"), (pixels, "none")):
        with refused("data.normalise", "standard"):
            loaded(rows, normalise=word)
    assert loaded(TABLE, normalise="none").normalisation == IDENTITY
    assert loaded(pixels).checksum == loaded(pixels, normalise="unit").checksum
    assert len({loaded(TABLE, normalise=word).checksum for word in ("auto", "standard", "none")}) == 2
    data = loaded(TABLE, TABLE + 100, validation_rows=10)
    assert data.normalisation == standard_floats(data.x_train)


def test_a_column_that_leaves_float32_when_it_is_scaled_is_refused():
    wide = np.column_stack([TABLE, np.where(LABELS > 0, 3e38, -3e38)])
    narrow = TABLE * [1, 1e-3, 1, 1]
    for rows, test_rows, mention in (
        (np.column_stack([TABLE[:, 0] * 1e-43, TABLE]), None, "column 0"),
        (wide, None, "column 4"),
        (FRAME.assign(pulse=wide[:, 4]), None, "column 3 ('pulse')"),
        (narrow, np.where(np.arange(4) == 1, 3.4e38, narrow), "column 1"),
    ):
        with refused("data.normalise", None, f"{mention} leaves float32"):
            loaded(rows, test_rows)
    assert loaded(wide, normalise="none").normalisation == IDENTITY


def test_the_names_of_columns_are_kept_and_must_be_the_same():
    assert loaded(FRAME).feature_names == ("age", "height", "weight", "pulse")
    assert loaded(TABLE).feature_names == ()
    assert loaded(FRAME, TABLE).contents == loaded(TABLE).contents
    others = FRAME.iloc[:, ::-1], FRAME.rename(columns={"age": "Age"}), FRAME.iloc[:, :3]
    for test_rows in others:
        with refused("x_test", None, "other columns than x_train", "x_test[x_train.columns]"):
            loaded(FRAME, test_rows)
    with refused("x_validation", None, "other columns"):
        loaded(FRAME, x_validation=others[0], y_validation=LABELS)


# What cannot be kept


class Tensor:
    """A tensor of a library that has to be asked for its numbers."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def changed(value, position=(7, 2), rows=TABLE):
    rows = rows.copy()
    rows[position] = value
    return rows


REFUSED = [
    (changed(np.nan), "x_train[7, 2] is NaN"),
    (changed(np.nan, (7, 1, 2, 0), IMAGES), "x_train[7, 1, 2, 0] is NaN"),
    (changed(-np.inf), "x_train[7, 2] is -inf"),
    (changed(1e39), "x_train[7, 2] is 1e+39", "3.4e+38"),
    (FRAME.mask(FRAME > 9).assign(age=np.nan), "x_train[0, 0] (column 'age') is NaN"),
    (FRAME.astype("Float64").mask(FRAME.iloc[3, 1] == FRAME), "x_train[3, 1] (column 'height') is <NA>"),
    (FRAME.assign(pulse=None), "(column 'pulse') is None"),
    (FRAME.assign(sex="male"), "x_train[0, 4] (column 'sex') is 'male'", "pandas.get_dummies"),
    (FRAME.assign(day=pd.Timestamp("2020-01-01")), "x_train[0, 4] (column 'day') is Timestamp"),
    (TABLE.astype(str), "<U32 [30, 4]", "x.astype(float)"),
    (TABLE * 1j, "complex128"),
    (np.rint(TABLE).astype("M8[D]"), "datetime64", "days since"),
    (np.rint(TABLE).astype("m8[D]"), "timedelta64", "np.timedelta64"),
    (np.array([*map(tuple, TABLE)], "f4,f4,f4,f4"), "a structured array's fields as columns"),
    (scipy.sparse.csr_matrix(TABLE), "csr_matrix", "x.toarray()"),
    (scipy.sparse.coo_array(TABLE), "coo_array", "x.toarray()"),
    (np.ma.masked_greater(TABLE, 7), "masked values"),
    ([[1.0], [2.0, 3.0]] * 15, "no array that NumPy reads", "rows of one length"),
    (np.array([np.zeros(1), np.zeros(2)] * 15, object), "different kinds or lengths"),
    (TABLE[:, 0], "(30,)", "[rows, features]"),
    (TABLE[:, :0], "(30, 0)", "none of them 0"),
    (TABLE.reshape(ROWS, 1, 1, 2, 2), "(30, 1, 1, 2, 2)"),
    (np.rint(TABLE).astype(int).reshape(ROWS, 2, 2), "int64 [30, 2, 2]", "x.astype(np.uint8)"),
    ({"a": 1}, "dict"),
    (TABLE[:, None, :, None] * np.ones((1, 3, 1, 5)), "channels first"),
    ([Image.new("P", (3, 4))] * ROWS, "palettes"),
    (Tensor(), "Tensor: Can't call numpy()", "x.detach().cpu().numpy()"),
    (np.ones((ROWS, 3)), "every feature has the same value"),
    (FRAME.set_axis(["age", "age", "weight", "pulse"], axis=1), "called 'age'"),
    ("iris.csv", "'iris.csv'", "path=..."),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case[1])
def test_rows_of_no_numbers_are_refused_with_their_place(case):
    rows, *mentions = case
    with refused("x_train", None, *mentions):
        load_data("own", x_train=rows, y_train=LABELS, x_test=rows, y_test=LABELS)


def test_test_rows_are_checked_too():
    for rows, test_rows, mention in (
        (TABLE, changed(np.nan), "x_test[7, 2] is NaN"),
        (TABLE, TABLE[:, :3], "3 features, x_train has 4 features"),
        (IMAGES, np.zeros((ROWS, 4, 5, 3), np.uint8), "uint8, x_train is float32"),
    ):
        with refused("x_test", None, mention):
            loaded(rows, test_rows)


# What float32 cannot tell apart


@pytest.mark.parametrize(
    "column",
    [1.7e9 + np.arange(ROWS) * 0.5, 2**60 + np.arange(ROWS), 1 + np.arange(ROWS) * 1e-12],
    ids=["times half a second apart", "numbers", "near 1"],
)
def test_values_that_float32_cannot_tell_apart_are_refused_and_the_advice_keeps_them(column):
    frame = pd.DataFrame({"when": column}) if column.dtype.kind == "i" else FRAME.assign(when=column)
    with refused("x_train", None, "('when')", "Subtract the same number"):
        loaded(frame)
    data = loaded(frame.assign(when=column - column[0]))
    assert len(np.unique(kept_rows(data)[:, -1])) == ROWS


@pytest.mark.parametrize(
    "rows",
    [TABLE * 1e-46, TABLE * 1e-300, np.arange(ROWS)[:, None] * 1e-309, np.arange(ROWS)[:, None] % 2 * 5e-324],
    ids=["1e-46", "1e-300", "1e-309", "5e-324"],
)
def test_values_too_small_for_float32_are_to_be_multiplied_and_the_advice_keeps_them(rows):
    with pytest.raises(InputError, match="column 0 apart") as error:
        loaded(rows)
    factor = re.search(r"Multiply this column by the same number, such as (\S+),", str(error.value))[1]
    kept = kept_rows(loaded(rows * float(factor)))[:, 0]
    assert len(np.unique(kept)) >= (ROWS if rows.shape[1] > 1 else 2)  # 1e308 is the largest factor


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


def test_test_rows_are_rounded_by_the_measure_of_the_training_rows():
    near = TABLE[:2].copy()
    near[1] = near[0] * (1 + 1e-12)
    assert loaded(TABLE, near).x_test.shape == (2, 4)


def test_lists_of_pictures_and_tables_of_scikit_learn_are_loaded_in_a_line():
    pictures = [Image.new("L", (5, 4), row) for row in range(ROWS)]
    assert loaded(pictures).input_shape == (4, 5, 1)
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    data = load_data("cancer", x_train=x[:400], y_train=y[:400], x_test=x[400:], y_test=y[400:], stratify=True)
    assert repr(data) == "Dataset(cancer, 360 + 40 + 169 rows of 30 features, 2 classes)"
    inputs = (data.x_train - np.float32(data.normalisation.offset)) * np.float32(data.normalisation.scale)
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.std(axis=0), 1, rtol=1e-5)
    x, y = load_digits(return_X_y=True)
    data = load_data("digits", x_train=x[:1297], y_train=y[:1297], x_test=x[1297:], y_test=y[1297:])
    assert data.input_shape == (64,)
    assert data.normalisation.scale[0] == 1, "a pixel that is always 0"
