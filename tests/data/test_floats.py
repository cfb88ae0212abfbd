"""Rows of floats: tables and images, as arrays and in a file."""

import re
import warnings

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


def refused(rows, message, **options):
    with pytest.raises(InputError, match=message):
        loaded(rows, **options)


def seen(data):
    """All training and validation rows, sorted."""
    rows = np.concatenate([data.x_train, data.x_validation]).reshape(ROWS, -1)
    return rows[np.lexsort(rows.T)]


def assert_rows(data, expected):
    expected = np.asarray(expected, np.float32).reshape(ROWS, -1)
    np.testing.assert_array_equal(seen(data), expected[np.lexsort(expected.T)])


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
    assert data.x_train.ctypes.data % 64 == 0
    assert_rows(data, np.array(TYPES[kind], float))
    assert data.normalisation == standard_floats(data.x_train)


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 15, 1), (60, 1, 1)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_images_of_floats_become_float32(shape, kind):
    images = IMAGES.reshape(ROWS, *shape).astype(kind)
    data = loaded(images)
    assert data.input_shape == shape
    assert_rows(data, images)
    assert len(data.normalisation.offset) == data.input_shape[-1]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_of_three_dimensions_may_be_images_or_tables_and_are_refused(kind, tmp_path):
    rows = IMAGES.reshape(ROWS, 20, 3).astype(kind)
    refused(rows, r"x_train is float\d\d \[30, 20, 3\]: .*x\[\.\.\., None\].*x\.reshape\(len\(x\), -1\)")
    np.savez(tmp_path / "own.npz", x_train=rows, y_train=LABELS, x_test=rows, y_test=LABELS)
    with pytest.raises(InputError, match=r"x_train is float\d\d \[30, 20, 3\]"):
        load_data(path=tmp_path / "own.npz")
    assert loaded(rows[..., None]).input_shape == (20, 3, 1)
    assert loaded(rows.reshape(ROWS, -1)).input_shape == (60,)
    assert loaded(np.zeros((ROWS, 20, 3), np.uint8)).input_shape == (20, 3, 1), "grey images"


@pytest.mark.parametrize("split", ["test", "validation"])
def test_images_of_floats_have_one_scale_in_all_splits(split):
    own = {"x_test": UNIT_IMAGES, "y_test": LABELS, "x_validation": UNIT_IMAGES, "y_validation": LABELS}
    for factor in (255, 1 / 255):
        message = rf"x_{split} has values up to .*, x_train up to .*; expected floats of one scale"
        with pytest.raises(InputError, match=message):
            load_data("own", x_train=UNIT_IMAGES, y_train=LABELS, **own | {f"x_{split}": factor * UNIT_IMAGES})
    outlier, dark = UNIT_IMAGES.copy(), UNIT_IMAGES * 0
    outlier[0, 0, 0, 0] = 255
    for rows in (UNIT_IMAGES * 5, UNIT_IMAGES - 0.5, UNIT_IMAGES[:1], outlier, dark):
        given = own | {f"x_{split}": rows, f"y_{split}": LABELS[: len(rows)]}
        load_data("own", x_train=UNIT_IMAGES, y_train=LABELS, **given)
    table = TABLE / 1000
    load_data("own", x_train=TABLE, y_train=LABELS, x_test=table, y_test=LABELS)


def test_data_of_floats_say_in_a_line_what_they_are():
    assert repr(loaded(TABLE)) == "Dataset(own, 27 + 3 + 30 rows of 4 features, 3 classes)"
    assert repr(loaded(TABLE[:, :1])) == "Dataset(own, 27 + 3 + 30 rows of 1 feature, 3 classes)"
    assert repr(loaded(IMAGES)) == "Dataset(own, 27 + 3 + 30 images of 4x5x3, 3 classes)"


