"""Real rows, writers of every format, and a reader with little memory and time."""

import gzip
import io
import multiprocessing
import resource
import shutil
import signal
import struct
import tarfile
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.processes import DEADLINE
from tfticket.data.formats import read
from tfticket.errors import InputError

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SECONDS = 5
BYTES = 500 * 10**6

# Rows


class Rows(NamedTuple):
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def few(self, train, test):
        """So many rows of each class."""

        def first(labels, count):
            return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)]))

        train, test = first(self.y_train, train), first(self.y_test, test)
        return Rows(self.x_train[train], self.y_train[train], self.x_test[test], self.y_test[test])

    def by_class(self):
        """The order in which image folders are read."""
        train, test = np.argsort(self.y_train, kind="stable"), np.argsort(self.y_test, kind="stable")
        return Rows(self.x_train[train], self.y_train[train], self.x_test[test], self.y_test[test])


@pytest.fixture(scope="session")
def digits():
    """400 rows of MNIST; the bundled file has them sorted by class."""
    order = np.random.default_rng(0).permutation(10_000)
    train, test = 6 * order[:300], order[300:400]
    with np.load(Path(__file__).parents[3] / "assets" / "mnist.npz") as file:
        return Rows(file["x_train"][train], file["y_train"][train], file["x_test"][test], file["y_test"][test])


@pytest.fixture(scope="session")
def colour(digits):
    """Rows of CIFAR-10's shape: a digit, the next one mirrored, and the one after it upside down, one a channel."""

    def stacked(images):
        images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
        return np.stack([images, np.roll(images, -1, 0)[:, :, ::-1], np.roll(images, -2, 0)[:, ::-1]], axis=-1)

    return Rows(stacked(digits.x_train), digits.y_train, stacked(digits.x_test), digits.y_test)


# What each format's files hold: name -> bytes


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


def idx(array, kind=0x08, shape=None):
    shape = array.shape if shape is None else shape
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + array.tobytes()


def npz_members(rows):
    return {f"{key}.npy": npy(getattr(rows, key)) for key in rows._fields}


def idx_members(rows):
    return {
        "train-images-idx3-ubyte": idx(rows.x_train),
        "train-labels-idx1-ubyte": idx(rows.y_train),
        "t10k-images-idx3-ubyte": idx(rows.x_test),
        "t10k-labels-idx1-ubyte": idx(rows.y_test),
    }


def batches(rows):
    """CIFAR-10's batches: name -> (uint8 [rows, 3072] channels first, labels)."""
    names = [f"data_batch_{number}" for number in range(1, 6)]
    parts = zip(names, np.array_split(rows.x_train, 5), np.array_split(rows.y_train, 5), strict=True)
    return {
        name: (images.transpose(0, 3, 1, 2).reshape(len(images), -1), labels)
        for name, images, labels in (*parts, ("test_batch", rows.x_test, rows.y_test))
    }


def binary_members(rows):
    members = {
        f"{name}.bin": np.concatenate([labels[:, None], images], axis=1).tobytes()
        for name, (images, labels) in batches(rows).items()
    }
    return {"batches.meta.txt": "\n".join([*NAMES, "", ""]).encode(), "readme.html": b"<html>", **members}


def python_members(rows, dumps=None):
    dumps = dumps or python2_pickle
    meta = {b"num_cases_per_batch": 10_000, b"label_names": [name.encode() for name in NAMES], b"num_vis": 3072}
    members = {"batches.meta": dumps(meta), "readme.html": b"<html>"}
    for name, (images, labels) in batches(rows).items():
        files = [f"{name}_s_{number:06}.png".encode() for number in range(len(labels))]
        content = {b"batch_label": name.encode(), b"labels": labels.tolist(), b"data": images, b"filenames": files}
        members[name] = dumps(content)
    return members


