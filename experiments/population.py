"""Tune the KL weights of a variational network's layers by population-based training.

Members of a population are trained side by side, each from an initialisation of its own and with KL weights of its own.
After each generation the worst are replaced by copies of the best, whose weights are then perturbed or drawn anew. The
weights of the member that is best in the end, on validation rows, are the winner's; they are to be used afresh.

References:
    "Bayes always wins the lottery in Monte Carlo", section 4; Jaderberg et al. (2017), "Population based training of
    neural networks".
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from tfticket import seeds
from tfticket.arms import Arm
from tfticket.config import DataConfig, MemberStep, Population, TrainConfig
from tfticket.durations import generation_bounds, iterations_in
from tfticket.errors import InputError
from tfticket.lab import Handle, Lab, Request


def tune(
    lab: Lab,
    data: DataConfig,
    train: TrainConfig,
    population: Population,
    start_of_member: Callable[[int], Handle],
    seed: int,
    label: Mapping[str, Any],
) -> dict[str, float]:
    """Find KL weights: layer -> factor, the winner's. Who descends from whom is in the labels of the run's steps.

    Args:
        lab: Computes the members, several at once.
        data: Their data.
        train: Their training; its KL weights are replaced by each member's.
        population: How they are tuned.
        start_of_member: Member -> a step that made a ticket of a variational network, of the member's initialisation.
        seed: Of the members' order of rows and noise, and of all that evolves.
        label: What the run's report calls the population, e.g. ``{"seed": 0, "level": 3, "density": 0.5}``.

    Raises:
        InputError: The tickets are not of variational networks; too few iterations for so many generations.
        TfticketError: Every member diverged.
    """
    from tfticket.training.exploit_explore import Child, evolve, first_weights, winner_of

    tickets = [start_of_member(member) for member in range(population.members)]
    layers, begin = _layers_and_iteration(tickets[0])
    bounds = generation_bounds(begin, _iterations(data, train), population.generations)

    def request(generation: int, member: int, child: Child) -> Request:
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
        said = {"arm": Arm("population"), "member": member, "generation": generation, "parent": child.parent}
        return Request(step, inputs, {**label, **said, "weights": child.weights, "metric": population.metric})

    trained: list[Handle] = []
    scores: list[float] = []
    for generation in range(population.generations):
        if generation == 0:
            children = [Child(None, weights) for weights in first_weights(population, layers, seed)]
        else:
            children = evolve(population, scores, [child.weights for child in children], seed, generation)
        requests = [request(generation, member, child) for member, child in enumerate(children)]
        trained = lab.steps("member", requests)
        scores = [_score(handle, population.metric) for handle in trained]
    return children[winner_of(population, scores)].weights


def _layers_and_iteration(ticket: Handle) -> tuple[list[str], int]:
    """Variational layers of a ticket, and the iteration that its start belongs to."""
    header = ticket.ticket_header()
    end = "/kernel_rho"
    layers = [path.removesuffix(end) for path in header["weights"] if path.endswith(end)]
    if not layers:
        raise InputError(
            f"{ticket.path.name} is a ticket of a deterministic network; expected a variational one, whose layers have "
            "KL weights. Set model.variational."
        )
    return layers, header["iteration"]


def _iterations(data: DataConfig, train: TrainConfig) -> int:
    from tfticket.data import split_rows

    return iterations_in(train.epochs, split_rows(data)[0], train.batch_size)


def _score(handle: Handle, metric: str) -> float:
    return float(handle.result()["validation"].get(metric, math.nan))
