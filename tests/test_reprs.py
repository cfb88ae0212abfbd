"""A notebook shows each object in one short line. Needs TensorFlow."""

import numpy as np

import tfticket as tt
from tfticket.backend import keras
from tfticket.tickets.survival_model import Logistic, TicketLayer
from tfticket.training.gradient import train_weights
from tfticket.training.hooks import Hooks

TRAIN = {"epochs": "2it", "batch_size": 20, "evaluate_every": "2it"}


def survival_model():
    fits = {"dense": {"magnitude": Logistic(-1.0, (1.0,), 300, 100)}}
    layer = TicketLayer(0.5, 1.2, tuple(np.linspace(0, 1, 1000)), tuple(np.linspace(0, 1, 1000)))
    paths = ("dense/kernel", "dense_1/kernel")
    provenance = {"network": "small", "families": dict.fromkeys(paths, "dense")}
    return tt.SurvivalModel(fits, dict.fromkeys(paths, layer), dict.fromkeys(paths, 288), 1, provenance=provenance)


def test_each_object_is_shown_in_one_short_line(without_xla):
    labels = np.arange(80) % 2
    images = np.random.default_rng(0).integers(0, 256, (80, 6, 6), dtype=np.uint8)
    data = tt.load_data("few", x_train=images, y_train=labels, x_test=images, y_test=labels)
    layers = [keras.layers.Flatten(), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers], name="small")
    tickets = tt.find_tickets(model, data, sparsity=0.5, levels=1, train=TRAIN)
    sampled = tt.sample(tickets[-1], data, draws=2, warmup=20, max_tree_depth=1)
    config, checkpoints, ticket = tt.TrainConfig(**TRAIN), [], tickets[-1]
    hooks = Hooks(checkpoint=checkpoints.append)
    trained = train_weights(ticket.model, ticket.mask, ticket.start, data, config, 0, until=1, hooks=hooks)
    objects = [data, sampled, survival_model(), ticket, tickets, config, tt.train(ticket, data, train=TRAIN)]
    inner = [sampled.chains[0], checkpoints[0], sampled.posterior, trained]
    inner += [sampled.posterior.layout, sampled.posterior.prior]
    public = {name for name in tt.__all__ if isinstance(getattr(tt, name), type)}
    public = {name for name in public if not issubclass(getattr(tt, name), Exception)}
    assert public <= {type(each).__name__ for each in objects}
    for each in (*objects, *inner):
        assert type(each).__name__ in repr(each)
        assert "\n" not in repr(each)
        assert len(repr(each)) < 200, repr(each)
    assert all(part in repr(objects[2]) for part in ("small", "level 1", "2 layers"))
    assert "20" in repr(sampled.chains[0])
    assert all(part in repr(trained) for part in ("1 iteration", "4 weights", "1 evaluation"))
