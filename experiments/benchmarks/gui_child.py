"""One round of the ``gui`` benchmark; arguments are the start time of the process, and three workspaces."""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from PySide6.QtCore import QElapsedTimer, QEvent, QEventLoop, QObject, QSettings, QTimer
from PySide6.QtWidgets import QApplication

from gui.views.commands import Commands
from gui.views.main_window import MainWindow
from gui.views.theme import set_theme

IDLE_SECONDS, LIVE_SECONDS = 10.0, 20.0
PERIOD = 10
"""Interval of the timer that detects stalls, in milliseconds."""


class FirstPaint(QObject):
    """Records when a window is first painted."""

    def __init__(self) -> None:
        super().__init__()
        self.at: float | None = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 -- Qt's
        if event.type() == QEvent.Type.Paint and self.at is None:
            self.at = time.time()
        return False


class StallTimer(QObject):
    """A timer that records its delays, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.delays: list[float] = []
        self._clock = QElapsedTimer()
        self._timer = QTimer(self, interval=PERIOD)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        self._clock.start()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def _tick(self) -> None:
        self.delays.append(max(0.0, self._clock.nsecsElapsed() / 1e6 - PERIOD))
        self._clock.restart()


def run_event_loop(seconds: float) -> float:
    """Process events for some seconds; return the share of one CPU that this process took."""
    process, began = psutil.Process(), time.perf_counter()
    before = sum(process.cpu_times()[:2])
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()
    return (sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - began)


def wait_until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Process events until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"the condition did not hold within {seconds:g} s")
        run_event_loop(0.2)


def main() -> None:
    began, small, large, live = float(sys.argv[1]), *map(Path, sys.argv[2:])
    application = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        set_theme("light")
        window = MainWindow(QSettings(str(Path(folder, "settings.ini")), QSettings.Format.IniFormat), Commands)
        first_paint = FirstPaint()
        window.installEventFilter(first_paint)
        window.open_folder(small)
        window.show()
        while first_paint.at is None:
            application.processEvents()
        figures = {"start_s": first_paint.at - began}
        figures |= measure_opening(window, small, large)
        figures["idle_cpu"] = run_event_loop(IDLE_SECONDS)
        figures |= measure_live(window, live)
        figures["rss_mb"] = psutil.Process().memory_info().rss / 1e6
        window.close()
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


def measure_opening(window: MainWindow, other: Path, workspace: Path) -> dict[str, float]:
    """Measure the second opening of a workspace; the first one writes its index."""
    for _ in range(2):
        window.open_folder(other)
        run_event_loop(1.0)
        clock = time.perf_counter()
        window.open_folder(workspace)
        QApplication.processEvents()
        seconds = time.perf_counter() - clock
        run_event_loop(1.0)
    return {"open_s": seconds}


def measure_live(window: MainWindow, workspace: Path) -> dict[str, float]:
    """Measure stalls and CPU while the window follows one of two runs."""
    window.open_folder(workspace)
    for seed in (0, 1):
        window.draft.load_preset("quickstart-smoke")
        for field, value in (("seeds", [seed]), ("train.epochs", "4000ep"), ("execution.threads", 1)):
            window.draft.form.set(field, value)
        window.do("start_run")
    started = [launched.process for launched in window.launcher._launched]
    try:
        wait_until(lambda: sum(run.completed > 0 for run in window.model.runs) == 2)
        timer = StallTimer()
        timer.start()
        share = run_event_loop(LIVE_SECONDS)
        timer.stop()
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    delays = sorted(timer.delays)
    return {"live_cpu": share, "stall_p99_ms": delays[int(0.99 * (len(delays) - 1))], "stall_max_ms": delays[-1]}


if __name__ == "__main__":
    main()
