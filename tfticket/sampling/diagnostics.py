"""Convergence diagnostics of chains: R-hat, effective sample sizes, E-BFMI, and a verdict.

The verdict is about function space: the log likelihood and the logits of probe rows. In weight space, permuting the
units of a layer or flipping signs leaves the function unchanged, so chains can agree on the function and not on the
weights.

References:
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), "Rank-normalization, folding, and localization: an improved
    R-hat", which asks for at least four chains; Betancourt (2016), "Diagnosing suboptimal cotangent disintegrations"
    (E-BFMI).
"""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfticket.drawing import import_matplotlib
from tfticket.sampling.chain import Chain

MONITORED = 200
"""Most weights that are diagnosed, spread evenly over theta."""

LIMITS = {"chains": 4, "r_hat": 1.01, "ess": 400.0, "divergences": 0, "e_bfmi": 0.3, "capped": 0.05}
"""Limits of the verdict 'converged': fewest chains, largest R-hat, fewest effective draws, most divergences, ..."""

_SHARED = 0.01
"""Fraction of identical log likelihoods above which two chains are copies."""
_CORRELATION = 1 - 1e-6
"""Correlation of a quantity, draw by draw, above which two chains are not independent."""
_FEWEST_CORRELATED = 20
"""Fewest draws for a correlation: with fewer, some of hundreds of quantities are correlated by chance."""
_FEWEST_DRAWS = 4
"""Fewest draws for which ArviZ estimates anything."""

_AXES: dict[str, Any] = {"chain_axis": 0, "draw_axis": 1}
_TAILS = (0.05, 0.95)
"""Quantiles of the tails' effective draws (Vehtari et al. 2021)."""

CAUTION = "Agreement in function space does not prove convergence in weight space."


def _array_stats() -> Any:
    """Import ArviZ's statistics of arrays, which takes seconds.

    Raises:
        InputError: matplotlib, which it imports, does not start.
    """
    import_matplotlib()
    from arviz_stats.base import array_stats

    return array_stats


def monitored_entries(size: int) -> np.ndarray:
    """Return the entries of theta [size] that are diagnosed, int64 [at most ``MONITORED``], evenly spaced."""
    return np.linspace(0, size - 1, min(size, MONITORED)).astype(int)


def diagnose(chains: Sequence[Chain], weights: Sequence[np.ndarray]) -> dict[str, Any]:
    """Return diagnostics over the draws after the warm-up; chains are cut to the last draws of the shortest one.

    Args:
        chains: Of one posterior.
        weights: For each chain the ``monitored_entries`` of theta in the saved draws, float32 [n, entries].

    Returns:
        'function' and 'weights': r_hat (the largest), ess_bulk and ess_tail (the smallest), each None where no quantity
        has one, and 'constant', the number of quantities without any since they are equal in all draws of all chains;
        'e_bfmi' of each chain, 'divergences', 'capped' (share of trees), 'gradients', 'seconds', 'verdict', 'reasons'.
    """
    stats = [
        {name: np.array(values[chain.adaptation.total :], float) for name, values in chain.sample_stats.items()}
        for chain in chains
    ]
    log_likelihood, energy = (_stacked([series[name] for series in stats]) for name in ("log_likelihood", "energy"))
    diverging = np.concatenate([series["diverging"] for series in stats])
    capped = np.concatenate([series["reached_max_treedepth"] for series in stats])
    function = {
        "log likelihood": log_likelihood[..., None],
        "probe logits": _stacked([np.array(chain.probes, float) for chain in chains]),
    }
    theta = {"weights": _stacked([draws.astype(float) for draws in weights])}
    diagnostics: dict[str, Any] = {
        "chains": len(chains),
        "draws": [chain.draws for chain in chains],
        "function": _worst(function),
        "weights": _worst(theta),
        "e_bfmi": _e_bfmi(energy),
        "divergences": int(np.count_nonzero(diverging)),  # NaN counts
        "capped": float(np.mean(capped != 0)) if len(capped) else 0.0,
        "gradients": int(sum(sum(chain.sample_stats["n_steps"]) for chain in chains)),
        "seconds": float(sum(sum(chain.sample_stats["seconds"]) for chain in chains)),
    }
    quantities = {**function, **theta, "energy": energy[..., None]}
    reasons = [
        *_undefined(quantities),
        *_stuck(function, theta),
        *_copies([series["log_likelihood"] for series in stats], quantities),
        *_reasons(diagnostics),
    ]
    verdict = "not converged" if reasons else "converged"
    return diagnostics | {"verdict": verdict, "reasons": reasons, "caution": CAUTION}


