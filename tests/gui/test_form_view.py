"""The configuration form in its window: typed into, read, and gone through with the keyboard."""

import pytest
from PySide6.QtCore import Qt

from gui.models.form import FormModel
from gui.views.form import ConfigForm
from tfticket.presets import load_experiment


def values_of(preset):
    config = load_experiment(preset)
    return type(config), config.model_dump(mode="json")


@pytest.fixture
def form(qtbot):
    cls, values = values_of("quickstart")
    form = ConfigForm(FormModel(cls, values, values))
    qtbot.addWidget(form)
    form.resize(420, 800)
    form.show()
    qtbot.waitExposed(form)
    form.activateWindow()
    return form


def control(form, path):
    return form.rows[path].editor.control


def retype(qtbot, line, text):
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, text)


def shown(form):
    return [path for path, row in form.rows.items() if row.isVisible()]


def test_every_field_is_shown_with_its_value_and_help(form):
    assert list(form.rows) == [field.path for field in form.model.fields]
    assert control(form, "train.optimiser.learning_rate").text() == "0.0012"
    assert control(form, "prune.score").currentText() == "magnitude"
    assert control(form, "controls").toPlainText() == "reinitialise\nshuffle-layerwise"
    assert not control(form, "experiment").isEnabled()
    assert all(row.field.description[:20] in row.label.toolTip() for row in form.rows.values())


def test_typing_shows_the_error_below_the_field_and_the_mark(form, qtbot):
    row = form.rows["train.batch_size"]
    retype(qtbot, control(form, "train.batch_size"), "12.5")
    assert form.model.error("train.batch_size")[1:] in row.error.text()
    assert (row.error.isVisible(), bool(row.mark.text()), form.footer.problems.isVisible()) == (True, True, True)
    row.button.click()
    assert control(form, "train.batch_size").text() == "128"
    assert (row.error.isVisible(), bool(row.mark.text()), form.footer.problems.isVisible()) == (False, False, False)
    retype(qtbot, control(form, "prune.rate"), "0.2")  # which does not go together with another field
    assert form.sections["prune"].error.isVisible()
    form.sections["prune"].expand(False)
    form.footer.problems.click()
    assert control(form, "prune.levels").hasFocus()


def test_the_yaml_page_is_edited_into_the_form(form):
    form.show_yaml()
    page = form.yaml.text
    assert page.toPlainText() == form.model.yaml()
    page.setPlainText(page.toPlainText().replace("batch_size: 128", "batch_size: 64"))
    assert form.model.get("train.batch_size") == 64
    page.setPlainText("train: [")
    form.show_yaml(False)
    assert form.footer.banner.isVisible()
    form.show_yaml()
    assert page.toPlainText() == "train: [", "what was typed is still there to mend"
    form.undo()
    assert page.toPlainText() == form.model.yaml()
    assert form.model.get("train.batch_size") == 128
    form.model.set_yaml(form.model.yaml().replace("scope: global", "scope: local"))  # no such choice
    assert control(form, "prune.scope").currentText() == "local"
    form.undo()
    assert control(form, "prune.scope").count() == 2


def test_fields_are_filtered_and_gone_to_by_typing(form, qtbot):
    qtbot.keyClicks(form.filter, "learning")
    assert "train.optimiser.learning_rate" in shown(form)
    assert not form.sections["data"].isVisible()
    form.filter.setText("checkpoint_seconds")
    assert control(form, "execution.checkpoint_seconds").isVisible(), "folded, but a match"
    form.filter.setText("no such thing")
    assert form.nothing.isVisible()
    form.filter.clear()
    form.model.set("seeds", "7")
    form.only.click()
    assert shown(form) == ["seeds"]
    form.go_to("data.name")
    assert (control(form, "data.name").hasFocus(), form.only.isChecked()) == (True, False)
    form.find_field()
    qtbot.keyClicks(form.filter, "seeds")
    qtbot.keyClick(form.filter, Qt.Key.Key_Return)
    assert control(form, "seeds").hasFocus(), "its label is the text that was typed"


def test_controls_and_files_are_chosen_from_menus(form, monkeypatch):
    add, remove = form.rows["controls"].editor.controls[1:]
    next(action for action in add.menu().actions() if action.text() == "keep-signs").trigger()
    remove.menu().aboutToShow.emit()
    remove.menu().actions()[0].trigger()
    assert form.model.get("controls") == ["shuffle-layerwise", "keep-signs"]
    monkeypatch.setattr("gui.views.form_editors.QFileDialog.getOpenFileName", lambda *_: ("/data/a.npz", ""))
    monkeypatch.setattr("gui.views.form_editors.QFileDialog.getExistingDirectory", lambda *_: "")
    for action in form.rows["data.path"].editor.controls[1].menu().actions():  # the second is cancelled
        action.trigger()
    assert control(form, "data.path").text() == "/data/a.npz"


def test_another_configuration_is_shown_in_the_same_form_and_undone_as_an_edit(form, qtbot):
    retype(qtbot, control(form, "seeds"), "7")
    cls, values = values_of("quickstart-smoke")
    form.model.load(cls, values, values, "from elsewhere")
    assert control(form, "train.epochs").text() == "1ep"
    assert (form.model.differing, form.model.origin) == ([], "from elsewhere")
    retype(qtbot, control(form, "train.epochs"), "3ep")
    for _ in range(2):
        form.undo()
    assert control(form, "train.epochs").text() == "6ep"
    assert (form.model.differing, form.model.origin) == (["seeds"], "")
