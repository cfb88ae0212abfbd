"""Needs TensorFlow."""

import json
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket import seeds
from tfticket.config import DataConfig, EnsembleStep, EvaluateStep, Execution
from tfticket.data import load_dataset
from tfticket.errors import Stopped
from tfticket.evaluation.metrics import METRICS, all_metrics
from tfticket.evaluation.predictive import predictions, seed_of_pass
from tfticket.evaluation.predictive_uncertainty import PosteriorPredictive, auroc, ood_scores
from tfticket.models import to_variational
from tfticket.network import network_of
from tfticket.runs.events import EventWriter
from tfticket.runs.step import TICKET, WEIGHTS, StepContext
from tfticket.steps import ensemble, evaluate
from tfticket.tickets import evaluation
from tfticket.tickets.evaluation import evaluate_weights, evaluation_record, predict_splits
from tfticket.tickets.mc_tickets import draw_mc_ticket
from tfticket.tickets.weight_files import save_weights
from tfticket.variational.objective import kl_divergence


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
        with pytest.raises(tt.InputError, match=f"{rows.name} has images .* Use the ticket's own data"):
            tt.evaluate(one, rows)
        with pytest.raises(tt.InputError, match="Use the ticket's own data"):
            predict_splits(one.ticket, one.weights, rows)


def test_an_evaluation_has_metrics_and_reliability_of_both_splits_and_predicts_each_once(trained, data, monkeypatch):
    predicted = []

    def note(spec, mask, weights, images, *noise):
        predicted.append(len(images))
        return predict(spec, mask, weights, images, *noise)

    predict = evaluation.predict
    monkeypatch.setattr(evaluation, "predict", note)
    found = evaluation_record(trained.ticket, data, predict_splits(trained.ticket, trained.weights, data))
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


# Variational networks

DRAWS = 3
CONFIG = EvaluateStep(draws=DRAWS, seed=5, passes=3)


@pytest.fixture(scope="module")
def digits(data, tmp_path_factory):
    """Some of MNIST, with few test rows."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    parts = {"x_train": data.x_train[:450], "y_train": data.y_train[:450]}
    np.savez(path, **parts, x_test=data.x_test[:400], y_test=data.y_test[:400])
    return DataConfig(path=str(path), train_rows=300, validation_rows=150)


@pytest.fixture(scope="module")
def rows(digits):
    return load_dataset(digits)


@pytest.fixture(scope="module")
def noise():
    """Images of nothing, of MNIST's shape."""
    random = np.random.default_rng(0)
    x_train, x_test = (random.integers(0, 256, (count, 28, 28), np.uint8) for count in (60, 40))
    labels = [np.arange(count) % 2 for count in (60, 40)]
    return tt.load_data("nothing", x_train=x_train, y_train=labels[0], x_test=x_test, y_test=labels[1])


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
def found(unsure, rows, noise):
    return evaluate_weights(unsure.ticket, unsure.weights, rows, CONFIG, noise)


def each_draw(trained, images, seed, draws=DRAWS):
    network = network_of(trained.ticket.model)
    network.assign(trained.ticket.mask, trained.weights)
    return np.array(list(predictions(network, images, draws, seed)))


def test_an_evaluation_of_a_variational_network_is_json_and_has_more(found):
    read = json.loads(json.dumps(found))
    assert {name: read[name] for name in read if name != "intervals"} == {
        name: found[name] for name in found if name != "intervals"
    }
    more = {"uncertainty", "passes", "posterior", "out_of_distribution"}
    usual = {"validation", "test", "reliability", "intervals", "density", "level", "emptied", "data"}
    assert set(found) == usual | more


def test_the_reported_numbers_are_those_of_the_pooled_draws(unsure, rows, found):
    assert found["test"] == tt.evaluate(unsure, rows, draws=DRAWS, seed=5)
    for split in ("validation", "test"):
        images, _ = rows.split(split)
        theirs = PosteriorPredictive(each_draw(unsure, images, 5)).uncertainty.means()
        assert found["uncertainty"][split] == pytest.approx(theirs, rel=1e-9)
        assert found["uncertainty"][split]["epistemic"] > 0


