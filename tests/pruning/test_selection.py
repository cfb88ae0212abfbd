"""Selection: how many weights are pruned, which ones, and what is refused before any training."""

import contextlib
import copy
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.refusals import refused
from tfticket.config import PruneConfig
from tfticket.errors import InputError
from tfticket.pruning.mask import dense_mask, survivors
from tfticket.pruning.selection import check_levels, prune_mask

LAYERS = ["a", "b", "c"]
RATES = st.floats(0, 0.99)
SCOPES = st.sampled_from(["global", "layerwise"])


@st.composite
def masks_and_scores(draw):
    """One to three kernels, some weights already pruned; scores with many ties, or with hardly any."""
    mask, scores = {}, {}
    values = draw(st.sampled_from([st.integers(0, 2).map(float), st.floats(0, 1, width=32)]))
    for layer in LAYERS[: draw(st.integers(1, 3))]:
        shape = draw(array_shapes(max_dims=4, max_side=5))
        mask[f"{layer}/kernel"] = draw(arrays(bool, shape))
        scores[f"{layer}/kernel"] = draw(arrays(np.float32, shape, elements=values))
    return mask, scores


def groups(mask, scope):
    """Kernels that are ranked together."""
    return [list(mask)] if scope == "global" else [[path] for path in mask]


def dense(**sizes):
    return dense_mask({f"{layer}/kernel": (size,) for layer, size in sizes.items()})


def assert_equal(first, second):
    for path, kept in first.items():
        np.testing.assert_array_equal(kept, second[path])


# How many, and which


@given(masks_and_scores(), RATES, SCOPES, st.integers(0, 3))
def test_exactly_the_rate_of_the_survivors_is_pruned_the_lowest_scores_first(case, rate, scope, seed):
    mask, scores = case
    before = copy.deepcopy(case)
    pruned = prune_mask(mask, scores, rate, scope=scope, allow_empty=True, seed=seed)
    assert list(pruned) == list(mask)
    for path, kept in pruned.items():
        assert (kept.dtype, kept.shape) == (np.bool_, mask[path].shape)
        assert not np.any(kept & ~mask[path])
    assert_equal(mask, before[0])
    assert_equal(scores, before[1])
    for paths in groups(mask, scope):
        alive = sum(survivors(mask)[path] for path in paths)
        assert sum(survivors(pruned)[path] for path in paths) == alive - round(rate * alive)
        highest_gone = max(scores[path][mask[path] & ~pruned[path]].max(initial=-np.inf) for path in paths)
        assert highest_gone <= min(scores[path][pruned[path]].min(initial=np.inf) for path in paths)


@given(masks_and_scores(), RATES, RATES, SCOPES)
def test_exempt_layers_and_layers_with_their_own_rate_do_not_count_among_the_others(case, rate, own, scope):
    mask, scores = case
    options = {"scope": scope, "allow_empty": True}
    alone = prune_mask(mask, scores, rate, **options)
    more = dense(exempt=21, own=40)
    scores |= {"exempt/kernel": np.full(21, -1.0), "own/kernel": -np.arange(40.0)}  # they would be the first to go
    pruned = prune_mask(mask | more, scores, rate, exempt=["exempt"], rates={"own": own}, **options)
    assert pruned["exempt/kernel"].all()
    np.testing.assert_array_equal(pruned["own/kernel"], np.arange(40) < 40 - round(own * 40))
    assert_equal(alone, pruned)
    if scope == "layerwise":
        for path, kept in mask.items():
            assert_equal(prune_mask({path: kept}, scores, rate, **options), pruned)


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=3), st.floats(0.01, 0.999), st.integers(1, 15), SCOPES)
def test_all_levels_end_at_the_target_within_rounding(sizes, sparsity, levels, scope):
    rate = PruneConfig(sparsity=sparsity, levels=levels).rate_per_level
    first = mask = dense(**dict(zip(LAYERS, sizes, strict=False)))
    scores = {path: np.arange(kept.size) for path, kept in mask.items()}
    for _ in range(levels):
        mask = prune_mask(mask, scores, rate, scope=scope, allow_empty=True)
    # Each level is off by at most half a weight, of which the later levels keep (1 - rate)^levels.
    off = sum(0.5 * (1 - rate) ** later for later in range(levels)) + 1e-6
    for paths in groups(mask, scope):
        left, whole = (sum(survivors(each)[path] for path in paths) for each in (mask, first))
        assert abs(left - (1 - sparsity) * whole) <= off


