"""The configuration form in its window: typed into, read, and gone through with the keyboard."""

from functools import partial
from typing import Annotated, Literal

import pytest
from pydantic import Field
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QPalette, QWheelEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QPlainTextEdit, QWidget

from gui.models.form import FormModel
from gui.models.form_search import closeness
from gui.views.form import ConfigForm
from gui.views.form_rows import error_colour, mark_colour
from tests.gui.work import calls_in
from tfticket.config import Control
from tfticket.config.names import Suggested
from tfticket.config.schema import Config
from tfticket.presets import load_experiment


def model_of(preset: str = "quickstart") -> FormModel:
    config = load_experiment(preset)
    values = config.model_dump(mode="json")
    return FormModel(type(config), values, values)


@pytest.fixture
def form(qtbot):
    shown = ConfigForm(model_of())
    qtbot.addWidget(shown)
    shown.resize(420, 800)
    shown.show()
    qtbot.waitExposed(shown)
    shown.activateWindow()
    return shown


def control(form: ConfigForm, path: str) -> QWidget:
    return form.rows[path].editor.control


def retype(qtbot, line: QLineEdit, text: str) -> None:
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, text)


def test_every_field_is_shown_with_its_value_and_help(form):
    assert list(form.rows) == [field.path for field in form.model.fields]
    assert control(form, "train.optimiser.learning_rate").text() == "0.0012"
    assert control(form, "prune.score").currentText() == "magnitude"
    assert control(form, "data.train_rows").placeholderText() == "all (empty)"
    assert control(form, "controls").toPlainText() == "reinitialise\nshuffle-layerwise"
    for row in form.rows.values():
        assert row.field.description[:20] in row.label.toolTip()
        assert row.field.description[:20] in row.editor.control.whatsThis()


def test_every_control_has_a_name_for_screen_readers(form):
    kinds = (QLineEdit, QComboBox, QPlainTextEdit, QAbstractButton)
    own = [part for kind in kinds for part in form.findChildren(kind) if part.objectName()[:3] != "qt_"]
    unnamed = [
        part
        for part in own
        if part.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not (part.accessibleName() or (isinstance(part, QAbstractButton) and part.text()))
    ]
    assert len(own) > 40
    assert unnamed == []
    names = [control(form, path).accessibleName() for path in form.rows]
    assert len(set(names)) == len(names)


def test_typing_shows_the_error_below_the_field_and_the_mark(form, qtbot):
    row = form.rows["train.batch_size"]
    assert row.mark.text() == ""
    assert not row.button.isVisible()
    retype(qtbot, control(form, "train.batch_size"), "12.5")
    assert row.error.isVisible()
    assert row.error.text() == "Expected a whole number, such as 128."
    assert "Expected" in control(form, "train.batch_size").accessibleDescription()
    assert row.mark.text() == "●"
    assert row.mark.toolTip() == "Differs. Preset: 128"
    assert form.footer.problems.text() == "1 error"
    assert form.sections["train"].note.text() == "1 error, 1 changed"
    row.button.click()
    assert control(form, "train.batch_size").text() == "128"
    assert row.mark.text() == ""
    assert not row.error.isVisible()
    assert not form.footer.problems.isVisible()


def test_the_group_says_what_does_not_go_together(form, qtbot):
    retype(qtbot, control(form, "prune.rate"), "0.2")
    assert form.sections["prune"].error.isVisible()
    assert "either sparsity" in form.sections["prune"].error.text()
    form.sections["prune"].expand(False)
    form.footer.problems.click()
    assert form.sections["prune"].is_expanded
    assert control(form, "prune.levels").hasFocus()


