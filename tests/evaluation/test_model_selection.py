from tfticket.evaluation.model_selection import select_evaluations


def history(*accuracies):
    """Rows of (validation, test) accuracies."""
    return [
        {"iteration": 10 * number, "accuracy": validation, "test": {"accuracy": test, "mace": number}}
        for number, (validation, test) in enumerate(accuracies, 1)
    ]


def test_each_criterion_selects_an_evaluation_the_earliest_of_equal_ones():
    rows = history((0.8, 0.70), (0.9, 0.72), (0.85, 0.75), (0.9, 0.75), (0.84, 0.71))
    assert select_evaluations(rows) == {
        "last": {"iteration": 50, "accuracy": 0.71, "mace": 5},
        "best by validation": {"iteration": 20, "accuracy": 0.72, "mace": 2},
        "best by test": {"iteration": 30, "accuracy": 0.75, "mace": 3},
    }
    del rows[0]["test"]
    assert select_evaluations(rows) == select_evaluations([]) == {}
