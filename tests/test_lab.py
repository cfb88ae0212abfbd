"""The lab without TensorFlow: steps of kinds made for the tests."""

import importlib.metadata
import os
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest

from tests.refusals import refused
from tfticket import lab as lab_module
from tfticket.arms import TICKET
from tfticket.config import ControlStep, EvaluateStep, Execution, PruneStep, StartStep
from tfticket.config.schema import Config
from tfticket.errors import InputError, Stopped, TfticketError
from tfticket.fingerprint import fingerprint
from tfticket.lab import Lab, Request, _compute_one
from tfticket.listener import Listener
from tfticket.presets import load_experiment
from tfticket.registry import CONTROLS, MODELS, SCORES, STEPS, Entry, StepKind
from tfticket.run import open_run, run_folder
from tfticket.runs.files import read_json, write_json
from tfticket.runs.lease import lease
from tfticket.runs.step import CHECKPOINT
from tfticket.runs.step_files import read_result, write_result

calls: list[int] = []


class Echo(Config):
    value: int = 0
    fail: bool = False


def echo(context, config):
    calls.append(config.value)
    if config.fail:
        raise TfticketError("it was told to fail")
    values = [read_json(folder / "result.json")["result"]["value"] for folder in context.inputs.values()]
    return {"value": config.value + sum(values)}


def resolving(step, configure=lambda threads: None):
    """Return a function that finds a step for its kind's target, and one that sets threads without TensorFlow."""
    return lambda target: configure if target == "tfticket.backend:configure" else step


def heard(method):
    """What a listener that is a mock was told, call after call."""
    return [call.args for call in method.call_args_list]


@pytest.fixture(autouse=True)
def echo_steps(monkeypatch):
    calls.clear()
    monkeypatch.setitem(STEPS, "echo", StepKind("echo", 1))
    monkeypatch.setattr(lab_module, "resolve", resolving(echo))


@pytest.fixture
def config():
    return load_experiment("quickstart")


# Steps


def test_a_step_is_computed_once_and_its_inputs_reach_it(tmp_path):
    lab = Lab(tmp_path)
    two = lab.step("echo", Echo(value=2), {"one": lab.step("echo", Echo(value=1))})
    assert two.result() == {"value": 3}
    again = Lab(tmp_path).step("echo", Echo(value=2), {"one": Lab(tmp_path).step("echo", Echo(value=1))})
    assert (again, calls) == (two, [1, 2])
    (two.path / "result.json").unlink()
    Lab(tmp_path).step("echo", Echo(value=2), {"one": Lab(tmp_path).step("echo", Echo(value=1))})
    assert (calls, read_json(two.path / "result.json")["attempt"]) == ([1, 2, 2], 2)


def other_fingerprint(folder):
    record = read_result(folder)
    own = {key: value for key, value in record.items() if key not in ("checksum", "files")}
    write_result(folder, {**own, "fingerprint": record["fingerprint"][:16] + "0" * 48}, record["files"])


def test_a_damaged_step_is_refused_and_computed_again_once_its_folder_is_gone(tmp_path):
    for harm, mention in (
        (lambda folder: (folder / "result.json").write_text(""), "result.json"),
        (lambda folder: (folder / "events.jsonl").write_text("{}\n"), "events.jsonl"),
        (other_fingerprint, "another step of the same short name"),
    ):
        handle = Lab(tmp_path).step("echo", Echo(value=1))
        harm(handle.path)
        with pytest.raises(InputError) as error:
            Lab(tmp_path).step("echo", Echo(value=1))
        assert all(part in str(error.value) for part in (mention, str(handle.path)))
        shutil.rmtree(handle.path)
    assert Lab(tmp_path).step("echo", Echo(value=1)).result() == {"value": 1}
    assert calls == [1] * 4


