"""Compile kernels by Numba, under the program's own settings and with a cache that cannot stop a run."""

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
    raise InputError(f"Numba does not start: {error} Unset or mend its environment variables, NUMBA_...") from None

numba.config.DISABLE_JIT = 0  # NUMBA_DISABLE_JIT=1: without the compiler there are no kernels

_SOURCES = ("kernels.py", "vectors.py")
"""Files beside this one that decide the machine code of every kernel; Numba looks at a kernel's own file only."""

inlined = numba.njit(inline="always")
"""Compile a function into the kernels that call it."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel at its first call, releasing the GIL, and keep its machine code for later processes.

    The code lies beside the program, else in the user's cache folder, else in a temporary folder of the user's own,
    else nowhere: then each process compiles anew.
    """
    kernel = numba.njit(nogil=True)(function)
    with suppress(OSError, RuntimeError):  # no folder can be written
        kernel._cache = _Cache(function)
    return kernel


class _TemporaryFolder(caching.UserWideCacheLocator):
    """A folder in the system's temporary one that nobody else can write to: what lies there is executed."""

    def __init__(self, function: Any, file: str) -> None:
        super().__init__(function, file)
        self._folder = Path(tempfile.gettempdir(), f"tfticket-{os.getuid()}")
        self._cache_path = str(self._folder / self.get_suitable_cache_subpath(file))

    def ensure_cache_path(self) -> None:
        """Make the folder.

        Raises:
            OSError: It cannot be made, or is somebody else's.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise PermissionError(f"{self._folder} is not a folder of this user alone.")
        super().ensure_cache_path()


class _Implementation(caching.CompileResultCacheImpl):
    _locator_classes = (*caching.CompileResultCacheImpl._locator_classes, _TemporaryFolder)


class _Cache(caching.FunctionCache):
    """Numba's cache; what cannot be read is compiled anew, what cannot be written is not kept."""

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
    """Return a checksum of the sources: code of others is not used."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _SOURCES)).hexdigest()
