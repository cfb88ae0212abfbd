"""Needs TensorFlow."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import tfticket as tt
from tfticket.config import PruneStep
from tfticket.tickets.iterative import iterative_pruning, prune_ticket

SHORT = {"epochs": "20it"}


@pytest.fixture(scope="module")
def model(data):
    return tt.build_model("lenet-300-100", data)


def test_the_procedure_trains_prunes_and_hands_on():
    calls = []

    def train(ticket):
        calls.append(f"train {ticket}")
        return f"{ticket}'"

    def prune(ticket, trained):
        calls.append(f"prune {trained}")
        return ticket + 1

    assert list(iterative_pruning(0, 2, train, prune)) == [0, 1, 2]
    assert calls == ["train 0", "prune 0'", "train 1", "prune 1'"]


@pytest.mark.parametrize("scope", ["global", "layerwise"])
def test_magnitude_pruning_keeps_the_largest_trained_weights_and_the_first_start(model, scope):
    dense = tt.Ticket.dense(model, seed=0)
    random = np.random.default_rng(0)
    trained = {path: random.normal(size=array.shape).astype(np.float32) for path, array in dense.start.items()}
    pruned = prune_ticket(dense, trained, PruneStep(rate=0.3, scope=scope, seed=0))
    for path, kept in pruned.mask.items():
        assert np.abs(trained[path][kept]).min() > np.abs(trained[path][~kept]).max() or scope == "global"
    every = np.concatenate([np.abs(trained[path]).ravel() for path in pruned.mask])
    kept = np.concatenate([kept.ravel() for kept in pruned.mask.values()])
    assert every[kept].min() > every[~kept].max() or scope == "layerwise"
    assert pruned.start is dense.start
    assert pruned.level == 1


def test_tickets_have_the_densities_that_the_target_asks_for(model, data):
    series = tt.find_tickets(model, data, sparsity=0.9, levels=3, train=SHORT, seed=5)
    assert [ticket.level for ticket in series] == [0, 1, 2, 3]
    np.testing.assert_allclose([ticket.density for ticket in series], [0.1 ** (k / 3) for k in range(4)], atol=2e-5)
    for above, below in itertools.pairwise(series):
        for path in above.mask:
            assert not np.any(below.mask[path] & ~above.mask[path])
    assert series.at(sparsity=0.8).level == 2
    assert series.at(sparsity=0.9, exact=True).level == 3
    with pytest.raises(tt.InputError, match="No level has sparsity"):
        series.at(sparsity=0.8, exact=True)
    with pytest.raises(tt.InputError, match="0 <= sparsity < 1"):
        series.at(sparsity=1.0)


def test_rewinding_to_an_iteration_starts_from_the_dense_networks_weights_there(model, data):
    config = tt.TrainConfig(**SHORT)
    series = tt.find_tickets(model, data, rate=0.5, levels=2, rewind=8, train=config, seed=5)
    from tfticket.training.gradient import train_weights

    dense = series[0]
    there = train_weights(dense.model, dense.mask, dense.start, data, config, 5, keep=("8it",)).kept[8]
    for ticket in series[1:]:
        assert ticket.iteration == 8
        for path, array in there.items():
            np.testing.assert_array_equal(ticket.start[path], array)
            np.testing.assert_array_equal(ticket.initial[path], dense.start[path])


def test_learning_rate_rewinding_keeps_the_trained_weights(model, data):
    config = tt.TrainConfig(**SHORT)
    series = tt.find_tickets(model, data, rate=0.5, levels=2, rewind="none", train=config, seed=5)
    for above, below in itertools.pairwise(series):
        trained = tt.train(above, data, train=config, seed=5)
        np.testing.assert_array_equal(below.start["dense_1/kernel"], trained.weights["dense_1/kernel"])
        assert below.iteration == 0


def test_random_scores_prune_without_a_look_at_the_weights(model, data):
    series = tt.find_tickets(model, data, rate=0.5, levels=1, score="random", train=SHORT, seed=5)
    kept = series[1].mask["dense_1/kernel"]
    magnitudes = np.abs(tt.train(series[0], data, train=SHORT, seed=5).weights["dense_1/kernel"])
    assert abs(magnitudes[kept].mean() / magnitudes[~kept].mean() - 1) < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 1.0}, "sparsity"),
        ({"sparsity": -0.1}, "sparsity"),
        ({"levels": 0}, "levels"),
        ({"sparsity": 0.5, "rate": 0.5}, "either sparsity"),
        ({"score": "magnitud"}, "Did you mean 'magnitude'"),
        ({"scope": "local"}, "scope"),
        ({"exempt": ["dense_9"]}, "dense_9"),
        ({"rewind": "later"}, "rewind"),
        ({"rewind": "50it"}, "earlier moment"),
        ({"rate": 0.9, "levels": 5, "scope": "layerwise"}, "empty dense_3"),
        ({"train": {"epoch": 3}}, "Did you mean 'epochs'"),
        ({"levels": True}, "levels: expected a whole number"),
        ({"levels": np.float64(2)}, "levels: expected a whole number"),
        ({"rate": True}, "rate: expected a number"),
        ({"exempt": 5}, "exempt: expected a list"),
        ({"exempt": [True]}, "exempt.0: expected a text"),
        ({"rates": "dense_1"}, "rates: expected names and values"),
        ({"rates": {"dense_1": True}}, "rates.dense_1: expected a number"),
        ({"rewind": True}, "rewind: expected a duration"),
        ({"rewind": np.int64(50)}, r"rewind 50it.*earlier moment"),
        ({"train": 0}, "train: expected a table"),
        ({"train": []}, "train: expected a table"),
        ({"train": {"batch_size": True}}, "batch_size: expected a whole number"),
        ({"train": {"batch_size": np.int64(3000)}}, "batch_size is 3,000, but there are 2,000 training rows"),
        ({"train": {"epochs": 1, "milestones": ["1ep"]}}, "train.milestones: 1ep is iteration 16"),
        ({"train": {"batch_size": 3000}}, r"Take at most 2,000\. In Python: train=\{'batch_size': 2000\}"),
        ({"seed": True}, "The seed is True"),
        ({"seed": 2**128}, "The seed is 340"),
    ],
)
def test_bad_options_are_refused(model, data, options, message):
    with pytest.raises(tt.InputError, match=message):
        tt.find_tickets(model, data, **{"train": SHORT, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": None}, "Expected a tf_keras model, got NoneType"),
        ({"seed": "a"}, "The seed is 'a'"),
        ({"start": "curent"}, "Unknown start 'curent'"),
    ],
)
def test_the_model_and_the_arguments_are_checked_before_the_budget(model, data, options, message):
    with pytest.raises(tt.InputError, match=message):
        tt.find_tickets(**{"model": model, "data": data, "train": {"batch_size": 3000}, **options})


def test_a_users_model_gets_tickets(data):
    from tfticket.backend import keras

    stack = [keras.Input((28, 28, 1)), keras.layers.Conv2D(4, 5, 2, activation="relu"), keras.layers.Flatten()]
    own = keras.Sequential([*stack, keras.layers.BatchNormalization(), keras.layers.Dense(10)])
    series = tt.find_tickets(own, data, rate=0.5, levels=1, train=SHORT)
    point = tt.train(series[1], data, train={"epochs": 20})
    assert tt.evaluate(point, data)["accuracy"] > 0.6
    probabilities = point.predict(data.x_test[:7])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    for path, kept in series[1].mask.items():
        assert not point.weights[path][~kept].any()


def test_pruning_is_the_same_for_equal_seeds(model):
    dense = tt.Ticket.dense(model, seed=0)
    flat = {path: np.ones_like(array) for path, array in dense.start.items()}
    one, same, other = (prune_ticket(dense, flat, PruneStep(rate=0.5, seed=seed)) for seed in (1, 1, 2))
    for path in one.mask:
        np.testing.assert_array_equal(one.mask[path], same.mask[path])
    assert any(np.any(one.mask[path] != other.mask[path]) for path in one.mask)
    assert replace(one, level=0).density == 0.5
