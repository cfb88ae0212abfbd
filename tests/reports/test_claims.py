"""Which rows bear on which claim of the papers, and which preconditions withhold its verdict."""

import json

import numpy as np
import pytest

from tests.reports.conftest import changed, row, rows
from tfticket.arms import CONTROL_NAMES, METHODS, Arm
from tfticket.registry import DATA_SETS, MODELS
from tfticket.reports.claims import paper_b
from tfticket.reports.claims.papers import claims_of, decisions_of, records
from tfticket.reports.claims.reported import NAMES, REPORTED, reported_for


def number_of(claim):
    return claim.claim.partition(":")[0]


def claims(some):
    return {number_of(claim): claim for claim in claims_of(some)}


def means(claim):
    """Member -> mean difference."""
    return {label: round(float(np.mean(values)), 4) + 0.0 for label, values in claim.differences.items()}


def text_of(some):
    """Write every claim: number, kind, margin and unit; then each member's mean, of several densities in one line."""
    lines = []
    for claim in claims_of(some):
        members = {}
        for label, mean in means(claim).items():
            name, at, density = label.partition(" at ")
            members.setdefault(name, []).append(f"{mean:g}{at}{density}")
        lines.append(f"{number_of(claim)} {claim.kind} {claim.margin:g} {claim.unit}")
        for name, values in members.items():
            lines[-1] += f" | {name}: {', '.join(values)}"
            lines.append("   ")
        lines.pop()
    return "\n".join(lines) + "\n"


def withheld(some):
    """Claims without a verdict: number -> reasons."""
    return {name: " | ".join(claim.reasons) for name, claim in claims(some).items() if claim.reasons}


def assert_withheld(some, numbers, *mentions):
    """These claims alone are withheld, for one reason, in which all of the mentions stand."""
    reasons = withheld(some)
    assert " ".join(sorted(reasons)) == numbers, reasons
    for reason in reasons.values():
        assert " | " not in reason
        assert all(mention in reason for mention in mentions), reason


def paper_a(network="lenet-300-100", data_set="mnist", level=1):
    """Chains, inference and trainings of paper A's budget on 1 % of the weights."""
    accuracies = {"ticket": 0.9, "reinitialise": 0.8, "nuts": 0.91, "svi": 0.88, "svi-tuned": 0.9}
    some = rows({(arm, level): accuracy for arm, accuracy in accuracies.items()})
    some = changed(some, "*", network=network, data_set=data_set, data="digits, 10 training rows", density=0.01)
    some = changed(some, "*", extra={"epochs": 50.0})
    some = changed(
        some, "nuts", convergence_problems=(), extra={"independent_start": 1.0, "rise": None, "epochs": None}
    )
    tuning = {"own_means": 1.0, "members": 50.0, "at_bound": 0.0}
    return changed(some, lambda row: row.arm.method.startswith("svi"), extra=tuning)


PAPER_A_CLAIMS = """\
A1-A3 reaches 0.005 points | NUTS - IMP ticket: 0.01 at 1.0 %
A4 beats 0.005 points | NUTS - re-initialised: 0.11 at 1.0 %
A5 beats 0.005 points | re-initialised: 0.1 at 1.0 %
B5 reaches 0.005 points | re-initialised: 0.1 at 1.0 %
A6 matches 0.005 points | SVI, tuned - IMP ticket: 0 at 1.0 %
A7 beats 0.005 points | SVI, tuned - SVI: 0.02 at 1.0 %
"""


def test_claims_of_paper_a():
    assert text_of(paper_a()) == PAPER_A_CLAIMS
    assert withheld(paper_a()) == {}


@pytest.mark.parametrize(("method", "name"), [("mclmc", "MCLMC"), ("hmc", "HMC")])
def test_claims_about_chains_are_decided_by_any_sampler(method, name):
    some = changed(paper_a(), "nuts", arm=Arm(method), name=name)
    assert text_of(some) == PAPER_A_CLAIMS.replace("NUTS", name)
    both = paper_a() + [row for row in some if row.arm == Arm(method)]
    assert [number_of(claim) for claim in claims_of(both)].count("A4") == 2


