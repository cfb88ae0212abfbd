"""The lab: experiments ask it for steps, and it computes each step once per workspace.

A step is a function of (its configuration, its input artefacts, its seeds) that writes one folder
``steps/<kind>-<16 hex>/``. The folder's name comes from the fingerprint: a hash of the kind, its version, the
scientific fields, the inputs' fingerprints and the data's checksum. ``result.json`` is written last, so its
presence means done. Steps run here and now, in this process.
"""

import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tfticket.arms import written_label
from tfticket.config import Execution
from tfticket.config.schema import Config
from tfticket.errors import InputError, Stopped, TfticketError
from tfticket.fingerprint import fingerprint
from tfticket.listener import Listener
from tfticket.processes import Send, Workers
from tfticket.registry import STEPS, resolve
from tfticket.runs.artefacts import files_of, load_tensors, verify_step, versions
from tfticket.runs.events import EventWriter
from tfticket.runs.files import write_json
from tfticket.runs.lease import InUse, lease
from tfticket.runs.run_folder import Step, read_steps, write_manifest
from tfticket.runs.step import CHECKPOINT, TICKET, StepContext
from tfticket.runs.step_files import RESULT, read_result, write_result


@dataclass(frozen=True)
class Handle:
    """A finished step: what it was and where it lies."""

    kind: str
    fingerprint: str
    path: Path

    def result(self) -> dict[str, Any]:
        """Return the step's result, from its folder."""
        result: dict[str, Any] = read_result(self.path)["result"]
        return result

    def ticket_header(self) -> dict[str, Any]:
        """Return the metadata of the ticket that the step wrote, such as the names of its weights."""
        return load_tensors(self.path / TICKET, "ticket", ())[1]


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
        self._manifest: dict[str, Step] = {}
        self._before = _steps_before(run_folder) if run_folder else {}
        self._verified: set[str] = set()
        self._entered: set[str] = set()
        self._unprotected = False
        self._workers = Workers(_compute_one)
        self._worker_threads: int | None = None

    def close(self) -> None:
        """End the processes that compute steps side by side."""
        self._workers.close()

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
        computed = not self._is_done_and_verified(handle)
        if computed:
            self._compute(handle, config, inputs, label)
        self._enter(handle, label, computed)
        return handle

    def steps(self, kind: str, requests: Sequence[Request], threads: int | None = None) -> list[Handle]:
        """Compute steps that do not depend on one another, several at once in other processes.

        ``execution.processes`` says how many at once, and free memory may allow fewer. The number of threads, which
        decides bits, depends on neither: each step has the same share of the CPUs, however many of the steps were done
        before. A step whose process is killed, as where memory runs out, is computed once more, alone.

        Args:
            kind: A name in ``tfticket.registry.STEPS``.
            requests: The steps.
            threads: Of each step, unless ``execution.threads`` is set; None: its share of the CPUs.

        Raises:
            Stopped: The user asked to stop; what was done is kept.
            TfticketError: A step's process was killed twice.
        """
        handles = [self._handle(kind, request.config, request.inputs) for request in requests]
        processes = min(self._execution.processes_at_once, len(requests))
        execution = self._execution.share(processes, threads)
        pending = []
        for handle, request in zip(handles, requests, strict=True):
            if self._is_done_and_verified(handle):
                self._enter(handle, dict(request.label), False)
            else:
                pending.append((handle, request))
        if pending and processes > 1:
            self._compute_in_processes(kind, pending, processes, execution)
        for handle, request in pending:
            if not self._done(handle):
                self._compute(handle, request.config, request.inputs, dict(request.label))
            self._enter(handle, dict(request.label), True)
        return handles

    def _compute_in_processes(
        self, kind: str, asked: Sequence[tuple[Handle, Request]], processes: int, execution: Execution
    ) -> None:
        """Compute steps in other processes, at most so many at once."""
        (folder, label), *others = [(handle.path.name, request.label) for handle, request in asked]
        self.listener.started(kind, folder, label, others)
        known: dict[int, tuple[int, int, int]] = {}
        left = list(range(len(asked)))

        def on_message(place: int, progress: tuple[int, int, int] | str) -> None:
            if isinstance(progress, str):
                return self.listener.note(progress)
            known[left[place]] = progress
            done, total, first = map(sum, zip(*known.values(), strict=True))
            return self.listener.progress(done, total + (len(asked) - len(known)) * progress[1], first)

        if execution.threads != self._worker_threads:  # TensorFlow's threads are set once in a process
            self._workers.close()
            self._workers, self._worker_threads = Workers(_compute_one), execution.threads
        for at_once in (min(processes, _most_processes()), 1):
            jobs = [(self.workspace, execution, kind, asked[number][1]) for number in left]
            ends = self._workers.run(jobs, at_once, on_message, self._should_stop)
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
        full = fingerprint(kind, config, {name: source.fingerprint for name, source in inputs.items()})
        return Handle(kind, full, self.workspace / "steps" / f"{kind}-{full[:16]}")

    def _enter(self, handle: Handle, label: dict[str, Any], computed: bool) -> None:
        """Enter a finished step in the manifest, once for each label: what arms share is each of theirs."""
        step = Step(self._run_folder or Path(), handle.kind, handle.path, label, handle.fingerprint)
        if (key := _key_of(step)) not in self._manifest:
            self._manifest[key] = step
            self.write_manifest(self._before | self._manifest)
            if handle.fingerprint not in self._entered:
                self._entered.add(handle.fingerprint)
                self.listener.finished(handle.kind, computed)

    def keep_manifest(self) -> None:
        """Write the manifest of earlier sessions for the configuration as it is written now."""
        self.write_manifest(self._before)

    def write_manifest(self, steps: Mapping[str, Step] | None = None) -> None:
        """Write which steps the run has: those of this session, or with what earlier ones had got further."""
        if self._run_folder is not None:
            write_manifest(self._run_folder, list((self._manifest if steps is None else steps).values()))

    def _done(self, handle: Handle) -> bool:
        if not (handle.path / RESULT).exists():
            return False
        if read_result(handle.path).get("fingerprint") != handle.fingerprint:
            raise InputError(f"{handle.path} belongs to another step of the same short name. Use another workspace.")
        return True

    def _is_done_and_verified(self, handle: Handle) -> bool:
        """Return True if a step is done; verify its files the first time."""
        if not self._done(handle):
            return False
        if handle.fingerprint not in self._verified:
            self._verified.add(handle.fingerprint)
            if not verify_step(handle.path) and not self._unprotected:
                self._unprotected = True
                self.listener.note(
                    "Some steps were written by a tfticket that kept no checksums. Their files are used as they are: "
                    "changed files cannot be detected."
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
            known = {"kind": handle.kind, "version": STEPS[handle.kind].version, "fingerprint": handle.fingerprint}
            names = {name: source.path.name for name, source in inputs.items()}
            values = config.model_dump(mode="json")
            write_json(handle.path / "config.json", {**known, "config": values, "inputs": names})
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
                run_step = resolve(STEPS[handle.kind].target)  # imports TensorFlow
                if self._execution.threads is not None:
                    resolve("tfticket.backend:configure")(self._execution.threads)
                result = run_step(context, config)
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
        announced = False
        while True:
            try:
                return stack.enter_context(lease(handle.path))
            except InUse as busy:
                if not announced:
                    self.listener.waiting(
                        f"waiting for process {busy.holder['pid']} on {busy.holder['host']}, which computes "
                        f"{handle.path.name}; if it no longer exists, delete {handle.path / 'lease.json'}"
                    )
                    announced = True
                if self._should_stop():
                    raise Stopped("stopped while another run computes the step") from None
                time.sleep(0.2)


class _Sender(Listener):
    """Sends a step's progress to the parent process."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def note(self, text: str) -> None:
        self._send(text)

    def progress(self, done: int, total: int, first: int = 0) -> None:
        self._send((done, total, first))


PROCESS_BYTES = 2**30
"""Memory that a process which computes a step takes at least: TensorFlow, a network and its data."""


def _most_processes() -> int:
    """Return the number of processes for which there is memory, at least one."""
    return max(1, psutil.virtual_memory().available // PROCESS_BYTES)


def _compute_one(job: tuple[Path, Execution, str, Request], send: Send, should_stop: Callable[[], bool]) -> None:
    """Compute a step in a worker process."""
    workspace, execution, kind, request = job
    Lab(workspace, execution, _Sender(send), should_stop).step(kind, request.config, request.inputs, request.label)


def _log(folder: Path, text: str) -> None:
    """Keep in a step's folder why it failed."""
    with suppress(OSError), (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"{text}\n")


def _steps_before(folder: Path) -> dict[str, Step]:
    """The steps of a run's manifest by their keys; none where there is no manifest or it is damaged."""
    try:
        return {_key_of(step): step for step in read_steps(folder)}
    except InputError:
        return {}


def _key_of(step: Step) -> str:
    return f"{step.fingerprint} {json.dumps(written_label(step.label), sort_keys=True)}"
