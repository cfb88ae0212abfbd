"""Variational inference from a notebook: the same numbers as the lab's steps, and refusals."""

import numpy as np
import pytest

import tfticket as tt
from tfticket import seeds
from tfticket.config import (
    Control,
    ControlStep,
    DataConfig,
    ModelConfig,
    Population,
    StartStep,
    TrainConfig,
    TransplantStep,
    Variational,
)
from tfticket.lab import Lab
from tfticket.listener import Listener
from tfticket.procedures.kl_tuning import tune as tune_in_lab
from tfticket.tickets.transplant import transplant

DATA = DataConfig(train_rows=300, validation_rows=100)
TRAIN = TrainConfig(epochs="8it", batch_size=32, evaluate_every="4it", objective={"evaluation_draws": 2})
POPULATION = Population(members=3, generations=2)
SEED = 5


@pytest.fixture(scope="module")
def data():
    return tt.load_data("mnist", train_rows=300, validation_rows=100)


@pytest.fixture(scope="module")
def ticket(data):
    """Half of a dense network, at random."""
    dense = tt.Ticket.dense(tt.build_model("lenet-300-100", data), data=data)
    return tt.control(dense, "random-mask", densities=0.5)


@pytest.mark.parametrize("kl_weights", ["default", "unscaled", {"dense_1": 0.01}])
def test_svi_trains_the_transplanted_mask(data, ticket, kl_weights):
    trained = tt.svi(ticket, data, kl_weights=kl_weights, train=TRAIN, seed=SEED)
    network = tt.to_variational(tt.build_model("lenet-300-100", data))
    onto = transplant(ticket, tt.Ticket.dense(network, SEED, data=data), "mask")
    objective = {
        "default": {},
        "unscaled": {"temperature": float(len(data.x_train))},
    }.get(kl_weights if isinstance(kl_weights, str) else "", {"kl_weights": kl_weights})
    config = TRAIN.model_copy(update={"objective": TRAIN.objective.model_copy(update=objective)})
    expected = tt.train(onto, data, train=config, seed=SEED)
    assert trained.ticket.is_variational
    for path, array in expected.weights.items():
        np.testing.assert_array_equal(trained.weights[path], array)
    assert trained.history == expected.history


def test_tune_finds_the_weights_of_the_lab(data, ticket, tmp_path):
    lab = Lab(tmp_path, listener=Listener())
    label = {"seed": SEED, "level": 0, "density": 0.5}
    dense = lab.step("start", StartStep(data=DATA, seed=0), label=label)
    control = ControlStep(control=Control(name="random-mask", densities=0.5), seed=0)
    masked = lab.step("control", control, {"ticket": dense})

    def start_member(member):
        step = StartStep(
            data=DATA, model=ModelConfig(variational=Variational()), seed=seeds.derive(SEED, "member", member)
        )
        inputs = {"ticket": masked, "onto": lab.step("start", step, label=label)}
        return lab.step("transplant", TransplantStep(carried="mask"), inputs, label)

    expected = tune_in_lab(lab, DATA, TRAIN, POPULATION, start_member, SEED, label)
    assert tt.tune(ticket, data, population=POPULATION, train=TRAIN, seed=SEED) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kl_weights": "tuned"}, "KL weights"),
        ({"kl_weights": {"dense_9": 1.0}}, "no variational layer 'dense_9'"),
        ({"carried": "trained"}, "trained"),
        ({"variational": {"prior": -1}}, "prior"),
    ],
)
def test_svi_refuses(data, ticket, options, message):
    with pytest.raises(tt.InputError, match=message):
        tt.svi(ticket, data, train=TRAIN, **options)


def test_a_variational_ticket_is_for_train(data):
    ticket = tt.Ticket.dense(tt.to_variational(tt.build_model("lenet-300-100", data)), data=data)
    for function in (tt.svi, tt.tune):
        with pytest.raises(tt.InputError, match=r"deterministic network; .* is variational\. Use train"):
            function(ticket, data)


def test_tune_needs_an_iteration_a_generation(data, ticket):
    with pytest.raises(tt.InputError, match="8 iterations cannot be cut in 9 generations"):
        tt.tune(ticket, data, population={"members": 2, "generations": 9}, train=TRAIN)
