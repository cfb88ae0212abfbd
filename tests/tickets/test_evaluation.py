"""Evaluation of tickets: records, draws of variational networks, classes that data and ticket must share."""

import json
import re
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tests.refusals import refused
from tfticket import seeds
from tfticket.config import DataConfig, EnsembleStep, EvaluateStep, Execution
from tfticket.data import load_dataset
from tfticket.errors import Stopped
from tfticket.evaluation.metrics import METRICS, all_metrics
from tfticket.evaluation.predictive import predict, predictions, seed_of_pass
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive, auroc, ood_scores
from tfticket.models import to_variational
from tfticket.network import network_of
from tfticket.runs.events import EventWriter
from tfticket.runs.step import TICKET, WEIGHTS, StepContext
from tfticket.steps import ensemble, evaluate
from tfticket.tickets.evaluation import evaluate_weights, evaluation_record, predict_splits
from tfticket.tickets.monte_carlo_tickets import draw_mc_ticket
from tfticket.tickets.weight_files import save_weights
from tfticket.variational.objective import kl_divergence

pytestmark = pytest.mark.usefixtures("without_xla")
USUAL = {"validation", "test", "reliability", "intervals", "density", "level", "emptied", "data"}
DRAWS = 3
CONFIG = EvaluateStep(draws=DRAWS, seed=5, passes=3)


