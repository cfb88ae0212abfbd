"""Stochastic variational inference on a ticket's mask, with KL weights that are 1, tuned, or unscaled.

References:
    "Bayes always wins the lottery in Monte Carlo", section 4 and equation 12; Blundell et al. (2015), "Weight
    uncertainty in neural networks".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Self

from pydantic import Field, model_validator

from tfticket import seeds
from tfticket.arms import Arm
from tfticket.config import MOST, Carried, Population, TrainConfig, Variational, check_lengths
from tfticket.config.durations import generation_bounds, iterations_in
from tfticket.config.schema import Config
from tfticket.config.wording import field_error
from tfticket.lab import Handle, Lab
from tfticket.procedures.kl_tuning import tune
from tfticket.procedures.trained_arm import RunConfig, TrainedArm
from tfticket.procedures.variational_training import train_and_evaluate, transplant_to_variational
from tfticket.variational.svi_ways import Way, with_kl_weights

METHODS = {"default": "svi", "tuned": "svi-tuned", "unscaled": "svi-unscaled"}
"""Origin of the KL weights -> method of the trainings' arms."""


class Svi(Config):
    """Variational inference on tickets' masks."""

    variational: Variational = Field(Variational(), description="Posteriors and prior of the variational network")
    train: TrainConfig | None = Field(None, description="Training; null: same as the run's `train`")
    ways: tuple[Way, ...] = Field(
        ("default", "tuned", "unscaled"),
        min_length=1,
        description="KL weights: 1 (default), tuned by a population (tuned), or not divided by the number of rows "
        "(unscaled)",
    )
    carried: Carried = Field(
        "mask", description="Weights taken from the ticket; with its mask alone, means start at random initialisations"
    )
    replicates: int = Field(
        1, ge=1, le=MOST, description="Number of trainings per ticket, from independent initialisations"
    )
    population: Population = Field(
        Population(), description="Population that tunes the KL weights, on the ticket of the first seed"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.ways)) < len(self.ways):
            raise field_error("ways", f"the ways {', '.join(self.ways)} repeat; each counts once")
        return self


def infer(lab: Lab, config: RunConfig, svi: Svi, seed: int, source: TrainedArm, tuned: Mapping[str, float]) -> None:
    """Train a ticket's mask by variational inference, with each kind of KL weights."""
    rows = _training_rows(config) if "unscaled" in svi.ways else 0
    for way in svi.ways:
        training = with_kl_weights(svi.train or config.train, way, tuned, rows)
        for replicate in range(svi.replicates):
            number = source.replicate * svi.replicates + replicate
            label = source.label | {"arm": replace(source.arm, method=METHODS[way])}
            label |= {"replicate": number} if number else {}
            replicate_seed = seeds.derive(seed, "svi", replicate)
            ticket = transplant_to_variational(lab, config, svi.variational, svi.carried, replicate_seed, source, label)
            train_and_evaluate(lab, config, training, ticket, replicate_seed, seed, label)


def tune_kl_weights(lab: Lab, config: RunConfig, svi: Svi, seed: int, source: TrainedArm) -> dict[str, float]:
    """Tune a ticket's KL weights by population-based training, by a metric on validation rows."""
    label = source.label | {"arm": Arm("population")}

    def start_member(member: int) -> Handle:
        member_seed = seeds.derive(seed, "member", member)
        return transplant_to_variational(lab, config, svi.variational, svi.carried, member_seed, source, label)

    training = svi.train or config.train
    return tune(lab, config.data, training, svi.population, start_member, seed, source.label)


def check_inference_lengths(config: RunConfig, svi: Svi) -> None:
    """Check that the lengths of trainings and generations fit the data."""
    train, rows = svi.train or config.train, _training_rows(config)
    check_lengths(train, "0it", rows, "train" if svi.train is None else "svi.train")
    if "tuned" in svi.ways:
        generation_bounds(0, iterations_in(train.epochs, rows, train.batch_size), svi.population.generations)


def _training_rows(config: RunConfig) -> int:
    from tfticket.data import split_rows

    return split_rows(config.data)[0]
