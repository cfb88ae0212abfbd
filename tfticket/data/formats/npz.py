"""NumPy's npz with Keras' keys. Pickled objects are refused by their header, before anything of them is read."""

import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tfticket.data.formats.consistency import Part, check_rows, make_raw
from tfticket.data.formats.labels import check_label_shape
from tfticket.data.formats.raw import AGAIN, Raw, Stream, error_line, read_exactly
from tfticket.data.formats.splits import VALIDATION, means_validation, refuse_unread
from tfticket.errors import InputError

KEYS = ("x_train", "y_train", "x_test", "y_test")
EXPECTED = f"an npz with the arrays {', '.join(KEYS)}"


def read(path: Path, archive: zipfile.ZipFile) -> Raw:
    """Read x_train, y_train, x_test, y_test, and x_val and y_val if present, from an opened archive."""
    members = {member.filename: member for member in archive.infolist()}
    missing = [key for key in KEYS if f"{key}.npy" not in members]
    if missing:
        names = ", ".join(repr(name.removesuffix(".npy")) for name in list(members)[:8]) or "nothing"
        raise InputError(
            f"{path} has no array {', '.join(missing)}, but {names}; expected {', '.join(KEYS)}. "
            "Save it by np.savez(path, x_train=..., y_train=..., x_test=..., y_test=...)."
        )
    keys = {"train": ("x_train", "y_train"), **_validation(path, members), "test": ("x_test", "y_test")}
    _check_all_are_read(path, members, {key for pair in keys.values() for key in pair})
    parts = {}
    for split, (x, y) in keys.items():
        rows = _array(f"{path}: {x}", archive, members[f"{x}.npy"], check_rows)
        labels = _array(f"{path}: {y}", archive, members[f"{y}.npy"], check_label_shape)
        parts[split] = Part(f"{path}: {x}", f"{path}: {y}", rows, labels)
    return make_raw(parts, files=(path,))


def _validation(path: Path, members: Mapping[str, object]) -> dict[str, tuple[str, str]]:
    """Return the keys of the validation rows, if any."""
    pairs = [(f"x_{name}", f"y_{name}") for name in VALIDATION]
    given = [key for pair in pairs for key in pair if f"{key}.npy" in members]
    pair = next((pair for pair in pairs if given == [*pair]), None)
    if given and pair is None:
        raise InputError(f"{path} has {', '.join(given)}; expected x_val and y_val, or neither. Add or rename one.")
    return {} if pair is None else {"validation": pair}


def _check_all_are_read(path: Path, members: Mapping[str, object], keys: set[str]) -> None:
    """Refuse rows or labels under unknown names, such as x_dev or val_images; other arrays are ignored."""
    others = {name.removesuffix(".npy") for name in members if name.endswith(".npy")} - keys
    unread = [repr(name) for name in others if name.lower().startswith(("x_", "y_")) or means_validation(name)]
    if unread:
        refuse_unread(path, unread, f"{', '.join(KEYS)}, and x_val and y_val for validation rows")


def _array(
    where: str,
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    check: Callable[[object, np.dtype, tuple[int, ...]], None],
) -> np.ndarray:
    with archive.open(member) as stream:
        start, shape, fortran, dtype = _header(where, stream)
        if dtype.hasobject:
            raise InputError(
                f"{where} holds pickled Python objects, which could run code and were not read; expected plain arrays. "
                "Save texts as np.asarray(array, str), numbers as np.asarray(array, float)."
            )
        check(where, dtype, shape)
        size = math.prod(shape) * dtype.itemsize
        if start + size != member.file_size:
            raise InputError(
                f"{where} has {member.file_size - start:,} bytes of data; expected {size:,} for its header's "
                f"{dtype} {shape}. It is damaged. {AGAIN}"
            )
        flat = read_exactly(size, stream, where).view(dtype)
    # The rare array in Fortran's order costs a copy.
    return np.ascontiguousarray(flat.reshape(shape[::-1]).T) if fortran else flat.reshape(shape)


def _header(where: str, stream: Stream) -> tuple[int, tuple[int, ...], bool, np.dtype]:
    """Return the header's size, the array's shape, True if in Fortran order, and its type."""
    counting = _Counting(stream)
    try:
        version = np.lib.format.read_magic(counting)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(counting)
    except Exception as error:  # NumPy's parser of damaged headers has no list of what it raises
        raise InputError(
            f"{where} has no npy header that NumPy reads ({error_line(error)}); expected np.savez's. {AGAIN}"
        ) from None
    return counting.bytes, shape, fortran, dtype


class _Counting:
    """A stream that counts the bytes read and limits them to a header's size."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size < 2**16:
            raise ValueError(f"a header of {size:,} bytes")
        chunk = self.stream.read(size)
        self.bytes += len(chunk)
        return chunk
