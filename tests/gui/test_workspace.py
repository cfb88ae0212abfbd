"""The workspace model, actions and differences, without Qt."""

import shutil
import time
from dataclasses import replace

import pytest
import yaml

from gui.models import actions
from gui.models.colours import distinct_colours, run_colour
from gui.models.differences import differences
from gui.models.draft import DraftModel
from gui.models.preset_list import matching_presets, preset_entries, preset_values
from gui.models.signal import Signal
from gui.models.workspace import STATE_SYMBOLS, WorkspaceModel, matches_filter, run_problem
from tfticket.errors import InputError
from tfticket.presets import presets
from tfticket.runs.files import write_json
from tfticket.runs.index import FILE
from tfticket.runs.progress import Progress, write_progress
from tfticket.runs.run_folder import read_configuration


@pytest.fixture
def workspace(tmp_path):
    return tmp_path / "workspace"


@pytest.fixture
def make(workspace):
    """Writes a run's folder as `tfticket run` does."""

    def make(name, state="done", started=None, **status):
        folder = workspace / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        values = preset_values("quickstart-smoke") | {"name": name.rpartition("-")[0]}
        (folder / "config.yaml").write_text(yaml.safe_dump(values))
        record = {"state": state, "experiment": "imp", "started": started or 1000.0, "updated": 1000.0}
        write_json(folder / "status.json", record | status)
        write_json(folder / "manifest.json", {"steps": []})
        return folder

    return make


@pytest.fixture
def model():
    model = WorkspaceModel()
    yield model
    model.close()


def test_runs_are_found_and_what_changed_is_told_once(workspace, make, model):
    told = []
    model.runs_changed.connect(lambda: told.append(len(model.runs)))
    model.open(workspace)
    assert told == [0]
    make("a-11111111", started=1.0)
    assert model.poll()
    assert not model.poll()
    make("b-22222222", started=2.0)
    assert model.poll()
    assert [run.name for run in model.runs] == ["b", "a"]
    assert told == [0, 1, 2]


def test_a_run_that_vanishes_is_neither_in_focus_nor_overlaid_any_more(workspace, make, model):
    first, second = make("a-11111111"), make("b-22222222")
    model.open(workspace)
    model.poll()
    model.focus(first)
    model.set_overlaid(first, True)
    model.set_overlaid(second, True)
    assert model.shown == [first, second]
    told = []
    model.problem_found.connect(told.append)
    shutil.rmtree(first)
    model.poll()
    assert model.focused is None
    assert model.shown == [second]
    assert [problem.title for problem in told] == ["The run's folder is gone: a-11111111"]
    assert model.focus_is_lost
    model.focus(second)
    assert not model.focus_is_lost
    shutil.rmtree(second)
    model.poll()
    assert not model.focus_is_lost, "there is none to choose; the next that comes may be in focus"


def test_only_runs_that_fail_while_one_looks_are_told(workspace, make, model):
    make("old-11111111", "failed", message="long ago", traceback="...")
    told = []
    model.problem_found.connect(told.append)
    model.open(workspace)
    model.poll()
    assert told == []
    folder = make("new-22222222", "stopped")
    model.poll()
    make("new-22222222", "failed", message="just now\nmore", traceback="Traceback: here")
    model.poll()
    model.poll()
    (problem,) = told
    assert (problem.title, problem.details, problem.run) == ("new: just now", "Traceback: here", folder)


def test_a_run_that_fails_is_told_with_its_hash_where_another_has_its_name(workspace, make, model):
    make("same-11111111")
    model.open(workspace)
    model.poll()
    told = []
    model.problem_found.connect(told.append)
    make("same-22222222", "failed", message="just now")
    model.poll()
    assert [problem.title for problem in told] == ["same-22222222: just now"]


def test_a_problem_of_a_folder_that_is_gone_still_says_something(workspace, make, model):
    folder = make("a-11111111", "failed", message="no luck", traceback="...")
    model.open(workspace)
    model.poll()
    shutil.rmtree(folder)
    assert "a: " in run_problem(model.runs[0]).title


def test_a_runs_colour_stays_when_other_runs_come_and_go_and_in_the_next_session(workspace, make, model):
    first, second = make("a-11111111", started=1.0), make("b-22222222", started=2.0)
    model.open(workspace)
    model.poll()
    before = model.colour(second)
    assert model.colour(first) != before
    shutil.rmtree(first)
    older = make("c-33333333", started=0.5)
    model.poll()
    assert model.colour(second) == before != model.colour(older)
    model.open(workspace)
    assert model.colour(second) == before
    (workspace / FILE).unlink()
    make("d-44444444", started=3.0)
    model.open(workspace)
    model.poll()
    assert len({model.colour(run.folder) for run in model.runs}) == 3


