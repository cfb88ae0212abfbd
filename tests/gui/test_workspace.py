"""The workspace model, actions, drafts and differences, without Qt."""

import shutil
from dataclasses import replace

import pytest
import yaml

from gui.models import actions
from gui.models.configurations import differences
from gui.models.draft import DraftModel, matching_presets, needs_trust, preset_entries, preset_values
from gui.models.workspace import WorkspaceModel, matches_filter, run_problem
from tests.gui.summaries import summary
from tests.refusals import refused
from tfticket.presets import presets
from tfticket.runs.files import write_json
from tfticket.runs.run_folder import read_configuration


@pytest.fixture
def make(tmp_path):
    """Writes a run's folder, without steps."""

    def make(name, state="done", started=1000.0, **status):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        values = preset_values("quickstart-smoke") | {"name": name.rpartition("-")[0]}
        (folder / "config.yaml").write_text(yaml.safe_dump(values))
        record = {"state": state, "experiment": "imp", "started": started, "updated": 1000.0}
        write_json(folder / "status.json", record | status)
        write_json(folder / "manifest.json", {"steps": []})
        return folder

    return make


@pytest.fixture
def model(tmp_path):
    model = WorkspaceModel()
    model.open(tmp_path)
    yield model
    model.close()


@pytest.fixture
def problems(model):
    """Titles of the problems that the model reports."""
    titles = []
    model.problem_found.connect(lambda problem: titles.append(problem.title))
    return titles


def test_runs_are_listed_and_changes_reported_once(tmp_path, make, model):
    counts = []
    model.runs_changed.connect(lambda: counts.append(len(model.runs)))
    assert "no runs yet" in model.status_line()
    for number, name in enumerate(("a-11111111", "b-22222222", "a-33333333"), 1):
        make(name, "failed" if name[0] == "b" else "done", started=float(number))
        assert model.poll()
        assert not model.poll()
    assert counts == [1, 2, 3]
    assert [model.title(run) for run in model.runs] == ["a-33333333", "b", "a-11111111"]
    assert model.status_line().startswith("2 done, 1 failed")
    model.runs = [replace(model.runs[0], state="running", seconds_left=60.0)]
    assert "1 running  |  ETA 1:00" in model.status_line()
    model.open(tmp_path / "not" / "there")
    assert model.runs == []
    (tmp_path / "file").touch()
    with refused("folder", None, str(tmp_path / "file")):
        model.open(tmp_path / "file")


def test_a_run_that_vanishes_is_neither_in_focus_nor_overlaid_any_more(make, model, problems):
    first, second = make("a-11111111"), make("b-22222222")
    model.poll()
    events = []
    model.focus_changed.connect(lambda: events.append("focus"))
    model.overlay_changed.connect(lambda: events.append("overlaid"))
    for _ in range(2):
        model.focus(first)
        model.set_overlaid(second, True)
    model.set_overlaid(first, True)
    assert model.shown == [first, second]
    assert events == ["focus", "overlaid", "overlaid"]
    shutil.rmtree(first)
    model.poll()
    assert (model.focused, model.shown, model.focus_is_lost) == (None, [second], True)
    assert ["a-11111111" in title for title in problems] == [True]
    assert events[3:] == ["overlaid", "focus"]
    model.focus(second)
    assert not model.focus_is_lost
    shutil.rmtree(second)
    model.poll()
    assert not model.focus_is_lost, "there is none to choose; the next that comes may be in focus"
    model.clear_overlay()
    assert events[5:] == ["focus", "overlaid", "focus"]


def test_only_runs_that_fail_while_one_looks_are_reported(tmp_path, make, model, problems):
    model.poll()
    make("new-22222222", "failed", message="at once", traceback="t", updated=2000.0)
    model.poll()
    make("new-22222222", "failed", message="again, and longer", traceback="t", updated=3000.0)
    for _ in range(3):  # a file that changed a moment ago is looked at once more
        model.poll()
    assert problems == ["new: at once", "new: again, and longer"]
    model.open(tmp_path)
    model.poll()
    assert len(problems) == 2
    make("same-11111111")
    model.poll()
    make("same-22222222", "failed", message="just now\nmore", traceback="Traceback: here")
    model.poll()
    assert problems[2:] == ["same-22222222: just now"], "its hash too, where another has its name"
    run = next(run for run in model.runs if run.state == "failed" and run.name == "same")
    problem = run_problem(run)
    assert (problem.title, problem.details, problem.run) == ("same: just now", "Traceback: here", run.folder)
    shutil.rmtree(run.folder)
    assert "same: " in run_problem(run).title


