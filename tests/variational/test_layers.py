"""What a variational layer computes in a draw."""

import numpy as np
import pytest
from scipy import stats

from tests.rounding import assert_equal_but_for_rounding
from tests.variational.small import (
    ESTIMATORS,
    SEED,
    broad,
    divergence_by_hand,
    draw_of,
    drawn,
    images_for,
    own_model,
    softplus,
)
from tfticket.backend import keras, tf
from tfticket.models import variational_layers
from tfticket.variational.layers import VariationalConv1D, VariationalConv2D, VariationalDense
from tfticket.variational.noise import BIAS, KERNEL, SIGNS_IN, Draw, drawing, noise_seeds, normals_from
from tfticket.variational.objective import kl_divergence

DRAWS = 2000
CASES = {
    "dense": (VariationalDense, keras.layers.Dense(3), (4,)),
    "conv2d": (VariationalConv2D, keras.layers.Conv2D(3, 2, strides=2, padding="same"), (3, 3, 2)),
    "grouped": (VariationalConv2D, keras.layers.Conv2D(4, 2, groups=2), (2, 2, 4)),
    "causal": (VariationalConv1D, keras.layers.Conv1D(3, 2, padding="causal", use_bias=False), (4, 2)),
}
WAYS = [(kind, estimator) for kind in CASES for estimator in ESTIMATORS if estimator != "local" or kind == "dense"]


def layer_of(kind, place=3, first=False, **options):
    """A variational layer with large and unlike deviations, and a batch of two rows."""
    of, plain, shape = CASES[kind]
    layer = of(plain.get_config(), prior=0.7, deviation=0.01, means="own", place=place, first=first, name="layer")
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


@pytest.fixture(scope="module")
def moments():
    """Of each kind and estimator: the layer, its inputs, and many draws of its outputs."""
    found = {}

    def of(kind, estimator):
        if (kind, estimator) not in found:
            layer, inputs = layer_of(kind)
            found[kind, estimator] = layer, inputs, drawn(layer, inputs, estimator, DRAWS)
        return found[kind, estimator]

    return of


@pytest.mark.parametrize(("kind", "estimator"), WAYS)
def test_outputs_have_the_mean_and_the_variance_of_the_weights(moments, kind, estimator):
    layer, inputs, outputs = moments(kind, estimator)
    rho = softplus(layer.kernel_rho.numpy()) ** 2
    bias = (None, None) if layer.bias is None else (layer.bias.numpy(), softplus(layer.bias_rho.numpy()) ** 2)
    mean = linear(kind, inputs, layer.kernel.numpy(), bias[0])
    variance = linear(kind, inputs**2, rho, bias[1])
    assert np.all(np.abs(outputs.mean(0) - mean) < 5 * np.sqrt(variance / DRAWS) + 1e-6)
    np.testing.assert_allclose(outputs.var(0), variance, rtol=5 * np.sqrt(2 / DRAWS), atol=1e-6)


@pytest.mark.parametrize(("kind", "estimator"), WAYS)
def test_rows_share_weights_in_independent_draws_only(moments, kind, estimator):
    """Covariance of two rows' outputs: that of one kernel for both, or of the bias alone."""
    layer, inputs, outputs = moments(kind, estimator)
    each = outputs - outputs.mean(0)
    covariance = (each[:, 0] * each[:, 1]).mean(0)
    variance = None if layer.bias is None else softplus(layer.bias_rho.numpy()) ** 2
    kernel = softplus(layer.kernel_rho.numpy()) ** 2
    if estimator != "independent":
        kernel = np.zeros_like(kernel)
    expected = linear(kind, inputs[:1] * inputs[1:], kernel, variance)[0]
    error = np.sqrt(((each[:, 0] * each[:, 1]) ** 2).mean(0) / DRAWS)
    assert np.all(np.abs(covariance - expected) < 5 * error + 1e-6)


def test_a_row_of_flipout_flips_the_signs_of_the_batchs_one_perturbation():
    layer, _ = layer_of("dense")
    inputs = np.ones((64, 4), np.float32) * [1, 0, 0, 0]
    perturbation = draw_of(layer, inputs) - draw_of(layer, 0 * inputs) - layer.kernel.numpy()[0]
    magnitude = np.abs(perturbation)
    np.testing.assert_allclose(magnitude, np.broadcast_to(magnitude[0], magnitude.shape), atol=1e-6)
    assert {tuple(row) for row in np.sign(perturbation)} == {
        (a, b, c) for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)
    }
    shared = draw_of(layer, inputs, "independent")
    np.testing.assert_array_equal(shared, np.broadcast_to(shared[0], shared.shape))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_draws_come_from_seed_index_and_place_and_from_nothing_else(estimator):
    layer, inputs = layer_of("dense")
    first = draw_of(layer, inputs, estimator)
    tf.random.set_seed(99)
    np.testing.assert_array_equal(draw_of(layer, inputs, estimator), first)
    for other in (
        draw_of(layer, inputs, estimator, index=1),
        draw_of(layer, inputs, estimator, seed=SEED + np.int32([0, 1])),
        draw_of(layer, inputs, estimator, seed=SEED + np.int32([1, 0])),
        draw_of(layer_of("dense", place=4)[0], inputs, estimator),
    ):
        assert np.all(other != first)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("shape", [[30, 7], [5], []])
