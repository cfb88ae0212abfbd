"""What is wrong with a source: one message that says which file, what was expected and how to mend it."""

import gzip
import os
import struct
import zipfile
import zlib

import numpy as np
import pytest

from tfticket.data.formats import read
from tfticket.errors import InputError

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 2)
IMAGES = np.zeros((20, 28, 28), np.uint8)


def refused(path, *parts):
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    for part in parts:
        assert part in message
    assert message.isprintable()
    return message


# No source


def test_what_is_not_there_or_of_no_known_format(tmp_path, writers):
    refused(tmp_path / "none", "none does not exist", "Check the path")
    refused(writers.folder({}, tmp_path), "a folder of no known format (found: nothing)", "train/<class>/<name>.png")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "neither file nor folder")
    cases = {
        "empty": (b"", "is empty"),
        "text.csv": (b"1,2,3\n", "is of no known format"),
        "x.npy": (writers.npy(IMAGES), "a single array: save all four by np.savez"),
        "train-images": (writers.idx(IMAGES), "one IDX file: give the folder of all four"),
        "train-images.gz": (gzip.compress(writers.idx(IMAGES)), "one IDX file: give the folder of all four"),
        "text.gz": (gzip.compress(b"hello"), "is of no known format"),
        "broken.gz": (gzip.compress(b"hello")[:12], "cannot be read"),
    }
    for name, (content, hint) in cases.items():
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, name, hint, "xpected one of: an npz", "IDX", "CIFAR-10", "zip with images")


def test_a_name_that_cannot_be_printed_is_escaped(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9\n\x1b[1m.npz")
    path.write_bytes(b"hello")
    assert r"caf\udce9\n\x1b[1m.npz" in refused(path)


def test_a_message_is_short_whatever_names_a_source_has(write):
    names = {"x" * 60_000 + f"{number}.npy": b"" for number in range(8)}
    message = refused(write("npz", {**names, "x_train.npy": None}), "no array x_train", "np.savez")
    assert len(message) < 1500


def test_a_file_that_may_not_be_read(write, monkeypatch):
    path = write("npz")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", denied)
    refused(path, "permission denied", "Check its permissions")


# npz


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"x_train": IMAGES[..., None].astype(np.float32)},
            ["x_test is uint8", "x_train is float32", "np.rint(255 * x)"],
        ),
        (
            {"x_test": np.full((10, 28, 28, 1), np.nan)},
            ["x_test is float64", "x_train is uint8", "floats of one scale in all"],
        ),
        ({"x_train": IMAGES.astype(np.float32)}, ["x_train is float32 [20, 28, 28]", "x[..., None]"]),
        ({"x_train": IMAGES.astype(np.int64)}, ["x_train is int64 [20, 28, 28]", "x.astype(np.uint8)"]),
        ({"x_train": IMAGES.astype(np.uint16)}, ["x_train is uint16 [20, 28, 28]", "x.astype(np.float32)"]),
        ({"x_train": IMAGES > 0}, ["x_train is bool [20, 28, 28]", "255 * x.astype(np.uint8)"]),
        ({"x_train": IMAGES.view([("a", "u1")])}, ["x_train is [('a', 'u1')]", "fields as columns"]),
        ({"x_train": IMAGES.reshape(20, 784)}, ["x_train has 784 features", "x_test has images of (28, 28, 1)"]),
        ({"x_train": IMAGES.reshape(-1)}, ["x_train has the shape (15680,)", "Reshape it"]),
        ({"x_train": np.uint8(3)}, ["x_train has the shape ()"]),
        ({"x_test": IMAGES[:0]}, ["x_test has the shape (0, 28, 28)", "none of them 0"]),
        ({"x_train": np.zeros((20, 3, 32, 32), np.uint8)}, ["channels first", "transpose(0, 2, 3, 1)"]),
        (
            {"x_test": np.zeros((10, 28, 27), np.uint8)},
            ["x_test has images of (28, 27, 1)", "x_train has images of (28, 28, 1)"],
        ),
        ({"x_test": np.zeros((10, 28, 28, 3), np.uint8)}, ["(28, 28, 3)", "expected one size"]),
        ({"y_train": LABELS[:19]}, ["y_train has 19 labels", "x_train 20 rows", "one label a row"]),
        ({"y_test": LABELS[:11]}, ["y_test has 11 labels", "x_test 10 rows"]),
        ({"y_train": LABELS / 2}, ["y_train[2] is 0.5: a target of regression", "np.digitize"]),
        ({"y_train": np.eye(10, dtype=int)[LABELS]}, ["shape (20, 10)", "one-hot", "argmax"]),
        ({"y_train": LABELS[:, None, None]}, ["y_train has the shape (20, 1, 1)"]),
        ({"y_train": LABELS + np.int64(4_000_000_000)}, ["which no training row has; expected one of 4000000000, 4"]),
        (
            {"y_test": np.full(10, 10)},
            ["y_test holds the label 10 (row 0), which no training row has; expected one of"],
        ),
        ({"y_test": np.full(10, -1)}, ["y_test holds the label -1 (row 0)"]),
        ({"y_train": np.where(LABELS == 3, 4, LABELS)}, ["y_test holds the label 3 (row "]),
    ],
)
def test_arrays_that_do_not_fit(changes, parts, write, writers):
    path = write("npz", {f"{key}.npy": writers.npy(array) for key, array in changes.items()})
    refused(path, f"{path}: ", *parts)


