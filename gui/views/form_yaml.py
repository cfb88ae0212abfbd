"""YAML page of a form."""

from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QPlainTextEdit, QVBoxLayout, QWidget

from ..models.form import FormModel
from .form_rows import sentence, show_text, wrapped_label


class YamlPage(QWidget):
    """All values of a configuration as YAML. Edits apply as they are typed; undo is that of the text."""

    def __init__(self, model: FormModel) -> None:
        super().__init__()
        self.model = model
        self._typing = False
        self.text = QPlainTextEdit()
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("The configuration as YAML")
        self.text.textChanged.connect(self._typed)
        self.error = wrapped_label()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 0)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.error)

    def refresh(self, is_shown: bool) -> None:
        """Show errors, and the present values unless they are being typed here."""
        model = self.model
        errors = [f"{path}: {message}" if path else sentence(message) for path, message in model.errors.items()]
        show_text(self.error, "\n".join([model.yaml_problem] if model.yaml_problem else errors))
        self.text.setAccessibleDescription(self.error.text())
        if is_shown and not self._typing:
            self.write()

    def write(self) -> None:
        """Show the values."""
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