def test_floats_of_users_are_left_as_they_were():
    theirs = TABLE.astype(np.float32)
    before = theirs.copy()
    data = loaded(theirs)
    np.testing.assert_array_equal(theirs, before)
    assert not any(np.shares_memory(theirs, data.split(split)[0]) for split in SPLITS)


# As files


def test_floats_in_a_file_are_the_same_data(tmp_path):
    for rows in (TABLE, IMAGES, np.asfortranarray(TABLE), TABLE.astype(np.float16), np.rint(TABLE).astype(int)):
        np.savez(tmp_path / "own.npz", x_train=rows, y_train=LABELS, x_test=rows, y_test=LABELS)
        there, here = load_data(path=tmp_path / "own.npz"), loaded(rows)
        assert_equal(there, here)
        assert there.normalisation == here.normalisation
        assert there.x_train.ctypes.data % 64 == 0


def test_a_file_of_texts_as_features_is_refused(tmp_path):
    rows = np.full((ROWS, 2), "male")
    for rows in (np.full((ROWS, 2), "male"), np.full((ROWS, 2), "male", object)):
        np.savez(tmp_path / "own.npz", x_train=rows, y_train=LABELS, x_test=rows, y_test=LABELS)
        with pytest.raises(InputError, match=r"x_train (is <U4|holds pickled Python objects)") as caught:
            load_data(path=tmp_path / "own.npz")
        assert "int32" not in str(caught.value)


def test_a_summary_tells_floats_from_pixels(tmp_path):
    def lines(rows, **more):
        np.savez(tmp_path / "own.npz", x_train=rows, y_train=LABELS, x_test=rows[:9], y_test=LABELS[:9], **more)
        return str(summary(str(tmp_path / "own.npz"))).splitlines()

    table = lines(TABLE, x_val=TABLE[:6], y_val=LABELS[:6])
    assert table[2:6] == [
        "  rows      4 features of float32, 3 classes",
        "  training       30 rows, 10 of each class",
        "  validation      6 rows, 2 of each class",
        "  test            9 rows, 3 of each class",
    ]
    assert lines(IMAGES)[2:4] == [
        "  images    4x5x3 of float32, 3 classes",
        "  training       30 images, 10 of each class",
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS, 4, 5, 3)).astype(np.uint8)
    pixels[0, 0, 0] = 0, 255, 128
    for floats, advice in (
        (pixels / 255, "np.rint(255 * x).astype(np.uint8)"),
        ((pixels / 255).astype(np.float32), "np.rint(255 * x).astype(np.uint8)"),
        (pixels * np.float32(1 / 255), "np.rint(255 * x).astype(np.uint8)"),
        (pixels.astype(float), "x.astype(np.uint8)"),
    ):
        note = lines(floats)[-1]
        assert note == f"  note      these floats are pixels: {advice} loses nothing and takes a quarter of the memory"
        np.testing.assert_array_equal(eval(advice, {"np": np, "x": floats}), pixels)
    for floats in (pixels + 0.5, pixels / 254, pixels - 1.0, IMAGES):
        assert "note" not in lines(floats)[-1]


# Equal numbers are equal data


@given(st.permutations(range(ROWS)))
def test_the_order_of_rows_does_not_count(order):
    shuffled = load_data("own", x_train=TABLE[order], y_train=LABELS[order], x_test=TABLE[order], y_test=LABELS[order])
    assert_equal(shuffled, loaded(TABLE))
    assert shuffled.normalisation == loaded(TABLE).normalisation


def test_minus_zero_is_zero_and_other_types_of_equal_numbers_are_equal():
    zeros, signed = TABLE.copy(), TABLE.copy()
    zeros[::2, 0], signed[::2, 0] = 0.0, -0.0
    assert loaded(zeros).contents == loaded(signed).contents
    whole = np.rint(TABLE)
    assert len({loaded(whole.astype(kind)).contents for kind in (float, np.float16, int, np.uint8)}) == 1


