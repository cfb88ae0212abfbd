import pytest
from PySide6.QtWidgets import QDialog, QFileDialog, QMainWindow, QMessageBox, QWidget

from gui.views.canvas import FORMATS
from gui.views.commands import Commands
from gui.views.dialogs import save_as
from tfticket.errors import InputError


@pytest.fixture
def parent(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def choose(monkeypatch):
    """Lets the next dialog be answered with a file's name, and a filter; returns the dialogs that were shown."""
    shown = []

    def answer(path, ending=None):
        def answered(dialog):
            shown.append((dialog.directory().absolutePath(), dialog.nameFilters(), dialog.selectedFiles()))
            if path is None:
                return QDialog.DialogCode.Rejected
            if ending:
                dialog.filterSelected.emit(f"{ending.upper()} (*.{ending})")
            dialog.selectFile(str(path))
            return QDialog.DialogCode.Accepted

        monkeypatch.setattr(QFileDialog, "exec", answered)
        return shown

    return answer


def words(text):
    return lambda path: path.write_text(text)


def test_a_name_without_ending_gets_that_of_the_chosen_kind(parent, choose, tmp_path):
    shown = choose(tmp_path / "figure", "svg")
    written = save_as(parent, "Export", "live", {ending: words(ending) for ending in FORMATS})
    assert written == [tmp_path / "figure.svg"]
    assert written[0].read_text() == "svg"
    assert shown[0][1] == ["PNG (*.png)", "PDF (*.pdf)", "SVG (*.svg)"]
    assert shown[0][2][0].endswith("/live.png")


def test_the_folder_of_the_last_export_is_where_the_next_begins(parent, choose, tmp_path):
    (tmp_path / "figures").mkdir()
    choose(tmp_path / "figures" / "one.png")
    save_as(parent, "Export", "live", {"png": words("")})
    child = QWidget(parent)
    shown = choose(None)
    assert save_as(child, "Export", "live", {"png": words("")}) == []
    assert shown[-1][0] == str(tmp_path / "figures")


def test_what_cannot_be_written_is_told(parent, choose, tmp_path):
    choose(tmp_path / "figure.gif")
    with pytest.raises(InputError, match=r"figure\.gif: the file is saved as \.png\."):
        save_as(parent, "Export", "live", {"png": words("")})
    choose(tmp_path / "not" / "there.png")
    with pytest.raises(InputError, match="cannot be written: No such file"):
        save_as(parent, "Export", "live", {"png": words("")})


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No])
def test_files_beside_are_replaced_only_if_the_user_says_so(parent, choose, tmp_path, monkeypatch, answer):
    (tmp_path / "a.csv").write_text("old")
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words[2]) or answer)
    choose(tmp_path / "a.png")
    written = save_as(parent, "Export", "a", {"png": words("p")}, {"csv": words("new"), "yaml": words("y")})
    assert asked == ["Already there: a.csv. Replace?"]
    yes = answer == QMessageBox.StandardButton.Yes
    assert [path.name for path in written] == (["a.png", "a.csv", "a.yaml"] if yes else [])
    assert (tmp_path / "a.yaml").exists() == (tmp_path / "a.png").exists() == yes
    assert (tmp_path / "a.csv").read_text() == ("new" if yes else "old")


def test_what_was_written_is_told_by_name(qtbot, choose, tmp_path):
    window = QMainWindow()
    qtbot.addWidget(window)
    choose(tmp_path / "a.png")
    Commands(window)._save("Export", "a", {"png": words("p")}, {"csv": words("c"), "yaml": words("y")})
    assert window.statusBar().currentMessage() == f"Saved a.png, a.csv, a.yaml in {tmp_path}"
