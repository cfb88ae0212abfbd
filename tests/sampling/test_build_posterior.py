"""Which networks can be sampled, by which engine, and which weights stay fixed. Needs TensorFlow."""

import numpy as np
import pytest
from tf_keras.src.layers.normalization.batch_normalization import SyncBatchNormalization
from tf_keras.src.layers.normalization.batch_normalization_v1 import BatchNormalization as FirstVersion

from tests.refusals import refused
from tests.sampling import problems
from tests.sampling.problems import L, network, posterior_of, random_data, random_mask, small_network, ticket_of
from tfticket.backend import keras
from tfticket.config import SampleConfig
from tfticket.config.schema import validate
from tfticket.sampling.build_posterior import check_engine

SHAPE = (6, 6, 2)


def of_layers(*layers):
    """A network of these layers, flattened, and three logits."""
    return lambda: network(SHAPE, *layers, L.Flatten(), L.Dense(3))


def functional(connect):
    def make():
        images = keras.Input(SHAPE)
        return keras.Model(images, L.Dense(3)(L.Flatten()(connect(images))))

    return make


def twice(images):
    layer = L.Dense(72, activation="relu")
    return layer(layer(L.Flatten()(images)))


UNKNOWN = {
    "branching": (functional(lambda x: L.Conv2D(2, 3)(x) + L.Conv2D(2, 3)(x)), "chain"),
    "shortcut": (functional(lambda x: L.Add()([x, L.Conv2D(2, 3, padding="same")(x)])), "chain"),
    "one layer twice": (functional(twice), "chain"),
    "sigmoid": (of_layers(L.Flatten(name="flat"), L.Dense(4, "sigmoid", name="first")), "sigmoid"),
    "relu6": (of_layers(L.ReLU(6.0)), "ReLU"),
    "dense on pixels": (of_layers(L.Dense(4, "relu", name="first")), "pixel"),
    "dilated": (of_layers(L.Conv2D(3, 2, dilation_rate=2)), "dilated"),
    "grouped": (of_layers(L.Conv2D(4, 2, groups=2)), "grouped"),
    "depthwise": (of_layers(L.DepthwiseConv2D(2)), "DepthwiseConv2D"),
    "rescaling": (of_layers(L.Rescaling(2.0)), "Rescaling"),
    "a pool last": (lambda: network(SHAPE, L.Conv2D(3, 3), L.GlobalAveragePooling2D()), "logits"),
    "channels first": (
        lambda: network(SHAPE, L.Conv2D(3, 3), L.Flatten(data_format="channels_first"), L.Dense(3)), "channels first"
    ),
    "frozen": (of_layers(L.Conv2D(2, 3, trainable=False, name="frozen")), "frozen is not trained"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_network_unknown_to_the_sparse_engine_is_refused_and_sampled_by_keras(name):
    make, why = UNKNOWN[name]
    model = make()
    with refused("sample.engine", "keras", why):
        check_engine(model, SampleConfig(engine="sparse"), 0.1)
    assert "Keras" in check_engine(model, SampleConfig(engine="auto"), 0.1)
    if name == "branching":
        data = random_data(np.random.default_rng(0), SHAPE, rows=20)
        posterior = posterior_of(ticket_of(model, data), data, engine="auto")
        assert posterior.engine.name == "keras"
        log_density, gradient = posterior.log_density_and_gradient(np.zeros(posterior.size))
        assert np.isfinite([log_density, *gradient]).all()


@pytest.mark.parametrize(("density", "auto"), [(0.3, "sparse"), (0.4, "keras")])
def test_auto_takes_the_sparse_engine_where_few_weights_are_left_and_no_gpu(density, auto, monkeypatch):
    chosen = [check_engine(small_network(), SampleConfig(engine=name), density) for name in ("auto", "sparse", "keras")]
    assert ["Keras" in reason for reason in chosen] == [auto == "keras", False, True]
    random, model = np.random.default_rng(0), small_network()
    data = random_data(random, (4, 4, 1))
    ticket = ticket_of(model, data, random_mask(random, model, density))
    assert posterior_of(ticket, data, engine="auto").engine.name == auto
    monkeypatch.setattr("tfticket.sampling.build_posterior.has_gpu", lambda: True)
    assert posterior_of(ticket, data, engine="auto").engine.name == "keras"


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_frozen_layer_is_not_sampled(engine):
    random, model = np.random.default_rng(0), UNKNOWN["frozen"][0]()
    data, mask = random_data(random, SHAPE), random_mask(random, model, 0.5)
    ticket = ticket_of(model, data, mask)
    posterior = posterior_of(ticket, data, engine=engine)
    assert set(posterior.layout.shapes) == set(ticket.start) - {"frozen/kernel", "frozen/bias"}
    weights = posterior.weights(posterior.prior.draw(random))
    np.testing.assert_array_equal(weights["frozen/kernel"], ticket.start["frozen/kernel"] * mask["frozen/kernel"])
    np.testing.assert_array_equal(weights["frozen/bias"], ticket.start["frozen/bias"])


def normalised(first=L.BatchNormalization):
    layers = [L.Conv2D(3, 3), first(name="norm_1"), L.ReLU(), L.BatchNormalization(), L.Flatten(), L.Dense(3)]
    return network(SHAPE, *layers)


@pytest.mark.parametrize("layer", [L.BatchNormalization, SyncBatchNormalization, FirstVersion])
def test_batch_statistics_are_refused(layer):
    for engine in ("auto", "sparse", "keras"):
        with refused("sample.freeze_batch_norm", "true", "norm_1"):
            check_engine(normalised(layer), SampleConfig(engine=engine), 1.0)
    data = random_data(np.random.default_rng(0), SHAPE)
    with refused("sample.freeze_batch_norm", "true", "norm_1", "1 more"):
        posterior_of(ticket_of(normalised(layer), data), data)


def test_frozen_batch_statistics_stay_and_their_scales_and_shifts_are_sampled():
    random, model = np.random.default_rng(0), normalised()
    data, start = random_data(random, SHAPE), problems.random_weights(random, model, {})
    start = {path: np.abs(array) if path.endswith("variance") else array for path, array in start.items()}
    posterior = posterior_of(ticket_of(model, data, start=start), data, engine="auto", freeze_batch_norm=True)
    assert posterior.engine.name == "keras"
    statistics = {path for path in start if "moving" in path}
    assert len(statistics) == 4
    assert statistics == set(posterior.fixed) == set(start) - set(posterior.layout.shapes)
    u = posterior.prior.draw(random)
    weights = posterior.weights(u)
    for path in statistics:
        np.testing.assert_array_equal(weights[path], start[path])
    expected, _, _ = problems.by_plain_keras(model, data, weights)
    assert posterior.engine.log_likelihood_and_gradient(u)[0] == pytest.approx(expected, rel=1e-6)


def test_other_data_and_masks_without_survivors_are_refused():
    random = np.random.default_rng(0)
    data = random_data(random, (4, 4, 1))
    ticket = ticket_of(small_network(), data)
    for other in (random_data(random, (5, 4, 1)), random_data(random, (4, 4, 1), classes=4)):
        with refused("data", None, "The network takes images"):
            posterior_of(ticket, other)
    nothing = {path: np.zeros_like(kept) for path, kept in ticket.mask.items()}
    for engine in ("sparse", "keras"):
        with refused("mask"):
            posterior_of(ticket_of(small_network(), data, nothing, ticket.start), data, engine=engine)


def test_options_out_of_range_are_refused():
    zeros = ("max_tree_depth", "warmup_tree_depth", "draws", "leapfrog_steps", "likelihood_power")
    others = {"warmup": 19, "target_acceptance": 1.0, "engine": "dense", "method": "nots"}
    for name, value in {**dict.fromkeys(zeros, 0), **others}.items():
        with refused(name, "nuts" if value == "nots" else None):
            validate(SampleConfig, {name: value}, where="sample")
    assert SampleConfig(warmup=20, max_tree_depth=7).depth_in_warmup == 7
    assert SampleConfig(max_tree_depth=7, warmup_tree_depth=5).depth_in_warmup == 5
