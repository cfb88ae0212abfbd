"""The table of runs. Every change is watched by Qt's own tester of models, which ends the process at a fault."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QIcon
from PySide6.QtTest import QAbstractItemModelTester

from gui.models.workspace import STATE_SYMBOLS, WorkspaceModel
from gui.views import run_rows
from gui.views.run_rows import FRACTION, OVERLAY, PROGRESS, RUN, STARTED, STATE, TITLES, cell_text, sort_key
from gui.views.run_table import RunTable
from gui.views.theme import swatch
from tests.gui.summaries import summary


@pytest.fixture
def model():
    return WorkspaceModel()


@pytest.fixture
def table(model, qtbot):
    table = RunTable(model)
    qtbot.addWidget(table)
    QAbstractItemModelTester(table.rows, QAbstractItemModelTester.FailureReportingMode.Fatal, table)
    QAbstractItemModelTester(table.proxy, QAbstractItemModelTester.FailureReportingMode.Fatal, table)
    yield table
    table.disconnect_model()


def show(model, *runs):
    model.runs = list(runs)
    model.runs_changed.emit()


def names(table):
    return [table.proxy.index(row, RUN).data() for row in range(table.proxy.rowCount())]


def test_runs_come_go_and_change_where_they_are(model, table, qtbot):
    one, two, three = (summary(name) for name in ("a", "bb", "ccc"))
    show(model, two, one)
    assert names(table) == ["bb", "a"]
    with qtbot.waitSignal(table.rows.dataChanged) as changed:
        show(model, two, replace(one, state="failed"))
    first, last = changed.args[:2]
    assert (first.row(), last.row()) == (1, 1)
    show(model, three, two, one)
    assert names(table) == ["ccc", "bb", "a"]
    show(model, three, one)
    assert names(table) == ["ccc", "a"]
    show(model, one, three)  # the first began again
    assert table.rows.run(0).name == "a"
    show(model)
    assert names(table) == []
    assert table.rows.rowCount(QModelIndex()) == 0


def test_the_selected_row_is_in_focus_and_the_focus_is_selected(model, table):
    one, two = summary("a"), summary("bb")
    show(model, two, one)
    table.view.selectRow(1)
    assert model.focused == one
    model.focus(two.folder)
    assert [index.row() for index in table.view.selectionModel().selectedRows()] == [0]
    assert table.selected() == [two.folder]
    show(model, summary("ccc"), two, one)  # a newer run above does not move the focus
    assert model.focused == two
    assert table.selected() == [two.folder]


def test_an_eye_is_a_check_box(model, table):
    one = summary("a")
    show(model, one)
    index = table.rows.index(0, OVERLAY)
    assert table.rows.data(index, Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Unchecked
    assert table.rows.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert model.overlaid == [one.folder]
    assert table.rows.data(index, Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
    assert not table.rows.setData(table.rows.index(0, RUN), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)


def test_rows_are_filtered_as_one_types_and_sorted_by_what_cells_mean(model, table, qtbot):
    runs = [summary("a", accuracy=0.9), summary("bb", accuracy=None), summary("ccc", accuracy=0.11, state="failed")]
    show(model, *reversed(runs))
    qtbot.keyClicks(table.filter, "state=fail")
    assert names(table) == ["ccc"]
    table.filter.clear()
    table.view.sortByColumn(run_rows.ACCURACY, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["bb", "ccc", "a"]
    table.view.sortByColumn(STARTED, Qt.SortOrder.DescendingOrder)
    assert names(table) == ["ccc", "bb", "a"]


def test_cells_say_what_is_known_and_nothing_where_it_is_not():
    run = summary("a", state="running", completed=2.5, seconds_left=61.0, density=0.00345)
    assert [cell_text(run, column) for column in range(1, 9)] == [
        "a",
        "▶ running",
        "2.5/10",
        "0.345 %",
        "97.50 %",
        "0.100",
        "1:01",
        "3",
    ]
    bare = summary("a", trainings=None, level=None, density=None, accuracy=None, nll=None)
    assert [cell_text(bare, column) for column in range(3, 9)] == [""] * 6
    assert all(sort_key(bare, column) == -1.0 for column in (PROGRESS, run_rows.LEVEL, run_rows.NLL, OVERLAY))


def test_every_cell_has_a_name_for_those_who_do_not_see_it(model, table):
    show(model, summary("a"))
    said = [table.rows.data(table.rows.index(0, c), Qt.ItemDataRole.AccessibleTextRole) for c in range(len(TITLES))]
    assert said[STATE] == "state: ✓ done"
    assert all(said)
    assert table.rows.data(table.rows.index(0, PROGRESS), FRACTION) == 1.0
    assert table.view.accessibleName()
    assert table.filter.accessibleName()


def test_the_table_is_drawn(model, table, qtbot):
    show(model, summary("a", state="running", completed=4.0), summary("bb", trainings=None))
    table.resize(700, 200)
    table.show()
    qtbot.waitExposed(table)
    picture = table.view.grab().toImage()
    colours = {picture.pixelColor(x, y).name() for x in range(0, 700, 3) for y in range(0, 100, 3)}
    assert len(colours) > 5


def test_a_filter_moves_no_focus_and_neither_does_entering_the_table(model, table, qtbot):
    one, two = summary("a"), summary("bb")
    show(model, two, one)
    model.focus(one.folder)
    table.show()
    qtbot.waitExposed(table)
    for text in ("bb", "nothing"):
        table.filter.setText(text)
        table.view.setFocus()
        assert model.focused == one
    table.filter.clear()
    assert table.selected() == [one.folder]


def test_a_selected_row_shows_its_colour_and_its_bar(model, table, qtbot):
    show(model, summary("a", state="running", completed=5.0))
    table.resize(700, 200)
    table.show()
    qtbot.waitExposed(table)
    table.view.selectRow(0)
    picture = table.view.grab().toImage()
    head = table.view.horizontalHeader()
    y = head.height() + table.view.rowHeight(0) // 2
    swatch = {picture.pixelColor(head.sectionViewportPosition(RUN) + x, y).name() for x in range(20)}
    assert model.colour(model.runs[0].folder).lower() in swatch
    left = head.sectionViewportPosition(PROGRESS)
    ends = [picture.pixelColor(left + x, y - 6).name() for x in (4, head.sectionSize(PROGRESS) - 4)]
    assert ends[0] != ends[1]


def test_no_word_for_a_state_is_cut(model, table, qtbot):
    show(model, *(summary(f"{state}-run", state=state) for state in STATE_SYMBOLS))
    table.show()
    qtbot.waitExposed(table)
    assert table.view.sizeHintForColumn(STATE) <= table.view.columnWidth(STATE)


def test_the_room_that_is_left_goes_to_the_names(model, table, qtbot):
    show(model, summary("a"))
    table.resize(400, 200)
    table.show()
    qtbot.waitExposed(table)
    head = table.view.horizontalHeader()
    widths = [head.sectionSize(column) for column in range(head.count())]
    table.resize(1400, 200)
    assert head.length() == table.view.viewport().width()
    assert [head.sectionSize(column) for column in range(head.count()) if column != RUN] == [
        width for column, width in enumerate(widths) if column != RUN
    ]
    head.resizeSection(STATE, 60)
    assert head.length() == table.view.viewport().width()
    table.resize(400, 200)
    assert head.sectionSize(RUN) == widths[RUN]


def test_a_wide_table_is_remembered_with_the_width_that_the_user_gave_the_names(model, table, qtbot):
    table.resize(1400, 200)
    table.show()
    qtbot.waitExposed(table)
    table.view.horizontalHeader().resizeSection(RUN, 222)
    state = table.view.save_columns()
    table.resize(400, 200)
    table.view.restore_columns(state)
    assert table.view.columnWidth(RUN) == 222
    assert not table.view.horizontalHeader().stretchLastSection()


def test_home_and_end_go_by_rows(model, table, qtbot):
    runs = [summary("a" * number) for number in (1, 2, 3)]
    show(model, *reversed(runs))
    table.show()
    qtbot.waitExposed(table)
    table.view.selectRow(1)
    qtbot.keyClick(table.view, Qt.Key.Key_End)
    assert model.focused == runs[0]
    qtbot.keyClick(table.view, Qt.Key.Key_Home)
    assert model.focused == runs[2]
    show(model)
    qtbot.keyClick(table.view, Qt.Key.Key_Home)


def test_escape_clears_the_filter(model, table, qtbot):
    show(model, summary("bb"), summary("a"))
    table.show()
    qtbot.waitExposed(table)
    for widget in (table.filter, table.view):
        table.filter.setText("bb")
        qtbot.keyClick(widget, Qt.Key.Key_Escape)
        assert names(table) == ["bb", "a"]


def test_the_swatch_of_a_selected_row_has_an_edge():
    plain, marked = (
        swatch("#2f6da8").pixmap(12, mode=mode).toImage() for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected)
    )
    assert plain.pixelColor(0, 0).name() == "#2f6da8"
    assert marked.pixelColor(0, 0).name() == "#ffffff"
    assert marked.pixelColor(6, 6).name() == "#2f6da8"
