"""Configuration files: presets by name, the user's YAML, ``extends:`` and ``-o`` overrides."""

import importlib
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from tfticket.config import ExperimentConfig
from tfticket.errors import InputError, unknown
from tfticket.registry import DATA_SETS, EXPERIMENTS, check_name
from tfticket.schema import validate


def preset_paths() -> dict[str, Path]:
    """Every preset that ships with the program: name -> YAML file."""
    folder = Path(str(files("experiments") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem)}


def load_experiment(source: str, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read a preset or a YAML file and apply overrides.

    Args:
        source: A preset's name, or the path of a YAML file. A file may say ``extends: <preset or path>``:
            its keys are laid over the other's.
        overrides: ``key.key=value`` as on the command line; the value is read as YAML.

    Raises:
        InputError: No such preset or file, not YAML, an unknown key or a wrong value.
    """
    values = _merge(_read(source, Path(), seen=()), _overrides(overrides))
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
    data = values.get("data")
    if isinstance(data, dict) and isinstance(data.get("path"), str):
        data["path"] = str(path.parent / os.path.expanduser(data["path"]))  # as seen from the file that says it
    parent = values.pop("extends", None)
    return values if parent is None else _merge(_read(str(parent), path.parent, (*seen, path)), values)


_KINDS = ("optimiser",)
"""Tables whose keys depend on the kind that ``name:`` says."""


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Lay one tree of keys over another; a table that names another kind replaces the old one whole."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if key == "data" and value.get("path") is not None:
                old = {inner: kept for inner, kept in old.items() if inner != "name"}
            elif key == "data" and str(value.get("name")) in DATA_SETS:
                old = {inner: kept for inner, kept in old.items() if inner != "path"}
            other_kind = key in _KINDS and value.get("name", old.get("name")) != old.get("name")
            value = value if other_kind else _merge(old, value)
        result[key] = value
    return result


def _overrides(texts: Sequence[str]) -> dict[str, Any]:
    """``key.key=value`` texts as one tree of keys, the later ones laid over the earlier."""
    tree: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        keys = key.strip().split(".")
        if not equals or not all(keys) or not value.strip():
            raise InputError(
                f"Override '{text}' was not understood. Write key=value, e.g. -o train.epochs=5, or key=null."
            )
        try:
            node = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"Override '{text}': the value is not readable as YAML.") from None
        for part in reversed(keys):
            node = {part: node}
        tree = _laid_over(tree, node)
    return tree


def _laid_over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: _laid_over(below.get(key), value) for key, value in above.items()}
