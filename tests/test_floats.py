"""Data of floats, all the way: the bits of the same pixels, what does not fit, and what another library finds."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tfticket as tt
from tests.real_run import make_run, tfticket
from tests.sampling.problems import L, inputs_of, network, posterior_of, random_floats
from tfticket.config import Augment, check_augment
from tfticket.data import Dataset
from tfticket.data.normalisation import IDENTITY
from tfticket.evaluation.connectivity import Connectivity
from tfticket.inspection.ticket import inspect_ticket
from tfticket.registry import MODELS
from tfticket.tickets.mc_tickets import draw_mc_ticket, fit_survival_model
from tfticket.tickets.transplant import transplant

TRAIN = {"epochs": "20it"}


def as_floats(data: Dataset, shape: tuple[int, ...]) -> Dataset:
    """The same rows, holding what a network makes of their pixels."""

    def rows(split):
        images = data.split(split)[0]
        return (images.astype(np.float32) * np.float32(1 / 255)).reshape(len(images), *shape)

    names = ("train", "validation", "test")
    return replace(data, **{f"x_{name}": rows(name) for name in names}, normalisation=IDENTITY)


@pytest.fixture(scope="module")
def floats(data):
    return as_floats(data, (28, 28, 1))


def found_in(data):
    """A ticket of a small network by two levels of pruning, from ``seed`` 0."""
    flat = [L.Flatten()] if len(data.input_shape) == 3 else []
    model = network(data.input_shape, *flat, L.Dense(12, "relu", name="hidden"), L.Dense(10, name="logits"))
    return tt.find_tickets(model, data, sparsity=0.9, levels=2, train=TRAIN)[2]


@pytest.fixture(scope="module")
def ticket(floats):
    return found_in(floats)


@pytest.fixture(scope="module")
def of_pixels(data):
    return found_in(data)


def assert_same(ours, theirs):
    assert list(ours) == list(theirs)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_tickets_and_their_training_are_those_of_the_same_pixels(floats, ticket, data, of_pixels):
    assert_same(ticket.mask, of_pixels.mask)
    ours, theirs = (tt.train(one, rows, train=TRAIN) for one, rows in ((ticket, floats), (of_pixels, data)))
    assert_same(ours.weights, theirs.weights)
    assert ours.history == theirs.history
    assert tt.evaluate(ours, floats) == tt.evaluate(theirs, data)
    np.testing.assert_array_equal(ours.predict(floats.x_test.astype(float)), theirs.predict(data.x_test))


def test_features_train_as_the_same_images_do(data, of_pixels):
    features = as_floats(data, (784,))
    ticket = found_in(features)
    assert_same(ticket.start, of_pixels.start)
    differing = {path: np.mean(kept != of_pixels.mask[path]) for path, kept in ticket.mask.items()}
    assert max(differing.values()) < 1e-3  # sums of 784 products are rounded in another order
    expected = tt.train(of_pixels, data, train=TRAIN).history[-1]["nll"]
    assert tt.train(ticket, features, train=TRAIN).history[-1]["nll"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("engine", ["sparse", "keras"])
def test_posteriors_are_those_of_the_same_pixels(engine, floats, ticket, data, of_pixels):
    ours, theirs = (posterior_of(one, rows, engine=engine) for one, rows in ((ticket, floats), (of_pixels, data)))
    u = ours.prior.draw(np.random.default_rng(0))
    (value, gradient), (expected, slope) = (each.log_density_and_gradient(u) for each in (ours, theirs))
    assert value == expected
    np.testing.assert_array_equal(gradient, slope)
    logits = [
        each.engine.logits(u, each.engine.prepare(rows.x_test)) for each, rows in ((ours, floats), (theirs, data))
    ]
    np.testing.assert_array_equal(*logits)


@pytest.mark.usefixtures("without_xla")
def test_variational_networks_are_those_of_the_same_pixels(floats, data):
    found = []
    for rows in (floats, data):
        model = tt.to_variational(
            network((28, 28, 1), L.Flatten(), L.Dense(6, name="hidden"), L.Dense(10, name="logits"))
        )
        trained = tt.train(tt.Ticket.dense(model, data=rows), rows, train={"epochs": "2it", "objective": {"draws": 1}})
        found.append((trained.weights, trained.predict(rows.x_test[:100], draws=2)))
    (ours, predicted), (theirs, expected) = found
    assert_same(ours, theirs)
    np.testing.assert_array_equal(predicted, expected)


def test_monte_carlo_tickets_are_those_of_the_same_pixels(floats, ticket, data, of_pixels):
    found = []
    for one, rows in ((ticket, floats), (of_pixels, data)):
        dense = tt.Ticket.dense(one.build_model(), seed=5, data=rows)
        found.append(draw_mc_ticket(fit_survival_model(one, rows), dense, rows, 3).mask)
    assert_same(*found)


def test_connectivity_of_standardised_features_is_their_mean_absolute_input():
    data = random_floats(np.random.default_rng(0), (6,), rows=500)
    ticket = tt.Ticket.dense(tt.build_model("lenet-300-100", data), data=data)
    found = Connectivity(ticket.model, ticket.start, data.x_train).of(["dense_1/kernel", "dense_2/kernel"], ticket.mask)
    inputs = inputs_of(data, data.x_train)
    np.testing.assert_allclose(found["dense_1/kernel"], np.abs(inputs).mean(axis=0), rtol=1e-4, atol=1e-6)
    hidden = np.maximum(inputs @ ticket.start["dense_1/kernel"] + ticket.start["dense_1/bias"], 0).mean(axis=0)
    np.testing.assert_allclose(found["dense_2/kernel"], hidden, rtol=1e-4, atol=1e-5)


# What does not fit


@pytest.fixture(scope="module")
def features():
    """Five features, of which the first is constant."""
    return random_floats(np.random.default_rng(0), (5,), rows=150)


@pytest.fixture(scope="module")
def of_features(features):
    return tt.Ticket.dense(tt.build_model("lenet-300-100", features), data=features)


def test_a_ticket_of_floats_is_saved_with_what_its_rows_are_normalised_by(features, of_features, tmp_path):
    of_features.save(tmp_path / "ticket.safetensors")
    loaded = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert loaded.model == of_features.model
    one, other = (tt.TrainedTicket(ticket, ticket.start, []) for ticket in (of_features, loaded))
    np.testing.assert_array_equal(one.predict(features.x_test), other.predict(features.x_test))


def evaluated(ticket, data):
    return tt.evaluate(tt.TrainedTicket(ticket, ticket.start, []), data)


@pytest.mark.parametrize("use", [tt.train, tt.sample, evaluated])
def test_floats_meet_no_ticket_of_pixels_nor_pixels_one_of_floats(use, features, of_features, data):
    plain = tt.Ticket.dense(tt.build_model("lenet-300-100", features))
    with pytest.raises(tt.InputError, match=r"^rows has rows of float32, and this ticket takes uint8\. Make it for"):
        use(plain, features)
    with pytest.raises(tt.InputError, match=r"^mnist has images of uint8, and this ticket takes float32\. Make it for"):
        use(of_features, data)


def test_features_of_another_number_are_refused(of_features):
    others = random_floats(np.random.default_rng(0), (6,), rows=150)
    with pytest.raises(tt.InputError, match=r"takes rows of 5 features .*; rows has rows of 6 features"):
        tt.train(of_features, others)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 6)), r"^Expected rows float32 \[rows, 5\]; got float64 \(3, 6\)\.$"),
        (np.zeros(5), r"got float64 \(5,\)"),
        (np.zeros((3, 5), complex), r"got complex128 \(3, 5\)"),
        (np.full((3, 5), "1.5"), r"got <U3 \(3, 5\)"),
        (np.full((3, 5), "1.5", object), r"^rows\[0, 0\] is '1.5'; expected numbers"),
        ([[1.0], [1.0, 2.0]], "^rows is"),
        (None, "^rows is NoneType"),
        (np.full((3, 5), np.nan), r"^rows\[0, 0\] is NaN; expected numbers"),
        (np.full((3, 5), 1e39), r"^rows\[0, 0\] is 1e\+39; expected at most"),
    ],
)
def test_rows_that_are_no_features_of_the_network_are_refused(rows, message, of_features):
    with pytest.raises(tt.InputError, match=message):
        tt.TrainedTicket(of_features, of_features.start, []).predict(rows)


@pytest.mark.parametrize("change", [lambda x: x.tolist(), lambda x: x.astype(np.uint8), lambda x: x.astype(object)])
def test_features_are_predicted_in_any_form_in_which_they_are_loaded(change, of_features):
    rows = np.arange(15.0).reshape(3, 5)
    trained = tt.TrainedTicket(of_features, of_features.start, [])
    np.testing.assert_array_equal(trained.predict(change(rows)), trained.predict(rows))


@pytest.mark.parametrize("kind", [np.uint8, int, bool])
def test_pixels_are_no_floats(kind, floats, ticket):
    with pytest.raises(tt.InputError, match=r"^Expected images float32 \[rows, 28, 28, 1\]; got "):
        tt.TrainedTicket(ticket, ticket.start, []).predict(floats.x_test.astype(kind))


@pytest.mark.parametrize("name", [name for name in MODELS if name != "lenet-300-100"])
def test_networks_for_images_refuse_features(name):
    with pytest.raises(
        tt.InputError, match=rf"^{name} takes images \[height, width, channels\]; these are rows of 30 features\. Take"
    ):
        tt.build_model(name, input_shape=(30,), num_classes=2)


def test_features_are_not_augmented(features, of_features):
    for augment in ({"flip": True}, {"crop": 1}):
        with pytest.raises(tt.InputError, match=r"augment moves and mirrors images; the data are rows of 5 features"):
            tt.train(of_features, features, train={"augment": augment})
    check_augment(Augment(), features.input_shape)


def test_images_of_floats_are_augmented_as_pixels_are(floats, ticket, data, of_pixels):
    train = {"epochs": "3it", "augment": {"flip": True, "crop": 2}}
    ours, theirs = (tt.train(one, rows, train=train) for one, rows in ((ticket, floats), (of_pixels, data)))
    assert_same(ours.weights, theirs.weights)


def test_a_transplant_between_other_inputs_says_which(features, of_features, data):
    images = random_floats(np.random.default_rng(0), (5,), rows=70)
    other = tt.Ticket.dense(tt.build_model("lenet-300-100", images), data=images)
    with pytest.raises(tt.InputError, match=r"inputs' normalisation is \{.*\.\.\. in the first and \{.*\.\.\. in the"):
        transplant(of_features, other)


def test_an_inspection_of_features_says_that_they_have_no_picture(of_features):
    found = inspect_ticket(of_features)
    assert found.receptive_fields is None
    assert any("features" in note for note in found.notes)
    assert found.dead_inputs.shape == (5,)
    assert found.paths == 5 * 300 * 100 * 3


# From a file of a table to its report


@pytest.fixture(scope="module")
def tumours(tmp_path_factory):
    """A file of 569 tumours with 30 features each, of very different scales."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], np.array(["malignant", "benign"])[y[order]]
    path = tmp_path_factory.mktemp("tumours") / "tumours.npz"
    np.savez(path, x_train=x[:400], y_train=y[:400], x_test=x[400:], y_test=y[400:])
    return path


