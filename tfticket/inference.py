"""Variational inference on tickets for notebooks: in memory, as ``tfticket.api``."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tfticket import api, seeds
from tfticket.api import TrainedTicket, check_dataset, training_config
from tfticket.config import Carried, Population, TrainConfig, Variational
from tfticket.config.durations import generation_bounds, iterations_in
from tfticket.config.schema import check_seed, validate
from tfticket.data import Dataset
from tfticket.errors import Diverged, InputError, unknown
from tfticket.models import model_from_spec, to_variational
from tfticket.tickets.ticket import Ticket, check_class_names, check_ticket
from tfticket.tickets.transplant import transplant
from tfticket.training.exploit_explore import Child, population_based_training
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Checkpoint, Hooks
from tfticket.variational.svi_ways import Way, with_kl_weights


def svi(
    ticket: Ticket,
    data: Dataset,
    *,
    kl_weights: Literal["default", "unscaled"] | Mapping[str, float] = "default",
    variational: Variational | dict[str, Any] | None = None,
    carried: Carried = "mask",
    train: TrainConfig | dict[str, Any] | None = None,
    seed: int = 0,
) -> TrainedTicket:
    """Train a ticket by stochastic variational inference, in the variational network of the same architecture.

    Args:
        ticket: A ticket of a deterministic network; one of a variational network is trained by ``train``.
        data: From ``load_data``.
        kl_weights: Factors on the layers' KL divergences: 'default' is 1; 'unscaled' does not divide the divergence by
            the number of rows; or layer -> factor, such as ``tune`` returns.
        variational: Prior and initialisation, a config or its fields, e.g. ``{"prior": 0.1}``.
        carried: 'mask' draws the means from the seed; 'start' takes the ticket's start weights as means.
        train: A ``TrainConfig`` or its fields.
        seed: Of initialisation, order of rows, augmentation, noise and evaluations.

    Raises:
        InputError: A ticket that is variational or of other shapes or classes than the data; invalid options.
        TfticketError: The training diverged.

    References:
        "Bayes always wins the lottery in Monte Carlo", section 4; Blundell et al. (2015), "Weight uncertainty in neural
        networks".
    """
    onto = _variational_ticket(ticket, data, variational, carried, check_seed(seed), "svi")
    way: Way = "tuned"
    if isinstance(kl_weights, str):
        if kl_weights not in ("default", "unscaled"):
            raise unknown("KL weights", kl_weights, ("default", "unscaled"), field="kl_weights")
        way, kl_weights = kl_weights, {}
    training = with_kl_weights(training_config(train), way, kl_weights, len(data.x_train))
    return api.train(onto, data, train=validate(TrainConfig, training.model_dump(), where="svi"), seed=seed)


def tune(
    ticket: Ticket,
    data: Dataset,
    *,
    population: Population | dict[str, Any] | None = None,
    variational: Variational | dict[str, Any] | None = None,
    carried: Carried = "mask",
    train: TrainConfig | dict[str, Any] | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Tune the KL weights of variational inference on a ticket by population-based training.

    Members with their own initialisations and KL weights are trained one after another; after each generation, copies
    of the best replace the worst, and their weights are perturbed or redrawn.

    Args:
        ticket: As for ``svi``.
        data: From ``load_data``; its validation rows rank the members.
        population: Sizes, perturbation, metric: a config or its fields, e.g. ``{"members": 10, "generations": 5}``.
        variational: As for ``svi``.
        carried: As for ``svi``.
        train: Training of a member over all generations, a ``TrainConfig`` or its fields.
        seed: Of all draws.

    Returns:
        Layer -> KL weight of the best member, for ``svi(..., kl_weights=...)``.

    Raises:
        InputError: As ``svi``; fewer iterations than generations.
        TfticketError: Every member diverged.

    References:
        Jaderberg et al. (2017), "Population based training of neural networks".
    """
    config = validate(Population, {} if population is None else population, where="tune")
    training, root = training_config(train), check_seed(seed)
    member_seeds = [seeds.derive(root, "member", member) for member in range(config.members)]
    tickets = [_variational_ticket(ticket, data, variational, carried, member, "tune") for member in member_seeds]
    iterations = iterations_in(training.epochs, len(data.x_train), training.batch_size)
    bounds = generation_bounds(tickets[0].iteration, iterations, config.generations)
    states: list[Checkpoint | None] = []

    def train_member(generation: int, member: int, child: Child) -> tuple[Checkpoint | None, float]:
        saved: list[Checkpoint] = []
        resume = None if child.parent is None else states[child.parent]
        try:
            trained = train_weights(
                tickets[member].model,
                tickets[member].mask,
                tickets[member].start,
                data,
                with_kl_weights(training, "tuned", child.weights, len(data.x_train)),
                member_seeds[member],
                first_iteration=bounds[generation][0],
                until=bounds[generation][1],
                hooks=Hooks(resume=resume, checkpoint=saved.append),
            )
        except Diverged:
            return None, math.nan
        return saved[-1], float(trained.history[-1][config.metric])

    def train_generation(generation: int, children: Sequence[Child]) -> list[float]:
        nonlocal states
        results = [train_member(generation, member, child) for member, child in enumerate(children)]
        states = [state for state, _ in results]
        return [score for _, score in results]

    layers = [path.removesuffix("/kernel_rho") for path in tickets[0].start if path.endswith("/kernel_rho")]
    return population_based_training(config, layers, root, train_generation)


def _variational_ticket(
    ticket: Ticket,
    data: Dataset,
    variational: Variational | dict[str, Any] | None,
    carried: Carried,
    seed: int,
    function: str,
) -> Ticket:
    """Transplant a deterministic ticket to the variational network of its architecture."""
    check_ticket(ticket, function)
    check_dataset(data)
    if ticket.is_variational:
        raise InputError(
            f"{function} takes a ticket of a deterministic network; {ticket.name} is variational. Use train.",
            field="ticket",
            suggestion="train",
        )
    check_class_names(ticket, data)
    network = to_variational(model_from_spec(ticket.model), variational)
    return transplant(ticket, Ticket.dense(network, seed, data=data), carried)
