import contextlib
import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

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
    few, many = st.integers(0, 2).map(float), st.floats(0, 1, width=32)
    values = draw(st.sampled_from([few, many]))
    for layer in LAYERS[: draw(st.integers(1, 3))]:
        shape = draw(array_shapes(max_dims=4, max_side=5))
        mask[f"{layer}/kernel"] = draw(arrays(bool, shape))
        scores[f"{layer}/kernel"] = draw(arrays(np.float32, shape, elements=values))
    return mask, scores


def went(before, after):
    """Kernel path -> where a weight was pruned."""
    return {path: before[path] & ~after[path] for path in before}


# How many go


@given(masks_and_scores(), RATES)
def test_globally_exactly_the_rate_of_all_survivors_goes(case, rate):
    mask, scores = case
    pruned = prune_mask(mask, scores, rate, allow_empty=True)
    alive = sum(survivors(mask).values())
    assert sum(survivors(pruned).values()) == alive - round(rate * alive)


@given(masks_and_scores(), RATES)
def test_layerwise_exactly_the_rate_of_each_layers_survivors_goes(case, rate):
    mask, scores = case
    pruned = prune_mask(mask, scores, rate, scope="layerwise", allow_empty=True)
    assert survivors(pruned) == {path: alive - round(rate * alive) for path, alive in survivors(mask).items()}


@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=3),
    st.floats(0.01, 0.999),
    st.integers(1, 15),
    SCOPES,
)
def test_all_rounds_end_at_the_target_within_rounding(sizes, sparsity, levels, scope):
    rate = PruneConfig(sparsity=sparsity, levels=levels).rate_per_level
    first = mask = dense_mask({f"{layer}/kernel": (size,) for layer, size in zip(LAYERS, sizes, strict=False)})
    scores = {path: np.arange(kept.size) for path, kept in mask.items()}
    for _ in range(levels):
        mask = prune_mask(mask, scores, rate, scope=scope, allow_empty=True)
    # Each round is off by at most half a weight, of which the later rounds keep (1 - rate)^rounds.
    off = sum(0.5 * (1 - rate) ** later for later in range(levels)) + 1e-6
    groups = [list(mask)] if scope == "global" else [[path] for path in mask]
    for paths in groups:
        left, all_ = (sum(survivors(which)[path] for path in paths) for which in (mask, first))
        assert abs(left - (1 - sparsity) * all_) <= off


# Which go


@given(masks_and_scores(), RATES, SCOPES, st.integers(0, 3))
def test_nothing_pruned_comes_back_and_nothing_given_is_changed(case, rate, scope, seed):
    mask, scores = case
    before = copy.deepcopy(case)
    pruned = prune_mask(mask, scores, rate, scope=scope, allow_empty=True, seed=seed)
    assert list(pruned) == list(mask)
    for path, kept in pruned.items():
        assert kept.dtype == np.bool_
        assert kept.shape == mask[path].shape
        assert not np.any(kept & ~mask[path])
        np.testing.assert_array_equal(mask[path], before[0][path])
        np.testing.assert_array_equal(scores[path], before[1][path])


@given(masks_and_scores(), RATES, SCOPES)
def test_within_the_scope_nothing_that_went_scored_higher_than_what_stayed(case, rate, scope):
    mask, scores = case
    pruned = prune_mask(mask, scores, rate, scope=scope, allow_empty=True)
    gone = went(mask, pruned)
    groups = [list(mask)] if scope == "global" else [[path] for path in mask]
    for paths in groups:
        highest_gone = max((scores[path][gone[path]].max(initial=-np.inf) for path in paths), default=-np.inf)
        lowest_kept = min((scores[path][pruned[path]].min(initial=np.inf) for path in paths), default=np.inf)
        assert highest_gone <= lowest_kept


@given(masks_and_scores(), RATES, SCOPES)
def test_exempt_layers_are_untouched_and_do_not_count(case, rate, scope):
    mask, scores = case
    alone = prune_mask(mask, scores, rate, scope=scope, allow_empty=True)
    extended = mask | {"head/kernel": np.ones((7, 3), bool)}
    pruned = prune_mask(
        extended,
        scores | {"head/kernel": np.full((7, 3), -1.0)},  # they would be the first to go
        rate,
        scope=scope,
        exempt=["head"],
        allow_empty=True,
    )
    assert pruned["head/kernel"].all()
    for path, kept in alone.items():
        np.testing.assert_array_equal(pruned[path], kept)


@given(masks_and_scores(), RATES)
def test_layerwise_a_layer_does_not_depend_on_the_others(case, rate):
    mask, scores = case
    together = prune_mask(mask, scores, rate, scope="layerwise", allow_empty=True)
    for path, kept in mask.items():
        alone = prune_mask({path: kept}, {path: scores[path]}, rate, scope="layerwise", allow_empty=True)
        np.testing.assert_array_equal(alone[path], together[path])


