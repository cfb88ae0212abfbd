"""Whether chains may be believed: R-hat, effective sample sizes and what else ArviZ computes, and a verdict.

The headline is in function space, where equal networks look equal: the log likelihood and the logits of probe rows. In
weight space the units of a layer can be permuted, and signs turned, without any change of the function, so that chains
can agree on the function and not on the weights.

References:
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), "Rank-normalization, folding, and localization: an improved
    R-hat", which asks for four chains at least; Betancourt (2016), "Diagnosing suboptimal cotangent disintegrations"
    (E-BFMI).
"""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfticket.drawing import import_matplotlib
from tfticket.sampling.chain import Chain

WEIGHTS = 200
"""At most so many weights are looked at, evenly over theta."""

LIMITS = {"chains": 4, "r_hat": 1.01, "ess": 400.0, "divergences": 0, "e_bfmi": 0.3, "capped": 0.05}
"""What `converged` asks for: chains at least, R-hat at most, effective draws at least, divergences at most, ..."""

_SHARED = 0.01
"""Chains that have a larger share of log likelihoods in common, to the last bit, are copies."""
_CORRELATION = 1 - 1e-6
"""Chains of which a quantity is correlated more closely, draw by draw, are no independent chains."""

CAUTION = "Agreement in function space does not prove convergence in weight space."


def arviz_quietly() -> Any:
    """ArviZ, without what it says of its own future once a day; it takes seconds to import.

    Raises:
        InputError: matplotlib, which it imports, does not start.
    """
    import_matplotlib()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    return arviz


def looked_at(size: int) -> np.ndarray:
    """The entries of theta [size] that are looked at, int64 [at most ``WEIGHTS``], from the first to the last."""
    return np.linspace(0, size - 1, min(size, WEIGHTS)).astype(int)


def diagnose(chains: Sequence[Chain], weights: Sequence[np.ndarray]) -> dict[str, Any]:
    """Diagnostics over the draws after the warm-up; of chains of different lengths, over as many last draws of each.

    Args:
        chains: Of one posterior.
        weights: Of each, the entries of theta that are ``looked_at`` in the draws kept, float32 [n, entries].

    Returns:
        'function' and 'weights': r_hat (the largest), ess_bulk and ess_tail (the smallest), each None where no quantity
        has one, and 'constant', the number of quantities that are the same in all draws of all chains, which have none;
        'e_bfmi' of each chain, 'divergences', 'capped' (share of trees), 'gradients', 'seconds', 'verdict', 'reasons'.
    """
    told = [
        {name: np.array(values[chain.adaptation.total :], float) for name, values in chain.told.items()}
        for chain in chains
    ]
    stats = {name: _stacked([each[name] for each in told]) for name in _TOLD}
    function = {
        "log likelihood": stats["log_likelihood"][..., None],
        "probe logits": _stacked([np.array(chain.probes, float) for chain in chains]),
    }
    theta = {"weights": _stacked([each.astype(float) for each in weights])}
    diverging, capped = (np.concatenate([each[name] for each in told]) for name in ("diverging", "reached_cap"))
    found: dict[str, Any] = {
        "chains": len(chains),
        "draws": [chain.draws for chain in chains],
        "function": _worst(function),
        "weights": _worst(theta),
        "e_bfmi": _e_bfmi(stats["energy"]),
        "divergences": int(np.count_nonzero(diverging)),  # NaN counts
        "capped": float(np.mean(capped != 0)) if len(capped) else 0.0,
        "gradients": int(sum(sum(chain.told["n_steps"]) for chain in chains)),
        "seconds": float(sum(sum(chain.told["seconds"]) for chain in chains)),
    }
    quantities = {**function, **theta, "energy": stats["energy"][..., None]}
    reasons = [
        *_undefined(quantities),
        *_standing_still(function, theta),
        *_copies([each["log_likelihood"] for each in told], quantities),
        *_reasons(found),
    ]
    found["verdict"] = "not converged" if reasons else "converged"
    found["reasons"] = reasons
    found["caution"] = CAUTION
    return found


_TOLD = ("log_likelihood", "energy")


def _stacked(series: Sequence[np.ndarray]) -> np.ndarray:
    """The last draws of each chain, as many as the shortest has: [chains, draws, ...]."""
    length = min(map(len, series))
    return np.stack([each[len(each) - length :] for each in series])


def _undefined(quantities: Mapping[str, np.ndarray]) -> list[str]:
    """Which quantities [chains, draws, n] are infinite or undefined somewhere."""
    reasons = []
    for name, values in quantities.items():
        broken = ~np.isfinite(values)
        if count := int(broken.any(axis=(0, 1)).sum()):
            of = f" ({count} of {values.shape[2]})" if values.shape[2] > 1 else ""
            draws, total = int(broken.any(axis=2).sum()), values.shape[0] * values.shape[1]
            reasons.append(f"{name}{of} infinite or undefined in {draws:,} of {total:,} draws")
    return reasons


def _standing_still(function: Mapping[str, np.ndarray], theta: Mapping[str, np.ndarray]) -> list[str]:
    """Which quantities never change, and which chains have no draw but their first."""
    spread = {name: _spread(values) for name, values in {**function, **theta}.items() if values.shape[1] > 1}
    still = [name for name, each in spread.items() if name in function and not each.any()]
    reasons = [f"{' and '.join(still)} the same in all draws of each chain"] if still else []
    moved = [each.any(axis=1) for each in spread.values()]
    stuck = np.flatnonzero(~np.any(moved, axis=0)).tolist() if moved else []
    return reasons + [f"chain {number} stands still: all its draws are the same" for number in stuck]


