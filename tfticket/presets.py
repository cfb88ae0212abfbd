"""Configuration files: presets by name, the user's YAML, ``extends:`` and ``-o`` overrides.

A preset says of each of its fields where it comes from. Its file may hold one preset, or a paper's whole family: what
all have in common, what each network brings, and what each budget makes of it::

    about: What they are of
    experiment: imp
    prune: {levels: 20, sparsity: null, rate: 0.2}
    sources: {prune: "stated: section 4"}
    networks:
      resnet-20:
        model: {name: resnet-20}
        sources: {model: "stated: table 1"}
        budgets: {paper: {}, desk: {prune: {levels: 4}}}
    budgets:
      paper: {}
      desk: {data: {train_rows: 10000}, sources: {"*": "ours: what two cores do in an hour"}}

The preset `<file>-<network>-<budget>` lays these over one another in that order.
"""

import functools
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from tfticket.config import ExperimentConfig
from tfticket.config.schema import Config, current_names, validate
from tfticket.dry_lab import DryLab
from tfticket.errors import InputError, shortened, unknown
from tfticket.experiment import Experiment
from tfticket.registry import DATA_SETS, EXPERIMENTS, PRESETS, check_name, resolve
from tfticket.user_networks import is_keras_file
from tfticket.yaml_text import DEEPEST, load_yaml, read_yaml

DEFAULT = "ours: the default"
MOST_FILES = 100
"""Files that extend one another."""


class Layer(NamedTuple):
    """Keys as some file, preset or option sets them.

    Attributes:
        values: A tree of keys.
        sources: Where a field comes from: its dotted name, or the beginning of one, or '*' for any -> a few words.
    """

    values: dict[str, Any]
    sources: dict[str, str]


@dataclass(frozen=True)
class Preset:
    """A configuration that ships with the program.

    Attributes:
        name: What it is called, and so its runs.
        about: What it is of.
        budget: 'smoke', 'desk' or 'paper'; '' for those that have none.
        layers: Its keys, the later ones laid over the earlier.
    """

    name: str
    about: str
    budget: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class Sourced:
    """A configuration and where its scientific fields come from: dotted name -> (value, a few words)."""

    config: ExperimentConfig
    fields: dict[str, tuple[Any, str]]


@functools.lru_cache(maxsize=1)
def presets() -> dict[str, Preset]:
    """Every preset that ships with the program."""
    folder = Path(str(files(PRESETS)))
    known = [preset for path in sorted(folder.glob("*.yaml")) for preset in _presets_in(path)]
    return {preset.name: preset for preset in sorted(known, key=lambda preset: bool(preset.budget))}


def _presets_in(path: Path) -> Iterator[Preset]:
    values = _yaml(path)
    about, networks, budgets = (values.pop(key, None) for key in ("about", "networks", "budgets"))
    parent = values.pop("extends", None)
    below: tuple[Layer, ...] = ()
    if parent is not None:
        extended = next(_presets_in(path.with_name(f"{parent}.yaml")))
        below, about = extended.layers, about or extended.about
    common = _layer(values)
    if networks is None:
        yield Preset(path.stem, about, "", (*below, common, Layer({"name": path.stem}, {})))
        return
    for network, own in networks.items():
        of_network = _layer(own, common.sources)
        for budget, more in of_network.values.pop("budgets").items():
            name = f"{path.stem}-{network}-{budget}"
            of_budget = _layer(budgets[budget])
            layers = (common, of_network, of_budget, _layer(more, of_budget.sources), Layer({"name": name}, {}))
            yield Preset(name, about, budget, (*below, *layers))


