"""The desktop program: `tfticket gui`, `tfticket-gui`, `python -m gui`."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tfticket.drawing import import_matplotlib
from tfticket.errors import InputError
from tfticket.registry import DEFAULT_WORKSPACE

from . import system

BAD_INPUT = 2
CONFIGURATIONS = (".yaml", ".yml")
"""Endings of files that the form takes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window; returns when it is closed. Runs go on without it."""
    options = _parser().parse_args(arguments)
    if fault := system.complaint():
        return _refused(fault)
    place = options.place or options.default
    configuration = place if place.suffix in CONFIGURATIONS else None
    if configuration and not configuration.is_file():
        return _refused(f"{configuration} is not there.")
    workspace = options.default if configuration else place
    if workspace.exists() and not workspace.is_dir():
        return _refused(f"{workspace} is a file; a workspace is a folder.")

    try:
        import_matplotlib()
    except InputError as error:
        return _refused(str(error))

    from PySide6.QtCore import QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([sys.argv[0]])
    assert isinstance(application, QApplication)
    application.setApplicationName("tfticket")
    application.setOrganizationName("tfticket")
    application.setDesktopFileName("tfticket")

    from .views.main_window import MainWindow
    from .views.theme import set_theme

    settings = QSettings()
    set_theme(options.theme or str(settings.value("theme", "system")))
    window = MainWindow(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: QTimer.singleShot(0, window.leave))
    application.commitDataRequest.connect(window.leave)  # the session ends
    window.open_folder(workspace)
    if configuration:
        window.open_path(configuration)
    window.show()
    return application.exec()


def _refused(message: str) -> int:
    sys.stderr.write(f"Error: {message}\n")
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfticket gui",
        description="Configure runs, watch them live, and see what came out. Closing the window stops no run.",
    )
    default = Path(os.environ.get("TFTICKET_WORKSPACE") or DEFAULT_WORKSPACE)
    parser.add_argument(
        "place",
        nargs="?",
        type=Path,
        help=f"Folder of all runs and steps, or a run's folder (default: {default}); or a YAML file, for the form.",
    )
    parser.add_argument("--theme", choices=["light", "dark", "system"], help="Colours of the window.")
    parser.set_defaults(default=default)
    return parser
