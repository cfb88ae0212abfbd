"""The configuration form in its window: typed into, read, and gone through with the keyboard."""

import sys
from typing import Annotated, Literal

import pytest
from pydantic import Field
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from gui.models.form import FormModel
from gui.views.form import ConfigForm
from tfticket.config import Control
from tfticket.config.names import Suggested
from tfticket.config.schema import Config
from tfticket.presets import load_experiment

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def values_of(preset):
    config = load_experiment(preset)
    return type(config), config.model_dump(mode="json")


@pytest.fixture
def make(qtbot):
    def make(model):
        form = ConfigForm(model)
        qtbot.addWidget(form)
        form.resize(420, 800)
        form.show()
        qtbot.waitExposed(form)
        form.activateWindow()
        return form

    return make


@pytest.fixture
def form(make):
    cls, values = values_of("quickstart")
    return make(FormModel(cls, values, values))


def control(form, path):
    return form.rows[path].editor.control


def retype(qtbot, line, text):
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, text)


def shown(form):
    return [path for path, row in form.rows.items() if row.isVisible()]


def test_every_field_is_shown_with_its_value_help_and_name(form):
    assert list(form.rows) == [field.path for field in form.model.fields]
    assert control(form, "train.optimiser.learning_rate").text() == "0.0012"
    assert control(form, "prune.score").currentText() == "magnitude"
    assert "all" in control(form, "data.train_rows").placeholderText()
    assert control(form, "controls").toPlainText() == "reinitialise\nshuffle-layerwise"
    assert not control(form, "experiment").isEnabled()
    for row in form.rows.values():
        assert row.field.description[:20] in row.label.toolTip()
        assert row.field.description[:20] in row.editor.control.whatsThis()
    names = [control(form, path).accessibleName() for path in form.rows]
    assert len({*names} - {""}) == len(names)
    control(form, "train.optimiser.beta_1").setFocus()
    help_text = form.footer.help.text()
    assert form.model.field("train.optimiser.beta_1").description[:20] in help_text
    assert "0.9" in help_text


def test_typing_shows_the_error_below_the_field_and_the_mark(form, qtbot):
    row = form.rows["train.batch_size"]
    assert not row.mark.text()
    assert not row.button.isVisible()
    retype(qtbot, control(form, "train.batch_size"), "12.5")
    error = form.model.error("train.batch_size")
    assert row.error.isVisible()
    assert error[1:] in row.error.text()
    assert error[1:] in control(form, "train.batch_size").accessibleDescription()
    assert row.mark.text()
    assert "128" in row.mark.toolTip()
    assert form.footer.problems.isVisible()
    row.button.click()
    assert control(form, "train.batch_size").text() == "128"
    assert not row.mark.text()
    assert not row.error.isVisible()
    assert not form.footer.problems.isVisible()
    retype(qtbot, control(form, "prune.rate"), "0.2")  # which does not go together with another field
    assert form.sections["prune"].error.isVisible()
    form.sections["prune"].expand(False)
    form.footer.problems.click()
    assert form.sections["prune"].is_expanded
    assert control(form, "prune.levels").hasFocus()


def test_undo_and_redo_by_keyboard(form, qtbot):
    line, other = control(form, "train.batch_size"), control(form, "replicates")
    retype(qtbot, line, "64")
    retype(qtbot, other, "2")
    retype(qtbot, line, "32")  # a step of its own, since the field was left
    qtbot.keyClick(line, Qt.Key.Key_Z, CONTROL)
    assert line.text() == "64"
    for _ in range(2):
        qtbot.keyClick(other, Qt.Key.Key_Z, CONTROL)
    assert (line.text(), other.text(), line.hasFocus()) == ("128", "1", True)
    qtbot.keyClick(line, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert line.text() == "64"
    qtbot.keyClick(form.sections["data"].head, Qt.Key.Key_Z, CONTROL)
    assert line.text() == "128"
    qtbot.keyClick(other, Qt.Key.Key_Up)  # arrow keys change a whole number within its bounds
    assert form.model.get("replicates") == 2
    for _ in range(3):
        qtbot.keyClick(other, Qt.Key.Key_Down)
    assert form.model.get("replicates") == 1


def test_another_optimiser_brings_its_fields_and_keeps_the_keyboard(form, qtbot):
    combo = control(form, "train.optimiser.name")
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Down)
    assert form.model.get("train.optimiser.name") == "sgd"
    assert "train.optimiser.momentum" in form.rows
    assert "train.optimiser.beta_1" not in form.rows
    assert control(form, "train.optimiser.name") is combo
    assert combo.hasFocus()
    for focused in (combo, form.rows["train.optimiser.name"].button):
        assert focused.hasFocus()
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
    assert control(form, "train.optimiser.learning_rate").hasFocus()
    form.undo()
    assert control(form, "train.optimiser.beta_1").text() == "0.9"


