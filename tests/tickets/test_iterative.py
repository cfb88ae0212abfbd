"""Iterative pruning: the procedure, one step of it, and series of tickets on real data."""

import itertools

import numpy as np
import pytest

import tfticket as tt
from tests.refusals import refused
from tfticket.config import PruneStep
from tfticket.models import to_variational
from tfticket.tickets.iterative import iterative_pruning, prune_ticket
from tfticket.training.gradient import train_weights

pytestmark = pytest.mark.usefixtures("without_xla")
SHORT = {"epochs": "20it"}


@pytest.fixture(scope="module")
def rows(data):
    """MNIST, every fourth pixel along each side."""
    parts = {name: getattr(data, name)[:, ::4, ::4] for name in ("x_train", "x_test")}
    return tt.load_data("digits", **parts, y_train=data.y_train, y_test=data.y_test)


@pytest.fixture(scope="module")
def model(rows):
    return tt.build_model("lenet-300-100", rows)


@pytest.fixture(scope="module")
def series(model, rows):
    return tt.find_tickets(model, rows, sparsity=0.9, levels=3, train=SHORT, seed=5)


def test_the_procedure_trains_prunes_and_hands_on():
    train, prune = (lambda ticket: f"{ticket}'"), (lambda ticket, trained: f"{ticket}1 of {trained}")
    assert list(iterative_pruning("0", 2, train, prune)) == ["0", "01 of 0'", "01 of 0'1 of 01 of 0''"]


def test_a_step_prunes_by_the_trained_weights_and_rewinds_to_the_start(model):
    dense, random = tt.Ticket.dense(to_variational(model), seed=0), np.random.default_rng(0)
    trained = {path: random.normal(size=array.shape) for path, array in dense.start.items()}
    pruned = prune_ticket(dense, trained, PruneStep(rate=0.9, score="snr", seed=0))
    ratios = {path: np.abs(trained[path]) / np.logaddexp(0, trained[f"{path}_rho"]) for path in pruned.mask}
    kept = np.concatenate([ratios[path][kept] for path, kept in pruned.mask.items()])
    lost = np.concatenate([ratios[path][~kept] for path, kept in pruned.mask.items()])
    assert kept.min() > lost.max()
    assert (pruned.start is dense.start, pruned.level) == (True, 1)  # scales too
    assert pruned.density == pytest.approx(0.1, abs=1e-4)
    steps = [PruneStep(rate=0.5, score="random", seed=seed) for seed in (1, 1, 2)]
    first, same, other = (prune_ticket(dense, trained, step).mask for step in steps)
    assert all(np.array_equal(first[path], same[path]) for path in first)
    assert not any(np.array_equal(first[path], other[path]) for path in first)


def test_tickets_have_the_densities_of_the_target_and_shrink(series):
    assert [ticket.level for ticket in series] == [0, 1, 2, 3]
    np.testing.assert_allclose([ticket.density for ticket in series], [0.1 ** (k / 3) for k in range(4)], atol=1e-4)
    for above, below in itertools.pairwise(series):
        assert not any(np.any(below.mask[path] & ~above.mask[path]) for path in above.mask)
    assert series.at(sparsity=0.8).level == 2
    assert series.at(sparsity=0.9, exact=True).level == 3
    with pytest.raises(tt.InputError, match=r"0\.8"):
        series.at(sparsity=0.8, exact=True)
    with pytest.raises(tt.InputError, match="sparsity < 1"):
        series.at(sparsity=1.0)


def test_rewinding_starts_from_the_dense_networks_weights_at_that_iteration(model, rows):
    config = tt.TrainConfig(**SHORT)
    dense, *pruned = tt.find_tickets(model, rows, rate=0.5, levels=2, rewind=8, train=config, seed=5)
    there = train_weights(dense.model, dense.mask, dense.start, rows, config, 5, keep=("8it",)).kept[8]
    for ticket in pruned:
        assert ticket.iteration == 8
        for path, array in there.items():
            np.testing.assert_array_equal(ticket.start[path], array)
            np.testing.assert_array_equal(ticket.initial[path], dense.start[path])


def test_learning_rate_rewinding_keeps_the_trained_weights(model, rows):
    tickets = tt.find_tickets(model, rows, rate=0.5, levels=2, rewind="none", train=SHORT, seed=5)
    for above, below in itertools.pairwise(tickets):
        trained = tt.train(above, rows, train=SHORT, seed=5)
        np.testing.assert_array_equal(below.start["dense_1/kernel"], trained.weights["dense_1/kernel"])
        assert below.iteration == 0


# fmt: off
WRONG = [
    # options, the field that is wrong, a suggestion
    ({"sparsity": 1.0}, "sparsity", None), ({"sparsity": -0.1}, "sparsity", None), ({"levels": 0}, "levels", None),
    ({"levels": True}, "levels", None), ({"levels": np.float64(2)}, "levels", None), ({"rate": True}, "rate", None),
    ({"score": "magnitud"}, "score", "magnitude"), ({"scope": "local"}, "scope", None), ({"exempt": 5}, "exempt", None),
    ({"exempt": [True]}, "exempt.0", None), ({"rates": "dense_1"}, "rates", None), ({"rewind": True}, "rewind", None),
    ({"rates": {"dense_1": True}}, "rates.dense_1", None), ({"rewind": "later"}, "rewind", None),
    ({"seed": True}, "seed", None), ({"seed": 2**128}, "seed", None), ({"start": "curent"}, "start", "current"),
]
UNFIT = [
    # options, facts in the message
    ({"sparsity": 0.5, "rate": 0.5}, "sparsity.*rate"), ({"exempt": ["dense_9"]}, "dense_9"),
    ({"rewind": "50it"}, "rewind 50it"), ({"rewind": np.int64(50)}, "rewind 50it"),
    ({"train": 0}, "train: "), ({"model": None}, "NoneType"), ({"train": {"batch_size": True}}, "batch_size: "),
    ({"rate": 0.9, "levels": 5, "scope": "layerwise"}, "empty dense_3"), ({"train": {"epoch": 3}}, "'epochs'"),
    ({"train": {"batch_size": np.int64(3000)}}, r"3,000.*1800"),
    ({"train": {"epochs": 1, "milestones": ["1ep"]}}, "milestones"),
    ({"train": {"batch_size": 3000}, "seed": "a"}, "seed"),  # arguments before the budget
    ({"score": "snr"}, "score magnitude"),  # of a deterministic network
]
# fmt: on


def test_wrong_options_are_refused(model, rows):
    for options, field, suggestion in WRONG:
        with refused(field, suggestion):
            tt.find_tickets(**{"model": model, "data": rows, "train": SHORT} | options)
    for options, facts in UNFIT:
        with pytest.raises(tt.InputError, match=facts):
            tt.find_tickets(**{"model": model, "data": rows, "train": SHORT} | options)
