"""Convergence diagnostics of chains: R-hat, effective sample sizes, E-BFMI, and a verdict.

The verdict is about function space: the log likelihood, and the probabilities of probe rows. In weight space, permuting
the units of a layer or flipping signs leaves the function unchanged, so chains can agree on the function and not on the
weights.

Chains that disagree either still climb, each drifting by itself, or each is stationary and their modes differ: split
R-hat within each chain and a drift test tell these apart.

References:
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), "Rank-normalization, folding, and localization: an improved
    R-hat", which asks for at least four chains; Betancourt (2016), "Diagnosing suboptimal cotangent disintegrations"
    (E-BFMI); Geweke (1992), "Evaluating the accuracy of sampling-based approaches to posterior moments" (drift).
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfticket.drawing import import_matplotlib
from tfticket.evaluation.metrics import log_probabilities
from tfticket.sampling.broken_chains import broken
from tfticket.sampling.chain import Chain

MONITORED = 200
"""Most weights that are diagnosed, spread evenly over theta."""

LIMITS = {
    "chains": 4,
    "r_hat": 1.01,
    "ess": 400.0,
    "probes_median": 1.01,
    "probes_most": 1.05,
    "within": 1.05,
    "divergences": 0,
    "e_bfmi": 0.3,
    "capped": 0.05,
    "temperature": 0.1,
    "energy_error": 5e-4,
}
"""Limits of the verdict 'converged': fewest chains; of the log likelihood the largest R-hat and the fewest effective
draws; of the probes' probabilities the largest median R-hat and 95 % quantile; largest split R-hat within a stationary
chain; most divergences, lowest E-BFMI, largest share of capped trees; largest distance of the temperature from 1;
largest mean squared energy error of an unadjusted step, a variable."""

DRIFT = 3.0
"""Standard errors between the means of a chain's first and last third beyond which it drifts."""

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


def diagnose(chains: Sequence[Chain], weights: Sequence[np.ndarray], classes: int) -> dict[str, Any]:
    """Return diagnostics over the draws after the warm-up; chains are cut to the last draws of the shortest one.

    Args:
        chains: Of one posterior.
        weights: For each chain the ``monitored_entries`` of theta in the saved draws, float32 [n, entries].
        classes: Number of classes.

    Returns:
        'function', 'probes' and 'weights': see ``_summary``, of the log likelihood, of the probabilities of probe rows,
        and of weights; 'within': for each chain its split R-hat of the log likelihood, and 'drift', the change of the
        log likelihood from its first to its last third, in nats, 0 where that is within ``DRIFT`` standard errors;
        'broken', reasons why chains cannot be diagnosed; 'e_bfmi' of each chain, of the energy without its trend, []
        for samplers without one; 'divergences'; 'capped'
        (share of trees); 'energy_error' (of mclmc, else None); 'temperature' (mean over draws, of samplers by
        stochastic gradients, else None); 'gradients' and 'seconds', of start and warm-up too; 'per_1000_gradients' and
        'per_minute' (effective draws of the log likelihood, after the warm-up);
        'remaining' (draws a chain still to come until 'converged', an estimate; None where there is none); 'verdict',
        'reasons', 'caution'.
    """
    stats = [
        {name: np.array(values[chain.begin :], float) for name, values in chain.sample_stats.items()}
        for chain in chains
    ]
    log_likelihood = _stacked([series["log_likelihood"] for series in stats])
    probes = _stacked([np.array(chain.probes, float) for chain in chains])
    function = {"log likelihood": log_likelihood[..., None], "probe logits": probes}
    others = {"weights": _stacked([draws.astype(float) for draws in weights])}
    if "energy" in stats[0]:
        others["energy"] = _stacked([series["energy"] for series in stats])[..., None]
    capped = np.concatenate([series["reached_max_treedepth"] for series in stats])
    diagnostics: dict[str, Any] = {
        "chains": len(chains),
        "draws": [chain.draws for chain in chains],
        "function": _summary(function["log likelihood"]),
        "probes": _summary(_probabilities(probes, classes)),
        "weights": _summary(others["weights"]),
        **_each_chain(log_likelihood),
        "e_bfmi": _e_bfmi(others["energy"][..., 0]) if "energy" in others else [],
        "divergences": int(np.count_nonzero(np.concatenate([series["diverging"] for series in stats]))),  # NaN counts
        "capped": float(np.mean(capped != 0)) if len(capped) else 0.0,
        **{name: _mean_over_chains(stats, name) for name in ("energy_error", "temperature")},
        "gradients": round(sum(chain.gradients for chain in chains)),
        "seconds": float(sum(chain.seconds for chain in chains)),
    }
    if (ess := diagnostics["function"]["ess_bulk"]) is not None:
        gradients, seconds = (sum(float(series[name].sum()) for series in stats) for name in ("n_steps", "seconds"))
        diagnostics["per_1000_gradients"] = 1000 * ess / max(gradients, 1.0)
        diagnostics["per_minute"] = 60 * ess / max(seconds, 1e-9)
    diagnostics["broken"] = broken(function, others, [series["log_likelihood"] for series in stats])
    reasons = diagnostics["broken"] + _reasons(diagnostics)
    verdict = "not converged" if reasons else "converged"
    remaining = 0 if not reasons else _remaining(diagnostics)
    return diagnostics | {"remaining": remaining, "verdict": verdict, "reasons": reasons, "caution": CAUTION}


