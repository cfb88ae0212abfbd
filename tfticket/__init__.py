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
    from tfticket.sampling.sampled import SampledTicket, sample
    from tfticket.tickets import Ticket

_WHERE = {
    "Dataset": "tfticket.data",
    "SampledTicket": "tfticket.sampling.sampled",
    "Ticket": "tfticket.tickets",
    "TicketSeries": "tfticket.api",
    "TrainConfig": "tfticket.config",
    "TrainedTicket": "tfticket.api",
    "build_model": "tfticket.api",
    "control": "tfticket.api",
    "evaluate": "tfticket.api",
    "find_tickets": "tfticket.api",
    "load_data": "tfticket.data",
    "sample": "tfticket.sampling.sampled",
    "train": "tfticket.api",
}

__all__ = [
    "Dataset",
    "InputError",
    "SampledTicket",
    "Stopped",
    "TfticketError",
    "Ticket",
    "TicketSeries",
    "TrainConfig",
    "TrainedTicket",
    "build_model",
    "control",
    "evaluate",
    "find_tickets",
    "load_data",
    "sample",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tfticket' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
