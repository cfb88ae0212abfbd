"""What stands below a form: what is wrong, wherever it is, and the help of the field one is at."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ..models.form import FormModel
from .form_rows import sentence, show_words, words_label


class Foot(QFrame):
    """How many things are wrong, what is wrong with the whole, and help."""

    def __init__(self) -> None:
        super().__init__()
        self.problems = QToolButton()
        self.problems.setAutoRaise(True)
        self.problems.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.problems.setToolTip("Go to the first of them")
        self.banner = words_label()
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

    def say_help(self, words: str) -> None:
        """Show help. It has no room before there is some, and keeps it then: from field to field nothing moves."""
        self.help.setText(words)
        if words:
            self.help.show()

    def settle(self, form: QWidget) -> None:
        """Take the room it needs of the form now, before a field is scrolled to."""
        layout = form.layout()
        if layout is not None and form.isVisible():
            layout.activate()

    def say_errors(self, model: FormModel) -> None:
        """Show what is wrong with a configuration."""
        errors = model.errors
        self.problems.setVisible(bool(errors))
        self.problems.setText("1 thing is wrong" if len(errors) == 1 else f"{len(errors)} things are wrong")
        dropped = " The next edit here drops it." * bool(model.yaml_problem)
        show_words(self.banner, sentence(errors.get("", "")) + dropped if "" in errors else "")