@pytest.mark.parametrize("name", ["npz", "npz compressed"])
def test_damaged_npz_files(name, write, writers):
    path = write(name)
    whole = path.read_bytes()
    for length in (0, 3, 30, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, "data.npz", "xpected")
    path.write_bytes(b"PK" + whole)
    refused(write(name, {"x_test.npy": None}), "no array x_test, but 'x_train', 'y_train', 'y_test'", "np.savez")
    content = writers.npy(IMAGES)
    refused(write(name, {"x_train.npy": content[:-1]}), "x_train has 15,679 bytes of data", "expected 15,680", "again")
    refused(write(name, {"x_train.npy": content + b"x"}), "x_train has 15,681 bytes of data")
    refused(write(name, {"x_train.npy": b"\x93NUMPZ" + content[6:]}), "x_train has no npy header", "magic string")
    refused(write(name, {"x_train.npy": b""}), "x_train has no npy header")
    for shape in ("(4294967296, 28, 28)", "(-20, 28, 28)", "((((", "'", "(2**63, 2**63, 4)"):
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': " + shape.encode() + b", }\n"
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
        refused(write(name, {"x_train.npy": magic + header + IMAGES.tobytes()}), "data.npz: x_train")
    huge = b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"x" * 1000
    refused(write(name, {"x_train.npy": huge}), "no npy header", "a header of 2,147,483,647 bytes")


def test_an_npz_whose_checksum_is_wrong(write):
    path = write("npz")
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    refused(path, "Bad CRC-32", "again")


# IDX


@pytest.mark.parametrize("name", ["idx", "idx gzipped"])
@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["starts with nothing", "3 or 4 dimensions"]),
        (b"\0\0\x08", ["starts with 00 00 08"]),
        (b"\x01\0\x08\x03" + b"\0" * 12, ["starts with 01 00 08 03", "again"]),
        (b"\0\0\x07\x03" + b"\0" * 12, ["starts with 00 00 07 03"]),
        (b"\0\0\x0d\x03" + b"\0" * 12, ["holds float32; expected uint8 0..255"]),
        (b"\0\0\x08\x01\0\0\0\x01a", ["has 1 dimensions", "3 or 4 dimensions"]),
        (b"\0\0\x08\xff" + b"\0" * 12, ["has 255 dimensions"]),
        (b"\0\0\x08\x03\0\0\0", ["cannot be read"]),
        (b"\0\0\x08\x03" + struct.pack(">3I", 0, 28, 28), ["shape (0, 28, 28)"]),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 28, 28) + b"x" * 100, ["again"]),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3) + b"x" * 100, ["again"]),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 10, 28, 28) + b"x" * 7839, ["truncated", "again"]),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 10, 28, 28) + b"x" * 7841, ["again"]),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 9, 28, 28) + b"x" * 7056, ["10 labels", "9 rows"]),
    ],
)
def test_idx_files_that_do_not_fit(name, content, parts, write, limited_read):
    path = write(name, {"t10k-images-idx3-ubyte": content})
    outcome, text = limited_read(path)
    assert outcome == "refused"
    for part in [f"{path}/t10k-images-idx3-ubyte", *parts]:
        assert part in text or (name == "idx gzipped" and part == "truncated")