def test_a_runs_colour_stays_when_others_come_and_go_and_in_the_next_session(tmp_path, make, model):
    first, second = make("a-11111111", started=1.0), make("b-22222222", started=2.0)
    model.poll()
    before = model.colour(second)
    assert model.colour(first) != before
    shutil.rmtree(first)
    older = make("c-33333333", started=0.5)
    model.poll()
    assert model.colour(second) == before != model.colour(older)
    model.open(tmp_path)
    assert model.colour(second) == before
    folders = [make(f"d-{number:08d}", started=3.0 + number) for number in range(28)]
    model.poll()
    again = next(folder for folder in folders if model.colour(folder) == before)
    model.set_overlaid(second, True)
    model.focus(again)
    assert model.colour(second) == before != model.colour(again), "those that are shown together differ"


def test_a_filter_is_words_and_fields():
    run = summary("quickstart")
    fitting = ("", "QUICK done", "state=do name=quick", "level=3")
    for text in (*fitting, "state=failed", "name=done", "level=30", "nothing=done"):
        assert matches_filter(run, text) == (text in fitting), text


def test_actions_have_names_and_shortcuts_of_their_own_and_are_offered_when_they_apply(make, model):
    assert len({action.id for action in actions.ACTIONS}) == len(actions.ACTIONS)
    keys = [action.keys for action in actions.ACTIONS if action.keys]
    assert len(set(keys)) == len(keys)
    assert {action.menu for action in actions.ACTIONS} == set(actions.MENUS)
    assert "stop_run" not in {action.id for action in actions.matching_actions("", model)}
    model.focus(make("a-11111111", "stopped"))
    model.poll()
    assert "resume_run" in {action.id for action in actions.matching_actions("continue", model)}


def test_every_preset_is_offered_and_matched_by_words():
    assert [offer.name for offer in preset_entries()] == list(presets())
    assert all({"lenet", "mnist"} <= set(offer.name.split("-")) for offer in matching_presets("lenet mnist desk"))


def test_a_draft_comes_from_a_preset_a_file_or_a_run_and_is_undone_as_an_edit(tmp_path, make):
    draft, origins = DraftModel(), []
    draft.form.set("seeds", "7")
    draft.form.changed.connect(lambda: origins.append(draft.form.origin))
    draft.load_preset("quickstart-smoke")
    (tmp_path / "mine.yaml").write_text("extends: quickstart-smoke\nname: mine\nseeds: [8]\n")
    draft.load_file(tmp_path / "mine.yaml")
    assert draft.form.values["seeds"] == [8]
    folder = make("a-11111111")
    draft.load_run(folder)
    assert [origin.split()[-1] for origin in origins] == ["quickstart-smoke", "mine.yaml", "a-11111111"]
    assert (draft.form.values, draft.form.differing) == (read_configuration(folder), [])
    assert not needs_trust(draft.form.values)
    for text, mention in (("[1", "config.yaml"), ("just a word", "config.yaml"), ("{experiment: o, name: a}", "'o'")):
        (folder / "config.yaml").write_text(text)
        with refused(None, None, mention):
            draft.load_run(folder)
    for origin in ("from mine.yaml", "from the preset quickstart-smoke", "from the preset quickstart"):
        draft.form.undo()
        assert draft.form.origin == origin
    assert (draft.form.values["seeds"], draft.form.differing) == ([7], ["seeds"])
    draft.form.set("model.name", "mine.keras")
    assert needs_trust(draft.form.values)


def test_a_draft_is_kept_with_its_marks_and_its_errors():
    draft = DraftModel()
    draft.load_preset("quickstart-smoke")
    draft.form.set("seeds", "7, 8")
    draft.form.set("train.batch_size", "12.5")
    again = DraftModel(draft.save())
    for name in ("values", "origin", "differing", "errors"):
        assert getattr(again.form, name) == getattr(draft.form, name)
    assert again.form.differing == ["train.batch_size", "seeds"]
    other = '{"values": {"experiment": "other"}, "base": null, "origin": ""}'
    for kept in ("", "{", "[]", "{}", other):  # what is not understood counts as none
        assert DraftModel(kept).form.yaml() == DraftModel().form.yaml()


def test_only_fields_that_differ_are_shown():
    first = {"name": "a", "train": {"epochs": "6ep", "augment": {"flip": True}}, "seeds": [0, 1], "more": {}}
    first["controls"] = [{"name": "x", "levels": [0, 1]}]
    second = {"name": "b", "train": {"epochs": "6ep", "augment": {"flip": False}}, "seeds": [0, 1], "less": None}
    assert differences({"first": first, "second": second}) == [
        ("name", ["a", "b"]),
        ("train.augment.flip", ["True", "False"]),
        ("more", ["{}", "-"]),
        ("controls", ["[{name: x, levels: [0, 1]}]", "-"]),
    ]
