"""Parts of a form besides its fields: the footer with errors and help, and the YAML page."""

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from tfticket.text import counted

from ..models.form import FormModel
from .form_rows import sentence, show_text, wrapped_label
from .widgets import build, code_box, fill, text_label


class Footer(QFrame):
    """Shows the number of errors, errors of the whole form, and help."""

    def __init__(self) -> None:
        super().__init__()
        self.problems = build(
            QToolButton, autoRaise=True, focusPolicy=Qt.FocusPolicy.StrongFocus, toolTip="Go to the first error"
        )
        self.banner = wrapped_label()
        self.help = text_label(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop, visible=False)
        self.help.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.help.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        fill(QVBoxLayout(self), self.problems, self.banner, self.help, margins=(6, 0, 6, 4), spacing=2)

    def show_help(self, words: str) -> None:
        """Show help. Its room is taken at the first text and kept, so that the form does not move between fields."""
        self.help.setText(words)
        if words:
            self.help.show()

    def show_errors(self, model: FormModel) -> None:
        self.problems.setVisible(bool(model.errors))
        self.problems.setText(counted(len(model.errors), "error"))
        hint = " The next edit discards it." * bool(model.yaml_problem)
        show_text(self.banner, sentence(model.errors[""]) + hint if "" in model.errors else "")


class YamlPage(QWidget):
    """All values of a configuration as YAML. Edits apply as they are typed; undo is that of the text."""

    def __init__(self, model: FormModel) -> None:
        super().__init__()
        self.model = model
        self._typing = False
        self.text = code_box(tabChangesFocus=True, accessibleName="The configuration as YAML")
        self.text.textChanged.connect(self._typed)
        self.error = wrapped_label()
        fill(QVBoxLayout(self), self.text, self.error, margins=(6, 6, 6, 0), stretch=self.text)

    def refresh(self, is_shown: bool) -> None:
        """Show errors, and the present values unless they are being typed here."""
        model = self.model
        errors = [f"{path}: {message}" if path else sentence(message) for path, message in model.errors.items()]
        show_text(self.error, "\n".join([model.yaml_problem] if model.yaml_problem else errors))
        self.text.setAccessibleDescription(self.error.text())
        if is_shown and not self._typing:
            self.write()

    def write(self) -> None:
        text = self.model.yaml()
        if text != self.text.toPlainText():
            with QSignalBlocker(self.text):
                self.text.setPlainText(text)

    def _typed(self) -> None:
        self._typing = True
        try:
            self.model.set_yaml(self.text.toPlainText())
        finally:
            self._typing = False
