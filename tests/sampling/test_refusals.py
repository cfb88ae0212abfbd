"""Which networks the engines take. Needs TensorFlow."""

import numpy as np
import pytest

from tests.sampling.problems import (
    L,
    keras_engine,
    network,
    posterior_of,
    random_data,
    random_mask,
    random_weights,
    small_network,
    ticket_of,
)
from tfticket.backend import keras
from tfticket.config import SampleConfig
from tfticket.config.schema import validate
from tfticket.errors import InputError
from tfticket.sampling.build import check_engine

SHAPE = (6, 6, 2)


def branching():
    x = images = keras.Input(SHAPE)
    left, right = (L.Conv2D(2, 3)(x) for _ in range(2))
    return keras.Model(images, L.Dense(3)(L.Flatten()(left + right)))


def with_a_shortcut():
    x = images = keras.Input(SHAPE)
    x = L.Conv2D(2, 3, padding="same")(x)
    return keras.Model(images, L.Dense(3)(L.Flatten()(L.Add()([x, images]))))


def one_layer_twice():
    x = images = keras.Input(SHAPE)
    shared = L.Dense(72, activation="relu")
    return keras.Model(images, L.Dense(3)(shared(shared(L.Flatten()(x)))))


def frozen_layer():
    return network(SHAPE, L.Conv2D(2, 3, trainable=False), L.Flatten(), L.Dense(3))


