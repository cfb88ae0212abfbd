"""tfticket: a workbench for lottery tickets in Bayesian and deterministic networks.

Importing it imports neither TensorFlow nor anything slow; the first use of a name does.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tfticket.errors import InputError, Stopped, TfticketError

if TYPE_CHECKING:
    from tfticket.api import TicketSeries, TrainedTicket, build_model, control, evaluate, find_tickets, train
    from tfticket.config import TrainConfig
    from tfticket.data import Dataset, load_data
    from tfticket.models import to_variational
    from tfticket.sampling.sampled_ticket import SampledTicket, sample
    from tfticket.tickets import Ticket
    from tfticket.tickets.monte_carlo import draw_ticket, fit_sampler
    from tfticket.tickets.sampler import Sampler
    from tfticket.tickets.transplant import to_deterministic, transplant

_WHERE = {
    "Dataset": "tfticket.data",
    "SampledTicket": "tfticket.sampling.sampled_ticket",
    "Sampler": "tfticket.tickets.sampler",
    "Ticket": "tfticket.tickets",
    "TicketSeries": "tfticket.api",
    "TrainConfig": "tfticket.config",
    "TrainedTicket": "tfticket.api",
    "build_model": "tfticket.api",
    "control": "tfticket.api",
    "draw_ticket": "tfticket.tickets.monte_carlo",
    "evaluate": "tfticket.api",
    "find_tickets": "tfticket.api",
    "fit_sampler": "tfticket.tickets.monte_carlo",
    "load_data": "tfticket.data",
    "sample": "tfticket.sampling.sampled_ticket",
    "to_deterministic": "tfticket.tickets.transplant",
    "to_variational": "tfticket.models",
    "train": "tfticket.api",
    "transplant": "tfticket.tickets.transplant",
}

__all__ = [
    "Dataset",
    "InputError",
    "SampledTicket",
    "Sampler",
    "Stopped",
    "TfticketError",
    "Ticket",
    "TicketSeries",
    "TrainConfig",
    "TrainedTicket",
    "build_model",
    "control",
    "draw_ticket",
    "evaluate",
    "find_tickets",
    "fit_sampler",
    "load_data",
    "sample",
    "to_deterministic",
    "to_variational",
    "train",
    "transplant",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tfticket' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
