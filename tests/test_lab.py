"""The lab without TensorFlow: steps of a kind made for the test, which write what they are told."""

import importlib.metadata
import os
import shutil
import signal
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.processes import started
from tfticket import lab as lab_module
from tfticket.arms import TICKET, Arm
from tfticket.config import ControlStep, EvaluateStep, Execution, PruneStep, StartStep, TrainStep
from tfticket.config.schema import Config
from tfticket.errors import InputError, Stopped, TfticketError
from tfticket.fingerprint import fingerprint
from tfticket.lab import Lab, Request, _compute_one
from tfticket.listener import Listener
from tfticket.presets import load_experiment
from tfticket.registry import CONTROLS, MODELS, SCORES, STEPS, Entry, StepKind
from tfticket.run import open_run, run_folder
from tfticket.runs.files import read_json, write_json
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
    found = [read_json(folder / "result.json")["result"]["value"] for folder in context.inputs.values()]
    return {"value": config.value + sum(found)}


@pytest.fixture(autouse=True)
def echo_steps(monkeypatch):
    calls.clear()
    monkeypatch.setitem(STEPS, "echo", StepKind("echo", 1))
    monkeypatch.setattr(lab_module, "resolve", lambda target: echo)


def test_a_step_is_computed_once_and_its_inputs_reach_it(tmp_path):
    lab = Lab(tmp_path)
    one = lab.step("echo", Echo(value=1))
    two = lab.step("echo", Echo(value=2), {"one": one})
    assert two.result() == {"value": 3}
    again = Lab(tmp_path).step("echo", Echo(value=2), {"one": Lab(tmp_path).step("echo", Echo(value=1))})
    assert again == two
    assert calls == [1, 2]


def test_what_is_no_result_is_computed_again(tmp_path):
    handle = Lab(tmp_path).step("echo", Echo(value=1))
    (handle.path / "result.json").unlink()
    Lab(tmp_path).step("echo", Echo(value=1))
    assert calls == [1, 1]
    assert read_json(handle.path / "result.json")["attempt"] == 2


def test_a_damaged_result_is_refused_and_computed_again_once_its_folder_is_gone(tmp_path):
    handle = Lab(tmp_path).step("echo", Echo(value=1))
    (handle.path / "result.json").write_text("")
    with pytest.raises(
        InputError, match=rf"is not readable as JSON\. Put it back from a copy, or delete {handle.path}"
    ):
        Lab(tmp_path).step("echo", Echo(value=1))
    shutil.rmtree(handle.path)
    assert Lab(tmp_path).step("echo", Echo(value=1)).result() == {"value": 1}
    assert calls == [1, 1]


def test_the_full_fingerprint_decides_not_the_folders_name(tmp_path):
    handle = Lab(tmp_path).step("echo", Echo(value=1))
    record = read_result(handle.path)
    own = {key: value for key, value in record.items() if key not in ("checksum", "files")}
    write_result(handle.path, {**own, "fingerprint": handle.fingerprint[:16] + "0" * 48}, record["files"])
    with pytest.raises(InputError, match="another step of the same short name"):
        Lab(tmp_path).step("echo", Echo(value=1))


def test_files_of_a_found_step_are_verified(tmp_path):
    handle = Lab(tmp_path).step("echo", Echo(value=1))
    (handle.path / "events.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"events\.jsonl is not the file that this step wrote"):
        Lab(tmp_path).step("echo", Echo(value=1))


def test_steps_from_before_checksums_are_found_with_one_note(tmp_path):
    notes = []

    class Notes(Listener):
        def note(self, text):
            notes.append(text)

    for value in (1, 2):
        folder = Lab(tmp_path).step("echo", Echo(value=value)).path
        record = {key: value for key, value in read_result(folder).items() if key not in ("checksum", "files")}
        write_json(folder / "result.json", record)
    lab = Lab(tmp_path, listener=Notes())
    assert [lab.step("echo", Echo(value=value)).result() for value in (1, 2)] == [{"value": 1}, {"value": 2}]
    assert calls == [1, 2]
    assert len(notes) == 1
    assert "kept no checksums" in notes[0]


def test_a_checkpoint_stands_until_the_result_does(tmp_path, monkeypatch):
    def leaves_a_checkpoint(context, config):
        (context.folder / CHECKPOINT).touch()
        return {"value": 1}

    def full_disk(folder, record, files):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lab_module, "resolve", lambda target: leaves_a_checkpoint)
    with monkeypatch.context() as full:
        full.setattr(lab_module, "write_result", full_disk)
        with pytest.raises(OSError, match="No space left"):
            Lab(tmp_path).step("echo", Echo())
    (folder,) = (tmp_path / "steps").iterdir()
    assert (folder / CHECKPOINT).exists()
    Lab(tmp_path).step("echo", Echo())
    assert not (folder / CHECKPOINT).exists()


