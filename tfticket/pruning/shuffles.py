"""Shuffles: a mask in, another with the same number of survivors out, elsewhere. Pure and seeded."""

from collections.abc import Collection, Mapping

import numpy as np

from tfticket import seeds
from tfticket.errors import InputError
from tfticket.pruning.mask import layer_of, prunable_part, survivors
from tfticket.types import Mask


def global_counts(mask: Mask, seed: int, level: int) -> dict[str, int]:
    """Kernel path -> survivors, as a permutation of all layers together would leave them: multivariate hypergeometric.

    Where they lie in their layer is then ``chosen``. That is quicker than to permute millions of weights at once.
    Levels have draws of their own, or the survivors of one would be among those of the level before.
    """
    sizes, total = [kept.size for kept in mask.values()], sum(survivors(mask).values())
    counts = seeds.generator(seed, "shuffle global counts", level).multivariate_hypergeometric(sizes, total)
    return dict(zip(mask, counts.tolist(), strict=True))


def even_counts(mask: Mask) -> dict[str, int]:
    """Kernel path -> survivors, at the mean density of all layers, adding up to as many as the mask has.

    What rounding down leaves goes to the layers with the largest remainders.
    """
    sizes = np.array([kept.size for kept in mask.values()])
    total = sum(survivors(mask).values())
    exact = sizes * (total / sizes.sum())
    counts = np.floor(exact).astype(int)
    up = np.argsort(counts - exact, kind="stable")[: total - counts.sum()]
    counts[up] += 1
    return dict(zip(mask, counts.tolist(), strict=True))


def survivors_at(mask: Mask, densities: float | Mapping[str, float], exempt: Collection[str]) -> dict[str, int]:
    """Kernel path -> survivors at given densities, of the layers that these are given for.

    Args:
        mask: Gives the shapes.
        densities: Fraction of each layer that survives, in [0, 1]: one for all that are pruned, or by layer's name.
        exempt: Layers that keep every weight.

    Raises:
        InputError: A density outside [0, 1], a layer that there is not, or an exempt one.
    """
    known = {layer_of(path): path for path in prunable_part(mask, exempt)}
    by_layer = densities if isinstance(densities, Mapping) else dict.fromkeys(known, densities)
    for layer, share in by_layer.items():
        if layer not in known:
            why = "it is exempt" if layer in exempt else f"there is no such layer to mask. Known: {', '.join(known)}"
            raise InputError(f"densities: {layer}: {why}.")
        if not 0 <= share <= 1:
            raise InputError(f"densities: {layer} is {share}; expected a fraction of its weights, 0 to 1.")
    return {known[layer]: round(share * mask[known[layer]].size) for layer, share in by_layer.items()}


def chosen(mask: Mask, counts: Mapping[str, int], seed: int, what: str, level: int, names: Mapping[str, str]) -> Mask:
    """So many survivors in each layer, chosen at random.

    Args:
        mask: Gives the shapes.
        counts: Kernel path -> survivors.
        seed: Root of the draws.
        what: What they are for.
        level: The ticket's: levels have draws of their own.
        names: Kernel path -> the name that the layer's own stream has.
    """
    return {
        path: seeds.generator(seed, what, level, names[path])
        .permutation(np.arange(kept.size) < counts[path])
        .reshape(kept.shape)
        for path, kept in mask.items()
    }
