"""The desktop program: `tfticket gui`, `tfticket-gui`, `python -m gui`."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tfticket.drawing import import_matplotlib
from tfticket.errors import InputError, unknown
from tfticket.registry import DEFAULT_WORKSPACE, THEMES

from . import system

BAD_INPUT = 2
YAML_SUFFIXES = (".yaml", ".yml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window and return the exit code when it is closed; runs continue."""
    options = _parser().parse_args(arguments)
    if options.theme and options.theme not in THEMES:
        return _refuse(str(unknown("theme", options.theme, THEMES)))
    if problem := system.missing_requirement():
        return _refuse(problem)
    path = options.path or options.default
    configuration = path if path.suffix in YAML_SUFFIXES else None
    if configuration and not configuration.is_file():
        return _refuse(f"There is no file {configuration}.")
    workspace = options.default if configuration else path
    if workspace.exists() and not workspace.is_dir():
        return _refuse(f"{workspace} is a file; a workspace is a folder.")

    try:
        import_matplotlib()
    except InputError as error:
        return _refuse(str(error))

    from PySide6.QtCore import QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([sys.argv[0]])
    assert isinstance(application, QApplication)
    application.setApplicationName("tfticket")
    application.setOrganizationName("tfticket")
    application.setDesktopFileName("tfticket")

    from .views.commands import Commands
    from .views.main_window import MainWindow
    from .views.theme import set_theme

    settings = QSettings()
    set_theme(options.theme or str(settings.value("theme", "system")))
    window = MainWindow(settings, Commands)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: QTimer.singleShot(0, window.close_without_asking))
    application.commitDataRequest.connect(window.close_without_asking)  # end of the desktop session
    window.open_folder(workspace)
    if configuration:
        window.open_path(configuration)
    window.show()
    return application.exec()


def _refuse(message: str) -> int:
    sys.stderr.write(f"Error: {message}\n")
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfticket gui",
        description="Configure runs, follow them live and compare results. Closing the window stops no run.",
    )
    default = Path(os.environ.get("TFTICKET_WORKSPACE") or DEFAULT_WORKSPACE)
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        help=f"Workspace or run to show (default: {default}), or a YAML file to fill the form from.",
    )
    parser.add_argument("--theme", metavar="|".join(THEMES), help="Colours of the window.")
    parser.set_defaults(default=default)
    return parser