def test_chains_and_inference_are_compared_at_their_last_level_with_every_reinitialisation():
    some = changed(paper_a(level=1), "*", density=0.5) + paper_a(level=2)
    some += changed(paper_a(level=2), "reinitialise", arm=Arm.parse("reinitialise he_normal"), name="he")
    unsampled = rows({("ticket", 3): 0.5, ("reinitialise", 3): 0.4})
    numbers = claims(some + unsampled)
    assert means(numbers["A4"]) == {"NUTS - re-initialised at 1.0 %": 0.11, "NUTS - he at 1.0 %": 0.11}
    for name in ("A1-A3", "A6", "A7"):
        assert [label[-8:] for label in numbers[name].differences] == ["at 1.0 %"]
    assert means(numbers["A5"]) == {"re-initialised at 12.5 %": 0.1}


ALL_OF_A = "A1-A3 A4 A5 A6 A7 B5"
# fmt: off
PAPER_A = [
    # rows of an arm, their changes, the claims that are withheld, the reason
    ("reinitialise", {"extra": {"rise": 0.0024}}, "", ""),
    ("reinitialise", {"extra": {"rise": -0.1}}, "", ""),
    ("reinitialise", {"extra": {"rise": 0.0026}}, "A4 A5 B5", "0.26 points in the last quarter of re-initialised at"),
    ("reinitialise", {"extra": {"rise": np.inf}}, "A4 A5 B5", "accuracy of re-initialised at 1 % is not finite"),
    ("ticket", {"extra": {"rise": 0.08}}, "A1-A3 A5 A6 B5", "8 points in the last quarter of IMP ticket at 1 %"),
    ("ticket", {"extra": {"rise": None}}, "A1-A3 A5 A6 B5", "fewer than 4 evaluations of IMP ticket at 1 %"),
    ("ticket", {"extra": {"epochs": 49.4}}, "A1-A3 A6", "49.4 of the paper's 50 epochs"),
    ("ticket", {"extra": {"epochs": 49.6}}, "", ""),
    ("reinitialise", {"extra": {"epochs": 10.0}}, "A4", "10 of the paper's 50 epochs"),
    ("reinitialise", {"extra": {"epochs": None}}, "A4", "epochs not recorded; the paper has 50"),
    ("svi-tuned", {"extra": {"epochs": 10.0}}, "A6 A7", "10 of the paper's 50 epochs"),
    ("svi-tuned", {"extra": {"members": 49.0}}, "A6 A7", "49 members of the population; the paper has 50"),
    ("svi-tuned", {"extra": {"members": None}}, "A6 A7", "0 members of the population; the paper has 50"),
    ("svi-tuned", {"extra": {"at_bound": 0.63}}, "A6 A7", "63 % of SVI, tuned at 1 %"),
    ("svi", {"extra": {"own_means": 0.0}}, "A7", "means: own, carried: mask"),
    ("svi", {"extra": {"own_means": None}}, "A7", "means: own, carried: mask"),
    ("nuts", {"convergence_problems": ("R-hat 1.6", "few draws")}, "A1-A3 A4", "R-hat 1.6 (of 5 of 5 seeds)"),
    ("nuts", {"extra": {"independent_start": 0.0}}, "A1-A3 A4", "chains begin at the ticket's start"),
    ("*", {"data_set": "fashion-mnist"}, ALL_OF_A, "digits, 10 training rows; the claim is about MNIST and CIFAR-10"),
    ("*", {"network": "conv-2"}, "A1-A3 A4 A6 A7", "here conv-2; the claim is about LeNet-300-100"),
    ("*", {"density": 0.0127}, "A1-A3 A4 A6", "the run stops at 1.27 % of the weights; the claim is about 1 %"),
    ("*", {"density": 0.0126}, "", ""),
    ("*", {"data_set": "cifar-10-jpeg", "extra": {"epochs": 98.0}}, "A1-A3 A4 A6 A7", "98 of the paper's 100 epochs"),
    ("*", {"data_set": "cifar-10-small", "extra": {"epochs": 100.0}}, "", ""),
]
# fmt: on


@pytest.mark.parametrize(("arm", "changes", "numbers", "reason"), PAPER_A)
def test_preconditions_of_paper_a(arm, changes, numbers, reason):
    assert_withheld(changed(paper_a(), arm, **changes), numbers, reason)


