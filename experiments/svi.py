"""Stochastic variational inference on a ticket's mask, with KL weights that are tuned, 1, or unscaled.

References:
    "Bayes always wins the lottery in Monte Carlo", section 4 and equation 12; Blundell et al. (2015), "Weight
    uncertainty in neural networks".
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from experiments.imp import Made
from experiments.population import member_steps, tune
from tfticket import seeds
from tfticket.config import (
    DataConfig,
    EvaluateStep,
    ModelConfig,
    Population,
    StartStep,
    TrainConfig,
    TrainStep,
    TransplantStep,
    Variational,
)
from tfticket.lab import Handle, Lab
from tfticket.schema import Config as Part

Way = Literal["default", "tuned", "unscaled"]
ARMS = {"default": "svi", "tuned": "svi-tuned", "unscaled": "svi-unscaled"}
"""Where the KL weights are from -> what reports call the trainings."""


class Svi(Part):
    """Variational inference on tickets' masks."""

    variational: Variational = Field(Variational(), description="How the network is made variational")
    train: TrainConfig | None = Field(None, description="The training; null: as the run's `train`")
    ways: tuple[Way, ...] = Field(
        ("default", "tuned", "unscaled"),
        min_length=1,
        description="KL weights: 1 (default), tuned by a population, or the sum's, not divided by the rows (unscaled)",
    )
    carried: Literal["mask", "start", "trained"] = Field(
        "mask", description="What of a ticket goes along; by its mask alone, means begin at random initialisations"
    )
    replicates: int = Field(1, ge=1, description="Trainings of each ticket, from initialisations of their own")
    population: Population = Field(Population(), description="How KL weights are tuned, on the first seed's ticket")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.ways)) < len(self.ways):
            raise ValueError("the ways repeat; each counts once")
        return self

    def trainings(self, tickets: int, levels: int) -> int:
        """How many trainings it takes, on so many tickets of so many levels."""
        tuned = levels * member_steps(self.population) if "tuned" in self.ways else 0
        return tickets * len(self.ways) * self.replicates + tuned


def infer(
    lab: Lab,
    data: DataConfig,
    model: ModelConfig,
    train: TrainConfig,
    svi: Svi,
    seed: int,
    one: Made,
    tuned: Mapping[str, float],
) -> None:
    """Train a ticket's mask by variational inference in each way.

    Args:
        lab: Where steps are computed.
        data: The run's.
        model: The run's.
        train: The run's.
        svi: What is asked for.
        seed: The IMP seed.
        one: The ticket.
        tuned: KL weights for the way 'tuned'.
    """
    training = svi.train or train
    for way in svi.ways:
        arm = ARMS[way] if one.arm == "ticket" else f"{ARMS[way]} {one.arm}"
        for replicate in range(svi.replicates):
            number = one.replicate * svi.replicates + replicate
            label = one.label | {"arm": arm} | ({"replicate": number} if number else {})
            its_seed = seeds.derive(seed, "svi", replicate)
            ticket = _ticket(lab, data, model, svi, its_seed, one, label)
            step = TrainStep(data=data, train=_with_weights(training, way, tuned, data), seed=its_seed)
            trained = lab.step("train", step, {"ticket": ticket}, label)
            evaluation = EvaluateStep(data=data, draws=training.objective.evaluation_draws, seed=seed)
            lab.step("evaluate", evaluation, {"ticket": ticket, "trained": trained}, label)


def tuned_weights(
    lab: Lab, data: DataConfig, model: ModelConfig, train: TrainConfig, svi: Svi, seed: int, one: Made
) -> dict[str, float]:
    """The KL weights that a population finds for a ticket, by its metric on validation rows."""
    label = one.label | {"arm": "population"}

    def start_of_member(member: int) -> Handle:
        return _ticket(lab, data, model, svi, seeds.derive(seed, "member", member), one, label)

    return tune(lab, data, svi.train or train, svi.population, start_of_member, seed, one.label).weights


def _ticket(
    lab: Lab, data: DataConfig, model: ModelConfig, svi: Svi, seed: int, one: Made, label: dict[str, Any]
) -> Handle:
    """The ticket's mask on a variational network of an initialisation of its own."""
    variational = model.model_copy(update={"variational": svi.variational})
    inputs = {
        "ticket": one.ticket,
        "onto": lab.step("start", StartStep(data=data, model=variational, seed=seed), label=label),
    }
    if svi.carried == "trained":
        inputs["trained"] = one.trained
    return lab.step("transplant", TransplantStep(carried=svi.carried), inputs, label)


def _with_weights(train: TrainConfig, way: Way, tuned: Mapping[str, float], data: DataConfig) -> TrainConfig:
    """The training with the KL weights of a way; unscaled, the divergence counts as a whole beside a mean row."""
    changes: dict[str, Any] = {}
    if way == "tuned":
        changes = {"kl_weights": dict(tuned)}
    elif way == "unscaled":
        from tfticket.data import load_dataset

        changes = {"temperature": train.objective.temperature * len(load_dataset(data).x_train)}
    return train.model_copy(update={"objective": train.objective.model_copy(update=changes)})
