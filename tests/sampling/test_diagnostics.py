"""The verdict over chains, against ArviZ called directly."""

import json

import arviz
import numpy as np
import pytest

from tfticket.sampling.chain import Chain
from tfticket.sampling.diagnostics import diagnose
from tfticket.sampling.warmup import Adaptation

WARMUP, DRAWS, SIZE = 20, 600, 30


def chains_of(random, count=4, draws=DRAWS, shift=None, correlation=0.0):
    """Chains whose log likelihoods and logits are independent draws, and their thetas."""
    found, thetas = [], []
    for number in range(count):
        adaptation = Adaptation.begin(WARMUP, SIZE, 0.8)
        adaptation.done = WARMUP

        def series(*shape, about=number):
            """Normal, with a shift by chain; the warm-up's are far away."""
            values = random.normal(size=(WARMUP + draws, *shape))
            for row in range(1, len(values)):
                values[row] = correlation * values[row - 1] + np.sqrt(1 - correlation**2) * values[row]
            values[:WARMUP] += 1e6
            return values + (0.0 if shift is None else shift[about])

        total = WARMUP + draws
        told = {
            "log_density": series().tolist(),
            "log_likelihood": series().tolist(),
            "energy": series().tolist(),
            "diverging": [1.0] * WARMUP + [0.0] * draws,
            "reached_max_treedepth": [1.0] * WARMUP + [0.0] * draws,
            "n_steps": [3.0] * total,
            "seconds": [0.25] * total,
        }
        probes = list(series(6)[WARMUP:].astype(np.float32))
        found.append(Chain(adaptation, done=total, sample_stats=told, probes=probes, kept=draws))
        thetas.append(random.normal(size=(draws, SIZE)).astype(np.float32))
    return found, thetas


def reasons(chains, thetas):
    found = diagnose(chains, thetas)
    assert found["verdict"] == ("not converged" if found["reasons"] else "converged")
    assert found["caution"] == "Agreement in function space does not prove convergence in weight space."
    return found["reasons"]


@pytest.fixture
def good():
    return chains_of(np.random.default_rng(0))


def test_chains_that_agree_have_converged(good):
    assert reasons(*good) == []


def test_the_figures_are_arvizs_over_the_draws_after_the_warm_up(good):
    chains, thetas = good
    found = diagnose(chains, thetas)
    after = {
        name: np.array([chain.sample_stats[name][WARMUP:] for chain in chains]) for name in ("log_likelihood", "energy")
    }
    probes = np.array([chain.probes for chain in chains], float)
    r_hats = [float(arviz.rhat(after["log_likelihood"], method="rank"))]
    bulk = [float(arviz.ess(after["log_likelihood"], method="bulk"))]
    tail = [float(arviz.ess(after["log_likelihood"], method="tail"))]
    for logit in range(probes.shape[-1]):
        r_hats.append(float(arviz.rhat(probes[..., logit], method="rank")))
        bulk.append(float(arviz.ess(probes[..., logit], method="bulk")))
        tail.append(float(arviz.ess(probes[..., logit], method="tail")))
    function = found["function"]
    assert function["r_hat"] == pytest.approx(max(r_hats))
    assert function["ess_bulk"] == pytest.approx(min(bulk))
    assert function["ess_tail"] == pytest.approx(min(tail))
    weights = np.stack(thetas).astype(float)
    worst = max(float(arviz.rhat(weights[..., number], method="rank")) for number in range(SIZE))
    assert found["weights"]["r_hat"] == pytest.approx(worst)
    np.testing.assert_allclose(found["e_bfmi"], arviz.bfmi(after["energy"]))
    assert found["chains"] == 4
    assert found["draws"] == [DRAWS] * 4
    assert found["divergences"] == 0
    assert found["capped"] == 0.0
    assert found["gradients"] == 4 * 3 * (WARMUP + DRAWS)
    assert found["seconds"] == pytest.approx(4 * 0.25 * (WARMUP + DRAWS))


def test_chains_apart_have_not_converged():
    chains, thetas = chains_of(np.random.default_rng(0), shift=[0, 0, 0, 1.0])
    assert any("R-hat" in reason and "function space" in reason for reason in reasons(chains, thetas))


def test_weights_apart_do_not_count_against_chains_that_agree_on_the_function(good):
    chains, thetas = good
    found = diagnose(chains, [theta + 10 * number for number, theta in enumerate(thetas)])
    assert found["weights"]["r_hat"] > 2
    assert found["verdict"] == "converged"


