import numpy as np
import pytest

import tfticket as tt
from tfticket.errors import InputError
from tfticket.inspection.comparison import compare_tickets
from tfticket.pruning.algebra import overlap, total

MATRICES = ("jaccard", "jaccard_by_chance", "coefficient", "over_chance")


@pytest.fixture
def model():
    return tt.build_model("lenet-300-100", input_shape=(2, 2, 1), num_classes=2)


def mask_of(model, *kept):
    """Masks whose first weights of a layer, or those that are listed, survive."""
    found = {}
    for (path, shape), which in zip(tt.models.kernel_shapes(model).items(), kept, strict=True):
        flat = np.zeros(np.prod(shape), bool)
        flat[which] = True
        found[path] = flat.reshape(shape)
    return found


def test_numbers_worked_by_hand(model, prune):
    everything = slice(None)
    one = prune(model, mask_of(model, slice(0, 600), slice(0, 300), everything), exempt=["dense_3"])
    two = prune(model, mask_of(model, slice(300, 900), slice(200, 400), everything), exempt=["dense_3"])
    found = compare_tickets({"one": one, "two": two})
    assert found.names == ("one", "two")
    assert found.paths == ("dense_1/kernel", "dense_2/kernel", "dense_3/kernel")
    assert found.densities.tolist() == [[600 / 1200, 300 / 30_000, 1], [600 / 1200, 200 / 30_000, 1]]
    assert found.jaccard[:, 0, 1].tolist() == [300 / 900, 100 / 400, 1]
    assert found.coefficient[:, 0, 1].tolist() == [300 / 600, 100 / 200, 1]
    assert found.over_chance[:, 0, 1].tolist() == pytest.approx([1, 100 / 2, 1])
    assert found.jaccard_by_chance[:, 0, 1].tolist() == pytest.approx([300 / 900, 2 / 498, 1])
    # dense_3 is exempt and dense in both, so that it does not count.
    assert found.total_jaccard[0, 1] == 400 / 1300
    assert found.total_coefficient[0, 1] == 400 / 800
    assert found.total_over_chance[0, 1] == pytest.approx(400 / 302)
    assert found.total_jaccard_by_chance[0, 1] == pytest.approx(302 / (1700 - 302))


def test_an_exempt_layer_that_is_pruned_counts(model, prune):
    one = prune(model, mask_of(model, [0], [0], slice(None)), exempt=["dense_3"])
    two = prune(model, mask_of(model, [0], [0], slice(0, 50)))
    found = compare_tickets({"one": one, "two": two})
    assert found.total_jaccard[0, 1] == 52 / 202
    assert found.total_jaccard[0, 0] == 1


def test_matrices_are_symmetric_and_agree_with_the_algebra(model, prune):
    tickets = {f"seed {seed}": prune(model, density=0.1 * (1 + seed), seed=seed) for seed in range(4)}
    found = compare_tickets(tickets)
    for name in MATRICES:
        each, whole = getattr(found, name), getattr(found, f"total_{name}")
        assert each.shape == (3, 4, 4)
        assert np.array_equal(each, each.transpose(0, 2, 1))
        assert np.array_equal(whole, whole.T)
        assert np.all(np.isfinite(each))
    assert np.all(found.total_jaccard.diagonal() == 1)
    pair = overlap(tickets["seed 1"].mask, tickets["seed 3"].mask)
    assert found.total_jaccard[1, 3] == total(pair).jaccard
    assert found.jaccard[:, 1, 3].tolist() == [layer.jaccard for layer in pair.values()]
    assert found.coefficient[:, 1, 3].tolist() == [layer.coefficient for layer in pair.values()]


def test_empty_masks_are_alike_and_as_alike_as_chance_has_it(model, prune):
    empty = prune(model, mask_of(model, [], [], []))
    found = compare_tickets({"one": empty, "two": empty})
    for name in MATRICES:
        assert np.all(getattr(found, name) == 1)
        assert np.all(getattr(found, f"total_{name}") == 1)


def test_tickets_of_different_networks_are_refused(model, prune):
    other = tt.build_model("lenet-300-100", input_shape=(2, 2, 1), num_classes=3)
    with pytest.raises(InputError, match="a and b are tickets of different networks"):
        compare_tickets({"a": prune(model), "b": prune(other)})
    with pytest.raises(InputError, match="no ticket"):
        compare_tickets({})
