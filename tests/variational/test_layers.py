"""What a variational layer computes in a draw."""

import numpy as np
import pytest
from scipy import stats

from tests.rounding import assert_equal_but_for_rounding
from tests.variational.small import ESTIMATORS, SEED, broad, draw_of, drawn, images_for, own_model, softplus
from tfticket.backend import keras, tf
from tfticket.models import to_variational, variational_layers
from tfticket.variational.layers import VariationalConv1D, VariationalConv2D, VariationalDense
from tfticket.variational.noise import BIAS, KERNEL, SIGNS_IN, Draw, drawing, noise_seeds, normals_from

DRAWS = 2000
CASES = {
    "dense": (VariationalDense, keras.layers.Dense(3), (4,)),
    "conv2d": (VariationalConv2D, keras.layers.Conv2D(3, 2, strides=2, padding="same"), (3, 3, 2)),
    "grouped": (VariationalConv2D, keras.layers.Conv2D(4, 2, groups=2), (2, 2, 4)),
    "causal": (VariationalConv1D, keras.layers.Conv1D(3, 2, padding="causal", use_bias=False), (4, 2)),
}
WAYS = [(kind, estimator) for kind in CASES for estimator in ESTIMATORS if estimator != "local" or kind == "dense"]


def layer_of(kind, place=3):
    """A variational layer with large and unlike deviations, and a batch of two rows."""
    of, plain, shape = CASES[kind]
    layer = of(plain.get_config(), prior=0.7, deviation=0.01, means="own", place=place, first=False, name="layer")
    layer.build((None, *shape))
    random = np.random.default_rng(2)
    for variable in layer.trainable_weights:
        variable.assign(random.normal(0.0, 1.0, variable.shape))
    return layer, random.normal(size=(2, *shape)).astype(np.float32)


def linear(kind, inputs, kernel, bias=None):
    """What Keras' own layer makes of a kernel and a bias."""
    _, plain, shape = CASES[kind]
    layer = type(plain).from_config(plain.get_config())
    layer.build((None, *shape))
    for variable, values in zip(layer.trainable_weights, [kernel, bias], strict=False):
        variable.assign(np.zeros(variable.shape) if values is None else values)
    return layer(inputs).numpy()


@pytest.mark.parametrize(("kind", "estimator"), WAYS)
def test_outputs_have_the_moments_of_the_weights_and_a_compiled_call_computes_what_an_eager_one_does(kind, estimator):
    """Rows share weights in independent draws only; in all draws they share the bias."""
    layer, inputs = layer_of(kind)
    outputs = drawn(layer, inputs, estimator, DRAWS)
    kernel = softplus(layer.kernel_rho.numpy()) ** 2
    bias = None if layer.bias is None else softplus(layer.bias_rho.numpy()) ** 2
    mean = linear(kind, inputs, layer.kernel.numpy(), None if layer.bias is None else layer.bias.numpy())
    variance = linear(kind, inputs**2, kernel, bias)
    assert np.all(np.abs(outputs.mean(0) - mean) < 5 * np.sqrt(variance / DRAWS) + 1e-6)
    np.testing.assert_allclose(outputs.var(0), variance, rtol=5 * np.sqrt(2 / DRAWS), atol=1e-6)
    products = np.prod(np.moveaxis(outputs - outputs.mean(0), 1, 0), axis=0)
    expected = linear(kind, inputs[:1] * inputs[1:], kernel if estimator == "independent" else 0 * kernel, bias)[0]
    error = np.sqrt((products**2).mean(0) / DRAWS)
    assert np.all(np.abs(products.mean(0) - expected) < 5 * error + 1e-6)
    for index in range(2):
        eager = draw_of(layer, inputs, estimator, index)
        np.testing.assert_allclose(outputs[index], eager, rtol=1e-5, atol=1e-5)
    assert_equal_but_for_rounding(layer(inputs), mean, terms=9)  # without a draw


def test_a_row_of_flipout_flips_the_signs_of_the_batchs_one_perturbation():
    layer, _ = layer_of("dense")
    inputs = np.ones((64, 4), np.float32) * [1, 0, 0, 0]
    perturbation = draw_of(layer, inputs) - draw_of(layer, 0 * inputs) - layer.kernel.numpy()[0]
    magnitude = np.abs(perturbation)
    np.testing.assert_allclose(magnitude, np.broadcast_to(magnitude[0], magnitude.shape), atol=1e-6)
    assert len({tuple(row) for row in np.sign(perturbation)}) == 2**3
    shared = draw_of(layer, inputs, "independent")
    np.testing.assert_array_equal(shared, np.broadcast_to(shared[0], shared.shape))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_draws_come_from_seed_index_and_place_and_from_nothing_else(estimator):
    layer, inputs = layer_of("dense")
    first = draw_of(layer, inputs, estimator)
    tf.random.set_seed(99)
    np.testing.assert_array_equal(draw_of(layer, inputs, estimator), first)
    changes = [{"index": 1}, {"seed": SEED + np.int32([0, 1])}, {"seed": SEED + np.int32([1, 0])}]
    others = [draw_of(layer, inputs, estimator, **change) for change in changes]
    assert all(np.all(other != first) for other in [*others, draw_of(layer_of("dense", 4)[0], inputs, estimator)])


