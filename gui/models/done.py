"""Whether a configuration was run to its end already."""

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
    """The run that is done and has this configuration, if there is one.

    Of a configuration with files of the user's own, data or a network, none: they may have changed since. Of runs some
    of whose results were deleted none either: they would be computed again.
    """
    data, model = (getattr(config, part, None) for part in ("data", "model"))
    if getattr(data, "path", None) is not None or is_user_defined(getattr(model, "name", "")):
        return None
    same_name = (run for run in runs if run.state == "done" and run.name == config.name)
    return next((run for run in same_name if _is_of(config, run.folder) and _is_whole(run.folder)), None)


def _is_of(config: ExperimentConfig, folder: Path) -> bool:
    with suppress(InputError, ValidationError):
        return scientific_fields(type(config).model_validate(read_configuration(folder))) == scientific_fields(config)
    return False


def _is_whole(folder: Path) -> bool:
    with suppress(InputError):
        return all(step.is_done for step in read_steps(folder))
    return False
