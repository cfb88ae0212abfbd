"""Whether chains may be believed: R-hat, effective sample sizes and what else ArviZ computes, and a verdict.

The headline is in function space, where equal networks look equal: the log likelihood and the logits of probe rows. In
weight space the units of a layer can be permuted, and signs turned, without any change of the function, so that chains
can agree on the function and not on the weights.

References:
    Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021), "Rank-normalization, folding, and localization: an improved
    R-hat"; Betancourt (2016), "Diagnosing suboptimal cotangent disintegrations" (E-BFMI).
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfticket.drawing import import_matplotlib
from tfticket.sampling.chain import Chain

WEIGHTS = 200
"""At most so many weights are looked at, evenly over theta."""

LIMITS = {"r_hat": 1.01, "ess": 400.0, "divergences": 0, "e_bfmi": 0.3, "capped": 0.05}
"""What `converged` asks for: R-hat at most, effective draws at least, divergences at most, and so on."""

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
    """Diagnostics over the draws after the warm-up.

    Args:
        chains: Of one posterior.
        weights: Of each, the entries of theta that are ``looked_at`` in the draws kept, float32 [n, entries].

    Returns:
        'function' and 'weights': r_hat (the largest), ess_bulk and ess_tail (the smallest), and of what;
        'e_bfmi' of each chain, 'divergences', 'capped' (share of trees), 'gradients', 'seconds', 'verdict'.
    """
    told = [
        {name: np.array(values[chain.adaptation.total :]) for name, values in chain.told.items()} for chain in chains
    ]
    length = min(len(each["energy"]) for each in told)
    likelihood = np.stack([each["log_likelihood"][-length:] for each in told])
    probes = np.stack([np.array(chain.probes[-length:]) for chain in chains])
    function = {"log likelihood": likelihood[..., None], "probe logits": probes}
    shortest = min(map(len, weights))
    last = np.stack([each[-shortest:] for each in weights]).astype(float)
    found: dict[str, Any] = {
        "chains": len(chains),
        "draws": [chain.draws for chain in chains],
        "function": _worst(function),
        "weights": _worst({"weights": last}),
        "e_bfmi": _e_bfmi(np.stack([each["energy"][-length:] for each in told])),
        "divergences": int(sum(each["diverging"].sum() for each in told)),
        "capped": float(np.concatenate([each["reached_cap"] for each in told]).mean()),
        "gradients": int(sum(sum(chain.told["n_steps"]) for chain in chains)),
        "seconds": float(sum(sum(chain.told["seconds"]) for chain in chains)),
    }
    reasons = _reasons(found)
    found["verdict"] = "not converged" if reasons else "converged"
    found["reasons"] = reasons
    found["caution"] = CAUTION
    return found


def _e_bfmi(energy: np.ndarray) -> list[float | None]:
    """Of each chain [chains, draws]; None of too few draws, or where the energy stands still."""
    arviz = arviz_quietly()

    if energy.shape[1] < 4:
        return [None] * len(energy)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        found = arviz.bfmi(energy)
    return [float(value) if np.isfinite(value) else None for value in found]


def _worst(groups: dict[str, np.ndarray]) -> dict[str, Any]:
    """The worst of each diagnostic over quantities [chains, draws, quantities], by group.

    What is the same in all draws of all chains, such as the logit of a unit cut off, has no R-hat and does not count,
    unless all is the same.
    """
    arviz = arviz_quietly()

    found: dict[str, Any] = {"r_hat": 0.0, "ess_bulk": np.inf, "ess_tail": np.inf}
    for name, values in groups.items():
        if values.shape[1] < 4:  # ArviZ has no estimate of fewer
            return {"r_hat": None, "ess_bulk": None, "ess_tail": None}
        moves = np.ptp(values, axis=(0, 1)) > 0
        data = arviz.convert_to_dataset({"x": values[..., moves] if moves.any() else values})
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
        found["r_hat"] = max(found["r_hat"], each["r_hat"])
        found["ess_bulk"] = min(found["ess_bulk"], each["ess_bulk"])
        found["ess_tail"] = min(found["ess_tail"], each["ess_tail"])
    if not np.isfinite(found["r_hat"]):  # no number for JSON
        found["r_hat"] = None
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