WAIT = """
import sys
from pathlib import Path
from tfticket.runs.files import write_json
from tfticket.runs.lease import lease
folder, fingerprint = Path(sys.argv[1]), sys.argv[2]
folder.mkdir(parents=True)
with lease(folder):
    print("held", flush=True)
    sys.stdin.readline()
    write_json(folder / "result.json", {"fingerprint": fingerprint, "result": {"value": 7}})
"""


def test_a_step_that_another_process_computes_is_waited_for_and_not_computed_again(tmp_path):
    full = fingerprint("echo", Echo(value=7), {})
    folder = tmp_path / "steps" / f"echo-{full[:16]}"
    with started([sys.executable, "-c", WAIT, folder, full], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        told = []

        class Ears(Listener):
            def waiting(self, reason):
                told.append(reason)
                other.stdin.write("go on\n")
                other.stdin.flush()

        handle = Lab(tmp_path, listener=Ears()).step("echo", Echo(value=7))
    assert handle.result() == {"value": 7}
    assert calls == []
    assert len(told) == 1
    assert f"process {other.pid}" in told[0]
    assert str(folder / "lease.json") in told[0]


def test_a_resumed_run_shows_no_fewer_steps_than_before(tmp_path):
    config = load_experiment("quickstart")
    with open_run(tmp_path, config) as lab:
        for value in (1, 2, 3):
            lab.step("echo", Echo(value=value))
    manifest = run_folder(tmp_path, config) / "manifest.json"
    with open_run(tmp_path, config) as lab:
        lab.step("echo", Echo(value=1))
        assert len(read_json(manifest)["steps"]) == 3
    assert len(read_json(manifest)["steps"]) == 1


def test_a_failed_step_leaves_its_traceback_and_no_result(tmp_path):
    lab = Lab(tmp_path)
    with pytest.raises(TfticketError, match="told to fail"):
        lab.step("echo", Echo(fail=True))
    (folder,) = (tmp_path / "steps").iterdir()
    assert "told to fail" in (folder / "log.txt").read_text()
    assert not (folder / "result.json").exists()


def test_what_reaches_a_result_changes_the_fingerprint_and_nothing_else_does(monkeypatch):
    base = fingerprint("start", StartStep(seed=0), {})
    assert fingerprint("start", StartStep(seed=0, data={"name": "mnist"}), {}) == base
    assert fingerprint("start", StartStep(seed=1), {}) != base
    assert fingerprint("start", StartStep(seed=0, data={"validation_rows": 4000}), {}) != base
    one, two = (name * 64 for name in "ab")
    control = ControlStep(control="reinitialise", seed=0)
    assert fingerprint("control", control, {"ticket": one}) != fingerprint("control", control, {"ticket": two})
    monkeypatch.setitem(STEPS, "start", StepKind(STEPS["start"].target, STEPS["start"].version + 1))
    assert fingerprint("start", StartStep(seed=0), {}) != base


class Dist:
    name, version = "theirs", "1.0"


@pytest.mark.parametrize(
    ("table", "kind", "values"),
    [
        (MODELS, "start", {"model": {"name": "theirs"}, "seed": 0}),
        (SCORES, "prune", {"score": "theirs", "rate": 0.2, "seed": 0}),
        (CONTROLS, "control", {"control": "theirs", "seed": 0}),
    ],
)
def test_a_package_counts_by_its_version_and_source(table, kind, values, tmp_path, monkeypatch):
    monkeypatch.setitem(vars(table), "_all", {**table, "theirs": Entry("their_package:theirs", "from theirs")})
    point = importlib.metadata.EntryPoint("theirs", "their_package:theirs", table.group)
    vars(point)["dist"] = Dist
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == table.group else [])
    monkeypatch.syspath_prepend(tmp_path)
    config = {"start": StartStep, "prune": PruneStep, "control": ControlStep}[kind](**values)
    found = set()
    for source, version in (("1", "1.0"), ("2", "1.0"), ("2", "1.1"), ("2", "1.1")):
        (tmp_path / "their_package.py").write_text(source)
        monkeypatch.setattr(Dist, "version", version)
        found.add(fingerprint(kind, config, {}))
    assert len(found) == 3


