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
    from tfticket.inference import svi, tune
    from tfticket.models import to_variational
    from tfticket.sampling.sampled_ticket import SampledTicket, sample
    from tfticket.tickets import Ticket
    from tfticket.tickets.monte_carlo_tickets import draw_mc_ticket, fit_survival_model
    from tfticket.tickets.survival_model import SurvivalModel
    from tfticket.tickets.transplant import to_deterministic, transplant

_WHERE = {
    name: module
    for module, names in {
        "tfticket.data": "Dataset load_data",
        "tfticket.sampling.sampled_ticket": "SampledTicket sample",
        "tfticket.tickets.survival_model": "SurvivalModel",
        "tfticket.tickets": "Ticket",
        "tfticket.api": "TicketSeries TrainedTicket build_model control evaluate find_tickets train",
        "tfticket.config": "TrainConfig",
        "tfticket.tickets.monte_carlo_tickets": "draw_mc_ticket fit_survival_model",
        "tfticket.inference": "svi tune",
        "tfticket.tickets.transplant": "to_deterministic transplant",
        "tfticket.models": "to_variational",
    }.items()
    for name in names.split()
}
"""Public name -> module."""

__all__ = [
    "Dataset",
    "InputError",
    "SampledTicket",
    "Stopped",
    "SurvivalModel",
    "TfticketError",
    "Ticket",
    "TicketSeries",
    "TrainConfig",
    "TrainedTicket",
    "build_model",
    "control",
    "draw_mc_ticket",
    "evaluate",
    "find_tickets",
    "fit_survival_model",
    "load_data",
    "sample",
    "svi",
    "to_deterministic",
    "to_variational",
    "train",
    "transplant",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'tfticket' has no attribute '{name}'")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