# Ties

EQUAL = dense_mask({"a/kernel": (200, 100), "b/kernel": (2000,), "c/kernel": (5, 5, 4, 40)})
ZEROS = {path: np.zeros(kept.shape) for path, kept in EQUAL.items()}


@pytest.mark.parametrize("scope", ["global", "layerwise"])
def test_equal_scores_are_told_apart_by_the_seed_and_only_by_it(scope):
    first, again, other = (prune_mask(EQUAL, ZEROS, 0.3, scope=scope, seed=seed) for seed in (1, 1, 2))
    for path in EQUAL:
        np.testing.assert_array_equal(first[path], again[path])
        assert np.any(first[path] != other[path])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_equal_scores_go_at_the_rate_in_every_layer_and_in_every_part_of_it(rate):
    pruned = prune_mask(EQUAL, ZEROS, rate, seed=0)
    for kept in pruned.values():
        for part in (kept.ravel(), *np.array_split(kept.ravel(), 5)):
            error = np.sqrt(rate * (1 - rate) / part.size)
            assert abs(1 - part.mean() - rate) < 4 * error


def test_a_zero_and_a_negative_zero_are_equal_scores():
    signs = {path: np.copysign(0.0, np.where(np.arange(kept.size) % 2, 1, -1)) for path, kept in EQUAL.items()}
    signs = {path: values.reshape(EQUAL[path].shape) for path, values in signs.items()}
    for path, kept in prune_mask(EQUAL, ZEROS, 0.5, seed=0).items():
        np.testing.assert_array_equal(prune_mask(EQUAL, signs, 0.5, seed=0)[path], kept)


# What is refused

SMALL = dense_mask({"a/kernel": (2,), "b/kernel": (8,)})
A_FIRST = {"a/kernel": np.zeros(2), "b/kernel": np.ones(8)}


def test_a_layer_is_emptied_only_where_that_is_allowed():
    with pytest.raises(InputError, match="would empty a"):
        prune_mask(SMALL, A_FIRST, 0.2)
    assert survivors(prune_mask(SMALL, A_FIRST, 0.2, allow_empty=True)) == {"a/kernel": 0, "b/kernel": 8}


def test_a_layer_that_was_empty_before_is_no_offence():
    mask = SMALL | {"a/kernel": np.zeros(2, bool)}
    assert survivors(prune_mask(mask, A_FIRST, 0.5)) == {"a/kernel": 0, "b/kernel": 4}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_of_survivors_must_be_finite_and_others_do_not_matter(bad):
    scores = A_FIRST | {"b/kernel": np.array([bad, *range(1, 8)])}
    with pytest.raises(InputError, match="scores of b/kernel are not finite"):
        prune_mask(SMALL, scores, 0.3, allow_empty=True)
    mask = SMALL | {"b/kernel": np.array([False, *[True] * 7])}
    assert survivors(prune_mask(mask, scores, 0.5, allow_empty=True)) == {"a/kernel": 0, "b/kernel": 5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *[({"rate": rate}, "0 <= rate < 1") for rate in (-0.1, 1.0, 1.5, float("nan"))],
        ({"scope": "blockwise"}, "Unknown scope 'blockwise'"),
        ({"exempt": ["d"]}, "exempt layer 'd' .*: a, b"),
        ({"exempt": ["a", "b"]}, "nothing to prune"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        prune_mask(SMALL, A_FIRST, **{"rate": 0.1, **options})


# Before any training


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=3),
    st.floats(0.05, 0.9),
    st.integers(1, 8),
    st.booleans(),
)
def test_layerwise_the_check_foresees_what_the_levels_will_refuse(sizes, rate, levels, allow_empty):
    config = PruneConfig(rate=rate, levels=levels, scope="layerwise", allow_empty=allow_empty)
    dense = mask = dense_mask({f"{layer}/kernel": (size,) for layer, size in zip(LAYERS, sizes, strict=False)})
    scores = {path: np.arange(kept.size) for path, kept in mask.items()}
    refused = False
    for _ in range(levels):
        before = mask
        try:
            mask = prune_mask(mask, scores, rate, scope="layerwise", allow_empty=allow_empty)
        except InputError:
            refused = True
            break
        refused |= survivors(mask) == survivors(before) or not any(map(np.any, mask.values()))
    if refused:
        with pytest.raises(InputError, match=r"would empty|would prune nothing"):
            check_levels(dense, config)
    else:
        check_levels(dense, config)


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({"sparsity": 1e-6, "levels": 2}, 1),
        ({"rate": 1e-3, "levels": 2}, 1),
        ({"rate": 1e-3, "levels": 2, "rates": {"b": 0.01}, "scope": "layerwise"}, 1),
        ({"rate": 0.3, "levels": 11, "allow_empty": True}, 11),
        ({"rate": 1e-3, "levels": 2, "rates": {"b": 0.1}}, None),
        ({"rate": 0.01, "levels": 2}, None),
    ],
)
def test_a_level_that_would_prune_nothing_is_refused(options, level):
    mask = dense_mask({"a/kernel": (4, 10), "b/kernel": (2, 8)})
    expected = pytest.raises(InputError, match=f"^Level {level} would prune nothing: .* Take a higher sparsity or rate")
    with contextlib.nullcontext() if level is None else expected:
        check_levels(mask, PruneConfig(**options))


