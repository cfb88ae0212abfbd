"""The verdict over chains, against ArviZ and SciPy called directly."""

import json
import math

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.signal import detrend, lfilter
from scipy.special import softmax

from tfticket.sampling.chain import Chain
from tfticket.sampling.diagnostics import diagnose, monitored_entries
from tfticket.sampling.stopping import is_enough
from tfticket.sampling.warmup import Adaptation

WARMUP, DRAWS, SIZE, CLASSES = 20, 600, 30, 3
AXES = {"chain_axis": 0, "draw_axis": 1}


def chains_of(seed=0, count=4, draws=DRAWS, shift=(0, 0, 0, 0), correlation=0.0):
    """Chains whose log likelihoods and logits are independent draws, and their thetas; their warm-ups are far away."""
    random, chains, thetas = np.random.default_rng(seed), [], []
    for number in range(count):
        values = lfilter(
            [np.sqrt(1 - correlation**2)], [1, -correlation], random.normal(size=(WARMUP + draws, 9)), axis=0
        )
        values[:WARMUP] += 1e6
        values += shift[number]
        stats = dict(zip(("log_density", "log_likelihood", "energy"), values[:, 6:].T.tolist(), strict=True))
        stats |= {name: [1.0] * WARMUP + [0.0] * draws for name in ("diverging", "reached_max_treedepth")}
        stats |= {"n_steps": [3.0] * (WARMUP + draws), "seconds": [0.25] * (WARMUP + draws)}
        adaptation = Adaptation.begin(WARMUP, SIZE, 0.8)
        probes = list(values[WARMUP:, :6].astype(np.float32))
        costs = {"tuning_gradients": 100.0, "tuning_seconds": 5.0}
        chains.append(Chain(adaptation, done=WARMUP + draws, sample_stats=stats, probes=probes, kept=draws, **costs))
        thetas.append(random.normal(size=(draws, SIZE)).astype(np.float32))
    return chains, thetas


def spreads(values):
    """Each quantity's means in the chains, and its mean variance within them."""
    for quantity in np.moveaxis(values, 2, 0):
        yield quantity.mean(axis=1), np.mean([np.cov(chain) for chain in quantity])


def reasons(chains, thetas):
    diagnostics = diagnose(chains, thetas, CLASSES)
    assert diagnostics["verdict"] == ("not converged" if diagnostics["reasons"] else "converged")
    return diagnostics["reasons"]


def set_to(chain, where, values, thetas=None, number=None):
    """Replace a quantity of a chain's draws."""
    if where == "weights":
        thetas[number] = values
    elif where == "probe logits":
        chain.probes = list(values)
    else:
        chain.sample_stats[where.replace(" ", "_")][WARMUP:] = list(map(float, values))


def quantity(chains, thetas, number, where):
    if where == "weights":
        return thetas[number]
    values = (
        chains[number].probes
        if where == "probe logits"
        else chains[number].sample_stats[where.replace(" ", "_")][WARMUP:]
    )
    return np.array(values)


@pytest.fixture
def good():
    return chains_of()


