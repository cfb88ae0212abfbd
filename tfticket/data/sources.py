"""Where raw data come from. A source returns (x_train, y_train, x_test, y_test) as they lie on disk."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from tfticket.errors import InputError

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def asset(name: str) -> Path:
    """A bundled file: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent.parent
    for folder in (package / "_assets", package.parent / "assets"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"The bundled file '{name}' is missing; install tfticket again.")


def npz(path: Path) -> Arrays:
    """Read an npz with Keras' keys x_train, y_train, x_test, y_test."""
    keys = ("x_train", "y_train", "x_test", "y_test")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            missing = [key for key in keys if key not in file]
            if missing:
                raise InputError(f"{path}: no array {', '.join(missing)}; expected {', '.join(keys)}.")
            return file["x_train"], file["y_train"], file["x_test"], file["y_test"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is not a readable npz file: {error}") from None


def mnist() -> Path:
    """MNIST (LeCun, Cortes, Burges), whole and lossless, bundled under CC BY-SA 3.0."""
    return asset("mnist.npz")
