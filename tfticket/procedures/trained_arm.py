"""A trained ticket or control of an experiment."""

from typing import Any, NamedTuple, Protocol

from tfticket.arms import Arm
from tfticket.config import DataConfig, EvaluateStep, ModelConfig, Objective, TrainConfig
from tfticket.lab import Handle


class TrainedArm(NamedTuple):
    """A ticket, its training, and its place in the experiment.

    Attributes:
        arm: The ticket itself, or a control.
        level: Rounds of pruning.
        replicate: Number among replicates of one control.
        ticket, trained: The steps.
        label: Label of the steps in reports.
    """

    arm: Arm
    level: int
    replicate: int
    ticket: Handle
    trained: Handle
    label: dict[str, Any]


class RunConfig(Protocol):
    """The part of an experiment's configuration that procedures use."""

    @property
    def data(self) -> DataConfig:
        """Data of all trainings."""

    @property
    def model(self) -> ModelConfig:
        """The network."""

    @property
    def train(self) -> TrainConfig:
        """Its training."""

    def evaluation(self, seed: int, objective: Objective | None = None) -> EvaluateStep:
        """Return the evaluation step of a training."""