def test_claims_of_paper_a_by_network():
    lenet_5 = paper_a("lenet-5")
    assert_withheld(lenet_5, "A7", "here lenet-5; the claim is about LeNet-300-100")
    assert (claims(lenet_5)["A8"].kind, "A6" in claims(lenet_5)) == ("beats", False)
    on_cifar = changed(paper_a("lenet-5", "cifar-10"), "*", extra={"epochs": 100.0})
    assert_withheld([row for row in on_cifar if row.arm.key != "svi"], "A1-A3 A4 A8", "the claim is about MNIST")
    resnet = changed(paper_a("resnet-18", "cifar-10"), "*", density=0.1, extra={"epochs": 200.0})
    resnet = [row for row in resnet if row.arm.key not in ("nuts", "svi")]
    assert_withheld(resnet, "")
    assert claims(resnet)["A8"].kind == "beats"
    assert_withheld(changed(resnet, "*", density=0.11), "A8", "stops at 11 %", "about 8 %")
    assert_withheld(changed(resnet, "ticket", extra={"epochs": 100.0}), "A8", "100 of the paper's 200 epochs")
    assert_withheld(changed(resnet, "*", data_set="mnist"), "A8", "the claim is about CIFAR-10")
    outside = withheld(paper_a("vgg-11"))["A1-A3"]
    assert "here vgg-11; the claim is about LeNet-300-100 and LeNet-5" in outside


def test_of_several_rising_arms_the_steepest_is_named_and_seeds_are_averaged():
    both = changed(changed(paper_a(), "ticket", extra={"rise": 0.01}), "reinitialise", extra={"rise": 0.02})
    assert withheld(both)["A5"].endswith("2 points in the last quarter of re-initialised at 1 %, and 1 more")
    for rises, mean in (([0.02, -0.015, 0.005, -0.01, 0.01], None), ([0.06, 0.0, 0.04, 0.0, 0.0], "2 points")):
        some = paper_a()
        for each, rise in zip((each for each in some if each.arm.key == "ticket"), rises, strict=True):
            each.extra_metrics["rise"] = rise
        assert (mean is None and withheld(some) == {}) or mean in withheld(some)["A5"]
    unknown = paper_a()
    del unknown[5].extra_metrics["rise"]  # of one seed
    assert "not recorded" in withheld(unknown)["A5"]


def test_chains_of_one_seed_or_of_unknown_convergence():
    problems = {"convergence_problems": ("few draws",)}
    some = changed(paper_a(), lambda row: row.arm.key == "nuts" and row.seed == 3, **problems)
    assert_withheld(some, "A1-A3 A4", "chains not converged: few draws (of 1 of 5 seeds)")
    single = changed([row for row in paper_a() if row.seed == 0], "nuts", **problems)
    assert withheld(single)["A4"] == "chains not converged: few draws | 1 seed; 5 needed"
    assert "whether chains have converged" in withheld(changed(paper_a(), "nuts", convergence_problems=None))["A4"]


# Paper B, and controls

LEVELS = {0: 1.0, 1: 0.5, 2: 0.1, 3: 0.05, 4: 0.02}
PAPER_B = {
    "ticket": 0.70, "bayesian-snr": 0.71, "bayesian-mu": 0.705, "bayesian-square": 0.60, "bayesian-snr-lrr": 0.73,
    "deterministic-magnitude-lrr": 0.72, "transplant-start": 0.708, "bayesian-snr reinitialise": 0.65,
}  # fmt: skip


def paper_b_rows(network="resnet-20", arms=PAPER_B, levels=LEVELS):
    """Tickets of several ways of pruning, a transplant and a control, of paper B's budget."""
    some = []
    for key in arms:
        arm = Arm.parse(key)
        for level, density in levels.items():
            for seed in range(5) if level or arm.is_ticket else ():
                extra = {"rise": 0.0, "seconds": 6.0 + 0.1 * seed if key.startswith("bayesian") else 1.0}
                extra |= {"at_bound": 0.02, "draws": 10.0} if arm.is_variational else {}
                ranks = 0.8 if key.startswith("bayesian") else 0.5 + 0.01 * seed
                extra |= {"layers": 21.0, "depth": ranks} if level else {}
                accuracy = PAPER_B.get(key, 0.6) - 0.01 * level + 1e-3 * seed + 1e-9 * seed * (key == "bayesian-snr")
                made = row(key, seed, level, accuracy, network=network, density=density, extra_metrics=extra, data="d")
                made.test["mace"] = 0.1 - 0.02 * level + 1e-4 * seed
                some.append(made)
    return some