def test_a_checkpoint_stands_until_the_result_does_and_execution_reaches_the_step(tmp_path, monkeypatch):
    executions, threads = [], []

    def leave_a_checkpoint(context, config):
        executions.append(context.execution)
        (context.folder / CHECKPOINT).touch()
        return {"value": 1}

    def fill_the_disk(folder, record, files):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lab_module, "resolve", resolving(leave_a_checkpoint, threads.append))
    with monkeypatch.context() as full:
        full.setattr(lab_module, "write_result", fill_the_disk)
        with pytest.raises(OSError, match="No space left"):
            Lab(tmp_path, Execution(threads=1)).step("echo", Echo())
    (folder,) = (tmp_path / "steps").iterdir()
    assert (folder / CHECKPOINT).exists()
    Lab(tmp_path).step("echo", Echo())
    assert not (folder / CHECKPOINT).exists()
    assert (executions, threads) == ([Execution(threads=1), Execution()], [1])


def test_a_step_that_another_lab_computes_is_waited_for_and_not_computed_again(tmp_path):
    full = fingerprint("echo", Echo(value=7), {})
    folder = tmp_path / "steps" / f"echo-{full[:16]}"
    folder.mkdir(parents=True)
    with ExitStack() as other:

        def finish():
            write_json(folder / "result.json", {"fingerprint": full, "result": {"value": 7}})
            other.close()

        other.enter_context(lease(folder))
        listener = mock.create_autospec(Listener, instance=True)
        listener.waiting.side_effect = lambda reason: finish()
        handle = Lab(tmp_path, listener=listener).step("echo", Echo(value=7))
    assert (handle.result(), calls) == ({"value": 7}, [])
    ((reason,),) = heard(listener.waiting)
    assert f"process {os.getpid()}" in reason
    assert str(folder / "lease.json") in reason


# Fingerprints


def test_what_reaches_a_result_changes_the_fingerprint_and_nothing_else_does(monkeypatch):
    base = fingerprint("start", StartStep(seed=0), {})
    assert fingerprint("start", StartStep(seed=0, data={"name": "mnist"}), {}) == base
    control = ControlStep(control="reinitialise", seed=0)
    others = [fingerprint("control", control, {"ticket": letter * 64}) for letter in "ab"]
    others += [fingerprint("start", StartStep(seed=1), {}), base]
    monkeypatch.setitem(STEPS, "start", StepKind(STEPS["start"].target, STEPS["start"].version + 1))
    assert len({*others, fingerprint("start", StartStep(seed=0), {})}) == 5


class Dist:
    name, version = "theirs", "1.0"


@pytest.mark.parametrize(
    ("table", "step"),
    [
        (MODELS, lambda: StartStep(model={"name": "theirs"}, seed=0)),
        (SCORES, lambda: PruneStep(score="theirs", rate=0.2, seed=0)),
        (CONTROLS, lambda: ControlStep(control="theirs", seed=0)),
    ],
)
def test_a_package_counts_by_its_version_and_source(table, step, tmp_path, monkeypatch):
    monkeypatch.setitem(vars(table), "_all", {**table, "theirs": Entry("their_package:theirs", "from theirs")})
    point = importlib.metadata.EntryPoint("theirs", "their_package:theirs", table.group)
    vars(point)["dist"] = Dist
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == table.group else [])
    config = step()
    kind = type(config).__name__.removesuffix("Step").lower()
    with pytest.raises(InputError, match="their_package:theirs"):  # no such module
        fingerprint(kind, config, {})
    monkeypatch.syspath_prepend(tmp_path)
    fingerprints = []
    for source, version in (("1", "1.0"), ("2", "1.0"), ("2", "1.1"), ("2", "1.1")):
        (tmp_path / "their_package.py").write_text(source)
        monkeypatch.setattr(Dist, "version", version)
        fingerprints.append(fingerprint(kind, config, {}))
    assert len(set(fingerprints)) == 3
    assert fingerprints[2] == fingerprints[3]


@pytest.fixture
def same_rows(writers, digits, tmp_path, folders):
    """The same rows as npz, as gzipped IDX, and where they are found by a name."""
    npz, idx = (
        writers.formats[name].pack(writers.formats[name].members(digits), tmp_path / name)
        for name in ("npz", "idx gzipped")
    )
    (folders[0] / "digits.npz").write_bytes(npz.read_bytes())
    return [{"path": str(npz)}, {"path": str(idx)}, {"path": str(idx), "name": "mine"}, {"name": "digits"}]