def test_a_run_on_a_table_finds_tickets_as_good_as_regression(tumours, tmp_path):
    changes = ["seeds=[0]", "train.epochs=10ep", "train.batch_size=32", "train.evaluate_every=10ep"]
    changes += [
        "data.train_rows=null",
        "data.validation_rows=null",
        "data.stratify=true",
        "monte_carlo=[{}]",
        "controls=[]",
    ]
    run = make_run(tmp_path, "data.name=tumours", f"data.path={tumours}", *changes)
    with (run / "report" / "results.csv").open() as file:
        accuracy = {(row["arm"], int(row["level"])): float(row["test_accuracy"]) for row in csv.DictReader(file)}
    data = tt.load_data(path=tumours, stratify=True)
    regression = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.x_train, data.y_train)
    expected = regression.score(data.x_test, data.y_test)
    assert expected > 0.93
    for level in (0, 1, 2):
        assert accuracy["ticket", level] > expected - 0.03
    assert any(arm.startswith("monte-carlo") for arm, _ in accuracy)
    shown = tfticket("inspect", "quickstart-smoke", "-w", tmp_path)
    assert "The inputs are features" in " ".join(shown.split())


def test_a_run_that_would_augment_a_table_is_refused_before_it_begins(tumours, tmp_path, call):
    options = [f"data.path={tumours}", "data.train_rows=null", "data.validation_rows=null", "train.augment.flip=true"]
    given = [text for option in options for text in ("-o", option)]
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path / "w", *given)
    assert code == 2
    assert "train.augment moves and mirrors images; the data are rows of 30 features" in " ".join(err.split())
    assert not (tmp_path / "w").exists()