PAPER_B_CLAIMS = """\
B5 reaches 0.005 points | Bayesian, SNR, re-initialised: 0.06 at 50.0 %, 0.06 at 10.0 %, 0.06 at 5.0 %, 0.06 at 2.0 %
B1 reaches 0.005 points | Bayesian, SNR - its dense network: -0.01 at 50 %, -0.02 at 10 %
B2a matches 0.005 points | Bayesian, abs(mu) - Bayesian, SNR: -0.005 at 50 %, -0.005 at 10 %, -0.005 at 5 %
    | IMP ticket - Bayesian, SNR: -0.01 at 50 %, -0.01 at 10 %, -0.01 at 5 %
B2b beats 0.005 points | Bayesian, SNR - Bayesian, square: 0.11 at 2 %
    | Bayesian, abs(mu) - Bayesian, square: 0.105 at 2 %
B3 beats 0.005 points | its dense network - Bayesian, SNR: 0.08 at 2 %
B4a beats 0.005 rho | Bayesian, SNR: 0.8
    | IMP ticket: 0.52
B4b beats 0.005 rho | Bayesian, SNR - IMP ticket: 0.28 at 2 %
B8 matches 0.005 points | transplanted - Bayesian, SNR: -0.002 at 50 %, -0.002 at 10 %, -0.002 at 5 %, -0.002 at 2 %
B9 matches 2 times | Bayesian (10 draws) / deterministic - 5: 1.2
B10 reaches 0.005 points | Bayesian, SNR, rate rewound - Bayesian, SNR: 0.02 at 2 %
    | magnitude, rate rewound - IMP ticket: 0.02 at 2 %
"""


def test_claims_of_paper_b():
    assert text_of(paper_b_rows()) == PAPER_B_CLAIMS
    scope = claims(paper_b_rows())["B1"].scope
    assert scope.paper == "ResNet-18, VGG-11, ViT-tiny on CIFAR-10; down to 10 % of the weights; 10 draws"
    assert scope.here == "resnet-20 on d; 50 % to 10 % of the weights; 10 draws"
    assert_withheld(paper_b_rows(), "")


def test_claims_of_paper_b_by_network():
    vgg, vit, other = (claims(paper_b_rows(network)) for network in ("vgg-11", "vit-tiny", "lenet-300-100"))
    assert (vgg["B3"].claim, vgg["B3"].kind) == (paper_b.B3_FLAT, "matches")
    assert (vit["B8"].claim, vit["B8"].kind) == (paper_b.B8_SHORT, "beats")
    assert set(means(vit["B8"]).items()) == {(f"IMP ticket - transplanted at {at} %", -0.008) for at in (50, 10, 5, 2)}
    assert [claim["B8"].reasons for claim in (vgg, vit)] == [[], []]
    assert "the claim is about ResNets and ViTs" in vgg["B2b"].reasons[0]
    outside = "outside the paper's scope: here lenet-300-100; the claim is about ResNets and"
    assert [other[name].reasons for name in ("B3", "B8")] == [[f"{outside} ViTs"], [f"{outside} VGGs"]]
    assert "B2b" not in withheld(paper_b_rows("vit-tiny", levels={0: 1.0, 1: 0.5}))  # of ViTs at any density
    assert "outside the paper's scope: here another network" in withheld(paper_b_rows(""))["B8"]


