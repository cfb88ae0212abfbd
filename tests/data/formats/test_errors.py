"""What is wrong with a source: one message names the file, what was expected and how to mend it."""

import gzip
import os
import struct

import numpy as np
import pytest

from tests.data.writers import folder, formats, idx, npy, png, raw_png, zipped
from tests.refusals import refused
from tfticket.data.formats import read

IMAGES = np.zeros((20, 28, 28), np.uint8)


def check(path, *mentions):
    """Check that reading a path is refused with these facts."""
    with refused(None, None, str(path), *mentions):
        read(path)


def test_what_is_not_there_or_of_no_known_format_is_refused(tmp_path):
    check(tmp_path / "none", "does not exist")
    check(tmp_path, "no known format", "nothing", "train/<class>/<name>.png")
    os.mkfifo(tmp_path / "pipe")
    check(tmp_path / "pipe", "neither file nor folder")
    for content, hint in (
        (b"", "is empty"), (b"1,2,3\n", "no known format"), (npy(IMAGES), "np.savez"), (idx(IMAGES), "one IDX file"),
        (gzip.compress(idx(IMAGES)), "one IDX file"), (gzip.compress(b"hello")[:12], "cannot be read"),
    ):  # fmt: skip
        (tmp_path / "file").write_bytes(content)
        check(tmp_path / "file", hint, "an npz", "IDX", "CIFAR-10", "zip with images")


def test_a_message_is_printable_and_short_whatever_names_a_source_has(tmp_path, write):
    path = tmp_path / os.fsdecode(b"caf\xe9\n\x1b[1m.npz")
    path.write_bytes(b"hello")
    with refused(None, None, r"caf\udce9\n\x1b[1m.npz"):
        read(path)
    path = write("npz", {**{"x" * 60_000 + f"{number}.npy": b"" for number in range(8)}, "x_train.npy": None})
    with pytest.raises(Exception, match="no array x_train") as error:
        read(path)
    assert len(str(error.value)) < 1500