def test_passes_are_repeated_evaluations_by_draws_of_their_own_the_first_of_which_is_reported(unsure, rows, found):
    passes = found["passes"]
    assert set(passes) == set(METRICS)
    for name, values in passes.items():
        assert len(values) == 3
        assert values[0] == found["test"][name]
    assert len(set(passes["nll"])) == 3
    again = tt.evaluate(unsure, rows, draws=DRAWS, seed=seed_of_pass(5, 2))
    assert {name: values[2] for name, values in passes.items()} == again


def test_more_passes_change_no_other_number(unsure, rows, found):
    one = evaluate_weights(unsure.ticket, unsure.weights, rows, EvaluateStep(draws=DRAWS, seed=5, passes=1))
    assert all(len(values) == 1 for values in one["passes"].values())
    assert {name: value for name, value in one.items() if name != "passes"} == {
        name: found[name] for name in one if name != "passes"
    }


def test_the_posterior_of_a_layer_has_the_divergence_that_training_knows(unsure, rows, found):
    network = network_of(unsure.ticket.model)
    network.assign(unsure.ticket.mask, unsure.weights)
    assert list(found["posterior"]) == list(network.variational)
    for name, layer in network.variational.items():
        assert found["posterior"][name]["divergence"] == pytest.approx(float(kl_divergence(layer)), rel=1e-4)


def test_rows_from_elsewhere_are_told_apart_by_each_score(unsure, rows, noise, found):
    said = found["out_of_distribution"]
    assert (said["rows"], said["data"]) == (40, {"name": "nothing", "contents": noise.contents})
    assert set(said["auroc"]) == {"confidence", "entropy", "epistemic"}
    both = [PosteriorPredictive(each_draw(unsure, data.x_test, 5)).uncertainty for data in (rows, noise)]
    for score in ("entropy", "epistemic"):
        inside, outside = (getattr(one, score) for one in both)
        assert said["auroc"][score] == pytest.approx(auroc(inside, outside))


def test_a_deterministic_network_has_neither_draws_nor_epistemic_scores(trained, rows, noise):
    plain = evaluate_weights(trained.ticket, trained.weights, rows, EvaluateStep())
    assert plain == evaluation_record(trained.ticket, rows, predict_splits(trained.ticket, trained.weights, rows))
    told = []
    said = evaluate_weights(trained.ticket, trained.weights, rows, EvaluateStep(), noise, lambda *one: told.append(one))
    assert told == []
    assert set(said) - set(plain) == {"out_of_distribution"}
    scores = [
        ood_scores(evaluation.predict(trained.ticket.model, trained.ticket.mask, trained.weights, data.x_test))
        for data in (rows, noise)
    ]
    expected = {name: auroc(scores[0][name], scores[1][name]) for name in ("confidence", "entropy")}
    assert said["out_of_distribution"]["auroc"] == expected


def test_data_of_another_shape_are_refused_by_both_names(trained, rows):
    with pytest.raises(tt.InputError, match=r"cifar-10-small has images \(32, 32, 3\), and digits has .*\(28, 28, 1\)"):
        evaluate_weights(trained.ticket, trained.weights, rows, CONFIG, tt.load_data("cifar-10-small"))


def test_draws_and_seed_are_what_predictions_are_made_of(unsure, rows):
    images = rows.x_test[:5]
    with pytest.raises(tt.InputError, match="draws is 0; expected an integer >= 1"):
        unsure.predict(images, draws=0)
    with pytest.raises(tt.InputError, match="draws is 0"):
        tt.evaluate(unsure, rows, draws=0)
    one, other = (unsure.predict(images, draws=2, seed=seed) for seed in (0, 1))
    assert np.abs(one - other).max() > 0
    np.testing.assert_allclose(one, np.exp(each_draw(unsure, images, 0, draws=2)).mean(axis=0), rtol=1e-9)
    assert tt.evaluate(unsure, rows, draws=2, seed=1) != tt.evaluate(unsure, rows, draws=2)


