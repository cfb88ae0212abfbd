"""Preconditions of verdicts: whether trainings still rise, chains have converged, and paper A's budget."""

from dataclasses import replace

import numpy as np
import pytest

from tfticket.arms import Arm
from tfticket.reports.claims import paper_b
from tfticket.reports.claims.decision import decide
from tfticket.reports.claims.paper_a import A1, A4, A5, A6, A7, A8
from tfticket.reports.claims.papers import claims_of
from tfticket.reports.extra_metrics import rise_of, settled_at
from tfticket.reports.rows import Row

SEEDS = range(5)
SVI = {"own_means": 1.0, "members": 50.0, "at_bound": 0.0}
ACCURACY = {"ticket": 0.9, "reinitialise": 0.8, "nuts": 0.91, "svi": 0.88, "svi-tuned": 0.9}


def row(arm, seed, level=1, **changes):
    metrics = {"accuracy": ACCURACY[arm] + 0.001 * seed + 1e-6 * seed * (arm == "ticket")}
    extra_metrics = {"prior_start": 1.0} if arm == "nuts" else {"rise": 0.0, "epochs": 50.0}
    extra_metrics |= SVI if arm.startswith("svi") else {}
    fields = {
        "extra_metrics": extra_metrics,
        "network": "lenet-300-100",
        "convergence_problems": () if arm == "nuts" else None,
        "data_set": "mnist",
    }
    data, parsed = "MNIST, 55,000 training rows", Arm.parse(arm)
    return replace(Row("r", parsed, parsed.name, seed, level, 0.01, data, metrics, metrics, **fields), **changes)


def rows(arms=tuple(ACCURACY), **changes):
    """Five seeds of each arm; changes are of all rows, or by arm."""
    own = {arm: changes.pop(arm, {}) for arm in [name for name in changes if name in ACCURACY]}
    found = []
    for arm in arms:
        for seed in SEEDS:
            one = row(arm, seed, **changes)
            extra = dict(own.get(arm, {}))
            extra_metrics = {
                name: value
                for name, value in (one.extra_metrics | extra.pop("extra_metrics", {})).items()
                if value is not None
            }
            found.append(replace(one, extra_metrics=extra_metrics, **extra))
    return found


def reasons(some):
    return {one.claim: one.reasons for one in claims_of(some)}


def with_metrics(arm, **metrics):
    return rows(**{arm: {"extra_metrics": metrics}})


def test_within_the_papers_scope_and_budget_nothing_is_withheld():
    found = reasons(rows())
    assert set(found) == {A1, A4, A5, paper_b.B5, A6, A7}
    assert not any(found.values())
    assert all(one.verdict != "withheld" for one in decide(claims_of(rows())))


# Trainings that still rise


def history(accuracies, every=100):
    return [{"iteration": every * number, "accuracy": value} for number, value in enumerate(accuracies, start=1)]


def test_the_rise_is_the_slope_over_the_last_quarter():
    assert rise_of(history(np.linspace(0.1, 0.5, 41)[1:])) == pytest.approx(0.1)
    assert rise_of(history([0.1 * number for number in range(1, 31)] + [3.0] * 10)) == pytest.approx(0.0)
    assert rise_of(history([0.9, 0.8, 0.7, 0.6])) == pytest.approx(-0.1)


