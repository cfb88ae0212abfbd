"""The two engines against each other, and both against NumPy in float64."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfticket as tt
from tests.sampling.problems import (
    L,
    average,
    central_differences,
    convolve,
    dataset,
    inputs_of,
    keras_engine,
    label_log_likelihood,
    network,
    normal_log_density,
    posterior_of,
    random_data,
    random_floats,
    random_mask,
    random_weights,
    small_network,
    ticket_of,
)
from tfticket.backend import tf
from tfticket.config.experiment import usable_cpus
from tfticket.data import Normalisation
from tfticket.models import kernel_shapes

DENSITIES = (1.0, 0.3, 0.08, 0.02, 0.0)
"""Of 0, one weight is left."""
NATS, RELATIVE = 0.05, 1e-4
"""How far the engines may be apart: differences of the log density, and the gradient by its norm."""


def check_engines_agree(model, data, random, densities=DENSITIES, gain=1.0):
    """The sparse engine's likelihood, gradient and logits, on 1 thread or 2, against those of the keras engine."""
    dense = ticket_of(model, data)
    all_weights, keras = keras_engine(dense, data)
    images = data.x_validation[:37]
    for number, density in enumerate(densities):
        mask = random_mask(random, model, density)
        posterior = posterior_of(ticket_of(model, data, mask), data, threads=1 + number % 2, engine="sparse")
        layout, sparse = posterior.layout, posterior.engine
        assert sparse.name == "sparse"
        prepared = sparse.prepare(images)
        found = []
        for weights in (random_weights(random, model, mask, gain) for _ in range(2)):
            theta, whole = layout.pack(weights), all_weights.pack(weights)
            ours, gradient = sparse.log_likelihood_and_gradient(theta)
            theirs, dense_gradient = keras.log_likelihood_and_gradient(whole)
            expected = layout.pack(
                {
                    path: dense_gradient[part].reshape(all_weights.shapes[path])
                    for path, part in all_weights.slices.items()
                }
            )
            assert np.linalg.norm(gradient - expected) <= RELATIVE * np.linalg.norm(expected) + 1e-5, density
            logits = keras.logits(whole, images)
            np.testing.assert_allclose(
                sparse.logits(theta, prepared), logits, rtol=0, atol=2e-5 * max(1.0, np.abs(logits).max())
            )
            found.append((ours, theirs))
        (first, first_theirs), (second, second_theirs) = found
        assert abs((second - first) - (second_theirs - first_theirs)) <= NATS, density


# Networks drawn at random


@st.composite
def spatial_layers(draw, height, width):
    """A layer that fits an image of this size, and the size that it leaves."""
    kind = draw(st.sampled_from(["conv", "conv", "max", "average", "activation"]))
    padding = draw(st.sampled_from(["same", "valid"]))
    largest = 5 if kind == "conv" else 3
    size = [draw(st.integers(1, largest if padding == "same" else min(largest, n))) for n in (height, width)]
    stride = draw(st.integers(1, 3))
    if kind == "conv":
        layer = L.Conv2D(
            draw(st.integers(1, 5)),
            size,
            stride,
            padding,
            activation=draw(st.sampled_from(["relu", "tanh", "linear"])),
            use_bias=draw(st.booleans()),
        )
    elif kind == "activation":
        return L.ReLU() if draw(st.booleans()) else L.Activation("tanh"), (height, width)
    else:
        pool = L.MaxPooling2D if kind == "max" else L.AveragePooling2D
        layer = pool(size, draw(st.sampled_from([None, 1, 2, 3])), padding)
    return layer, tuple(layer.compute_output_shape((None, height, width, 1))[1:3])


@st.composite
def networks(draw):
    """A chain of known layers, over images that need not be square; and the shape of those."""
    height, width, channels = draw(st.integers(1, 12)), draw(st.integers(1, 12)), draw(st.integers(1, 4))
    layers, size = [], (height, width)
    for _ in range(draw(st.integers(0, 3))):
        layer, size = draw(spatial_layers(*size))
        layers.append(layer)
    ends = [L.Flatten] if not layers else [L.Flatten, L.GlobalAveragePooling2D]
    layers.append(draw(st.sampled_from(ends))())
    for _ in range(draw(st.integers(0, 2))):
        activation = draw(st.sampled_from(["relu", "tanh", "linear"]))
        layers.append(L.Dense(draw(st.integers(1, 9)), activation=activation, use_bias=draw(st.booleans())))
        if draw(st.booleans()):
            layers.append(L.Activation(draw(st.sampled_from(["relu", "tanh"]))))
    return (height, width, channels), [*layers, L.Dense(draw(st.integers(2, 5)), use_bias=draw(st.booleans()))]


