"""The one reader of run folders: find runs, read them, and read the steps that they name.

Reading is strict, for work; ``list_runs`` is lenient, for lists: a folder that cannot be read has the state 'damaged'.
"""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tfticket.arms import written_label
from tfticket.errors import InputError, shortened
from tfticket.runs.files import check_file, read_json, write_json
from tfticket.runs.lease import holder_of
from tfticket.runs.records import checked, read_record
from tfticket.runs.schemas import Evaluation, MadeTicket, Manifest, Status
from tfticket.runs.step_files import CHECKSUM, RESULT, Damaged, checksum_of, checksum_of_bytes, read_config, read_result
from tfticket.text import counted
from tfticket.yaml_text import read_yaml

STATUS, CONFIG, MANIFEST = "status.json", "config.yaml", "manifest.json"

EVALUATIONS = ("evaluate", "ensemble", "pool")
"""Kinds of steps that say how good an arm is."""

_RESULTS: dict[str, Any] = {**dict.fromkeys(EVALUATIONS, Evaluation), **dict.fromkeys(("start", "prune"), MadeTicket)}
"""Kind of step -> schema of its result, where others read it."""

_MOST_YAML = 2**24
"""Bytes that no configuration has."""


@dataclass(frozen=True)
class Step:
    """A step of a run.

    Attributes:
        run: The run's folder.
        kind: A name in ``tfticket.registry.STEPS``.
        path: The step's folder.
        label: The run's name for it: arm, seed, level, replicate, density and others, where they apply.
        fingerprint: Its hash; '' where the manifest has none.
    """

    run: Path
    kind: str
    path: Path
    label: Mapping[str, Any]
    fingerprint: str = ""

    def __hash__(self) -> int:
        return hash((self.kind, self.path))

    @property
    def is_done(self) -> bool:
        """True if it has a result."""
        return os.path.exists(self.path / RESULT)  # noqa: PTH110 -- of many at every poll

    @cached_property
    def result(self) -> dict[str, Any]:
        """The result, read once."""
        with self.advice():
            result: dict[str, Any] = read_result(self.path)["result"]
            return checked(result, _RESULTS[self.kind], str(self.path / RESULT)) if self.kind in _RESULTS else result

    @cached_property
    def inputs(self) -> dict[str, Path]:
        """Name -> folder of each step that this one reads, in order."""
        with self.advice():
            return inputs_of(self.path)

    @contextmanager
    def advice(self) -> Iterator[None]:
        """Add to an ``InputError`` about a file of the step how to get the file back, unless it says so already."""
        try:
            yield
        except InputError as error:
            if isinstance(error, Damaged) and error.has_advice:
                raise
            raise InputError(f"{error} {_how_to_recompute(self.run)}") from None

    @property
    def entry(self) -> dict[str, Any]:
        """The step as the manifest has it."""
        label = written_label(self.label)
        return {"kind": self.kind, "folder": self.path.name, "fingerprint": self.fingerprint, "label": label}


@dataclass(frozen=True)
class RunFolder:
    """A run, as its folder has it.

    Attributes:
        folder: Its path.
        config: Its configuration, as plain values.
        status: state, experiment, started, updated, and message and traceback of a failure.
        all_steps: In the manifest's order.
        has_checksums: False if it was written before run folders had checksums.
    """

    folder: Path
    config: dict[str, Any]
    status: dict[str, Any]
    all_steps: tuple[Step, ...] = ()
    has_checksums: bool = True

    @property
    def state(self) -> str:
        """'running', 'done', 'stopped', 'failed', 'damaged', or 'killed' if its process has vanished."""
        return state_of(self.folder, self.status["state"])

    @property
    def workspace(self) -> Path:
        """The workspace that the run is in."""
        return self.folder.resolve().parents[1]

    def steps(self, *kinds: str) -> list[Step]:
        """Return the steps of some kinds; without kinds, all."""
        return [step for step in self.all_steps if not kinds or step.kind in kinds]


def read_run(folder: Path) -> RunFolder:
    """Read a run folder."""
    folder = folder.resolve()
    if not os.path.lexists(folder / STATUS):
        raise InputError(f"{folder} is not a run folder: it has no status.json. `tfticket list runs` shows the runs.")
    status: dict[str, Any] = {"experiment": "?", **read_record(folder / STATUS, Status)}
    config, manifest = read_configuration(folder), _manifest(folder)
    if manifest and "config" in manifest and manifest["config"] != checksum_of_bytes(folder / CONFIG):
        raise InputError(
            f"{folder / CONFIG} is not the configuration of this run's manifest: one of the two was changed or "
            f"exchanged. Put them back from a copy, or start the configuration again: tfticket run {folder / CONFIG}"
        )
    if manifest is None and (status["state"] == "done" or "format" in status):
        raise InputError(
            f"{folder} has no manifest.json, which names its steps. Put it back from a copy, or write it again by "
            f"`tfticket run {folder / CONFIG} --workspace {folder.parents[1]}`; finished steps are kept."
        )
    steps = steps_from(folder, manifest["steps"]) if manifest else []
    return RunFolder(folder, config, status, tuple(steps), has_checksums=manifest is None or "config" in manifest)