def test_figures_are_arvizs_over_the_draws_after_the_warm_up(good):
    chains, thetas = good
    diagnostics = diagnose(chains, thetas, CLASSES)
    likelihood, energy = (
        np.array([chain.sample_stats[name][WARMUP:] for chain in chains]) for name in ("log_likelihood", "energy")
    )
    logits = np.array([chain.probes for chain in chains], float)
    probabilities = softmax(logits.reshape(4, DRAWS, 2, CLASSES), axis=-1).reshape(4, DRAWS, 6)
    groups = {"function": likelihood[..., None], "probes": probabilities, "weights": np.array(thetas, float)}
    for group, values in groups.items():
        r_hat, bulk = array_stats.rhat(values, method="rank", **AXES), array_stats.ess(values, method="bulk", **AXES)
        tail = array_stats.ess(values, method="tail", prob=(0.05, 0.95), **AXES).min()
        expected = {"r_hat": r_hat.max(), "r_hat_median": np.median(r_hat), "r_hat_95": np.quantile(r_hat, 0.95)}
        expected |= {"ess_bulk": bulk.min(), "ess_median": np.median(bulk), "ess_tail": tail, "constant": 0}
        expected["between"] = np.median([np.cov(means) / (np.cov(means) + spread) for means, spread in spreads(values)])
        assert diagnostics[group] == pytest.approx(expected, rel=1e-4)
    halves = likelihood.reshape(4, 2, DRAWS // 2)
    between, within = halves.mean(axis=2).var(axis=1, ddof=1), halves.var(axis=2, ddof=1).mean(axis=1)
    np.testing.assert_allclose(diagnostics["within"], np.sqrt(1 - 2 / DRAWS + between / within))
    assert diagnostics["drift"] == [0.0] * 4
    np.testing.assert_allclose(diagnostics["e_bfmi"], array_stats.bfmi(detrend(energy)))
    expected = {"chains": 4, "draws": [DRAWS] * 4, "divergences": 0, "capped": 0, "verdict": "converged"}
    expected |= {"gradients": 4 * (100 + 3 * (WARMUP + DRAWS)), "seconds": 4 * (5 + 0.25 * (WARMUP + DRAWS))}
    expected |= {"remaining": 0, "energy_error": None, "temperature": None}
    assert {name: diagnostics[name] for name in expected} == expected
    ess = diagnostics["function"]["ess_bulk"]
    assert diagnostics["per_1000_gradients"] == pytest.approx(1000 * ess / (4 * 3 * DRAWS))
    assert diagnostics["per_minute"] == pytest.approx(60 * ess / (4 * 0.25 * DRAWS))


def with_likelihoods(values):
    """Chains of these log likelihoods [chains, draws]; their logits and the like are independent."""
    chains, thetas = chains_of(count=len(values), draws=values.shape[1], shift=[0] * len(values))
    for chain, row in zip(chains, values, strict=True):
        set_to(chain, "log likelihood", row)
    return chains, thetas


def test_chains_that_disagree_still_climb_or_fall_or_mix_slowly_or_have_modes_of_their_own():
    noise = np.random.default_rng(0).normal(size=(4, DRAWS))
    climbing = noise + np.outer([0, 0, 6, -7], np.linspace(0, 1, DRAWS))
    modes = noise + np.array([0, 0, 0, 3])[:, None]
    slow = lfilter([1], [1, -0.97], noise, axis=1)
    for values, facts in (
        (climbing, ["chain 2 still climbs", "chain 3 still falls"]),
        (modes, ["modes differ"]),
        (slow, ["mix slowly"]),
    ):
        told = [reason for reason in reasons(*with_likelihoods(values)) if "chain " in reason or "chains mix" in reason]
        assert [fact in reason for fact, reason in zip(facts, told, strict=True)] == [True] * len(facts)
    diagnostics = diagnose(*with_likelihoods(climbing), CLASSES)
    thirds = climbing[:, -DRAWS // 3 :].mean(axis=1) - climbing[:, : DRAWS // 3].mean(axis=1)
    np.testing.assert_allclose(diagnostics["drift"], [0, 0, *thirds[2:]])


def test_drift_is_found_in_few_stationary_chains_even_if_they_mix_slowly():
    noise = np.random.default_rng(0).normal(size=(40, 4000))
    values = lfilter([1], [1, -0.9], noise, axis=1)[:, 1000:]
    assert np.count_nonzero(diagnose(*with_likelihoods(values), CLASSES)["drift"]) <= 2


def test_the_draws_still_to_come_are_those_that_bring_the_effective_draws_and_r_hat():
    """Of stationary chains that mix slowly: with as many more, R-hat and effective draws are near their limits."""
    noise = np.random.default_rng(0).normal(size=(4, 2000))
    values = lfilter([1], [1, -0.9], noise, axis=1)[:, 1000:]
    diagnostics = diagnose(*with_likelihoods(values), CLASSES)
    ess = min(diagnostics["function"][name] for name in ("ess_bulk", "ess_tail"))
    assert ess < 400
    by_ess, by_r_hat = 400 / ess, (diagnostics["function"]["r_hat"] ** 2 - 1) / (1.01**2 - 1)
    assert diagnostics["remaining"] == math.ceil(1000 * (max(by_ess, by_r_hat) - 1))
    assert diagnose(*chains_of(draws=1), CLASSES)["remaining"] is None


@pytest.mark.parametrize(("statistic", "value", "verdict"), [
    ("temperature", 1.05, "converged"), ("temperature", 0.85, "not converged"), ("temperature", 1.2, "not converged"),
    ("energy_error", 4e-4, "converged"),
])  # fmt: skip
def test_samplers_without_an_energy_are_judged_by_what_they_have(good, statistic, value, verdict):
    chains, thetas = good
    for chain in chains:
        del chain.sample_stats["energy"]
        chain.sample_stats[statistic] = [0.0] * WARMUP + [value] * DRAWS
    diagnostics = diagnose(chains, thetas, CLASSES)
    assert diagnostics[statistic] == pytest.approx(value)
    assert (diagnostics["e_bfmi"], diagnostics["verdict"]) == ([], verdict)


@pytest.mark.parametrize(("options", "facts"), [
    ({"shift": [0, 0, 0, 1.0]}, ["R-hat", "log likelihood"]),
    ({"draws": 60}, ["effective draws", "400"]),
    ({"count": 1, "draws": 2000}, ["single chain"]),
    ({"count": 2, "draws": 2000}, ["2 chains", "4"]),
    ({"count": 3, "draws": 2000}, ["3 chains", "4"]),
    *[({"draws": draws}, []) for draws in (0, 1, 3, 7)],
])  # fmt: skip
def test_chains_that_are_too_few_too_short_or_apart_have_not_converged(options, facts):
    assert any(all(fact in reason for fact in facts) for reason in reasons(*chains_of(**options)))


def test_weights_apart_do_not_count_and_chains_are_compared_over_the_shortest(good):
    chains, thetas = good
    longer, more = chains_of(seed=1, count=1, draws=DRAWS + 50)
    thetas = [theta + 10 * number for number, theta in enumerate([*thetas[:3], *more])]
    diagnostics = diagnose([*chains[:3], *longer], thetas, CLASSES)
    assert diagnostics["weights"]["r_hat"] > 2
    assert (diagnostics["draws"], diagnostics["verdict"]) == ([DRAWS] * 3 + [DRAWS + 50], "converged")


@pytest.mark.parametrize(("name", "values", "fact"), [
    ("diverging", [1.0, *[0.0] * (DRAWS - 1)], "1 divergence"),
    ("diverging", [1.0, *[0.0] * (DRAWS - 2), np.nan], "2 divergences"),
    ("reached_max_treedepth", np.arange(DRAWS) < 0.21 * DRAWS, "5%"),
    ("reached_max_treedepth", np.arange(DRAWS) < 0.19 * DRAWS, None),
    ("energy", np.cumsum(np.random.default_rng(1).normal(size=DRAWS)), "E-BFMI"),
])  # fmt: skip
def test_statistics_of_one_chain_count_beyond_their_limits_after_the_warm_up(good, name, values, fact):
    chains, thetas = good
    set_to(chains[2], name, values)
    chains[1].sample_stats[name][0] = float("nan")
    assert [fact in reason for reason in reasons(chains, thetas)] == [True] * (fact is not None)


@pytest.mark.parametrize("where", ["log likelihood", "probe logits", "energy", "weights"])
def test_infinite_undefined_or_correlated_quantities_are_named(where):
    for value, draws in ((np.nan, slice(-1, None)), (-np.inf, slice(None)), (np.inf, slice(0, 1))):
        chains, thetas = chains_of()
        values = quantity(chains, thetas, 1, where)
        values.reshape(DRAWS, -1)[draws, -1] = value
        set_to(chains[1], where, values, thetas, 1)
        named = [reason for reason in reasons(chains, thetas) if reason.startswith(where)]
        assert [f"{DRAWS if draws == slice(None) else 1} of 2,400" in reason for reason in named] == [True]
    for factor in (-1.0, 3.0):
        chains, thetas = chains_of()
        set_to(chains[2], where, 0.5 + factor * quantity(chains, thetas, 0, where), thetas, 2)
        (pair,) = dependent(reasons(chains, thetas))
        assert ("0 and 2" in pair, where in pair) == (True, True)


def test_quantities_that_never_change_are_counted_or_named(good):
    chains, thetas = good
    probes = [chain.probes for chain in chains]

    def with_logits(values):
        """A third row, whose logits never change."""
        for chain, own, value in zip(chains, probes, values, strict=True):
            chain.probes = [np.append(row, np.float32([value, 0, 0])) for row in own]
        return diagnose(chains, thetas, CLASSES)

    same = with_logits([-3] * 4)
    assert (same["probes"]["constant"], same["verdict"]) == (3, "converged")
    apart = with_logits(range(4))
    assert any("R-hat of probe rows' probabilities" in reason for reason in apart["reasons"])
    for number, where in enumerate(("log likelihood", "probe logits", "weights")):
        set_to(chains[2], where, np.repeat(quantity(chains, thetas, 2, where)[:1], DRAWS, axis=0), thetas, 2)
        assert any("chain 2 is stuck" in reason for reason in reasons(chains, thetas)) == (number == 2)
    for chain in chains:
        set_to(chain, "probe logits", np.zeros((DRAWS, 6)))
    assert any("probe logits" in reason for reason in reasons(chains, thetas))
    assert diagnose(chains, thetas, CLASSES)["probes"]["constant"] == 6


def dependent(reasons):
    """Pairs of chains that are not independent."""
    return [reason for reason in reasons if "copies" in reason or "not independent" in reason]


@pytest.mark.parametrize("alter", [lambda x: x[7:], lambda x: x[:-50], lambda x: x[::-1], lambda x: x[: DRAWS // 2]])
def test_copies_are_named_even_if_shifted_cut_or_reversed_and_chains_that_drift_alike_are_not(good, alter):
    chains, thetas = good
    assert len(dependent(reasons([chains[0]] * 4, [thetas[0]] * 4))) == 6
    assert dependent(reasons(*chains_of(correlation=0.99))) == []
    stats = {name: values[:WARMUP] + alter(values[WARMUP:]) for name, values in chains[0].sample_stats.items()}
    length = len(stats["energy"]) - WARMUP
    chains[3] = Chain(
        chains[0].adaptation, WARMUP + length, sample_stats=stats, probes=alter(chains[0].probes), kept=length
    )
    (pair,) = dependent(reasons(chains, [*thetas[:3], alter(thetas[0])]))
    assert "0 and 3 share 100%" in pair


def test_diagnostics_are_json_even_of_chains_without_a_finite_number_or_change(good):
    chains, thetas = good
    for value in (np.nan, np.inf, 5.0):
        for chain in chains:
            set_to(chain, "probe logits", np.full((DRAWS, 6), value))
            for where in ("log likelihood", "energy"):
                set_to(chain, where, np.full(DRAWS, value))
        diagnostics = diagnose(chains, [np.full_like(theta, value) for theta in thetas], CLASSES)
        assert (diagnostics["function"]["r_hat"], diagnostics["verdict"]) == (None, "not converged")
        json.dumps(diagnostics, allow_nan=False)


@pytest.mark.parametrize("size", [1, 7, 200, 201, 399, 599, 266_610])
def test_monitored_weights_lie_evenly_over_theta(size):
    entries = monitored_entries(size)
    assert (len(entries), entries[0], entries[-1]) == (min(size, 200), 0, size - 1)
    gaps = np.diff(entries)
    assert size == 1 or 1 <= gaps.min() <= gaps.max() <= gaps.min() + 1


def test_an_unadjusted_chain_with_a_large_energy_error_has_not_converged():
    chains, thetas = chains_of()
    for error, converged in ((1e-4, True), (1e-3, False), (math.nan, False)):
        for chain in chains:
            chain.sample_stats["energy_error"] = [error] * (WARMUP + DRAWS)
        assert (reasons(chains, thetas) == []) == converged


def test_effective_draws_of_broken_chains_are_never_enough():
    chains, thetas = chains_of()
    pool = {"diagnostics": diagnose(chains, thetas, CLASSES)}
    assert is_enough("400 effective draws", [pool])
    assert not is_enough("9000 effective draws", [pool])
    copies = {"diagnostics": diagnose(chains[:1] * 4, thetas[:1] * 4, CLASSES)}
    assert copies["diagnostics"]["function"]["ess_bulk"] > 400
    assert not is_enough("400 effective draws", [copies])