def python2_pickle(value):
    """As Python 2's cPickle wrote the original files: protocol 2, byte strings, everything memoised."""
    out, puts = [b"\x80\x02"], 0

    def put():
        nonlocal puts
        out.append(b"q" + bytes([puts]) if puts < 256 else b"r" + struct.pack("<I", puts))
        puts += 1

    def save(value):
        if isinstance(value, bool):
            out.append(b"\x88" if value else b"\x89")
        elif value is None:
            out.append(b"N")
        elif isinstance(value, int):
            if value < 0 or value >= 2**16:
                out.append(b"J" + struct.pack("<i", value))
            else:
                out.append(b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value))
        elif isinstance(value, bytes):
            out.append(
                (b"U" + bytes([len(value)]) if len(value) < 256 else b"T" + struct.pack("<I", len(value))) + value
            )
            put()
        elif isinstance(value, list):
            out.append(b"]")
            put()
            for start in range(0, len(value), 1000):
                out.append(b"(")
                for item in value[start : start + 1000]:
                    save(item)
                out.append(b"e")
        elif isinstance(value, dict):
            out.append(b"}")
            put()
            out.append(b"(")
            for pair in value.items():
                for item in pair:
                    save(item)
            out.append(b"u")
        elif isinstance(value, tuple):
            out.append(b"(" if len(value) > 3 else b"")
            for item in value:
                save(item)
            out.append({1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(value), b"t"))
            put()
        elif isinstance(value, np.ndarray):
            out.append(b"cnumpy.core.multiarray\n_reconstruct\n")
            put()
            out.append(b"cnumpy\nndarray\n")
            put()
            for item in ((0,), b"b"):
                save(item)
            out.append(b"\x87")
            put()
            out.append(b"R")
            put()
            fortran = not value.flags.c_contiguous
            out.append(b"(K\x01")
            save(value.shape)
            out.append(b"cnumpy\ndtype\n")
            put()
            save((b"u1", 0, 1))
            out.append(b"R")
            put()
            save((3, b"|", None, None, None, -1, -1, 0))
            out.append(b"b")
            save(fortran)
            save(value.tobytes("A"))
            out.append(b"tb")
        else:
            raise TypeError(type(value))

    save(value)
    return b"".join([*out, b"."])


def png(image, **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, options.pop("format", "PNG"), **options)
    return file.getvalue()


def picture(image):
    """Of another kind from image to image, lossy ones too."""
    kinds = [{"format": kind} for kind in ("JPEG", "BMP", "GIF", "PPM", "WEBP")]
    return png(image, **[*kinds, {"format": "JPEG", "progressive": True}][int(image.sum()) % 6])


def picture_members(rows):
    return image_members(rows, picture)


def image_members(rows, encode=png, suffix="png"):
    return {
        f"{split}/{NAMES[label]}/{number:04}.{suffix}": encode(image)
        for split, images, labels in (("train", rows.x_train, rows.y_train), ("test", rows.x_test, rows.y_test))
        for number, (image, label) in enumerate(zip(images, labels, strict=True))
    }


# How they are packed


def folder(members, path):
    for name, content in members.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return path


def gzipped(members, path):
    return folder({f"{name}.gz": gzip.compress(content, 1, mtime=0) for name, content in members.items()}, path)


def zipped(name, method, top=""):
    def pack(members, path):
        path.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path / name, "w", method) as archive:
            for member, content in members.items():
                archive.writestr(zipfile.ZipInfo(top + member), content, method)
        return path / name

    return pack


def tarred(name, top):
    def pack(members, path):
        path.mkdir(parents=True, exist_ok=True)
        with gzip.open(path / name, "wb", 1) as file, tarfile.open(fileobj=file, mode="w|") as archive:
            archive.addfile(tar_entry(top, type=tarfile.DIRTYPE))
            for member, content in members.items():
                archive.addfile(tar_entry(f"{top}/{member}", size=len(content)), io.BytesIO(content))
        return path / name

    return pack


def tar_entry(name, **fields):
    entry = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry


class Format(NamedTuple):
    name: str
    rows: str
    members: Callable
    pack: Callable