def test_the_check_says_which_layer_and_which_level():
    mask = dense_mask({"big/kernel": (1000,), "small/kernel": (4,)})
    with pytest.raises(InputError, match=r"would empty small \(4 weights\) at level 2"):
        check_levels(mask, PruneConfig(rate=0.75, levels=3, scope="layerwise"))
    check_levels(mask, PruneConfig(rate=0.75, levels=1, scope="layerwise"))
    check_levels(mask, PruneConfig(rate=0.75, levels=3, scope="layerwise", exempt=["small"]))
    check_levels(mask, PruneConfig(rate=0.75, levels=3, scope="global"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 0.998}, r"would leave 2 weights at level 1 for the 3 layers a, b, c, of which each needs one"),
        ({"sparsity": 0.9999}, "would leave 0 weights at level 1"),
        ({"sparsity": 0.999, "exempt": ["c"]}, "would leave 1 weight at level 1 for the 2 layers a, b"),
        ({"sparsity": 0.9999, "allow_empty": True}, "would empty all layers at level 1"),
        ({"sparsity": 0.997}, None),
        ({"sparsity": 0.998, "allow_empty": True}, None),
    ],
)
def test_the_check_refuses_too_few_weights_for_the_layers_that_are_ranked_together(options, message):
    mask = dense_mask({"a/kernel": (600,), "b/kernel": (300,), "c/kernel": (300,)})
    refused = pytest.raises(InputError, match=message) if message else contextlib.nullcontext()
    with refused:
        check_levels(mask, PruneConfig(levels=1, **options))


@pytest.mark.parametrize("scope", ["global", "layerwise"])
def test_the_check_refuses_exempt_layers_that_are_not_there(scope):
    with pytest.raises(InputError, match="exempt layer 'dense_9'"):
        check_levels(SMALL, PruneConfig(rate=0.2, scope=scope, exempt=["dense_9"]))


# Layers with a rate of their own


@given(masks_and_scores(), RATES, RATES, SCOPES)
def test_a_layer_with_a_rate_of_its_own_loses_just_that_and_the_others_as_if_it_were_not_there(case, rate, own, scope):
    mask, scores = case
    pruned = prune_mask(mask, scores, rate, scope=scope, rates={"a": own}, allow_empty=True)
    alone = {"a/kernel": mask["a/kernel"]}
    np.testing.assert_array_equal(
        pruned["a/kernel"], prune_mask(alone, scores, own, scope=scope, allow_empty=True)["a/kernel"]
    )
    others = {path: kept for path, kept in mask.items() if path not in alone}
    if others:
        theirs = prune_mask(others, scores, rate, scope=scope, allow_empty=True)
        for path, kept in theirs.items():
            np.testing.assert_array_equal(pruned[path], kept)


def test_frankle_and_carbins_output_layer_at_half_the_rate():
    mask = dense_mask({"hidden/kernel": (10, 100), "out/kernel": (100, 10)})
    scores = {"hidden/kernel": np.arange(1000).reshape(10, 100), "out/kernel": np.zeros((100, 10))}
    pruned = prune_mask(mask, scores, 0.2, rates={"out": 0.1})
    assert survivors(pruned) == {"hidden/kernel": 800, "out/kernel": 900}


@pytest.mark.parametrize(
    ("rates", "message"),
    [({"dense_9": 0.1}, "'dense_9' is not among"), ({"a": 1.0}, "a is 1.0"), ({"a": -0.1}, "a is")],
)
def test_rates_that_cannot_be_are_refused(rates, message):
    mask = dense_mask({"a/kernel": (4,), "b/kernel": (4,)})
    with pytest.raises(InputError, match=message):
        prune_mask(mask, mask, 0.5, rates=rates)


def test_the_check_foresees_what_a_rate_of_its_own_empties():
    mask = dense_mask({"big/kernel": (1000,), "small/kernel": (4,)})
    with pytest.raises(InputError, match=r"would empty small \(4 weights\) at level 2"):
        check_levels(mask, PruneConfig(rate=0.1, levels=3, rates={"small": 0.75}))
    check_levels(mask, PruneConfig(rate=0.1, levels=3, rates={"small": 0.2}))
    with pytest.raises(InputError, match="'dense_9' is not among"):
        check_levels(mask, PruneConfig(rate=0.1, rates={"dense_9": 0.1}))