def test_a_step_of_the_schedule_before_the_last_quarter_does_not_count():
    assert rise_of(history([0.5] * 30 + [0.9] * 10)) == pytest.approx(0.0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_of_few_evaluations_nothing_is_known(count):
    assert rise_of(history([0.5] * count)) is None
    assert settled_at(history([0.5] * count)) is None


def test_evaluations_need_not_be_equally_far_apart():
    some = [{"iteration": at, "accuracy": 0.1 + 0.001 * at} for at in (1, 5, 50, 80, 90, 100)]
    assert rise_of(some) == pytest.approx(0.025)


def test_learnt_is_where_the_accuracy_reaches_97_per_cent_of_its_own_plateau():
    assert settled_at(history([0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])) == pytest.approx(294)
    assert settled_at(history([0.99, 1.0, 1.0, 1.0])) == 100
    low = settled_at(history([0.0, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]))
    assert low == pytest.approx(294)  # the own plateau, however low it lies


@pytest.mark.parametrize(
    ("rise", "rises"), [(0.0, False), (-0.1, False), (0.0024, False), (0.0026, True), (0.08, True)]
)
def test_where_trainings_still_rise_claims_about_them_are_withheld(rise, rises):
    found = reasons(with_metrics("reinitialise", rise=rise))
    said = f"trainings still rise: {100 * rise:.2g} points in the last quarter of re-initialised at 1 %"
    assert found[A5] == found[A4] == ([said] if rises else [])
    assert found[A1] == []  # which is not about them


@pytest.mark.parametrize("rise", [np.nan, np.inf, -np.inf])
def test_a_rise_that_is_not_finite_withholds(rise):
    some = rows()
    some[2].extra_metrics["rise"] = rise  # of one seed
    reason = "whether trainings still rise is not known: the validation accuracy of IMP ticket at 1 % is not finite"
    assert reasons(some)[A5] == [reason]


@pytest.mark.parametrize(
    ("rises", "said"),
    [
        ([0.02, -0.015, 0.005, -0.01, 0.01], []),
        ([0.06, 0.0, 0.04, 0.0, 0.0], ["trainings still rise: 2 points in the last quarter of IMP ticket at 1 %"]),
    ],
)
def test_a_rise_counts_however_seeds_scatter_about_it(rises, said):
    noisy = rows()
    for number, rise in enumerate(rises):
        one = next(one for one in noisy if (one.arm.key, one.seed) == ("ticket", number))
        one.extra_metrics["rise"] = rise
    assert reasons(noisy)[A5] == said


def test_a_rise_that_was_not_recorded_withholds():
    said = "whether trainings still rise is not recorded: fewer than 4 evaluations of IMP ticket at 1 %"
    assert reasons(with_metrics("ticket", rise=None))[A5] == [said]
    one_missing = rows()
    del one_missing[2].extra_metrics["rise"]
    assert reasons(one_missing)[A5] == [said]


def test_the_steepest_of_several_rising_arms_is_named():
    some = rows(ticket={"extra_metrics": {"rise": 0.01}}, reinitialise={"extra_metrics": {"rise": 0.02}})
    said = "trainings still rise: 2 points in the last quarter of re-initialised at 1 %, and 1 more"
    assert reasons(some)[A5] == [said]


# Chains


@pytest.mark.parametrize("claim", [A1, A4])
def test_chains_that_have_not_converged_decide_nothing(claim):
    convergence_problems = (
        "R-hat 1.61 in function space, above 1.01",
        "7 effective draws in function space, under 400",
    )
    some = rows(nuts={"convergence_problems": convergence_problems})
    assert reasons(some)[claim] == ["chains not converged: R-hat 1.61 in function space, above 1.01 (of 5 of 5 seeds)"]
    one = [
        replace(each, convergence_problems=()) if each.arm.key == "nuts" and each.seed != 3 else each for each in some
    ]
    assert reasons(one)[claim] == ["chains not converged: R-hat 1.61 in function space, above 1.01 (of 1 of 5 seeds)"]
    assert reasons(some)[A5] == []


def test_chains_that_are_not_recorded_decide_nothing():
    assert "whether chains have converged is not recorded" in reasons(rows(nuts={"convergence_problems": None}))[A1]


def test_chains_that_begin_at_the_tickets_start_do_not_show_that_none_is_needed():
    some = with_metrics("nuts", prior_start=0.0)
    assert reasons(some)[A1] == ["chains begin at the ticket's start; the claim is about chains that need none"]


# Paper A's networks, densities and budget


@pytest.mark.parametrize(
    ("data_set", "network", "epochs", "said"),
    [
        ("mnist", "lenet-300-100", 10.0, ["10 of the paper's 50 epochs"]),
        ("mnist", "lenet-300-100", 49.9, []),
        ("cifar-10", "lenet-300-100", 50.0, ["50 of the paper's 100 epochs"]),
        ("cifar-10-jpeg", "lenet-300-100", 100.0, []),
        ("mnist", "lenet-5", None, ["epochs not recorded; the paper has 50"]),
    ],
)
def test_the_ticket_is_trained_as_long_as_the_papers(data_set, network, epochs, said):
    some = rows(("ticket", "nuts"), data_set=data_set, network=network, ticket={"extra_metrics": {"epochs": epochs}})
    assert reasons(some)[A1] == said


@pytest.mark.parametrize("data_set", ["fashion-mnist", "mnist-c", "cifar-100", ""])
def test_on_other_data_no_claim_is_decided(data_set):
    found = reasons(rows(data_set=data_set, data="digits, 1,000 training rows"))
    said = "outside the paper's scope: here digits, 1,000 training rows; the claim is about MNIST and CIFAR-10"
    assert {claim: said in why for claim, why in found.items()} == dict.fromkeys(found, True)


def test_the_claims_about_lenet_5_are_about_mnist():
    some = rows(network="lenet-5", data_set="cifar-10", data="CIFAR-10, 45,000 training rows")
    for one in some:
        one.extra_metrics["epochs"] = 100.0
    found = reasons(some)
    said = ["outside the paper's scope: here CIFAR-10, 45,000 training rows; the claim is about MNIST"]
    assert [found[claim] for claim in (A1, A4, A8)] == [said] * 3
    assert found[A5] == []


def test_tuned_inference_needs_the_papers_budget_means_and_population():
    assert reasons(with_metrics("svi-tuned", epochs=10.0))[A6] == ["10 of the paper's 50 epochs"]
    assert reasons(with_metrics("svi-tuned", members=8.0))[A6] == ["8 members of the population; the paper has 50"]
    means = ["means do not begin as the gradient-trained network's, on the mask alone (means: own, carried: mask)"]
    for value in (0.0, None):
        assert reasons(with_metrics("svi", own_means=value))[A7] == means
    assert reasons(with_metrics("svi-tuned", at_bound=0.63))[A6] == [
        "deviations at the optimiser's bound: 63 % of SVI, tuned at 1 %"
    ]


@pytest.mark.parametrize(
    ("network", "claim", "outside"),
    [("lenet-300-100", A6, False), ("lenet-5", A8, False), ("resnet-18", A8, False), ("conv-2", A6, True)],
)
def test_inference_is_claimed_to_match_or_beat_by_the_network(network, claim, outside):
    is_resnet = network == "resnet-18"
    some = rows(network=network, density=0.08 if is_resnet else 0.01, data_set="cifar-10" if is_resnet else "mnist")
    for one in some:
        one.extra_metrics["epochs"] = 200.0
    found = reasons(some)
    assert set(found) & {A6, A8} == {claim}
    assert bool(found[claim]) == outside
    assert reasons(rows(network="conv-2"))[A1] == [
        "outside the paper's scope: here conv-2; the claim is about LeNet-300-100 and LeNet-5"
    ]


def test_the_claim_of_the_highest_sparsity_is_not_decided_at_a_lower_one():
    found = reasons(rows(density=0.1))
    assert found[A1] == found[A4] == found[A6] == ["the run stops at 10 % of the weights; the claim is about 1 %"]
