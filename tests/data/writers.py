"""Writers of every format: what the files of a data set hold, and how they are packed."""

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Rows(NamedTuple):
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray

    def few(self, train, test):
        """So many rows of each class."""

        def first(labels, count):
            return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)]))

        return self._taken(first(self.y_train, train), first(self.y_test, test))

    def by_class(self):
        """The order in which image folders are read."""
        return self._taken(np.argsort(self.y_train, kind="stable"), np.argsort(self.y_test, kind="stable"))

    def _taken(self, train, test):
        return Rows(self.x_train[train], self.y_train[train], self.x_test[test], self.y_test[test])


# What each format's files hold: name -> bytes


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def npz_members(rows):
    return {f"{key}.npy": npy(getattr(rows, key)) for key in rows._fields}


def idx_members(rows):
    files = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return {f"{name}-ubyte": idx(array) for name, array in zip(files, rows, strict=True)}


def batches(rows):
    """CIFAR-10's batches: name -> (uint8 [rows, 3072] channels first, labels)."""
    training = zip(np.array_split(rows.x_train, 5), np.array_split(rows.y_train, 5), strict=True)
    parts = {f"data_batch_{number}": part for number, part in enumerate(training, 1)}
    return {
        name: (images.transpose(0, 3, 1, 2).reshape(len(images), -1), labels)
        for name, (images, labels) in (parts | {"test_batch": (rows.x_test, rows.y_test)}).items()
    }


def binary_members(rows):
    members = {
        f"{name}.bin": np.concatenate([labels[:, None], images], axis=1).tobytes()
        for name, (images, labels) in batches(rows).items()
    }
    return {"batches.meta.txt": "\n".join([*names, "", ""]).encode(), "readme.html": b"<html>", **members}


class Python2Pickler(pickle._Pickler):
    """Writes as Python 2's cPickle did the original files: protocol 2, texts and bytes as byte strings."""

    def save_bytes(self, value):
        content = value.encode() if isinstance(value, str) else value
        head = b"U" + bytes([len(content)]) if len(content) < 256 else b"T" + struct.pack("<I", len(content))
        self.write(head + content)
        self.memoize(value)

    dispatch = {**pickle._Pickler.dispatch, bytes: save_bytes, str: save_bytes}  # noqa: RUF012 -- as its base has it


def python2_pickle(value):
    file = io.BytesIO()
    Python2Pickler(file, 2).dump(value)
    return file.getvalue()


def python_members(rows, dumps=python2_pickle):
    meta = {b"num_cases_per_batch": 10_000, b"label_names": [name.encode() for name in names], b"num_vis": 3072}
    members = {"batches.meta": dumps(meta), "readme.html": b"<html>"}
    for name, (images, labels) in batches(rows).items():
        files = [f"{name}_s_{number:06}.png".encode() for number in range(len(labels))]
        content = {b"batch_label": name.encode(), b"labels": labels.tolist(), b"data": images, b"filenames": files}
        members[name] = dumps(content)
    return members


def png(image, **options):
    """A picture's file, as PNG unless a format is given."""
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.ascontiguousarray(image))
    image.save(file, options.pop("format", "PNG"), **options)
    return file.getvalue()


def raw_png(width, height, depth, kind, rows):
    """A PNG whose header declares this size, with these bytes, as Pillow does not write it."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = (b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND")
    parts = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def picture(image):
    """Of another kind from image to image, lossy ones too."""
    return png(image, format=("JPEG", "BMP", "GIF", "PPM", "WEBP")[int(image.sum()) % 5])


def image_members(rows, encode=png):
    return {
        f"{split}/{names[label]}/{number:04}.png": encode(image)
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


def zipped(name, method=zipfile.ZIP_DEFLATED, top=""):
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

    def write(self, rows, path, changes=None, **options):
        """Write rows to this path, the files' contents changed or removed (None) on the way."""
        members = {**self.members(rows, **options), **(changes or {})}
        return self.pack({key: content for key, content in members.items() if content is not None}, path)


formats = {
    form.name: form
    for form in (
        Format("npz", "digits", npz_members, zipped("data.npz", zipfile.ZIP_STORED)),
        Format("npz compressed", "digits", npz_members, zipped("data.npz")),
        Format("idx", "digits", idx_members, folder),
        Format("idx gzipped", "digits", idx_members, gzipped),
        Format("cifar binary", "colour", binary_members, folder),
        Format("cifar binary tar", "colour", binary_members, tarred("cifar-10-binary.tar.gz", "cifar-10-batches-bin")),
        Format("cifar python", "colour", python_members, folder),
        Format("cifar python tar", "colour", python_members, tarred("cifar-10-python.tar.gz", "cifar-10-batches-py")),
        Format("images", "colour", image_members, folder),
        Format("images zip", "digits", image_members, zipped("images.zip")),
    )
}
PICTURES = Format("images of other kinds", "colour", lambda rows: image_members(rows, picture), folder)
