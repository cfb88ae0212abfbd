"""The base class of experiments: configuration, checks, and the steps that a lab computes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from tfticket.arms import TICKET, Arm
from tfticket.config import DataConfig, ExperimentConfig
from tfticket.data.identity import check_on_disk
from tfticket.dry_lab import DryLab
from tfticket.errors import InputError
from tfticket.lab import Lab

ConfigType = TypeVar("ConfigType", bound=ExperimentConfig)


class Experiment(ABC, Generic[ConfigType]):
    """The base class of experiments. A package registers a subclass, which takes no arguments, as an entry point.

    In its pyproject.toml::

        [project.entry-points."tfticket.experiments"]
        mine = "my_package.experiment:Mine"

    Attributes:
        config_class: Its configuration.
    """

    config_class: ClassVar[type[ExperimentConfig]]

    @abstractmethod
    def main(self, lab: Lab, config: ConfigType) -> None:
        """Ask a lab for steps.

        It is also run to plan, on a lab that computes nothing. So which steps it asks for must not depend on results,
        and of a step's result it may read what ``DryLab.planned_result`` has.
        """

    def check_lengths(self, config: ConfigType) -> None:
        """Refuse trainings that cannot be carried out on so many rows, without reading a data set that has a name."""

    def check_data(self, config: ConfigType) -> None:
        """Refuse, before TensorFlow starts, data that do not fit."""

    def check_model(self, config: ConfigType) -> list[str]:
        """Refuse, before any folder is made, a network that does not fit; return notes for the user."""
        return []

    def next_step(self, config: ConfigType) -> tuple[str, str] | None:
        """Return an override to try after a run, and why; None: nothing."""
        return None

    def branch(
        self,
        run: dict[str, Any],
        controls: Sequence[Any],
        levels: Sequence[int] | None,
        replicates: int,
        name: str | None,
        of: Arm = TICKET,
    ) -> ExperimentConfig:
        """Return the configuration of a run with the same tickets and other controls."""
        raise InputError(f"{run['name']} is a run of {run['experiment']}, which has no branches.")

    def plan(self, config: ConfigType, workspace: Path | None = None) -> DryLab:
        """List the steps that a run asks for, without computing any."""
        if workspace is not None:
            for value in vars(config).values():
                if isinstance(value, DataConfig):
                    check_on_disk(value)
        self.check_lengths(config)
        lab = DryLab(workspace)
        self.main(lab, config)
        return lab

    def run(self, lab: Lab, config: ConfigType) -> None:
        """Compute a run's steps, and tell the lab's listener beforehand how many it takes."""
        plan = self.plan(config)
        lab.listener.expect(plan.trainings, plan.chains)
        self.main(lab, config)