UNKNOWN = {
    "branching": (branching, "is not a chain of layers"),
    "shortcut": (with_a_shortcut, "is not a chain of layers"),
    "shared": (one_layer_twice, "is not a chain of layers"),
    "sigmoid": (
        lambda: network(SHAPE, L.Flatten(), L.Dense(4, activation="sigmoid"), L.Dense(3)),
        "has the activation sigmoid",
    ),
    "relu6": (lambda: network(SHAPE, L.ReLU(6.0), L.Flatten(), L.Dense(3)), "has the activation ReLU with options"),
    "dense on pixels": (
        lambda: network(SHAPE, L.Dense(4, activation="relu"), L.Flatten(), L.Dense(3)),
        "is applied to each pixel of an image",
    ),
    "dilated": (
        lambda: network(SHAPE, L.Conv2D(3, 2, dilation_rate=2), L.Flatten(), L.Dense(3)),
        "is grouped, dilated or has its channels first",
    ),
    "grouped": (
        lambda: network(SHAPE, L.Conv2D(4, 2, groups=2), L.Flatten(), L.Dense(3)),
        "is grouped, dilated or has its channels first",
    ),
    "depthwise": (lambda: network(SHAPE, L.DepthwiseConv2D(2), L.Flatten(), L.Dense(3)), "is a DepthwiseConv2D"),
    "rescaling": (lambda: network(SHAPE, L.Rescaling(2.0), L.Flatten(), L.Dense(3)), "is a Rescaling"),
    "ends in a pool": (
        lambda: network(SHAPE, L.Conv2D(3, 3), L.GlobalAveragePooling2D()),
        "does not end in a layer that gives logits",
    ),
    "flattened with its channels first": (
        lambda: network(SHAPE, L.Conv2D(3, 3), L.Flatten(data_format="channels_first"), L.Dense(3)),
        "has its channels first",
    ),
    "frozen": (frozen_layer, "conv2d.* is not trained"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_network_that_the_sparse_engine_does_not_know_is_refused_and_sampled_by_keras(name):
    make, why = UNKNOWN[name]
    random = np.random.default_rng(0)
    data = random_data(random, SHAPE, rows=20)
    ticket = ticket_of(make(), data)
    with pytest.raises(InputError, match=rf"^The sparse engine cannot run this network: .*{why}.*Use engine: keras\.$"):
        posterior_of(ticket, data, engine="sparse")
    posterior = posterior_of(ticket, data, engine="auto")
    assert posterior.engine.name == "keras"
    found, gradient = posterior.log_density_and_gradient(posterior.prior.draw(random))
    assert np.isfinite(found)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize(("density", "chosen"), [(0.3, "sparse"), (0.4, "keras")])
def test_a_known_network_is_sampled_by_the_sparse_engine_where_few_weights_are_left(density, chosen):
    random = np.random.default_rng(0)
    data, model = random_data(random, (4, 4, 1)), small_network()
    ticket = ticket_of(model, data, random_mask(random, model, density))
    found = {wanted: posterior_of(ticket, data, engine=wanted) for wanted in ("auto", "sparse", "keras")}
    names = {wanted: posterior.engine.name for wanted, posterior in found.items()}
    assert names == {"auto": chosen, "sparse": "sparse", "keras": "keras"}
    assert ("surviving weights alone, on the CPU" in found["auto"].engine_reason) == (chosen == "sparse")
    assert found["keras"].engine_reason == "Gradients by Keras, dense and masked, as requested."


def test_on_a_gpu_keras_is_chosen(monkeypatch):
    monkeypatch.setattr("tfticket.sampling.build.has_gpu", lambda: True)
    data = random_data(np.random.default_rng(0), (4, 4, 1))
    assert posterior_of(ticket_of(small_network(), data), data, engine="auto").engine.name == "keras"


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_frozen_layer_is_not_sampled(engine):
    random = np.random.default_rng(0)
    data = random_data(random, SHAPE)
    model = frozen_layer()
    mask = random_mask(random, model, 0.5)
    ticket = ticket_of(model, data, mask)
    posterior = posterior_of(ticket, data, engine=engine)
    kernel, bias = list(ticket.start)[:2]
    assert set(posterior.layout.shapes) == set(ticket.start) - {kernel, bias}
    weights = posterior.weights(posterior.prior.draw(random))
    np.testing.assert_array_equal(weights[kernel], ticket.start[kernel] * mask[kernel])
    np.testing.assert_array_equal(weights[bias], ticket.start[bias])


def normalised():
    layers = [L.Conv2D(3, 3), L.BatchNormalization(), L.ReLU(), L.BatchNormalization(), L.Flatten(), L.Dense(3)]
    return network(SHAPE, *layers)


@pytest.mark.parametrize("engine", ["auto", "sparse", "keras"])
def test_batch_statistics_are_refused(engine):
    data = random_data(np.random.default_rng(0), SHAPE)
    with pytest.raises(InputError, match=r"rows have no likelihoods of their own.*freeze_batch_norm: true"):
        posterior_of(ticket_of(normalised(), data), data, engine=engine)


def sisters():
    """Layers that normalise by a batch and are not keras.layers.BatchNormalization."""
    from tf_keras.src.layers.normalization.batch_normalization import SyncBatchNormalization
    from tf_keras.src.layers.normalization.batch_normalization_v1 import BatchNormalization

    return {"synchronised": SyncBatchNormalization, "version 1": BatchNormalization}


@pytest.mark.parametrize("name", ["synchronised", "version 1"])
def test_the_sisters_of_the_layer_are_refused_too(name):
    layer = sisters()[name](name="only_norm")
    model = network(SHAPE, L.Conv2D(3, 3), layer, L.Flatten(), L.Dense(3))
    with pytest.raises(InputError, match=r"by the statistics of a batch \(only_norm\): rows"):
        check_engine(model, SampleConfig(), 1.0)


def test_frozen_batch_statistics_stay_and_their_scales_and_shifts_are_sampled():
    random = np.random.default_rng(0)
    data = random_data(random, SHAPE)
    model = normalised()
    start = random_weights(random, model, {})
    start = {path: np.abs(array) if path.endswith("variance") else array for path, array in start.items()}
    ticket = ticket_of(model, data, start=start)
    posterior = posterior_of(ticket, data, engine="auto", freeze_batch_norm=True)
    assert posterior.engine.name == "keras"
    statistics = {path for path in start if "moving" in path}
    assert len(statistics) == 4
    assert statistics == set(posterior.fixed)
    assert set(posterior.layout.shapes) == set(start) - statistics
    u = posterior.prior.draw(random)
    weights = posterior.weights(u)
    for path in statistics:
        np.testing.assert_array_equal(weights[path], start[path])
    layout, engine = keras_engine(ticket, data)
    expected, _ = engine.log_likelihood_and_gradient(layout.pack(weights))
    found, _ = posterior.engine.log_likelihood_and_gradient(u)
    assert found == pytest.approx(expected, rel=1e-6)


def test_data_of_another_shape_or_more_classes_are_refused():
    random = np.random.default_rng(0)
    ticket = ticket_of(small_network(), random_data(random, (4, 4, 1)))
    for data in (random_data(random, (5, 4, 1)), random_data(random, (4, 4, 1), classes=4)):
        with pytest.raises(InputError, match="The network takes images"):
            posterior_of(ticket, data)


def test_a_ticket_without_survivors_is_refused():
    data = random_data(np.random.default_rng(0), (4, 4, 1))
    dense = ticket_of(small_network(), data)
    nothing = {path: np.zeros_like(kept) for path, kept in dense.mask.items()}
    for engine in ("sparse", "keras"):
        with pytest.raises(InputError, match="The mask leaves no weight in any layer"):
            posterior_of(ticket_of(small_network(), data, nothing, dense.start), data, engine=engine)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_tree_depth": 0}, "max_tree_depth"),
        ({"warmup_tree_depth": 0}, "warmup_tree_depth"),
        ({"warmup": 19}, "warmup"),
        ({"draws": 0}, "draws"),
        ({"leapfrog_steps": 0}, "leapfrog_steps"),
        ({"target_acceptance": 1.0}, "target_acceptance"),
        ({"likelihood_power": 0.0}, "likelihood_power"),
        ({"method": "nots"}, "nuts"),
        ({"engine": "dense"}, "engine"),
    ],
)
def test_options_out_of_range_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        validate(SampleConfig, values, where="sample")


def test_the_shortest_warm_up_is_taken():
    assert SampleConfig(warmup=20).warmup == 20


def test_the_cap_in_the_warm_up_is_the_same_unless_given():
    assert SampleConfig(max_tree_depth=7).depth_in_warmup == 7
    assert SampleConfig(max_tree_depth=7, warmup_tree_depth=5).depth_in_warmup == 5
