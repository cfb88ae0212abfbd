"""What a notebook shows of an object is one short line. Needs TensorFlow."""

import numpy as np
import pytest

import tfticket as tt
from tfticket.backend import keras
from tfticket.config import SampleConfig
from tfticket.presets import load_experiment
from tfticket.tickets.survival_model import Logistic, TicketLayer
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks

TRAIN = {"epochs": "2it", "batch_size": 20, "evaluate_every": "2it"}


def sampler():
    fits = {"dense": {"magnitude": Logistic(-1.0, (1.0,), 300, 100)}}
    layer = TicketLayer(0.5, 1.2, tuple(np.linspace(0, 1, 1000)), tuple(np.linspace(0, 1, 1000)))
    paths = ("dense/kernel", "dense_1/kernel")
    families = dict.fromkeys(paths, "dense")
    provenance = {"network": "small", "families": families}
    return tt.SurvivalModel(fits, dict.fromkeys(paths, layer), dict.fromkeys(paths, 288), 1, provenance=provenance)


@pytest.fixture(scope="module")
def shown(without_xla):
    """Public objects, and what these lead to, by name."""
    labels = np.arange(80) % 2
    images = np.random.default_rng(0).integers(0, 256, (80, 6, 6), dtype=np.uint8)
    data = tt.load_data("few", x_train=images, y_train=labels, x_test=images, y_test=labels)
    layers = [keras.layers.Flatten(), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers], name="small")
    tickets = tt.find_tickets(model, data, sparsity=0.5, levels=1, train=TRAIN)
    sampled = tt.sample(tickets[-1], data, draws=2, warmup=20, max_tree_depth=1)
    config, checkpoints = tt.TrainConfig(**TRAIN), []
    ticket = tickets[-1]
    options = {"until": 1, "hooks": Hooks(checkpoint=checkpoints.append)}
    trained = train_weights(ticket.model, ticket.mask, ticket.start, data, config, 0, **options)
    found = {
        "Dataset": data,
        "SampledTicket": sampled,
        "SurvivalModel": sampler(),
        "Ticket": ticket,
        "TicketSeries": tickets,
        "TrainConfig": config,
        "TrainedTicket": tt.train(ticket, data, train=TRAIN),
        "Chain": sampled.chains[0],
        "Checkpoint": checkpoints[0],
        "Layout": sampled.posterior.layout,
        "Posterior": sampled.posterior,
        "Prior": sampled.posterior.prior,
        "TrainingResult": trained,
    }
    return {name: repr(each) for name, each in found.items()}


def test_each_object_is_shown_in_one_short_line(shown):
    public = [name for name in tt.__all__ if isinstance(getattr(tt, name), type)]
    assert {name for name in public if not issubclass(getattr(tt, name), Exception)} <= set(shown)
    for name, text in shown.items():
        assert name in text
        assert "\n" not in text
        assert len(text) < 200, text


def test_the_line_says_what_it_is_of(shown):
    assert shown["SurvivalModel"] == "SurvivalModel(small, level 1, 2 layers, models of dense)"
    assert shown["Chain"].endswith("after 20 of the warm-up)")
    assert shown["TrainingResult"] == "TrainingResult(1 iterations, 4 weights, 1 evaluations)"
    assert shown["TrainConfig"] == "TrainConfig(epochs='2it', batch_size=20, evaluate_every='2it')"


def test_a_configuration_shows_what_differs_from_the_defaults():
    assert repr(tt.TrainConfig()) == "TrainConfig()"
    assert repr(SampleConfig(draws=7, prior="uniform(-1, 1)")) == (
        "SampleConfig(draws=7, prior=PriorConfig(name='uniform'))"
    )
    text = repr(load_experiment("quickstart-smoke"))
    assert "\n" not in text
    assert text.startswith("Config(")