def test_idx_files_that_are_missing_or_damaged(write):
    refused(write("idx", {"t10k-labels-idx1-ubyte": None}), "no IDX file of the test labels", "t10k-labels-idx1-ubyte")
    path = write("idx gzipped")
    file = path / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    refused(path, str(file), "cannot be read", "again")
    file.write_bytes(whole[:-8] + b"\0" * 8)
    refused(path, str(file), "CRC check failed")
    file.unlink()
    file.mkdir()
    refused(path, f"{file} is no file")


# CIFAR-10's archives


@pytest.mark.parametrize("name", ["cifar binary", "cifar binary tar"])
def test_binary_batches_that_do_not_fit(name, write):
    for content in (b"", b"\0" * 3072, b"\0" * (3073 * 5 - 1), b"\0" * 3074 * 5, b"\0" * 3073 * 10_001):
        refused(write(name, {"data_batch_2.bin": content}), "data_batch_2.bin", f"{len(content):,} bytes", "3,073")
    refused(write(name, {"data_batch_2.bin": b"\x0a" * 3073}), "data_batch_2.bin", "the label 10; expected 0 to 9")
    zeros = {f"data_batch_{number}.bin": b"\0" * 3073 for number in range(1, 6)}
    refused(write(name, zeros), "no row of class 1 ('automobile')")
    refused(write(name, {"data_batch_3.bin": None, "test_batch.bin": None}), "no data_batch_3, test_batch", "Download")
    refused(write(name, {"batches.meta.txt": b"cat\ndog\n"}), "batches.meta.txt", "does not name 10 classes")
    refused(write(name, {"data_batch_1": b"\x80\x02}."}), "data_batch_1")


