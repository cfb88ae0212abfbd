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
    is_dark = QGuiApplication.palette().window().color().lightness() < 128
    if name in ("light", "dark") and is_dark != (name == "dark"):  # a desktop without schemes
        QApplication.setPalette(_dark() if name == "dark" else QPalette(QColor("#efefef")))


def theme() -> str:
    """Return the name last given to ``set_theme``, 'system' by default."""
    application = QApplication.instance()
    return str(application.property("theme") or "system") if application else "system"


def icon(symbol: str) -> QIcon:
    """Return a character as an icon in the text colour, unlike the style's icons in dark themes."""
    result, size = QIcon(), 64
    palette = QGuiApplication.palette()
    groups = {QIcon.Mode.Normal: QPalette.ColorGroup.Active, QIcon.Mode.Disabled: QPalette.ColorGroup.Disabled}
    for mode, group in groups.items():
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


def _dark() -> QPalette:
    palette = QPalette(QColor("#323232"))
    role = QPalette.ColorRole
    texts = (role.WindowText, role.Text, role.ButtonText)
    colours = {
        **{role.Window: "#363636", role.Base: "#202020", role.AlternateBase: "#282828", role.Button: "#464646"},
        **{role.ToolTipBase: "#3a3a3a", role.ToolTipText: "#e6e6e6", role.PlaceholderText: "#8c8c8c"},
        **{role.Highlight: "#2f6da8", role.HighlightedText: "#ffffff", role.Link: "#6cb2f0"},
        **dict.fromkeys(texts, "#e6e6e6"),
    }
    for part, colour in colours.items():
        palette.setColor(part, QColor(colour))
    for part in texts:
        palette.setColor(QPalette.ColorGroup.Disabled, part, QColor("#7a7a7a"))
    return palette
