"""Which rows decide the claims about variational networks."""

from dataclasses import replace

import numpy as np
import pytest

from tfticket.arms import Arm
from tfticket.reports.claims import paper_a, paper_b
from tfticket.reports.claims.decision import decide
from tfticket.reports.claims.papers import claims_of
from tfticket.reports.rows import Row
from tfticket.reports.tables.claims_table import claims_table

SEEDS = range(5)
ACCURACY = {
    "ticket": 0.70,
    "bayesian-snr": 0.71,
    "bayesian-mu": 0.705,
    "bayesian-square": 0.60,
    "bayesian-snr-lrr": 0.73,
    "deterministic-magnitude-lrr": 0.72,
    "transplant-start": 0.708,
    "bayesian-snr reinitialise": 0.65,
}
LEVELS = {0: 1.0, 1: 0.5, 2: 0.1, 3: 0.02}


def row(arm, seed, level, network):
    accuracy = ACCURACY[arm] - 0.01 * level + 1e-3 * seed + 1e-9 * seed * (arm == "bayesian-snr")
    test = {"accuracy": accuracy, "mace": 0.1 - 0.02 * level + 1e-4 * seed}
    extra_metrics = {"seconds": 6.0 + 0.1 * seed if arm.startswith("bayesian") else 1.0, "rise": 0.0}
    if arm.startswith(("bayesian", "transplant")):
        extra_metrics |= {"at_bound": 0.02, "draws": 10.0}
    if level:
        extra_metrics["layers"] = 21.0
        extra_metrics["depth"] = 0.8 if arm.startswith("bayesian") else 0.5 + 0.01 * seed
    fields = {"network": network, "data_set": "cifar-10", "extra_metrics": extra_metrics}
    arm = Arm.parse(arm)
    return Row("r", arm, arm.name, seed, level, LEVELS[level], "d", test, test, **fields)


def rows(network="resnet-20", arms=tuple(ACCURACY)):
    trunks = [arm for arm in arms if arm.startswith(("ticket", "bayesian", "deterministic")) and " " not in arm]
    return [
        row(arm, seed, level, network) for arm in arms for seed in SEEDS for level in LEVELS if level or arm in trunks
    ]


def claims(some):
    return {one.claim: one for one in claims_of(some)}


def test_every_claim_is_about_its_arms():
    found = claims(rows())
    expected = {
        paper_b.B1: (2, -0.02, "reaches"),  # levels of 50 % and 10 %, not that of 2 %
        paper_b.B2A: (4, -0.0075, "matches"),
        paper_b.B2B: (2, 0.1075, "beats"),
        paper_b.B3_FALLS: (1, 0.06, "beats"),
        paper_b.B4A: (2, 0.66, "beats"),
        paper_b.B4B: (1, 0.28, "beats"),
        paper_b.B8: (3, -0.002, "matches"),
        paper_b.B9: (1, 1.2, "matches"),
        paper_b.B10: (2, 0.02, "reaches"),
    }
    for claim, (members, mean, kind) in expected.items():
        one = found[claim]
        assert one.kind == kind
        assert len(one.differences) == members
        assert all(len(values) == len(SEEDS) for values in one.differences.values())
        if claim != paper_b.B1:
            assert np.mean([np.mean(values) for values in one.differences.values()]) == pytest.approx(mean, abs=1e-6)
    assert paper_b.B3_FLAT not in found


def test_each_claim_is_told_in_its_own_unit():
    told = {row[0]: (row[1], row[3]) for row in claims_table(decide(list(claims(rows()).values())))[1]}
    assert told["B9"] == ("within ±2 times", "+1.20 ± 0.20 times")
    assert told["B4b"] == ("above 0", "+0.28 ± 0.02 rho")
    assert told["B10"] == ("all 2 above -0.5", "+2.00 ± 0.00")


def test_calibration_is_told_of_the_dense_network_and_the_sparsest_ticket():
    assert list(claims(rows())[paper_b.B3_FALLS].differences) == ["its dense network - Bayesian, SNR at 2 %"]