def test_claims_are_those_that_a_run_has_the_arms_for():
    for network, arms, expected in (
        *(("resnet-20", "ticket", ""), ("resnet-20", "bayesian-snr ticket", "B1 B2a B3 B4a B4b B9")),
        *(("resnet-20", "ticket bayesian-mu bayesian-square", "B2b"), ("vit-tiny", "ticket transplant-start", "B8")),
        ("vgg-11", "ticket deterministic-magnitude-lrr", "B10"),
    ):
        some = paper_b_rows(network, arms.split())
        assert " ".join(claims(some)) == expected
        assert not {"B4a", "B4b", "B9"} & claims(changed(some, "*", extra_metrics={})).keys()
    kept, lost = ["reinitialise he_normal", "shuffle-layerwise"], ["shuffle-even", "shuffle-global"]
    for arms, expected in (
        *(([], ""), (["keep-signs"], "B5"), (["reinitialise"], "A5 B5"), ([*kept, *lost], "A5 B5 B6a B6b")),
        *(([*kept, lost[0]], "A5 B5"), ([kept[0], *lost], "A5 B5")),
        (["nuts reinitialise", "own-mask", "monte-carlo random"], "C1 C3"),
    ):
        some = rows({("ticket", 0): 0.9, ("ticket", 1): 0.9} | {(arm, level): 0.8 for arm in arms for level in (0, 1)})
        some = [row for row in some if row.arm.control != "monte-carlo" or row.level]
        assert " ".join(claims(some)) == expected


def test_pairs_of_arms_are_compared_at_their_own_last_level():
    stopped = ("bayesian-snr", "bayesian-snr-lrr")
    some = [row for row in paper_b_rows() if row.arm.key not in stopped or row.level < 3]
    for name in ("B10", "B2b"):
        assert [label[-4:] for label in claims(some)[name].differences] == ["10 %", " 2 %"]


# fmt: off
DENSITIES = [
    # densities of the levels; of B1, B2a and B10: where the run stops, '' where that is near enough
    ((0.64,), "64 %", "64 %", "64 %"),
    ((0.5, 0.13), "13 %", "13 %", "13 %"),
    ((0.5, 0.125), "", "12.5 %", "12.5 %"),
    ((0.107, 0.055), "", "", "5.5 %"),
    ((0.1, 0.0625, 0.0249), "", "", ""),
    ((0.0999999, 0.04999999, 0.02), "", "", ""),
]
# fmt: on


@pytest.mark.parametrize(("densities", "tenth", "twentieth", "fiftieth"), DENSITIES)
def test_a_claim_down_to_a_density_needs_a_level_near_it(densities, tenth, twentieth, fiftieth):
    reasons = withheld(paper_b_rows(levels=dict(enumerate((1.0, *densities)))))
    stops = {"B1": (tenth, 10), "B2a": (twentieth, 5), "B2b": (fiftieth, 2), "B3": (fiftieth, 2), "B10": (fiftieth, 2)}
    assert reasons == {
        name: f"the run stops at {stop} of the weights; the claim is about {density} %"
        for name, (stop, density) in stops.items()
        if stop
    }


def test_levels_that_leap_over_a_density_do_not_reach_it():
    leaping = paper_b_rows(levels={0: 1.0, 1: 0.64, 2: 0.02})
    assert withheld(leaping)["B1"] == "the sparsest comparison is at 64 % of the weights; the claim is about 10 %"
    below = claims(paper_b_rows(levels={0: 1.0, 1: 0.03, 2: 0.02}))["B1"]
    assert list(below.differences) == ["Bayesian, SNR - its dense network at 3 %"]


def is_snr(level):
    return lambda row: (row.arm.key, row.level) == ("bayesian-snr", level)


# fmt: off
BAYESIAN = [
    ("*", {"extra": {"draws": 2.0}}, "B9", "2 draws; the claim is about ten"),
    (is_snr(2), {"extra": {"draws": 1.0}}, "B9", "1, 10 draws; the claim is about ten"),
    ("bayesian-snr", {"extra": {"draws": 1.0}}, "B9", "1 draw; the claim is about ten"),
    ("bayesian-snr", {"extra": {"draws": None}}, "B9", "draws not recorded; the claim is about ten"),
    (is_snr(2), {"extra": {"at_bound": 0.1}}, "", ""),
    (is_snr(2), {"extra": {"at_bound": 0.11}}, "B1 B2a B5 B8", "11 % of Bayesian, SNR at 10 %"),
    (is_snr(2), {"extra": {"at_bound": None}}, "B1 B2a B5 B8", "not recorded of Bayesian, SNR at 10 %"),
    (is_snr(4), {"extra": {"at_bound": 0.63}}, "B10 B2b B3 B4a B4b B5 B8", "63 % of Bayesian, SNR at 2 %"),
    (is_snr(0), {"extra": {"rise": 0.01}}, "B1 B3", "1 points in the last quarter of Bayesian, SNR, dense"),
    ("ticket", {"extra": {"at_bound": 1.0}}, "", ""),
    ("*", {"extra": {"layers": 5.0}}, "", ""),
    ("*", {"extra": {"layers": 4.0}}, "B4a B4b", "4 of resnet-20 may be pruned; 5 needed"),
    (is_snr(4), {"extra": {"layers": 2.0}}, "B4a B4b", "2 of resnet-20 may be pruned; 5 needed"),
    ("*", {"extra": {"layers": None}}, "B4a B4b", "the number of layers is not recorded"),
]
# fmt: on


