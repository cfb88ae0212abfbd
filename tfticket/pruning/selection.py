"""Selection: scores and a mask in, a smaller mask out. Exact counts, ties broken by a seeded order."""

from collections.abc import Collection, Mapping

import numpy as np

from tfticket import seeds
from tfticket.config import PruneConfig
from tfticket.errors import InputError
from tfticket.pruning.mask import layer_of, split_like, survivors
from tfticket.pruning.scores import Scores
from tfticket.types import Mask

_MEND = (
    "Prune less (a lower sparsity or rate), in more and smaller levels, exempt the layer, or set allow_empty; "
    "the global scope spares small layers."
)


def prune_mask(
    mask: Mask,
    scores: Scores,
    rate: float,
    *,
    scope: str = "global",
    exempt: Collection[str] = (),
    allow_empty: bool = False,
    seed: int = 0,
) -> Mask:
    """Prune the lowest-scoring survivors: exactly round(rate x survivors) of them.

    Args:
        mask: What survives now; nothing pruned comes back.
        scores: Kernel path -> score of each weight, of the kernel's shape; the lowest go first.
        rate: Fraction of the survivors that goes, in [0, 1).
        scope: 'global' ranks over all layers together, 'layerwise' in each layer apart.
        exempt: Names of layers left as they are; they do not count among the survivors.
        allow_empty: Allow a layer to lose its last weight.
        seed: Decides among equal scores.

    Returns:
        The new mask, a subset of the old.

    Raises:
        InputError: A rate outside [0, 1), an unknown exempt layer, scores that are not finite, or a layer
            that would be emptied.
    """
    if not 0 <= rate < 1:
        raise InputError(f"The rate is {rate}; expected a fraction of the survivors, 0 <= rate < 1.")
    prunable = _prunable(mask, exempt)
    for path, kept in prunable.items():
        if not np.all(np.isfinite(scores[path][kept])):
            raise InputError(f"The scores of {path} are not finite; the training before has diverged.")
    if scope == "global":
        pruned = _prune_together(prunable, scores, rate, seed)
    elif scope == "layerwise":
        pruned = {path: _prune_together({path: kept}, scores, rate, seed)[path] for path, kept in prunable.items()}
    else:
        raise InputError(f"Unknown scope '{scope}'. Known: global, layerwise.")
    if not allow_empty:
        _refuse_empty(prunable, survivors(pruned), rate, scope)
    return {path: pruned.get(path, kept) for path, kept in mask.items()}


def check_levels(mask: Mask, config: PruneConfig) -> None:
    """See before any training what can be seen of a pruning: exempt layers exist, layerwise empties none.

    Args:
        mask: The dense mask.
        config: The pruning that is planned.

    Raises:
        InputError: An unknown exempt layer, or a layer that would be emptied; says which, and at which level.
    """
    prunable = _prunable(mask, config.exempt)
    if config.scope != "layerwise" or config.allow_empty:
        return
    left = survivors(prunable)
    for level in range(1, config.levels + 1):
        left = {path: count - round(config.rate_per_level * count) for path, count in left.items()}
        emptied = [f"{layer_of(path)} ({mask[path].size:,} weights)" for path, count in left.items() if not count]
        if emptied:
            raise InputError(f"Layerwise pruning would empty {', '.join(emptied)} at level {level}. {_MEND}")


def _prunable(mask: Mask, exempt: Collection[str]) -> Mask:
    layers = [layer_of(path) for path in mask]
    for name in exempt:
        if name not in layers:
            raise InputError(f"The exempt layer '{name}' is not among the prunable ones: {', '.join(layers)}.")
    prunable = {path: kept for path, kept in mask.items() if layer_of(path) not in exempt}
    if not prunable:
        raise InputError("Every layer is exempt, so there is nothing to prune.")
    return prunable


def _prune_together(mask: Mask, scores: Scores, rate: float, seed: int) -> Mask:
    kept = np.concatenate([kept.ravel() for kept in mask.values()])
    alive = np.flatnonzero(kept)
    count = round(rate * len(alive))
    values = np.concatenate([np.asarray(scores[path]).ravel() for path in mask])[alive]
    # A seeded permutation under a stable sort is the order among equals.
    order = seeds.generator(seed, "ties", *mask).permutation(len(alive))
    lowest = order[np.argsort(values[order], kind="stable")[:count]]
    left = kept.copy()
    left[alive[lowest]] = False
    return split_like(left, mask)


def _refuse_empty(before: Mask, after: Mapping[str, int], rate: float, scope: str) -> None:
    emptied = [layer_of(path) for path, kept in before.items() if kept.any() and not after[path]]
    if emptied:
        raise InputError(f"Pruning {rate:.1%} of the survivors ({scope}) would empty {', '.join(emptied)}. " + _MEND)
