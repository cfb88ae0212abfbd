"""Footer of a form: errors, and help for the focused field."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from tfticket.text import counted

from ..models.form import FormModel
from .form_rows import sentence, show_text, wrapped_label


class Footer(QFrame):
    """Shows the number of errors, errors of the whole form, and help."""

    def __init__(self) -> None:
        super().__init__()
        self.problems = QToolButton()
        self.problems.setAutoRaise(True)
        self.problems.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.problems.setToolTip("Go to the first error")
        self.banner = wrapped_label()
        self.help = QLabel()
        self.help.setWordWrap(True)
        self.help.setTextFormat(Qt.TextFormat.PlainText)
        self.help.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.help.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.help.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        self.help.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 4)
        layout.setSpacing(2)
        for widget in (self.problems, self.banner, self.help):
            layout.addWidget(widget)

    def show_help(self, words: str) -> None:
        """Show help. Its room is taken at the first text and kept, so that the form does not move between fields."""
        self.help.setText(words)
        if words:
            self.help.show()

    def settle(self, form: QWidget) -> None:
        """Update the form's layout before it scrolls to a field."""
        layout = form.layout()
        if layout is not None and form.isVisible():
            layout.activate()

    def show_errors(self, model: FormModel) -> None:
        """Show the errors of a configuration."""
        errors = model.errors
        self.problems.setVisible(bool(errors))
        self.problems.setText(counted(len(errors), "error"))
        hint = " The next edit discards it." * bool(model.yaml_problem)
        show_text(self.banner, sentence(errors.get("", "")) + hint if "" in errors else "")
