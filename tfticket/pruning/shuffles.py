"""Shuffles: a mask in, another with the same number of survivors out, elsewhere. Pure and seeded."""

from collections.abc import Mapping

import numpy as np

from tfticket import seeds
from tfticket.pruning.mask import survivors
from tfticket.types import Mask


def global_counts(mask: Mask, seed: int) -> dict[str, int]:
    """Kernel path -> survivors, as a permutation of all layers together would leave them: multivariate hypergeometric.

    Where they lie in their layer is then ``chosen``. That is quicker than to permute millions of weights at once.
    """
    sizes, total = [kept.size for kept in mask.values()], sum(survivors(mask).values())
    counts = seeds.generator(seed, "shuffle global counts").multivariate_hypergeometric(sizes, total)
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


def chosen(mask: Mask, counts: Mapping[str, int], seed: int, what: str, names: Mapping[str, str]) -> Mask:
    """So many survivors in each layer, chosen at random.

    Args:
        mask: Gives the shapes.
        counts: Kernel path -> survivors.
        seed: Root of the draws.
        what: What they are for.
        names: Kernel path -> the name that the layer's own stream has.
    """
    return {
        path: seeds.generator(seed, what, names[path])
        .permutation(np.arange(kept.size) < counts[path])
        .reshape(kept.shape)
        for path, kept in mask.items()
    }
