"""Downloads by Keras' downloader. The only module of this package that starts TensorFlow, imported when needed."""

import contextlib
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 60.0
"""Timeout without data, in seconds."""


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
        url: Its address.
        hash: Its SHA-256 (64 digits) or MD5 (32 digits), as published by its authors or Keras.
    """

    url: str
    hash: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def download(files: Sequence[Remote], target: Path) -> Path:
    """Download files, all of them or none.

    Args:
        files: Files to download.
        target: The file if there is one, else the folder of all; created at the end, as a whole.

    Returns:
        The target.

    Raises:
        OSError: No network, no such remote file, a wrong checksum, or a folder that cannot be written.
    """
    from tfticket.backend import keras  # starts TensorFlow

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as partial:
        folder = Path(partial, target.name) if len(files) > 1 else Path(partial)
        folder.mkdir(exist_ok=True)  # Keras uses another folder if this is missing
        for file in files:
            timeout = socket.getdefaulttimeout()
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    socket.setdefaulttimeout(TIMEOUT)  # Keras has no timeout
                    keras.utils.enable_interactive_logging()  # its progress bar
                    keras.utils.get_file(file.name, file.url, file_hash=file.hash, cache_dir=folder, cache_subdir="")
            except Exception as error:  # Keras raises Exception itself where the network fails
                raise OSError(str(error)) from None
            finally:
                socket.setdefaulttimeout(timeout)
                keras.utils.disable_interactive_logging()
        try:
            Path(partial, target.name if len(files) > 1 else files[0].name).rename(target)
        except OSError:
            if not target.exists():  # otherwise another process was faster
                raise
    return target