def test_tab_goes_from_top_to_bottom_and_skips_what_is_folded(form, qtbot):
    form.filter.setFocus()
    passed = []
    while (focus := QApplication.focusWidget()) not in passed and focus is not form.footer.problems:
        passed.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    controls = [control(form, path) for path in form.rows if not path.startswith(("execution", "experiment"))]
    assert [widget for widget in passed if widget in controls] == controls
    below = [widget.mapTo(form.inner, QPoint(0, 0)).y() for widget in controls]
    assert below == sorted(below)
    head = form.sections["execution"].head
    assert head in passed
    assert control(form, "execution.threads") not in passed
    qtbot.keyClick(head, Qt.Key.Key_Space)
    assert control(form, "execution.threads").isVisible()
    qtbot.keyClick(head, Qt.Key.Key_Space)
    assert not control(form, "execution.threads").isVisible()


def test_the_yaml_page_is_edited_into_the_form(form):
    form.show_yaml()
    page = form.yaml.text
    assert page.toPlainText() == form.model.yaml()
    page.setPlainText(page.toPlainText().replace("batch_size: 128", "batch_size: 64"))
    assert form.model.get("train.batch_size") == 64
    page.setPlainText("train: [")
    assert "Line 1" in form.yaml.error.text()
    form.show_yaml(False)
    assert form.footer.banner.isVisible()
    assert control(form, "train.batch_size").text() == "64"
    form.show_yaml()
    assert page.toPlainText() == "train: [", "what was typed is still there to mend"
    form.undo()
    assert page.toPlainText() == form.model.yaml()
    assert form.model.get("train.batch_size") == 128
    form.model.set_yaml(form.model.yaml().replace("scope: global", "scope: local"))  # no such choice
    combo = control(form, "prune.scope")
    assert combo.currentText() == "local"
    form.undo()
    assert [combo.itemText(place) for place in range(combo.count())] == ["global", "layerwise"]


def test_fields_are_filtered_and_gone_to_by_typing(form, qtbot):
    qtbot.keyClicks(form.filter, "learning")
    assert "train.optimiser.learning_rate" in shown(form)
    assert "data.name" not in shown(form)
    assert not form.sections["data"].isVisible()
    form.filter.setText("checkpoint_seconds")
    assert control(form, "execution.checkpoint_seconds").isVisible(), "folded, but a match"
    form.filter.setText("no such thing")
    assert form.nothing.isVisible()
    form.filter.setFocus()
    qtbot.keyClick(form.filter, Qt.Key.Key_Return)
    assert form.filter.hasFocus(), "there is no field to go to"
    form.filter.clear()
    form.model.set("seeds", "7")
    form.only.click()
    assert shown(form) == ["seeds"]
    form.go_to("data.name")
    assert control(form, "data.name").hasFocus()
    assert not form.only.isChecked()
    form.show_yaml()
    form.find_field()
    qtbot.keyClicks(form.filter, "seeds")
    assert "seeds" in shown(form)
    assert shown(form)[0] != "seeds"
    qtbot.keyClick(form.filter, Qt.Key.Key_Return)
    line = control(form, "seeds")
    assert line.hasFocus(), "its label is the text that was typed"
    qtbot.keyClicks(line, "3")
    assert form.model.get("seeds") == [3], "what is typed takes the place of the old value"


