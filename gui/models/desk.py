"""What the configuration dock holds: a draft of a run, where it came from, and what it is compared with."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tfticket.config.schema import Config
from tfticket.errors import InputError
from tfticket.presets import experiment_of, load_experiment
from tfticket.registry import EXPERIMENTS, check_name
from tfticket.runs.run_folder import read_configuration

from .form import FormModel
from .preset_list import values_of
from .signal import Signal

FIRST_PRESET = "quickstart"


class Desk:
    """The draft; what takes its place can be undone as any edit of it.

    Args:
        kept: A draft as ``save`` gave it; one that this version does not understand counts as none.

    Attributes:
        form: The draft's form.
        taken: Another draft took the place of what was there.
    """

    def __init__(self, kept: str = "") -> None:
        self.taken = Signal()
        values = values_of(FIRST_PRESET)
        self.form = _restored(kept) or FormModel(_class_of(values), values, values, _of_preset(FIRST_PRESET))

    def take_preset(self, name: str) -> None:
        """Begin with a preset."""
        self._take(values_of(name), _of_preset(name))

    def take_file(self, path: Path) -> None:
        """Begin with a YAML file.

        Raises:
            InputError: It cannot be read, or is no configuration.
        """
        self._take(load_experiment(str(path)).model_dump(mode="json"), f"from {path.name}")

    def take_run(self, folder: Path) -> None:
        """Begin with a run's configuration; what is changed is marked.

        Raises:
            InputError: It cannot be read.
        """
        self._take(read_configuration(folder), f"as the run {folder.name}")

    def _take(self, values: dict[str, Any], origin: str) -> None:
        self.form.take(_class_of(values), values, values, origin)
        self.taken.emit()

    def save(self) -> str:
        """The draft as a text, to be kept until the next session."""
        form = self.form
        return json.dumps({"values": form.values, "base": form.base, "origin": form.origin}, default=str)

    @property
    def needs_trust(self) -> bool:
        """Whether its network is a .keras file, which can run code when it is loaded."""
        return needs_trust(self.form.values)


def needs_trust(values: Mapping[str, Any]) -> bool:
    """Whether a configuration's network is a .keras file, which can run code when it is loaded."""
    return str(values.get("model", {}).get("name", "")).endswith(".keras")


def _restored(kept: str) -> FormModel | None:
    with suppress(InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        draft = json.loads(kept)
        return FormModel(_class_of(draft["values"]), draft["values"], draft["base"], draft["origin"])
    return None


def _class_of(values: Mapping[str, Any]) -> type[Config]:
    kind = check_name("experiment", str(values.get("experiment")), EXPERIMENTS)
    config_class: type[Config] = experiment_of(kind).config_class
    return config_class


def _of_preset(name: str) -> str:
    return f"from the preset {name}"
