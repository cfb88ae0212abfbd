"""Pictures of the window: every tab, light and dark, at 100 % and 200 %, of a workspace with a finished run.

``python -m experiments.screenshots --workspace workspace --out assets/screenshots`` (`make screenshots`).
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tfticket.runs.run_folder import run_folders

THEMES, SCALES = ("light", "dark"), (1, 2)
WIDTH, HEIGHT = 1360, 880
SETTLE = 1.5
"""Seconds until everything is drawn."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Take the pictures; each theme and scale in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, default=Path("workspace"), help="with a finished run")
    parser.add_argument("--out", type=Path, default=Path("assets/screenshots"), help="folder of the pictures")
    parser.add_argument("--child", nargs=2, metavar=("THEME", "SCALE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        take(options.workspace, options.out, *options.child)
        return 0
    if not run_folders(options.workspace):
        sys.stderr.write(f"{options.workspace} has no run to take pictures of. Make one: make run\n")
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        for scale in SCALES:
            places = ["--workspace", str(options.workspace), "--out", str(options.out)]
            command = [sys.executable, "-m", "experiments.screenshots", *places, "--child", theme, str(scale)]
            environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": str(scale)}
            subprocess.run(command, env=environment, check=True)
    return 0


def take(workspace: Path, out: Path, theme: str, scale: str) -> None:
    """The pictures of one theme and scale."""
    from PySide6.QtCore import QEventLoop, QSettings, QTimer
    from PySide6.QtWidgets import QApplication

    from gui.views.commands import Commands
    from gui.views.main_window import MainWindow
    from gui.views.theme import set_theme

    QApplication([])
    set_theme(theme)

    def settle() -> None:
        loop = QEventLoop()
        QTimer.singleShot(round(1000 * SETTLE), loop.quit)
        loop.exec()

    with tempfile.TemporaryDirectory() as place:
        window = MainWindow(QSettings(str(Path(place, "settings.ini")), QSettings.Format.IniFormat), Commands)
        window.resize(WIDTH, HEIGHT)
        window.show()
        settle()
        window.grab().save(str(out / f"welcome-{theme}-{scale}00.png"))
        window.open_folder(workspace)
        for number in range(window.tabs.count()):
            window.tabs.setCurrentIndex(number)
            settle()
            window.grab().save(str(out / f"{window.tabs.tabText(number).lower()}-{theme}-{scale}00.png"))
        window.close()


if __name__ == "__main__":
    sys.exit(main())
