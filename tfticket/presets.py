"""Configuration files: presets by name, the user's YAML, ``extends:`` and ``-o`` overrides."""

import importlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from tfticket.config import ExperimentConfig, validate
from tfticket.errors import InputError, unknown
from tfticket.registry import EXPERIMENTS, check_name


def preset_paths() -> dict[str, Path]:
    """Every preset that ships with the program: name -> YAML file."""
    folder = Path(str(files("experiments") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_experiment(source: str, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read a preset or a YAML file and apply overrides.

    Args:
        source: A preset's name, or the path of a YAML file. A file may say ``extends: <preset or path>``:
            its keys are laid over the other's.
        overrides: ``key.key=value`` as on the command line; the value is read as YAML.

    Raises:
        InputError: No such preset or file, not YAML, an unknown key or a wrong value.
    """
    values = _read(source, seen=())
    for override in overrides:
        _apply(values, override)
    name = values.get("experiment")
    if name is None:
        raise InputError(f"{source}: no 'experiment:' key. Say which, e.g. 'experiment: quickstart'.")
    check_name("experiment", str(name), EXPERIMENTS)
    module = importlib.import_module(EXPERIMENTS[str(name)].target.partition(":")[0])
    config: ExperimentConfig = validate(module.Config, values, where=source)
    return config


def _read(source: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if source in seen:
        raise InputError(f"'extends' goes in a circle: {' -> '.join((*seen, source))}.")
    presets = preset_paths()
    path = presets.get(source) or Path(source)
    if not path.is_file():
        raise InputError(f"{unknown('preset', source, presets)} Or give the path of a YAML file.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable as YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected keys and values such as 'experiment: quickstart'.")
    parent = values.pop("extends", None)
    if parent is None:
        return values
    if str(parent) not in presets:
        parent = path.parent / str(parent)
    return _merge(_read(str(parent), (*seen, source)), values)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one tree of keys over another; a table that names another kind (``name:``) replaces the old whole."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value.get("name") in (None, old.get("name")):
            value = _merge(old, value)
        result[key] = value
    return result


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise InputError(f"Override '{override}' was not understood. Write key=value, e.g. -o train.epochs=5")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"Override '{override}': the value is not readable as YAML.") from None
    node = values
    for part in parts[:-1]:
        inner = node.get(part)
        node[part] = dict(inner) if isinstance(inner, dict) else {}
        node = node[part]
    node[parts[-1]] = value