NORMALISATIONS = st.sampled_from(["unit", "standard", "floats"])


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(networks(), NORMALISATIONS, st.integers(1, 300), st.sampled_from(DENSITIES), st.integers(0, 2**32 - 1))
def test_the_engines_agree_on_networks_at_random(case, normalisation, rows, density, seed):
    shape, layers = case
    model = network(shape, *layers)
    random = np.random.default_rng(seed)
    scales = None
    if normalisation == "standard":
        scales = Normalisation(
            scale=tuple(random.uniform(0.005, 0.05, shape[-1])), shift=tuple(random.uniform(-3, 3, shape[-1]))
        )
    classes = model.output_shape[-1]
    if normalisation == "floats":
        data = random_floats(random, shape, classes, rows)
    else:
        data = random_data(random, shape, classes, rows, scales)
    check_engines_agree(model, data, random, (density, 0.3))


@pytest.mark.parametrize(
    "layers",
    [
        [L.Dense(3)],
        [L.Flatten(), L.Dense(7, activation="tanh"), L.Dense(3, use_bias=False)],
        [L.ReLU(), L.Dense(20), L.Activation("relu"), L.Dense(5, activation="tanh"), L.Dense(2)],
    ],
    ids=["regression", "flattened", "rectified"],
)
def test_the_engines_agree_on_features(layers):
    random = np.random.default_rng(len(layers))
    model = network((11,), *layers)
    data = random_floats(random, (11,), model.output_shape[-1], rows=270)
    check_engines_agree(model, data, random, (1.0, 0.3, 0.0))


# Networks that are worth a case of their own

