"""Small networks and tickets with masks made by hand or drawn."""

import numpy as np
import pytest

import tfticket as tt


@pytest.fixture
def prune():
    """A model's ticket with a mask: given by path, or drawn at a density."""

    def pruned(model, mask=None, density=0.5, seed=0, **provenance):
        dense = tt.Ticket.dense(model, seed=seed)
        rng = np.random.default_rng(seed)
        drawn = {path: rng.random(kept.shape) < density for path, kept in dense.mask.items()}
        mask = {path: np.asarray(kept, bool) for path, kept in (drawn if mask is None else mask).items()}
        return tt.Ticket(dense.model, mask, dense.start, dense.start, provenance=provenance)

    return pruned
