"""Arms as values: keys, labels, names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket._experiments import bayesian_lth
from tfticket.arms import METHODS, TICKET, Arm, Trunk, written_label
from tfticket.registry import CONTROLS
from tfticket.reports.claims.paper_b import B5
from tfticket.reports.claims.papers import claims_of
from tfticket.reports.figures.arm_styles import arm_styles
from tfticket.reports.rows import Row
from tfticket.reports.tables.cells import summarise

PRINTED = "magnitude, as printed, 5000 images"
OLD = {
    "ticket": TICKET,
    "reinitialise": Arm(control="reinitialise"),
    "reinitialise he_normal": Arm(control="reinitialise", options="he_normal"),
    "random-mask dense_1=0.1 dense_2=0.5": Arm(control="random-mask", options="dense_1=0.1 dense_2=0.5"),
    "own-mask my own": Arm(control="own-mask", options="my own"),
    "monte-carlo dense": Arm(control="monte-carlo", options="dense"),
    f"monte-carlo {PRINTED}": Arm(control="monte-carlo", options=PRINTED),
    "bayesian-snr": Arm(trunk=Trunk(True, "snr")),
    "bayesian-snr-lrr": Arm(trunk=Trunk(True, "snr", True)),
    "deterministic-magnitude-lrr": Arm(trunk=Trunk(False, "magnitude", True)),
    "bayesian-snr reinitialise he_normal": Arm("train", Trunk(True, "snr"), "reinitialise", "he_normal"),
    "nuts": Arm("nuts"),
    "nuts shuffle-layerwise": Arm("nuts", control="shuffle-layerwise"),
    "ensemble reinitialise he_normal": Arm("ensemble", control="reinitialise", options="he_normal"),
    "svi-tuned monte-carlo connectivity": Arm("svi-tuned", control="monte-carlo", options="connectivity"),
    "transplant-start": Arm("transplant-start"),
    "population": Arm("population"),
    "mine 3": Arm(control="mine", options="3"),
}
"""Every kind of text that manifests of before hold, and its arm."""

MISREAD = ["", "ticket", "train", "snr", "snr-lrr", "-lrr", "bayesian-dropout", "bayesian-", "deterministic-x-lrr", '"']
MISREAD += ['"a"', '"a" b', "method=", 'method="x"', "a b", " ", "\\", "\n"]
NAMES = st.sampled_from([*MISREAD, *METHODS, *CONTROLS]) | st.text('ab- "\\\n=', max_size=6) | st.text(max_size=6)
TRUNKS = st.none() | st.builds(Trunk, st.booleans(), NAMES, st.booleans())
ARMS = st.builds(Arm, st.just("train") | NAMES, TRUNKS, NAMES, NAMES)


def test_the_text_of_old_manifests_is_the_key():
    for text, arm in OLD.items():
        assert Arm.parse(text) == Arm.from_label(text) == arm
        assert arm.key == str(arm) == text


@given(ARMS, ARMS, NAMES)
def test_keys_and_labels_stand_for_one_arm_each_and_any_text_is_a_key(arm, other, text):
    assert Arm.parse(arm.key) == arm
    label = json.loads(json.dumps(written_label({"arm": arm, "seed": 0})))
    assert (Arm.from_label(label["arm"]), label["seed"]) == (arm, 0)
    assert (arm.key == other.key) == (arm == other) == (arm.to_label() == other.to_label())
    assert (arm < other) == (arm.key < other.key)
    assert Arm.parse(Arm.parse(text).key) == Arm.parse(text)


def test_scores_samplers_and_controls_of_packages_have_keys_of_their_own():
    for control in ("bayesian-dropout", "nuts", "ticket", 'method="x"', '"'):  # is never read as something else
        arm = Arm(control=control)
        assert (arm.key, arm.trunk, arm.method, arm.name) == (json.dumps(control), None, "train", control)
    for arm, key, name in (
        (Arm(trunk=Trunk(True, "snr", True)), "bayesian-snr-lrr", "Bayesian, SNR, rate rewound"),
        (Arm(trunk=Trunk(True, "snr-lrr")), 'bayesian-"snr-lrr"', "Bayesian, snr-lrr"),
        (Arm("gibbs", control="mine"), 'method="gibbs" mine', "gibbs, mine"),
        (Arm(control="gibbs", options="mine"), "gibbs mine", "gibbs mine"),
    ):
        assert (arm.key, arm.name) == (key, name)


NO_LABELS = [3, None, [], {"name": "ticket"}, {"method": 3}, {"control": None}, {"trunk": {}}, {"trunk": "snr"}]
NO_LABELS += [{"trunk": {"variational": 1, "score": "snr"}}, {"trunk": {"variational": True, "score": ["snr"]}}]


def test_what_is_no_arm_is_refused():
    for label in NO_LABELS:
        with pytest.raises(ValueError, match="an arm"):
            Arm.from_label(label)


def rows_of_arms(*arms):
    metrics = [{"accuracy": 0.9 - 0.01 * number, "nll": 0.3} for number in range(len(arms))]
    pairs = [(arm, values, seed) for arm, values in zip(arms, metrics, strict=True) for seed in range(3)]
    return [Row("r-1", arm, arm.name, seed, 1, 0.5, "MNIST", values, values) for arm, values, seed in pairs]


def test_reports_tell_a_packages_arms_from_known_ones_of_like_names():
    rows = rows_of_arms(TICKET, Arm(control="bayesian-dropout"), Arm(control="nuts"))
    (claim,) = (claim for claim in claims_of(rows) if claim.claim == B5)
    assert list(claim.differences) == ["bayesian-dropout at 50.0 %", "nuts at 50.0 %"]
    trunks = [bayesian_lth.Trunk.model_construct(score="snr-lrr"), bayesian_lth.Trunk(score="snr", rewind="none")]
    cells = summarise(rows_of_arms(TICKET, *(Arm(trunk=trunk.value) for trunk in trunks)))
    assert [cell.arm.key for cell in cells] == ["ticket", 'bayesian-"snr-lrr"', "bayesian-snr-lrr"]
    styles = arm_styles([("r-1", cell.arm) for cell in cells]).values()
    assert len({(style["color"], style["marker"]) for style in styles}) == 3
