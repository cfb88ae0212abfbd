"""Problems: a list of all, and a bar with the newest. Qt views for ``Problem``."""

import traceback
from collections.abc import Callable
from types import TracebackType

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent, QTextCursor
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from tfticket.text import one_line, plain

from ..models.signal import Signal
from ..models.workspace import Problem
from .widgets import code_box, fill, text_label, tip

MAX_PROBLEMS = 200


class ProblemsView(QWidget):
    """List of problems, newest first, and the details of the selected one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.titles = QListWidget(self)
        self.titles.setAccessibleName("Problems")
        self.details = code_box(parent=self, readOnly=True, placeholderText="No problems so far.")
        self.details.setAccessibleName("Details of the problem")
        split = QSplitter(self)
        split.addWidget(self.titles)
        split.addWidget(self.details)
        split.setStretchFactor(1, 2)
        fill(QVBoxLayout(self), split, margins=(4, 4, 4, 4))
        self.titles.currentItemChanged.connect(self._show)

    def add(self, problem: Problem) -> None:
        """Add a problem at the top and select it; a repetition of the newest is not added."""
        newest = self.titles.item(0)
        if newest is not None and newest.data(Qt.ItemDataRole.UserRole) == problem:
            self.titles.setCurrentItem(newest)
            return
        item = QListWidgetItem(one_line(problem.title))
        item.setData(Qt.ItemDataRole.UserRole, problem)
        item.setToolTip(tip(problem.title))
        self.titles.insertItem(0, item)
        while self.titles.count() > MAX_PROBLEMS:
            self.titles.takeItem(self.titles.count() - 1)
        self.titles.setCurrentItem(item)

    def _show(self, item: QListWidgetItem | None) -> None:
        self.details.setPlainText("" if item is None else plain(item.data(Qt.ItemDataRole.UserRole).details))
        self._scroll_to_end()

    def _scroll_to_end(self) -> None:
        """Scroll to the last line, which states the error of a traceback."""
        self.details.moveCursor(QTextCursor.MoveOperation.End)
        self.details.moveCursor(QTextCursor.MoveOperation.StartOfBlock)
        self.details.ensureCursorVisible()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._scroll_to_end()


class NotificationBar(QFrame):
    """One line above the plots: the newest problem, with a button for its details.

    Attributes:
        details_requested: Emitted with the problem when the user asks for details.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.details_requested = Signal()
        self._problem: Problem | None = None
        self._is_over: Callable[[], bool] | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.text = text_label(self, textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse, wordWrap=True)
        self.show_button = QPushButton("&Details", self)
        close = QPushButton("&Dismiss", self)
        fill(QHBoxLayout(self), self.text, self.show_button, close, margins=(8, 4, 4, 4), stretch=self.text)
        self.show_button.clicked.connect(lambda: self.details_requested.emit(self._problem))
        close.clicked.connect(self.hide)
        self.hide()

    def show_problem(self, problem: Problem, is_over: Callable[[], bool] | None = None) -> None:
        """Show a problem until another one, its dismissal, or a call of ``hide_if_over`` when ``is_over``."""
        self._show(f"✗ {problem.title}", f"Problem: {problem.title}", problem, is_over)

    def show_message(self, text: str) -> None:
        """Show a message that is not a problem until the next ``hide_if_over``."""
        self._show(text, text, None, lambda: True)

    def hide_if_over(self) -> None:
        """Hide the bar if its problem is over."""
        if self._is_over is not None and self._is_over():
            self._is_over = None
            self.hide()

    def _show(self, text: str, accessible: str, problem: Problem | None, is_over: Callable[[], bool] | None) -> None:
        self._problem, self._is_over = problem, is_over
        self.text.setText(plain(text))
        self.text.setAccessibleName(accessible)
        self.show_button.setVisible(problem is not None)
        self.show()


def exception_problem(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> Problem:
    """Return the problem of an exception in the program itself."""
    title = f"Error in the window: {kind.__name__}: {str(error).splitlines()[0] if str(error) else ''}".rstrip(": ")
    return Problem(title, "".join(traceback.format_exception(kind, error, where)))