@pytest.fixture
def step(tmp_path, unsure):
    """Makes the context of a step over the trained network."""
    unsure.ticket.save(tmp_path / TICKET)
    save_weights(tmp_path / WEIGHTS, unsure.weights, 20)

    def step(should_stop=lambda: False, progress=lambda done, total: None, **inputs):
        inputs = inputs or {"ticket": tmp_path, "trained": tmp_path}
        return StepContext(tmp_path, inputs, EventWriter(tmp_path / "events", 1), Execution(), should_stop, progress)

    return step


def test_the_step_tells_how_far_it_is_and_stops_between_draws(step, unsure, digits, rows):
    config, told = EvaluateStep(data=digits, draws=2, passes=2), []
    result = evaluate(step(progress=lambda *one: told.append(one)), config)
    assert told == [(done, 6) for done in range(1, 7)]  # two splits, and the test rows once more
    assert result == evaluate_weights(unsure.ticket, unsure.weights, rows, config)
    with pytest.raises(Stopped):
        evaluate(step(should_stop=lambda: True), config)


def test_an_ensemble_of_variational_networks_leaves_their_pruned_weights_out(step, tmp_path, unsure, digits, rows):
    members = {"ticket": tmp_path, "member 0": tmp_path, "member 1": tmp_path}
    result = ensemble(step(**members), EnsembleStep(data=digits, draws=4, seed=7))
    own = [seeds.derive(7, "member", number) for number in range(2)]
    one, other = (predict_splits(unsure.ticket, unsure.weights, rows, 4, seed)["test"] for seed in own)
    assert not np.array_equal(one, other)
    expected = all_metrics(np.logaddexp(one, other) - np.log(2), rows.y_test)
    assert result["test"] == pytest.approx(expected, rel=1e-9)
    assert result["members"] == 2


# Names of classes

NAMES = ["setosa", "versicolor", "virginica"]
SHORT = {"train": {"epochs": 1, "batch_size": 10}}


def flowers(classes=None, names=NAMES):
    """Rows of four features, of named classes in an order."""
    codes = np.arange(60) % 3
    rows = np.random.default_rng(0).normal(codes[:, None], 0.1, (60, 4))
    labels = np.array(names)[codes]
    return tt.load_data("flowers", x_train=rows, y_train=labels, x_test=rows, y_test=labels, classes=classes)


@pytest.fixture(scope="module")
def of_flowers():
    """Tickets made with data and without: dense, trained, sampled."""
    data = flowers()
    model = tt.build_model("lenet-300-100", data)
    dense = tt.Ticket.dense(model, data=data)
    without = tt.Ticket.dense(model, data=replace(data, class_names=("0", "1", "2")))
    sampled = tt.sample(without, data, draws=1, warmup=20, max_tree_depth=1)
    return {"dense": dense, "without": without, "trained": tt.train(without, data, **SHORT), "sampled": sampled}


OTHERS = {
    "another order": (NAMES[::-1], NAMES, r"label 0 is the class 'virginica', and for the ticket it is 'setosa'"),
    "fewer": (
        NAMES[1:],
        NAMES,
        r"label 0 is the class 'versicolor', .*classes=\['setosa', 'versicolor', 'virginica'\]",
    ),
    "other classes": (None, ["a", "b", "c"], r"label 0 is the class 'a', and for the ticket it is 'setosa'"),
}
MEETINGS = {
    "evaluate": lambda found, data: tt.evaluate(found["trained"], data),
    "evaluate a chain": lambda found, data: tt.evaluate(found["sampled"], data),
    "train": lambda found, data: tt.train(found["dense"], data, **SHORT),
    "train again": lambda found, data: tt.train(found["trained"].ticket, data, **SHORT),
    "sample": lambda found, data: tt.sample(found["dense"], data, draws=1, warmup=20),
    "evaluate weights": lambda found, data: evaluate_weights(
        found["dense"], found["dense"].start, data, EvaluateStep(seed=0)
    ),
    "predict": lambda found, data: predict_splits(found["dense"], found["dense"].start, data),
    "draw": lambda found, data: draw_mc_ticket(None, found["dense"], data, 0),
}


