"""Masks of the user's own, read from .npz files."""

import hashlib
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tfticket.errors import InputError
from tfticket.pruning.mask import layer_of
from tfticket.types import Mask


def read_mask(path: str | Path, like: Mask) -> Mask:
    """Read a mask from an .npz whose arrays are named after kernels ('dense_1/kernel') or layers ('dense_1').

    Args:
        path: The file. Arrays are boolean, or hold 0 and 1; layers that it lacks keep their mask.
        like: Gives the shapes, and the masks of the layers that the file lacks.
    """
    arrays = _arrays(Path(path))
    known = {layer_of(kernel): kernel for kernel in like} | {kernel: kernel for kernel in like}
    mask: Mask = {}
    for name, array in arrays.items():
        if name not in known:
            raise InputError(
                f"{path} has an array '{name}'; the network's layers are {', '.join(map(layer_of, like))}."
            )
        kernel = known[name]
        if kernel in mask:
            raise InputError(f"{path} has two arrays for {layer_of(kernel)}. Leave one out.")
        if array.shape != like[kernel].shape:
            raise InputError(f"{path}: {name} is {array.shape}; the network's is {like[kernel].shape}.")
        if not np.isin(array, (0, 1)).all():
            raise InputError(f"{path}: {name} has other values than 0 and 1; expected a mask, 1 = survives.")
        mask[kernel] = array.astype(bool)
    mask = {kernel: mask.get(kernel, kept) for kernel, kept in like.items()}
    if not any(kept.any() for kept in mask.values()):
        raise InputError(f"{path} keeps no weight at all.")
    return mask


def mask_checksum(path: str | Path) -> str:
    """Return the SHA-256 of a mask file's arrays, independent of its name and compression."""
    digest = hashlib.sha256()
    for name, array in sorted(_arrays(Path(path)).items()):
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array != 0).tobytes())
    return digest.hexdigest()


def _arrays(path: Path) -> dict[str, np.ndarray]:
    expected = "expected an .npz with one array of 0 and 1 for each layer: np.savez('mask.npz', dense_1=...)"
    if not path.is_file():
        raise InputError(f"There is no file {path}; {expected}.")
    try:
        # np.load would leave a damaged file open; a single array, .npy, is no context
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: np.asarray(archive[name]) for name in archive.files}
    except (OSError, ValueError, EOFError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); {expected}.") from None
    if not arrays:
        raise InputError(f"{path} holds no array; {expected}.")
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise InputError(f"{path}: {name} holds {array.dtype}, no numbers; {expected}.")
    return arrays
