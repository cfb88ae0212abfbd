"""Shuffles: move a mask's survivors, keeping their number. Pure and seeded."""

from collections.abc import Collection, Mapping

import numpy as np

from tfticket import seeds
from tfticket.errors import InputError, nearest
from tfticket.pruning.mask import layer_of, prunable_part, survivors
from tfticket.types import Mask


def global_counts(mask: Mask, seed: int, level: int) -> dict[str, int]:
    """Draw kernel path -> survivors, as in a permutation of all layers together: multivariate hypergeometric.

    ``draw_survivors`` then places them in their layers. That is faster than permuting millions of weights at once.
    Each level has its own draws; otherwise its survivors would be a subset of the previous level's.
    """
    sizes, total = [kept.size for kept in mask.values()], sum(survivors(mask).values())
    counts = seeds.generator(seed, "shuffle global counts", level).multivariate_hypergeometric(sizes, total)
    return dict(zip(mask, counts.tolist(), strict=True))


def even_counts(mask: Mask) -> dict[str, int]:
    """Return kernel path -> survivors, at the mean density of all layers, with the same sum as in the mask.

    Counts are rounded down; the rest goes to the layers with the largest remainders.
    """
    sizes = np.array([kept.size for kept in mask.values()])
    total = sum(survivors(mask).values())
    exact = sizes * (total / sizes.sum())
    counts = np.floor(exact).astype(int)
    up = np.argsort(counts - exact, kind="stable")[: total - counts.sum()]
    counts[up] += 1
    return dict(zip(mask, counts.tolist(), strict=True))


def survivors_at(mask: Mask, densities: float | Mapping[str, float], exempt: Collection[str]) -> dict[str, int]:
    """Return kernel path -> survivors, of the layers that densities are given for.

    Args:
        mask: Gives the shapes.
        densities: Fraction of each layer that survives, in [0, 1]: one for all pruned layers, or by layer's name.
        exempt: Layers that keep every weight.
    """
    known = {layer_of(path): path for path in prunable_part(mask, exempt)}
    by_layer = densities if isinstance(densities, Mapping) else dict.fromkeys(known, densities)
    for layer, share in by_layer.items():
        if layer not in known:
            why = "it is exempt" if layer in exempt else f"there is no such layer to mask. Known: {', '.join(known)}"
            near = None if layer in exempt else nearest(layer, known)
            raise InputError(f"densities: {layer}: {why}.", field="densities", suggestion=near)
        if not 0 <= share <= 1:
            raise InputError(
                f"densities: {layer} is {share}; expected a fraction of its weights, 0 to 1.", field="densities"
            )
    return {known[layer]: round(share * mask[known[layer]].size) for layer, share in by_layer.items()}


def draw_survivors(
    mask: Mask, counts: Mapping[str, int], seed: int, stream: str, level: int, names: Mapping[str, str]
) -> Mask:
    """Choose survivors at random, a given number in each layer.

    Args:
        mask: Gives the shapes.
        counts: Kernel path -> survivors.
        seed: Root of the draws.
        stream: Name of the draws.
        level: The ticket's; each level has its own draws.
        names: Kernel path -> name of the layer's own stream.
    """
    return {
        path: seeds.generator(seed, stream, level, names[path])
        .permutation(np.arange(kept.size) < counts[path])
        .reshape(kept.shape)
        for path, kept in mask.items()
    }
