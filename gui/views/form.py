"""Qt view for the form model: fields in sections, and a YAML page."""

from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QTabWidget, QToolButton, QVBoxLayout, QWidget

from ..models.form import Field, FormModel, Group
from ..models.form_schema import closeness, sections
from .form_parts import Footer, YamlPage
from .form_rows import ERROR, INDENT, Row, Section, sentence, set_text_colour, show_text, wrapped_label
from .theme import CheckBox
from .widgets import build, fill, filter_box

FORM, YAML = 0, 1
"""Indices of the pages."""


class ConfigForm(QWidget):
    """Editor of a configuration: sections of fields, a filter, help for the focused field, and a YAML page."""

    def __init__(self, model: FormModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.rows: dict[str, Row] = {}
        self.sections: dict[str, Section] = {}
        self._root: Group | None = None
        self._last_focused: QWidget | None = None
        self._add_widgets()
        model.changed.connect(self.refresh)
        self.refresh()

    def undo(self) -> None:
        self._go_to_change(self.model.undo())

    def redo(self) -> None:
        self._go_to_change(self.model.redo())

    def show_yaml(self, on: bool = True) -> None:
        self.pages.setCurrentIndex(YAML if on else FORM)

    def find_field(self) -> None:
        """Move to the filter, to search for a field."""
        self.show_yaml(False)
        self.show_all()
        self.filter.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_all(self) -> None:
        self.only.setChecked(False)
        self.filter.clear()

    def _go_to_match(self) -> None:
        ranks = {path: rank for path in self.rows if (rank := self._closeness(path)) is not None}
        if ranks:
            self._enter(self.rows[min(ranks, key=lambda path: ranks[path])])

    def _closeness(self, path: str) -> int | None:
        if self.only.isChecked() and not self.model.differs(path):
            return None
        return closeness(self.model.field(path), self.model.text(path), self.filter.text())

    def _enter(self, row: Row) -> None:
        """Focus a field with its value selected, as the Tab key does, so that typing replaces it."""
        row.editor.setFocus(Qt.FocusReason.TabFocusReason)
        self._reveal(row)

    def go_to(self, path: str) -> None:
        """Show and focus a field, or the first field of a group."""
        self.show_yaml(False)
        row = next((row for key, row in self.rows.items() if f"{key}.".startswith(f"{path}." if path else "")), None)
        if row is None:
            return
        if row.isHidden():
            self.show_all()
        for section in self.sections.values():
            if section.isAncestorOf(row):
                section.expand()
        self._enter(row)

    def refresh(self) -> None:
        if self.model.root is not self._root:
            self._build()
        for row in self.rows.values():
            row.refresh()
        for section in self.sections.values():
            section.refresh(self.model)
        show_text(self.origin, f"New run, {self.model.origin}" if self.model.origin else "")
        self.footer.show_errors(self.model)
        self.footer.show_help(self._help())
        self._apply_filter()
        self.yaml.refresh(is_shown=self.pages.currentIndex() == YAML)

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Move the focus from top to bottom; Qt's own order puts fields created later last."""
        tab = Qt.FocusPolicy.TabFocus
        shown = (stop for stop in self._stops(self._root) if stop.isVisible() and stop.isEnabled())
        stops = [stop for stop in shown if stop.focusPolicy() & tab]
        focused = self.focusWidget()
        index = next((i for i, stop in enumerate(stops) if stop is focused or stop.isAncestorOf(focused)), None)
        target = None if index is None else index + (1 if forward else -1)
        if target is None or not 0 <= target < len(stops):
            return super().focusNextPrevChild(forward)
        stops[target].setFocus(Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason)
        return True

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._recolour()
        elif event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        """Handle undo and redo even if no field has the focus."""
        return self._keys(event) or super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Track the focused field, and use the form's undo and redo instead of its own."""
        if watched is self.filter and self.filter.text():  # the filter has its own undo
            return False
        kind = event.type()
        if kind == QEvent.Type.FocusIn:
            self._focus_moved(watched)
        elif kind == QEvent.Type.FocusOut:
            self.model.end_edit()
        return self._keys(event)

    def _keys(self, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.type() == QEvent.Type.KeyRelease:
            return False
        undo, redo = event.matches(QKeySequence.StandardKey.Undo), event.matches(QKeySequence.StandardKey.Redo)
        if not (undo or redo):
            return False
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            (self.undo if undo else self.redo)()
        return True

    def _add_widgets(self) -> None:
        self.yaml = YamlPage(self.model)
        self.pages = QTabWidget(documentMode=True)
        self.pages.addTab(self._form_page(), "Form")
        self.pages.addTab(self.yaml, "YAML")
        self.pages.currentChanged.connect(self._page_changed)
        self.origin = wrapped_label()
        self.origin.setContentsMargins(8, 4, 8, 0)
        self.footer = Footer()
        self.footer.problems.clicked.connect(lambda: self.go_to(next(iter(self.model.errors), "")))
        parts = (self.origin, self.pages, self.footer)
        fill(QVBoxLayout(self), *parts, margins=(0, 0, 0, 0), spacing=4, stretch=self.pages)

    def _form_page(self) -> QWidget:
        self.filter = filter_box("Filter fields", "Show only fields with these words")
        self.filter.installEventFilter(self)
        self.filter.textChanged.connect(self._apply_filter)
        self.filter.returnPressed.connect(self._go_to_match)
        self.only = build(CheckBox, "Only changed", toolTip="Show only fields that differ from the preset")
        self.only.toggled.connect(self._apply_filter)
        reset = build(QToolButton, text="Reset all", focusPolicy=Qt.FocusPolicy.StrongFocus)
        reset.setToolTip("Reset every field to the preset's value; can be undone")
        reset.clicked.connect(lambda: self.model.reset(""))
        top = QHBoxLayout()
        fill(top, self.filter, self.only, reset)
        self.nothing = wrapped_label()
        inner = QWidget()
        self._lines = QVBoxLayout(inner)
        fill(self._lines, margins=(0, 0, 4, 0), spacing=4)
        self.area = build(QScrollArea, frameShape=QFrame.Shape.NoFrame, focusPolicy=Qt.FocusPolicy.NoFocus)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(inner)
        page = QWidget()
        fill(QVBoxLayout(page), top, self.nothing, self.area, margins=(6, 6, 6, 0), stretch=self.area)
        return page

    def _build(self) -> None:
        """Create the sections and rows of the model; existing ones are reused."""
        old_rows, old_sections = self.rows, self.sections
        self._root, self.rows, self.sections = self.model.root, {}, {}
        tops = [self._section(group, old_rows, old_sections) for group in sections(self._root)]
        for section in old_sections.values():
            if section not in self.sections.values():
                section.deleteLater()
        while self._lines.count():
            self._lines.takeAt(0)
        fill(self._lines, *tops, None)
        self._recolour()
        self._arrange()

    def _section(self, group: Group, old_rows: dict[str, Row], old_sections: dict[str, Section]) -> Section:
        key = group.path or group.label
        section = old_sections.get(key) or Section(group, expanded=group.path != "execution")
        if key not in old_sections:
            section.head.installEventFilter(self)
        section.group = group
        self.sections[key] = section
        widgets: list[QWidget] = [
            self._row(part, old_rows) if isinstance(part, Field) else self._section(part, old_rows, old_sections)
            for part in group.parts
        ]
        section.put(widgets)
        return section

    def _row(self, field: Field, old: dict[str, Row]) -> Row:
        row = old.get(field.path)
        if row is None or not (row.field is field or (row.field.is_discriminator and field.is_discriminator)):
            row = Row(field, self.model)
            row.reset.connect(lambda path: self.model.reset(path))
            for control in row.controls:
                control.installEventFilter(self)
        row.show_field(field, self.model)
        self.rows[field.path] = row
        return row

    def _stops(self, root: Group | None) -> Iterator[QWidget]:
        def within(group: Group) -> Iterator[QWidget]:
            if (section := self.sections.get(group.path or group.label)) is not None:  # not built yet
                yield section.head
            for part in group.parts:
                if isinstance(part, Group):
                    yield from within(part)
                elif part.path in self.rows:
                    yield from self.rows[part.path].controls

        for group in sections(root) if root else ():
            yield from within(group)

    def _arrange(self) -> None:
        """Place editors beside their labels if there is room."""
        metrics = self.fontMetrics()
        label = max((metrics.horizontalAdvance(row.field.label) for row in self.rows.values()), default=0)
        room = self.width() - label - 3 * INDENT
        letter = metrics.averageCharWidth()
        for row in self.rows.values():
            depth = row.field.group.count(".") + bool(row.field.group) - 1
            row.set_width(label - INDENT * max(depth, 0), room > (40 if row.editor.prefers_own_line else 20) * letter)

    def _recolour(self) -> None:
        parts: list[Row | Section] = [*self.rows.values(), *self.sections.values()]
        for part in parts:
            part.recolour(self.palette())
        for label in (self.footer.banner, self.yaml.error, self.footer.problems):
            set_text_colour(label, ERROR, self.palette())

    def _apply_filter(self) -> None:
        filtered = bool(self.filter.text().strip()) or self.only.isChecked()
        for path, row in self.rows.items():
            row.setVisible(self._closeness(path) is not None or row.editor.control.hasFocus())
        for section in self.sections.values():
            section.show_whole(filtered)
            section.setVisible(any(not self.rows[field.path].isHidden() for field in section.group.fields))
        empty = all(row.isHidden() for row in self.rows.values())
        show_text(self.nothing, "No matching fields" if empty else "")

    def _focus_moved(self, watched: Any) -> None:
        self._last_focused = watched
        self.footer.show_help(self._help())
        if row := self._row_of(watched):
            self._reveal(row)

    def _row_of(self, control: QWidget | None) -> Row | None:
        return next((row for row in self.rows.values() if control in row.controls), None)

    def _help(self) -> str:
        if row := self._row_of(self._last_focused):
            return row.help
        heads = (section for section in self.sections.values() if section.head is self._last_focused)
        return sentence(next((section.group.description for section in heads), ""))

    def _reveal(self, row: Row) -> None:
        if (layout := self.layout()) is not None and self.isVisible():
            layout.activate()
        self.area.ensureWidgetVisible(row, 0, 8)

    def _go_to_change(self, path: str) -> None:
        if path in self.rows and self.pages.currentIndex() == FORM:
            self.go_to(path)

    def _page_changed(self, page: int) -> None:
        self.model.end_edit()
        if page == YAML and not self.model.yaml_problem:
            self.yaml.write()
