"""One round of the window's benchmark: arguments are when the process began, and three workspaces."""

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil
from PySide6.QtCore import QElapsedTimer, QEvent, QEventLoop, QObject, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from gui.views.commands import Commands
from gui.views.main_window import MainWindow
from gui.views.theme import set_theme

IDLE_SECONDS, LIVE_SECONDS = 10.0, 20.0
PERIOD = 10
"""Milliseconds between two beats of the timer that finds stalls."""


class Drawn(QObject):
    """Sees when a window is first drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.at: float | None = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 -- Qt's
        if event.type() == QEvent.Type.Paint and self.at is None:
            self.at = time.time()
        return False


class Heart(QObject):
    """Beats, and notes how late each beat comes, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self._clock.start()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def _beat(self) -> None:
        self.late.append(max(0.0, self._clock.nsecsElapsed() / 1e6 - PERIOD))
        self._clock.restart()


def go_on(seconds: float) -> float:
    """Let the window go on for so long; the share of one CPU that this process took."""
    process, began = psutil.Process(), time.perf_counter()
    before = sum(process.cpu_times()[:2])
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
    return (sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - began)


def until(what: object, seconds: float = 120.0) -> None:
    """Let the window go on until something is so."""
    assert callable(what)
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise TimeoutError("it never came to be")
        go_on(0.2)


def main() -> None:
    began, small, large, live = float(sys.argv[1]), *map(Path, sys.argv[2:])
    application = QApplication([])
    with tempfile.TemporaryDirectory() as place:
        set_theme("light")
        window = MainWindow(QSettings(str(Path(place, "settings.ini")), QSettings.Format.IniFormat), Commands)
        drawn = Drawn()
        window.installEventFilter(drawn)
        window.open_folder(small)
        window.show()
        while drawn.at is None:
            application.processEvents()
        found = {"start_s": drawn.at - began}
        found |= measure_opening(window, small, large)
        found["idle_cpu"] = go_on(IDLE_SECONDS)
        found |= measure_live(window, live)
        found["rss_mb"] = psutil.Process().memory_info().rss / 1e6
        window.close()
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


def measure_opening(window: MainWindow, other: Path, workspace: Path) -> dict[str, float]:
    """Opened once for the index, then again from another workspace."""
    for _ in range(2):
        window.open_folder(other)
        go_on(1.0)
        clock = time.perf_counter()
        window.open_folder(workspace)
        QApplication.processEvents()
        seconds = time.perf_counter() - clock
        go_on(1.0)
    return {"open_s": seconds}


def measure_live(window: MainWindow, workspace: Path) -> dict[str, float]:
    """Two real runs, followed."""
    window.open_folder(workspace)
    for seed in (0, 1):
        window.draft.load_preset("quickstart-smoke")
        for field, value in (("seeds", [seed]), ("train.epochs", "4000ep"), ("execution.threads", 1)):
            window.draft.form.set(field, value)
        window.do("start_run")
    started = [one.process for one in window.launcher._launched]
    try:
        until(lambda: sum(run.completed > 0 for run in window.model.runs) == 2)
        heart = Heart()
        heart.start()
        share = go_on(LIVE_SECONDS)
        heart.stop()
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    late = sorted(heart.late)
    return {"live_cpu": share, "stall_p99_ms": late[int(0.99 * (len(late) - 1))], "stall_max_ms": late[-1]}


if __name__ == "__main__":
    main()