def run_folders(workspace: Path) -> list[Path]:
    """Return the folders of a workspace's runs, readable or not, by name."""
    return sorted({file.parent for name in (STATUS, CONFIG) for file in (workspace / "runs").glob(f"*/{name}")})


def list_runs(workspace: Path) -> list[RunFolder]:
    """Return every run of a workspace, the newest first; a folder that cannot be read has the state 'damaged'."""
    runs = []
    for path in run_folders(workspace):
        try:
            runs.append(read_run(path))
        except InputError as error:
            damaged = {"state": "damaged", "experiment": "?", "started": path.stat().st_mtime, "message": str(error)}
            runs.append(RunFolder(path, {}, damaged))
    return sorted(runs, key=lambda run: run.status["started"], reverse=True)


def find_run(workspace: Path, name: str) -> RunFolder:
    """Find a run by its folder or its name; by its configuration's name, the newest; by how its name begins."""
    if not name.strip():
        raise InputError("The run's name is empty. `tfticket list runs` shows the runs.", field="run")
    if is_run_folder(name):
        return read_run(Path(name))
    run = _by_name(workspace, name)
    return read_run(run.folder) if run.state == "damaged" else run


def _by_name(workspace: Path, name: str) -> RunFolder:
    runs = list_runs(workspace)
    called = [run for run in runs if run.folder.name == name] or [run for run in runs if run.config.get("name") == name]
    matches = called[:1] or [run for run in runs if run.folder.name.startswith(name)]
    if len(matches) != 1:
        known = ", ".join(run.folder.name for run in runs) or "none yet"
        what = "No run is" if not matches else f"{len(matches)} runs are"
        names = [str(name) for run in runs for name in (run.config.get("name", ""), run.folder.name)]
        near = [] if matches else difflib.get_close_matches(shortened(name), names, n=1)
        message = f"{what} named '{shortened(name)}' in {workspace}. Runs there: {known}."
        raise InputError(message, field="run", suggestion=next(iter(near), None))
    return matches[0]


def is_run_folder(name: str | Path) -> bool:
    """Return True if a run's folder has this name."""
    try:
        return os.path.lexists(Path(name) / STATUS)
    except (OSError, ValueError):  # a name too long for a file, or with a NUL
        return False


def state_of(folder: Path, state: str) -> str:
    """Return a run's state as its status has it, but 'killed' where that is 'running' and its process has vanished."""
    return "killed" if state == "running" and holder_of(folder) is None else state


def read_configuration(folder: Path) -> dict[str, Any]:
    """Return a run's configuration as plain values."""
    path = folder / CONFIG
    if not os.path.lexists(path):
        raise InputError(f"{folder} has no config.yaml.")
    check_file(path, _MOST_YAML)
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no configuration.")
    return values


def read_steps(folder: Path) -> list[Step]:
    """Return the steps of a run so far; [] where there is no manifest.

    Labels of earlier versions are read as those of today.
    """
    manifest = _manifest(folder)
    return steps_from(folder, manifest["steps"]) if manifest else []


def steps_from(folder: Path, entries: Sequence[Mapping[str, Any]]) -> list[Step]:
    """Return the steps of a run from entries such as its manifest's."""
    steps = steps_of(folder)
    return [
        Step(folder, entry["kind"], steps / entry["folder"], entry["label"], entry.get("fingerprint", ""))
        for entry in entries
    ]


def steps_of(folder: Path) -> Path:
    """Return the folder of a run's steps: in its workspace, also if the run is linked from another one."""
    return folder.resolve().parents[1] / "steps"


def write_manifest(folder: Path, steps: Sequence[Step]) -> None:
    """Write the steps of a run, tied to its configuration by a checksum."""
    record = {"config": checksum_of_bytes(folder / CONFIG), "steps": [step.entry for step in steps]}
    write_json(folder / MANIFEST, record | {CHECKSUM: checksum_of(record)}, sync=False)


def _manifest(folder: Path) -> dict[str, Any] | None:
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return None
    written = read_json(path)
    record: dict[str, Any] = {**checked(written, Manifest, str(path))}
    rest = {key: value for key, value in written.items() if key != CHECKSUM}
    if rest.keys() != {"steps"} and record.get(CHECKSUM) != checksum_of(rest):  # before checksums: steps alone
        raise InputError(
            f"{path} is damaged: its contents do not match its checksum. `tfticket run` with the run's config.yaml "
            "writes it again; finished steps are kept."
        )
    return record


def inputs_of(step: Path) -> dict[str, Path]:
    """Return name -> folder of each step that a step reads, in order."""
    return {name: step.parent / folder for name, folder in read_config(step)["inputs"].items()}


def _how_to_recompute(run: Path) -> str:
    """Say how to get back what a run's steps have lost."""
    command = f"tfticket run {run / CONFIG} --workspace {run.resolve().parents[1]}"
    steps = read_steps(run)
    missing = {step.path for step in steps if not step.path.is_dir()}
    if missing:
        return (
            f"{steps[0].path.parent} lacks {counted(len(missing), 'step')} of the run: copy what is missing, or "
            f"compute it again by `{command}`."
        )
    return f"Once that step's folder is deleted, `{command}` computes it anew."