@pytest.fixture(scope="module")
def digits(data, tmp_path_factory):
    """Some of MNIST, every fourth pixel along each side."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    parts = {"x_train": data.x_train[:450, ::4, ::4], "y_train": data.y_train[:450]}
    np.savez(path, **parts, x_test=data.x_test[:400, ::4, ::4], y_test=data.y_test[:400])
    return DataConfig(path=str(path), train_rows=300, validation_rows=150)


@pytest.fixture(scope="module")
def rows(digits):
    return load_dataset(digits)


@pytest.fixture(scope="module")
def noise(rows):
    """Images of nothing."""
    images, labels = np.random.default_rng(0).integers(0, 256, (100, 7, 7, 1), np.uint8), np.arange(100) % 2
    return tt.load_data("nothing", x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:])


@pytest.fixture(scope="module")
def trained(rows):
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", rows))
    return tt.TrainedTicket(ticket, ticket.start, [])


@pytest.fixture(scope="module")
def unsure(rows):
    """A variational network with half of its weights at random and larger deviations than at the start."""
    dense = tt.Ticket.dense(to_variational(tt.build_model("lenet-300-100", rows), {"prior": 0.5}), 0, data=rows)
    random = np.random.default_rng(0)
    ticket = replace(dense, mask={path: random.random(kept.shape) < 0.5 for path, kept in dense.mask.items()})
    weights = {path: array + 2 if path.endswith("_rho") else array for path, array in ticket.start.items()}
    weights |= {path: weights[path] * kept for path, kept in ticket.mask.items()}
    return tt.TrainedTicket(ticket, weights, [])


@pytest.fixture(scope="module")
def record(unsure, rows, noise):
    return evaluate_weights(unsure.ticket, unsure.weights, rows, CONFIG, noise)


def each_draw(trained, images, seed, draws=DRAWS):
    network = network_of(trained.ticket.model)
    network.assign(trained.ticket.mask, trained.weights)
    return np.array(list(predictions(network, images, draws, seed)))


def test_probabilities_sum_to_one_and_images_of_another_type_or_shape_are_refused(trained, data, rows):
    images = data.x_test[:1001, ::4, ::4]  # more than fit in one piece
    whole = trained.predict(images)
    np.testing.assert_allclose(whole.sum(axis=1), 1)
    np.testing.assert_allclose(whole[-3:], trained.predict(images[998:]), rtol=1e-6)
    nine = rows.x_test[:9]
    for others in (nine / 255, nine.astype(np.int32), nine[..., 0], nine[0], nine[:, :5], nine.repeat(3, axis=-1)):
        with pytest.raises(tt.InputError, match=rf"\[rows, 7, 7, 1\].*{others.dtype} {re.escape(str(others.shape))}"):
            trained.predict(others)


def test_data_of_another_shape_or_of_more_classes_are_refused(trained, rows, data):
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", input_shape=(7, 7, 1), num_classes=9))
    for point, others in ((trained, data), (tt.TrainedTicket(ticket, ticket.start, []), rows)):
        with pytest.raises(tt.InputError, match=others.name):
            tt.evaluate(point, others)
        with pytest.raises(tt.InputError, match=others.name):
            predict_splits(point.ticket, point.weights, others)
    with pytest.raises(tt.InputError, match=r"mnist.*\(28, 28, 1\).*digits.*\(7, 7, 1\)"):
        evaluate_weights(trained.ticket, trained.weights, rows, CONFIG, data)


def test_a_record_of_a_deterministic_network_has_metrics_and_reliability_and_no_draws(trained, rows, noise):
    ticket, weights, progress = trained.ticket, trained.weights, []
    record = evaluation_record(ticket, rows, predict_splits(ticket, weights, rows))
    assert (record["density"], record["level"], record["emptied"]) == (1.0, 0, [])
    assert record["data"] == {"contents": rows.contents, "training_rows": 300}
    for split, count in (("validation", 150), ("test", 400)):
        assert record[split] == tt.evaluate(trained, rows, split)
        assert set(record[split]) == set(METRICS) >= set(record["intervals"][split])
        bins = record["reliability"][split]
        assert sum(bins["count"]) == count
        right = sum(held * accuracy for held, accuracy in zip(bins["count"], bins["accuracy"], strict=True) if held)
        assert right / count == pytest.approx(record[split]["accuracy"])
    empty = {"dense_2/kernel": np.zeros_like(ticket.mask["dense_2/kernel"])}
    assert evaluation_record(replace(ticket, mask=ticket.mask | empty), rows, {})["emptied"] == ["dense_2"]
    assert evaluate_weights(ticket, weights, rows, EvaluateStep()) == record
    more = evaluate_weights(ticket, weights, rows, EvaluateStep(), noise, lambda *done: progress.append(done))
    assert (progress, set(more) - set(record), set(record)) == ([], {"out_of_distribution"}, USUAL)
    inside, outside = (ood_scores(predict(ticket.model, ticket.mask, weights, each.x_test)) for each in (rows, noise))
    expected = {name: auroc(inside[name], outside[name]) for name in ("confidence", "entropy")}
    assert more["out_of_distribution"]["auroc"] == expected


def test_reported_numbers_are_those_of_the_pooled_draws(unsure, rows, noise, record):
    assert set(record) == USUAL | {"uncertainty", "passes", "posterior", "out_of_distribution"}
    json.dumps(record)
    assert record["test"] == tt.evaluate(unsure, rows, draws=DRAWS, seed=5)
    for split in ("validation", "test"):
        uncertainty = PosteriorPredictive(each_draw(unsure, rows.split(split)[0], 5)).uncertainty.means()
        assert record["uncertainty"][split] == pytest.approx(uncertainty, rel=1e-9)
        assert uncertainty["epistemic"] > 0
    images = rows.x_test[:5]
    pooled = np.exp(each_draw(unsure, images, 0, draws=2)).mean(axis=0)
    np.testing.assert_allclose(unsure.predict(images, draws=2, seed=0), pooled, rtol=1e-9)
    assert np.abs(unsure.predict(images, draws=2, seed=1) - pooled).max() > 0
    with pytest.raises(tt.InputError, match="draws is 0"):
        tt.evaluate(unsure, rows, draws=0)
    network = network_of(unsure.ticket.model)
    network.assign(unsure.ticket.mask, unsure.weights)
    divergences = {name: float(kl_divergence(layer)) for name, layer in network.variational.items()}
    posterior = {name: layer["divergence"] for name, layer in record["posterior"].items()}
    assert posterior == pytest.approx(divergences, rel=1e-4)  # as training computes it
    scored = record["out_of_distribution"]
    assert (scored["rows"], scored["data"]) == (40, {"name": "nothing", "contents": noise.contents})
    assert set(scored["auroc"]) == {"confidence", "entropy", "epistemic"}
    inside, outside = (PosteriorPredictive(each_draw(unsure, each.x_test, 5)).uncertainty for each in (rows, noise))
    for score in ("entropy", "epistemic"):
        assert scored["auroc"][score] == pytest.approx(auroc(getattr(inside, score), getattr(outside, score)))


def test_passes_are_evaluations_by_other_draws_and_change_no_other_number(unsure, rows, record):
    passes = record["passes"]
    assert set(passes) == set(METRICS)
    assert len(set(passes["nll"])) == 3
    assert {name: values[0] for name, values in passes.items()} == record["test"]
    third = tt.evaluate(unsure, rows, draws=DRAWS, seed=seed_of_pass(5, 2))
    assert {name: values[2] for name, values in passes.items()} == third
    single = evaluate_weights(unsure.ticket, unsure.weights, rows, EvaluateStep(draws=DRAWS, seed=5, passes=1))
    assert all(len(values) == 1 for values in single.pop("passes").values())
    assert single == {name: record[name] for name in single}


def test_steps_report_progress_and_stop_between_draws(tmp_path, unsure, digits, rows):
    unsure.ticket.save(tmp_path / TICKET)
    save_weights(tmp_path / WEIGHTS, unsure.weights, 20)
    progress, config = [], EvaluateStep(data=digits, draws=2, passes=2)

    def context(*names, stop=False):
        events, inputs = EventWriter(tmp_path / "events", 1), dict.fromkeys(("ticket", *names), tmp_path)
        return StepContext(tmp_path, inputs, events, Execution(), lambda: stop, lambda *done: progress.append(done))

    result = evaluate(context("trained"), config)
    assert progress == [(done, 6) for done in range(1, 7)]  # two splits, and the test rows once more
    assert result == evaluate_weights(unsure.ticket, unsure.weights, rows, config)
    with pytest.raises(Stopped):
        evaluate(context("trained", stop=True), config)
    pooled = ensemble(context("member 0", "member 1"), EnsembleStep(data=digits, draws=4, seed=7))
    own = [seeds.derive(7, "member", number) for number in range(2)]
    first, second = (predict_splits(unsure.ticket, unsure.weights, rows, 4, seed)["test"] for seed in own)
    assert not np.array_equal(first, second)
    expected = all_metrics(np.logaddexp(first, second) - np.log(2), rows.y_test)
    assert (pooled["test"], pooled["members"]) == (pytest.approx(expected, rel=1e-9), 2)


# Names of classes

NAMES = ["setosa", "versicolor", "virginica"]
SHORT = {"train": {"epochs": 1, "batch_size": 10}}


def flowers(classes=None, names=NAMES):
    """Rows of four features, of named classes in an order."""
    codes = np.arange(60) % len(names)
    rows, labels = np.random.default_rng(0).normal(codes[:, None], 0.1, (60, 4)), np.array(names)[codes]
    return tt.load_data("flowers", x_train=rows, y_train=labels, x_test=rows, y_test=labels, classes=classes)


@pytest.fixture(scope="module")
def of_flowers():
    return tt.Ticket.dense(tt.build_model("lenet-300-100", flowers()), data=flowers())


USES = {
    "evaluate": lambda ticket, data: tt.evaluate(tt.TrainedTicket(ticket, ticket.start, []), data),
    "train": lambda ticket, data: tt.train(ticket, data, **SHORT),
    "sample": lambda ticket, data: tt.sample(ticket, data, draws=1, warmup=20),
    "evaluate weights": lambda ticket, data: evaluate_weights(ticket, {}, data, EvaluateStep(seed=0)),
    "predict": lambda ticket, data: predict_splits(ticket, {}, data),
    "draw": lambda ticket, data: draw_mc_ticket(None, ticket, data, 0),
}


@pytest.mark.parametrize("use", USES)
def test_classes_in_another_order_are_refused(use, of_flowers):
    with refused("data.classes", None, "label 0", "'virginica'", "'setosa'", str(NAMES)):
        USES[use](of_flowers, flowers(NAMES[::-1]))


def coded(classes):
    """Rows of ten classes without names, of which some are chosen."""
    codes = np.arange(200) % 10
    rows = np.random.default_rng(0).normal(codes[:, None], 0.1, (200, 4))
    parts = {"x_train": rows, "y_train": codes, "x_test": rows, "y_test": codes, "normalise": "none"}
    return tt.load_data("codes", classes=classes, **parts)


def test_classes_are_compared_by_name_and_numbered_ones_by_number():
    for ours, theirs, facts in (
        *((coded([3, 8]), coded([0, 1]), ("'0'", "'3'")), (coded(None), coded([3, 8]), ("'3'", "'0'"))),
        *((coded([0, 1]), coded([1, 0]), ("classes=['0', '1']", "data.classes")), (coded(None), coded([0, 1]), None)),
        *((flowers(), flowers(None, ["a", "b"]), ("'a'", "'setosa'")), (flowers(), flowers(NAMES[:2]), None)),
        (flowers(), flowers(names=["0", "1", "2"]), None),  # which may be codes of any names
    ):
        ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", ours), data=ours)
        assert ticket.provenance["class_names"] == list(ours.class_names)
        with refused("data.classes", None, *facts) if facts else nullcontext():
            predict_splits(ticket, ticket.start, theirs)
        predict_splits(replace(ticket, provenance={"seed": 0}), ticket.start, theirs)  # of a former version


def test_names_of_classes_are_kept_with_the_ticket(of_flowers):
    without = replace(of_flowers, provenance=of_flowers.provenance | {"class_names": ["0", "1", "2"]})
    trained = tt.train(without, flowers(), **SHORT)
    assert trained.ticket.provenance["class_names"] == NAMES
    tt.train(tt.transplant(of_flowers, without, "mask"), flowers(NAMES[::-1]), **SHORT)
