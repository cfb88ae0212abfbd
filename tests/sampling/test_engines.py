"""The sparse engine against plain Keras, and both engines against NumPy in float64."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

import tfticket as tt
from tests.sampling import problems
from tests.sampling.problems import L, by_plain_keras, network, posterior_of, random_data, random_mask, ticket_of
from tfticket.backend import tf
from tfticket.data import Normalisation
from tfticket.models import named_variables
from tfticket.sampling.metric import Metric
from tfticket.sampling.posterior import Whitened
from tfticket.sampling.sparse_engine import SparseEngine
from tfticket.sparse.layout import Layout
from tfticket.sparse.program import compile_network
from tfticket.sparse.reader import sparse_layers


def sparse(model, mask, data, threads=1):
    """The layout of theta, and the sparse engine."""
    weights = {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}
    layout = Layout.of(weights, mask, weights)
    compiled = compile_network(*sparse_layers(model, layout), data.normalisation)
    return layout, SparseEngine(compiled, layout.size, data.x_train, data.y_train, threads)


def rows_of(random, shape, classes, rows, floats):
    """Floats, or pixels with a normalisation."""
    if floats:
        return problems.random_floats(random, shape, classes, rows)
    scale, shift = (random.uniform(*ends, shape[-1]).tolist() for ends in ((0.005, 0.05), (-3, 3)))
    return random_data(random, shape, classes, rows, Normalisation(scale=tuple(scale), shift=tuple(shift)))


def check_engine(model, data, random, densities, gain=1.0):
    """Likelihood, gradient and logits of the sparse engine, on 1 thread or 2, are those of Keras."""
    for number, density in enumerate(densities):
        mask = random_mask(random, model, density)
        (layout, engine), gaps = sparse(model, mask, data, 1 + number % 2), []
        for weights in (problems.random_weights(random, model, mask, gain) for _ in range(2)):
            theta = layout.pack(weights)
            log_likelihood, gradient = engine.log_likelihood_and_gradient(theta)
            theirs, gradients, logits = by_plain_keras(model, data, weights)
            gaps.append(log_likelihood - theirs)
            expected = layout.pack(gradients)
            assert np.linalg.norm(gradient - expected) <= 1e-4 * np.linalg.norm(expected) + 1e-5, density
            ours = engine.logits(theta, engine.prepare(data.x_validation))
            np.testing.assert_allclose(ours, logits, rtol=0, atol=2e-5 * max(1.0, np.abs(logits).max()))
        assert abs(gaps[0] - gaps[1]) <= 0.05, density


@st.composite
def networks(draw):
    """A chain of known layers, over features or over images that need not be square; and the shape of those."""
    activations, small = st.sampled_from(["relu", "tanh", "linear"]), st.integers(1, 5)
    shape, layers = draw(st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))), []
    size = shape[:2]
    for _ in range(draw(st.integers(0, 3))):
        kind, padding = (
            draw(st.sampled_from(["conv", "conv", "pool", "other"])),
            draw(st.sampled_from(["same", "valid"])),
        )
        largest = 5 if kind == "conv" else 3
        window = [draw(st.integers(1, largest if padding == "same" else min(largest, n))) for n in size]
        if kind == "other":
            layers.append(draw(st.sampled_from([L.ReLU, lambda: L.Activation("tanh")]))())
        elif kind == "conv":
            options = {"activation": draw(activations), "use_bias": draw(st.booleans())}
            layers.append(L.Conv2D(draw(small), window, draw(st.integers(1, 3)), padding, **options))
        else:
            pool = draw(st.sampled_from([L.MaxPooling2D, L.AveragePooling2D]))
            layers.append(pool(window, draw(st.sampled_from([None, 1, 2, 3])), padding))
        size = tuple(layers[-1].compute_output_shape((None, *size, 1)))[1:3]
    layers.append(draw(st.sampled_from([L.Flatten, L.GlobalAveragePooling2D] if layers else [L.Flatten]))())
    for _ in range(draw(st.integers(0, 2))):
        layers += [L.Dense(draw(small), draw(activations), draw(st.booleans())), L.Activation(draw(activations))]
    return shape, [*layers, L.Dense(draw(st.integers(2, 5)), use_bias=draw(st.booleans()))]


@settings(max_examples=9, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(networks(), st.booleans(), st.integers(1, 300), st.sampled_from([1.0, 0.08, 0.0]), st.integers(0, 2**32 - 1))
def test_the_engines_agree_on_random_networks(case, floats, rows, density, seed):
    model, random = network(case[0], *case[1]), np.random.default_rng(seed)
    check_engine(model, rows_of(random, case[0], model.output_shape[-1], rows, floats), random, (density, 0.3))


def conv(units, size, stride=1, padding="valid", activation=None, bias=True):
    return L.Conv2D(units, size, stride, padding, activation=activation, use_bias=bias)


POOL, MEAN, TANH = L.MaxPooling2D, L.AveragePooling2D, lambda: L.Activation("tanh")
CASES = {  # before flattening and a last dense layer
    "strides 1 to 3": ((13, 9, 2), [conv(4, 3, 2, "same", "relu"), conv(5, 3, 3)]),
    "strides apart": ((9, 11, 3), [conv(4, (2, 3), (2, 1), activation="tanh"), conv(3, 3, (1, 2), "same")]),
    "one window that does not see all": ((6, 7, 2), [conv(4, 2, 2, "valid", "tanh"), conv(6, 2, 3, "valid", "relu")]),
    "one window of the image's size": ((4, 5, 3), [conv(6, (4, 5), activation="relu")]),
    "a kernel larger than its padded image": ((4, 4, 2), [POOL(), conv(4, 3, 2, "same", "tanh")]),
    "the same in the first layer": ((2, 1, 2), [conv(4, (3, 2), 2, "same", "tanh")]),
    "pools that overlap": ((11, 8, 1), [conv(3, 3), POOL(3, 2, "same"), conv(4, 2), MEAN(3, 1, "same")]),
    "pools that leave a rest": ((10, 7, 2), [MEAN(2), conv(3, 2), POOL((2, 1), (3, 1))]),
    "activations after pools": ((8, 8, 2), [conv(4, 3), MEAN(), TANH(), conv(3, 2), POOL(), L.ReLU(), TANH()]),
    "activations first, and twice": ((5, 5, 1), [TANH(), conv(3, 3, activation="relu"), TANH()]),
    "a mean over the image": ((7, 6, 2), [conv(6, 3, 1, "same", "relu"), L.GlobalAveragePooling2D()]),
    "no biases": (
        (6, 6, 1),
        [conv(5, 3, bias=False), L.Flatten(name="flat"), L.Dense(7, "tanh", use_bias=False, name="inner")],
    ),
    "what a dense layer would see": ((9, 9, 1), [conv(3, 5, 4, activation="relu"), conv(5, 2, 1, "same"), POOL()]),
    "a single dense layer": ((3, 4, 4), []),
    "features": ((11,), []),
    "features, rectified": (
        (11,),
        [L.ReLU(), L.Dense(20, name="a"), L.Activation("relu"), L.Dense(5, "tanh", name="b")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_engines_agree(case):
    shape, layers = CASES[case]
    model, random = network(shape, *layers, L.Flatten(), L.Dense(3)), np.random.default_rng(len(case))
    check_engine(model, rows_of(random, shape, 3, 262, floats=len(shape) == 1), random, (0.6, 0.1))


@pytest.mark.parametrize(("name", "rows"), [("lenet-300-100", 600), ("lenet-5", 130)])
def test_the_engines_agree_on_the_lenets_and_real_digits(name, rows, data):
    model = tt.build_model(name, input_shape=(28, 28, 1), num_classes=10)
    digits = problems.dataset(data.x_train[:rows], data.y_train[:rows], data.x_test[:50], data.y_test[:50], classes=10)
    check_engine(model, digits, np.random.default_rng(3), (0.3, 0.002), gain=1.5)


def test_equal_numbers_of_threads_give_equal_bits_and_others_hardly_differ():
    random, model = np.random.default_rng(0), problems.small_network()
    data, mask = random_data(random, (4, 4, 1), rows=2000), random_mask(random, model, 0.9)
    layout, engine = sparse(model, mask, data)
    theta = random.normal(size=layout.size)
    first, first_gradient = engine.log_likelihood_and_gradient(theta)
    for threads in (2, 3, 20):  # of 8 tiles
        results = [sparse(model, mask, data, threads)[1].log_likelihood_and_gradient(theta) for _ in range(2)]
        assert results[0][0] == results[1][0] == pytest.approx(first, rel=1e-12)
        np.testing.assert_array_equal(results[0][1], results[1][1])
        np.testing.assert_allclose(results[0][1], first_gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_diverged_trajectory_leaves_nothing_behind_and_a_surely_wrong_row_costs_its_distance(activation):
    random, options = np.random.default_rng(1), {"activation": activation}
    hidden = [conv(3, 3, **options), conv(3, 3, 2, "same", **options), L.Flatten(), L.Dense(4, **options)]
    model, data = network((6, 6, 1), *hidden, L.Dense(3)), random_data(random, (6, 6, 1))
    posterior = posterior_of(ticket_of(model, data, random_mask(random, model, 0.4)), data)
    theta = random.normal(size=posterior.size)
    expected, gradient = posterior.log_density_and_gradient(theta)
    for size in (np.nan, np.inf, 1e30, 1e60, 1e200):
        far, _ = posterior.log_density_and_gradient(np.full_like(theta, size))
        assert not np.isfinite(far) or far < -1e30
        again, gradient_again = posterior.log_density_and_gradient(theta)
        assert again == expected
        np.testing.assert_array_equal(gradient_again, gradient)
    model = network((1, 1, 1), L.Flatten(), L.Dense(2, use_bias=False))
    data = problems.dataset(np.full((3, 1, 1, 1), 255, np.uint8), np.array([0, 1, 0]))
    _, engine = sparse(model, random_mask(random, model, 1.0), data)
    log_likelihood, gradient = engine.log_likelihood_and_gradient(np.array([0.0, 1000.0]))
    assert log_likelihood == -2000.0  # where exp(-1000) is 0
    np.testing.assert_allclose(gradient, [2.0, -2.0], atol=1e-6)


@pytest.mark.parametrize(
    ("engine", "prior"), [("keras", "normal(0, 0.7)"), ("sparse", "normal(0, 0.7)"), ("sparse", "uniform(-0.5, 1.5)")]
)
def test_the_log_density_and_its_gradient_are_those_of_float64_and_finite_differences(engine, prior, monkeypatch):
    monkeypatch.setattr("tfticket.network.TILE", 32)  # of 40 rows
    random, normalisation = np.random.default_rng(5), Normalisation(scale=(0.01, 0.02), shift=(-1.2, -2.5))
    data = random_data(random, (8, 9, 2), rows=40, normalisation=normalisation)
    layers = [conv(3, 3, 2, activation="tanh"), MEAN(2), L.Flatten(), L.Dense(5, activation="tanh"), L.Dense(3)]
    model, options = network((8, 9, 2), *layers), {"other_prior": "normal(0, 1.5)", "likelihood_power": 0.6}
    ticket = ticket_of(model, data, random_mask(random, model, 0.5))
    posterior = posterior_of(ticket, data, engine=engine, prior=prior, **options)
    layout = posterior.layout
    kernels = np.concatenate([np.full(len(places), path in layout.mask) for path, places in layout.indices.items()])
    windows = sliding_window_view(data.x_train * [0.01, 0.02] - [1.2, 2.5], (3, 3), axis=(1, 2))[:, ::2, ::2]

    def exact(u):
        """By NumPy; where weights are bounded, by the logistic function and the density of its argument."""
        theta, log_prior, weights = u.copy(), problems.normal_log_density(u[~kernels], 1.5), []
        if prior.startswith("uniform"):
            share = 1 / (1 + np.exp(-u[kernels]))
            theta[kernels] = -0.5 + 2 * share
            log_prior += float(np.log(share * (1 - share)).sum())
        else:
            log_prior += problems.normal_log_density(u[kernels], 0.7)
        for path, shape in layout.shapes.items():
            weights.append(np.zeros(shape))
            weights[-1][layout.mask.get(path, np.ones(shape, bool))] = theta[layout.slices[path]]
        x = np.tanh(np.einsum("nyxcij,ijco->nyxo", windows, weights[0]) + weights[1])[:, :2, :4]
        x = x.reshape(40, 1, 2, 2, 2, 3).mean(axis=(2, 4)).reshape(40, -1)
        logits = np.tanh(x @ weights[2] + weights[3]) @ weights[4] + weights[5]
        return 0.6 * problems.label_log_likelihood(logits, data.y_train) + log_prior

    for _ in range(2):
        u = posterior.prior.draw(random)
        log_density, gradient = posterior.log_density_and_gradient(u)
        assert log_density == pytest.approx(exact(u), abs=1e-4)
        differences = problems.central_differences(exact, u, np.arange(len(u)))
        assert np.linalg.norm(gradient - differences) <= 1e-5 * np.linalg.norm(differences)
        theta = posterior.prior.constrain(u)
        likelihood, _ = posterior.engine.log_likelihood_and_gradient(theta)
        assert posterior.log_likelihood(u, log_density) == pytest.approx(likelihood, abs=1e-9)
        density, bits = Whitened(posterior), {"rtol": 1e-12 if engine == "sparse" else 1e-5}
        density.metric = Metric.diagonal(scale := random.uniform(0.5, 2, len(density.moving)))
        at = tf.constant(density.metric.to_whitened(u[density.moving]))
        log_density, gradient = posterior.log_density_and_gradient(density.to_position(at.numpy()))
        with tf.GradientTape() as tape:
            tape.watch(at)
            value = 3.0 * density.as_tensor()(at)
        np.testing.assert_allclose(value, 3.0 * log_density, **bits)
        np.testing.assert_allclose(tape.gradient(value, at), 3.0 * scale * gradient[density.moving], **bits)
    _, _, logits = by_plain_keras(model, data, posterior.weights(u))
    ours = posterior.engine.logits(theta, posterior.engine.prepare(data.x_validation))
    np.testing.assert_allclose(ours, logits, atol=1e-4)
