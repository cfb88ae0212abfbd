"""Display names of a run's arms, as in its report."""

from pathlib import Path
from typing import Any

from tfticket.arms import Arm
from tfticket.errors import InputError
from tfticket.reports.rows import name_in
from tfticket.runs.run_folder import read_configuration


class ArmNames:
    """Names of a run's arms by its configuration, which is read once; the arms' own names where it cannot be read."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._configuration: dict[str, Any] | None = None

    def __call__(self, arm: Arm) -> str:
        """Return the display name of an arm."""
        try:
            if self._configuration is None:
                self._configuration = read_configuration(self._run)
            return name_in(self._configuration, arm)
        except (InputError, KeyError, AttributeError):
            return arm.name