def _stacked(series: Sequence[np.ndarray]) -> np.ndarray:
    """Stack the last draws of each chain, as many as the shortest chain has: [chains, draws, ...]."""
    length = min(map(len, series))
    return np.stack([values[len(values) - length :] for values in series])


def _undefined(quantities: Mapping[str, np.ndarray]) -> list[str]:
    """Name the quantities [chains, draws, n] that are infinite or undefined somewhere."""
    reasons = []
    for name, values in quantities.items():
        broken = ~np.isfinite(values)
        if count := int(broken.any(axis=(0, 1)).sum()):
            of = f" ({count} of {values.shape[2]})" if values.shape[2] > 1 else ""
            draws, total = int(broken.any(axis=2).sum()), values.shape[0] * values.shape[1]
            reasons.append(f"{name}{of} infinite or undefined in {draws:,} of {total:,} draws")
    return reasons


def _stuck(function: Mapping[str, np.ndarray], theta: Mapping[str, np.ndarray]) -> list[str]:
    """Name the quantities that never change, and the chains that repeat their first draw."""
    changes = {name: _changes(values) for name, values in {**function, **theta}.items() if values.shape[1] > 1}
    constant = [name for name, changed in changes.items() if name in function and not changed.any()]
    reasons = [f"{' and '.join(constant)} the same in all draws of each chain"] if constant else []
    moved = [changed.any(axis=1) for changed in changes.values()]
    stuck = np.flatnonzero(~np.any(moved, axis=0)).tolist() if moved else []
    return reasons + [f"chain {number} stands still: all its draws are the same" for number in stuck]


def _changes(values: np.ndarray) -> np.ndarray:
    """Return bool [chains, n]: True where a quantity changes; NaN counts as one, since ``_undefined`` reports it."""
    with np.errstate(invalid="ignore"):
        changed: np.ndarray = ~(np.ptp(values, axis=1) == 0)
    return changed


def _copies(likelihoods: Sequence[np.ndarray], quantities: Mapping[str, np.ndarray]) -> list[str]:
    """Name pairs of dependent chains: they share draws, in any order, or are correlated draw by draw."""
    reasons = []
    finite = [values[np.isfinite(values)] for values in likelihoods]
    moving = [values if len(values) and np.ptp(values) else values[:0] for values in finite]
    for first, second in itertools.combinations(range(len(moving)), 2):
        pair = (moving[first], moving[second])
        shared = max(np.isin(*pair).mean(), np.isin(*pair[::-1]).mean()) if all(map(len, pair)) else 0.0
        correlated = [name for name, values in quantities.items() if _correlated(values[first], values[second])]
        if shared > _SHARED:
            reasons.append(
                f"chains {first} and {second} share {shared:.0%} of their draws: copies, or the same seed twice"
            )
        elif correlated:
            reasons.append(
                f"chains {first} and {second} are not independent: {', '.join(correlated)} perfectly correlated"
            )
    return reasons


def _correlated(first: np.ndarray, second: np.ndarray) -> bool:
    """Return whether any quantity [draws, n] of two chains is perfectly correlated, draw by draw."""
    if len(first) < _FEWEST_CORRELATED:
        return False
    with np.errstate(all="ignore"):
        a, b = ((values - values.mean(0)) / values.std(0) for values in (first, second))
        return bool(np.any(np.abs((a * b).mean(0)) > _CORRELATION))


