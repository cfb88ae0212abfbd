"""Real rows, written in each format by the test, come back as they were."""

import gzip
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from tfticket.data.formats import read


def assert_same(raw, rows):
    def four(images):
        return images if images.ndim == 4 else images[..., None]

    for ours, theirs in ((raw.x_train, four(rows.x_train)), (raw.x_test, four(rows.x_test))):
        assert ours.dtype == np.uint8
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in ((raw.y_train, rows.y_train), (raw.y_test, rows.y_test)):
        assert ours.dtype == np.int32
        np.testing.assert_array_equal(ours, theirs)


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_rows_come_back_as_they_were(form, request, tmp_path, writers):
    rows = request.getfixturevalue(form.rows)
    path = form.pack(form.members(rows), tmp_path / "data")
    before = snapshot(tmp_path)
    raw = read(path)
    assert_same(raw, rows.by_class() if form.name.startswith("images") else rows)
    assert raw.class_names == (writers.names if form.name.startswith(("cifar", "images")) else None)
    ignored = {path / "readme.html"}
    everything = {path} if path.is_file() else {file for file in path.rglob("*") if file.is_file()} - ignored
    assert len(raw.files) == len(everything)
    assert {*raw.files} == everything
    assert snapshot(tmp_path) == before, "reading writes nothing"


def test_one_folder_around_everything_is_looked_into(write, tmp_path, digits, writers):
    (tmp_path / "MNIST").mkdir()
    write("idx").rename(tmp_path / "MNIST" / "raw")
    assert_same(read(tmp_path / "MNIST"), digits.few(2, 1))
    form = writers.formats["images zip"]
    pack = writers.zipped("top.zip", 8, top="my pictures/")
    assert_same(read(pack(form.members(digits.few(2, 1)), tmp_path / "zips")), digits.few(2, 1).by_class())


# npz


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.dtype(">i2"), np.uint64])
def test_npz_labels_of_any_integer_type_and_as_a_column(kind, write, writers, digits):
    rows = digits.few(2, 1)
    path = write("npz", {"y_train.npy": writers.npy(rows.y_train.astype(kind)[:, None])})
    assert_same(read(path), rows)


def test_npz_in_fortrans_order_with_other_versions_and_other_arrays(write, writers, colour):
    rows = colour.few(2, 1)
    arrays = {
        "x_train.npy": writers.npy(np.asfortranarray(rows.x_train)),
        "x_test.npy": writers.npy(rows.x_test, version=(2, 0)),
        "more.npy": writers.npy(np.array([object()]), allow_pickle=True),
        "notes.txt": b"hello",
    }
    raw = read(write("npz", arrays))
    assert_same(raw, rows)
    assert raw.x_train.flags.c_contiguous


def test_npz_is_read_into_arrays_of_its_own_that_may_be_written(write):
    raw = read(write("npz"))
    raw.x_train[0] = 0
    assert raw.x_train.flags.writeable


# IDX


def test_idx_by_its_other_names_in_four_dimensions_and_half_gzipped(tmp_path, writers, colour):
    rows = colour.few(2, 1)
    members = {
        "train-images.idx3-ubyte": writers.idx(rows.x_train),
        "train-labels.idx1-ubyte.gz": gzip.compress(writers.idx(rows.y_train)),
        "t10k-images-idx4-ubyte.gz": gzip.compress(writers.idx(rows.x_test)),
        "t10k-labels-idx1-ubyte.gz": writers.idx(rows.y_test),  # unpacked, its name kept
        "LICENSE": b"MIT",
    }
    assert_same(read(writers.folder(members, tmp_path / "idx")), rows)


def test_of_an_idx_file_and_its_gzipped_twin_the_file_is_read(write, digits):
    raw = read(write("idx", {"train-images-idx3-ubyte.gz": b"not read"}))
    assert_same(raw, digits.few(2, 1))
    assert "train-images-idx3-ubyte" in [path.name for path in raw.files]


# CIFAR-10


def test_the_tests_own_pickle_is_what_python_2_wrote(writers, colour):
    content = writers.python_members(colour)["data_batch_1"]
    assert content.startswith(b"\x80\x02}q\x00(U\x0bbatch_labelq\x01U\x0cdata_batch_1q\x02U\x06labelsq\x03]q\x04(K")
    loaded = pickle.loads(content, encoding="bytes")
    assert [*loaded] == [b"batch_label", b"labels", b"data", b"filenames"]
    np.testing.assert_array_equal(loaded[b"data"][0].reshape(3, 32, 32).transpose(1, 2, 0), colour.x_train[0])


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("text", [False, True])
def test_cifar_batches_saved_again_by_python_3(protocol, text, colour, write):
    def dumps(content):
        if text:
            content = {key.decode(): value for key, value in content.items()}
        return pickle.dumps(content, protocol)

    assert_same(read(write("cifar python", dumps=dumps)), colour.few(2, 1))


def test_cifar_batches_in_fortrans_order_as_numpys_concatenation_may_leave_them(colour, write, writers):
    def dumps(content):
        if b"data" in content:
            content = {**content, b"data": np.asfortranarray(content[b"data"])}
        return writers.python2_pickle(content)

    assert_same(read(write("cifar python", dumps=dumps)), colour.few(2, 1))


@pytest.mark.parametrize(("name", "meta"), [("cifar binary tar", "batches.meta.txt"), ("cifar python", "batches.meta")])
def test_cifar_without_its_class_names(name, meta, colour, write):
    raw = read(write(name, {meta: None}))
    assert_same(raw, colour.few(2, 1))
    assert raw.class_names is None


