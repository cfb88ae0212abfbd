"""What the configuration dock holds: a draft of a run, where it came from, and what it is compared with."""

from pathlib import Path
from typing import Any

from gui.models.form import FormModel
from gui.models.preset_list import values_of
from gui.models.signal import Signal
from tfticket.presets import experiment_of, load_experiment
from tfticket.registry import EXPERIMENTS, check_name
from tfticket.reports.rows import read_configuration

FIRST_PRESET = "quickstart"


class Desk:
    """The draft.

    Attributes:
        form: The draft's form.
        origin: Where it came from, in words.
        replaced: Another form took its place.
    """

    def __init__(self) -> None:
        self.replaced = Signal()
        self.take_preset(FIRST_PRESET)

    def take_preset(self, name: str) -> None:
        """Begin with a preset."""
        values = values_of(name)
        self._take(values, values, f"from the preset {name}")

    def take_file(self, path: Path) -> None:
        """Begin with a YAML file.

        Raises:
            InputError: It cannot be read, or is no configuration.
        """
        values = load_experiment(str(path)).model_dump(mode="json")
        self._take(values, values, f"from {path.name}")

    def take_run(self, folder: Path) -> None:
        """Begin with a run's configuration; what is changed is marked.

        Raises:
            InputError: It cannot be read.
        """
        values = configuration_of(folder)
        self._take(values, values, f"as the run {folder.name}")

    def _take(self, values: dict[str, Any], base: dict[str, Any], origin: str) -> None:
        kind = check_name("experiment", str(values.get("experiment")), EXPERIMENTS)
        self.form = FormModel(experiment_of(kind).Config, values, base)
        self.origin = origin
        self.replaced.emit()

    @property
    def needs_trust(self) -> bool:
        """Whether its network is a .keras file, which can run code when it is loaded."""
        name = self.form.values.get("model", {}).get("name", "")
        return str(name).endswith(".keras")


def configuration_of(folder: Path) -> dict[str, Any]:
    """A run's configuration as plain values.

    Raises:
        InputError: It cannot be read.
    """
    return read_configuration(folder / "config.yaml")