@pytest.mark.parametrize(("arm", "changes", "numbers", "reason"), BAYESIAN)
def test_preconditions_of_paper_b(arm, changes, numbers, reason):
    assert_withheld(changed(paper_b_rows(), arm, **changes), numbers, reason)


def test_controls_are_compared_within_their_own_way_of_pruning(monkeypatch):
    accuracies = {"reinitialise": 0.65, "shuffle-layerwise": 0.64, "shuffle-even": 0.5, "shuffle-global": 0.4}
    all_four = {f"{trunk}{name}": value for trunk in ("", "bayesian-snr ") for name, value in accuracies.items()}
    monkeypatch.setattr(f"{__name__}.PAPER_B", PAPER_B | all_four)
    sparse = paper_b_rows(arms=("ticket", "bayesian-snr", *all_four), levels={0: 1.0, 3: 0.05, 4: 0.02})
    some = [row for row in sparse if (row.arm.control, row.level) != ("shuffle-even", 4)]  # so level 3 has all four
    assert means(claims(some)["B6a"]) == {
        f"{trunk}{kept} - {trunk}{lost} at 5.0 %": round(accuracies[ours] - accuracies[theirs], 4)
        for trunk in ("", "Bayesian, SNR, ")
        for kept, ours in (("re-initialised", "reinitialise"), ("shuffled layerwise", "shuffle-layerwise"))
        for lost, theirs in (("shuffled evenly", "shuffle-even"), ("shuffled globally", "shuffle-global"))
    }
    assert means(claims(some)["B6b"]) == {
        f"{trunk}{kept} at 5.0 %": round(ticket - accuracy, 4)
        for trunk, ticket in (("", 0.70), ("Bayesian, SNR, ", 0.71))
        for kept, accuracy in (("re-initialised", 0.65), ("shuffled layerwise", 0.64))
    }
    assert (claims(some)["B6a"].kind, claims(some)["B6b"].kind) == ("beats", "matches")
    assert len(claims(some)["B5"].differences) == 14  # at both levels
    assert list(means(claims(some)["A5"])) == ["re-initialised at 2.0 %"]  # of the deterministic ticket alone
    assert_withheld(changed(some, "*", network="vit-tiny"), "B6b", "here vit-tiny; the claim is about ResNets and VGGs")
    rising = changed(some, "bayesian-snr shuffle-even", extra={"rise": 0.01})
    assert_withheld(rising, "B5 B6a", "Bayesian, SNR, shuffled evenly at 5 %")


def test_controls_have_the_density_of_their_ticket():
    controls = {density: row("shuffle-even", density=density) for density in (0.504, 0.506, 0.496, 0.494)}
    compared = [density for density, control in controls.items() if claims([row(), control])]
    assert compared == [0.504, 0.496]  # rounded layer by layer; random masks may have another
    two_levels = [row(arm, level=level, density=0.0101) for level in (4, 5) for arm in ("ticket", "keep-signs")]
    assert list(means(claims(two_levels)["B5"])) == ["signs kept at 1.0 %", "signs kept at 1.0 % (level 5)"]


def test_tickets_by_another_score_decide_nothing():
    assert claims_of([row(name="ticket by random score"), row("reinitialise", accuracy=0.7)]) == []
    assert claims_of([]) == []


# Paper C

MAGNITUDE, CONNECTIVITY, PRINTED = (
    f"monte-carlo {how}" for how in ("magnitude", "connectivity, 5000 images", "magnitude, as printed")
)
PAPER_C = {"ticket": 0.70, "shuffle-layerwise": 0.66, MAGNITUDE: 0.69, CONNECTIVITY: 0.695, PRINTED: 0.5}