def test_few_effective_draws_are_too_few():
    chains, thetas = chains_of(np.random.default_rng(0), draws=60)
    assert any("effective draws in function space, under 400" in reason for reason in reasons(chains, thetas))


def test_a_single_chain_cannot_show_agreement():
    chains, thetas = chains_of(np.random.default_rng(0), count=1, draws=2000)
    assert any("a single chain" in reason for reason in reasons(chains, thetas))


def test_one_divergence_after_the_warm_up_is_one_too_many(good):
    chains, thetas = good
    chains[2].sample_stats["diverging"][WARMUP + 5] = 1.0
    assert reasons(chains, thetas) == ["1 divergence"]
    chains[0].sample_stats["diverging"][WARMUP] = 1.0
    assert reasons(chains, thetas) == ["2 divergences"]


def test_a_logit_that_is_the_same_in_all_draws_is_counted_apart(good):
    chains, thetas = good
    expected = diagnose(chains, thetas)["function"]
    for chain in chains:
        chain.probes = [np.append(row, np.float32(-3.0)) for row in chain.probes]
    found = diagnose(chains, thetas)
    assert found["function"] == expected | {"constant": 1}
    assert found["verdict"] == "converged"


def test_a_logit_that_stands_still_elsewhere_in_each_chain_counts(good):
    chains, thetas = good
    for number, chain in enumerate(chains):
        chain.probes = [np.append(row, np.float32(number)) for row in chain.probes]
    assert any(reason.startswith("R-hat ") for reason in reasons(chains, thetas))


@pytest.mark.parametrize(("share", "converged"), [(0.04, True), (0.06, False)])
def test_trees_at_the_cap_count_from_five_in_a_hundred(good, share, converged):
    chains, thetas = good
    for chain in chains:
        for draw in range(int(share * DRAWS)):
            chain.sample_stats["reached_max_treedepth"][WARMUP + draw] = 1.0
    found = reasons(chains, thetas)
    assert found == [] if converged else any("of the trees reached the cap" in reason for reason in found)


def test_energies_that_hardly_move_count(good):
    chains, thetas = good
    chains[1].sample_stats["energy"] = np.cumsum(np.random.default_rng(1).normal(size=WARMUP + DRAWS)).tolist()
    assert any("E-BFMI" in reason for reason in reasons(chains, thetas))


@pytest.mark.parametrize("draws", [1, 3, 7])
def test_too_few_draws_for_any_estimate_have_not_converged(draws):
    chains, thetas = chains_of(np.random.default_rng(0), draws=draws)
    assert reasons(chains, thetas)


def test_chains_of_different_lengths_are_compared_over_the_shortest(good):
    chains, thetas = good
    longer, more = chains_of(np.random.default_rng(1), count=1, draws=DRAWS + 50)
    found = diagnose([*chains[:3], *longer], [*thetas[:3], *more])
    assert found["draws"] == [DRAWS] * 3 + [DRAWS + 50]
    assert found["verdict"] == "converged"


def test_chains_that_stand_still_have_not_converged(good):
    chains, thetas = good
    for chain in chains:
        chain.sample_stats["log_likelihood"] = [-5.0] * (WARMUP + DRAWS)
        chain.sample_stats["energy"] = [5.0] * (WARMUP + DRAWS)
        chain.probes = [np.zeros(6, np.float32)] * DRAWS
    assert reasons(chains, [np.zeros_like(theta) for theta in thetas])


@pytest.mark.parametrize("where", ["log likelihood", "probe logits", "energy", "weights"])
@pytest.mark.parametrize(
    ("value", "draws"),
    [(np.nan, slice(None)), (np.nan, slice(-1, None)), (-np.inf, slice(None)), (np.inf, slice(0, 1))],
)
def test_what_is_infinite_or_undefined_has_not_converged_and_is_named(good, where, value, draws):
    chains, thetas = good
    if where == "weights":
        thetas[1][draws, 3] = value
    elif where == "probe logits":
        chains[1].probes = list(np.array(chains[1].probes))
        for row in chains[1].probes[draws]:
            row[2] = value
    else:
        series = np.array(chains[1].sample_stats[where.replace(" ", "_")])
        series[WARMUP:][draws] = value
        chains[1].sample_stats[where.replace(" ", "_")] = series.tolist()
    found = reasons(chains, thetas)
    count = DRAWS if draws == slice(None) else 1
    assert any(reason.startswith(where) and f"in {count:,} of 2,400 draws" in reason for reason in found), found