def test_undo_and_redo_by_keyboard(form, qtbot):
    line = control(form, "train.batch_size")
    retype(qtbot, line, "64")
    retype(qtbot, control(form, "replicates"), "2")
    qtbot.keyClick(control(form, "replicates"), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert control(form, "replicates").text() == "1"
    qtbot.keyClick(control(form, "replicates"), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert line.text() == "128"
    assert line.hasFocus()
    qtbot.keyClick(line, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert line.text() == "64"
    qtbot.keyClick(form.sections["data"].head, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert line.text() == "128"


def test_leaving_a_field_ends_the_step(form, qtbot):
    line = control(form, "train.batch_size")
    retype(qtbot, line, "64")
    control(form, "train.gamma").setFocus()
    retype(qtbot, line, "32")
    form.undo()
    assert line.text() == "64"


def test_arrow_keys_change_a_whole_number_within_its_bounds(form, qtbot):
    line = control(form, "replicates")
    qtbot.keyClick(line, Qt.Key.Key_Up)
    assert form.model.get("replicates") == 2
    for _ in range(3):
        qtbot.keyClick(line, Qt.Key.Key_Down)
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
    qtbot.keyClick(combo, Qt.Key.Key_Tab)
    assert form.rows["train.optimiser.name"].button.hasFocus()
    qtbot.keyClick(form.rows["train.optimiser.name"].button, Qt.Key.Key_Tab)
    assert control(form, "train.optimiser.learning_rate").hasFocus()
    form.undo()
    assert control(form, "train.optimiser.beta_1").text() == "0.9"


def test_tab_goes_from_top_to_bottom_and_skips_what_is_folded(form, qtbot):
    form.filter.setFocus()
    seen = []
    while (focus := QApplication.focusWidget()) is not form.footer.problems and len(seen) < 200:
        seen.append(focus)
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
        if QApplication.focusWidget() is form.filter or QApplication.focusWidget() in seen:
            break
    controls = [control(form, path) for path in form.rows if not path.startswith(("execution", "experiment"))]
    assert [widget for widget in seen if widget in controls] == controls
    assert form.sections["execution"].head in seen
    assert control(form, "execution.threads") not in seen
    below = [widget.mapTo(form.inner, QPoint(0, 0)).y() for widget in controls]
    assert below == sorted(below)


def test_a_section_folds_by_keyboard(form, qtbot):
    head = form.sections["data"].head
    qtbot.keyClick(head, Qt.Key.Key_Space)
    assert not control(form, "data.name").isVisible()
    assert head.accessibleName() == "Data, folded"
    qtbot.keyClick(head, Qt.Key.Key_Space)
    assert control(form, "data.name").isVisible()


def test_help_of_the_field_one_is_at(form):
    control(form, "train.optimiser.beta_1").setFocus()
    assert form.footer.help.text() == "Decay of the first moment, per iteration. At least 0, less than 1. Preset: 0.9."


def test_the_yaml_page_is_edited_into_the_form(form, qtbot):
    form.show_yaml()
    page = form.yaml.text
    assert page.toPlainText() == form.model.yaml()
    page.setPlainText(page.toPlainText().replace("batch_size: 128", "batch_size: 64"))
    assert form.model.get("train.batch_size") == 64
    page.setPlainText("train: [")
    assert form.yaml.error.text().startswith("Line 1: not readable")
    form.show_yaml(False)
    assert "The YAML is invalid" in form.footer.banner.text()
    assert control(form, "train.batch_size").text() == "64"
    form.show_yaml()
    assert page.toPlainText() == "train: [", "what was typed is still there to mend"
    form.undo()
    assert page.toPlainText() == form.model.yaml()
    assert form.model.get("train.batch_size") == 128


def test_filters(form, qtbot):
    qtbot.keyClicks(form.filter, "learning")
    shown = [path for path, row in form.rows.items() if row.isVisible()]
    assert "train.optimiser.learning_rate" in shown
    assert "data.name" not in shown
    assert not form.sections["data"].isVisible()
    form.filter.setText("checkpoint_seconds")
    assert control(form, "execution.checkpoint_seconds").isVisible(), "folded, but found"
    form.filter.setText("no such thing")
    assert form.nothing.isVisible()
    form.filter.clear()
    form.model.set("seeds", "7")
    form.only.click()
    assert [path for path, row in form.rows.items() if row.isVisible()] == ["seeds"]
    form.go_to("data.name")
    assert control(form, "data.name").hasFocus()
    assert not form.only.isChecked()


def test_controls_are_added_and_removed_by_name(form):
    editor = form.rows["controls"].editor
    add, remove = editor.controls[1:]
    next(action for action in add.menu().actions() if action.text() == "keep-signs").trigger()
    assert form.model.get("controls") == ["reinitialise", "shuffle-layerwise", "keep-signs"]
    remove.menu().aboutToShow.emit()
    remove.menu().actions()[0].trigger()
    assert form.model.get("controls") == ["shuffle-layerwise", "keep-signs"]
    form.undo()
    assert form.model.get("controls") == ["reinitialise", "shuffle-layerwise", "keep-signs"]


def test_a_file_is_looked_for(form, monkeypatch):
    monkeypatch.setattr("gui.views.form_editors.QFileDialog.getOpenFileName", lambda *_: ("/data/a.npz", ""))
    monkeypatch.setattr("gui.views.form_editors.QFileDialog.getExistingDirectory", lambda *_: "")
    file, folder = form.rows["data.path"].editor.controls[1].menu().actions()
    file.trigger()
    folder.trigger()
    assert control(form, "data.path").text() == "/data/a.npz"


def test_the_wheel_passes_over_a_drop_down_without_the_keyboard(form, qtbot):
    combo = control(form, "prune.scope")
    form.filter.setFocus()

    def turn():
        none, middle = Qt.KeyboardModifier.NoModifier, QPointF(5, 5)
        down, button, phase = QPoint(0, -120), Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
        turned = QWheelEvent(middle, middle, down, down, button, none, phase, False)
        QApplication.sendEvent(combo, turned)

    turn()
    assert form.model.get("prune.scope") == "global"
    combo.setFocus()
    turn()
    assert form.model.get("prune.scope") == "layerwise"


def test_which_experiment_it_is_of_is_shown_only(form):
    assert not control(form, "experiment").isEnabled()


def test_another_configuration_is_shown_in_the_same_form_and_undone_as_an_edit(form, qtbot):
    retype(qtbot, control(form, "seeds"), "7")
    config = load_experiment("quickstart-smoke")
    values = config.model_dump(mode="json")
    form.model.load(type(config), values, values, "from elsewhere")
    assert control(form, "train.epochs").text() == "1ep"
    assert (form.model.differing, form.model.origin) == ([], "from elsewhere")
    retype(qtbot, control(form, "train.epochs"), "3ep")
    assert form.rows["train.epochs"].mark.text() == "●"
    for _ in range(2):
        form.undo()
    assert control(form, "train.epochs").text() == "6ep"
    assert (form.model.differing, form.model.origin) == (["seeds"], "")
    form.redo()
    assert form.model.origin == "from elsewhere"


def test_a_field_is_found_by_typing_after_an_action_asked_for_it(form, qtbot):
    form.show_yaml()
    form.only.setChecked(True)
    form.find_field()
    assert form.filter.hasFocus()
    form.model.set("seeds", "7")
    qtbot.keyClick(form.filter, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert form.model.differing == []
    form.find_field()
    qtbot.keyClicks(form.filter, "seeds")
    qtbot.keyClick(form.filter, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert form.filter.text() == ""
    qtbot.keyClicks(form.filter, "seeds")
    shown = [path for path, row in form.rows.items() if row.isVisible()]
    assert "seeds" in shown
    assert len(shown) < 5
    qtbot.keyClick(form.filter, Qt.Key.Key_Return)
    assert shown[0] == "data.split_seed"
    line = control(form, "seeds")
    assert line.hasFocus(), "its label is the text that was typed"
    qtbot.keyClicks(line, "3")
    assert form.model.get("seeds") == [3], "what is typed takes the place of the old value"


def test_a_wrong_choice_from_yaml_is_shown_and_can_be_left(form):
    form.model.set_yaml(form.model.yaml().replace("scope: global", "scope: local"))
    combo = control(form, "prune.scope")
    assert combo.currentText() == "local"
    assert form.model.error("prune.scope") == "expected 'global' or 'layerwise'"
    form.undo()
    assert [combo.itemText(place) for place in range(combo.count())] == ["global", "layerwise"]


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("seeds", "seeds", 0),
        ("Learning rate", "train.optimiser.learning_rate", 0),
        ("learning_rate", "train.optimiser.learning_rate", 0),
        ("learn", "train.optimiser.learning_rate", 1),
        ("rate", "train.optimiser.learning_rate", 2),
        ("optimiser rate", "train.optimiser.learning_rate", 3),
        ("0.0012", "train.optimiser.learning_rate", 5),
        ("", "seeds", 1),
        ("no such thing", "seeds", None),
    ],
)
def test_how_well_a_field_fits_what_is_typed(text, path, expected):
    model = model_of()
    assert closeness(model.field(path), model.text(path), text) == expected


def test_help_holds_a_word_less_well_than_a_label(form):
    help_only = [
        path for path in form.rows if closeness(form.model.field(path), form.model.text(path), "iteration") == 4
    ]
    assert help_only


def test_enter_in_the_filter_goes_to_no_field_where_none_fits(form, qtbot):
    control(form, "seeds").setFocus()  # whose row stays to be seen
    form.filter.setFocus()
    qtbot.keyClicks(form.filter, "no such thing")
    qtbot.keyClick(form.filter, Qt.Key.Key_Return)
    assert form.filter.hasFocus()


def test_the_help_follows_another_preset_and_a_reset(form):
    control(form, "train.epochs").setFocus()
    assert "Preset: 6ep." in form.footer.help.text()
    config = load_experiment("quickstart-smoke")
    values = config.model_dump(mode="json")
    form.model.load(type(config), values, values, "from elsewhere")
    assert "Preset: 1ep." in form.footer.help.text()
    form.model.undo()
    assert "Preset: 6ep." in form.footer.help.text()


def test_help_has_no_room_before_there_is_some_and_keeps_it(form):
    assert not form.footer.help.isVisible()
    control(form, "seeds").setFocus()
    assert form.footer.help.isVisible()
    height = form.footer.height()
    control(form, "replicates").setFocus()
    form.filter.setFocus()
    assert form.footer.height() == height


def test_a_field_at_the_edge_stays_in_sight_when_the_help_takes_its_room(form):
    visible = [path for path, row in form.rows.items() if row.visibleRegion().boundingRect().height() == row.height()]
    control(form, visible[-1]).setFocus()
    assert form.rows[visible[-1]].visibleRegion().boundingRect().height() == form.rows[visible[-1]].height()


@pytest.mark.parametrize("path", ["name", "data.name"])
def test_a_long_text_shows_its_beginning_unless_one_is_at_it(form, qtbot, path):
    form.filter.setFocus()
    form.model.set(path, "a-very-long-name-that-is-wider-than-any-field-of-the-form-can-be-0123456789")
    editor = control(form, path)
    line = editor.lineEdit() if isinstance(editor, QComboBox) else editor
    assert line.cursorPosition() == 0
    editor.setFocus()
    qtbot.keyClick(line, Qt.Key.Key_End)
    qtbot.keyClicks(line, "x")
    assert line.cursorPosition() == len(line.text())
    form.filter.setFocus()
    assert line.cursorPosition() == 0
    assert form.model.text(path).endswith("9x")


def test_a_check_box_has_an_outline_in_the_dark(form):
    palette = QPalette(QColor("#202020"))
    palette.setColor(QPalette.ColorRole.PlaceholderText, QColor("#8c8c8c"))
    form.only.setPalette(palette)
    picture = form.only.grab().toImage()
    colours = {picture.pixelColor(x, picture.height() // 2).name() for x in range(16)}
    assert "#8c8c8c" in colours


class _Sampler(Config):
    """Another experiment's."""

    prior: Annotated[str, Suggested({"normal": 1, "laplace": 2})] = Field("normal", description="Prior of the weights")
    start: Literal["map", "prior"] | None = Field(None, description="Start of the chain; null: the ticket's")
    controls: tuple[Control, ...] | None = Field(None, description="Which controls; null: the experiment's")


def test_the_form_of_another_configuration(qtbot):
    form = ConfigForm(FormModel(_Sampler, {}))
    qtbot.addWidget(form)
    form.show()
    qtbot.waitExposed(form)
    form.activateWindow()
    prior, start = control(form, "prior"), control(form, "start")
    prior.lineEdit().selectAll()
    qtbot.keyClicks(prior, "student")
    assert form.model.get("prior") == "student"
    assert [prior.itemText(place) for place in range(prior.count())] == ["normal", "laplace"]
    assert start.currentText() == "(the ticket's)"
    qtbot.keyClick(start, Qt.Key.Key_Down)
    assert form.model.get("start") == "map"
    add = form.rows["controls"].editor.controls[1]
    add.menu().actions()[0].trigger()
    assert form.model.get("controls") == ["reinitialise"]
    form.undo()
    assert form.model.get("controls") is None
    assert form.model.get("prior") == "student"


@pytest.mark.parametrize("width", [320, 700])
def test_it_fits_a_narrow_and_a_wide_window(form, qtbot, width):
    form.resize(width, 600)
    assert form.minimumSizeHint().width() <= 320
    qtbot.waitUntil(lambda: form.inner.width() <= form.area.viewport().width())
    beside = form.rows["seeds"].label.y() + 4 > form.rows["seeds"].editor.y()
    assert beside == (width == 700)


@pytest.mark.parametrize(("window", "is_dark"), [("#f0f0f0", False), ("#202020", True)])
def test_marks_and_errors_are_read_on_light_and_dark(form, window, is_dark):
    palette = QPalette(QColor(window))
    form.setPalette(palette)
    form.model.set("train.batch_size", "x")
    for colour, label in ((error_colour, form.rows["train.batch_size"].error), (mark_colour, form.rows["seeds"].mark)):
        shown = label.palette().color(QPalette.ColorRole.WindowText)
        assert shown == colour(palette)
        assert (shown.lightness() > 128) == is_dark


def test_a_keystroke_takes_little_work(form, qtbot):
    line = control(form, "train.optimiser.learning_rate")

    def type_in(number: int) -> None:
        line.setText(f"0.{number + 1}")
        line.textEdited.emit(line.text())

    assert max(calls_in(partial(type_in, number)) for number in range(20)) < 30_000
