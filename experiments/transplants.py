"""A ticket's mask in a variational network, trained there: steps that several experiments take."""

from typing import Any

from experiments.imp import Config, Made
from tfticket.config import (
    Carried,
    DataConfig,
    ModelConfig,
    StartStep,
    TrainConfig,
    TrainStep,
    TransplantStep,
    Variational,
)
from tfticket.lab import Handle, Lab


def check_inference(data: DataConfig, model: ModelConfig, training: TrainConfig) -> None:
    """See that a network can be trained by variational inference so.

    Raises:
        InputError: It has no layer that could become variational; a training that is not for it.
    """
    from tfticket.data import load_dataset
    from tfticket.models import network_of_config, variational_layers
    from tfticket.variational.objective import check_objective, check_precision

    check_objective(training.objective, variational_layers(network_of_config(model, load_dataset(data))))
    check_precision(training, variational=True)


def transplanted(
    lab: Lab, config: Config, variational: Variational, carried: Carried, seed: int, one: Made, label: dict[str, Any]
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
    model = config.model.model_copy(update={"variational": variational})
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