def test_runs_that_are_shown_together_have_colours_of_their_own(workspace, make, model):
    folders = [make(f"a-{number:08d}", started=1.0 + number) for number in range(30)]
    model.open(workspace)
    model.poll()
    assert len({model.colour(folder) for folder in folders}) == 24
    first, again = folders[1], folders[25]
    assert model.colour(first) == model.colour(again)
    model.set_overlaid(first, True)
    model.focus(again)
    assert model.colour(first) == run_colour(1) != model.colour(again)
    assert distinct_colours(range(24)) == [run_colour(number) for number in range(24)]


def test_runs_of_one_name_are_told_apart_by_their_hashes(workspace, make, model):
    make("a-11111111")
    model.open(workspace)
    model.poll()
    assert model.title(model.runs[0]) == "a"
    make("a-22222222")
    make("b-33333333")
    model.poll()
    assert {model.title(run) for run in model.runs} == {"a-11111111", "a-22222222", "b"}


def test_focus_and_eyes_tell_only_changes(workspace, make, model):
    folder = make("a-11111111")
    model.open(workspace)
    model.poll()
    told = []
    model.focus_changed.connect(lambda: told.append("focus"))
    model.overlay_changed.connect(lambda: told.append("overlaid"))
    for _ in range(2):
        model.focus(folder)
        model.set_overlaid(folder, True)
    model.clear_overlay()
    model.clear_overlay()
    assert told == ["focus", "overlaid", "overlaid"]


def test_the_status_line_counts_runs_and_names_the_last_to_end(workspace, make, model):
    folder = make("a-11111111", "done")
    make("b-22222222", "failed", message="m", traceback="t")
    model.open(workspace)
    model.poll()
    assert model.status_line().startswith("1 done, 1 failed  |  ")
    assert "GB free" in model.status_line()
    moment = time.time()
    write_progress(folder, Progress(trainings=10, done=5, computed=5, began=moment - 60, updated=moment))
    model.poll()
    running = replace(model.run_at(folder), state="running", seconds_left=60.0)
    model.runs = [running]
    assert "1 running  |  ETA 1:00" in model.status_line()


def test_a_file_is_no_workspace(tmp_path, model):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; a workspace is a folder"):
        model.open(tmp_path / "file")


def test_a_folder_that_is_not_there_is_an_empty_workspace(tmp_path, model):
    model.open(tmp_path / "not" / "there")
    assert not model.poll()
    assert model.runs == []
    assert "no runs yet" in model.status_line()


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("quick", True),
        ("QUICK done", True),
        ("state=done", True),
        ("state=do name=quick", True),
        ("state=failed", False),
        ("name=done", False),
        ("level=3", True),
        ("level=30", False),
        ("nothing=done", False),
    ],
)
def test_a_filter_is_words_and_fields(text, fits, workspace, make, model):
    make("quickstart-11111111")
    model.open(workspace)
    model.poll()
    assert matches_filter(replace(model.runs[0], level=3), text) is fits


def test_every_state_has_a_sign_and_no_two_the_same():
    assert set(STATE_SYMBOLS) == {"running", "done", "stopped", "failed", "killed", "damaged"}
    assert len(set(STATE_SYMBOLS.values())) == len(STATE_SYMBOLS)


def test_actions_have_names_of_their_own_and_shortcuts_too():
    assert len({action.id for action in actions.ACTIONS}) == len(actions.ACTIONS)
    keys = [action.keys for action in actions.ACTIONS if action.keys]
    assert len(set(keys)) == len(keys)
    assert {action.menu for action in actions.ACTIONS} == set(actions.MENUS)
    for menu in actions.MENUS:
        letters = [one.title[one.title.index("&") + 1].casefold() for one in actions.ACTIONS if one.menu == menu]
        assert len(set(letters)) == len(letters), menu


def test_the_palette_offers_what_can_be_done_now(workspace, make, model):
    assert "stop_run" not in {action.id for action in actions.matching_actions("", model)}
    make("a-11111111", "stopped")
    model.open(workspace)
    model.poll()
    model.focus(model.runs[0].folder)
    assert {action.id for action in actions.matching_actions("continue", model)} >= {"resume_run"}
    assert "start_run" in {action.id for action in actions.matching_actions("", model)}


def test_every_preset_is_offered_and_found_by_its_words():
    assert [offer.name for offer in preset_entries()] == list(presets())
    found = matching_presets("lenet mnist desk")
    assert found
    assert all({"lenet", "mnist", "desk"} <= set(offer.name.split("-")) for offer in found)


