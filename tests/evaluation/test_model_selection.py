import pytest

from tfticket.evaluation.model_selection import CRITERIA, select_evaluations


def history(*accuracies):
    """Rows of (validation, test) accuracies."""
    return [
        {"iteration": 10 * (n + 1), "accuracy": validation, "test": {"accuracy": test, "mace": 0.01 * n}}
        for n, (validation, test) in enumerate(accuracies)
    ]


def test_each_moment_is_chosen_by_its_own_rows():
    found = select_evaluations(history((0.8, 0.70), (0.9, 0.72), (0.85, 0.75), (0.84, 0.71)))
    assert tuple(found) == CRITERIA
    assert found == {
        "last": {"iteration": 40, "accuracy": 0.71, "mace": pytest.approx(0.03)},
        "best by validation": {"iteration": 20, "accuracy": 0.72, "mace": 0.01},
        "best by test": {"iteration": 30, "accuracy": 0.75, "mace": 0.02},
    }


def test_of_equals_the_earliest_counts():
    found = select_evaluations(history((0.8, 0.7), (0.8, 0.7)))
    assert [one["iteration"] for one in found.values()] == [20, 10, 10]


def test_without_test_rows_nothing_is_told():
    whole = history((0.8, 0.7), (0.9, 0.6))
    assert select_evaluations([]) == {}
    del whole[0]["test"]
    assert select_evaluations(whole) == {}