@pytest.mark.parametrize("name", ["cifar binary tar", "cifar python tar"])
def test_damaged_tar_files(name, write):
    path = write(name)
    whole = path.read_bytes()
    for length in (0, 5, 20, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, path.name, "xpected")
    plain = gzip.decompress(whole)
    for length in (600, 1024, len(plain) // 2 // 512 * 512, len(plain) // 2 + 1):
        path.write_bytes(gzip.compress(plain[:length]))
        refused(path, path.name, "xpected")


# Image folders and zips


IMAGE_ERRORS = [
    ({"test/cat/0.png": None, "test/dog/0.png": None}, ["no class folder in test/", "(found: 'train')", "both splits"]),
    ({"train/cat/0.png": None, "train/dog/0.png": None}, ["no class folder in train/", "(found: 'test')"]),
    ({"train/cat/0.png": None}, ["test/ has the class 'cat', train/ has not", "Rename it"]),
    ({"train/cat/0.png": b""}, ["0.png", "no image that can be decoded", "again"]),
    ({"train/cat/0.png": b"hello"}, ["0.png", "no image that can be decoded"]),
    ({"train/cat/0.png": "half"}, ["0.png", "no image that can be decoded"]),
    ({"train/cat/labels.csv": b"a,b"}, ["labels.csv", "no image that can be decoded"]),
    ({"train/cat/vector.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}, ["vector.eps", "its kind is EPS"]),
    ({"train/cat/0.tif": b"II*\0" + b"\0" * 100}, ["0.tif", "its kind is TIFF"]),
    ({"train/cat/more/0.png": "whole"}, ["in the wrong place", "train/<class>/<name>.png", "Move it"]),
    ({"train/0.png": "whole"}, ["0.png", "is a file in the wrong place"]),
    ({"train/cat/1.png": "wide"}, ["1.png", "has 29 x 28 pixels", "0.png", "28 x 28", "Scale them"]),
    (
        {"test/cat/0.png": "wide", "test/dog/0.png": "wide"},
        ["test has images of (28, 29, 1)", "train has images of (28, 28, 1)"],
    ),
    ({"train/cat/0.png": "sixteen"}, ["0.png", "is of mode I;16, with values from 0 to 255; expected 8 bits"]),
]


@pytest.mark.parametrize(("changes", "parts"), IMAGE_ERRORS)
@pytest.mark.parametrize("packed", [False, True])
def test_images_that_do_not_fit(changes, parts, packed, tmp_path, writers):
    image = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    kinds = {
        "whole": writers.png(image),
        "half": writers.png(image)[: len(writers.png(image)) // 2],
        "wide": writers.png(image[:, [*range(28), 0]]),
        "sixteen": writers.png(image.astype(np.uint16)),
    }
    members = {f"{split}/{name}/0.png": kinds["whole"] for split in ("train", "test") for name in ("cat", "dog")}
    members |= {key: kinds.get(content, content) for key, content in changes.items()}
    members = {key: content for key, content in members.items() if content is not None}
    pack = writers.zipped("images.zip", zipfile.ZIP_DEFLATED) if packed else writers.folder
    path = pack(members, tmp_path / "images")
    refused(path, str(path), *parts)


def test_an_empty_class_is_refused(tmp_path, writers):
    members = {f"{split}/cat/0.png": writers.png(IMAGES[0]) for split in ("train", "test")}
    path = writers.folder(members, tmp_path / "images")
    (path / "test" / "dog").mkdir()
    refused(path, "the class 'dog' of test/ has no images", "Add them or remove it")
    zipped = writers.zipped("images.zip", zipfile.ZIP_DEFLATED)({**members, "train/dog/": b""}, tmp_path)
    refused(zipped, "the class 'dog' of train/ has no images")
    os.mkfifo(path / "test" / "dog" / "0.png")
    refused(path, "0.png is neither file nor folder", "Remove it")


def header(width, height):
    """A PNG whose header declares this size."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2**31 - 1, 2**31 - 1), "can be decoded"),
        ((20_000, 20_000), "exceeds limit of"),
        ((10_000, 10_000), "exceeds limit of"),
        ((4097, 4096), "expected at most 16,777,216 in all"),
        ((4096, 4096), "would unpack"),
    ],
)
def test_images_that_declare_a_huge_size_are_refused(size, expected, tmp_path, writers, limited_read):
    members = {f"{split}/a/{number}.png": header(*size) for split in ("train", "test") for number in range(3)}
    outcome, text = limited_read(writers.folder(members, tmp_path / "images"))
    assert (outcome, expected in text) == ("refused", True), text


def test_labels_of_several_columns_have_their_own_advice(tmp_path):
    rows = {"x_train": np.zeros((6, 2, 2), np.uint8), "x_test": np.zeros((6, 2, 2), np.uint8)}
    for labels, advice in (
        (np.eye(6), "It is one-hot: give y.argmax(axis=1)"),
        (np.eye(6) / 2, "the class of the highest score is y.argmax(axis=1)"),
        (np.ones((6, 3), int), "Rows of several classes, or of none"),
        (np.zeros((6, 3), bool), "Rows of several classes, or of none"),
        (np.array([["a", "b"]] * 6), "Take the column that holds the classes"),
    ):
        np.savez(tmp_path / "rows.npz", **rows, y_train=labels, y_test=labels)
        refused(tmp_path / "rows.npz", "y_train", "one label a row", advice)


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "rows.npz").touch()
    refused(tmp_path / "rows.npz", "rows.npz is empty. Expected one of")
