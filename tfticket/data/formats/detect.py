"""Detection of a path's format by content."""

import tarfile
from pathlib import Path

from tfticket.data.formats import cifar, idx, images, npz, zips
from tfticket.data.formats.raw import Raw, as_input_error, decompressed
from tfticket.errors import InputError

EXPECTED = (
    f"one of: {npz.EXPECTED}; a folder with the IDX files {idx.EXPECTED}; {cifar.EXPECTED}; "
    f"a folder or zip with {images.EXPECTED}"
)


def read(path: Path) -> Raw:
    """Read raw data, whatever known format they have."""
    try:
        with as_input_error(path, EXPECTED):
            return _read_folder(path) if path.is_dir() else _read_file(path)
    except InputError as error:
        # A name need not be printable or short, a message has to be.
        message = "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(error))
        raise InputError(message if len(message) < 1500 else f"{message[:700]} ... {message[-700:]}") from None
    except MemoryError:
        raise InputError(f"{path} does not fit into this machine's memory. Take fewer or smaller images.") from None


def _read_folder(path: Path) -> Raw:
    visible = sorted(child for child in path.iterdir() if not child.name.startswith("."))
    names = [child.name for child in visible]
    if any(idx.NAME.fullmatch(name) for name in names):
        return idx.read(path)
    if any(name in cifar.NAMES or cifar.BATCH.fullmatch(name) for name in names):
        return cifar.read(path)
    if any(name in images.SPLITS for name in names):
        return images.read(path)
    if len(visible) == 1 and visible[0].is_dir() and not visible[0].is_symlink():
        return _read_folder(visible[0])  # archives unpack to one folder
    contents = ", ".join(repr(name) for name in names[:8]) or "nothing"
    raise InputError(f"{path} is a folder of no known format (found: {contents}). Expected {EXPECTED}.")


def _read_file(path: Path) -> Raw:
    if not path.exists():
        raise InputError(f"{path} does not exist. Check the path.")
    if not path.is_file():
        raise InputError(f"{path} is neither file nor folder. Expected {EXPECTED}.")
    with path.open("rb") as file:
        start = decompressed(file).read(tarfile.BLOCKSIZE)
    if start.startswith(b"PK"):
        with zips.opened(path, "an npz or a zip of images") as archive:
            arrays = any(name.endswith(".npy") for name in archive.namelist())
            return npz.read(path, archive) if arrays else images.read_zip(path, archive)
    if _is_tar(start):
        return cifar.read(path)
    problem = "is of no known format"
    if not start:
        problem = "is empty"
    elif start.startswith(b"\x93NUMPY"):
        problem = "is a single array: save all four by np.savez"
    elif start[:3] == b"\0\0\x08":
        problem = "is one IDX file: give the folder of all four"
    raise InputError(f"{path} {problem}. Expected {EXPECTED}.")


def _is_tar(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
