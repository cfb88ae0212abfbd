"""Scores and selection: which weights are pruned, how many, and what is refused before any training."""

import contextlib
import copy
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import kstest

from tests.refusals import refused
from tfticket.config import PruneConfig
from tfticket.errors import InputError
from tfticket.pruning import scores as score_functions
from tfticket.pruning.mask import dense_mask, survivors
from tfticket.pruning.selection import check_levels, prune_mask
from tfticket.registry import SCORES, resolve

LAYERS = ["a", "b", "c"]
RATES = st.floats(0, 0.99)
SCOPES = st.sampled_from(["global", "layerwise"])


def dense(**sizes):
    return dense_mask({f"{layer}/kernel": (size,) for layer, size in sizes.items()})


def assert_equal(first, second):
    for path, kept in first.items():
        np.testing.assert_array_equal(kept, second[path])


# Scores


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_finite_reproducible_and_over_just_the_kernels(name):
    mask, random = dense_mask({"dense/kernel": (5, 2), "conv/kernel": (3, 3, 2, 4)}), np.random.default_rng(0)
    weights = {f"{path}{end}": random.normal(size=mask[path].shape) for path in mask for end in ("", "_rho")}
    scores = [resolve(SCORES[name].target)(weights | {"dense/bias": np.ones(2)}, mask, 3) for _ in range(2)]
    assert list(scores[0]) == list(mask)
    assert all(np.isfinite(values).all() for values in scores[0].values())
    assert_equal(*scores)


KERNEL = arrays(np.float32, (2, 3), elements=st.floats(-20, 20, width=32))


@given(KERNEL, KERNEL)
def test_scores_are_the_papers(mean, rho):
    weights, mask = {"a/kernel": mean, "a/kernel_rho": rho}, dense_mask({"a/kernel": (2, 3)})
    mean, sigma = mean.astype(float), np.log1p(np.exp(-np.abs(rho.astype(float)))) + np.maximum(rho.astype(float), 0)
    snr, square = np.abs(mean) / sigma, np.sqrt(mean**2 + sigma**2)
    for name, values in {"magnitude": np.abs(mean), "mu": np.abs(mean), "snr": snr, "square": square}.items():
        ours = getattr(score_functions, name)(weights, mask, 0)["a/kernel"]
        np.testing.assert_allclose(ours, values, rtol=1e-6, atol=1e-300, err_msg=name)
        with contextlib.nullcontext() if name == "magnitude" else refused("prune.score", "magnitude", name, "a/kernel"):
            getattr(score_functions, name)({"a/kernel": mean}, mask, 0)  # of a deterministic network


def test_random_scores_are_uniform_and_depend_on_seed_and_layer_alone():
    drawn = score_functions.random({}, dense(a=1000, b=1000), seed=0)
    assert kstest(drawn["a/kernel"], "uniform").pvalue > 0.01
    np.testing.assert_array_equal(score_functions.random({}, dense(b=1000), seed=0)["b/kernel"], drawn["b/kernel"])
    kernels = [*drawn.values(), *score_functions.random({}, dense(a=1000, b=1000), seed=1).values()]
    assert len({kernel.tobytes() for kernel in kernels}) == 4


# Selection


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


@given(masks_and_scores(), RATES, SCOPES, st.integers(0, 3))
def test_exactly_the_rate_of_the_survivors_is_pruned_the_lowest_scores_first(case, rate, scope, seed):
    mask, scores = case
    before = copy.deepcopy(case)
    pruned = prune_mask(mask, scores, rate, scope=scope, allow_empty=True, seed=seed)
    assert_equal(mask, before[0])
    assert_equal(scores, before[1])
    assert [(path, kept.shape, kept.dtype) for path, kept in pruned.items()] == [
        (path, kept.shape, np.bool_) for path, kept in mask.items()
    ]
    for paths in [list(mask)] if scope == "global" else [[path] for path in mask]:
        alive, left = (sum(survivors(each)[path] for path in paths) for each in (mask, pruned))
        assert left == alive - round(rate * alive)
        assert not any(np.any(pruned[path] & ~mask[path]) for path in paths)
        highest_gone = max(scores[path][mask[path] & ~pruned[path]].max(initial=-np.inf) for path in paths)
        assert highest_gone <= min(scores[path][pruned[path]].min(initial=np.inf) for path in paths)


