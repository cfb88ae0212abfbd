"""Needs TensorFlow."""

import numpy as np
import pytest

import tfticket as tt
from tfticket.evaluation.metrics import METRICS
from tfticket.tickets import evaluation
from tfticket.tickets.evaluation import evaluation_of, predictions_of


@pytest.fixture(scope="module")
def trained():
    """Of 28x28 grey images and 10 classes, as it begins."""
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10))
    return tt.TrainedTicket(ticket, ticket.start, [])


def test_probabilities_sum_to_one_and_know_no_neighbours(trained, data):
    whole = trained.predict(data.x_test[:1001])  # more than fit in one piece
    np.testing.assert_allclose(whole.sum(axis=1), 1)
    np.testing.assert_array_equal(whole[-3:], trained.predict(data.x_test[998:1001]))


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda images: images / 255, r"float64 \(7, 28, 28, 1\)"),
        (lambda images: images.astype(np.int32), r"int32 \(7, 28, 28, 1\)"),
        (lambda images: images[..., 0], r"uint8 \(7, 28, 28\)"),
        (lambda images: images[0], r"uint8 \(28, 28, 1\)"),
        (lambda images: images[:, :14], r"uint8 \(7, 14, 28, 1\)"),
        (lambda images: np.repeat(images, 3, axis=-1), r"uint8 \(7, 28, 28, 3\)"),
    ],
)
def test_images_of_another_type_or_shape_are_refused(change, got, trained, data):
    with pytest.raises(tt.InputError, match=rf"^Expected images uint8 \[rows, 28, 28, 1\]; got {got}\.$"):
        trained.predict(change(data.x_test[:7]))


def test_data_of_another_shape_or_of_more_classes_are_refused(trained, data):
    others = tt.load_data("cifar-10-small")
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=9))
    fewer = tt.TrainedTicket(ticket, ticket.start, [])
    for one, rows in ((trained, others), (fewer, data)):
        with pytest.raises(tt.InputError, match=f"{rows.name} has images .* Use the data that the ticket was made for"):
            tt.evaluate(one, rows)
        with pytest.raises(tt.InputError, match="Use the data that the ticket was made for"):
            predictions_of(one.ticket, one.weights, rows)


def test_an_evaluation_has_metrics_and_reliability_of_both_splits_and_predicts_each_once(trained, data, monkeypatch):
    predicted = []

    def note(spec, mask, weights, images):
        predicted.append(len(images))
        return predict(spec, mask, weights, images)

    predict = evaluation.predict
    monkeypatch.setattr(evaluation, "predict", note)
    found = evaluation_of(trained.ticket, data, predictions_of(trained.ticket, trained.weights, data))
    assert predicted == [len(data.x_validation), len(data.x_test)]
    assert set(found) == {"validation", "test", "reliability", "intervals", "density", "level", "emptied", "data"}
    for split, rows in zip(("validation", "test"), predicted, strict=True):
        assert found[split] == tt.evaluate(trained, data, split)
        assert set(found[split]) == set(METRICS)
        bins = found["reliability"][split]
        held = [index for index, count in enumerate(bins["count"]) if count]
        assert sum(bins["count"]) == rows
        right = sum(bins["count"][index] * bins["accuracy"][index] for index in held)
        assert right / rows == pytest.approx(found[split]["accuracy"])
