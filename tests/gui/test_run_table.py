"""The table of runs. Every change is watched by Qt's own tester of models, which ends the process at a fault."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from gui.models.workspace import WorkspaceModel
from gui.views.run_rows import (
    ACCURACY,
    FRACTION,
    LEVEL,
    OVERLAY,
    PROGRESS,
    RUN,
    STARTED,
    STATE,
    TITLES,
    cell_text,
    sort_key,
)
from gui.views.run_table import RunTable
from tests.gui.summaries import summary

A, BB, CCC = (summary(name) for name in ("a", "bb", "ccc"))


@pytest.fixture
def model():
    return WorkspaceModel()


@pytest.fixture
def table(model, qtbot):
    table = RunTable(model)
    qtbot.addWidget(table)
    for rows in (table.rows, table.proxy):
        QAbstractItemModelTester(rows, QAbstractItemModelTester.FailureReportingMode.Fatal, table)
    table.show()
    qtbot.waitExposed(table)
    yield table
    table.disconnect_model()


def show(model, *runs):
    model.runs = list(runs)
    model.runs_changed.emit()


def names(table):
    return [table.proxy.index(row, RUN).data() for row in range(table.proxy.rowCount())]


def test_runs_come_go_and_change_where_they_are(model, table, qtbot):
    show(model, BB, A)
    with qtbot.waitSignal(table.rows.dataChanged) as changed:
        show(model, BB, replace(A, state="failed"))
    assert [index.row() for index in changed.args[:2]] == [1, 1]
    for runs in ((CCC, BB, A), (CCC, A), (A, CCC), ()):  # at last the first began again, and all are gone
        show(model, *runs)
        assert [table.rows.run(row).name for row in range(len(runs))] == [run.name for run in runs]
        assert sorted(names(table)) == sorted(run.name for run in runs)
    assert table.rows.rowCount(QModelIndex()) == 0


def test_the_selected_row_is_in_focus_and_neither_a_filter_nor_a_new_run_moves_the_focus(model, table, qtbot):
    show(model, BB, A)
    table.view.selectRow(1)
    assert model.focused == A
    model.focus(BB.folder)
    assert table.selected() == [BB.folder]
    show(model, CCC, BB, A)
    assert (model.focused, table.selected()) == (BB, [BB.folder])
    for text in ("ccc", "nothing"):
        table.filter.setText(text)
        table.view.setFocus()
        assert model.focused == BB
    qtbot.keyClick(table.view, Qt.Key.Key_Escape)
    assert (names(table), table.selected()) == (["ccc", "bb", "a"], [BB.folder])
    qtbot.keyClick(table.view, Qt.Key.Key_End)
    assert model.focused == A
    qtbot.keyClick(table.view, Qt.Key.Key_Home)
    assert model.focused == CCC


def test_an_overlay_is_a_check_box(model, table):
    show(model, A)
    index, role = table.rows.index(0, OVERLAY), Qt.ItemDataRole.CheckStateRole
    assert table.rows.data(index, role) == Qt.CheckState.Unchecked
    assert table.rows.setData(index, Qt.CheckState.Checked, role)
    assert model.overlaid == [A.folder]
    assert table.rows.data(index, role) == Qt.CheckState.Checked
    assert not table.rows.setData(table.rows.index(0, RUN), Qt.CheckState.Checked, role)


def test_rows_are_filtered_as_one_types_and_sorted_by_what_cells_mean(model, table, qtbot):
    show(model, replace(CCC, accuracy=0.11, state="failed"), replace(BB, accuracy=None), replace(A, accuracy=0.9))
    qtbot.keyClicks(table.filter, "state=fail")
    assert names(table) == ["ccc"]
    qtbot.keyClick(table.filter, Qt.Key.Key_Escape)
    table.view.sortByColumn(ACCURACY, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["bb", "ccc", "a"]
    table.view.sortByColumn(STARTED, Qt.SortOrder.DescendingOrder)
    assert names(table) == ["ccc", "bb", "a"]


def test_cells_have_what_is_known_and_a_name_for_those_who_do_not_see_them(model, table):
    run = summary("a", state="running", completed=2.5, seconds_left=61.0, density=0.00345)
    texts = ["a", "▶ running", "2.5/10", "0.345 %", "97.50 %", "0.100", "1:01", "3"]
    assert [cell_text(run, column) for column in range(1, 9)] == texts
    bare = summary("a", trainings=None, level=None, density=None, accuracy=None, nll=None)
    assert [cell_text(bare, column) for column in range(3, 9)] == [""] * 6
    assert all(sort_key(bare, column) == -1.0 for column in (PROGRESS, LEVEL, ACCURACY, OVERLAY))
    show(model, A)
    role = Qt.ItemDataRole.AccessibleTextRole
    spoken = [table.rows.data(table.rows.index(0, column), role) for column in range(len(TITLES))]
    assert "done" in spoken[STATE]
    assert all(spoken)
    assert table.rows.data(table.rows.index(0, PROGRESS), FRACTION) == 1.0


def test_a_wide_table_is_remembered_with_the_width_that_the_user_gave_the_names(table):
    table.resize(1400, 200)
    table.view.horizontalHeader().resizeSection(RUN, 222)
    state = table.view.save_columns()
    table.resize(400, 200)
    table.view.restore_columns(state)
    assert table.view.columnWidth(RUN) == 222
