"""Population-based training of a variational network's KL weights, as steps of a lab.

Members of a population are trained side by side, each from its own initialisation and with its own KL weights. After
each generation, copies of the best members replace the worst, and their weights are perturbed or redrawn. The result is
the weights of the member that is best in the end on validation rows; new trainings then use them.

References:
    "Bayes always wins the lottery in Monte Carlo", section 4; Jaderberg et al. (2017), "Population based training of
    neural networks".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfticket import seeds
from tfticket.arms import Arm
from tfticket.config import DataConfig, MemberStep, Population, TrainConfig
from tfticket.config.durations import generation_bounds, iterations_in
from tfticket.errors import InputError
from tfticket.lab import Handle, Lab, Request

if TYPE_CHECKING:
    from tfticket.training.exploit_explore import Child


def tune(
    lab: Lab,
    data: DataConfig,
    train: TrainConfig,
    population: Population,
    start_member: Callable[[int], Handle],
    seed: int,
    label: Mapping[str, Any],
) -> dict[str, float]:
    """Return tuned KL weights, layer -> weight. The labels of the steps record the members' descent.

    ``start_member`` makes a ticket of a variational network, from the member's own initialisation.

    Raises:
        TfticketError: Every member diverged.
    """
    from tfticket.data import split_rows
    from tfticket.training.exploit_explore import population_based_training

    tickets = [start_member(member) for member in range(population.members)]
    layers, first_iteration = _layers_and_iteration(tickets[0])
    iterations = iterations_in(train.epochs, split_rows(data)[0], train.batch_size)
    bounds = generation_bounds(first_iteration, iterations, population.generations)
    trained: list[Handle] = []

    def request(generation: int, member: int, child: "Child") -> Request:
        objective = train.objective.model_copy(update={"kl_weights": child.weights})
        first, last = bounds[generation]
        step = MemberStep(
            data=data,
            train=train.model_copy(update={"objective": objective}),
            seed=seeds.derive(seed, "member", member),
            first=first,
            last=last,
        )
        inputs = {"ticket": tickets[member]} | ({} if child.parent is None else {"parent": trained[child.parent]})
        descent = {"arm": Arm("population"), "member": member, "generation": generation, "parent": child.parent}
        return Request(step, inputs, {**label, **descent, "weights": child.weights, "metric": population.metric})

    def train_generation(generation: int, children: "Sequence[Child]") -> list[float]:
        nonlocal trained
        trained = lab.steps("member", [request(generation, number, child) for number, child in enumerate(children)])
        return [float(handle.result()["validation"].get(population.metric, math.nan)) for handle in trained]

    return population_based_training(population, layers, seed, train_generation)


def _layers_and_iteration(ticket: Handle) -> tuple[list[str], int]:
    """Return a ticket's variational layers and the iteration of its start."""
    header = ticket.ticket_header()
    suffix = "/kernel_rho"
    layers = [path.removesuffix(suffix) for path in header["weights"] if path.endswith(suffix)]
    if not layers:
        raise InputError(
            f"{ticket.path.name} is a ticket of a deterministic network; expected a variational one, whose layers have "
            "KL weights. Set model.variational.",
            field="model.variational",
        )
    return layers, header["iteration"]