def test_type_and_shape_count():
    pixels = np.rint(IMAGES * 10 + 100).clip(0, 255).astype(np.uint8)
    rows = [pixels, pixels.astype(float), pixels.reshape(ROWS, -1), pixels.reshape(ROWS, 5, 4, 3)]
    assert len({loaded(one).contents for one in rows}) == 4


def test_rows_of_another_type_are_not_outside_but_not_comparable():
    pixels = np.rint(IMAGES * 10 + 100).clip(0, 255).astype(np.uint8)
    with pytest.raises(InputError, match=r"has images \(4, 5, 3\) of uint8, and own has images \(4, 5, 3\) of float32"):
        check_alike(loaded(IMAGES), loaded(pixels))
    with pytest.raises(InputError, match=r"own has images \(4, 5, 3\), and own has rows \(4,\)\."):
        check_alike(loaded(TABLE), loaded(IMAGES))
    check_alike(loaded(TABLE), loaded(TABLE + 1))


# Normalisation


def test_what_none_and_unit_mean():
    assert loaded(TABLE, normalise="none").normalisation == IDENTITY
    refused(TABLE, "normalise: unit is for uint8 pixels.*standard, or none", normalise="unit")
    pixels = np.zeros((ROWS, 2, 2), np.uint8)
    pixels[:, 0, 0] = np.arange(ROWS)
    refused(pixels, "normalise: none is for floats.*standard, or unit", normalise="none")
    assert loaded(pixels).checksum == loaded(pixels, normalise="unit").checksum
    checksums = {loaded(TABLE, normalise=word).checksum for word in ("auto", "standard", "none")}
    assert len(checksums) == 2


def test_only_the_training_rows_decide_the_constants():
    data = loaded(TABLE, TABLE + 100, validation_rows=10)
    assert data.normalisation == standard_floats(data.x_train)


@pytest.mark.parametrize("constant", [0, 0.1, -1e30])
def test_a_constant_feature_is_kept_as_0(constant):
    rows = np.column_stack([np.full(ROWS, constant), TABLE])
    found = loaded(rows).normalisation
    assert (found.offset[0], found.scale[0]) == (np.float32(constant), 1)


def test_a_column_that_leaves_float32_when_it_is_scaled_is_refused():
    tiny = np.column_stack([TABLE[:, 0] * 1e-43, TABLE])
    refused(tiny, "column 0 leaves float32 when it is scaled")
    wide = np.column_stack([TABLE, np.where(LABELS > 0, 3e38, -3e38)])
    refused(wide, "column 4 leaves float32")
    frame = FRAME.assign(pulse=wide[:, 4])
    refused(frame, r"column 3 \('pulse'\) leaves float32")
    assert loaded(wide, normalise="none").normalisation == IDENTITY
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        narrow = TABLE * [1, 1e-3, 1, 1]
        refused(narrow, "column 1", test_rows=np.where(np.arange(4) == 1, 3.4e38, narrow))


# Names of columns


def test_the_names_of_columns_are_kept_and_must_be_the_same():
    assert loaded(FRAME).feature_names == ("age", "height", "weight", "pulse")
    assert loaded(TABLE).feature_names == ()
    assert loaded(FRAME, TABLE).contents == loaded(TABLE).contents
    refused(FRAME, r"x_test has other columns than x_train.*x_test\[x_train\.columns\]", test_rows=FRAME.iloc[:, ::-1])
    refused(FRAME, "x_test has other columns", test_rows=FRAME.rename(columns={"age": "Age"}))
    refused(FRAME, "x_test has other columns", test_rows=FRAME.iloc[:, :3])
    valid = {"x_validation": FRAME.iloc[:, ::-1], "y_validation": LABELS}
    refused(FRAME, r"x_validation has other columns", **valid)


# What cannot be kept


