"""Search for a finished run of a configuration."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from tfticket.config import ExperimentConfig
from tfticket.config.steps import scientific_fields
from tfticket.errors import InputError
from tfticket.runs.index import RunSummary
from tfticket.runs.run_folder import read_configuration, read_steps
from tfticket.user_networks import is_user_defined


def done_run(config: ExperimentConfig, runs: Sequence[RunSummary]) -> RunSummary | None:
    """Return the finished run of this configuration, or None.

    Configurations with the user's own data or network have none, because these files may have changed since. Nor do
    runs count whose results were deleted in part: a new run would compute them again.
    """
    data, model = (getattr(config, part, None) for part in ("data", "model"))
    if getattr(data, "path", None) is not None or is_user_defined(getattr(model, "name", "")):
        return None
    same_name = (run for run in runs if run.state == "done" and run.name == config.name)
    return next((run for run in same_name if _has_config(run.folder, config) and _is_complete(run.folder)), None)


def _has_config(folder: Path, config: ExperimentConfig) -> bool:
    with suppress(InputError, ValidationError):
        return scientific_fields(type(config).model_validate(read_configuration(folder))) == scientific_fields(config)
    return False


def _is_complete(folder: Path) -> bool:
    with suppress(InputError):
        return all(step.is_done for step in read_steps(folder))
    return False