def test_a_file_that_may_not_be_read_is_refused(write, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = write("npz")
    monkeypatch.setattr(type(path), "open", denied)
    check(path, "permission denied", "Check its permissions")


# npz and tar


@pytest.mark.parametrize("name", ["npz", "npz compressed"])
def test_damaged_npz_files_are_refused(name, write):
    check(write(name, {"x_test.npy": None}), "no array x_test, but 'x_train', 'y_train', 'y_test'")
    path = write("npz", {"x_train.npy": npy(IMAGES.astype(np.int64))})
    check(path, f"{path}: x_train is int64 [20, 28, 28]", "x.astype(np.uint8)")
    content = npy(IMAGES)
    shapes = ("(4294967296, 28, 28)", "(-20, 28, 28)", "((((", "(2**63, 2**63, 4)")
    headers = [b"{'descr': '|u1', 'fortran_order': False, 'shape': " + shape.encode() + b", }\n" for shape in shapes]
    for damaged, mention in (
        (content[:-1], "15,679 bytes of data; expected 15,680"),
        (content + b"x", "15,681 bytes of data"),
        (b"", "no npy header"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + b"x" * 1000, "2,147,483,647 bytes"),
        *((b"\x93NUMPY\x01\x00" + struct.pack("<H", len(h)) + h + IMAGES.tobytes(), "x_train") for h in headers),
    ):
        check(write(name, {"x_train.npy": damaged}), "x_train", mention)


def test_an_npz_whose_checksum_is_wrong_and_truncated_tar_files_are_refused(write):
    path = write("npz")
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    check(path, "Bad CRC-32")
    for name in ("cifar binary tar", "cifar python tar"):
        path = write(name)
        plain = gzip.decompress(path.read_bytes())
        for length in (600, 1024, len(plain) // 2 // 512 * 512, len(plain) // 2 + 1):
            path.write_bytes(gzip.compress(plain[:length]))
            check(path, "xpected")


# IDX


def idx_header(*shape):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)


@pytest.mark.parametrize("name", ["idx", "idx gzipped"])
def test_idx_files_that_do_not_fit_are_refused(name, write, refused_in_limits):
    for content, mention in (
        (b"", "starts with nothing"),
        (b"\x01\0\x08\x03" + b"\0" * 12, "starts with 01 00 08 03"),
        (b"\0\0\x07\x03" + b"\0" * 12, "starts with 00 00 07 03"),
        (b"\0\0\x0d\x03" + b"\0" * 12, "holds float32; expected uint8"),
        (idx_header(1) + b"a", "has 1 dimensions"),
        (b"\0\0\x08\x03\0\0\0", "cannot be read"),
        (idx_header(0, 28, 28), "shape (0, 28, 28)"),
        (idx_header(*[2**32 - 1] * 3) + b"x" * 100, "again"),
        (idx_header(10, 28, 28) + b"x" * 7839, "truncated" if name == "idx" else "again"),
        (idx_header(10, 28, 28) + b"x" * 7841, "again"),
        (idx_header(9, 28, 28) + b"x" * 7056, "10 labels"),
    ):
        path = write(name, {"t10k-images-idx3-ubyte": content})
        refused_in_limits(path, f"{path}/t10k-images-idx3-ubyte", mention)


def test_idx_files_that_are_missing_or_damaged_are_refused(write):
    check(write("idx", {"t10k-labels-idx1-ubyte": None}), "test labels", "t10k-labels-idx1-ubyte")
    path = write("idx gzipped")
    file = path / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    for content, mention in ((whole[: len(whole) // 2], "cannot be read"), (whole[:-8] + b"\0" * 8, "CRC")):
        file.write_bytes(content)
        check(path, str(file), mention)
    file.unlink()
    file.mkdir()
    check(path, str(file), "is no file")


# CIFAR-10's archives


@pytest.mark.parametrize("name", ["cifar binary", "cifar binary tar"])
def test_binary_batches_that_do_not_fit_are_refused(name, write):
    zeros = {f"data_batch_{number}.bin": b"\0" * 3073 for number in range(1, 6)}
    for changes, mentions in (
        *(({"data_batch_2.bin": b"\0" * size}, [f"{size:,} bytes", "3,073"]) for size in (0, 3072, 3073 * 10_001)),
        ({"data_batch_2.bin": b"\x0a" * 3073}, ["data_batch_2.bin", "the label 10; expected 0 to 9"]),
        (zeros, ["no row of class 1 ('automobile')"]),
        ({"data_batch_3.bin": None, "test_batch.bin": None}, ["no data_batch_3, test_batch"]),
        ({"batches.meta.txt": b"cat\ndog\n"}, ["batches.meta.txt", "10 classes"]),
        ({"data_batch_1": b"\x80\x02}."}, ["data_batch_1"]),
    ):
        check(write(name, changes), *mentions)


# Image folders and zips

IMAGE = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
WHOLE, WIDE, SIXTEEN = png(IMAGE), png(IMAGE[:, [*range(28), 0]]), png(IMAGE.astype(np.uint16))
MEMBERS = {f"{split}/{name}/0.png": WHOLE for split in ("train", "test") for name in ("cat", "dog")}
UNDECODABLE = "no image that can be decoded"
REFUSED = [
    ({"test/cat/0.png": None, "test/dog/0.png": None}, "no class folder in test/", "'train'"),
    ({"train/cat/0.png": None}, "test/ has the class 'cat'"),
    ({"train/cat/0.png": b""}, "0.png", UNDECODABLE),
    ({"train/cat/0.png": WHOLE[: len(WHOLE) // 2]}, "0.png", UNDECODABLE),
    ({"train/cat/labels.csv": b"a,b"}, "labels.csv", UNDECODABLE),
    ({"train/cat/x.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}, "x.eps", "EPS"),
    ({"train/cat/more/0.png": WHOLE}, "in the wrong place", "train/<class>/<name>.png"),
    ({"train/0.png": WHOLE}, "0.png", "is a file in the wrong place"),
    ({"train/cat/1.png": WIDE}, "1.png", "has 29 x 28 pixels", "28 x 28"),
    ({"test/cat/0.png": WIDE, "test/dog/0.png": WIDE}, "test has images of (28, 29, 1)", "(28, 28, 1)"),
    ({"train/cat/0.png": SIXTEEN}, "0.png", "I;16", "from 0 to 255; expected 8 bits"),
]  # fmt: skip


def test_images_that_do_not_fit_and_empty_classes_are_refused(tmp_path):
    for number, (changes, *mentions) in enumerate(REFUSED):
        members = {key: content for key, content in (MEMBERS | changes).items() if content is not None}
        check(folder(members, tmp_path / str(number)), *mentions)
        check(zipped(f"{number}.zip")(members, tmp_path), *mentions)
    path = folder(MEMBERS, tmp_path / "images")
    (path / "test" / "pig").mkdir()
    check(path, "'pig' of test/ has no images")
    check(zipped("images.zip")({**MEMBERS, "train/pig/": b""}, tmp_path), "'pig' of train/ has no images")
    os.mkfifo(path / "test" / "pig" / "0.png")
    check(path, "0.png is neither file nor folder")


def test_images_that_declare_a_huge_size_or_have_more_bytes_than_any_are_refused(tmp_path, refused_in_limits):
    huge = (2**31 - 1, 2**31 - 1, "can be decoded"), (20_000, 20_000, "exceeds limit of")
    for width, height, mention in (*huge, (4097, 4096, "at most 16,777,216"), (4096, 4096, "would unpack")):
        image = raw_png(width, height, 8, 2, bytes(1000))
        members = {f"{split}/a/{number}.png": image for split in ("train", "test") for number in "012"}
        refused_in_limits(folder(members, tmp_path / str(width)), mention)
    path = formats["images"].pack(MEMBERS, tmp_path / "images")
    os.truncate(path / "train" / "cat" / "0.png", 2**26 + 1)
    check(path, "67,108,865 bytes")  # unread