def test_what_is_undefined_in_the_warm_up_alone_does_not_count(good):
    chains, thetas = good
    chains[1].sample_stats["energy"][0] = chains[0].sample_stats["log_likelihood"][3] = float("nan")
    assert reasons(chains, thetas) == []


def test_an_undefined_divergence_counts_as_one(good):
    chains, thetas = good
    chains[1].sample_stats["diverging"][-1] = chains[1].sample_stats["reached_max_treedepth"][-1] = float("nan")
    assert reasons(chains, thetas) == ["1 divergence"]


def copies(reasons):
    return [reason for reason in reasons if "copies" in reason or "not independent" in reason]


def test_copies_of_one_chain_have_not_converged(good):
    chains, thetas = good
    assert len(copies(reasons([chains[0]] * 4, [thetas[0]] * 4))) == 6
    assert copies(reasons([*chains[:3], chains[1]], [*thetas[:3], thetas[1]])) == [
        "chains 1 and 3 share 100% of their draws: copies, or the same seed twice"
    ]


@pytest.mark.parametrize("alter", [lambda x: x[7:], lambda x: x[:-50], lambda x: x[::-1], lambda x: x[: DRAWS // 2]])
def test_a_chain_that_is_another_shifted_cut_or_reversed_is_a_copy(good, alter):
    chains, thetas = good
    told = {name: values[:WARMUP] + alter(values[WARMUP:]) for name, values in chains[0].sample_stats.items()}
    length = len(told["energy"]) - WARMUP
    chains[3] = Chain(chains[0].adaptation, WARMUP + length, told, probes=alter(chains[0].probes), kept=length)
    assert copies(reasons(chains, [*thetas[:3], alter(thetas[0])])) == [
        "chains 0 and 3 share 100% of their draws: copies, or the same seed twice"
    ]


@pytest.mark.parametrize("factor", [1.0, -1.0, 3.0])
@pytest.mark.parametrize("where", ["log likelihood", "probe logits", "weights"])
def test_chains_that_are_perfectly_correlated_are_not_independent(good, factor, where):
    chains, thetas = good
    if where == "log likelihood":
        chains[2].sample_stats["log_likelihood"] = [
            0.5 + factor * value for value in chains[0].sample_stats["log_likelihood"]
        ]
    elif where == "probe logits":
        chains[2].probes = [0.5 + factor * row for row in chains[0].probes]
    else:
        thetas[2] = 0.5 + factor * thetas[0]
    assert copies(reasons(chains, thetas)) == [f"chains 0 and 2 are not independent: {where} perfectly correlated"]


def test_chains_that_drift_alike_are_not_called_copies():
    chains, thetas = chains_of(np.random.default_rng(0), correlation=0.99)
    assert copies(reasons(chains, thetas)) == []


@pytest.mark.parametrize("count", [2, 3])
def test_fewer_than_four_chains_have_not_converged(count):
    chains, thetas = chains_of(np.random.default_rng(0), count=count, draws=2000)
    assert reasons(chains, thetas) == [f"{count} chains, not 4 at least"]


def test_a_chain_without_an_accepted_draw_is_named(good):
    chains, thetas = good
    chains[2].sample_stats["log_likelihood"] = [-5.0] * (WARMUP + DRAWS)
    chains[2].probes, thetas[2] = [chains[2].probes[0]] * DRAWS, np.repeat(thetas[2][:1], DRAWS, axis=0)
    assert "chain 2 stands still: all its draws are the same" in reasons(chains, thetas)


def test_logits_that_never_change_are_no_evidence_of_convergence(good):
    chains, thetas = good
    for chain in chains:
        chain.probes = [np.zeros(6, np.float32)] * DRAWS
    found = diagnose(chains, thetas)
    assert found["reasons"] == ["probe logits the same in all draws of each chain"]
    assert found["function"]["constant"] == 6


def test_what_is_found_is_json_whatever_happened(good):
    chains, thetas = good
    for chain in chains:
        chain.probes = [np.full(6, np.nan, np.float32)] * DRAWS
        chain.sample_stats["log_likelihood"] = chain.sample_stats["energy"] = [float("inf")] * (WARMUP + DRAWS)
    found = diagnose(chains, [np.full_like(theta, np.nan) for theta in thetas])
    assert found["function"]["r_hat"] is None
    json.dumps(found, allow_nan=False)
    assert diagnose(*chains_of(np.random.default_rng(0), draws=0))["verdict"] == "not converged"