def test_controls_and_files_are_chosen_from_menus(form, monkeypatch):
    add, remove = form.rows["controls"].editor.controls[1:]
    next(action for action in add.menu().actions() if action.text() == "keep-signs").trigger()
    assert form.model.get("controls") == ["reinitialise", "shuffle-layerwise", "keep-signs"]
    remove.menu().aboutToShow.emit()
    remove.menu().actions()[0].trigger()
    assert form.model.get("controls") == ["shuffle-layerwise", "keep-signs"]
    form.undo()
    assert form.model.get("controls") == ["reinitialise", "shuffle-layerwise", "keep-signs"]
    monkeypatch.setattr("gui.views.form_editors.QFileDialog.getOpenFileName", lambda *_: ("/data/a.npz", ""))
    monkeypatch.setattr("gui.views.form_editors.QFileDialog.getExistingDirectory", lambda *_: "")
    for action in form.rows["data.path"].editor.controls[1].menu().actions():  # the second is cancelled
        action.trigger()
    assert control(form, "data.path").text() == "/data/a.npz"


def test_the_wheel_passes_over_a_drop_down_without_the_keyboard(form):
    combo = control(form, "prune.scope")
    for focused, expected in ((form.filter, "global"), (combo, "layerwise")):
        focused.setFocus()
        middle, down = QPointF(5, 5), QPoint(0, -120)
        button, keys, phase = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
        QApplication.sendEvent(combo, QWheelEvent(middle, middle, down, down, button, keys, phase, False))
        assert form.model.get("prune.scope") == expected


def test_another_configuration_is_shown_in_the_same_form_and_undone_as_an_edit(form, qtbot):
    retype(qtbot, control(form, "seeds"), "7")
    cls, values = values_of("quickstart-smoke")
    control(form, "train.epochs").setFocus()
    assert "6ep" in form.footer.help.text()
    form.model.load(cls, values, values, "from elsewhere")
    assert "1ep" in form.footer.help.text()
    assert control(form, "train.epochs").text() == "1ep"
    assert (form.model.differing, form.model.origin) == ([], "from elsewhere")
    retype(qtbot, control(form, "train.epochs"), "3ep")
    assert form.rows["train.epochs"].mark.text()
    for _ in range(2):
        form.undo()
    assert control(form, "train.epochs").text() == "6ep"
    assert (form.model.differing, form.model.origin) == (["seeds"], "")
    form.redo()
    assert form.model.origin == "from elsewhere"


class _Sampler(Config):
    """Another experiment's."""

    prior: Annotated[str, Suggested({"normal": 1, "laplace": 2})] = Field("normal", description="Prior of the weights")
    start: Literal["map", "prior"] | None = Field(None, description="Start of the chain; null: the ticket's")
    controls: tuple[Control, ...] | None = Field(None, description="Which controls; null: the experiment's")


def test_the_form_of_another_configuration(make, qtbot):
    form = make(FormModel(_Sampler, {}))
    prior, start = control(form, "prior"), control(form, "start")
    prior.lineEdit().selectAll()
    qtbot.keyClicks(prior, "student")
    assert form.model.get("prior") == "student"
    assert [prior.itemText(place) for place in range(prior.count())] == ["normal", "laplace"]
    qtbot.keyClick(start, Qt.Key.Key_Down)
    assert form.model.get("start") == "map"
    form.rows["controls"].editor.controls[1].menu().actions()[0].trigger()
    assert form.model.get("controls") == ["reinitialise"]
    form.undo()
    assert (form.model.get("controls"), form.model.get("prior")) == (None, "student")


def test_a_keystroke_takes_little_work(form):
    """Counted in calls of functions, on whichever machine: ten thousand take about 10 ms."""
    line = control(form, "train.optimiser.learning_rate")
    calls = []

    def profile(frame, event, argument):
        calls[-1] += event in ("call", "c_call")

    before = sys.getprofile()
    for number in range(10):
        calls.append(0)
        sys.setprofile(profile)
        line.setText(f"0.{number + 1}")
        line.textEdited.emit(line.text())
        sys.setprofile(before)
    assert max(calls) < 30_000
