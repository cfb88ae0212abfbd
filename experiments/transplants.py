"""A ticket's mask in a variational network, trained there: steps that several experiments take."""

from collections.abc import Collection
from typing import Any

from tfticket.config import (
    Carried,
    ModelConfig,
    StartStep,
    TrainConfig,
    TrainStep,
    TransplantStep,
    Variational,
)
from tfticket.lab import Handle, Lab

from .imp import Config, TrainedArm


def check_inference(
    config: Config, variational: Variational, carried: Collection[Carried], training: TrainConfig
) -> None:
    """See that a run's network can be trained by variational inference so.

    Raises:
        InputError: It has no layer that could become variational, or none of its own start; a training that is not
            for it.
    """
    from tfticket.data import load_dataset
    from tfticket.models import initial_weights, network_of_config, variational_layers
    from tfticket.variational.objective import check_objective, check_precision

    network = network_of_config(made_variational(config.model, variational, carried), load_dataset(config.data))
    if "mask" in carried:
        initial_weights(network, seed=0)
    check_objective(training.objective, variational_layers(network))
    check_precision(training, variational=True)


def made_variational(model: ModelConfig, variational: Variational, carried: Collection[Carried]) -> ModelConfig:
    """The network that tickets are carried to: where a mask comes alone, with means drawn from the seed."""
    return model.model_copy(update={"variational": variational} | ({"start": "seed"} if "mask" in carried else {}))


def transplanted(
    lab: Lab,
    config: Config,
    variational: Variational,
    carried: Carried,
    seed: int,
    one: TrainedArm,
    label: dict[str, Any],
) -> Handle:
    """A ticket in a variational network.

    Args:
        lab: Where steps are computed.
        config: The run's: data, network.
        variational: How the network is made variational.
        carried: What of the ticket goes along.
        seed: Of the network's initialisation.
        one: The ticket, and its training.
        label: What the run's report calls it.
    """
    model = made_variational(config.model, variational, (carried,))
    onto = lab.step("start", StartStep(data=config.data, model=model, seed=seed), label=label)
    inputs = {"ticket": one.ticket, "onto": onto} | ({"trained": one.trained} if carried == "trained" else {})
    return lab.step("transplant", TransplantStep(carried=carried), inputs, label)


def train_and_evaluate(
    lab: Lab, config: Config, training: TrainConfig, ticket: Handle, seed: int, draws_seed: int, label: dict[str, Any]
) -> None:
    """Train a variational ticket and evaluate it.

    Args:
        lab: Where steps are computed.
        config: The run's: data, what evaluations are told.
        training: Its training.
        ticket: The ticket.
        seed: Of its training.
        draws_seed: Of the evaluation's draws.
        label: What the run's report calls it.
    """
    step = TrainStep(data=config.data, train=training, seed=seed)
    trained = lab.step("train", step, {"ticket": ticket}, label)
    evaluation = config.evaluation(draws_seed, training.objective)
    lab.step("evaluate", evaluation, {"ticket": ticket, "trained": trained}, label)
