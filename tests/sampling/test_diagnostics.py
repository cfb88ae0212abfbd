"""The verdict over chains, against ArviZ called directly."""

import json

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy.signal import lfilter

from tfticket.sampling.chain import Chain
from tfticket.sampling.diagnostics import diagnose, monitored_entries
from tfticket.sampling.warmup import Adaptation

WARMUP, DRAWS, SIZE = 20, 600, 30


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
        chains.append(Chain(adaptation, done=WARMUP + draws, sample_stats=stats, probes=probes, kept=draws))
        thetas.append(random.normal(size=(draws, SIZE)).astype(np.float32))
    return chains, thetas


def reasons(chains, thetas):
    diagnostics = diagnose(chains, thetas)
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
    diagnostics, axes = diagnose(chains, thetas), {"chain_axis": 0, "draw_axis": 1}
    likelihood, energy = (
        np.array([chain.sample_stats[name][WARMUP:] for chain in chains]) for name in ("log_likelihood", "energy")
    )
    probes = np.array([chain.probes for chain in chains], float)
    groups = {"function": np.concatenate([likelihood[..., None], probes], axis=-1), "weights": np.array(thetas, float)}
    for group, values in groups.items():
        assert diagnostics[group]["r_hat"] == pytest.approx(array_stats.rhat(values, method="rank", **axes).max())
        assert diagnostics[group]["ess_bulk"] == pytest.approx(array_stats.ess(values, method="bulk", **axes).min())
        tail = array_stats.ess(values, method="tail", prob=(0.05, 0.95), **axes).min()
        assert diagnostics[group]["ess_tail"] == pytest.approx(tail)
    np.testing.assert_allclose(diagnostics["e_bfmi"], array_stats.bfmi(energy))
    expected = {"chains": 4, "draws": [DRAWS] * 4, "divergences": 0, "capped": 0, "verdict": "converged"}
    expected |= {"gradients": 4 * 3 * (WARMUP + DRAWS), "seconds": 4 * 0.25 * (WARMUP + DRAWS)}
    assert {name: diagnostics[name] for name in expected} == expected


@pytest.mark.parametrize(("options", "facts"), [
    ({"shift": [0, 0, 0, 1.0]}, ["R-hat", "function space"]),
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
    diagnostics = diagnose([*chains[:3], *longer], thetas)
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
    expected, probes = diagnose(chains, thetas)["function"], [chain.probes for chain in chains]

    def with_logit(values):
        for chain, own, value in zip(chains, probes, values, strict=True):
            chain.probes = [np.append(row, np.float32(value)) for row in own]
        return diagnose(chains, thetas)

    same = with_logit([-3] * 4)
    assert (same["function"], same["verdict"]) == (expected | {"constant": 1}, "converged")
    assert any(reason.startswith("R-hat") for reason in with_logit(range(4))["reasons"])
    for number, where in enumerate(("log likelihood", "probe logits", "weights")):
        set_to(chains[2], where, np.repeat(quantity(chains, thetas, 2, where)[:1], DRAWS, axis=0), thetas, 2)
        assert any("chain 2 stands still" in reason for reason in reasons(chains, thetas)) == (number == 2)
    for chain in chains:
        set_to(chain, "probe logits", np.zeros((DRAWS, 6)))
    assert any("probe logits" in reason for reason in reasons(chains, thetas))
    assert diagnose(chains, thetas)["function"]["constant"] == 6


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
    chains[3] = Chain(chains[0].adaptation, WARMUP + length, stats, probes=alter(chains[0].probes), kept=length)
    (pair,) = dependent(reasons(chains, [*thetas[:3], alter(thetas[0])]))
    assert "0 and 3 share 100%" in pair


def test_diagnostics_are_json_even_of_chains_without_a_finite_number_or_change(good):
    chains, thetas = good
    for value in (np.nan, np.inf, 5.0):
        for chain in chains:
            set_to(chain, "probe logits", np.full((DRAWS, 6), value))
            for where in ("log likelihood", "energy"):
                set_to(chain, where, np.full(DRAWS, value))
        diagnostics = diagnose(chains, [np.full_like(theta, value) for theta in thetas])
        assert (diagnostics["function"]["r_hat"], diagnostics["verdict"]) == (None, "not converged")
        json.dumps(diagnostics, allow_nan=False)


@pytest.mark.parametrize("size", [1, 7, 200, 201, 399, 599, 266_610])
def test_monitored_weights_lie_evenly_over_theta(size):
    entries = monitored_entries(size)
    assert (len(entries), entries[0], entries[-1]) == (min(size, 200), 0, size - 1)
    gaps = np.diff(entries)
    assert size == 1 or 1 <= gaps.min() <= gaps.max() <= gaps.min() + 1
