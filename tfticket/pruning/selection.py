"""Selection: prune a mask by scores. Counts are exact; ties are broken by a seeded order."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tfticket import seeds
from tfticket.config import PruneConfig
from tfticket.errors import InputError, nearest, unknown
from tfticket.pruning.mask import collapsed_layers, layer_of, prunable_part, split_like
from tfticket.pruning.scores import Scores
from tfticket.text import counted
from tfticket.types import Mask

_MEND = (
    "Prune less (a lower sparsity or rate), in more and smaller levels (prune.levels), exempt the layer (prune.exempt) "
    "or set prune.allow_empty."
)

Group = tuple[Mask, float]
"""Masks that are ranked together, and the rate at which they are pruned."""


def prune_mask(
    mask: Mask,
    scores: Scores,
    rate: float,
    *,
    scope: str = "global",
    exempt: Collection[str] = (),
    rates: Mapping[str, float] | None = None,
    allow_empty: bool = False,
    seed: int = 0,
) -> Mask:
    """Prune the lowest-scoring survivors: exactly round(rate x survivors) of them.

    Args:
        mask: The present survivors; no pruned weight comes back.
        scores: Kernel path -> score of each weight, of the kernel's shape; the lowest are pruned.
        rate: Fraction of the survivors to prune, in [0, 1).
        scope: 'global' ranks over all layers together, 'layerwise' within each layer.
        exempt: Names of layers that stay unchanged; they do not count among the survivors.
        rates: Layer's name -> its own rate; such a layer is ranked by itself.
        allow_empty: Allow a layer to lose its last weight.
        seed: Of the order among equal scores.

    Returns:
        The new mask, a subset of the old.
    """
    if not 0 <= rate < 1:
        raise InputError(
            f"The rate is {rate}; expected a fraction of the survivors, 0 <= rate < 1.", field="prune.rate"
        )
    prunable = prunable_part(mask, exempt)
    for path, kept in prunable.items():
        if not np.all(np.isfinite(scores[path][kept])):
            raise InputError(f"The scores of {path} are not finite; the training before it diverged.")
    pruned: Mask = {}
    for group, group_rate in _groups(prunable, rate, scope, rates or {}):
        pruned |= _prune_together(group, scores, group_rate, seed)
    if not allow_empty:
        _refuse_collapsed(prunable, pruned, rate, scope, rates or {})
    return {path: pruned.get(path, kept) for path, kept in mask.items()}


def check_levels(mask: Mask, config: PruneConfig) -> None:
    """Check, before any training, that a pruning's layers exist, each level prunes, and each layer keeps a weight."""
    prunable = prunable_part(mask, config.exempt)
    groups = _groups(prunable, config.rate_per_level, config.scope, config.rates)
    left = [sum(kept.size for kept in group.values()) for group, _ in groups]
    for level in range(1, config.levels + 1):
        pruned = [round(rate * count) for count, (_, rate) in zip(left, groups, strict=True)]
        if not any(pruned):
            largest = max(rate for _, rate in groups)
            raise InputError(
                f"Level {level:,} would prune nothing: a rate of {largest:.3g} rounds to no weight of the "
                f"{counted(sum(left), 'weight')} left; expected one at least. Take a higher sparsity or rate, or fewer "
                "levels (prune.levels).",
                field="prune.levels",
            )
        left = [count - gone for count, gone in zip(left, pruned, strict=True)]
        if not config.allow_empty:
            _refuse_too_few(groups, left, level)
        if not any(left):
            raise InputError(
                f"Pruning would empty all layers at level {level:,}. Take a lower sparsity or rate.",
                field="prune.levels",
            )


def _refuse_too_few(groups: Sequence[Group], left: Sequence[int], level: int) -> None:
    """Refuse a level that leaves fewer weights in a group than it has layers."""
    collapsed = [
        f"{layer_of(path)} ({group[path].size:,} weights)"
        for (group, _), count in zip(groups, left, strict=True)
        for path in group
        if len(group) == 1 and not count
    ]
    if collapsed:
        raise InputError(
            f"Pruning layer by layer would empty {', '.join(collapsed)} at level {level:,}. {_MEND}",
            field="prune.levels",
        )
    for (group, _), count in zip(groups, left, strict=True):
        if count < len(group):
            layers = ", ".join(map(layer_of, group))
            raise InputError(
                f"Pruning would leave {counted(count, 'weight')} at level {level:,} for the {len(group):,} "
                f"layers {layers}, of which each needs one. {_MEND}",
                field="prune.levels",
            )


def _groups(mask: Mask, rate: float, scope: str, rates: Mapping[str, float]) -> list[Group]:
    """Return masks that are ranked together, with their rates; layers with their own rate are separate."""
    if scope not in ("global", "layerwise"):
        raise unknown("scope", scope, ("global", "layerwise"), field="prune.scope")
    layers = {layer_of(path): path for path in mask}
    for name, layer_rate in rates.items():
        if name not in layers:
            raise InputError(
                f"rates: '{name}' is not among the layers that are pruned: {', '.join(layers)}.",
                field="prune.rates",
                suggestion=nearest(name, layers),
            )
        if not 0 <= layer_rate < 1:
            raise InputError(
                f"rates: {name} is {layer_rate}; expected a fraction of its survivors, 0 <= rate < 1.",
                field="prune.rates",
            )
    separate = {
        path: rates.get(layer, rate) for layer, path in layers.items() if layer in rates or scope == "layerwise"
    }
    groups = [({path: mask[path]}, layer_rate) for path, layer_rate in separate.items()]
    others = {path: kept for path, kept in mask.items() if path not in separate}
    return [*groups, (others, rate)] if others else groups


def _prune_together(mask: Mask, scores: Scores, rate: float, seed: int) -> Mask:
    kept = np.concatenate([kept.ravel() for kept in mask.values()])
    alive = np.flatnonzero(kept)
    count = round(rate * len(alive))
    values = np.concatenate([np.asarray(scores[path]).ravel() for path in mask])[alive]
    # A seeded permutation before a stable sort decides the order among equals.
    order = seeds.generator(seed, "ties", *mask).permutation(len(alive))
    lowest = order[np.argsort(values[order], kind="stable")[:count]]
    pruned = kept.copy()
    pruned[alive[lowest]] = False
    return split_like(pruned, mask)


def _refuse_collapsed(before: Mask, after: Mask, rate: float, scope: str, rates: Mapping[str, float]) -> None:
    if collapsed := collapsed_layers(before, after):
        if collapsed[0] in rates:
            rate, scope = rates[collapsed[0]], "its own rate"
        raise InputError(
            f"Pruning {rate:.1%} of the survivors ({scope}) would empty {', '.join(collapsed)}. {_MEND}",
            field="prune.rate",
        )
