"""Problems: a list that stays, and a bar that tells of the newest. Qt views for ``Problem``."""

import traceback
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QShowEvent, QTextCursor
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from tfticket.text import one_line, plain

from ..models.signal import Signal
from ..models.workspace import Problem
from .texts import text_label, tip

MOST = 200
"""So many problems are kept."""


class ProblemsView(QWidget):
    """What went wrong, the newest first, and beside it all that is known of the one that is chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.titles = QListWidget(self)
        self.titles.setAccessibleName("Problems")
        self.details = QPlainTextEdit(self, readOnly=True)
        self.details.setAccessibleName("Details of the problem")
        self.details.setPlaceholderText("Nothing went wrong so far.")
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        split = QSplitter(self)
        split.addWidget(self.titles)
        split.addWidget(self.details)
        split.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(split)
        self.titles.currentItemChanged.connect(self._show)

    def add(self, problem: Problem) -> None:
        """Put a problem on top and show it; the same again is not another."""
        newest = self.titles.item(0)
        if newest is not None and newest.data(Qt.ItemDataRole.UserRole) == problem:
            self.titles.setCurrentItem(newest)
            return
        item = QListWidgetItem(one_line(problem.title))
        item.setData(Qt.ItemDataRole.UserRole, problem)
        item.setToolTip(tip(problem.title))
        self.titles.insertItem(0, item)
        while self.titles.count() > MOST:
            self.titles.takeItem(self.titles.count() - 1)
        self.titles.setCurrentItem(item)

    def _show(self, item: QListWidgetItem | None) -> None:
        self.details.setPlainText("" if item is None else plain(item.data(Qt.ItemDataRole.UserRole).details))
        self._go_to_end()

    def _go_to_end(self) -> None:
        """Where a traceback says what went wrong."""
        self.details.moveCursor(QTextCursor.MoveOperation.End)
        self.details.moveCursor(QTextCursor.MoveOperation.StartOfBlock)
        self.details.ensureCursorVisible()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._go_to_end()


class NotificationBar(QFrame):
    """One line above the plots: what went wrong last, with a way to all that is known of it.

    Attributes:
        asked: The user wants the details: called with the problem.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.asked = Signal()
        self._problem: Problem | None = None
        self._is_over: Callable[[], bool] | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.text = text_label(self)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setWordWrap(True)
        self.show_button = QPushButton("&Details", self)
        close = QPushButton("&Dismiss", self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 4, 4)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.show_button)
        layout.addWidget(close)
        self.show_button.clicked.connect(self._ask)
        close.clicked.connect(self.hide)
        self.hide()

    def _ask(self) -> None:
        if self._problem is not None:
            self.asked.emit(self._problem)

    def tell(self, problem: Problem, is_over: Callable[[], bool] | None = None) -> None:
        """Show a problem, until another comes, it is dismissed, or it is over as far as ``look`` can see."""
        self._show(f"✗ {problem.title}", f"Problem: {problem.title}", problem, is_over)

    def say(self, words: str) -> None:
        """Show something that is no problem, until the next ``look``."""
        self._show(words, words, None, lambda: True)

    def look(self) -> None:
        """Hide a problem that is over."""
        if self._is_over is not None and self._is_over():
            self._is_over = None
            self.hide()

    def _show(self, words: str, said: str, problem: Problem | None, is_over: Callable[[], bool] | None) -> None:
        self._problem, self._is_over = problem, is_over
        self.text.setText(plain(words))
        self.text.setAccessibleName(said)
        self.show_button.setVisible(problem is not None)
        self.show()


def problem_of_exception(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> Problem:
    """A fault of the program itself."""
    title = f"A fault of the window: {kind.__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
    return Problem(title, "".join(traceback.format_exception(kind, error, where)))