def _spread(values: np.ndarray) -> np.ndarray:
    """Whether each quantity changes within each chain [chains, n]; NaN counts as a change, which others tell of."""
    with np.errstate(invalid="ignore"):
        changes: np.ndarray = ~(np.ptp(values, axis=1) == 0)
    return changes


def _copies(likelihoods: Sequence[np.ndarray], quantities: Mapping[str, np.ndarray]) -> list[str]:
    """Pairs of chains that are not independent: some draws are the same, in whatever order, or all are correlated."""
    reasons = []
    finite = [each[np.isfinite(each)] for each in likelihoods]
    moving = [each if len(each) and np.ptp(each) else each[:0] for each in finite]
    for one, other in itertools.combinations(range(len(moving)), 2):
        pair = (moving[one], moving[other])
        shared = max(np.isin(*pair).mean(), np.isin(*pair[::-1]).mean()) if all(map(len, pair)) else 0.0
        correlated = [name for name, values in quantities.items() if _correlated(values[one], values[other])]
        if shared > _SHARED:
            reasons.append(
                f"chains {one} and {other} share {shared:.0%} of their draws: copies, or the same seed twice"
            )
        elif correlated:
            reasons.append(
                f"chains {one} and {other} are not independent: {', '.join(correlated)} perfectly correlated"
            )
    return reasons


def _correlated(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether any quantity [draws, n] of two chains is perfectly correlated, draw by draw."""
    if len(one) < _FEWEST_CORRELATED:
        return False
    with np.errstate(all="ignore"):
        a, b = ((values - values.mean(0)) / values.std(0) for values in (one, other))
        return bool(np.any(np.abs((a * b).mean(0)) > _CORRELATION))


_FEWEST_CORRELATED = 20
"""Draws: of fewer, chance correlates some of hundreds of quantities."""


def _e_bfmi(energy: np.ndarray) -> list[float | None]:
    """Of each chain [chains, draws]; None of too few draws, or where the energy stands still or is not finite."""
    arviz = arviz_quietly()

    if energy.shape[1] < 4:
        return [None] * len(energy)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        found = arviz.bfmi(energy)
    return [float(value) if np.isfinite(value) else None for value in found]


def _worst(groups: dict[str, np.ndarray]) -> dict[str, Any]:
    """The worst of each diagnostic over quantities [chains, draws, quantities], by group.

    What is the same in all draws of all chains, such as the logit of a unit cut off, has no R-hat: it is counted apart.
    So is what is not finite, of which the verdict tells.
    """
    arviz = arviz_quietly()

    names = ("r_hat", "ess_bulk", "ess_tail")
    found: dict[str, Any] = dict.fromkeys(names) | {"constant": 0}
    for name, values in groups.items():
        if values.shape[1] < 4:  # ArviZ has no estimate of fewer
            return dict.fromkeys(names) | {"constant": 0}
        finite = values[..., np.isfinite(values).all(axis=(0, 1))]
        moving = finite[..., np.ptp(finite, axis=(0, 1)) > 0]
        found["constant"] += finite.shape[2] - moving.shape[2]
        if not moving.shape[2]:
            continue
        data = arviz.convert_to_dataset({"x": moving})
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # of chains that stand still
            warnings.simplefilter("ignore", RuntimeWarning)
            one = values.shape[0] < 2  # which ArviZ would warn of
            r_hat = np.nan * np.zeros(1) if one else arviz.rhat(data, method="rank")["x"].values
            bulk, tail = (arviz.ess(data, method=method)["x"].values for method in ("bulk", "tail"))
        each = {
            "r_hat": float(np.where(np.isnan(r_hat), np.inf, r_hat).max()),
            "ess_bulk": float(np.nan_to_num(bulk).min()),
            "ess_tail": float(np.nan_to_num(tail).min()),
        }
        found[name] = each
        for key, worse in zip(names, (max, min, min), strict=True):
            found[key] = each[key] if found[key] is None else worse(found[key], each[key])
    for record in (found, *(found[name] for name in groups if name in found)):
        if record["r_hat"] == np.inf:  # no number for JSON
            record["r_hat"] = None
    return found


def _reasons(found: dict[str, Any]) -> list[str]:
    """What speaks against convergence, in words."""
    function = found["function"]
    reasons = []
    if found["chains"] < 2:
        reasons.append("a single chain cannot show that chains from different starts agree")
    elif function["r_hat"] is None:
        reasons.append("no R-hat: too few draws, or chains that stand still")
    elif not function["r_hat"] <= LIMITS["r_hat"]:
        reasons.append(f"R-hat {function['r_hat']:.3g} in function space, above {LIMITS['r_hat']}")
    if 2 <= found["chains"] < LIMITS["chains"]:
        reasons.append(f"{found['chains']} chains, not {LIMITS['chains']} at least")
    if function["ess_bulk"] is not None:
        ess = min(function["ess_bulk"], function["ess_tail"])
        if not ess >= LIMITS["ess"]:
            reasons.append(f"{ess:.0f} effective draws in function space, under {LIMITS['ess']:.0f}")
    if found["divergences"]:
        reasons.append(f"{found['divergences']} divergence{'s' * (found['divergences'] > 1)}")
    if None in found["e_bfmi"]:
        reasons.append("no E-BFMI: too few draws, or an energy that stands still")
    elif not min(found["e_bfmi"]) > LIMITS["e_bfmi"]:
        reasons.append(f"E-BFMI {min(found['e_bfmi']):.2g}, not above {LIMITS['e_bfmi']}")
    if not found["capped"] < LIMITS["capped"]:
        reasons.append(f"{found['capped']:.0%} of the trees reached the cap on their depth, not under 5 %")
    return reasons
