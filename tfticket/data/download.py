"""Download data by Keras' downloader. The one module of the data room that starts TensorFlow, and only when needed."""

import contextlib
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tfticket.backend import keras
from tfticket.data.sources import Remote

PATIENCE = 60.0
"""Seconds without a byte."""


def download(files: Sequence[Remote], target: Path) -> Path:
    """Download files, all of them or none.

    Args:
        files: What to download.
        target: The file where it is one, else the folder of them all; made as a whole, at the end.

    Returns:
        The target.

    Raises:
        OSError: No network, no such file there, a wrong checksum, or the folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=target.parent) as partial:
        folder = Path(partial, target.name) if len(files) > 1 else Path(partial)
        folder.mkdir(exist_ok=True)  # Keras takes another one where this is missing
        for file in files:
            before = socket.getdefaulttimeout()
            try:
                with contextlib.redirect_stdout(sys.stderr):
                    socket.setdefaulttimeout(PATIENCE)  # Keras would wait for ever
                    keras.utils.enable_interactive_logging()  # its progress bar
                    keras.utils.get_file(file.name, file.url, file_hash=file.hash, cache_dir=folder, cache_subdir="")
            except Exception as error:  # Keras raises Exception itself where the network fails
                raise OSError(str(error)) from None
            finally:
                socket.setdefaulttimeout(before)
                keras.utils.disable_interactive_logging()
        try:
            Path(partial, target.name if len(files) > 1 else files[0].name).rename(target)
        except OSError:
            if not target.exists():  # else another process was quicker
                raise
    return target