def test_equal_data_have_one_fingerprint_and_one_run_wherever_they_lie_and_whatever_they_are_called(same_rows):
    cut = [{"validation_rows": 40, **data} for data in same_rows]
    changed = [{}, {"split_seed": 1}, {"validation_rows": 41}, {"train_rows": 99}, {"classes": [3, 5]}]
    changed += [{"classes": [5, 3]}, {"normalise": "standard"}]
    for kind, cls, seed in (("start", StartStep, {"seed": 0}), ("evaluate", EvaluateStep, {})):

        def full(data, kind=kind, cls=cls, seed=seed):
            return fingerprint(kind, cls(data=data, **seed), {})

        assert len({full(data) for data in cut}) == 1
        assert len({full({**cut[0], **changes}) for changes in changed}) == len(changed)
        spelt_out = {"classes": [*range(10)], "train_rows": 260}
        assert full({**cut[0], **spelt_out}) == full(cut[0]) != full({"validation_rows": 40, "name": "mnist"})

    def outside(others):
        return fingerprint("evaluate", EvaluateStep(out_of_distribution=others), {})

    assert len({outside(data) for data in cut}) == 1
    assert len({outside(data) for data in (None, {}, cut[0], {**cut[0], "classes": [0, 1]})}) == 4

    def folder(*overrides):
        return run_folder(Path("w"), load_experiment("quickstart", overrides))

    assert len({folder(*(f"data.{key}={value}" for key, value in data.items())) for data in cut}) == 1
    assert folder("execution.threads=1") == folder() != folder("data.split_seed=1")  # follows the science alone


# Runs


def test_a_run_is_listed_with_labels_ends_done_and_resumes_with_no_fewer_steps(config, tmp_path):
    folder, listener = run_folder(tmp_path, config), mock.create_autospec(Listener, instance=True)
    for _ in range(2):
        with open_run(tmp_path, config, listener) as lab:
            for value in (1, 1, 2):
                lab.step("echo", Echo(value=value), label={"arm": TICKET})
    assert heard(listener.finished) == [("echo", computed) for computed in (True, True, False, False)]
    assert [step["label"] for step in read_json(folder / "manifest.json")["steps"]] == [{"arm": TICKET.to_label()}] * 2
    assert read_json(folder / "status.json")["state"] == "done"
    with open_run(tmp_path, config) as lab:
        lab.step("echo", Echo(value=1), label={"arm": TICKET})
        assert len(read_json(folder / "manifest.json")["steps"]) == 2
    assert len(read_json(folder / "manifest.json")["steps"]) == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [(TfticketError("no luck"), "failed"), (Stopped("enough"), "stopped"), (OSError(28, "full"), "failed")],
)
def test_a_run_is_held_while_it_is_running_and_keeps_how_it_ended(error, state, config, tmp_path):
    path = run_folder(tmp_path, config) / "status.json"
    with pytest.raises(type(error)), open_run(tmp_path, config):  # noqa: PT012
        with refused(None, None, f"process {os.getpid()}"), open_run(tmp_path, config):
            pass
        assert read_json(path)["state"] == "running"
        raise error
    assert (read_json(path)["state"], "traceback" in read_json(path)) == (state, state == "failed")


def test_a_stop_file_stops_before_the_next_step_and_a_failed_step_leaves_its_traceback(config, tmp_path):
    with pytest.raises(Stopped), open_run(tmp_path, config) as lab:  # noqa: PT012
        lab.step("echo", Echo(value=1))
        (run_folder(tmp_path, config) / "STOP").touch()
        lab.step("echo", Echo(value=2))
    assert calls == [1]
    with pytest.raises(TfticketError, match="told to fail"), open_run(tmp_path, config) as lab:
        lab.step("echo", Echo(value=2, fail=True))
    (log,) = tmp_path.glob("steps/*/log.txt")
    assert ("in echo" in log.read_text(), (log.parent / "result.json").exists()) == (True, False)


# Steps in processes of their own


class Chain(Config):
    value: int = 0
    first: int = 0
    killed: int = 0
    fail: bool = False


