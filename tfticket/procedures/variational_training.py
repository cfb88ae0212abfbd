"""A ticket transplanted to a variational network, and trained there."""

from collections.abc import Collection
from typing import Any

from tfticket.config import Carried, ModelConfig, StartStep, TrainConfig, TrainStep, TransplantStep, Variational
from tfticket.lab import Handle, Lab
from tfticket.procedures.trained_arm import RunConfig, TrainedArm


def transplant_to_variational(
    lab: Lab,
    config: RunConfig,
    variational: Variational,
    carried: Carried,
    seed: int,
    source: TrainedArm,
    label: dict[str, Any],
) -> Handle:
    """Transplant a ticket to a variational network."""
    model = variational_model(config.model, variational, (carried,))
    onto = lab.step("start", StartStep(data=config.data, model=model, seed=seed), label=label)
    inputs = {"ticket": source.ticket, "onto": onto} | ({"trained": source.trained} if carried == "trained" else {})
    return lab.step("transplant", TransplantStep(carried=carried), inputs, label)


def train_and_evaluate(
    lab: Lab,
    config: RunConfig,
    training: TrainConfig,
    ticket: Handle,
    seed: int,
    draws_seed: int,
    label: dict[str, Any],
) -> None:
    """Train a variational ticket and evaluate it."""
    step = TrainStep.of_ticket(config.data, training, seed, density=1.0)
    trained = lab.step("train", step, {"ticket": ticket}, label)
    evaluation = config.evaluation(draws_seed, training.objective)
    lab.step("evaluate", evaluation, {"ticket": ticket, "trained": trained}, label)


def variational_model(model: ModelConfig, variational: Variational, carried: Collection[Carried]) -> ModelConfig:
    """Return the receiving network; where the mask alone is carried, its means are drawn from the seed."""
    return model.model_copy(update={"variational": variational} | ({"start": "seed"} if "mask" in carried else {}))


def check_variational_training(
    config: RunConfig, variational: Variational, carried: Collection[Carried], training: TrainConfig
) -> None:
    """Check that a run's network can be trained by variational inference."""
    from tfticket.data import load_dataset
    from tfticket.models import initial_weights, network_of_config, variational_layers
    from tfticket.variational.objective import check_objective, check_precision

    network = network_of_config(variational_model(config.model, variational, carried), load_dataset(config.data))
    if "mask" in carried:
        initial_weights(network, seed=0)
    check_objective(training.objective, variational_layers(network))
    check_precision(training, variational=True)