@given(masks_and_scores(), RATES, RATES, SCOPES)
def test_exempt_layers_and_layers_with_their_own_rate_do_not_count_among_the_others(case, rate, own, scope):
    (mask, scores), options = case, {"scope": scope, "allow_empty": True}
    alone = prune_mask(mask, scores, rate, **options)
    scores |= {"exempt/kernel": np.full(21, -1.0), "own/kernel": -np.arange(40.0)}  # they would be the first to go
    pruned = prune_mask(mask | dense(exempt=21, own=40), scores, rate, exempt=["exempt"], rates={"own": own}, **options)
    assert pruned["exempt/kernel"].all()
    np.testing.assert_array_equal(pruned["own/kernel"], np.arange(40) < 40 - round(own * 40))
    assert_equal(alone, pruned)
    for path, kept in mask.items() if scope == "layerwise" else ():
        assert_equal(prune_mask({path: kept}, scores, rate, **options), pruned)


EQUAL = dense_mask({"a/kernel": (200, 100), "b/kernel": (2000,), "c/kernel": (5, 5, 4, 40)})
ZEROS = {path: np.zeros(kept.shape) for path, kept in EQUAL.items()}


@pytest.mark.parametrize("scope", ["global", "layerwise"])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_equal_scores_are_pruned_at_random_by_the_seed_at_the_rate_in_every_part(rate, scope):
    signs = {path: np.copysign(0.0, np.random.default_rng(0).normal(size=zeros.shape)) for path, zeros in ZEROS.items()}
    first, again, other = (
        prune_mask(EQUAL, scores, rate, scope=scope, seed=seed) for scores, seed in ((ZEROS, 1), (signs, 1), (ZEROS, 2))
    )
    assert_equal(first, again)  # -0.0 is 0.0
    for path, kept in first.items():
        assert np.any(kept != other[path])
        for part in (kept.ravel(), *np.array_split(kept.ravel(), 5)):
            assert abs(1 - part.mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / part.size)


# What is refused

SMALL, FIRST = dense(a=2, b=8), {"a/kernel": np.zeros(2), "b/kernel": np.ones(8)}


@pytest.mark.parametrize(("options", "field", "suggestion", "mentions"), [
    *[({"rate": rate}, "prune.rate", None, [str(rate)]) for rate in (-0.1, 1.0, 1.5, float("nan"))],
    ({"rate": 0.2}, "prune.rate", None, ["20.0%", "global", "empty a."]),
    ({"rates": {"a": 0.8}}, "prune.rate", None, ["80.0%", "empty a."]),
    ({"rates": {"a": 1.0}}, "prune.rates", None, ["a is 1.0"]),
    ({"rates": {"a": -0.1}}, "prune.rates", None, ["a is -0.1"]),
    ({"rates": {"bb": 0.1}}, "prune.rates", "b", ["'bb'", "a, b"]),
    ({"exempt": ["bb"]}, "prune.exempt", "b", ["'bb'", "a, b"]),
    ({"scope": "layer-wise"}, "prune.scope", "layerwise", ["layer-wise"]),
])  # fmt: skip
def test_bad_options_and_emptied_layers_are_refused(options, field, suggestion, mentions):
    with refused(field, suggestion, *mentions):
        prune_mask(SMALL, FIRST, **{"rate": 0.1, **options})
    if suggestion == "b":  # of a layer that does not exist
        with refused(field, suggestion, *mentions):
            check_levels(SMALL, PruneConfig(rate=0.5, levels=1, **options))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_layer_may_be_or_become_empty_where_allowed_and_scores_of_survivors_are_finite(bad):
    assert survivors(prune_mask(SMALL, FIRST, 0.2, allow_empty=True)) == {"a/kernel": 0, "b/kernel": 8}
    empty = SMALL | {"a/kernel": np.zeros(2, bool)}
    assert survivors(prune_mask(empty, FIRST | {"a/kernel": np.full(2, bad)}, 0.5)) == {"a/kernel": 0, "b/kernel": 4}
    with refused(None, None, "b/kernel"):
        prune_mask(SMALL, FIRST | {"b/kernel": np.array([bad, *range(7)])}, 0.3, allow_empty=True)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=3), st.floats(0.05, 0.9), st.integers(1, 8), st.booleans())