def test_compiled_noise_is_eager_noise(jit, shape):
    """Signs to the bit; XLA has logarithms of its own."""

    @tf.function(jit_compile=jit, autograph=False)
    def compiled(seed, index):
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


@pytest.mark.parametrize(("kind", "estimator"), WAYS)
def test_a_compiled_call_computes_what_an_eager_one_does(kind, estimator):
    layer, inputs = layer_of(kind)
    compiled = drawn(layer, inputs, estimator, 2)
    for index in range(2):
        np.testing.assert_allclose(compiled[index], draw_of(layer, inputs, estimator, index), rtol=1e-5, atol=1e-5)


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
    assert (whole.shape, whole.dtype) == ((40, 2), np.int32)
    np.testing.assert_array_equal(noise_seeds(3, "noise", 17, 29), whole[17:29])
    assert noise_seeds(3, "noise", 5, 5).shape == (0, 2)
    others = np.concatenate([whole, noise_seeds(4, "noise", 0, 40), noise_seeds(3, "evaluation", 0, 40)])
    assert len(np.unique(others, axis=0)) == 120


def test_without_a_draw_a_layer_computes_with_its_means():
    for kind in CASES:
        layer, inputs = layer_of(kind)
        bias = None if layer.bias is None else layer.bias.numpy()
        assert_equal_but_for_rounding(layer(inputs), linear(kind, inputs, layer.kernel.numpy(), bias), terms=9)


@pytest.mark.parametrize("name", ["conv2d", "residual", "twice", "twice unlike", "nested", "conv1d"])
def test_draws_that_share_what_is_the_same_for_them_are_the_draws_one_by_one(name):
    """Values and gradients. The rows' signs are of a batch, not of a draw, so the lonely draws are given them."""
    model = broad(own_model(name))
    images = images_for(model)
    variables = model.trainable_variables

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


def test_only_what_no_draw_reaches_counts_as_first():
    firsts = {
        name: [path for path, layer in variational_layers(broad(own_model(name))).items() if layer.first]
        for name in ("dense", "conv2d", "residual", "twice", "twice unlike", "nested", "vit")
    }
    assert firsts == {
        "dense": ["dense"],
        "conv2d": ["conv"],
        "residual": ["conv"],
        "twice": [],
        "twice unlike": [],
        "nested": [],
        "vit": ["patches"],
    }


@pytest.mark.parametrize("kind", CASES)
def test_divergence_is_that_of_normals(kind):
    import tensorflow_probability as tfp

    layer, _ = layer_of(kind)
    expected = by_tfp = 0.0
    for mean, rho in ((layer.kernel, layer.kernel_rho), (layer.bias, layer.bias_rho)):
        if mean is None:
            continue
        expected += divergence_by_hand(mean.numpy(), softplus(rho.numpy()), 0.7).sum()
        posterior = tfp.distributions.Normal(mean, tf.nn.softplus(rho))
        by_tfp += tf.reduce_sum(tfp.distributions.kl_divergence(posterior, tfp.distributions.Normal(0.0, 0.7)))
    assert float(kl_divergence(layer)) == pytest.approx(expected, rel=1e-5)
    assert float(kl_divergence(layer)) == pytest.approx(float(by_tfp), rel=1e-5)


def test_divergence_is_torch_blues():
    vi = pytest.importorskip("torch_blue.vi", reason="a peer, never needed")
    torch = pytest.importorskip("torch")
    layer, _ = layer_of("dense")
    normal = vi.distributions.MeanFieldNormal
    theirs = vi.VILinear(4, 3, variational_distribution=normal(), prior=normal(0.0, 0.7))
    values = {
        "_weight_mean": layer.kernel.numpy().T,
        "_weight_log_std": np.log(softplus(layer.kernel_rho.numpy())).T,
        "_bias_mean": layer.bias.numpy(),
        "_bias_log_std": np.log(softplus(layer.bias_rho.numpy())),
    }
    theirs.load_state_dict({name: torch.tensor(array) for name, array in values.items()})
    loss = vi.AnalyticalKullbackLeiblerLoss(theirs, vi.distributions.Categorical(), dataset_size=10)
    assert float(kl_divergence(layer)) == pytest.approx(loss.prior_matching().item(), rel=1e-5)
