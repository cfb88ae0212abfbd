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
    values = _read(source, Path(), seen=())
    for override in overrides:
        _apply(values, override)
    name = values.get("experiment")
    if name is None:
        raise InputError(f"{source}: no 'experiment:' key. Say which, e.g. 'experiment: quickstart'.")
    check_name("experiment", str(name), EXPERIMENTS)
    module = importlib.import_module(EXPERIMENTS[str(name)].target.partition(":")[0])
    config: ExperimentConfig = validate(module.Config, values, where=source)
    return config


def _read(source: str, folder: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The keys of a preset or of a file named from ``folder``, laid over what it extends."""
    presets = preset_paths()
    path = (presets.get(source) or folder / source).resolve()
    if path in seen:
        raise InputError(f"'extends' goes in a circle: {' -> '.join(map(str, (*seen, path)))}.")
    if not path.is_file():
        if path.suffix in (".yaml", ".yml") and not seen:
            raise InputError(f"There is no file {path}.")
        where = f"{seen[-1]}: extends: " if seen else ""
        raise InputError(f"{where}{unknown('preset', source, presets)} Or give the path of a YAML file.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is not readable as YAML: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected keys and values such as 'experiment: quickstart'.")
    parent = values.pop("extends", None)
    return values if parent is None else _merge(_read(str(parent), path.parent, (*seen, path)), values)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one tree of keys over another; a table that names another kind (``name:``) replaces the old whole."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            other_kind = "name" in old and value.get("name", old["name"]) != old["name"]
            value = value if other_kind else _merge(old, value)
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
    if node is not values and parts[-1] == "name" and node.get("name", value) != value:
        node.clear()  # another kind: the old one's fields do not belong to it, as in a file
    node[parts[-1]] = value