def _mean_over_chains(stats: Sequence[dict[str, np.ndarray]], name: str) -> float | None:
    """Return the mean of a statistic that some samplers have, else None."""
    return float(np.mean([series[name].mean() for series in stats])) if name in stats[0] else None


def _stacked(series: Sequence[np.ndarray]) -> np.ndarray:
    """Stack the last draws of each chain, as many as the shortest chain has: [chains, draws, ...]."""
    length = min(map(len, series))
    return np.stack([values[len(values) - length :] for values in series])


def _probabilities(logits: np.ndarray, classes: int) -> np.ndarray:
    """Return the probabilities of probe logits [chains, draws, rows * classes], of the same shape."""
    with np.errstate(all="ignore"):
        return np.asarray(np.exp(log_probabilities(logits.reshape(-1, classes))).reshape(logits.shape))


def _each_chain(log_likelihood: np.ndarray) -> dict[str, list[float | None]]:
    """Return split R-hat and drift of the log likelihood [chains, draws] within each chain."""
    stats = _array_stats()
    within: list[float | None] = []
    drift: list[float | None] = []
    third = log_likelihood.shape[1] // 3
    for values in log_likelihood:
        if third < _FEWEST_DRAWS or not np.isfinite(values).all() or np.ptp(values) == 0:
            within.append(None)
            drift.append(None)
            continue
        halves = values[len(values) % 2 :].reshape(2, -1, 1)
        within.append(_finite(stats.rhat(halves, **_AXES, method="identity")[0]))
        parts = values[:third], values[-third:]
        ess = [max(1.0, float(stats.ess(part[None, :, None], **_AXES, method="mean")[0])) for part in parts]
        error = math.sqrt(sum(part.var(ddof=1) / count for part, count in zip(parts, ess, strict=True)))
        change = float(parts[1].mean() - parts[0].mean())
        drift.append(change if abs(change) > DRIFT * error else 0.0)
    return {"within": within, "drift": drift}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None  # JSON has no infinity


def _e_bfmi(energy: np.ndarray) -> list[float | None]:
    """Return the E-BFMI of each chain [chains, draws], without a linear trend, which would measure drift.

    None with too few draws, or constant or infinite energy.
    """
    if energy.shape[1] < _FEWEST_DRAWS:
        return [None] * len(energy)
    draws = np.arange(energy.shape[1]) - (energy.shape[1] - 1) / 2
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        trend = (energy @ draws / (draws @ draws))[:, None] * draws
        moving = np.ptp(energy, axis=1) > 0
        e_bfmi = np.where(moving, _array_stats().bfmi(energy - trend), np.nan)
    return [_finite(value) for value in e_bfmi]


def _summary(values: np.ndarray) -> dict[str, Any]:
    """Summarise ArviZ's diagnostics of quantities [chains, draws, n].

    Quantities that are equal in all draws of all chains, such as the logit of a disconnected unit, have no R-hat.
    Quantities that are not finite are left out, since ``broken`` reports them.

    Returns:
        'r_hat' (the largest), 'r_hat_median', 'r_hat_95' (95 % quantile), 'ess_bulk', 'ess_tail' (the smallest),
        'ess_median', 'between' (median share of the variance that lies between chains), each None where no quantity has
        one; 'constant', the number of quantities without.
    """
    stats = _array_stats()
    names = ("r_hat", "r_hat_median", "r_hat_95", "ess_bulk", "ess_tail", "ess_median", "between")
    summary: dict[str, Any] = dict.fromkeys(names) | {"constant": 0}
    if values.shape[1] < _FEWEST_DRAWS:
        return summary
    finite = values[..., np.isfinite(values).all(axis=(0, 1))]
    moving = finite[..., np.ptp(finite, axis=(0, 1)) > 0]
    summary["constant"] = finite.shape[2] - moving.shape[2]
    if not moving.shape[2]:
        return summary
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # of constant quantities
        warnings.simplefilter("ignore", RuntimeWarning)
        bulk, tail = stats.ess(moving, **_AXES), stats.ess(moving, method="tail", prob=_TAILS, **_AXES)
        summary |= {"ess_bulk": float(np.nan_to_num(bulk).min()), "ess_tail": float(np.nan_to_num(tail).min())}
        summary["ess_median"] = float(np.median(np.nan_to_num(bulk)))
        if values.shape[0] > 1:  # ArviZ would warn
            r_hat = stats.rhat(moving, **_AXES)
            r_hat = np.where(np.isnan(r_hat), np.inf, r_hat)
            summary["r_hat"] = _finite(r_hat.max())
            summary["r_hat_median"], summary["r_hat_95"] = map(_finite, np.quantile(r_hat, (0.5, 0.95)))
            between, within = moving.mean(axis=1).var(axis=0, ddof=1), moving.var(axis=1, ddof=1).mean(axis=0)
            summary["between"] = float(np.median(between / (between + within)))
    return summary


