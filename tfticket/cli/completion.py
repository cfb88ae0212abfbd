"""Shell completion. Each function takes the text typed so far and returns its possible completions."""

import os
from pathlib import Path

import typer

from tfticket.errors import InputError
from tfticket.registry import CONTROLS, DATA_SETS, DEFAULT_WORKSPACE, EXPERIMENTS, LISTS
from tfticket.text import one_line


def presets(incomplete: str) -> list[str]:
    """Presets; the shell itself completes files where none fits."""
    from tfticket.presets import presets as known

    return [name for name in known() if name.startswith(incomplete)]


def fields(incomplete: str) -> list[str]:
    """Fields of configurations."""
    from tfticket.config.schema import field_names
    from tfticket.presets import experiment_of

    known = {name for experiment in EXPERIMENTS for name in field_names(experiment_of(experiment).config_class)}
    return sorted(f"{name}=" for name in known if name.startswith(incomplete))


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Runs of the workspace."""
    from tfticket.runs.run_folder import run_folders

    folder = context.params.get("workspace") or os.environ.get("TFTICKET_WORKSPACE") or DEFAULT_WORKSPACE
    names = (path.name for path in run_folders(Path(folder)))
    return sorted(name for name in names if name.startswith(incomplete) and one_line(name) == name)


def controls(incomplete: str) -> list[str]:
    """Controls."""
    return [name for name in CONTROLS if name.startswith(incomplete)]


def lists(incomplete: str) -> list[str]:
    """Things that can be listed."""
    return [name for name in ("runs", "presets", *LISTS) if name.startswith(incomplete)]


def data_sets(incomplete: str) -> list[str]:
    """Data sets, also the user's own; the shell itself completes files where none fits."""
    from tfticket.data.sources import user_datasets

    try:
        own = user_datasets()
    except InputError:  # a folder that is not there; no place to say so
        own = {}
    return [name for name in {**dict.fromkeys(DATA_SETS), **own} if name.startswith(incomplete)]