def paper_c(network="conv-4"):
    """Monte Carlo tickets, which settle after 20 iterations and others after 40, at the last of two levels."""
    some = rows({("ticket", 0): 0.6, ("ticket", 1): 0.6, (MAGNITUDE, 1): 0.1})
    some += rows({(arm, 2): accuracy for arm, accuracy in PAPER_C.items()} | {("random-mask 0.2", 2): 0.65})
    some += rows({("random-mask 0.3", 2): 0.1}, density=0.3)
    some = changed(some, "*", network=network, extra={"settled": 40.0})
    some = changed(some, lambda row: row.arm.control == "monte-carlo", extra={"settled": 20.0})
    return changed(some, "ticket", extra={"relative_magnitude": 1.3})


PAPER_C_CLAIMS = """\
B5 reaches 0.005 points | shuffled layerwise: 0.04 at 25.0 %
    | random mask (0.2): 0.05 at 25.0 %
C1 matches 0.005 points | Monte Carlo (magnitude) - IMP ticket: -0.01 at 25.0 %
    | Monte Carlo (connectivity, 5000 images) - IMP ticket: -0.005 at 25.0 %
C2 beats 0.005 points | Monte Carlo (magnitude) - shuffled layerwise: 0.03 at 25.0 %
    | Monte Carlo (magnitude) - random mask (0.2): 0.04 at 25.0 %
    | Monte Carlo (connectivity, 5000 images) - shuffled layerwise: 0.035 at 25.0 %
    | Monte Carlo (connectivity, 5000 images) - random mask (0.2): 0.045 at 25.0 %
C3 beats 0.005 points | Monte Carlo (magnitude) - IMP ticket: -0.01 at 25.0 %
    | Monte Carlo (connectivity, 5000 images) - IMP ticket: -0.005 at 25.0 %
C4 matches 0.005 points | Monte Carlo (connectivity, 5000 images) - Monte Carlo (magnitude): 0.005 at 25.0 %
C5 beats 0.005 % | survivors / all - 1: 0.3 at 25.0 %
C6 beats 0.005 % | Monte Carlo (magnitude) - unpruned: 0.5 at 25.0 %
    | Monte Carlo (magnitude) - shuffled layerwise: 0.5 at 25.0 %
    | Monte Carlo (magnitude) - random mask (0.2): 0.5 at 25.0 %
    | Monte Carlo (connectivity, 5000 images) - unpruned: 0.5 at 25.0 %
    | Monte Carlo (connectivity, 5000 images) - shuffled layerwise: 0.5 at 25.0 %
    | Monte Carlo (connectivity, 5000 images) - random mask (0.2): 0.5 at 25.0 %
"""


def test_claims_of_paper_c():
    assert text_of(paper_c()) == PAPER_C_CLAIMS
    assert_withheld(paper_c(), "")


def test_preconditions_of_paper_c():
    assert_withheld(paper_c("conv-2"), "C3", "here conv-2; the claim is about Conv-4 and Conv-6")
    everywhere = "C1 C2 C3 C4 C5 C6"
    assert " ".join(sorted(withheld(paper_c("lenet-5")))) == everywhere
    on_mnist = changed(paper_c(), "*", data_set="mnist", data="MNIST, 9 training rows")
    assert_withheld(on_mnist, everywhere, "here MNIST, 9 training rows; the claim is about CIFAR-10")
    assert_withheld(changed(paper_c(), MAGNITUDE, extra={"rise": 0.01}), "C1 C2 C3 C4 C6", "rise")
    assert_withheld(changed(paper_c(), lambda row: row.level == 0, extra={"rise": 0.01}), "C6", "IMP ticket, dense")
    few = changed(paper_c(), MAGNITUDE, convergence_problems=None, extra={"settled": None})
    assert all("connectivity" in label for label in claims(few)["C6"].differences)
    without = changed(paper_c(), "ticket", extra={"relative_magnitude": None})
    assert "C5" not in claims(without)
    assert "unpruned" not in text_of([row for row in paper_c() if row.level])


