"""The table of runs. Every change is watched by Qt's own tester of models, which ends the process at a fault."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester

from gui.models.workspace import WorkspaceModel
from gui.views.run_rows import ACCURACY, OVERLAY, RUN, STARTED, cell_text
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
        assert [table.rows.run(row).name for row in range(table.rows.rowCount())] == [run.name for run in runs]


def test_the_selected_row_is_in_focus_and_neither_a_filter_nor_a_new_run_moves_the_focus(model, table, qtbot):
    show(model, BB, A)
    table.view.selectRow(1)
    assert model.focused == A
    model.focus(BB.folder)
    show(model, CCC, BB, A)
    assert (model.focused, table.selected()) == (BB, [BB.folder])
    table.filter.setText("nothing")
    table.view.setFocus()
    assert model.focused == BB
    qtbot.keyClick(table.view, Qt.Key.Key_Escape)
    assert (names(table), table.selected()) == (["ccc", "bb", "a"], [BB.folder])


def test_rows_are_filtered_as_one_types_sorted_by_what_cells_mean_and_overlaid(model, table, qtbot):
    show(model, replace(CCC, accuracy=0.11, state="failed"), replace(BB, accuracy=None), replace(A, accuracy=0.9))
    qtbot.keyClicks(table.filter, "state=fail")
    assert names(table) == ["ccc"]
    table.filter.clear()
    table.view.sortByColumn(ACCURACY, Qt.SortOrder.AscendingOrder)
    assert names(table) == ["bb", "ccc", "a"]
    table.view.sortByColumn(STARTED, Qt.SortOrder.DescendingOrder)
    assert names(table) == ["ccc", "bb", "a"]
    index, role = table.rows.index(0, OVERLAY), Qt.ItemDataRole.CheckStateRole
    assert table.rows.setData(index, Qt.CheckState.Checked, role)
    assert (table.rows.data(index, role), model.overlaid) == (Qt.CheckState.Checked, [CCC.folder])
    assert not table.rows.setData(table.rows.index(0, RUN), Qt.CheckState.Checked, role)
    bare = summary("a", trainings=None, level=None, density=None, accuracy=None, nll=None)
    assert [cell_text(bare, column) for column in range(3, 9)] == [""] * 6
