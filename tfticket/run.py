"""A run: its folder, its state from start to end, and the lab in which its steps are computed."""

import hashlib
import json
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tfticket.config import ExperimentConfig
from tfticket.errors import InputError, Stopped, TfticketError
from tfticket.fingerprint import fingerprint_fields
from tfticket.lab import Lab
from tfticket.listener import Listener, Recorder
from tfticket.runs.files import atomic_write, check_writable, write_json
from tfticket.runs.lease import InUse, lease
from tfticket.runs.records import record_or_problem
from tfticket.runs.run_folder import CONFIG, STATUS
from tfticket.runs.schemas import Status
from tfticket.runs.stop import stop_requests
from tfticket.yaml_text import write_yaml

RUN_VERSION = 2
"""Version of run folders' names: raised when an experiment's default changes, so that old runs are not resumed."""


def run_folder(workspace: Path, config: ExperimentConfig) -> Path:
    """Return the folder of a run; the same configuration has the same folder, which is how a run resumes."""
    text = json.dumps({"version": RUN_VERSION, **fingerprint_fields(config)}, sort_keys=True)
    return workspace / "runs" / f"{config.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@contextmanager
def open_run(workspace: Path, config: ExperimentConfig, listener: Listener | None = None) -> Iterator[Lab]:
    """Open the run of a configuration, new or to be resumed, and give it a lab.

    Keeps ``status.json`` true: running, then done, stopped or failed (with the traceback).
    """
    workspace = workspace.absolute()
    folder = run_folder(workspace, config)
    check_writable(folder, "--workspace")
    earlier, _ = record_or_problem(folder / STATUS, Status)
    started = time.time() if earlier is None else earlier["started"]

    def status(state: str, **values: Any) -> None:
        record = {"format": 1, "state": state, "experiment": config.experiment, "started": started}
        with suppress(OSError):  # a full disk must not hide the error that is being reported
            write_json(folder / STATUS, {**record, "updated": time.time(), **values}, sync=False)

    with ExitStack() as stack:
        try:
            stack.enter_context(lease(folder))
        except InUse as busy:
            raise InputError(
                f"{folder} is in use: process {busy.holder['pid']} on {busy.holder['host']} is running it. "
                "Wait for it, stop it, or give the new run another name. "
                f"If that process no longer exists, delete {folder / 'lease.json'}."
            ) from None
        recorder = Recorder(folder, listener or Listener())
        stack.callback(recorder.close)
        should_stop = stack.enter_context(stop_requests(folder, recorder.stopping))
        lab = Lab(workspace, config.execution, recorder, should_stop, folder)
        stack.callback(lab.close)
        text = write_yaml(config.model_dump(mode="json"))
        atomic_write(folder / CONFIG, lambda file: file.write_text(text, encoding="utf-8"))
        lab.keep_manifest()
        status("running")
        try:
            yield lab
            lab.write_manifest()
        except (Stopped, KeyboardInterrupt) as stopped:
            status("stopped")
            if isinstance(stopped, Stopped):
                raise
            raise Stopped("stopped at once; the last checkpoint is kept") from None
        except Exception as error:
            status("failed", message=str(error), traceback=traceback.format_exc())
            if isinstance(error, InputError):  # it is no matter of input any more: steps were computed
                raise TfticketError(
                    f"{error} The finished steps are kept; a run with other options uses them again."
                ) from error
            raise
        status("done")
