"""A user's own network: named as package.module:function, or as a .keras file. Does without TensorFlow."""

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
    """Whether a model's name is one of a user's own network."""
    return ":" in name or is_keras_file(name)


def is_keras_file(name: str) -> bool:
    """Whether it is a .keras file, which can run code when it is loaded: ask first."""
    return name.endswith(".keras")


def source_checksum(name: str) -> str:
    """SHA-256 of what defines a network: the .keras file, or the source of the function's module.

    A module that was imported is as it was then: an edit during a run does not count, since Python does not see it.

    Raises:
        InputError: It is not there.
    """
    path = source_file(name)
    now = hashlib.sha256(path.read_bytes()).hexdigest()
    if name.partition(":")[0] in sys.modules:
        return _LOOKED_AT.setdefault(path, now)
    _LOOKED_AT[path] = now
    return now


_LOOKED_AT: dict[Path, str] = {}
"""Source -> its checksum when it was last looked at before its import, or first after."""


def import_builder(name: str) -> Callable[..., Any]:
    """Import the function that a name says; runs the user's code.

    Raises:
        InputError: No such module or function, or its import fails.
    """
    module_name, _, function_name = name.partition(":")
    source_checksum(name)  # remembered as what is imported
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except AttributeError:
        raise InputError(f"model: {module_name} has no '{function_name}'. Write the name of its function.") from None
    except Exception as error:  # the user's code
        raise InputError(f"model: {module_name} cannot be imported: {type(error).__name__}: {error}") from None
    if not callable(function):
        raise InputError(f"model: {name} is {type(function).__name__}; expected a function (input_shape, num_classes).")
    found: Callable[..., Any] = function
    return found


def source_file(name: str) -> Path:
    """The .keras file, or the source of the function's module.

    Raises:
        InputError: It is not there.
    """
    if is_keras_file(name):
        if not Path(name).is_file():
            raise InputError(f"model: there is no file {name}.")
        return Path(name)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    module = name.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or not Path(found.origin).is_file():
        if module.endswith(".py"):
            raise InputError(
                f"model: there is no module '{module}'. Write it without .py: {name.replace('.py:', ':')}."
            )
        if found is not None:
            raise InputError(f"model: {module} has no source file of its own. Name a function in a .py file.")
        raise InputError(f"model: there is no module '{module}'. Install it, or run where it lies.")
    return Path(found.origin)


def intact_keras_file(name: str) -> Path:
    """A .keras file that is there and undamaged.

    Raises:
        InputError: It is not.
    """
    path = source_file(name)
    try:
        with zipfile.ZipFile(path) as archive:
            whole = archive.testzip() is None and "config.json" in archive.namelist()
            metadata = archive.read("metadata.json") if "metadata.json" in archive.namelist() else b""
    except (zipfile.BadZipFile, zlib.error, EOFError):
        whole = False
    if not whole:
        raise InputError(f"model: {name} is damaged, or no .keras file. Write it again: model.save('{path.name}').")
    if re.search(rb'"keras_version"\s*:\s*"[3-9]\.', metadata):
        raise InputError(
            f"model: {name} was written by Keras 3; tfticket takes models of Keras 2. Build it with `import tf_keras "
            "as keras`, and save that."
        )
    return path
