"""The lab: experiments ask it for steps, and it computes each step once per workspace.

A step is a function of (its configuration, its input artefacts, its seeds) that writes one folder
``steps/<kind>-<16 hex>/``. The folder's name comes from the fingerprint: a hash of the kind, its version, the
scientific fields, the inputs' fingerprints and the data's checksum. ``result.json`` is written last, so its
presence means done. Steps run here and now, in this process.
"""

import hashlib
import importlib.metadata
import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.arms import written_label
from tfticket.config import Control, DataConfig, Execution, ExperimentConfig, ModelConfig, scientific_fields
from tfticket.errors import InputError, Stopped, TfticketError
from tfticket.listener import Listener, Recorder
from tfticket.processes import Tell, run_apart
from tfticket.pruning.mask_files import mask_checksum
from tfticket.registry import CONTROLS, MODELS, SCORES, STEPS, Table, resolve
from tfticket.runs.artefacts import files_of, load_tensors, verify_step, versions
from tfticket.runs.events import EventWriter
from tfticket.runs.files import atomic_write, check_writable, write_json
from tfticket.runs.lease import InUse, lease
from tfticket.runs.records import read_record
from tfticket.runs.schemas import Status
from tfticket.runs.step import CHECKPOINT, TICKET, StepContext
from tfticket.runs.step_files import RESULT, read_result, write_result
from tfticket.runs.stop import stop_requests
from tfticket.runs.summary import read_manifest, write_manifest
from tfticket.schema import Config
from tfticket.user_networks import is_keras_file, is_user_defined, source_checksum
from tfticket.yaml_text import write_yaml


@dataclass(frozen=True)
class Handle:
    """A finished step: what it was and where it lies."""

    kind: str
    fingerprint: str
    path: Path

    def result(self) -> dict[str, Any]:
        """What the step found, from its folder."""
        found: dict[str, Any] = read_result(self.path)["result"]
        return found

    def ticket_header(self) -> dict[str, Any]:
        """Return the metadata of the ticket that the step wrote, such as the names of its weights."""
        return load_tensors(self.path / TICKET, "ticket", ())[1]