# Images


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "WEBP"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_other_lossless_kinds(kind, channels, request, tmp_path, writers):
    rows = request.getfixturevalue("digits" if channels == 1 and kind != "WEBP" else "colour").few(2, 1)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    members = writers.image_members(rows, lambda image: writers.png(image, format=kind, **options), kind.lower())
    assert_same(read(writers.folder(members, tmp_path / "images")), rows.by_class())


def test_gif_images_come_back_as_the_colours_of_their_palettes(digits, tmp_path, writers):
    rows = digits.few(2, 1)
    members = writers.image_members(rows, lambda image: writers.png(image, format="GIF"), "gif")
    raw = read(writers.folder(members, tmp_path / "images"))
    np.testing.assert_array_equal(raw.x_train, rows.by_class().x_train[..., None])


def test_jpeg_images_are_near_their_originals(colour, tmp_path, writers):
    rows = colour.few(2, 1)

    def jpeg(image):
        return writers.png(image, format="JPEG", quality=100, subsampling=0)

    raw = read(writers.folder(writers.image_members(rows, jpeg, "jpg"), tmp_path / "images"))
    assert raw.x_train.shape == rows.x_train.shape
    assert np.abs(raw.x_train.astype(float) - rows.by_class().x_train).mean() < 2


def test_classes_are_alphabetical_and_junk_is_passed_over(tmp_path, writers, digits):
    image = writers.png(digits.x_train[0])
    names = ["zebra", "Ant", "bee 2", "äpfel"]
    members = {f"{split}/{name}/b.png": image for name in names for split in ("train", "test")}
    junk = {
        ".DS_Store": b"",
        "train/.DS_Store": b"",
        "train/zebra/Thumbs.db": b"",
        "vals/zebra/a.png": b"",
        "a.md": b"",
    }
    raw = read(writers.folder({**members, **junk}, tmp_path / "images"))
    assert raw.class_names == ("Ant", "bee 2", "zebra", "äpfel")
    assert raw.y_train.tolist() == raw.y_test.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("names", "order"),
    [
        ([str(number) for number in range(12)], [str(number) for number in range(12)]),
        (["2", "10", "007", "1"], ["1", "2", "007", "10"]),
        (["10", "9", "cat", "Dog"], ["Dog", "cat", "9", "10"]),
        (["a10", "a9", "-1", "1.5"], ["-1", "1.5", "a10", "a9"]),
    ],
)
def test_classes_that_are_numbers_go_by_their_number(names, order, packed, tmp_path, writers):
    members = {
        f"{split}/{name}/{row}.png": writers.png(np.full((2, 2), 20 * number + row, np.uint8))
        for number, name in enumerate(names)
        for split, rows in (("train", 2), ("test", 1))
        for row in range(rows)
    }
    pack = writers.zipped("images.zip", zipfile.ZIP_STORED) if packed else writers.folder
    raw = read(pack(members, tmp_path / "images"))
    assert raw.class_names == tuple(order)
    for images, labels in ((raw.x_train, raw.y_train), (raw.x_test, raw.y_test)):
        assert [order[label] for label in labels] == [names[pixel // 20] for pixel in images[:, 0, 0, 0]]
    assert np.bincount(raw.y_train).tolist() == [2] * len(names)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("number", [0, 1])
def test_one_image_with_colour_gives_all_three_channels(split, number, tmp_path, writers, digits):
    grey = digits.x_train[:2]
    members = {f"{part}/a/{row}.png": writers.png(grey[row]) for part in ("train", "test") for row in (0, 1)}
    coloured = np.stack([grey[number], grey[number] // 2, grey[number] // 3], axis=-1)
    raw = read(writers.folder({**members, f"{split}/a/{number}.png": writers.png(coloured)}, tmp_path / "images"))
    for part, images in (("train", raw.x_train), ("test", raw.x_test)):
        expected = np.repeat(grey[..., None], 3, axis=-1)
        if part == split:
            expected[number] = coloured
        np.testing.assert_array_equal(images, expected)


def test_palettes_are_looked_up_and_alpha_that_is_the_same_everywhere_is_dropped(tmp_path, writers, colour):
    image = Image.fromarray(colour.x_train[0]).quantize(16)
    rgb = np.asarray(image.convert("RGB"))
    alpha = np.concatenate([rgb, np.full((32, 32, 1), 7, np.uint8)], axis=-1)
    members = {"train/a/1.png": writers.png(np.asarray(rgb)), "test/a/1.png": writers.png(alpha)}
    path = writers.folder(members, tmp_path / "images")
    image.save(path / "train" / "a" / "2.png", transparency=b"\x07" * 16)
    raw = read(path)
    for read_image in (*raw.x_train, *raw.x_test):
        np.testing.assert_array_equal(read_image, rgb)


def test_grey_with_alpha_and_black_and_white_stay_grey(tmp_path, writers, digits):
    image = Image.fromarray(digits.x_train[0])
    path = tmp_path / "images"
    for split, mode in (("train", "LA"), ("test", "1")):
        (path / split / "a").mkdir(parents=True)
        image.convert(mode).save(path / split / "a" / "1.png")
    raw = read(path)
    np.testing.assert_array_equal(raw.x_train[0, ..., 0], digits.x_train[0])
    assert raw.x_test.shape == (1, 28, 28, 1)
    assert {*np.unique(raw.x_test)} == {0, 255}