def changed(value, position=(7, 2), rows=TABLE):
    rows = rows.copy()
    rows[position] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(np.nan), r"own: x_train\[7, 2\] is NaN; expected numbers"),
        (changed(np.nan, (7, 1, 2, 0), IMAGES), r"x_train\[7, 1, 2, 0\] is NaN"),
        (changed(-np.inf), r"x_train\[7, 2\] is -inf; expected finite numbers"),
        (changed(1e39), r"x_train\[7, 2\] is 1e\+39; expected at most 3\.4e\+38, as float32"),
        (FRAME.mask(FRAME > 9).assign(age=np.nan), r"x_train\[0, 0\] \(column 'age'\) is NaN"),
        (FRAME.astype("Float64").mask(FRAME.iloc[3, 1] == FRAME), r"x_train\[3, 1\] \(column 'height'\) is <NA>"),
        (FRAME.assign(pulse=None), r"\(column 'pulse'\) is None; expected numbers"),
        (FRAME.assign(sex="male"), r"x_train\[0, 4\] \(column 'sex'\) is 'male'; .*pandas\.get_dummies"),
        (FRAME.assign(day=pd.Timestamp("2020-01-01")), r"x_train\[0, 4\] \(column 'day'\) is Timestamp"),
        (TABLE.astype(str), r"x_train is <U32 \[30, 4\]; .*x\.astype\(float\)"),
        (TABLE * 1j, "x_train is complex128"),
        (np.rint(TABLE).astype("M8[D]"), "x_train is datetime64.*days since"),
        (np.rint(TABLE).astype("m8[D]"), "x_train is timedelta64.*np.timedelta64"),
        (np.array([*map(tuple, TABLE)], "f4,f4,f4,f4"), "a structured array's fields as columns"),
        (scipy.sparse.csr_matrix(TABLE), r"is sparse \(csr_matrix\).*x\.toarray\(\)"),
        (scipy.sparse.coo_array(TABLE), r"is sparse \(coo_array\).*x\.toarray\(\)"),
        (np.ma.masked_greater(TABLE, 7), r"masked array of \d+ masked values, which NumPy would unmask"),
        ([[1.0], [2.0, 3.0]] * 15, "no array that NumPy reads .*rows of one length"),
        (np.array([np.zeros(1), np.zeros(2)] * 15, object), "rows of different kinds or lengths"),
        (TABLE[:, 0], r"x_train has the shape \(30,\); expected .*\[rows, features\]"),
        (TABLE[:, :0], r"x_train has the shape \(30, 0\); .*none of them 0"),
        (TABLE.reshape(ROWS, 1, 1, 2, 2), r"x_train has the shape \(30, 1, 1, 2, 2\)"),
        (np.rint(TABLE).astype(int).reshape(ROWS, 2, 2), r"x_train is int64 \[30, 2, 2\].*x\.astype\(np\.uint8\)"),
        ({"a": 1}, "x_train is dict; expected an array of numbers"),
        (TABLE[:, None, :, None] * np.ones((1, 3, 1, 5)), "channels first"),
        ([Image.new("P", (3, 4))] * ROWS, "pictures with palettes"),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " "),
)
def test_what_is_no_number_is_refused_with_its_place(rows, message):
    with pytest.raises(InputError, match=message) as caught:
        load_data("own", x_train=rows, y_train=LABELS, x_test=rows, y_test=LABELS)
    assert "int32" not in str(caught.value)


def test_test_rows_are_looked_at_too():
    refused(TABLE, r"own: x_test\[7, 2\] is NaN", test_rows=changed(np.nan))
    refused(TABLE, r"own: x_test has 3 features, x_train has 4 features", test_rows=TABLE[:, :3])
    refused(IMAGES, "x_test is uint8, x_train is float32", test_rows=np.zeros((ROWS, 4, 5, 3), np.uint8))