def _e_bfmi(energy: np.ndarray) -> list[float | None]:
    """Return the E-BFMI of each chain [chains, draws]; None with too few draws, or constant or infinite energy."""
    if energy.shape[1] < _FEWEST_DRAWS:
        return [None] * len(energy)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        e_bfmi = _array_stats().bfmi(energy)
    return [float(value) if np.isfinite(value) else None for value in e_bfmi]


def _worst(groups: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the worst of each diagnostic over quantities [chains, draws, quantities], in all and by group.

    Quantities that are equal in all draws of all chains, such as the logit of a disconnected unit, have no R-hat and
    are counted as 'constant'. Quantities that are not finite are left out, since ``_undefined`` reports them.
    """
    stats = _array_stats()
    names = ("r_hat", "ess_bulk", "ess_tail")
    worst: dict[str, Any] = dict.fromkeys(names) | {"constant": 0}
    for name, values in groups.items():
        if values.shape[1] < _FEWEST_DRAWS:
            return dict.fromkeys(names) | {"constant": 0}
        finite = values[..., np.isfinite(values).all(axis=(0, 1))]
        moving = finite[..., np.ptp(finite, axis=(0, 1)) > 0]
        worst["constant"] += finite.shape[2] - moving.shape[2]
        if not moving.shape[2]:
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # of constant quantities
            warnings.simplefilter("ignore", RuntimeWarning)
            single = values.shape[0] < 2  # ArviZ would warn
            r_hat = np.nan * np.zeros(1) if single else stats.rhat(moving, **_AXES)
            bulk, tail = stats.ess(moving, **_AXES), stats.ess(moving, method="tail", prob=_TAILS, **_AXES)
        group = {
            "r_hat": float(np.where(np.isnan(r_hat), np.inf, r_hat).max()),
            "ess_bulk": float(np.nan_to_num(bulk).min()),
            "ess_tail": float(np.nan_to_num(tail).min()),
        }
        worst[name] = group
        for key, worse in zip(names, (max, min, min), strict=True):
            worst[key] = group[key] if worst[key] is None else worse(worst[key], group[key])
    for record in (worst, *(worst[name] for name in groups if name in worst)):
        if record["r_hat"] == np.inf:  # JSON has no infinity
            record["r_hat"] = None
    return worst


def _reasons(diagnostics: dict[str, Any]) -> list[str]:
    """Return the reasons against convergence, in words."""
    function, chains, e_bfmi = (diagnostics[name] for name in ("function", "chains", "e_bfmi"))
    reasons = []
    if chains < 2:
        reasons.append("a single chain cannot show that chains from different starts agree")
    elif function["r_hat"] is None:
        reasons.append("no R-hat: too few draws, or chains that stand still")
    elif not function["r_hat"] <= LIMITS["r_hat"]:
        reasons.append(f"R-hat {function['r_hat']:.3g} in function space, above {LIMITS['r_hat']}")
    if 2 <= chains < LIMITS["chains"]:
        reasons.append(f"{chains} chains, not {LIMITS['chains']} at least")
    if function["ess_bulk"] is not None:
        ess = min(function["ess_bulk"], function["ess_tail"])
        if not ess >= LIMITS["ess"]:
            reasons.append(f"{ess:.0f} effective draws in function space, under {LIMITS['ess']:.0f}")
    if count := diagnostics["divergences"]:
        reasons.append(f"{count} divergence{'s' * (count > 1)}")
    if None in e_bfmi:
        reasons.append("no E-BFMI: too few draws, or an energy that stands still")
    elif not min(e_bfmi) > LIMITS["e_bfmi"]:
        reasons.append(f"E-BFMI {min(e_bfmi):.2g}, not above {LIMITS['e_bfmi']}")
    if not diagnostics["capped"] < LIMITS["capped"]:
        reasons.append(f"{diagnostics['capped']:.0%} of the trees reached the cap on their depth, not under 5 %")
    return reasons