EQUAL = dense_mask({"a/kernel": (200, 100), "b/kernel": (2000,), "c/kernel": (5, 5, 4, 40)})
ZEROS = {path: np.zeros(kept.shape) for path, kept in EQUAL.items()}


@pytest.mark.parametrize("scope", ["global", "layerwise"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_equal_scores_are_pruned_at_random_by_the_seed_at_the_rate_in_every_part(rate, scope):
    signs = {
        path: np.copysign(zeros, np.random.default_rng(0).normal(size=zeros.shape)) for path, zeros in ZEROS.items()
    }
    first, again, other = (
        prune_mask(EQUAL, scores, rate, scope=scope, seed=seed) for scores, seed in ((ZEROS, 1), (signs, 1), (ZEROS, 2))
    )
    assert_equal(first, again)  # -0.0 is 0.0
    for path, kept in first.items():
        assert np.any(kept != other[path])
        for part in (kept.ravel(), *np.array_split(kept.ravel(), 5)):
            assert abs(1 - part.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / part.size)


# What is refused

SMALL = dense(a=2, b=8)
A_FIRST = {"a/kernel": np.zeros(2), "b/kernel": np.ones(8)}


def test_a_layer_is_emptied_only_where_that_is_allowed():
    with refused("prune.rate", None, "20.0%", "global", "empty a."):
        prune_mask(SMALL, A_FIRST, 0.2)
    with refused("prune.rate", None, "80.0%", "empty a."):
        prune_mask(SMALL, A_FIRST, 0.2, rates={"a": 0.8})
    assert survivors(prune_mask(SMALL, A_FIRST, 0.2, allow_empty=True)) == {"a/kernel": 0, "b/kernel": 8}
    empty = SMALL | {"a/kernel": np.zeros(2, bool)}
    assert survivors(prune_mask(empty, A_FIRST, 0.5)) == {"a/kernel": 0, "b/kernel": 4}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_of_survivors_must_be_finite(bad):
    scores = A_FIRST | {"b/kernel": np.array([bad, *range(1, 8)])}
    with refused(None, None, "b/kernel"):
        prune_mask(SMALL, scores, 0.3, allow_empty=True)
    mask = SMALL | {"b/kernel": np.array([False, *[True] * 7])}
    assert survivors(prune_mask(mask, scores, 0.5, allow_empty=True)) == {"a/kernel": 0, "b/kernel": 5}


@pytest.mark.parametrize(
    ("options", "field", "suggestion", "mentions"),
    [
        *[({"rate": rate}, "prune.rate", None, [str(rate)]) for rate in (-0.1, 1.0, 1.5, float("nan"))],
        ({"scope": "layer-wise"}, "prune.scope", "layerwise", ["layer-wise"]),
        ({"exempt": ["d"]}, "prune.exempt", None, ["'d'", "a, b"]),
        ({"exempt": ["a", "b"]}, "prune.exempt", None, []),
        ({"rates": {"b_": 0.1}}, "prune.rates", "b", ["'b_'", "a, b"]),
        ({"rates": {"a": 1.0}}, "prune.rates", None, ["a is 1.0"]),
        ({"rates": {"a": -0.1}}, "prune.rates", None, ["a is -0.1"]),
    ],
)
def test_bad_options_are_refused(options, field, suggestion, mentions):
    with refused(field, suggestion, *mentions):
        prune_mask(SMALL, A_FIRST, **{"rate": 0.1, **options})


@pytest.mark.parametrize(("field", "value"), [("exempt", ["bb"]), ("rates", {"bb": 0.1})])
def test_layers_that_do_not_exist_are_refused_before_any_training(field, value):
    with refused(f"prune.{field}", "b", "'bb'", "a, b"):
        check_levels(SMALL, PruneConfig(rate=0.5, levels=1, **{field: value}))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=3), st.floats(0.05, 0.9), st.integers(1, 8), st.booleans())
