"""Real rows, written in each format by the test, come back as they were."""

import gzip
import pickle

import numpy as np
import pytest

from tests.data.writers import folder, formats, idx, image_members, names, npy, png, python2_pickle, zipped
from tfticket.data.formats import read


def assert_same(raw, rows):
    for images, labels, expected, classes in (
        (raw.x_train, raw.y_train, rows.x_train, rows.y_train),
        (raw.x_test, raw.y_test, rows.x_test, rows.y_test),
    ):
        assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
        np.testing.assert_array_equal(images, expected if expected.ndim == 4 else expected[..., None])
        np.testing.assert_array_equal(labels, classes)


def test_rows_come_back_as_they_were(form, request, tmp_path):
    def snapshot():
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    rows = request.getfixturevalue(form.rows)
    path = form.write(rows, tmp_path / "data")
    before = snapshot()
    raw = read(path)
    assert_same(raw, rows.by_class() if form.name.startswith("images") else rows)
    assert raw.class_names == (names if form.name.startswith(("cifar", "images")) else None)
    everything = {path} if path.is_file() else {file for file in path.rglob("*") if file.is_file()}
    assert sorted(raw.files) == sorted(everything - {path / "readme.html"})
    assert snapshot() == before, "reading writes nothing"
    raw.x_train[0] = 0  # arrays of its own


def test_a_single_folder_around_everything_is_looked_into(write, tmp_path, digits):
    (tmp_path / "MNIST").mkdir()
    write("idx").rename(tmp_path / "MNIST" / "raw")
    few = digits.few(2, 1)
    assert_same(read(tmp_path / "MNIST"), few)
    assert_same(read(zipped("top.zip", top="my pictures/")(image_members(few), tmp_path)), few.by_class())


def test_npz_may_have_columns_of_labels_be_in_fortrans_order_of_other_versions_and_hold_other_arrays(write, colour):
    rows = colour.few(2, 1)
    arrays = {
        "x_train.npy": npy(np.asfortranarray(rows.x_train)),
        "x_test.npy": npy(rows.x_test, version=(2, 0)),
        "y_train.npy": npy(rows.y_train.astype(">i2")[:, None]),
        "more.npy": npy(np.array([object()]), allow_pickle=True),
        "notes.txt": b"hello",
    }
    raw = read(write("npz", arrays))
    assert_same(raw, rows)
    assert raw.x_train.flags.c_contiguous


def test_idx_may_have_other_names_four_dimensions_and_be_half_gzipped(tmp_path, write, digits, colour):
    rows = colour.few(2, 1)
    members = {
        "train-images.idx3-ubyte": idx(rows.x_train),
        "train-labels.idx1-ubyte.gz": gzip.compress(idx(rows.y_train)),
        "t10k-images-idx4-ubyte.gz": gzip.compress(idx(rows.x_test)),
        "t10k-labels-idx1-ubyte.gz": idx(rows.y_test),  # unpacked, its name kept
        "LICENSE": b"MIT",
    }
    assert_same(read(folder(members, tmp_path / "other names")), rows)
    assert_same(read(write("idx", {"train-images-idx3-ubyte.gz": b"not read"})), digits.few(2, 1))


def test_cifar_batches_may_be_saved_again_by_python_3_or_in_fortrans_order_and_lack_class_names(colour, write):
    content = formats["cifar python"].members(colour)["data_batch_1"]
    assert content.startswith(b"\x80\x02}q\x00(U\x0bbatch_labelq\x01U\x0cdata_batch_1q\x02U\x06labelsq\x03]q\x04(K")

    def fortran(batch):
        return python2_pickle({key: np.asfortranarray(v) if key == b"data" else v for key, v in batch.items()})

    def python_3(protocol, text):
        return lambda batch: pickle.dumps({k.decode() if text else k: v for k, v in batch.items()}, protocol)

    for dumps in (fortran, python_3(2, False), python_3(3, True), python_3(4, False)):
        assert_same(read(write("cifar python", dumps=dumps)), colour.few(2, 1))
    for name, meta in (("cifar binary tar", "batches.meta.txt"), ("cifar python", "batches.meta")):
        raw = read(write(name, {meta: None}))
        assert_same(raw, colour.few(2, 1))
        assert raw.class_names is None


# Images


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "WEBP", "GIF"])
def test_images_of_lossless_kinds_come_back_as_they_were(kind, digits, colour, tmp_path):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    rows = (digits if kind == "GIF" else colour).few(2, 1)
    members = image_members(rows, lambda image: png(image, format=kind, **options))
    assert_same(read(folder(members, tmp_path / "images")), rows.by_class())


def test_classes_are_alphabetical_and_junk_is_passed_over(tmp_path, digits):
    image, classes = png(digits.x_train[0]), ("zebra", "Ant", "bee 2", "äpfel")
    members = {f"{split}/{name}/b.png": image for name in classes for split in ("train", "test")}
    junk = (".DS_Store", "train/.DS_Store", "train/zebra/Thumbs.db", "vals/zebra/a.png", "a.md")
    raw = read(folder({**members, **dict.fromkeys(junk, b"")}, tmp_path / "images"))
    assert raw.class_names == ("Ant", "bee 2", "zebra", "äpfel")
    assert raw.y_train.tolist() == raw.y_test.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("pack", [folder, zipped("images.zip")], ids=["folder", "zip"])
@pytest.mark.parametrize("order", [["1", "2", "007", "10"], ["-1", "1.5", "Dog", "a10", "a9", "cat", "9"]], ids=str)
def test_classes_that_are_numbers_go_by_their_number(order, pack, tmp_path):
    given = order[::-1]
    members = {
        f"{split}/{name}/{row}.png": png(np.full((2, 2), 20 * number + row, np.uint8))
        for number, name in enumerate(given)
        for split, rows in (("train", 2), ("test", 1))
        for row in range(rows)
    }
    raw = read(pack(members, tmp_path / "images"))
    assert raw.class_names == tuple(order)
    for images, labels in ((raw.x_train, raw.y_train), (raw.x_test, raw.y_test)):
        assert [order[label] for label in labels] == [given[pixel // 20] for pixel in images[:, 0, 0, 0]]


def test_a_single_image_with_colour_gives_all_three_channels(tmp_path, digits):
    grey = digits.x_train[:2]
    members = {f"{part}/a/{row}.png": png(grey[row]) for part in ("train", "test") for row in (0, 1)}
    for split, number in (("train", 0), ("train", 1), ("test", 0)):
        coloured = np.stack([grey[number], grey[number] // 2, grey[number] // 3], axis=-1)
        expected = {part: np.repeat(grey[..., None], 3, axis=-1) for part in ("train", "test")}
        expected[split][number] = coloured
        raw = read(folder({**members, f"{split}/a/{number}.png": png(coloured)}, tmp_path / f"{split} {number}"))
        np.testing.assert_array_equal(raw.x_train, expected["train"])
        np.testing.assert_array_equal(raw.x_test, expected["test"])
