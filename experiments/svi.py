"""Stochastic variational inference on a ticket's mask, with KL weights that are tuned, 1, or unscaled.

References:
    "Bayes always wins the lottery in Monte Carlo", section 4 and equation 12; Blundell et al. (2015), "Weight
    uncertainty in neural networks".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tfticket import seeds
from tfticket.arms import Arm
from tfticket.config import (
    MOST,
    Carried,
    DataConfig,
    Population,
    TrainConfig,
    Variational,
    check_lengths,
)
from tfticket.durations import generation_bounds, iterations_in
from tfticket.lab import Handle, Lab
from tfticket.schema import Config as Part

from .imp import Config, TrainedArm
from .population import tune
from .transplants import train_and_evaluate, transplanted

Way = Literal["default", "tuned", "unscaled"]
METHODS = {"default": "svi", "tuned": "svi-tuned", "unscaled": "svi-unscaled"}
"""Where the KL weights are from -> the method of the trainings' arms."""


class Svi(Part):
    """Variational inference on tickets' masks."""

    variational: Variational = Field(Variational(), description="How the network is made variational")
    train: TrainConfig | None = Field(None, description="The training; null: as the run's `train`")
    ways: tuple[Way, ...] = Field(
        ("default", "tuned", "unscaled"),
        min_length=1,
        description="KL weights: 1 (default), tuned by a population, or the sum's, not divided by the rows (unscaled)",
    )
    carried: Carried = Field(
        "mask", description="What of a ticket goes along; by its mask alone, means begin at random initialisations"
    )
    replicates: int = Field(1, ge=1, le=MOST, description="Trainings of each ticket, from initialisations of their own")
    population: Population = Field(Population(), description="How KL weights are tuned, on the first seed's ticket")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.ways)) < len(self.ways):
            raise ValueError(f"the ways {', '.join(self.ways)} repeat; each counts once")
        return self


def check_inference_lengths(config: Config, svi: Svi) -> None:
    """Refuse lengths that do not fit the data.

    Raises:
        InputError: A training without an iteration; fewer of them than generations.
    """
    from tfticket.data import split_rows

    train, rows = svi.train or config.train, split_rows(config.data)[0]
    check_lengths(train, "0it", rows, "train" if svi.train is None else "svi.train")
    if "tuned" in svi.ways:
        generation_bounds(0, iterations_in(train.epochs, rows, train.batch_size), svi.population.generations)


def infer(lab: Lab, config: Config, svi: Svi, seed: int, one: TrainedArm, tuned: Mapping[str, float]) -> None:
    """Train a ticket's mask by variational inference in each way.

    Args:
        lab: Where steps are computed.
        config: The run's.
        svi: What is asked for.
        seed: The IMP seed.
        one: The ticket.
        tuned: KL weights for the way 'tuned'.
    """
    for way in svi.ways:
        arm = replace(one.arm, method=METHODS[way])
        training = _with_weights(svi.train or config.train, way, tuned, config.data)
        for replicate in range(svi.replicates):
            number = one.replicate * svi.replicates + replicate
            label = one.label | {"arm": arm} | ({"replicate": number} if number else {})
            its_seed = seeds.derive(seed, "svi", replicate)
            ticket = transplanted(lab, config, svi.variational, svi.carried, its_seed, one, label)
            train_and_evaluate(lab, config, training, ticket, its_seed, seed, label)


def tuned_weights(lab: Lab, config: Config, svi: Svi, seed: int, one: TrainedArm) -> dict[str, float]:
    """The KL weights that a population finds for a ticket, by its metric on validation rows."""
    label = one.label | {"arm": Arm("population")}

    def start_of_member(member: int) -> Handle:
        its_seed = seeds.derive(seed, "member", member)
        return transplanted(lab, config, svi.variational, svi.carried, its_seed, one, label)

    training = svi.train or config.train
    return tune(lab, config.data, training, svi.population, start_of_member, seed, one.label)


def _with_weights(train: TrainConfig, way: Way, tuned: Mapping[str, float], data: DataConfig) -> TrainConfig:
    """The training with the KL weights of a way; unscaled, the divergence counts as a whole beside a mean row."""
    changes: dict[str, Any] = {"kl_weights": dict(tuned) if way == "tuned" else {}}
    if way == "unscaled":
        from tfticket.data import split_rows

        changes["temperature"] = train.objective.temperature * split_rows(data)[0]
    return train.model_copy(update={"objective": train.objective.model_copy(update=changes)})