def test_b1_is_each_level_against_its_own_dense_network():
    differences = claims(rows())[paper_b.B1].differences
    assert {label: round(float(np.mean(values)), 6) for label, values in differences.items()} == {
        "Bayesian, SNR - its dense network at 50 %": -0.01,
        "Bayesian, SNR - its dense network at 10 %": -0.02,
    }


def test_calibration_is_claimed_flat_of_a_vgg_and_of_other_networks_nothing_is_decided():
    flat = claims(rows("vgg-11"))
    assert flat[paper_b.B3_FLAT].kind == "matches"
    assert paper_b.B3_FALLS not in flat
    assert claims(rows("lenet-300-100"))[paper_b.B3_FALLS].reasons == [
        "outside the paper's scope: here lenet-300-100; the claim is about ResNets and ViTs"
    ]


def test_what_is_not_there_is_not_claimed():
    assert not set(claims(rows(arms=("ticket",))))
    alone = claims(rows(arms=("bayesian-snr", "ticket")))
    assert {paper_b.B1, paper_b.B9} <= set(alone)
    assert not {paper_b.B2B, paper_b.B8, paper_b.B10} & set(alone)
    without = [replace(one, extra_metrics={}) for one in rows()]
    assert not {paper_b.B4A, paper_b.B4B, paper_b.B9} & set(claims(without))


@pytest.mark.parametrize(
    ("network", "arms", "claim", "member"),
    [
        ("resnet-20", ("bayesian-mu", "bayesian-square"), paper_b.B2B, "Bayesian, abs(mu) - Bayesian, square at 2 %"),
        ("vit-tiny", ("transplant-start",), paper_b.B8_SHORT, "IMP ticket - transplanted at 2 %"),
        (
            "vgg-11",
            ("deterministic-magnitude-lrr",),
            paper_b.B10,
            "magnitude, rate rewound - IMP ticket at 2 %",
        ),
    ],
)
def test_what_needs_no_tickets_by_signal_to_noise_ratio_is_claimed_without_them(network, arms, claim, member):
    found = claims(rows(network, ("ticket", *arms)))
    assert set(found) == {claim}
    assert member in found[claim].differences


def test_a_pair_of_arms_is_compared_at_its_own_last_level():
    stopped = [one for one in rows() if (one.arm.key, one.level) not in (("bayesian-snr", 3), ("bayesian-snr-lrr", 3))]
    found = claims(stopped)
    assert [label[-4:] for label in found[paper_b.B10].differences] == ["10 %", " 2 %"]
    assert [label[-4:] for label in found[paper_b.B2B].differences] == ["10 %", " 2 %"]


def test_a_trunks_controls_are_no_controls_of_the_deterministic_ticket():
    assert Arm.parse("bayesian-snr reinitialise").name == "Bayesian, SNR, re-initialised"
    assert Arm.parse("bayesian-snr-lrr").name == "Bayesian, SNR, rate rewound"
    with_controls, without = (claims(rows(arms=arms)) for arms in (tuple(ACCURACY), tuple(ACCURACY)[:-1]))
    assert set(with_controls) == {*without, paper_b.B5}


def test_the_controls_of_every_way_of_pruning_are_below_their_own_tickets():
    found = claims(rows())
    assert {label: round(float(np.mean(values)), 6) for label, values in found[paper_b.B5].differences.items()} == {
        f"Bayesian, SNR, re-initialised at {100 * LEVELS[level]:.1f} %": 0.06 for level in (1, 2, 3)
    }
    assert paper_a.A5 not in found  # which is of the deterministic ticket


