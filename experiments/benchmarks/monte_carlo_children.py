"""Subprocesses of the ``monte_carlo`` benchmark; see ``children.py``."""

import tempfile
from pathlib import Path
from typing import Any

from experiments.benchmarks.process import peak_memory
from tfticket.data import Dataset, load_data

SEED = 0


def fit_conv_6(data: str, sampler: str, threads: int) -> dict[str, Any]:
    """Write a sampler of a ticket of Conv-6 that keeps 20 % in every layer, after a few steps of training."""
    import tfticket as tt
    from tfticket import backend

    backend.configure(threads)
    rows = _rows(data)
    model = tt.build_model("conv-6", rows)
    train = {"epochs": "20it", "evaluate_every": "20it", "optimiser": {"name": "adam", "learning_rate": 3e-4}}
    tickets = tt.find_tickets(model, rows, sparsity=0.8, levels=1, scope="layerwise", train=train, seed=SEED)
    tt.fit_survival_model(tickets[-1], rows, images=1000).save(sampler)
    return {"density": tickets[-1].density}


def draw_conv_6(data: str, sampler: str, images: int, threads: int) -> dict[str, Any]:
    """Write a Monte Carlo ticket for Conv-6, connectivity over ``images``; return memory and distances by layer."""
    import tfticket as tt
    from tfticket import backend

    backend.configure(threads)
    rows = _rows(data)
    dense = tt.Ticket.dense(tt.build_model("conv-6", rows), SEED + 1, data=rows)
    drawn = tt.draw_mc_ticket(tt.SurvivalModel.load(sampler), dense, rows, SEED, images=images)
    with tempfile.TemporaryDirectory() as folder:
        drawn.save(Path(folder) / "ticket.safetensors")
    return {"peak": peak_memory(), "layers": drawn.provenance["monte_carlo"]["layers"]}


def _rows(data: str) -> Dataset:
    """Return 45,000 training rows, as in the paper."""
    return load_data(data, validation_rows=5000, train_rows=45_000)
