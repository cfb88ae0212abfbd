"""Variational inference from a notebook: the numbers of the lab's steps, and refusals."""

import pytest

import tfticket as tt
from tests.plans import DIGITS, assert_same
from tests.refusals import refused
from tfticket import seeds
from tfticket.config import (
    Control,
    ControlStep,
    DataConfig,
    Execution,
    ModelConfig,
    Population,
    StartStep,
    TrainConfig,
    TransplantStep,
    Variational,
)
from tfticket.lab import Lab
from tfticket.procedures.kl_tuning import tune as tune_in_lab
from tfticket.tickets.transplant import transplant

TRAIN = TrainConfig(epochs="4it", batch_size=32, evaluate_every="4it", objective={"evaluation_draws": 2})
POPULATION = Population(members=2, generations=2)
SEED = 5
pytestmark = pytest.mark.usefixtures("without_xla")


@pytest.fixture(scope="module")
def data():
    return tt.load_data(**DIGITS)


@pytest.fixture(scope="module")
def ticket(data):
    """Half of a dense network, at random."""
    return tt.control(tt.Ticket.dense(tt.build_model("lenet-300-100", data), data=data), "random-mask", densities=0.5)


def test_svi_trains_the_transplanted_mask(data, ticket):
    network = tt.to_variational(tt.build_model("lenet-300-100", data))
    onto = transplant(ticket, tt.Ticket.dense(network, SEED, data=data), "mask")
    for kl_weights, objective in (("unscaled", {"temperature": 300.0}), ({"dense_1": 0.01}, None)):
        trained = tt.svi(ticket, data, kl_weights=kl_weights, train=TRAIN, seed=SEED)
        config = TRAIN.objective.model_copy(update=objective or {"kl_weights": kl_weights})
        expected = tt.train(onto, data, train=TRAIN.model_copy(update={"objective": config}), seed=SEED)
        assert trained.ticket.is_variational
        assert_same(trained.weights, expected.weights)
        assert trained.history == expected.history


def test_tune_finds_the_weights_of_the_lab(data, ticket, tmp_path):
    lab, config = Lab(tmp_path, Execution(processes=1)), DataConfig(**DIGITS)
    label = {"seed": SEED, "level": 0, "density": 0.5}
    control = ControlStep(control=Control(name="random-mask", densities=0.5), seed=0)
    masked = lab.step("control", control, {"ticket": lab.step("start", StartStep(data=config, seed=0), label=label)})

    def start_member(member):
        model = ModelConfig(variational=Variational())
        step = StartStep(data=config, model=model, seed=seeds.derive(SEED, "member", member))
        inputs = {"ticket": masked, "onto": lab.step("start", step, label=label)}
        return lab.step("transplant", TransplantStep(carried="mask"), inputs, label)

    expected = tune_in_lab(lab, config, TRAIN, POPULATION, start_member, SEED, label)
    assert tt.tune(ticket, data, population=POPULATION, train=TRAIN, seed=SEED) == expected


def test_what_cannot_be_inferred_is_refused(data, ticket):
    for options, field, suggestion in (
        ({"kl_weights": "tuned"}, "kl_weights", "unscaled"),
        ({"kl_weights": {"dense_9": 1.0}}, "train.objective.kl_weights", None),
        ({"variational": {"prior": -1}}, "prior", None),
    ):
        with refused(field, suggestion):
            tt.svi(ticket, data, train=TRAIN, **options)
    variational = tt.Ticket.dense(tt.to_variational(tt.build_model("lenet-300-100", data)), data=data)
    for function in (tt.svi, tt.tune):
        with refused("ticket", "train", function.__name__):
            function(variational, data)
    with pytest.raises(tt.InputError, match="trained"):
        tt.svi(ticket, data, train=TRAIN, carried="trained")
    with refused("population.generations", None, "4 iterations", "9 generations"):
        tt.tune(ticket, data, population={"members": 2, "generations": 9}, train=TRAIN)