def _layer(values: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> Layer:
    """Keys and their sources, of a part of a file; it may rely on the sources of the part that it belongs to."""
    own = {key: value for key, value in values.items() if key != "sources"}
    return Layer(own, {**(sources or {}), **values.get("sources", {})})


def load_experiment(source: str, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read a preset or a YAML file and apply overrides.

    Args:
        source: A preset's name, or the path of a YAML file. A file may say ``extends: <preset or path>``:
            its keys are laid over the other's.
        overrides: ``key.key=value`` as on the command line; the value is read as YAML.
    """
    return load_sourced(source, overrides).config


def load_sourced(source: str, overrides: Sequence[str] = ()) -> Sourced:
    """As ``load_experiment``, with where each field comes from."""
    layers = [*_read(source), Layer(_overrides(overrides), {"*": "yours: -o"})]
    name = next((layer.values["experiment"] for layer in reversed(layers) if "experiment" in layer.values), None)
    if name is None:
        raise InputError(f"{source}: no 'experiment:' key. Say which, e.g. 'experiment: imp'.", field="experiment")
    check_name("experiment", str(name), EXPERIMENTS, field="experiment")
    config_class = experiment_of(str(name)).config_class
    layers = [Layer(current_names(config_class, layer.values), layer.sources) for layer in layers]
    values: dict[str, Any] = functools.reduce(merge, (layer.values for layer in layers), {})
    config: ExperimentConfig = validate(config_class, values, where=source, yaml=True)
    kept = {field for field, _ in _leaves(values)}
    sources = {
        field: _source(layer.sources, field) for layer in layers for field, _ in _leaves(layer.values) if field in kept
    }
    fields = {
        field: (value, _of_field(sources, field))
        for field, value in _leaves_of(config)
        if field.partition(".")[0] not in ExperimentConfig.model_fields
    }
    return Sourced(config, fields)


def experiment_of(name: str) -> Experiment[Any]:
    """Return a registered experiment."""
    entry = EXPERIMENTS[name]
    registered = resolve(entry.target)
    if not (isinstance(registered, type) and issubclass(registered, Experiment)):
        raise InputError(
            f"The experiment {name} ({entry.about}) cannot be used: {entry.target} is no subclass of "
            "tfticket.experiment.Experiment. Make its functions methods of one, and name that in the entry point.",
            field="experiment",
        )
    experiment: Experiment[Any] = registered()
    return experiment


def planned(source: str, overrides: Sequence[str] = ()) -> DryLab:
    """Plan an experiment that is read as by ``load_experiment``: the steps that it asks for."""
    config = load_experiment(source, overrides)
    return experiment_of(config.experiment).plan(config)


def _source(sources: Mapping[str, str], field: str) -> str:
    """Return the layer's source of a field: under its name, of the nearest table that holds it, or of all fields."""
    names = field.split(".")
    candidates = (".".join(names[:length]) for length in range(len(names), 0, -1))
    return next((sources[name] for name in (*candidates, "*") if name in sources), "")


def _of_field(sources: Mapping[str, str], field: str) -> str:
    """Return the source of a field; for a table of the user's keys, such as rates by layer, that of its last key."""
    matches = [source for name, source in sources.items() if name == field or name.startswith(f"{field}.")]
    return matches[-1] if matches else DEFAULT


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _leaves_of(config: Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    plain = config.model_dump(mode="json")
    for key in type(config).model_fields:
        value = getattr(config, key)
        if isinstance(value, Config):
            yield from _leaves_of(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", plain[key]


def _read(source: str) -> list[Layer]:
    """The layers of a preset or of a file, over those of what it extends."""
    layers: list[Layer] = []
    files: list[Path] = []
    while source not in presets():
        path = _file(source, files)
        values, parent = _values_of(path)
        layers.insert(0, Layer(values, {"*": f"yours: {path.name}"}))
        if parent is None:
            return layers
        if not isinstance(parent, str):
            message = f"{path}: extends: expected a preset's name or the path of a YAML file, got {parent!r}."
            raise InputError(message, field="extends")
        files.append(path)
        source = parent
    return [*presets()[source].layers, *layers]


def _file(source: str, files: Sequence[Path]) -> Path:
    """The file that is meant, as seen from the last of those that lead to it."""
    where, field = (f"{files[-1]}: extends: ", "extends") if files else ("", "source")
    try:
        path = ((files[-1].parent if files else Path()) / source).resolve()
        there, regular = path.exists(), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, with a NUL; links in a circle
        why = getattr(error, "strerror", None) or error
        message = f"{where}'{shortened(source)}' cannot be the name of a file: {why}."
        raise InputError(message, field=field) from None
    if path in files:
        raise InputError(f"'extends' goes in a circle: {' -> '.join(map(str, (*files, path)))}.", field=field)
    if len(files) >= MOST_FILES:
        message = f"{files[0]}: more than {MOST_FILES} files extend one another. Put them together in fewer."
        raise InputError(message, field=field)
    if regular:
        return path
    if there:
        message = f"{where}{path} is not a file. Expected a preset's name or the path of a YAML file."
        raise InputError(message, field=field)
    if path.suffix in (".yaml", ".yml") and not files:
        raise InputError(f"There is no file {path}.", field=field)
    advice = "`tfticket list presets` shows them. Or give the path of a YAML file."
    raise unknown("preset", source, presets(), field=field, where=where.removesuffix(": "), advice=advice)


def _values_of(path: Path) -> tuple[dict[str, Any], Any]:
    """The keys of a file, its paths as seen from it, and what it extends."""
    values = _yaml(path)
    data, model = values.get("data"), values.get("model")
    if isinstance(data, dict) and isinstance(data.get("path"), str):
        data["path"] = _seen_from(path, data["path"])
    if isinstance(model, dict) and is_keras_file(str(model.get("name"))):
        model["name"] = _seen_from(path, model["name"])
    return values, values.pop("extends", None)


def _seen_from(file: Path, path: str) -> str:
    return str(file.parent / os.path.expanduser(path))


def _yaml(path: Path) -> dict[str, Any]:
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected keys and values such as 'experiment: imp'.")
    return values


_KINDS = ("optimiser",)
"""Tables whose keys depend on the kind that ``name:`` says."""


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
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
            value = value if other_kind else merge(old, value)
        result[key] = value
    return result


def _overrides(texts: Sequence[str]) -> dict[str, Any]:
    """``key.key=value`` texts as one tree of keys, the later ones laid over the earlier."""
    tree: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        keys = key.strip().split(".")
        if not equals or not all(keys) or len(keys) > DEEPEST or not value.strip():
            raise InputError(
                f"Override '{shortened(text)}' does not have the form key=value, with at most {DEEPEST} parts in the "
                "key and none of them empty. Write for example -o train.epochs=5, or key=null to empty a field.",
                field="overrides",
            )
        node = load_yaml(value, f"Override '{shortened(text)}'")
        if _ends_in_comment(value, node):
            raise InputError(
                f"Override '{shortened(text)}': what follows # is a comment in YAML and would be lost. Leave it out, "
                "or put the value in quotes.",
                field=key.strip(),
            )
        _check_within_tables(tree, keys, text)
        for part in reversed(keys):
            node = {part: node}
        tree = _laid_over(tree, node)
    return tree


def _check_within_tables(tree: Any, keys: Sequence[str], text: str) -> None:
    """Refuse a key within what an earlier override makes one value, which would be lost."""
    for depth, key in enumerate(keys[:-1], start=1):
        tree = tree.get(key, {})
        if not isinstance(tree, dict):
            whole = ".".join(keys[:depth])
            raise InputError(
                f"Override '{shortened(text)}' sets a key within {whole}, and an earlier override sets {whole} itself "
                f"to {shortened(json.dumps(tree, default=str))}. Leave one of them out.",
                field=".".join(keys),
            )


def _ends_in_comment(value: str, node: Any) -> bool:
    """Return True if a value, which YAML read as ``node``, is the same without its first comment."""
    before, *after = re.split(r"\s#", f" {value}", maxsplit=1)
    with suppress(InputError):  # within brackets or quotes, what is before it is not whole
        return bool(after) and load_yaml(before, "") == node
    return False


def _laid_over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: _laid_over(below.get(key), value) for key, value in above.items()}
