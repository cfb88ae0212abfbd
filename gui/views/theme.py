"""Colour schemes: light, dark, or the desktop's."""

import functools

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPainter, QPaintEvent, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QCheckBox, QStyle, QStyleOptionButton

SCHEMES = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark, "system": Qt.ColorScheme.Unknown}


def set_theme(name: str) -> None:
    """Set the colours of all windows: 'light', 'dark' or 'system'; other names count as 'system'."""
    if (application := QApplication.instance()) is not None:
        application.setProperty("theme", name if name in SCHEMES else "system")
    QApplication.setStyle("Fusion")  # follows the scheme on every platform
    QGuiApplication.styleHints().setColorScheme(SCHEMES.get(name, Qt.ColorScheme.Unknown))
    QApplication.setPalette(QPalette())
    if name in ("light", "dark") and is_dark() != (name == "dark"):  # a desktop without schemes
        QApplication.setPalette(_dark() if name == "dark" else QPalette(QColor("#efefef")))


def theme() -> str:
    """Return the name last given to ``set_theme``, 'system' by default."""
    application = QApplication.instance()
    return str(application.property("theme") or "system") if application else "system"


def icon(symbol: str) -> QIcon:
    """Return a character as an icon in the text colour, unlike the style's icons in dark themes."""
    result, size = QIcon(), 64
    palette = QGuiApplication.palette()
    for mode, group in (
        (QIcon.Mode.Normal, QPalette.ColorGroup.Active),
        (QIcon.Mode.Disabled, QPalette.ColorGroup.Disabled),
    ):
        pixmap = QPixmap(size, size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        font = QFont(painter.font())
        font.setPixelSize(round(0.8 * size))
        painter.setFont(font)
        painter.setPen(palette.color(group, QPalette.ColorRole.ButtonText))
        painter.drawText(pixmap.rect(), Qt.AlignmentFlag.AlignCenter, symbol)
        painter.end()
        result.addPixmap(pixmap, mode)
    return result


@functools.lru_cache(maxsize=64)
def swatch(colour: str, pixels: int = 12) -> QIcon:
    """Return a square of a colour, '#rrggbb'; with a white edge in selected rows, whose colour may be similar."""
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(QColor(colour))
    result = QIcon()
    result.addPixmap(pixmap, QIcon.Mode.Normal)
    painter = QPainter(pixmap)
    painter.setPen(Qt.GlobalColor.white)
    painter.drawRect(pixmap.rect().adjusted(0, 0, -1, -1))
    painter.end()
    result.addPixmap(pixmap, QIcon.Mode.Selected)
    return result


class CheckBox(QCheckBox):
    """A check box with an outline, which the style does not draw in dark themes."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        shown = QStyleOptionButton()
        self.initStyleOption(shown)
        box = self.style().subElementRect(QStyle.SubElement.SE_CheckBoxIndicator, shown, self)
        role = QPalette.ColorRole.Highlight if self.hasFocus() else QPalette.ColorRole.PlaceholderText
        painter = QPainter(self)
        painter.setPen(self.palette().color(role))
        painter.drawRect(box.adjusted(0, 0, -1, -1))
        painter.end()


def is_dark() -> bool:
    """Return True if the present palette is dark."""
    return QGuiApplication.palette().window().color().lightness() < 128


def _dark() -> QPalette:
    palette = QPalette(QColor("#323232"))
    colours = {
        QPalette.ColorRole.Window: "#363636",
        QPalette.ColorRole.WindowText: "#e6e6e6",
        QPalette.ColorRole.Base: "#202020",
        QPalette.ColorRole.AlternateBase: "#282828",
        QPalette.ColorRole.Text: "#e6e6e6",
        QPalette.ColorRole.Button: "#464646",
        QPalette.ColorRole.ButtonText: "#e6e6e6",
        QPalette.ColorRole.ToolTipBase: "#3a3a3a",
        QPalette.ColorRole.ToolTipText: "#e6e6e6",
        QPalette.ColorRole.PlaceholderText: "#8c8c8c",
        QPalette.ColorRole.Highlight: "#2f6da8",
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.Link: "#6cb2f0",
    }
    for role, colour in colours.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor("#7a7a7a"))
    return palette