@pytest.mark.parametrize("meeting", MEETINGS)
@pytest.mark.parametrize("others", OTHERS)
def test_classes_in_another_order_or_of_other_names_are_refused(others, meeting, of_flowers):
    classes, names, message = OTHERS[others]
    with pytest.raises(tt.InputError, match=message):
        MEETINGS[meeting](of_flowers, flowers(classes, names))


@pytest.mark.parametrize("data", [flowers(), flowers(NAMES[:2]), flowers(names=["0", "1", "2"])], ids=repr)
def test_the_same_classes_fewer_in_their_order_or_without_names_are_evaluated(data, of_flowers):
    for found in ("trained", "sampled"):
        assert 0 <= tt.evaluate(of_flowers[found], data)["accuracy"] <= 1


@pytest.mark.parametrize(
    ("ours", "theirs", "refused"),
    [
        ([3, 8], [0, 1], "label 0 is the class '0', and for the ticket it is '3'"),
        (None, [3, 8], "label 0 is the class '3', and for the ticket it is '0'"),
        ([1, 0], [0, 1], "label 0 is the class '0', and for the ticket it is '1'"),
        ([0, 1], [1, 0], r"'0'.*Load them with classes=\['0', '1'\] \(data.classes in a configuration\)"),
        ([3, 8], [3, 8], None),
        (None, [0, 1], None),
    ],
)
def test_numbered_classes_are_compared(ours, theirs, refused):
    train, test = tt.Ticket.dense(tt.build_model("lenet-300-100", of := coded(ours)), data=of), coded(theirs)
    assert train.provenance["class_names"] == list(of.class_names)
    if refused is None:
        evaluate_weights(train, train.start, test, EvaluateStep(seed=0))
    else:
        with pytest.raises(tt.InputError, match=refused):
            evaluate_weights(train, train.start, test, EvaluateStep(seed=0))
    of_before = replace(train, provenance={"seed": 0})
    evaluate_weights(of_before, train.start, test, EvaluateStep(seed=0))


def coded(classes):
    """Rows of ten classes without names, of which some are chosen."""
    codes = np.arange(200) % 10
    rows = np.random.default_rng(0).normal(codes[:, None], 0.1, (200, 4))
    constants = {"x_train": rows, "y_train": codes, "x_test": rows, "y_test": codes, "normalise": "none"}
    return tt.load_data("codes", classes=classes, **constants)


def test_data_of_other_classes_and_another_size_get_advice_that_can_be_followed(of_flowers):
    wine = {"x_train": np.random.default_rng(0).normal(size=(60, 13)), "y_train": np.arange(60) % 3}
    other = tt.load_data("wine", **wine, x_test=wine["x_train"], y_test=wine["y_train"])
    with pytest.raises(tt.InputError, match=r"of a model that takes rows of 13 features\.$"):
        tt.evaluate(of_flowers["trained"], other)
    with pytest.raises(tt.InputError, match=r"Give data of the classes .*; or make"):
        tt.evaluate(of_flowers["trained"], flowers(names=["a", "b", "c"]))


def test_names_of_classes_are_kept_with_the_ticket(of_flowers, tmp_path):
    assert of_flowers["without"].provenance["class_names"] == ["0", "1", "2"]
    for ticket in (of_flowers["dense"], of_flowers["trained"].ticket, of_flowers["sampled"].ticket):
        ticket.save(tmp_path / "ticket.safetensors")
        assert tt.Ticket.load(tmp_path / "ticket.safetensors").provenance["class_names"] == NAMES
    moved = tt.transplant(of_flowers["dense"], of_flowers["without"], "mask")
    tt.train(moved, flowers(NAMES[::-1]), **SHORT)
    with pytest.raises(tt.InputError, match="class names are 'abc'; expected a list of texts"):
        replace(of_flowers["dense"], provenance={"class_names": "abc"})