def _reasons(diagnostics: dict[str, Any]) -> list[str]:
    """Return the reasons against convergence, in words."""
    function, probes, chains, e_bfmi = (diagnostics[name] for name in ("function", "probes", "chains", "e_bfmi"))
    reasons = []
    if chains < 2:
        reasons.append("a single chain cannot show that chains from different starts agree")
    elif function["r_hat"] is None:
        reasons.append("no R-hat: too few draws, or chains that stand still")
    elif not function["r_hat"] <= LIMITS["r_hat"]:
        reasons.append(f"R-hat {function['r_hat']:.3g} of the log likelihood, above {LIMITS['r_hat']}")
    for name, words in (("median", "in the median"), ("95", "in their 95 % quantile")):
        limit, r_hat = LIMITS[f"probes_{'most' if name == '95' else name}"], probes[f"r_hat_{name}"]
        if r_hat is not None and not r_hat <= limit:
            reasons.append(f"R-hat of probe rows' probabilities {r_hat:.3g} {words}, above {limit}")
    if reasons and chains >= 2:
        reasons += _why_chains_disagree(diagnostics)
    if 2 <= chains < LIMITS["chains"]:
        reasons.append(f"{chains} chains, of at least {LIMITS['chains']} required")
    if function["ess_bulk"] is not None:
        ess = min(function["ess_bulk"], function["ess_tail"])
        if not ess >= LIMITS["ess"]:
            reasons.append(f"{ess:.0f} effective draws of the log likelihood, under {LIMITS['ess']:.0f}")
    if count := diagnostics["divergences"]:
        reasons.append(f"{count} divergence{'s' * (count > 1)}")
    if None in e_bfmi:
        reasons.append("no E-BFMI: too few draws, or an energy that is constant")
    elif e_bfmi and not min(e_bfmi) > LIMITS["e_bfmi"]:
        reasons.append(f"E-BFMI {min(e_bfmi):.2g}, not above {LIMITS['e_bfmi']}")
    if not diagnostics["capped"] < LIMITS["capped"]:
        reasons.append(f"{diagnostics['capped']:.0%} of the trees reached the cap on their depth, not under 5 %")
    error = diagnostics["energy_error"]
    if error is not None and not error <= LIMITS["energy_error"]:
        reasons.append(f"energy error {error:.2g} a variable, above {LIMITS['energy_error']}: draws are biased")
    temperature = diagnostics["temperature"]
    if temperature is not None and not abs(temperature - 1) <= LIMITS["temperature"]:
        spread = "more than the posterior: take a smaller step size or larger minibatches"
        if temperature < 1:
            spread = "less than the posterior: the chain has not spread yet, or its cycles end too cold"
        reasons.append(f"temperature {temperature:.3g}, not within {LIMITS['temperature']} of 1: draws spread {spread}")
    return reasons


def _why_chains_disagree(diagnostics: dict[str, Any]) -> list[str]:
    """Tell chains that still climb or fall from stationary ones whose modes differ."""
    drifting = [
        f"chain {number} still {'climbs' if change > 0 else 'falls'}, by {abs(change):.3g} nats since its first third"
        for number, change in enumerate(diagnostics["drift"])
        if change
    ]
    within = diagnostics["within"]
    if drifting or None in within:
        return drifting
    if max(within) <= LIMITS["within"]:
        return [f"each chain is stationary by itself (split R-hat at most {max(within):.3g}): modes differ"]
    return [f"chains mix slowly (split R-hat within a chain up to {max(within):.3g})"]


def _remaining(diagnostics: dict[str, Any]) -> int | None:
    """Estimate how many more draws each chain needs: effective draws grow, and R-hat^2 - 1 falls, with their number."""
    function, probes = diagnostics["function"], diagnostics["probes"]
    factors: list[float] = []
    if function["ess_bulk"]:
        factors.append(LIMITS["ess"] / max(1e-9, min(function["ess_bulk"], function["ess_tail"])))
    pairs = [
        (function["r_hat"], "r_hat"),
        (probes["r_hat_median"], "probes_median"),
        (probes["r_hat_95"], "probes_most"),
    ]
    factors += [(r_hat**2 - 1) / (LIMITS[limit] ** 2 - 1) for r_hat, limit in pairs if r_hat is not None]
    if not factors or max(factors) <= 1:
        return None
    draws: int = min(diagnostics["draws"])
    return math.ceil((max(factors) - 1) * draws)
