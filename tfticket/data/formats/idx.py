"""IDX, the format of MNIST and Fashion-MNIST: a folder of four files, each gzipped or not."""

import math
import re
import struct
from pathlib import Path

import numpy as np

from tfticket.data.formats.consistency import Part, make_raw
from tfticket.data.formats.raw import AGAIN, Raw, as_input_error, check_expansion, decompressed, read_exactly
from tfticket.data.formats.splits import VALIDATION, means_validation, refuse_unread
from tfticket.errors import InputError

SPLITS = {"train": "train", "t10k": "test", "test": "test"} | dict.fromkeys(VALIDATION, "validation")
"""Prefix of a file's name -> its split."""
NAME = re.compile(rf"({'|'.join(SPLITS)})-(images|labels)[-.]idx\d-ubyte(\.gz)?")
_ROWS = re.compile("images|labels|idx|ubyte", re.IGNORECASE)
"""Part of the name of a file of rows or labels."""
EXPECTED = (
    "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with "
    "or without .gz"
)
TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}


def read(folder: Path) -> Raw:
    """Read the four files, and two of validation rows if present; prefer a file to its gzipped copy."""
    paths: dict[tuple[str, str], Path] = {}
    names: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if match := NAME.fullmatch(path.name):
            paths.setdefault((SPLITS[match[1]], match[2]), path)
            if names.setdefault(SPLITS[match[1]], match[1]) != match[1]:
                refuse_unread(folder, [path.name], f"one name for its split, as in {names[SPLITS[match[1]]]}-images")
    others = [path.name for path in folder.iterdir() if not (path.name.startswith(".") or NAME.fullmatch(path.name))]
    if unread := [name for name in others if _ROWS.search(name) and means_validation(name)]:
        refuse_unread(folder, unread, "val-images-idx3-ubyte and val-labels-idx1-ubyte for validation rows")
    has_validation = any(split == "validation" for split, _ in paths)
    splits = ("train", "validation", "test") if has_validation else ("train", "test")
    expected = [(split, kind) for split in splits for kind in ("images", "labels")]
    missing = [f"{split} {kind}" for split, kind in expected if (split, kind) not in paths]
    if missing:
        raise InputError(f"{folder} has no IDX file of the {', '.join(missing)}; expected {EXPECTED}. Add it.")
    files = [paths[key] for key in expected]
    arrays = [
        _array(path, (3, 4) if kind == "images" else (1,)) for path, (_, kind) in zip(files, expected, strict=True)
    ]
    parts = {
        split: Part(files[first], files[first + 1], arrays[first], arrays[first + 1])
        for split, first in zip(splits, range(0, len(files), 2), strict=True)
    }
    return make_raw(parts, files=tuple(files))


def _array(path: Path, dimensions: tuple[int, ...]) -> np.ndarray:
    expected = f"an IDX file of uint8 with {' or '.join(map(str, dimensions))} dimensions"
    with as_input_error(path, expected):
        if not path.is_file():
            raise InputError(f"{path} is no file; expected {expected}.")
        with path.open("rb") as file:
            size = path.stat().st_size
            stream = decompressed(file)
            magic = stream.read(4)
            if len(magic) < 4 or magic[:2] != b"\0\0" or (magic[2] != 0x08 and magic[2] not in TYPES):
                raise InputError(f"{path} starts with {magic.hex(' ') or 'nothing'}; expected {expected}. {AGAIN}")
            if magic[2] != 0x08:
                raise InputError(f"{path} holds {TYPES[magic[2]]}; expected uint8 0..255. Convert it and save it so.")
            if magic[3] not in dimensions:
                raise InputError(f"{path} has {magic[3]} dimensions; expected {expected}. Check its name.")
            shape = struct.unpack(f">{magic[3]}I", stream.read(4 * magic[3]))
            data, start = math.prod(shape), 4 + 4 * magic[3]
            if stream is not file:
                check_expansion(path, data, size)
            elif start + data != size:
                raise InputError(
                    f"{path} has {size:,} bytes; expected {start + data:,} for the {shape} of its header. "
                    f"It is truncated or damaged. {AGAIN}"
                )
            return read_exactly(data, stream, path).reshape(shape)
