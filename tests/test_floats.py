"""Data of floats, all the way: the bits of the same pixels, refusals, and another library's accuracy."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tests.real_run import make_run, tfticket
from tests.refusals import refused
from tests.sampling.problems import L, network, posterior_of, random_floats
from tfticket.data.normalisation import IDENTITY
from tfticket.inspection.inspect_ticket import inspect_ticket
from tfticket.registry import MODELS

TRAIN = {"epochs": "40it", "batch_size": 50, "evaluate_every": "40it"}


def as_floats(data, shape):
    """The same rows, holding what a network makes of their pixels."""
    rows = {f"x_{split}": data.split(split)[0] for split in ("train", "validation", "test")}
    inputs = {
        name: (images.astype(np.float32) * np.float32(1 / 255)).reshape(len(images), *shape)
        for name, images in rows.items()
    }
    return replace(data, **inputs, normalisation=IDENTITY)


def ticket_of(data):
    """A ticket of a small network by two levels of pruning, from ``seed`` 0."""
    flat = [L.Flatten()] if len(data.input_shape) == 3 else []
    model = network(data.input_shape, *flat, L.Dense(12, "relu", name="hidden"), L.Dense(10, name="logits"))
    return tt.find_tickets(model, data, sparsity=0.9, levels=2, train=TRAIN)[2]


@pytest.fixture(scope="module")
def both():
    """Floats and pixels of the same rows, each with its ticket."""
    pixels = tt.load_data(**DIGITS)
    return [(data, ticket_of(data)) for data in (as_floats(pixels, (8, 8, 1)), pixels)]


def test_tickets_and_their_training_are_those_of_the_same_pixels(both):
    ours, theirs = (tt.train(ticket, data, train=TRAIN) for data, ticket in both)
    assert_same(ours.ticket.mask, theirs.ticket.mask)
    assert_same(ours.weights, theirs.weights)
    assert ours.history == theirs.history
    (floats, _), (pixels, of_pixels) = both
    assert tt.evaluate(ours, floats) == tt.evaluate(theirs, pixels)
    np.testing.assert_array_equal(ours.predict(floats.x_test.astype(float)), theirs.predict(pixels.x_test))
    features = as_floats(pixels, (64,))
    of_features = ticket_of(features)
    assert_same(of_features.start, of_pixels.start)
    assert all(np.mean(kept != of_pixels.mask[path]) < 0.01 for path, kept in of_features.mask.items())  # rounding
    again = tt.train(of_features, features, train=TRAIN).history[-1]["nll"]
    assert again == pytest.approx(theirs.history[-1]["nll"], rel=1e-2)


@pytest.mark.parametrize("engine", ["sparse", "keras"])
def test_posteriors_are_those_of_the_same_pixels(engine, both):
    ours, theirs = (posterior_of(ticket, data, engine=engine) for data, ticket in both)
    u = ours.prior.draw(np.random.default_rng(0))
    for value, expected in zip(*(each.log_density_and_gradient(u) for each in (ours, theirs)), strict=True):
        np.testing.assert_array_equal(value, expected)
    rows = [data.x_test for data, _ in both]
    engines = [each.engine for each in (ours, theirs)]
    np.testing.assert_array_equal(*(e.logits(u, e.prepare(x)) for e, x in zip(engines, rows, strict=True)))


def variational(data, ticket):
    model = network((8, 8, 1), L.Flatten(), L.Dense(6, name="hidden"), L.Dense(10, name="logits"))
    model = tt.to_variational(model)
    train = {"epochs": "2it", "batch_size": 50, "objective": {"draws": 1}}
    trained = tt.train(tt.Ticket.dense(model, data=data), data, train=train)
    return trained.weights | {"predictions": trained.predict(data.x_test, draws=2)}


def drawn(data, ticket):
    dense = tt.Ticket.dense(ticket.build_model(), seed=5, data=data)
    return tt.draw_mc_ticket(tt.fit_survival_model(ticket, data), dense, data, 3).mask


def augmented(data, ticket):
    return tt.train(ticket, data, train=TRAIN | {"epochs": "3it", "augment": {"flip": True, "crop": 2}}).weights


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("make", [variational, drawn, augmented])
def test_what_is_made_of_floats_is_that_of_the_same_pixels(make, both):
    ours, theirs = (make(*pair) for pair in both)
    assert list(ours) == list(theirs)
    assert_same(ours, theirs)


# Refusals


@pytest.fixture(scope="module")
def features():
    """Five features, of which the first is constant, and an unpruned ticket."""
    data = random_floats(np.random.default_rng(0), (5,), rows=150)
    return data, tt.Ticket.dense(tt.build_model("lenet-300-100", data), data=data)


def untrained(ticket):
    return tt.TrainedTicket(ticket, ticket.start, [])


def test_a_ticket_of_floats_is_saved_with_what_its_rows_are_normalised_by(features, tmp_path):
    data, ticket = features
    ticket.save(tmp_path / "ticket.safetensors")
    loaded = tt.Ticket.load(tmp_path / "ticket.safetensors")
    assert loaded.model == ticket.model
    np.testing.assert_array_equal(*(untrained(each).predict(data.x_test) for each in (ticket, loaded)))


def test_floats_and_tickets_of_other_inputs_are_refused(features, both):
    (data, ticket), (pixels, _) = features, both[1]
    plain = tt.Ticket.dense(tt.build_model("lenet-300-100", data))
    for use in (tt.train, tt.sample, lambda ticket, data: tt.evaluate(untrained(ticket), data)):
        with refused("data", None, "float32", "uint8"):
            use(plain, data)
        with refused("data", None, "digits has images of uint8"):
            use(ticket, pixels)
    with refused("data", None, "rows of 5 features", "rows of 6 features"):
        tt.train(ticket, random_floats(np.random.default_rng(0), (6,), rows=150))
    other = random_floats(np.random.default_rng(0), (5,), rows=70)
    with pytest.raises(tt.InputError, match="normalisation"):
        tt.transplant(ticket, tt.Ticket.dense(tt.build_model("lenet-300-100", other), data=other))
    for augment in ({"flip": True}, {"crop": 1}):
        with refused("train.augment", None, "5 features"):
            tt.train(ticket, data, train={"augment": augment})
    for name in MODELS:
        if name != "lenet-300-100":
            with refused("model.name", "lenet-300-100", name, "30 features"):
                tt.build_model(name, input_shape=(30,), num_classes=2)


def test_features_are_predicted_in_any_form_in_which_they_are_loaded_and_what_is_none_is_refused(features, both):
    for rows, mention in (
        (np.zeros((3, 6)), "float32 [rows, 5]; got float64 (3, 6)"),
        (np.zeros((3, 5), complex), "complex128 (3, 5)"),
        (np.full((3, 5), "1.5"), "<U3 (3, 5)"),
        (np.full((3, 5), "1.5", object), "rows[0, 0] is '1.5'"),
        ([[1.0], [1.0, 2.0]], "rows"),
        (None, "NoneType"),
        (np.full((3, 5), np.nan), "rows[0, 0] is NaN"),
        (np.full((3, 5), 1e39), "rows[0, 0] is 1e+39"),
    ):
        with refused("rows", None, mention):
            untrained(features[1]).predict(rows)
    rows, trained = np.arange(15.0).reshape(3, 5), untrained(features[1])
    for form in (rows.tolist(), rows.astype(np.uint8), rows.astype(object)):
        np.testing.assert_array_equal(trained.predict(form), trained.predict(rows))
    floats, ticket = both[0]
    for kind in (np.uint8, int, bool):
        with refused("rows", None, "images float32 [rows, 8, 8, 1]"):
            untrained(ticket).predict(floats.x_test.astype(kind))


def test_an_inspection_of_features_says_that_they_have_no_picture(features):
    inside = inspect_ticket(features[1])
    assert (inside.receptive_fields, inside.dead_inputs.shape, inside.paths) == (None, (5,), 5 * 300 * 100 * 3)
    assert any("features" in note for note in inside.notes)


# From a file of a table to its report


def test_a_run_on_a_table_finds_tickets_as_good_as_regression(tmp_path, call):
    x, y = load_breast_cancer(return_X_y=True)  # 30 features of very different scales
    order = np.random.default_rng(0).permutation(len(x))
    x, y, tumours = x[order], np.array(["malignant", "benign"])[y[order]], tmp_path / "tumours.npz"
    np.savez(tumours, x_train=x[:400], y_train=y[:400], x_test=x[400:], y_test=y[400:])
    data = ["data.train_rows=null", "data.validation_rows=null", f"data.path={tumours}"]
    changes = ["seeds=[0]", "train.epochs=10ep", "train.batch_size=32", "train.evaluate_every=10ep"]
    run = make_run(tmp_path, *data, "data.stratify=true", *changes, "monte_carlo=[{}]", "controls=[]")
    with (run / "report" / "results.csv").open() as file:
        accuracy = {(row["arm"], int(row["level"])): float(row["test_accuracy"]) for row in csv.DictReader(file)}
    loaded = tt.load_data(path=tumours, stratify=True)
    regression = make_pipeline(StandardScaler(), LogisticRegression()).fit(loaded.x_train, loaded.y_train)
    expected = regression.score(loaded.x_test, loaded.y_test)
    assert expected > 0.93
    assert all(accuracy["ticket", level] > expected - 0.03 for level in (0, 1, 2))
    assert any(arm.startswith("monte-carlo") for arm, _ in accuracy)
    assert "features" in tfticket("inspect", "quickstart-smoke", "-w", tmp_path)
    options = [text for option in [*data, "train.augment.flip=true"] for text in ("-o", option)]
    code, _, err = call("-q", "run", "quickstart-smoke", "-w", tmp_path / "w", *options)
    assert (code, "30 features" in err, (tmp_path / "w").exists()) == (2, True, False)
