"""The functions for notebooks. They compute in memory and write nothing; lab steps wrap them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tfticket.config import Control, Objective, PruneConfig, TrainConfig, check_lengths
from tfticket.config.durations import iterations_in
from tfticket.config.schema import check_seed, validate
from tfticket.data import Dataset, load_data
from tfticket.errors import InputError
from tfticket.evaluation.metrics import all_metrics, log_of
from tfticket.evaluation.predictive import DRAWS, predict
from tfticket.keras_versions import check_no_keras_3
from tfticket.models import build_model
from tfticket.network import network_of
from tfticket.pruning.selection import check_levels
from tfticket.registry import CONTROLS, SCORES, resolve
from tfticket.tickets.iterative import iterative_pruning, needs_rewinding, prune_ticket
from tfticket.tickets.ticket import Ticket, check_class_names, check_ticket, with_class_names
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import TrainingResult
from tfticket.types import Weights

if TYPE_CHECKING:
    from tfticket.sampling.sampled_ticket import SampledTicket

__all__ = ["TicketSeries", "TrainedTicket", "build_model", "control", "evaluate", "find_tickets", "load_data", "train"]


@dataclass(frozen=True, eq=False)
class TrainedTicket:
    """A ticket and its trained weights.

    Attributes:
        ticket: The ticket that was trained.
        weights: Path -> array, 0 where pruned.
        history: One row per evaluation: iteration, loss, accuracy and nll on validation rows.
    """

    ticket: Ticket
    weights: Weights
    history: list[dict[str, Any]]

    def __repr__(self) -> str:
        return f"TrainedTicket({self.ticket!r}, validation accuracy {self.history[-1]['accuracy']:.2%})"

    def predict(self, images: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
        """Return probabilities [rows, classes].

        Args:
            images: As the ticket's data: uint8 or floats [rows, height, width, channels], or floats [rows, features].
            draws: Number of weight draws to average over, if the network is variational.
            seed: Of these draws.
        """
        _check_draws(draws)
        log_probs = predict(self.ticket.model, self.ticket.mask, self.weights, images, draws, check_seed(seed))
        probabilities: np.ndarray = np.exp(log_probs)
        return probabilities


class TicketSeries(Sequence[Ticket]):
    """The tickets of levels 0 to n, by level."""

    def __init__(self, tickets: Sequence[Ticket]) -> None:
        self._tickets = list(tickets)

    def __repr__(self) -> str:
        return f"TicketSeries({len(self)} tickets, density {self[0].density:.1%} to {self[-1].density:.1%})"

    def __len__(self) -> int:
        return len(self._tickets)

    def __getitem__(self, level: Any) -> Any:
        return self._tickets[level]

    def at(self, sparsity: float, exact: bool = False) -> Ticket:
        """Return the ticket whose sparsity is nearest.

        Args:
            sparsity: Fraction pruned, in [0, 1).
            exact: Refuse a level that differs by more than 0.0005.

        Raises:
            InputError: A sparsity outside [0, 1); with ``exact``, a sparsity of no level.
        """
        if not 0 <= sparsity < 1:
            raise InputError(f"The sparsity is {sparsity}; expected 0 <= sparsity < 1.")
        nearest = min(self._tickets, key=lambda ticket: abs(ticket.sparsity - sparsity))
        if exact and abs(nearest.sparsity - sparsity) > 5e-4:
            known = ", ".join(f"{ticket.sparsity:.4f}" for ticket in self._tickets)
            raise InputError(f"No level has sparsity {sparsity}. The levels have {known}.")
        return nearest


def find_tickets(
    model: Any,
    data: Dataset,
    *,
    sparsity: float | None = None,
    rate: float | None = None,
    levels: int = 10,
    score: str = "magnitude",
    scope: str = "global",
    exempt: Sequence[str] = (),
    rates: Mapping[str, float] | None = None,
    rewind: str | int = "0it",
    allow_empty: bool = False,
    train: TrainConfig | dict[str, Any] | None = None,
    seed: int = 0,
    start: str = "seed",
) -> TicketSeries:
    """Find tickets by iterative pruning (Frankle and Carbin, 2019).

    Args:
        model: A network from ``build_model``, or any functional or Sequential ``tf_keras`` model that returns
            logits.
        data: From ``load_data``.
        sparsity: Fraction pruned after the last level; 0.99 where neither this nor ``rate`` is given.
        rate: Instead of ``sparsity``: fraction of the survivors to prune at each level.
        levels: Rounds of training, pruning and rewinding.
        score: 'magnitude' or 'random'; for variational networks also 'mu', 'snr' and 'square'.
        scope: 'global' or 'layerwise'.
        exempt: Names of layers never pruned.
        rates: Layer's name -> its own rate; such a layer is ranked by itself, and ``sparsity`` is the others' target.
        rewind: '0it' (initialisation), '500it' or '1ep' (weights of that moment), 'none' (learning-rate rewinding:
            keep the trained weights, restart the schedule).
        allow_empty: Allow a level to prune a layer to nothing.
        train: Training of each level, a ``TrainConfig`` or its fields.
        seed: Root of all draws.
        start: 'seed' draws the start weights; 'current' takes the model's present ones.

    Returns:
        The tickets of levels 0 (dense) to ``levels``.

    Raises:
        InputError: Invalid options; a layer would collapse.
        TfticketError: A training diverged.
    """
    check_dataset(data)
    options = {
        "levels": levels,
        "sparsity": 0.99 if sparsity is None and rate is None else sparsity,
        "rate": rate,
        "score": score,
        "scope": scope,
        "exempt": (exempt,) if isinstance(exempt, str) else exempt,
        "rates": {} if rates is None else rates,
        "rewind": f"{rewind}it" if isinstance(rewind, int | np.integer) and not isinstance(rewind, bool) else rewind,
        "allow_empty": allow_empty,
    }
    pruning = validate(PruneConfig, options, where="find_tickets")
    training = training_config(train)
    step = pruning.step(check_seed(seed))
    dense = Ticket.dense(model, seed, start, data)
    check_lengths(training, pruning.rewind, len(data.x_train))
    check_levels(dense.mask, pruning)
    resolve(SCORES[pruning.score].target)(dense.start, dense.mask, step.seed)  # refuses a network that it cannot rank

    def train_level(ticket: Ticket) -> TrainingResult:
        keep = (step.rewind,) if needs_rewinding(ticket, step.rewind) else ()
        return _train(ticket, data, training, seed, keep)

    def prune_level(ticket: Ticket, trained: TrainingResult) -> Ticket:
        rewound = None
        if needs_rewinding(ticket, step.rewind):
            iteration = iterations_in(step.rewind, len(data.x_train), training.batch_size)
            rewound = (trained.kept[iteration], iteration)
        return prune_ticket(ticket, trained.weights, step, rewound)

    return TicketSeries(list(iterative_pruning(dense, pruning.levels, train_level, prune_level)))


def control(ticket: Ticket, name: str, seed: int = 0, **options: Any) -> Ticket:
    """Make a control of a ticket, to find out which of its properties matter: see ``tfticket.tickets.controls``.

    Args:
        ticket: Of any level.
        name: 'reinitialise', 'keep-signs', 'shuffle-global', 'shuffle-even', 'shuffle-layerwise', 'random-mask' or
            'own-mask'.
        seed: Of its draws.
        **options: Of the control: ``initialiser``, ``densities``, ``allow_empty``.

    Raises:
        InputError: An unknown control, options that it does not take, or a collapsed layer without ``allow_empty``.
    """
    check_ticket(ticket, "control")
    config = validate(Control, {"name": name, **options}, where="control")
    variant: Ticket = resolve(CONTROLS[name].target)(ticket, check_seed(seed), **config.options)
    return variant


def train(
    ticket: Ticket, data: Dataset, *, train: TrainConfig | dict[str, Any] | None = None, seed: int = 0
) -> TrainedTicket:
    """Train a ticket from its own start.

    Args:
        ticket: Any ticket; ``Ticket.dense(model)`` for the unpruned network.
        data: From ``load_data``.
        train: A ``TrainConfig`` or its fields, e.g. ``{"epochs": 20}``.
        seed: Of the order of the rows, of augmentation, and of a variational network's noise and evaluations.

    Raises:
        InputError: A ticket of other shapes or classes than the data; invalid options; an objective for a deterministic
            network.
        TfticketError: The training diverged.
    """
    check_ticket(ticket, "train")
    check_dataset(data)
    trained = _train(ticket, data, training_config(train), check_seed(seed))
    return TrainedTicket(with_class_names(ticket, data), trained.weights, trained.history)


def evaluate(
    trained: "TrainedTicket | SampledTicket", data: Dataset, split: str = "test", *, draws: int = DRAWS, seed: int = 0
) -> dict[str, float]:
    """Return every metric of a trained or sampled ticket: see ``tfticket.evaluation.metrics``.

    Args:
        trained: Result of ``train`` or ``sample``.
        data: From ``load_data``.
        split: 'test' or 'validation'.
        draws: Number of weight draws to average over, if the network is variational and trained.
        seed: Of these draws.
    """
    check_dataset(data)
    _check_draws(draws)
    check_no_keras_3(trained, "evaluate")
    if not hasattr(trained, "ticket") or not hasattr(trained, "predict"):
        raise InputError(f"evaluate takes what train or sample returns, not {type(trained).__name__}.")
    images, labels = data.split(split)
    ticket = trained.ticket
    network_of(ticket.model).check_data(data)
    check_class_names(ticket, data)
    if isinstance(trained, TrainedTicket):
        log_probs = predict(ticket.model, ticket.mask, trained.weights, images, draws, check_seed(seed))
    else:
        log_probs = log_of(trained.predict(images))
    return all_metrics(log_probs, labels)


def check_dataset(data: Any) -> None:
    """Check that a function of the API was given a data set."""
    if not isinstance(data, Dataset):
        raise InputError(f"The data are {type(data).__name__}; expected what load_data returns.")


def _check_draws(draws: int) -> None:
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise InputError(f"draws is {draws!r}; expected an integer >= 1.", field="draws")


def training_config(train: TrainConfig | dict[str, Any] | None) -> TrainConfig:
    """Return a training's configuration, from a config or its fields."""
    return validate(TrainConfig, {} if train is None else train, where="train")


def _train(ticket: Ticket, data: Dataset, config: TrainConfig, seed: int, keep: tuple[str, ...] = ()) -> TrainingResult:
    if not ticket.is_variational and config.objective != Objective():
        raise InputError(
            "train.objective is of variational networks, and the network is deterministic. Leave it out, or make the "
            "network variational: to_variational(model).",
            field="train.objective",
        )
    check_class_names(ticket, data)
    return train_weights(
        ticket.model, ticket.mask, ticket.start, data, config, seed, first_iteration=ticket.iteration, keep=keep
    )