def chain(context, config):
    """A step for a process of its own: killed so many times, then it fails or says who computed it."""
    attempts = context.folder / "attempts"
    before = int(attempts.read_text()) if attempts.exists() else 0
    attempts.write_text(str(before + 1))
    if before < config.killed:
        os.kill(os.getpid(), signal.SIGKILL)
    if config.fail:
        raise InputError("it was told to fail")
    context.events.write("begin", iteration=config.first)
    context.progress(10, 10)
    return {"threads": context.execution.threads, "pid": os.getpid()}


def compute_chain(job, send, should_stop):
    """As the lab's, in a process that does not know this kind of step."""
    STEPS["chain"] = StepKind(f"{__name__}:chain", 1)
    lab_module.resolve = resolving(chain)
    _compute_one(job, send, should_stop)


@pytest.fixture
def chains(monkeypatch):
    """Four CPUs, and requests of steps that are computed in processes of their own."""
    monkeypatch.setitem(STEPS, "chain", StepKind("chain", 1))
    monkeypatch.setattr(lab_module, "_compute_one", compute_chain)
    monkeypatch.setattr("tfticket.config.experiment.usable_cpus", lambda: 4)
    return lambda *configs: [Request(config, {}, {"chain": n}) for n, config in enumerate(configs)]


TWO = Execution(processes=2)


def test_a_step_has_as_many_threads_whichever_others_are_done(tmp_path, chains, monkeypatch):
    requests = chains(*[Chain(value=n) for n in range(3)])
    with monkeypatch.context() as before:
        before.setattr(lab_module, "resolve", resolving(lambda context, config: {"threads": "before"}))
        for number in (0, 2):
            Lab(tmp_path).step("chain", requests[number].config)
    results = [handle.result() for handle in Lab(tmp_path, TWO).steps("chain", requests)]
    assert [result["threads"] for result in results] == ["before", 2, "before"]
    assert os.getpid() != results[1]["pid"]


def test_steps_that_are_computed_at_once_are_all_heard_of_and_a_failing_one_fails_the_run(tmp_path, chains):
    listener = mock.create_autospec(Listener, instance=True)
    lab, requests = Lab(tmp_path, TWO, listener), chains(Chain(first=4), Chain(value=1, first=2))
    lab.steps("chain", requests)
    ((_, _, label, ((_, other),)),) = heard(listener.started)
    assert (label, other, heard(listener.finished)) == ({"chain": 0}, {"chain": 1}, [("chain", True)] * 2)
    progresses = heard(listener.progress)
    assert progresses[0] in [(10, 20, 4), (10, 20, 2)]
    assert all(first <= done <= total == 20 for done, total, first in progresses)
    lab.steps("chain", requests)
    listener.started.assert_called_once()
    failing = chains(Chain(fail=True), Chain(value=3))
    with pytest.raises(InputError, match="told to fail") as failed:
        lab.steps("chain", failing)
    assert "in chain" in failed.value.__notes__[0]
    assert Lab(tmp_path, TWO).steps("chain", failing[1:])[0].result()["threads"] == 2
    (log,) = tmp_path.glob("steps/*/log.txt")
    assert "told to fail" in log.read_text()


def test_a_step_whose_process_is_killed_is_computed_once_more_in_the_same_way(tmp_path, chains):
    listener = mock.create_autospec(Listener, instance=True)
    lab = Lab(tmp_path, TWO, listener)
    killed, other = lab.steps("chain", chains(Chain(killed=1), Chain()))
    assert killed.result()["threads"] == other.result()["threads"] == 2
    ((note,),) = heard(listener.note)
    assert killed.path.name in note
    assert all("killed by SIGKILL" in text for text in (note, (killed.path / "log.txt").read_text()))
    with pytest.raises(TfticketError, match="killed by SIGKILL"):
        lab.steps("chain", chains(Chain(killed=2), Chain()))


def test_stopped_steps_in_processes_stop_the_run(tmp_path, chains):
    with pytest.raises(Stopped):
        Lab(tmp_path, TWO, should_stop=lambda: True).steps("chain", chains(Chain(), Chain(value=1)))
    assert not list(tmp_path.glob("steps/*/result.json"))
