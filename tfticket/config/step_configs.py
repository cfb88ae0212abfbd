"""Configurations of the lab's steps, and the fields that enter their fingerprints."""

from typing import Any, Literal, Self, get_args, get_origin

from pydantic import Field

from tfticket.config.data import DataConfig, ModelConfig
from tfticket.config.durations import Duration
from tfticket.config.experiment import Execution, ExperimentConfig
from tfticket.config.pruning import Control
from tfticket.config.schema import Config
from tfticket.config.training import Engine, TrainConfig, engine_at
from tfticket.config.variational import Carried


class StartStep(Config):
    """The dense ticket of level 0: initial weights drawn from the seed, every weight kept."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    seed: int = Field(ge=0)


class TrainStep(Config):
    """Train a ticket from its start weights."""

    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    seed: int = Field(ge=0, description="Seed for the order of the rows, for augmentation and for noise")
    keep: tuple[Duration, ...] = Field((), description="Moments at which the weights are also kept, for rewinding")
    engine: Engine = Field(
        "keras",
        description="Engine of the training; replaces `train.engine`, so that auto does not enter the fingerprint",
    )

    @classmethod
    def of_ticket(
        cls, data: DataConfig, train: TrainConfig, seed: int, density: float, keep: tuple[Duration, ...] = ()
    ) -> Self:
        """Return the step that trains a ticket of some density by the engine that the training asks for."""
        neutral = train.model_copy(update={"engine": "auto"})
        return cls(data=data, train=neutral, seed=seed, keep=keep, engine=engine_at(train.engine, density))


class ControlStep(Config):
    """Alter a ticket on purpose."""

    control: Control
    seed: int = Field(ge=0)


class TransplantStep(Config):
    """Transplant a ticket's mask, and optionally its weights, to another network."""

    carried: Carried = "start"


class PoolStep(Config):
    """Evaluate the pooled prediction of chains, and diagnose their convergence."""

    data: DataConfig = DataConfig()


class EnsembleStep(Config):
    """Evaluate the mean prediction of several trained networks."""

    data: DataConfig = DataConfig()
    draws: int = Field(10, ge=1, description="Number of draws averaged in the prediction of each variational network")
    seed: int = Field(0, ge=0, description="Seed of these draws; each network derives its own from it")


class EvaluateStep(Config):
    """Evaluate trained weights on the validation and the test rows."""

    data: DataConfig = DataConfig()
    draws: int = Field(10, ge=1, description="Number of draws averaged in the prediction of a variational network")
    seed: int = Field(0, ge=0, description="Seed of these draws")
    passes: int = Field(
        5,
        ge=1,
        description="Number of evaluations of a variational network on the test rows, each with independent draws; "
        "the first is reported",
    )
    out_of_distribution: DataConfig | None = Field(
        None, description="Data of the same image shape that uncertainty should separate from the test rows; null: none"
    )
    engine: Engine = Field("keras", description="Engine of the predictions, as of a training")


def scientific_fields(config: Config) -> dict[str, Any]:
    """Return the fields that decide a result: those that differ from the default, and all discriminators.

    Execution fields and the run's name are left out. A new option at its default changes no fingerprint.
    """
    result: dict[str, Any] = {}
    for name, field in type(config).model_fields.items():
        value, key = getattr(config, name), config.former_names.get(name, name)
        if isinstance(value, Execution) or (isinstance(config, ExperimentConfig) and name == "name"):
            continue
        if isinstance(value, Config):
            inner = scientific_fields(value)
            if inner or field.is_required() or field.default is None:
                result[key] = inner
            continue
        if isinstance(value, tuple) and value != field.get_default():
            value = tuple(scientific_fields(item) if isinstance(item, Config) else item for item in value)
        discriminator = get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        if discriminator or field.is_required() or value != field.get_default():
            result[key] = value
    return result