def test_shuffles_are_compared_within_their_own_way_of_pruning(monkeypatch):
    accuracies = {"reinitialise": 0.65, "shuffle-layerwise": 0.64, "shuffle-even": 0.5, "shuffle-global": 0.4}
    all_four = {f"{trunk}{name}": value for trunk in ("", "bayesian-snr ") for name, value in accuracies.items()}
    monkeypatch.setattr(f"{__name__}.ACCURACY", ACCURACY | all_four)
    found = claims(rows(arms=("ticket", "bayesian-snr", *all_four)))
    assert len(found[paper_b.B6A].differences) == 8
    behind = {round(float(np.mean(values)), 6) for values in found[paper_b.B6A].differences.values()}
    assert behind == {0.15, 0.14, 0.25, 0.24}
    close = {label: round(float(np.mean(values)), 6) for label, values in found[paper_b.B6B].differences.items()}
    assert close == {
        "re-initialised at 2.0 %": 0.05,
        "shuffled layerwise at 2.0 %": 0.06,
        "Bayesian, SNR, re-initialised at 2.0 %": 0.06,
        "Bayesian, SNR, shuffled layerwise at 2.0 %": 0.07,
    }
    assert found[paper_b.B6B].reasons == []
    for network in ("vit-tiny", "lenet-300-100", "my_package.my_module:build"):
        elsewhere = claims(rows(network, arms=("ticket", "bayesian-snr", *all_four)))[paper_b.B6B]
        (reason,) = elsewhere.reasons
        assert reason == f"outside the paper's scope: here {network}; the claim is about ResNets and VGGs"
        assert elsewhere.differences == found[paper_b.B6B].differences


def test_of_vits_transplants_are_claimed_to_fall_short_of_deterministic_tickets():
    found = claims(rows("vit-tiny"))
    assert paper_b.B8 not in found
    short = found[paper_b.B8_SHORT]
    assert short.kind == "beats"
    assert np.mean(list(short.differences.values())) == pytest.approx(-0.008)


def test_the_draws_stand_beside_the_times():
    with_draws = [replace(one, extra_metrics=one.extra_metrics | {"draws": 10.0}) for one in rows()]
    (label,) = claims(with_draws)[paper_b.B9].differences
    assert label == "Bayesian (10 draws) / deterministic - 5"


def test_every_claim_of_a_run_within_scope_and_budget_is_tested(monkeypatch):
    monkeypatch.setattr(f"{__name__}.LEVELS", {0: 1.0, 1: 0.1, 2: 0.05, 3: 0.02})
    assert {name: one.reasons for name, one in claims(rows()).items() if one.reasons} == {}
    assert {one.verdict for one in decide(list(claims(rows()).values()))} <= {"holds", "contradicted", "not decided"}


def test_transplants_are_claimed_of_resnets_vggs_and_vits_alone():
    assert claims(rows("vgg-19"))[paper_b.B8].reasons == []
    assert claims(rows("vit-base"))[paper_b.B8_SHORT].reasons == []
    assert claims(rows("lenet-5"))[paper_b.B8].reasons == [
        "outside the paper's scope: here lenet-5; the claim is about ResNets and VGGs"
    ]


@pytest.mark.parametrize(
    ("levels", "b1", "b2a", "b10"),
    [
        ({0: 1.0, 1: 0.64}, "the run stops at 64 % of the weights; the claim is about 10 %", "64 %", "64 %"),
        ({0: 1.0, 1: 0.5, 2: 0.13}, "the run stops at 13 % of the weights; the claim is about 10 %", "13 %", "13 %"),
        ({0: 1.0, 1: 0.5, 2: 0.125}, "", "12.5 %", "12.5 %"),
        ({0: 1.0, 1: 0.107, 2: 0.055}, "", "", "5.5 %"),
        ({0: 1.0, 1: 0.1, 2: 0.0625, 3: 0.0249}, "", "", ""),
        ({0: 1.0, 1: 0.0999999, 2: 0.04999999, 3: 0.02}, "", "", ""),
    ],
)
def test_a_claim_down_to_a_density_needs_a_level_near_it(monkeypatch, levels, b1, b2a, b10):
    monkeypatch.setattr(f"{__name__}.LEVELS", levels)
    found = claims(rows())
    assert found[paper_b.B1].reasons == ([b1] if b1 else [])
    for claim, stops, about in (
        (paper_b.B2A, b2a, "5 %"),
        (paper_b.B10, b10, "2 %"),
        (paper_b.B3_FALLS, b10, "2 %"),
    ):
        said = f"the run stops at {stops} of the weights; the claim is about {about}"
        assert found[claim].reasons == ([said] if stops else [])


