"""The draft of a run in the configuration dock, and the presets to begin from."""

import functools
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.config.schema import Config
from tfticket.costs import cost_of
from tfticket.errors import InputError
from tfticket.presets import experiment_of, load_experiment, planned, presets
from tfticket.registry import EXPERIMENTS, check_name
from tfticket.runs.run_folder import read_configuration

from .form import FormModel
from .signal import Signal

FIRST_PRESET = "quickstart"


class DraftModel:
    """The draft; replacing it by another, which emits ``replaced``, can be undone like any edit.

    Args:
        saved: Return value of ``save``; text that this version does not understand is ignored.
    """

    def __init__(self, saved: str = "") -> None:
        self.replaced = Signal()
        values = preset_values(FIRST_PRESET)
        self.form = _restore(saved) or FormModel(_config_class(values), values, values, _preset_origin(FIRST_PRESET))

    def load_preset(self, name: str) -> None:
        self._load(preset_values(name), _preset_origin(name))

    def load_file(self, path: Path) -> None:
        """Start from a YAML file.

        Raises:
            InputError: The file cannot be read, or is not a configuration.
        """
        self._load(load_experiment(str(path)).model_dump(mode="json"), f"from {path.name}")

    def load_run(self, folder: Path) -> None:
        """Start from a run's configuration; later changes are marked.

        Raises:
            InputError: The configuration cannot be read.
        """
        self._load(read_configuration(folder), f"as the run {folder.name}")

    def _load(self, values: dict[str, Any], origin: str) -> None:
        self.form.load(_config_class(values), values, values, origin)
        self.replaced.emit()

    def save(self) -> str:
        """Return the draft as JSON, for the next session."""
        form = self.form
        return json.dumps({"values": form.values, "base": form.base, "origin": form.origin}, default=str)


@dataclass(frozen=True)
class PresetEntry:
    """A preset in the list.

    Attributes:
        about: The experiment in one line.
        time: Estimated duration on 2 cores, in words.
    """

    name: str
    about: str
    time: str
    trainings: int
    chains: int

    @property
    def work(self) -> str:
        """Number of trainings and chains: '57', '5 + 2 chains'."""
        chains = f"{self.chains:,} chain{'s' * (self.chains > 1)}" if self.chains else ""
        trainings = f"{self.trainings:,}" if self.trainings or not chains else ""
        return " + ".join(filter(None, (trainings, chains)))


@functools.lru_cache(maxsize=1)
def preset_entries() -> tuple[PresetEntry, ...]:
    """Return every preset, in the order of `tfticket list presets`."""
    costs = [(preset, cost_of(planned(preset.name).distinct)) for preset in presets().values()]
    return tuple(PresetEntry(p.name, p.about, cost.time, cost.trainings, cost.chains) for p, cost in costs)


def matching_presets(text: str) -> list[PresetEntry]:
    """Return the presets whose name or description contains every word of a text."""
    words = text.casefold().split()
    return [e for e in preset_entries() if all(word in f"{e.name} {e.about}".casefold() for word in words)]


def preset_values(name: str) -> dict[str, Any]:
    """Return a preset's configuration as plain values."""
    return load_experiment(name).model_dump(mode="json")


def needs_trust(values: Mapping[str, Any]) -> bool:
    """Return True if a configuration's network is a .keras file, which can run code when it is loaded."""
    return str(values.get("model", {}).get("name", "")).endswith(".keras")


def _restore(saved: str) -> FormModel | None:
    with suppress(InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        draft = json.loads(saved)
        return FormModel(_config_class(draft["values"]), draft["values"], draft["base"], draft["origin"])
    return None


def _config_class(values: Mapping[str, Any]) -> type[Config]:
    kind = check_name("experiment", str(values.get("experiment")), EXPERIMENTS)
    config_class: type[Config] = experiment_of(kind).config_class
    return config_class


def _preset_origin(name: str) -> str:
    return f"from the preset {name}"
