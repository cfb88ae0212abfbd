import numpy as np
import pytest

import tfticket as tt
from tests.refusals import refused
from tfticket.inspection.comparison import compare_tickets
from tfticket.pruning.algebra import overlap, total

MATRICES = ("jaccard", "jaccard_by_chance", "coefficient", "over_chance")
ALL = slice(None)


@pytest.fixture
def model():
    return tt.build_model("lenet-300-100", input_shape=(2, 2, 1), num_classes=2)


def mask_of(model, *kept):
    """Return a mask of the weights of each layer at these places of the flat kernel."""
    mask = {}
    for (path, shape), places in zip(tt.models.kernel_shapes(model).items(), kept, strict=True):
        flat = np.zeros(np.prod(shape), bool)
        flat[places] = True
        mask[path] = flat.reshape(shape)
    return mask


def test_numbers_worked_by_hand(model, prune):
    first = prune(model, mask_of(model, slice(0, 600), slice(0, 300), ALL), exempt=["dense_3"])
    second = prune(model, mask_of(model, slice(300, 900), slice(200, 400), ALL), exempt=["dense_3"])
    comparison = compare_tickets({"first": first, "second": second})
    assert comparison.densities.tolist() == [[600 / 1200, 300 / 30_000, 1], [600 / 1200, 200 / 30_000, 1]]
    assert comparison.jaccard[:, 0, 1].tolist() == [300 / 900, 100 / 400, 1]
    assert comparison.coefficient[:, 0, 1].tolist() == [300 / 600, 100 / 200, 1]
    assert comparison.over_chance[:, 0, 1].tolist() == pytest.approx([1, 100 / 2, 1])
    assert comparison.jaccard_by_chance[:, 0, 1].tolist() == pytest.approx([300 / 900, 2 / 498, 1])
    # dense_3 is exempt and dense in both, so that it does not count.
    assert comparison.total_jaccard[0, 1] == 400 / 1300
    assert comparison.total_coefficient[0, 1] == 400 / 800
    assert comparison.total_over_chance[0, 1] == pytest.approx(400 / 302)
    assert comparison.total_jaccard_by_chance[0, 1] == pytest.approx(302 / (1700 - 302))
    # An exempt layer that one of them prunes counts.
    first = prune(model, mask_of(model, [0], [0], ALL), exempt=["dense_3"])
    second = prune(model, mask_of(model, [0], [0], slice(0, 50)))
    assert compare_tickets({"first": first, "second": second}).total_jaccard.tolist() == [[1, 52 / 202], [52 / 202, 1]]


def test_matrices_are_symmetric_and_agree_with_the_algebra(model, prune):
    tickets = {f"seed {seed}": prune(model, density=0.1 * (1 + seed), seed=seed) for seed in range(4)}
    comparison = compare_tickets(tickets)
    for name in MATRICES:
        layers, whole = getattr(comparison, name), getattr(comparison, f"total_{name}")
        assert np.array_equal(layers, layers.transpose(0, 2, 1))
        assert np.array_equal(whole, whole.T)
    pair = overlap(tickets["seed 1"].mask, tickets["seed 3"].mask)
    assert comparison.total_jaccard[1, 3] == total(pair).jaccard
    assert comparison.jaccard[:, 1, 3].tolist() == [layer.jaccard for layer in pair.values()]
    empty = prune(model, mask_of(model, [], [], []))
    comparison = compare_tickets({"first": empty, "second": empty})  # alike, and as alike as chance has it
    assert all(np.all(getattr(comparison, name) == 1) for name in (*MATRICES, *(f"total_{name}" for name in MATRICES)))


def test_tickets_of_different_networks_are_refused(model, prune):
    other = tt.build_model("lenet-300-100", input_shape=(2, 2, 1), num_classes=3)
    with refused(None, None, "a and b", "(100, 2)", "(100, 3)"):
        compare_tickets({"a": prune(model), "b": prune(other)})
    with refused(None, None, "no ticket"):
        compare_tickets({})