def test_a_run_whose_levels_leap_over_a_density_does_not_reach_it(monkeypatch):
    monkeypatch.setattr(f"{__name__}.LEVELS", {0: 1.0, 1: 0.64, 2: 0.02})
    b1 = claims(rows())[paper_b.B1]
    assert b1.reasons == ["the sparsest comparison is at 64 % of the weights; the claim is about 10 %"]
    monkeypatch.setattr(f"{__name__}.LEVELS", {0: 1.0, 1: 0.02})
    b1 = claims(rows())[paper_b.B1]
    assert list(b1.differences) == ["Bayesian, SNR - its dense network at 2 %"]


def test_scores_are_compared_down_to_a_twentieth_of_the_weights():
    labels = claims(rows())[paper_b.B2A].differences
    assert {label.rpartition(" at ")[2] for label in labels} == {"50 %", "10 %"}


@pytest.mark.parametrize(
    ("draws", "said"), [(2.0, "2 draws"), (1.0, "1 draw"), (11.0, "11 draws"), (None, "draws not recorded")]
)
def test_times_are_claimed_of_ten_draws(draws, said):
    change = {} if draws is None else {"draws": draws}
    some = [
        replace(
            one, extra_metrics={name: value for name, value in one.extra_metrics.items() if name != "draws"} | change
        )
        if one.arm.key.startswith("bayesian")
        else one
        for one in rows()
    ]
    found = claims(some)[paper_b.B9]
    assert found.reasons == [f"{said}; the claim is about ten"]
    assert decide([found])[0].difference.mean == pytest.approx(1.2)


@pytest.mark.parametrize("layers", [2.0, 4.0])
def test_of_few_layers_ranks_are_shown_and_decide_nothing(layers):
    some = [
        replace(one, extra_metrics=one.extra_metrics | ({"layers": layers} if one.level else {}))
        for one in rows("lenet-300-100")
    ]
    found = claims(some)
    for claim in (paper_b.B4A, paper_b.B4B):
        assert f"too few layers: {layers:.0f} of lenet-300-100 may be pruned; 5 needed" in found[claim].reasons
        assert found[claim].differences


@pytest.mark.parametrize(
    ("share", "said"), [(0.1, None), (0.11, "11 %"), (0.63, "63 %"), (1.0, "100 %"), (None, "not recorded")]
)
def test_where_deviations_end_at_the_optimisers_bound_claims_are_withheld(share, said):
    some = []
    for one in rows():
        extra_metrics = {name: value for name, value in one.extra_metrics.items() if name != "at_bound"}
        if one.arm.key == "bayesian-snr" and one.level == 2:
            extra_metrics |= {} if share is None else {"at_bound": share}
        elif "at_bound" in one.extra_metrics:
            extra_metrics["at_bound"] = 0.0
        some.append(replace(one, extra_metrics=extra_metrics))
    found = claims(some)
    reasons = found[paper_b.B1].reasons
    assert [said in reason for reason in reasons] == ([True] if said else [])
    assert all(reason.startswith("deviations at the optimiser's bound: ") for reason in reasons)
    assert found[paper_b.B10].reasons == []  # of another level
    assert found[paper_b.B9].reasons == []


def test_of_deterministic_networks_no_deviations_are_asked_for():
    some = [replace(one, extra_metrics={"rise": 0.0}) for one in rows(arms=("ticket", "deterministic-magnitude-lrr"))]
    assert claims(some)[paper_b.B10].reasons == []


def test_the_scope_says_what_the_paper_has_and_what_is_here():
    scope = claims(rows())[paper_b.B1].scope
    assert scope.paper == "ResNet-18, VGG-11, ViT-tiny on CIFAR-10; down to 10 % of the weights; 10 draws"
    assert scope.here == "resnet-20 on d; 50 % to 10 % of the weights; 10 draws"
