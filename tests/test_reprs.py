"""A notebook shows each object in one short line. Needs TensorFlow."""

import numpy as np

import tfticket as tt
from tfticket.backend import keras
from tfticket.tickets.survival_model import Logistic, TicketLayer

TRAIN = {"epochs": "2it", "batch_size": 20, "evaluate_every": "2it"}


def test_each_object_is_shown_in_one_short_line(without_xla):
    images, labels = np.random.default_rng(0).integers(0, 256, (80, 6, 6), dtype=np.uint8), np.arange(80) % 2
    data = tt.load_data("few", x_train=images, y_train=labels, x_test=images, y_test=labels)
    layers = [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(8), keras.layers.Dense(2)]
    tickets = tt.find_tickets(keras.Sequential(layers), data, sparsity=0.5, levels=1, train=TRAIN)
    sampled = tt.sample(tickets[-1], data, draws=2, warmup=20, max_tree_depth=1)
    bins, paths = tuple(np.linspace(0, 1, 1000)), ("dense/kernel", "dense_1/kernel")
    fits, layer = {"dense": {"magnitude": Logistic(-1.0, (1.0,), 300, 100)}}, TicketLayer(0.5, 1.2, bins, bins)
    provenance = {"network": "small", "families": dict.fromkeys(paths, "dense")}
    layers = dict.fromkeys(paths, layer)
    survival = tt.SurvivalModel(fits, layers, dict.fromkeys(paths, 288), 1, provenance=provenance)
    trained, config = tt.train(tickets[-1], data, train=TRAIN), tt.TrainConfig(**TRAIN)
    objects = [data, sampled, survival, tickets[-1], tickets, config, trained]
    public = {each for each in (getattr(tt, name) for name in tt.__all__) if isinstance(each, type)}
    assert {cls for cls in public if not issubclass(cls, Exception)} <= {type(each) for each in objects}
    for each in (*objects, sampled.chains[0], sampled.posterior, sampled.posterior.layout, sampled.posterior.prior):
        assert type(each).__name__ in repr(each)
        assert "\n" not in repr(each)
        assert len(repr(each)) < 200, repr(each)
    assert all(part in repr(survival) for part in ("small", "level 1", "2 layers"))