def test_layerwise_the_check_foresees_what_the_levels_will_refuse(sizes, rate, levels, allow_empty):
    options = {"scope": "layerwise", "allow_empty": allow_empty}
    masks = [dense(**dict(zip(LAYERS, sizes, strict=False)))]
    scores = {path: np.arange(kept.size) for path, kept in masks[0].items()}
    with contextlib.suppress(InputError):
        for _ in range(levels):
            masks.append(prune_mask(masks[-1], scores, rate, **options))
    counts = [sum(survivors(mask).values()) for mask in masks]
    possible = len(masks) > levels and counts[-1] > 0 and all(a > b for a, b in itertools.pairwise(counts))
    with contextlib.nullcontext() if possible else refused("prune.levels"):
        check_levels(masks[0], PruneConfig(rate=rate, levels=levels, **options))


TWO, UNEVEN, THREE = dense(a=40, b=16), dense(big=1000, small=4), dense(a=600, b=300, c=300)
EACH, EMPTY = {"scope": "layerwise"}, {"allow_empty": True}


@pytest.mark.parametrize(("mask", "options", "mentions"), [
    # A level that would prune nothing
    (TWO, {"sparsity": 1e-6, "levels": 2}, ["Level 1 ", "5e-07", "56 weights"]),
    (TWO, EACH | {"rate": 1e-3, "levels": 2, "rates": {"b": 0.01}}, ["Level 1 ", "0.01"]),
    (TWO, EMPTY | {"rate": 0.3, "levels": 11}, ["Level 11 ", "0.3", "1 weight left"]),
    (TWO, {"rate": 1e-3, "levels": 2, "rates": {"b": 0.1}}, None),
    # A layer that would lose its last weight
    (UNEVEN, EACH | {"rate": 0.75, "levels": 3}, ["small (4 weights)", "level 2"]),
    (UNEVEN, EACH | {"rate": 0.75, "levels": 1}, None),
    (UNEVEN, EACH | {"rate": 0.75, "levels": 3, "exempt": ["small"]}, None),
    (UNEVEN, {"rate": 0.1, "levels": 3, "rates": {"small": 0.75}}, ["small (4 weights)", "level 2"]),
    (UNEVEN, {"rate": 0.1, "levels": 3, "rates": {"small": 0.2}}, None),
    # Fewer weights than layers that are ranked together
    (THREE, {"sparsity": 0.998, "levels": 1}, ["2 weights", "level 1", "3 layers a, b, c"]),
    (THREE, {"sparsity": 0.9999, "levels": 1}, ["0 weights", "level 1"]),
    (THREE, {"sparsity": 0.999, "levels": 1, "exempt": ["c"]}, ["1 weight ", "level 1", "2 layers a, b"]),
    (THREE, EMPTY | {"sparsity": 0.9999, "levels": 1}, ["all layers", "level 1"]),
    (THREE, {"sparsity": 0.9975, "levels": 1}, None),
    (THREE, EMPTY | {"sparsity": 0.998, "levels": 1}, None),
])  # fmt: skip
def test_each_level_prunes_something_and_leaves_each_layer_a_weight(mask, options, mentions):
    with contextlib.nullcontext() if mentions is None else refused("prune.levels", None, *mentions):
        check_levels(mask, PruneConfig(**options))