def fingerprint(kind: str, config: Config, inputs: Mapping[str, Handle]) -> str:
    """The hash that decides whether a step was computed before.

    Only scientific fields that differ from their defaults count, and all discriminators; never threads, folders
    or names of runs. Data count by their checksum, wherever they lie and whatever they are called.
    """
    parts = {
        "kind": kind,
        "version": STEPS[kind].version,
        "config": _what_counts(config),
        "inputs": {name: handle.fingerprint for name, handle in inputs.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _what_counts(config: Config) -> dict[str, Any]:
    """The scientific fields; data and .keras files by their checksum, other code that is not ours also by its own."""
    fields = scientific_fields(config)
    model = getattr(config, "model", None)
    for field in type(config).model_fields:
        if isinstance(data := getattr(config, field), DataConfig):
            from tfticket.data import load_dataset

            fields[field] = load_dataset(data).checksum
    if isinstance(model, ModelConfig) and is_user_defined(model.name):
        fields["model"]["source"] = source_checksum(model.name)
        if is_keras_file(model.name):
            del fields["model"]["name"]
    score, control = (getattr(config, name, None) for name in ("score", "control"))
    if isinstance(control, Control) and control.path is not None:
        fields["control"]["path"] = mask_checksum(control.path)
    for one, its in zip(fields.get("controls", ()), getattr(config, "controls", ()), strict=False):  # of a run
        if its.path is not None:
            one["path"] = mask_checksum(its.path)
    named = ((getattr(model, "name", None), MODELS), (score, SCORES), (getattr(control, "name", None), CONTROLS))
    for name, table in named:
        if name is not None and name in table and not table[name].target.startswith("tfticket."):
            fields[f"package of {name}"] = _package(table, name)
    return fields


def _package(table: Table, name: str) -> list[str]:
    """What changes when a package that registers a name does: its version, and the source of the name's module."""
    point = {point.name: point for point in importlib.metadata.entry_points(group=table.group)}[name]
    try:
        return [point.dist.version if point.dist else "", source_checksum(point.value)]
    except InputError:
        raise InputError(
            f"{name} is of an installed package, {point.value} in group {table.group}, but that module is not there. "
            "Update or reinstall the package, or correct its entry point."
        ) from None


@dataclass(frozen=True)
class Request:
    """A step that is asked for: see ``Lab.step``."""

    config: Config
    inputs: Mapping[str, Handle]
    label: Mapping[str, Any]


class Lab:
    """Computes steps in a workspace, each once."""

    def __init__(
        self,
        workspace: Path,
        execution: Execution | None = None,
        listener: Listener | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        run_folder: Path | None = None,
    ) -> None:
        self.workspace = workspace
        self.listener = listener or Listener()
        self._execution = execution or Execution()
        self._should_stop = should_stop
        self._run_folder = run_folder
        self._manifest: dict[str, dict[str, Any]] = {}
        self._before = _entries(run_folder) if run_folder else {}
        self._verified: set[str] = set()
        self._entered: set[str] = set()
        self._unprotected = False

    def step(
        self,
        kind: str,
        config: Config,
        inputs: Mapping[str, Handle] | None = None,
        label: Mapping[str, Any] | None = None,
    ) -> Handle:
        """Compute a step, or find it computed.

        Args:
            kind: A name in ``tfticket.registry.STEPS``.
            config: The step's configuration.
            inputs: Finished steps that it reads.
            label: What the run's report calls it, e.g. ``{"arm": TICKET, "seed": 0, "level": 3}``.

        Raises:
            Stopped: The user asked to stop; what was done is kept.
        """
        inputs = inputs or {}
        label = dict(label or {})
        handle = self._handle(kind, config, inputs)
        computed = not self._found(handle)
        if computed:
            self._compute(handle, config, inputs, label)
        self._enter(handle, label, computed)
        return handle

    def steps(self, kind: str, requests: Sequence[Request]) -> list[Handle]:
        """Compute steps that do not depend on one another, several at once in processes of their own.

        How many at once, ``execution.processes`` says. Each has the same share of the CPUs, however many of the steps
        were done before: the number of threads decides bits. One whose process is killed, as where memory runs out, is
        computed once more, alone.

        Raises:
            Stopped: The user asked to stop; what was done is kept.
            TfticketError: A step's process was killed twice.
        """
        handles = [self._handle(kind, request.config, request.inputs) for request in requests]
        processes = min(self._execution.processes_at_once, len(requests))
        pending = []
        for handle, request in zip(handles, requests, strict=True):
            if self._found(handle):
                self._enter(handle, dict(request.label), False)
            else:
                pending.append((handle, request))
        if pending and processes > 1:
            self._compute_apart(kind, pending, processes)
        for handle, request in pending:
            if not self._done(handle):
                self._compute(handle, request.config, request.inputs, dict(request.label))
            self._enter(handle, dict(request.label), True)
        return handles

    def _compute_apart(self, kind: str, asked: Sequence[tuple[Handle, Request]], processes: int) -> None:
        """Compute steps in processes of their own, each with what one of so many processes may use."""
        (folder, label), *beside = [(handle.path.name, request.label) for handle, request in asked]
        self.listener.started(kind, folder, label, beside)
        execution = self._execution.share(processes)
        known: dict[int, tuple[int, int, int]] = {}
        left = list(range(len(asked)))

        def told(place: int, progress: tuple[int, int, int] | str) -> None:
            if isinstance(progress, str):
                return self.listener.note(progress)
            known[left[place]] = progress
            done, total, first = map(sum, zip(*known.values(), strict=True))
            return self.listener.progress(done, total + (len(asked) - len(known)) * progress[1], first)

        for at_once in (processes, 1):
            jobs = [(self.workspace, execution, kind, asked[number][1]) for number in left]
            ends = run_apart(_compute_one, jobs, at_once, told, self._should_stop)
            killed = {}
            for number, end in zip(left, ends, strict=True):
                handle = asked[number][0]
                if self._done(handle):
                    continue
                if end.error is not None:
                    raise end.error
                if self._should_stop():
                    raise Stopped("stopped before a step began")
                killed[number] = f"The process that computed {handle.path.name} {end.words}"
                _log(handle.path, killed[number])
            if not killed:
                return
            left = list(killed)
            self.listener.note(f"{'. '.join(killed.values())}. Once more, alone.")
        raise TfticketError(
            f"{killed[left[0]]}, also alone. It was expected to end by itself; SIGKILL is mostly the system's, where "
            "memory runs out. Make room, then run the same command again: it goes on at the last checkpoint."
        )

    def _handle(self, kind: str, config: Config, inputs: Mapping[str, Handle]) -> Handle:
        full = fingerprint(kind, config, inputs)
        return Handle(kind, full, self.workspace / "steps" / f"{kind}-{full[:16]}")

    def _enter(self, handle: Handle, label: dict[str, Any], computed: bool) -> None:
        """Enter a finished step in the manifest, once for each label: what arms share is each of theirs."""
        entry = {"kind": handle.kind, "folder": handle.path.name, "fingerprint": handle.fingerprint, "label": label}
        if (key := _key_of(entry)) not in self._manifest:
            self._manifest[key] = entry
            self.write_manifest(self._before | self._manifest)
            if handle.fingerprint not in self._entered:
                self._entered.add(handle.fingerprint)
                self.listener.finished(handle.kind, computed)

    def keep_manifest(self) -> None:
        """Write the manifest of earlier sessions for the configuration as it is written now."""
        if self._before:
            self.write_manifest(self._before)

    def write_manifest(self, entries: dict[str, dict[str, Any]] | None = None) -> None:
        """Write which steps the run has: those of this session, or with what earlier ones had got further."""
        if self._run_folder is not None:
            write_manifest(self._run_folder, list((self._manifest if entries is None else entries).values()))

    def _done(self, handle: Handle) -> bool:
        if not (handle.path / RESULT).exists():
            return False
        if read_result(handle.path).get("fingerprint") != handle.fingerprint:
            raise InputError(f"{handle.path} belongs to another step of the same short name. Use another workspace.")
        return True

    def _found(self, handle: Handle) -> bool:
        """Whether a step is done, its files verified the first time that this lab comes upon them."""
        if not self._done(handle):
            return False
        if handle.fingerprint not in self._verified:
            self._verified.add(handle.fingerprint)
            if not verify_step(handle.path) and not self._unprotected:
                self._unprotected = True
                self.listener.note(
                    "Some steps were written by a tfticket that kept no checksums. Their files are used as they are: "
                    "nothing would tell if one were changed or exchanged."
                )
        return True

    def _compute(self, handle: Handle, config: Config, inputs: Mapping[str, Handle], label: dict[str, Any]) -> None:
        handle.path.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            attempt = self._wait_for_lease(handle, stack)
            if self._done(handle):  # another process finished it while we waited
                return
            if self._should_stop():
                raise Stopped("stopped before a step began")
            self.listener.started(handle.kind, handle.path.name, label)
            events = EventWriter(handle.path / "events.jsonl", attempt)
            write_json(handle.path / "config.json", _describe(handle, config, inputs))
            context = StepContext(
                folder=handle.path,
                inputs={name: source.path for name, source in inputs.items()},
                events=events,
                execution=self._execution,
                should_stop=self._should_stop,
                progress=lambda done, total: self.listener.progress(done, total, events.first),
                note=lambda text: self.listener.note(f"{handle.path.name}: {text}"),
            )
            events.write("start")
            began = time.perf_counter()
            try:
                result = resolve(STEPS[handle.kind].target)(context, config)
            except Stopped:
                raise
            except Exception:
                _log(handle.path, f"attempt {attempt}\n{traceback.format_exc()}")
                raise
            seconds = time.perf_counter() - began
            events.write("done", seconds=round(seconds, 3))
            record = {"fingerprint": handle.fingerprint, "kind": handle.kind, "seconds": seconds, "attempt": attempt}
            files = files_of(handle.path)
            write_result(handle.path, {**record, "versions": versions(), "result": result}, files)
            self._verified.add(handle.fingerprint)
            (handle.path / CHECKPOINT).unlink(missing_ok=True)

    def _wait_for_lease(self, handle: Handle, stack: ExitStack) -> int:
        """Take the step's lease; while another run computes the step, wait for it."""
        told = False
        while True:
            try:
                return stack.enter_context(lease(handle.path))
            except InUse as busy:
                if not told:
                    self.listener.waiting(
                        f"waiting for process {busy.holder['pid']} on {busy.holder['host']}, which computes "
                        f"{handle.path.name}; if it is no more, delete {handle.path / 'lease.json'}"
                    )
                    told = True
                if self._should_stop():
                    raise Stopped("stopped while another run computes the step") from None
                time.sleep(0.2)


class _Telling(Listener):
    """Tells another process how far a step is."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def note(self, text: str) -> None:
        self._tell(text)

    def progress(self, done: int, total: int, first: int = 0) -> None:
        self._tell((done, total, first))


def _compute_one(job: tuple[Path, Execution, str, Request], tell: Tell, should_stop: Callable[[], bool]) -> None:
    """A step in a process of its own."""
    workspace, execution, kind, request = job
    Lab(workspace, execution, _Telling(tell), should_stop).step(kind, request.config, request.inputs, request.label)


def _log(folder: Path, text: str) -> None:
    """Keep in a step's folder why it failed."""
    with suppress(OSError), (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"{text}\n")


def _entries(folder: Path) -> dict[str, dict[str, Any]]:
    """The entries of a run's manifest by what makes them one; none where there is no manifest or it is damaged."""
    try:
        return {_key_of(entry): entry for entry in read_manifest(folder)}
    except (InputError, KeyError):
        return {}


def _key_of(entry: Mapping[str, Any]) -> str:
    return f"{entry['fingerprint']} {json.dumps(written_label(entry['label']), sort_keys=True)}"


def _describe(handle: Handle, config: Config, inputs: Mapping[str, Handle]) -> dict[str, Any]:
    return {
        "kind": handle.kind,
        "version": STEPS[handle.kind].version,
        "fingerprint": handle.fingerprint,
        "config": config.model_dump(mode="json"),
        "inputs": {name: source.path.name for name, source in inputs.items()},
    }


RUN_VERSION = 2
"""Of runs' folders: raised when an experiment's default changes, so that a run is not taken for one of before."""


def run_folder(workspace: Path, config: ExperimentConfig) -> Path:
    """The folder of a run; the same configuration has the same folder, which is how a run resumes."""
    text = json.dumps({"version": RUN_VERSION, **_what_counts(config)}, sort_keys=True)
    return workspace / "runs" / f"{config.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _first_start(status: Path) -> float:
    """When the run began, before whatever interrupted it."""
    try:
        return read_record(status, Status)["started"]
    except InputError:
        return time.time()


@contextmanager
def open_run(workspace: Path, config: ExperimentConfig, listener: Listener | None = None) -> Iterator[Lab]:
    """Open the run of a configuration, new or to be resumed, and give it a lab.

    Keeps ``status.json`` true: running, then done, stopped or failed (with the traceback).

    Raises:
        InputError: The workspace cannot be written, or a live process holds this run.
    """
    workspace = workspace.absolute()
    folder = run_folder(workspace, config)
    check_writable(folder, "--workspace")
    started = _first_start(folder / "status.json")

    def status(state: str, **values: Any) -> None:
        record = {"state": state, "experiment": config.experiment, "started": started, "updated": time.time()}
        with suppress(OSError):  # a full disk must not hide the error that is being reported
            write_json(folder / "status.json", {**record, **values}, sync=False)

    with ExitStack() as stack:
        try:
            stack.enter_context(lease(folder))
        except InUse as busy:
            raise InputError(
                f"{folder} is in use: process {busy.holder['pid']} on {busy.holder['host']} is running it. "
                "Wait for it, stop it, or give the new run another name. "
                f"If that process is no more, delete {folder / 'lease.json'}."
            ) from None
        should_stop = stack.enter_context(stop_requests(folder))
        text = write_yaml(config.model_dump(mode="json"))
        atomic_write(folder / "config.yaml", lambda file: file.write_text(text, encoding="utf-8"))
        status("running")
        recorder = Recorder(folder, listener or Listener())
        stack.callback(recorder.close)
        lab = Lab(workspace, config.execution, recorder, should_stop, folder)
        lab.keep_manifest()
        try:
            yield lab
            lab.write_manifest()
        except (Stopped, KeyboardInterrupt) as stopped:
            status("stopped")
            if isinstance(stopped, Stopped):
                raise
            raise Stopped("stopped at once; the last checkpoint stands") from None
        except Exception as error:
            status("failed", message=str(error), traceback=traceback.format_exc())
            if isinstance(error, InputError):  # it is no matter of input any more: steps were computed
                raise TfticketError(
                    f"{error} The finished steps are kept; a run with other options uses them again."
                ) from error
            raise
        status("done")
