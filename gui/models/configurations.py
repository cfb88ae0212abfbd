"""Configurations of runs: a finished run of the same one, and fields in which several differ."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tfticket.config import ExperimentConfig
from tfticket.config.step_configs import scientific_fields
from tfticket.errors import InputError
from tfticket.runs.index import RunSummary
from tfticket.runs.run_folder import read_configuration, read_steps
from tfticket.text import one_line
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
    return next((run for run in same_name if _has_computed(run.folder, config)), None)


def _has_computed(folder: Path, config: ExperimentConfig) -> bool:
    with suppress(InputError, ValidationError):
        its_config = type(config).model_validate(read_configuration(folder))
        same = scientific_fields(its_config) == scientific_fields(config)
        return same and all(step.is_done for step in read_steps(folder))
    return False


def differences(configurations: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Return (dotted field, its value in every configuration) for the fields that are not equal in all."""
    flat = [_flat(values) for values in configurations.values()]
    fields = dict.fromkeys(field for values in flat for field in values)
    rows = [(one_line(field), [_text(values.get(field)) for values in flat]) for field in fields]
    return [(field, texts) for field, texts in rows if len(set(texts)) > 1]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{one_line(name)}: {_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_text, value)) + "]"
    return one_line(value)