def test_a_draft_comes_from_a_preset_a_file_or_a_run(tmp_path, make):
    draft, told = DraftModel(), []
    draft.form.changed.connect(lambda: told.append(draft.form.origin))
    draft.load_preset("quickstart-smoke")
    path = tmp_path / "mine.yaml"
    path.write_text("extends: quickstart-smoke\nname: mine\nseeds: [7]\n")
    draft.load_file(path)
    assert draft.form.values["seeds"] == [7]
    folder = make("a-11111111")
    draft.load_run(folder)
    assert told == ["from the preset quickstart-smoke", "from mine.yaml", "as the run a-11111111"]
    assert draft.form.values == read_configuration(folder)
    assert draft.form.differing == []
    assert not draft.needs_trust


def test_what_takes_a_drafts_place_is_undone_as_an_edit(make):
    draft = DraftModel()
    draft.form.set("seeds", "7")
    draft.load_preset("quickstart-smoke")
    draft.load_run(make("a-11111111"))
    draft.form.undo()
    assert draft.form.origin == "from the preset quickstart-smoke"
    draft.form.undo()
    assert (draft.form.values["seeds"], draft.form.differing) == ([7], ["seeds"])
    draft.form.redo()
    assert draft.form.origin == "from the preset quickstart-smoke"


def test_a_draft_is_kept_with_its_marks_and_its_errors():
    draft = DraftModel()
    draft.load_preset("quickstart-smoke")
    draft.form.set("seeds", "7, 8")
    draft.form.set("train.batch_size", "12.5")
    again = DraftModel(draft.save())
    assert again.form.values == draft.form.values
    assert again.form.origin == draft.form.origin
    assert again.form.differing == draft.form.differing == ["train.batch_size", "seeds"]
    assert again.form.errors == draft.form.errors
    again.form.reset("")
    assert again.form.yaml() == DraftModel(again.save()).form.yaml()


@pytest.mark.parametrize(
    "kept", ["", "{", "[]", "{}", '{"values": {"experiment": "other"}, "base": null, "origin": ""}']
)
def test_a_draft_that_is_not_understood_counts_as_none(kept):
    assert DraftModel(kept).form.yaml() == DraftModel().form.yaml()


def test_a_draft_of_a_run_that_cannot_be_read_is_refused_and_the_old_one_stays(make):
    draft, folder = DraftModel(), make("a-11111111")
    before = draft.form.values
    for text in ("[1", "just a word"):
        (folder / "config.yaml").write_text(text)
        with pytest.raises(InputError, match=r"config\.yaml"):
            draft.load_run(folder)
    (folder / "config.yaml").write_text("{experiment: other, name: a}")
    with pytest.raises(InputError, match="other"):
        draft.load_run(folder)
    assert draft.form.values == before
    assert not draft.form.can_undo


def test_only_fields_that_differ_are_shown():
    one = {"name": "a", "train": {"epochs": "6ep", "augment": {"flip": True}}, "seeds": [0, 1], "more": {}}
    one["controls"] = [{"name": "x", "levels": [0, 1]}]
    other = {"name": "b", "train": {"epochs": "6ep", "augment": {"flip": False}}, "seeds": [0, 1], "less": None}
    assert differences({"one": one, "other": other}) == [
        ("name", ["a", "b"]),
        ("train.augment.flip", ["True", "False"]),
        ("more", ["{}", "-"]),
        ("controls", ["[{name: x, levels: [0, 1]}]", "-"]),
    ]


def test_a_signal_calls_what_is_connected_when_it_is_emitted():
    signal, told = Signal(), []

    def once(value):
        told.append(value)
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(once)
    signal.connect(told.append)
    signal.emit(1)
    signal.emit(2)
    assert told == [1, 1, 2]


def test_the_first_run_of_an_empty_workspace_is_told_when_it_fails(workspace, make, model):
    told = []
    model.problem_found.connect(told.append)
    model.open(workspace)
    model.poll()
    make("a-11111111", "failed", message="at once", traceback="t", updated=2000.0)
    model.poll()
    make("a-11111111", "failed", message="again, and longer", traceback="t", updated=3000.0)
    model.poll()
    model.poll()  # a file that changed a moment ago is looked at once more
    assert [problem.title for problem in told] == ["a: at once", "a: again, and longer"]


def test_eyes_of_runs_that_vanish_are_told(workspace, make, model):
    folder = make("a-11111111")
    model.open(workspace)
    model.poll()
    model.set_overlaid(folder, True)
    told = []
    model.overlay_changed.connect(lambda: told.append(list(model.overlaid)))
    shutil.rmtree(folder)
    model.poll()
    assert told == [[]]
