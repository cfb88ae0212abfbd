"""Population-based training of KL weights: which members go on, from whose state, with which weights.

Pure functions of (configuration, scores, weights, seed).

References:
    Jaderberg et al. (2017), "Population based training of neural networks", sections 3.1 and 4: exploitation by
    truncation selection, exploration by perturbing and resampling.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfticket import seeds
from tfticket.config import Population
from tfticket.errors import TfticketError
from tfticket.evaluation.metrics import ranking

KLWeights = dict[str, float]
"""Layer -> the factor on its KL divergence."""


@dataclass(frozen=True)
class Child:
    """A member of a generation.

    Attributes:
        parent: Which member of the generation before it goes on from: itself, unless it was replaced; of the first
            generation None.
        weights: Its KL weights.
    """

    parent: int | None
    weights: KLWeights


def first_weights(config: Population, layers: Sequence[str], seed: int) -> list[KLWeights]:
    """KL weights of the first generation, log-uniform in low .. high: of each member by layer.

    Args:
        config: How many members, low, high.
        layers: Names of the variational layers.
        seed: Of the draws.
    """
    members = (seeds.generator(seed, "first weights", member) for member in range(config.members))
    return [{layer: _drawn(config, random) for layer in layers} for random in members]


def evolve(
    config: Population, scores: Sequence[float], weights: Sequence[Mapping[str, float]], seed: int, generation: int
) -> list[Child]:
    """The members of the next generation.

    The worst members, and all whose score is not finite, are replaced: each goes on from the state of one of the best,
    drawn at random, with KL weights near to that one's. All others go on as they are. Of members that score the same,
    those of lower number count as better.

    Args:
        config: How.
        scores: ``config.metric`` of each member; not finite for one that diverged.
        weights: KL weights of each member.
        seed: Of the draws.
        generation: The next one, 1 or more.

    Raises:
        TfticketError: No score is finite.
    """
    ranked = ranking(scores, config.metric)
    winner_of(config, scores)
    best = [member for member in ranked[: config.replaced] if math.isfinite(scores[member])]
    worst = {*ranked[-config.replaced :], *(member for member in ranked if not math.isfinite(scores[member]))}
    children = []
    for member, its in enumerate(weights):
        child = Child(member, dict(its))
        if member in worst:
            random = seeds.generator(seed, "evolve", generation, member)
            parent = best[random.integers(len(best))]
            child = Child(parent, {name: _explored(config, value, random) for name, value in weights[parent].items()})
        children.append(child)
    return children


def winner_of(config: Population, scores: Sequence[float]) -> int:
    """The best member.

    Args:
        config: Says by what.
        scores: ``config.metric`` of each member; not finite for one that diverged.

    Raises:
        TfticketError: No score is finite.
    """
    winner = ranking(scores, config.metric)[0]
    if not math.isfinite(scores[winner]):
        raise TfticketError(
            f"All {len(scores)} members of the population diverged. Lower the learning rate, or the highest first KL "
            "weight (high)."
        )
    return winner


def _explored(config: Population, weight: float, random: np.random.Generator) -> float:
    if random.random() < config.resample:
        return _drawn(config, random)
    return float(weight * config.perturb[random.integers(len(config.perturb))])


def _drawn(config: Population, random: np.random.Generator) -> float:
    drawn = math.exp(random.uniform(math.log(config.low), math.log(config.high)))
    return min(max(drawn, config.low), config.high)  # the logarithm is rounded