def test_iterations_saved_are_averaged_over_replicates_that_all_have_settled():
    some = paper_c()
    some += changed([row for row in some if row.arm.key == MAGNITUDE], "*", replicate=1, extra={"settled": 30.0})
    some += changed([row for row in some if row.arm.key == CONNECTIVITY and row.seed == 1], "*", replicate=1)
    del some[-1].extra_metrics["settled"]
    differences = claims(some)["C6"].differences
    assert differences["Monte Carlo (magnitude) - unpruned at 25.0 %"] == pytest.approx([1 - 25 / 40] * 5)
    assert differences["Monte Carlo (connectivity, 5000 images) - unpruned at 25.0 %"] == pytest.approx([0.5] * 4)


def test_the_claims_of_all_runs_are_decided_together_each_by_its_own_rows():
    good = {("ticket", 1): 0.9, ("reinitialise", 1): 0.8, ("shuffle-even", 1): 0.7}
    some = rows(good, run="good") + rows(good | {("shuffle-even", 1): 0.95}, run="bad")
    decisions = decisions_of(some + rows({("ticket", 0): 0.9}, run="none"))
    verdicts = {run: [decision.verdict for decision in of_run] for run, of_run in decisions.items()}
    assert verdicts == {"good": ["holds", "holds"], "bad": ["holds", "contradicted"]}
    (first, decision), (alone, _) = decisions["bad"], decisions_of(some[15:])["bad"]
    assert first.p == pytest.approx(2 * alone.p)  # of 4 claims, not of 2
    assert decision.member == "shuffled evenly at 50.0 %"
    record, claim = json.loads(json.dumps(records(decisions)))[3], decision.comparison
    assert record == {
        **{"run": "bad", "claim": claim.claim, "kind": "reaches", "margin": 0.005, "unit": "points", "reasons": []},
        **{"scope": vars(claim.scope), "preconditions": [{"needs": need.needs, "failure": ""} for need in claim.needs]},
        **{"differences": {label: list(values) for label, values in claim.differences.items()}},
        **{"verdict": "contradicted", "member": decision.member, "difference": vars(decision.difference)},
        **{name: getattr(decision, name) for name in ("p", "p_against", "p_signs", "p_signs_against")},
    }
    few = records(decisions_of(rows(good, seeds=[0])))[0]
    assert (few["verdict"], few["p"], few["difference"]["low"]) == ("withheld", None, None)
    assert {"needs": "5 seeds", "failure": "1 seed; 5 needed"} in few["preconditions"]


# fmt: off
PRINTED_NUMBERS = [
    ("lenet-300-100 cifar-10 nll", {"hmc": 1.2519, "ticket": 1.4559, "svi": 1.4092, "reinitialise": 1.376}),
    ("resnet-18 cifar-10 accuracy", {"ticket": 0.8079, "svi": 0.8604, "reinitialise": 0.7859}),  # no HMC
    ("conv-2 cifar-10 accuracy", {"dense": 0.672, "ticket": 0.7042, "shuffle-layerwise": 0.669,
                                  "monte-carlo magnitude": 0.6947, "monte-carlo connectivity": 0.684}),
    ("vit-tiny cifar-10 minutes", {"deterministic": 9.0, "bayesian": 51.0}),
    ("lenet-300-100 digits accuracy", {}),
]
# fmt: on


def test_numbers_are_as_the_papers_print_them_of_this_programs_networks_data_and_arms():
    for key, values in PRINTED_NUMBERS:
        assert {number.arm.key: number.value for number in reported_for(*key.split())} == values
    spreads = {number.arm.key: number.spread for number in reported_for("lenet-5", "mnist", "accuracy")}
    assert spreads == {"hmc": None, "ticket": None, "svi": None, "reinitialise": 0.0139}
    numbers = reported_for("lenet-300-100", "mnist", "accuracy")
    svi = [(number.source.split(", ")[-1], number.value) for number in numbers if number.name.startswith("SVI")]
    assert svi == [("table 1", 0.97), ("section 5", 0.9674), ("section 5", 0.965)]
    assert len(REPORTED) == 30 + 4 + 6 + 15
    for number in REPORTED:
        assert (number.network in MODELS, number.data in DATA_SETS) == (True, True)
        assert number.arm in NAMES or {number.arm.control, number.arm.method} <= {"", "train", *CONTROL_NAMES, *METHODS}