# Noise


@pytest.mark.parametrize("jit", [False, True])
def test_compiled_noise_is_eager_noise(jit):
    """Signs to the bit; XLA has logarithms of its own."""
    for shape in ([30, 7], [5], []):

        @tf.function(jit_compile=jit, autograph=False)
        def compiled(seed, index, shape=tuple(shape)):
            draw = Draw(seed, index, "flipout")
            return draw.normal(5, KERNEL, shape), draw.signs(5, SIGNS_IN, shape)

        eager = Draw(SEED, 4, "flipout")
        normal, signs = compiled(tf.constant(SEED), tf.constant(4))
        expected = eager.normal(5, KERNEL, shape).numpy()
        assert list(expected.shape) == shape
        np.testing.assert_allclose(normal, expected, rtol=1e-5 if jit else 0, atol=1e-5 if jit else 0)
        np.testing.assert_array_equal(signs, eager.signs(5, SIGNS_IN, shape))


def test_the_transform_is_box_and_mullers():
    """Also at the ends, where a logarithm or a turn could be lost."""
    bits = np.random.default_rng(0).integers(0, 2**32, (2, 5000), np.uint64).astype(np.uint32)
    bits[:, :9] = np.array([[0, 1, 2**32 - 1] * 3, np.repeat([0, 2**31, 2**32 - 1], 3)], np.uint32)
    uniform = (bits >> 8) / 2.0**24
    radius, turn = np.sqrt(-2 * np.log(uniform[0] + 2.0**-24)), 2 * np.pi * (uniform[1] - 0.5)
    np.testing.assert_allclose(normals_from(bits), [radius * np.cos(turn), radius * np.sin(turn)], rtol=0, atol=2e-6)


def test_noise_is_normal_and_streams_are_unrelated():
    streams = [
        Draw(SEED + np.int32([0, seed]), index, "flipout").normal(place, what, [4000]).numpy()
        for seed in range(2)
        for index in range(3)
        for place in range(3)
        for what in (KERNEL, BIAS)
    ]
    assert stats.kstest(np.concatenate(streams), "norm").pvalue > 1e-3
    correlations = np.corrcoef(streams)[np.triu_indices(len(streams), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)
    signs = Draw(SEED, 0, "flipout").signs(0, SIGNS_IN, [10000]).numpy()
    assert set(signs) == {-1.0, 1.0}
    assert abs(signs.mean()) < 5 / np.sqrt(10000)


def test_a_streams_seeds_depend_on_root_name_and_index_only():
    whole = noise_seeds(3, "noise", 0, 40)
    assert (whole.shape, whole.dtype, noise_seeds(3, "noise", 5, 5).shape) == ((40, 2), np.int32, (0, 2))
    np.testing.assert_array_equal(noise_seeds(3, "noise", 17, 29), whole[17:29])
    others = np.concatenate([whole, noise_seeds(4, "noise", 0, 40), noise_seeds(3, "evaluation", 0, 40)])
    assert len(np.unique(others, axis=0)) == 120


# Draws of a batch

FIRST = {"dense": ["dense"], "conv2d": ["conv"], "residual": ["conv"], "vit": ["patches"]}
FIRST |= {"twice": [], "twice unlike": [], "nested": []}


def test_only_what_no_draw_reaches_counts_as_first():
    for name, expected in FIRST.items():
        layers = variational_layers(to_variational(own_model(name)))
        assert [path for path, layer in layers.items() if layer.first] == expected, name


@pytest.mark.parametrize("name", ["conv2d", "residual", "twice", "twice unlike", "nested", "conv1d"])
def test_draws_that_share_what_is_the_same_for_them_are_the_draws_one_by_one(name):
    """Values and gradients. The rows' signs are of a batch, not of a draw, so the lonely draws are given them."""
    model = broad(own_model(name))
    images, variables = images_for(model), model.trainable_variables

    def draws(shared_by):
        with tf.GradientTape() as tape:
            outputs = []
            for index in range(3):
                with drawing(Draw(SEED, index, "flipout", shared_by())):
                    outputs.append(model(images, training=True))
            loss = tf.reduce_sum(tf.square(tf.stack(outputs)))
        return np.stack(outputs), tape.gradient(loss, variables)

    shared = {}
    together, gradients = draws(lambda: shared)
    signs = {key: value for key, value in shared.items() if key[1].startswith("signs")}
    assert {place for place, _ in signs} == {layer.place for layer in variational_layers(model).values()}
    alone, expected = draws(lambda: dict(signs))
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-5)
    for gradient, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=1e-3 * np.abs(other).max())