class Tensor:
    """What libraries give that have to be told to give their numbers away."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def test_what_another_library_refuses_to_give_away_is_refused():
    with pytest.raises(InputError, match=r"Tensor: Can't call numpy\(\).*x\.detach\(\)\.cpu\(\)\.numpy\(\)"):
        load_data("own", x_train=Tensor(), y_train=LABELS, x_test=TABLE, y_test=LABELS)


def test_a_list_of_pictures_is_an_array_of_images():
    pictures = [Image.new("L", (5, 4), row) for row in range(ROWS)]
    assert loaded(pictures).input_shape == (4, 5, 1)


# What float32 cannot tell apart


SECONDS = 1.7e9 + np.arange(ROWS) * 0.5  # times, half a second apart
IDS = 2**60 + np.arange(ROWS)


@pytest.mark.parametrize("column", [SECONDS, IDS, 1 + np.arange(ROWS) * 1e-12], ids=["times", "numbers", "near 1"])
def test_values_that_float32_cannot_tell_apart_are_refused_and_the_advice_keeps_them(column):
    frame = pd.DataFrame({"when": column}) if column.dtype.kind == "i" else FRAME.assign(when=column)
    refused(frame, r"x_train: float32 cannot tell the values of column \d \('when'\) apart.*Subtract the same number")
    kept = loaded(frame.assign(when=column - column[0]))
    assert len(np.unique(seen(kept)[:, -1])) == ROWS


@pytest.mark.parametrize("factor", [1e-46, 1e-300])
def test_values_too_close_for_float32_are_to_be_scaled_and_the_advice_keeps_them(factor):
    with pytest.raises(InputError, match=r"cannot tell the values of column 0 apart") as caught:
        loaded(TABLE * factor)
    advised = re.search(r"Multiply this column by the same number, such as (\S+),", str(caught.value))
    kept = loaded(TABLE * factor * float(advised[1]))
    assert len(np.unique(seen(kept)[:, 0])) == ROWS


@pytest.mark.parametrize("column", [np.arange(ROWS) * 1e-309, np.arange(ROWS) % 2 * 5e-324], ids=["1e-309", "5e-324"])
def test_very_small_columns_are_to_be_scaled_and_the_advice_keeps_them(column):
    with pytest.raises(InputError, match=r"column 0 apart.*Multiply this column by the same number, such as 1e\+308,"):
        loaded(column[:, None])
    assert len(np.unique(loaded(column[:, None] * 1e308).x_train)) > 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((ROWS, 3)), r"every feature has the same value in all \d+ training rows; expected one at least"),
        (
            FRAME.set_axis(["age", "age", "weight", "pulse"], axis=1),
            "two columns of x_train are called 'age'",
        ),
        ("iris.csv", r"x_train is 'iris\.csv'; .* as path=\.\.\.; read others first"),
    ],
    ids=["constant", "columns of one name", "a path"],
)
def test_tables_that_cannot_be_meant_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        loaded(rows)


@given(float_arrays(np.float64, (ROWS, 2), elements=st.floats(-1e3, 1e3)))
def test_a_table_is_refused_or_kept_to_a_thousandth_of_its_range(rows):
    try:
        data = loaded(rows, normalise="none")
    except InputError as error:
        assert re.search("cannot tell|every feature has the same value", str(error))  # noqa: PT017
        return
    span = rows.max(axis=0) - rows.min(axis=0)
    for column in range(2):
        kept = np.sort(seen(data)[:, column].astype(float))
        assert np.abs(kept - np.sort(rows[:, column])).max() <= max(span[column] / 1000, 1e-4 * (span[column] == 0))


def test_test_rows_are_rounded_by_the_measure_of_the_training_rows():
    near = TABLE[:2].copy()
    near[1] = near[0] * (1 + 1e-12)
    data = load_data("own", x_train=TABLE, y_train=LABELS, x_test=near, y_test=LABELS[:2])
    assert data.x_test.shape == (2, 4)


# As in the how-to


def test_scikit_learns_tables_in_a_line():
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