def test_a_package_whose_module_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(vars(MODELS), "_all", {**MODELS, "theirs": Entry("no_module:theirs", "from theirs")})
    point = importlib.metadata.EntryPoint("theirs", "no_module:theirs", MODELS.group)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    with pytest.raises(InputError, match=r"theirs .*no_module:theirs in group tfticket\.models.*entry point"):
        fingerprint("start", StartStep(model={"name": "theirs"}, seed=0), {})


@pytest.fixture
def same_rows(writers, digits, tmp_path, folders):
    """The same rows as npz, as gzipped IDX, and where they are found by a name."""
    form = writers.formats["npz"]
    npz = form.pack(form.members(digits), tmp_path / "npz")
    form = writers.formats["idx gzipped"]
    idx = form.pack(form.members(digits), tmp_path / "idx")
    (folders[0] / "digits.npz").write_bytes(npz.read_bytes())
    return [{"path": str(npz)}, {"path": str(idx)}, {"path": str(idx), "name": "mine"}, {"name": "digits"}]


@pytest.mark.parametrize("cls", [StartStep, TrainStep, EvaluateStep])
def test_equal_data_have_one_fingerprint_wherever_they_lie_and_whatever_they_are_called(cls, same_rows):
    kind = cls.__name__.removesuffix("Step").lower()
    seed = {"seed": 0} if "seed" in cls.model_fields else {}

    def full(data, **changes):
        return fingerprint(kind, cls(data={"validation_rows": 40, **data, **changes}, **seed), {})

    assert len({full(data) for data in same_rows}) == 1
    others = [{}, {"split_seed": 1}, {"validation_rows": 41}, {"train_rows": 99}, {"classes": [3, 5]}]
    others += [{"classes": [5, 3]}, {"normalise": "standard"}]
    assert len({full(same_rows[0], **changes) for changes in others}) == len(others)
    spelt_out = {"classes": [*range(10)], "train_rows": 260}
    assert full(same_rows[0], **spelt_out) == full(same_rows[0])
    assert full({"name": "mnist"}) != full(same_rows[0])


def test_data_from_elsewhere_count_by_their_checksum_too(same_rows):
    def full(others):
        return fingerprint("evaluate", EvaluateStep(out_of_distribution=others), {})

    cut = [{"validation_rows": 40, **data} for data in same_rows]
    assert len({full(one) for one in cut}) == 1
    assert len({full(one) for one in (None, {}, cut[0], {**cut[0], "classes": [0, 1]})}) == 4
    assert full(None) == fingerprint("evaluate", EvaluateStep(), {})


def test_augmentation_changes_the_fingerprint_of_a_training():
    def full(**augment):
        return fingerprint("train", TrainStep(seed=0, train={"augment": augment}), {})

    assert full() == full(flip=False, crop=0) == fingerprint("train", TrainStep(seed=0), {})
    assert len({full(), full(flip=True), full(crop=4), full(flip=True, crop=4)}) == 4


def test_the_runs_folder_follows_the_science_and_not_the_execution():
    folder = run_folder(Path("w"), load_experiment("quickstart"))
    assert run_folder(Path("w"), load_experiment("quickstart", ["execution.threads=1"])) == folder
    assert run_folder(Path("w"), load_experiment("quickstart", ["train.epochs=5"])) != folder