def test_layerwise_the_check_foresees_what_the_levels_will_refuse(sizes, rate, levels, allow_empty):
    config = PruneConfig(rate=rate, levels=levels, scope="layerwise", allow_empty=allow_empty)
    masks = [dense(**dict(zip(LAYERS, sizes, strict=False)))]
    scores = {path: np.arange(kept.size) for path, kept in masks[0].items()}
    with contextlib.suppress(InputError):
        for _ in range(levels):
            masks.append(prune_mask(masks[-1], scores, rate, scope="layerwise", allow_empty=allow_empty))
    counts = [sum(survivors(mask).values()) for mask in masks]
    possible = len(masks) == levels + 1 and counts[-1] > 0 and all(a > b for a, b in itertools.pairwise(counts))
    with contextlib.nullcontext() if possible else refused("prune.levels"):
        check_levels(masks[0], config)


SIX, UNEVEN, THREE = dense(a=40, b=16), dense(big=1000, small=4), dense(a=600, b=300, c=300)
EACH = {"scope": "layerwise"}


@pytest.mark.parametrize(
    ("mask", "options", "mentions"),
    [
        # A level that would prune nothing
        (SIX, {"sparsity": 1e-6, "levels": 2}, ["Level 1 ", "5e-07", "56 weights"]),
        (SIX, {"rate": 1e-3, "levels": 2}, ["Level 1 ", "0.001", "56 weights"]),
        (SIX, EACH | {"rate": 1e-3, "levels": 2, "rates": {"b": 0.01}}, ["Level 1 ", "0.01"]),
        (SIX, {"rate": 0.3, "levels": 11, "allow_empty": True}, ["Level 11 ", "0.3", "1 weight left"]),
        (SIX, {"rate": 1e-3, "levels": 2, "rates": {"b": 0.1}}, None),
        (SIX, {"rate": 0.01, "levels": 2}, None),
        # A layer that would lose its last weight
        (UNEVEN, EACH | {"rate": 0.75, "levels": 3}, ["small (4 weights)", "level 2"]),
        (UNEVEN, EACH | {"rate": 0.75, "levels": 1}, None),
        (UNEVEN, EACH | {"rate": 0.75, "levels": 3, "exempt": ["small"]}, None),
        (UNEVEN, {"rate": 0.75, "levels": 3}, None),
        (UNEVEN, {"rate": 0.1, "levels": 3, "rates": {"small": 0.75}}, ["small (4 weights)", "level 2"]),
        (UNEVEN, {"rate": 0.1, "levels": 3, "rates": {"small": 0.2}}, None),
        # Fewer weights than layers that are ranked together
        (THREE, {"sparsity": 0.998, "levels": 1}, ["2 weights", "level 1", "3 layers a, b, c"]),
        (THREE, {"sparsity": 0.9999, "levels": 1}, ["0 weights", "level 1"]),
        (THREE, {"sparsity": 0.999, "levels": 1, "exempt": ["c"]}, ["1 weight ", "level 1", "2 layers a, b"]),
        (THREE, {"sparsity": 0.9999, "levels": 1, "allow_empty": True}, ["all layers", "level 1"]),
        (THREE, {"sparsity": 0.997, "levels": 1}, None),
        (THREE, {"sparsity": 0.998, "levels": 1, "allow_empty": True}, None),
    ],
)
def test_each_level_prunes_something_and_leaves_each_layer_a_weight(mask, options, mentions):
    with contextlib.nullcontext() if mentions is None else refused("prune.levels", None, *mentions):
        check_levels(mask, PruneConfig(**options))