FORMATS = {
    form.name: form
    for form in (
        Format("npz", "digits", npz_members, zipped("data.npz", zipfile.ZIP_STORED)),
        Format("npz compressed", "digits", npz_members, zipped("data.npz", zipfile.ZIP_DEFLATED)),
        Format("idx", "digits", idx_members, folder),
        Format("idx gzipped", "digits", idx_members, gzipped),
        Format("cifar binary", "colour", binary_members, folder),
        Format("cifar binary tar", "colour", binary_members, tarred("cifar-10-binary.tar.gz", "cifar-10-batches-bin")),
        Format("cifar python", "colour", python_members, folder),
        Format("cifar python tar", "colour", python_members, tarred("cifar-10-python.tar.gz", "cifar-10-batches-py")),
        Format("images", "colour", image_members, folder),
        Format("images zip", "digits", image_members, zipped("images.zip", zipfile.ZIP_DEFLATED)),
    )
}


PICTURES = Format("images of other kinds", "colour", picture_members, folder)


@pytest.fixture(scope="session", params=FORMATS)
def form(request):
    """Each format in turn."""
    return FORMATS[request.param]


@pytest.fixture(scope="session", params=[*FORMATS, PICTURES.name])
def any_form(request):
    """Each format in turn, and lossy images."""
    return FORMATS.get(request.param, PICTURES)


class Writers(NamedTuple):
    """The functions above, for tests that cannot import them."""

    formats: dict = FORMATS
    names: tuple = NAMES
    npy: Callable = npy
    idx: Callable = idx
    png: Callable = png
    image_members: Callable = image_members
    python_members: Callable = python_members
    python2_pickle: Callable = python2_pickle
    folder: Callable = folder
    zipped: Callable = zipped
    tarred: Callable = tarred
    tar_entry: Callable = tar_entry


@pytest.fixture(scope="session")
def writers():
    return Writers()


@pytest.fixture
def write(request, tmp_path):
    """Write few rows in a format, its members changed or removed (None) on the way."""

    def write(name, changes=None, **options):
        form = FORMATS[name]
        members = form.members(request.getfixturevalue(form.rows).few(2, 1), **options)
        members = {key: content for key, content in {**members, **(changes or {})}.items() if content is not None}
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        return form.pack(members, tmp_path / name)

    return write


# A reader with 500 MB and 5 s of the CPU


class TooLong(BaseException):
    """Reading took more than its share of the CPU; no reader catches it."""


def _too_long(*_):
    raise TooLong(f"reading took over {SECONDS} s of the CPU")


def _serve(pipe):
    signal.signal(signal.SIGPROF, _too_long)
    limit = psutil.Process().memory_info().vms + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    while (path := pipe.recv()) is not None:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # the CPU's, whatever else it does
        try:
            raw = read(path)
            assert raw.x_train.dtype == raw.x_test.dtype == np.uint8
            assert raw.x_train.ndim == raw.x_test.ndim == 4
            assert len(raw.x_train) == len(raw.y_train)
            assert len(raw.x_test) == len(raw.y_test)
            answer = ("read", f"{raw.x_train.shape}")
        except InputError as error:
            answer = ("refused", str(error))
        except BaseException:
            answer = ("crashed", traceback.format_exc())
        signal.setitimer(signal.ITIMER_PROF, 0)
        pipe.send(answer)


@pytest.fixture(scope="session")
def limited_read():
    """Read in another process that has 500 MB of address space and 5 s of the CPU: ('read' or 'refused', what).

    A refusal's text is one printable line that names the path and does not blame the memory.
    """
    context = multiprocessing.get_context("fork")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()

    def limited(path):
        pipe.send(path)
        assert pipe.poll(DEADLINE), f"waited {DEADLINE} s for {path} in vain"
        outcome, text = pipe.recv()
        assert outcome != "crashed", text
        if outcome == "refused":
            assert str(path) in text
            assert "xpected" in text, text
            assert text.isprintable(), text
            assert "memory" not in text, text
            assert len(text) < 2000, text
        return outcome, text

    yield limited
    process.kill()
    process.join()
