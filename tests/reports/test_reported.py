import dataclasses

import pytest

from tfticket.arms import CONTROL_NAMES, METHODS
from tfticket.registry import DATA_SETS, MODELS
from tfticket.reports.claims.reported import NAMES, REPORTED, reported_for


def test_every_number_is_of_a_known_network_data_and_arm():
    for one in REPORTED:
        assert one.network in MODELS
        assert one.data in DATA_SETS
        if one.arm in NAMES:
            assert one.name == NAMES[one.arm]
        else:
            assert one.arm.control in ("", *CONTROL_NAMES)
            assert one.arm.method in ("train", *METHODS)
            assert one.name == one.arm.name


def test_accuracies_and_densities_are_fractions_and_losses_are_nats():
    for one in REPORTED:
        assert one.density is None or 0 < one.density <= 1
        assert 0.3 < one.value < 1 if one.metric == "accuracy" else one.value > 0
        assert one.spread is None or 0 < one.spread < one.value


def test_no_number_is_there_twice():
    keys = [(one.source, one.network, one.data, one.arm, one.metric) for one in REPORTED]
    assert len(set(keys)) == len(keys) == 30 + 4 + 6 + 15
    with pytest.raises(dataclasses.FrozenInstanceError):
        REPORTED[0].value = 1.0


@pytest.mark.parametrize(
    ("network", "data", "metric", "expected"),
    [
        ("lenet-300-100", "mnist", "accuracy", {"hmc": 0.9779, "ticket": 0.9705, "reinitialise": 0.9685}),
        ("lenet-300-100", "cifar-10", "nll", {"hmc": 1.2519, "svi": 1.4092}),
        ("resnet-18", "cifar-10", "accuracy", {"ticket": 0.8079, "svi": 0.8604}),
        ("conv-6", "cifar-10", "accuracy", {"dense": 0.774, "monte-carlo connectivity": 0.7817}),
        ("conv-2", "cifar-10", "accuracy", {"shuffle-layerwise": 0.669}),  # random in each layer
        ("vit-tiny", "cifar-10", "minutes", {"deterministic": 9.0, "bayesian": 51.0}),
    ],
)
def test_numbers_as_printed(network, data, metric, expected):
    found = {one.arm.key: one.value for one in reported_for(network, data, metric) if one.table == "table 1"}
    assert expected.items() <= found.items()


def test_what_ran_out_of_memory_has_no_number_and_other_networks_have_none():
    assert "hmc" not in {one.arm.key for one in reported_for("resnet-18", "cifar-10", "accuracy")}
    assert reported_for("lenet-300-100", "digits", "accuracy") == []


def test_where_the_text_disagrees_both_are_there_and_told_apart():
    svi = {one.table: one.value for one in reported_for("lenet-300-100", "mnist", "accuracy") if one.arm.key == "svi"}
    assert svi == {"table 1": 0.97, "section 5": 0.9674}
