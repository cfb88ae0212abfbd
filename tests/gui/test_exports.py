import pytest
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QWidget

from gui.views.dialogs import save_as
from tests.refusals import refused


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No])
def test_a_file_is_written_by_its_ending_and_files_beside_replaced_only_if_the_user_agrees(
    qtbot, tmp_path, monkeypatch, answer
):
    def words(text):
        return lambda path: path.write_text(text)

    def save(name, **further):
        accepted = QDialog.DialogCode.Accepted
        monkeypatch.setattr(QFileDialog, "exec", lambda dialog: dialog.selectFile(str(tmp_path / name)) or accepted)
        return save_as(parent, "Export", "live", {"png": words("png"), "svg": words("svg")}, further)

    parent, asked = QWidget(), []
    qtbot.addWidget(parent)
    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words[2]) or answer)
    (tmp_path / "a.csv").write_text("old")
    written = save("a.svg", csv=words("new"), yaml=words("y"))
    (question,) = asked
    assert "a.csv" in question
    assert "a.yaml" not in question
    yes = answer == QMessageBox.StandardButton.Yes
    assert [path.name for path in written] == (["a.svg", "a.csv", "a.yaml"] if yes else [])
    assert (tmp_path / "a.yaml").exists() == (tmp_path / "a.svg").exists() == yes
    assert (tmp_path / "a.csv").read_text() == ("new" if yes else "old")
    with refused(None, None, "not/there.png", "No such file"):
        save("not/there.png")
