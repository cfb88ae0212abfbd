"""Networks of the user's own, named package.module:function or as a .keras file. Does without TensorFlow."""

import hashlib
import importlib
import importlib.util
import re
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfticket.errors import InputError


def is_user_defined(name: str) -> bool:
    """Return True if a model's name is that of a user's own network."""
    return ":" in name or is_keras_file(name)


def is_keras_file(name: str) -> bool:
    """Return True for a .keras file, which can run code when it is loaded: ask first."""
    return name.endswith(".keras")


def source_checksum(name: str) -> str:
    """Return the SHA-256 of a network's definition: the .keras file, or the source of the function's module.

    Of an imported module the source at its import counts: Python ignores later edits.
    """
    path = source_file(name)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    if name.partition(":")[0] in sys.modules:
        return _CHECKSUMS.setdefault(path, checksum)
    _CHECKSUMS[path] = checksum
    return checksum


_CHECKSUMS: dict[Path, str] = {}
"""Source -> checksum: the last one before its import, or the first one after."""


def import_builder(name: str) -> Callable[..., Any]:
    """Import the function of a name; runs the user's code."""
    module_name, _, function_name = name.partition(":")
    source_checksum(name)  # stored before the import
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except AttributeError:
        raise InputError(
            f"model: {module_name} has no '{function_name}'. Write the name of its function.", field="model.name"
        ) from None
    except Exception as error:  # the user's code
        raise InputError(
            f"model: {module_name} cannot be imported: {type(error).__name__}: {error}", field="model.name"
        ) from None
    if not callable(function):
        raise InputError(
            f"model: {name} is {type(function).__name__}; expected a function (input_shape, num_classes).",
            field="model.name",
        )
    builder: Callable[..., Any] = function
    return builder


def source_file(name: str) -> Path:
    """Return the path of the .keras file, or of the source of the function's module."""
    if is_keras_file(name):
        if not Path(name).is_file():
            raise InputError(f"model: there is no file {name}.", field="model.name")
        return Path(name)
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)  # as `python -m` does
    module = name.partition(":")[0]
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        if module.endswith(".py"):
            raise InputError(
                f"model: there is no module '{module}'. Write it without .py: {name.replace('.py:', ':')}.",
                field="model.name",
                suggestion=name.replace(".py:", ":"),
            )
        if spec is not None:
            raise InputError(
                f"model: {module} has no source file of its own. Name a function in a .py file.", field="model.name"
            )
        raise InputError(f"model: there is no module '{module}'. Install it, or run in its folder.", field="model.name")
    return Path(spec.origin)


def intact_keras_file(name: str) -> Path:
    """Return the path of a .keras file after checking that it is undamaged."""
    path = source_file(name)
    try:
        with zipfile.ZipFile(path) as archive:
            intact = archive.testzip() is None and "config.json" in archive.namelist()
            metadata = archive.read("metadata.json") if "metadata.json" in archive.namelist() else b""
    except (zipfile.BadZipFile, zlib.error, EOFError):
        intact = False
    if not intact:
        raise InputError(
            f"model: {name} is damaged, or no .keras file. Write it again: model.save('{path.name}').",
            field="model.name",
        )
    if re.search(rb'"keras_version"\s*:\s*"[3-9]\.', metadata):
        raise InputError(
            f"model: {name} was written by Keras 3; tfticket takes models of Keras 2. Build it with `import tf_keras "
            "as keras`, and save that.",
            field="model.name",
        )
    return path
