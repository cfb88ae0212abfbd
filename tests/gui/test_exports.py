import pytest
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QWidget

from gui.views.dialogs import save_as
from tests.refusals import refused


@pytest.fixture
def parent(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    return parent


@pytest.fixture
def choose(monkeypatch):
    """Lets the next dialog be answered with a file's name, and a filter; returns what the dialogs showed."""

    def choose(path, ending=None):
        shown = []

        def answered(dialog):
            shown.append((dialog.directory().absolutePath(), dialog.nameFilters(), dialog.selectedFiles()[0]))
            if ending:
                dialog.filterSelected.emit(f"{ending.upper()} (*.{ending})")
            dialog.selectFile(str(path or ""))
            return QDialog.DialogCode.Accepted if path else QDialog.DialogCode.Rejected

        monkeypatch.setattr(QFileDialog, "exec", answered)
        return shown

    return choose


def words(text):
    return lambda path: path.write_text(text)


def test_a_file_is_written_by_its_ending_and_the_next_export_begins_in_its_folder(parent, choose, tmp_path):
    (tmp_path / "figures").mkdir()
    shown = choose(tmp_path / "figures" / "figure", "svg")
    written = save_as(parent, "Export", "live", {ending: words(ending) for ending in ("png", "svg")})
    assert written == [tmp_path / "figures" / "figure.svg"]
    assert written[0].read_text() == "svg"
    assert shown[0][1] == ["PNG (*.png)", "SVG (*.svg)"]
    assert shown[0][2].endswith("/live.png")
    shown = choose(None)
    assert save_as(QWidget(parent), "Export", "live", {"png": words("")}) == []
    assert shown[0][0] == str(tmp_path / "figures")


def test_what_cannot_be_written_is_refused(parent, choose, tmp_path):
    for name, fact in (("figure.gif", ".png"), ("not/there.png", "No such file")):
        choose(tmp_path / name)
        with refused(None, None, name, fact):
            save_as(parent, "Export", "live", {"png": words("")})


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No])
def test_files_beside_are_replaced_only_if_the_user_agrees(parent, choose, tmp_path, monkeypatch, answer):
    (tmp_path / "a.csv").write_text("old")
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words[2]) or answer)
    choose(tmp_path / "a.png")
    written = save_as(parent, "Export", "a", {"png": words("p")}, {"csv": words("new"), "yaml": words("y")})
    (question,) = asked
    assert "a.csv" in question
    assert "a.yaml" not in question
    yes = answer == QMessageBox.StandardButton.Yes
    assert [path.name for path in written] == (["a.png", "a.csv", "a.yaml"] if yes else [])
    assert (tmp_path / "a.yaml").exists() == (tmp_path / "a.png").exists() == yes
    assert (tmp_path / "a.csv").read_text() == ("new" if yes else "old")
