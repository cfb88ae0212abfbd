"""Compile kernels by Numba, with fixed settings and a cache whose failures do not stop a run."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tfticket.errors import InputError

try:
    import numba
    from numba.core import caching
except ValueError as error:
    raise InputError(f"Numba does not start: {error} Unset or correct its environment variables, NUMBA_...") from None

numba.config.DISABLE_JIT = 0  # overrides NUMBA_DISABLE_JIT=1: kernels need the compiler

_SOURCES = ("kernels.py", "noise.py", "updates.py", "variational_updates.py", "vectors.py")
"""Files in this folder that determine the machine code of every kernel; Numba checks the file of the kernel only."""

inlined = numba.njit(inline="always")
"""Inline a function into the kernels that call it."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel at its first call, releasing the GIL, and cache its machine code for later processes.

    The cache lies in the program's folder, else in the user's cache folder, else in a temporary folder of the user. If
    none of them can be written, each process compiles again.
    """
    kernel = numba.njit(nogil=True)(function)
    with suppress(OSError, RuntimeError):  # no folder is writable
        kernel._cache = _Cache(function)
    return kernel


class _TemporaryFolder(caching.UserWideCacheLocator):
    """A temporary folder that only the user can write to, since its content is executed."""

    def __init__(self, function: Any, file: str) -> None:
        super().__init__(function, file)
        self._folder = Path(tempfile.gettempdir(), f"tfticket-{os.getuid()}")
        self._cache_path = str(self._folder / self.get_suitable_cache_subpath(file))

    def ensure_cache_path(self) -> None:
        """Create the folder.

        Raises:
            OSError: It cannot be created, or belongs to another user.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        status = self._folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(f"{self._folder} is not a private folder of this user.")
        super().ensure_cache_path()


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = (*caching.CompileResultCacheImpl._locator_classes, _TemporaryFolder)


class _Cache(caching.FunctionCache):
    """Numba's cache; unreadable entries are compiled again, unwritable ones are not stored."""

    _impl_class = _Implementation

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = _stamp()

    def load_overload(self, signature: Any, context: Any) -> Any:
        try:
            return super().load_overload(signature, context)
        except Exception:  # whatever unpickling a damaged file raises
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        with suppress(OSError):  # a full disk, a quota, a folder that was made read-only
            super().save_overload(signature, result)


def _stamp() -> str:
    """Return a checksum of the sources; code from other sources is not used."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _SOURCES)).hexdigest()