CASES = {
    "convolutions of stride 1 to 3": (
        (13, 9, 2),
        [L.Conv2D(4, 3, 2, "same", activation="relu"), L.Conv2D(5, 3, 3), L.Flatten(), L.Dense(3)],
    ),
    "another stride down than right": (
        (9, 11, 3),
        [L.Conv2D(4, (2, 3), (2, 1), activation="tanh"), L.Conv2D(3, 3, (1, 2), "same"), L.Flatten(), L.Dense(3)],
    ),
    "one window that does not see all": (
        (6, 7, 2),
        [L.Conv2D(4, 2, 2, activation="tanh"), L.Conv2D(6, 2, 3, activation="relu"), L.Flatten(), L.Dense(4)],
    ),
    "one window of the image's size": ((4, 5, 3), [L.Conv2D(6, (4, 5), activation="relu"), L.Flatten(), L.Dense(3)]),
    "a kernel larger than its padded image": (
        (4, 4, 2),
        [L.MaxPooling2D(), L.Conv2D(4, 3, 2, "same", activation="tanh"), L.Flatten(), L.Dense(3)],
    ),
    "a kernel larger than its padded image, first": (
        (2, 1, 2),
        [L.Conv2D(4, (3, 2), 2, "same", activation="tanh"), L.Flatten(), L.Dense(3)],
    ),
    "pools that overlap, padded": (
        (11, 8, 1),
        [
            L.Conv2D(3, 3, activation="tanh"),
            L.MaxPooling2D(3, 2, "same"),
            L.Conv2D(4, 2, activation="relu"),
            L.AveragePooling2D(3, 1, "same"),
            L.Flatten(),
            L.Dense(6, activation="tanh"),
            L.Dense(3),
        ],
    ),
    "pools that leave a rest": (
        (10, 7, 2),
        [L.AveragePooling2D(2), L.Conv2D(3, 2), L.MaxPooling2D((2, 1), (3, 1)), L.Flatten(), L.Dense(3)],
    ),
    "activations after pools": (
        (8, 8, 2),
        [
            L.Conv2D(4, 3),
            L.AveragePooling2D(),
            L.Activation("tanh"),
            L.Conv2D(3, 2, padding="same"),
            L.MaxPooling2D(),
            L.ReLU(),
            L.Activation("tanh"),
            L.Flatten(),
            L.Dense(3),
        ],
    ),
    "activations first, and twice": (
        (5, 5, 1),
        [L.Activation("tanh"), L.Conv2D(3, 3, activation="relu"), L.Activation("tanh"), L.Flatten(), L.Dense(3)],
    ),
    "a mean over the image": (
        (7, 6, 2),
        [L.Conv2D(6, 3, padding="same", activation="relu"), L.GlobalAveragePooling2D(), L.Dense(3)],
    ),
    "no biases": (
        (6, 6, 1),
        [
            L.Conv2D(5, 3, use_bias=False, activation="relu"),
            L.Flatten(),
            L.Dense(7, use_bias=False, activation="tanh"),
            L.Dense(3, use_bias=False),
        ],
    ),
    "a single dense layer": ((3, 4, 4), [L.Flatten(), L.Dense(5)]),
    "a convolution over what a dense layer would see": (
        (9, 9, 1),
        [
            L.Conv2D(3, 5, 4, activation="relu"),
            L.Conv2D(5, 2, padding="same"),
            L.MaxPooling2D(),
            L.Flatten(),
            L.Dense(3),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_engines_agree(case):
    shape, layers = CASES[case]
    model = network(shape, *layers)
    random = np.random.default_rng(len(case))
    normalisation = Normalisation(scale=(0.01,) * shape[-1], shift=tuple(np.linspace(-1, 0.5, shape[-1]).tolist()))
    data = random_data(random, shape, model.output_shape[-1], 262, normalisation)
    check_engines_agree(model, data, random, densities=(0.6, 0.1))


@pytest.mark.parametrize(("name", "rows"), [("lenet-300-100", 600), ("lenet-5", 130)])
def test_the_engines_agree_on_the_lenets_and_real_digits(name, rows, data):
    model = tt.build_model(name, input_shape=(28, 28, 1), num_classes=10)
    digits = dataset(data.x_train[:rows], data.y_train[:rows], data.x_test[:50], data.y_test[:50], classes=10)
    random = np.random.default_rng(3)
    check_engines_agree(model, digits, random, (0.3, 0.05, 0.01, 0.002), gain=1.5)


def test_the_masked_keras_engine_is_the_dense_one_at_the_surviving_weights():
    random = np.random.default_rng(0)
    model = network((5, 6, 2), L.Conv2D(4, 3, activation="tanh"), L.Flatten(), L.Dense(3))
    data = random_data(random, (5, 6, 2), rows=77)
    mask = random_mask(random, model, 0.4)
    ticket = ticket_of(model, data, mask)
    masked, sparse = (posterior_of(ticket, data, engine=name) for name in ("keras", "sparse"))
    assert masked.engine.name == "keras"
    for _ in range(2):
        u = masked.prior.draw(random)
        ours, theirs = sparse.log_density_and_gradient(u), masked.log_density_and_gradient(u)
        assert abs(ours[0] - theirs[0]) <= NATS
        np.testing.assert_allclose(ours[1], theirs[1], rtol=RELATIVE, atol=1e-3)
        with_tensors = masked.target()(u)
        assert float(with_tensors) == pytest.approx(theirs[0], abs=1e-3)


def test_the_keras_engine_adds_tiles_up(monkeypatch):
    monkeypatch.setattr("tfticket.network.TILE", 32)
    random = np.random.default_rng(0)
    model = small_network()
    data = random_data(random, (4, 4, 1), rows=101)
    posterior, sparse = (posterior_of(ticket_of(model, data), data, engine=name) for name in ("keras", "sparse"))
    u = posterior.prior.draw(random)
    for ours, theirs in zip(sparse.log_density_and_gradient(u), posterior.log_density_and_gradient(u), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-3)
    images = data.x_train[:50]
    logits = [each.engine.logits(u, each.engine.prepare(images)) for each in (posterior, sparse)]
    np.testing.assert_allclose(*logits, atol=1e-4)


# What the sparse engine owes to nobody else


def test_the_number_of_threads_hardly_matters_and_the_bits_stay():
    random = np.random.default_rng(0)
    model = small_network()
    data = random_data(random, (4, 4, 1), rows=2000)
    ticket = ticket_of(model, data)
    theta = random.normal(size=posterior_of(ticket, data).size)
    found = {}
    for threads in (1, 2, 3, 20):  # of 8 tiles
        engine = posterior_of(ticket, data, threads).engine
        found[threads] = engine.log_likelihood_and_gradient(theta)
        again = posterior_of(ticket, data, threads).engine.log_likelihood_and_gradient(theta)
        assert again[0] == found[threads][0]
        np.testing.assert_array_equal(again[1], found[threads][1])
        assert found[threads][0] == pytest.approx(found[1][0], rel=1e-12)
        np.testing.assert_allclose(found[threads][1], found[1][1], rtol=1e-9, atol=1e-9)


def test_by_default_it_takes_the_cpus_of_the_process():
    random = np.random.default_rng(0)
    data = random_data(random, (4, 4, 1))
    engine = posterior_of(ticket_of(small_network(), data), data, threads=None).engine
    assert len(engine._buffers) == usable_cpus()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_trajectory_that_ran_away_leaves_nothing_behind(activation, bad):
    random = np.random.default_rng(1)
    model = network(
        (6, 6, 1),
        L.Conv2D(3, 3, activation=activation),
        L.Conv2D(3, 3, 2, "same", activation=activation),
        L.Flatten(),
        L.Dense(4, activation=activation),
        L.Dense(3),
    )
    data = random_data(random, (6, 6, 1))
    mask = random_mask(random, model, 0.4)
    ticket = ticket_of(model, data, mask)
    engine, fresh = (posterior_of(ticket, data).engine for _ in range(2))
    theta = random.normal(size=posterior_of(ticket, data).size)
    engine.log_likelihood_and_gradient(np.full_like(theta, bad))
    found, expected = (each.log_likelihood_and_gradient(theta) for each in (engine, fresh))
    assert found[0] == expected[0]
    np.testing.assert_array_equal(found[1], expected[1])


def test_numbers_beyond_float32_give_no_number_and_no_warning():
    random = np.random.default_rng(0)
    data = random_data(random, (4, 4, 1))
    posterior = posterior_of(ticket_of(small_network("relu"), data), data)
    for size in (1e30, 1e60, 1e200, np.inf, np.nan):
        found, _ = posterior.log_density_and_gradient(np.full(posterior.size, size))
        assert not np.isfinite(found) or found < -1e30


def test_a_row_that_is_surely_wrong_costs_its_distance():
    model = network((1, 1, 1), L.Flatten(), L.Dense(2, use_bias=False))
    data = dataset(np.full((3, 1, 1, 1), 255, np.uint8), np.array([0, 1, 0]))
    engine = posterior_of(ticket_of(model, data), data).engine
    found, gradient = engine.log_likelihood_and_gradient(np.array([0.0, 1000.0]))
    assert found == -2000.0  # where exp(-1000) is 0
    np.testing.assert_allclose(gradient, [2.0, -2.0], atol=1e-6)


def test_pruned_kernels_and_fixed_weights_make_the_whole_network(data):
    random = np.random.default_rng(0)
    model = tt.build_model("lenet-300-100", input_shape=(28, 28, 1), num_classes=10)
    mask = random_mask(random, model, 0.05)
    posterior = posterior_of(ticket_of(model, data, mask), data)
    assert posterior.rows == len(data.x_train)
    assert posterior.size == sum(kept.sum() for kept in mask.values()) + 300 + 100 + 10
    weights = posterior.weights(posterior.prior.draw(random))
    assert {path: weights[path].shape for path in mask} == kernel_shapes(model)
    assert all(not weights[path][~kept].any() for path, kept in mask.items())


# Gradients, against float64


def smooth_network():
    return network(
        (8, 9, 2),
        L.Conv2D(3, 3, 2, activation="tanh"),
        L.AveragePooling2D(2),
        L.Flatten(),
        L.Dense(5, activation="tanh"),
        L.Dense(3),
    )


def smooth_log_posterior(layout, data, deviation, other_deviation, power):
    """Theta -> log posterior of ``smooth_network``, float64 throughout."""
    images = data.x_train * np.array(data.normalisation.scale) + np.array(data.normalisation.shift)

    def log_posterior(theta):
        weights, found = [], 0.0
        for path, shape in layout.shapes.items():
            part = theta[layout.slices[path]]
            whole = np.zeros(shape)
            whole[layout.mask.get(path, np.ones(shape, bool))] = part
            weights.append(whole)
            found += normal_log_density(part, deviation if path in layout.mask else other_deviation)
        x = np.tanh(convolve(images, weights[0], weights[1], 2))
        x = average(x, 2).reshape(len(images), -1)
        x = np.tanh(x @ weights[2] + weights[3])
        return power * label_log_likelihood(x @ weights[4] + weights[5], data.y_train) + found

    return log_posterior


@pytest.mark.parametrize("engine", ["sparse", "keras"])
def test_the_gradient_over_features_is_that_of_finite_differences(engine):
    random = np.random.default_rng(6)
    data = random_floats(random, (9,), rows=40)
    model = network((9,), L.Dense(5, activation="tanh"), L.Dense(3))
    posterior = posterior_of(ticket_of(model, data, random_mask(random, model, 0.5)), data, engine=engine)
    layout, inputs = posterior.layout, inputs_of(data, data.x_train)

    def exact(theta):
        kernels = [np.zeros(shape) for shape in layout.shapes.values()]
        for kernel, path in zip(kernels, layout.shapes, strict=True):
            kernel[layout.mask.get(path, np.ones(kernel.shape, bool))] = theta[layout.slices[path]]
        x = np.tanh(inputs @ kernels[0] + kernels[1]) @ kernels[2] + kernels[3]
        return label_log_likelihood(x, data.y_train) + normal_log_density(theta, 1.0)

    u, other = posterior.prior.draw(random), posterior.prior.draw(random)
    found, gradient = posterior.log_density_and_gradient(u)
    elsewhere, _ = posterior.log_density_and_gradient(other)
    assert found - elsewhere == pytest.approx(exact(u) - exact(other), abs=2e-4)
    differences = central_differences(exact, u, np.arange(posterior.size))
    assert np.linalg.norm(gradient - differences) <= 1e-5 * np.linalg.norm(differences)


@pytest.mark.parametrize("engine", ["sparse", "keras"])
def test_the_gradient_is_that_of_finite_differences(engine):
    random = np.random.default_rng(5)
    normalisation = Normalisation(scale=(0.01, 0.02), shift=(-1.2, -2.5))
    data = random_data(random, (8, 9, 2), rows=40, normalisation=normalisation)
    model = smooth_network()
    mask = random_mask(random, model, 0.5)
    values = {"prior": "normal(0, 0.7)", "other_prior": "normal(0, 1.5)", "likelihood_power": 0.6, "engine": engine}
    posterior = posterior_of(ticket_of(model, data, mask), data, **values)
    exact = smooth_log_posterior(posterior.layout, data, 0.7, 1.5, 0.6)
    everywhere = np.arange(posterior.size)
    for _ in range(3):
        u = posterior.prior.draw(random)
        found, gradient = posterior.log_density_and_gradient(u)
        assert found == pytest.approx(exact(u), abs=1e-4)
        differences = central_differences(exact, u, everywhere)
        assert np.linalg.norm(gradient - differences) <= 1e-5 * np.linalg.norm(differences)
        assert posterior.log_likelihood(u, found) == pytest.approx(
            posterior.engine.log_likelihood_and_gradient(u)[0], abs=1e-9
        )


def test_a_bounded_prior_carries_its_jacobian_into_the_gradient():
    random = np.random.default_rng(5)
    data = random_data(random, (8, 9, 2), rows=40)
    model = smooth_network()
    ticket = ticket_of(model, data, random_mask(random, model, 0.5))
    posterior = posterior_of(ticket, data, prior="uniform(-0.5, 1.5)", other_prior="normal(0, 1)")
    layout = posterior.layout
    kernels = np.concatenate(
        [np.full(part.stop - part.start, path in layout.mask) for path, part in layout.slices.items()]
    )
    assert (posterior.prior.bounded == kernels).all()
    likelihood = smooth_log_posterior(layout, data, 1.0, 1.0, 1.0)

    def exact(u):
        """By the logistic function, and the density of its argument."""
        share = 1 / (1 + np.exp(-u[kernels]))
        theta = u.copy()
        theta[kernels] = -0.5 + 2 * share
        flat = -normal_log_density(theta[kernels], 1.0)
        return likelihood(theta) + flat + float(np.log(share * (1 - share)).sum())

    for _ in range(2):
        u = posterior.prior.draw(random)
        found, gradient = posterior.log_density_and_gradient(u)
        assert found == pytest.approx(exact(u), abs=1e-4)
        differences = central_differences(exact, u, np.arange(len(u)))
        assert np.linalg.norm(gradient - differences) <= 1e-5 * np.linalg.norm(differences)


def test_the_graphs_density_and_gradient_are_those_of_numpy():
    random = np.random.default_rng(5)
    data = random_data(random, (4, 4, 1))
    ticket = ticket_of(small_network(), data)
    for prior in ("normal(0, 1)", "uniform(-1, 2)"):
        posterior = posterior_of(ticket, data, prior=prior, likelihood_power=0.5)
        u = posterior.prior.draw(random)
        expected, gradient = posterior.log_density_and_gradient(u)
        at = tf.constant(u)
        with tf.GradientTape() as tape:
            tape.watch(at)
            value = 3.0 * posterior.target()(at)
        assert float(value) == 3.0 * expected
        np.testing.assert_array_equal(tape.gradient(value, at).numpy(), 3.0 * gradient)