def test_equal_data_have_one_run_folder_wherever_they_lie_and_whatever_they_are_called(same_rows):
    def folder(data, *more):
        given = [f"data.{key}={value}" for key, value in {"validation_rows": 40, **data}.items()]
        return run_folder(Path("w"), load_experiment("quickstart", [*given, *more]))

    assert len({folder(data) for data in same_rows}) == 1
    assert folder(same_rows[0], "data.split_seed=1") != folder(same_rows[0]) != folder({"name": "mnist"})


def test_a_run_of_before_goes_on_with_each_step_once(tmp_path):
    config, folder = load_experiment("quickstart"), run_folder(tmp_path, load_experiment("quickstart"))
    arms = [TICKET, Arm("nuts", control="reinitialise", options="he_normal")]
    with open_run(tmp_path, config) as lab:
        for value, arm in enumerate(arms):
            lab.step("echo", Echo(value=value), label={"arm": arm, "seed": 0})
    today = read_json(folder / "manifest.json")["steps"]
    before = [step | {"label": {"arm": arm.key, "seed": 0}} for step, arm in zip(today, arms, strict=True)]
    write_json(folder / "manifest.json", {"steps": before})
    with pytest.raises(Stopped), open_run(tmp_path, config) as lab:  # noqa: PT012 -- it stops between two steps
        lab.step("echo", Echo(value=0), label={"arm": TICKET, "seed": 0})
        raise Stopped("by hand")
    assert read_json(folder / "manifest.json")["steps"] == today


def test_a_run_is_listed_with_labels_and_ends_done(tmp_path):
    config = load_experiment("quickstart")
    heard = []

    class Ears(Listener):
        def finished(self, kind, computed):
            heard.append(computed)

    for expected in (True, False):
        with open_run(tmp_path, config, Ears()) as lab:
            lab.step("echo", Echo(value=1), label={"arm": TICKET})
            lab.step("echo", Echo(value=1), label={"arm": TICKET})
        assert heard.pop() is expected
        assert not heard
    folder = run_folder(tmp_path, config)
    (step,) = read_json(folder / "manifest.json")["steps"]
    assert step["label"] == {"arm": TICKET.to_label()}
    assert read_json(folder / "status.json")["state"] == "done"


@pytest.mark.parametrize(
    ("error", "state"),
    [(TfticketError("no luck"), "failed"), (Stopped("enough"), "stopped"), (OSError(28, "full"), "failed")],
)
def test_a_run_that_ends_early_says_so(error, state, tmp_path):
    config = load_experiment("quickstart")
    with pytest.raises(type(error)), open_run(tmp_path, config):
        raise error
    status = read_json(run_folder(tmp_path, config) / "status.json")
    assert status["state"] == state
    assert ("traceback" in status) == (state == "failed")


def test_a_stop_file_stops_before_the_next_step(tmp_path):
    config = load_experiment("quickstart")
    with pytest.raises(Stopped), open_run(tmp_path, config) as lab:  # noqa: PT012
        lab.step("echo", Echo(value=1))
        (run_folder(tmp_path, config) / "STOP").touch()
        lab.step("echo", Echo(value=2))
    assert calls == [1]
    with open_run(tmp_path, config) as lab:
        lab.step("echo", Echo(value=2))
    assert calls == [1, 2]


HOLD = """
import sys
from pathlib import Path
from tfticket.run import open_run
from tfticket.presets import load_experiment
with open_run(Path(sys.argv[1]), load_experiment("quickstart")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_run_held_by_a_live_process_is_refused_and_taken_over_after_its_death(tmp_path):
    config = load_experiment("quickstart")
    with started([sys.executable, "-c", HOLD, tmp_path], stdin=PIPE, stdout=PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {holder.pid}"), open_run(tmp_path, config):
            pass
        assert read_json(run_folder(tmp_path, config) / "status.json")["state"] == "running"
        holder.kill()
    with open_run(tmp_path, config):
        pass
    assert read_json(run_folder(tmp_path, config) / "status.json")["state"] == "done"


def test_execution_reaches_the_step(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(lab_module, "resolve", lambda target: lambda context, config: seen.append(context.execution))
    Lab(tmp_path, Execution(threads=1)).step("echo", Echo())
    assert seen == [Execution(threads=1)]


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


def compute_chain(job, tell, should_stop):
    """As the lab's, in a process that does not know this kind of step."""
    STEPS["chain"] = StepKind(f"{__name__}:chain", 1)
    _compute_one(job, tell, should_stop)


@pytest.fixture
def chains(monkeypatch):
    """Four CPUs, and requests of steps that are computed in processes of their own."""
    monkeypatch.setitem(STEPS, "chain", StepKind("chain", 1))
    monkeypatch.setattr(lab_module, "_compute_one", compute_chain)
    monkeypatch.setattr("tfticket.config.experiment.usable_cpus", lambda: 4)
    return lambda *configs: [Request(config, {}, {"chain": n}) for n, config in enumerate(configs)]


@pytest.mark.parametrize("done", [[0], [0, 2]])
def test_a_step_has_as_many_threads_whichever_others_are_done(done, tmp_path, chains, monkeypatch):
    requests = chains(*[Chain(value=n) for n in range(3)])
    with monkeypatch.context() as before:
        before.setattr(lab_module, "resolve", lambda target: lambda context, config: {"threads": "before"})
        for number in done:
            Lab(tmp_path).step("chain", requests[number].config)
    found = [handle.result() for handle in Lab(tmp_path, Execution(processes=2)).steps("chain", requests)]
    assert [one["threads"] for one in found] == ["before" if number in done else 2 for number in range(3)]
    assert os.getpid() not in [one.get("pid") for one in found]


class Heard(Listener):
    def __init__(self):
        self.notes, self.progresses, self.names, self.computed = [], [], [], []

    def started(self, kind, folder, label, others=()):
        self.names += [label, *(its for _, its in others)]

    def progress(self, done, total, first=0):
        self.progresses.append((done, total, first))

    def note(self, text):
        self.notes.append(text)

    def finished(self, kind, computed):
        self.computed.append(computed)


def test_steps_that_are_computed_at_once_are_all_told(tmp_path, chains):
    heard = Heard()
    lab = Lab(tmp_path, Execution(processes=2), heard)
    asked = chains(Chain(first=4), Chain(value=1, first=2))
    lab.steps("chain", asked)
    assert heard.names == [{"chain": 0}, {"chain": 1}]
    assert heard.computed == [True, True]
    assert heard.progresses
    assert heard.progresses[0] in [(10, 20, 4), (10, 20, 2)]
    assert all(first <= done <= total == 20 for done, total, first in heard.progresses)
    lab.steps("chain", asked)
    assert len(heard.names) == 2


def test_a_step_that_fails_in_its_process_fails_the_run_and_the_others_are_kept(tmp_path, chains):
    asked = chains(Chain(fail=True), Chain(value=1))
    lab = Lab(tmp_path, Execution(processes=2))
    with pytest.raises(InputError, match="told to fail") as failed:
        lab.steps("chain", asked)
    assert "in chain" in failed.value.__notes__[0]
    assert lab.steps("chain", asked[1:])[0].result()["threads"] == 2
    (log,) = tmp_path.glob("steps/*/log.txt")
    assert "told to fail" in log.read_text()


def test_a_step_whose_process_is_killed_is_computed_once_more_in_the_same_way(tmp_path, chains):
    heard = Heard()
    lab = Lab(tmp_path, Execution(processes=2), heard)
    killed, other = lab.steps("chain", chains(Chain(killed=1), Chain()))
    assert killed.result()["threads"] == other.result()["threads"] == 2
    (note,) = heard.notes
    assert killed.path.name in note
    assert "killed by SIGKILL" in note
    assert "killed by SIGKILL" in (killed.path / "log.txt").read_text()
    with pytest.raises(TfticketError, match="killed by SIGKILL, also alone"):
        lab.steps("chain", chains(Chain(killed=2), Chain()))


def test_stopped_steps_in_processes_stop_the_run(tmp_path, chains):
    with pytest.raises(Stopped):
        Lab(tmp_path, Execution(processes=2), should_stop=lambda: True).steps("chain", chains(Chain(), Chain(value=1)))
    assert not list(tmp_path.glob("steps/*/result.json"))
