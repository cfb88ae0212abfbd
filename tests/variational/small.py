"""Small networks whose weights are normal distributions, and draws of their outputs."""

from dataclasses import dataclass

import numpy as np

from tfticket.backend import keras, tf
from tfticket.models import named_variables, to_variational
from tfticket.models.vit import _vit
from tfticket.variational.noise import Draw, drawing

layers = keras.layers
SHAPE = (6, 6, 2)
SEED = np.array([20, -3], np.int32)
ESTIMATORS = ("flipout", "independent", "local")


def _sequential(*stack):
    return keras.Sequential([layers.Input(SHAPE), *stack, layers.Flatten(), layers.Dense(3, name="logits")])


def _functional(middle):
    images = layers.Input(SHAPE)
    return keras.Model(images, layers.Dense(3, name="logits")(layers.Flatten()(middle(images))))


def _nested(images):
    encoder = keras.Sequential([layers.Input(SHAPE), layers.Conv2D(3, 3, name="conv")], name="encoder")
    return layers.Add()([encoder(images), encoder(layers.ReLU()(images))])


def _twice(images):
    dense = layers.Dense(2, name="twice")
    return dense(layers.ReLU()(dense(images)))


def _twice_unlike(images):
    dense = layers.Dense(2, name="twice")
    averages = layers.GlobalAveragePooling2D()(images)
    return layers.Concatenate()([layers.Flatten()(dense(images)), dense(averages)])


def _residual(images):
    x = layers.BatchNormalization(name="norm")(images)
    return layers.Add()([x, layers.Conv2D(2, 3, padding="same", name="conv")(x)])


MODELS = {
    "dense": lambda: _sequential(layers.Flatten(), layers.Dense(5, "relu", name="dense")),
    "conv2d": lambda: _sequential(
        layers.Conv2D(4, 3, strides=2, name="conv", use_bias=False), layers.BatchNormalization(name="norm")
    ),
    "dilated": lambda: _sequential(layers.Conv2D(4, 3, dilation_rate=2, activation="tanh", name="conv")),
    "grouped": lambda: _sequential(layers.Conv2D(4, 3, groups=2, padding="same", name="conv")),
    "conv1d": lambda: _sequential(
        *(layers.Reshape((36, 2)), layers.Conv1D(4, 3, 2, activation="relu", name="conv")),
        layers.Conv1D(3, 2, padding="causal", dilation_rate=2, name="causal"),
    ),
    "vit": lambda: _vit("small-vit", 12, 3, (8, 8, 2), 3, "glorot_uniform", depth=1),
    "nested": lambda: _functional(_nested),
    "twice": lambda: _functional(_twice),
    "twice unlike": lambda: _functional(_twice_unlike),
    "residual": lambda: _functional(_residual),
}
"""Users' own models, of 3 classes."""


def own_model(name):
    keras.backend.reset_uids()
    return MODELS[name]()


def images_for(model, rows=4):
    return np.random.default_rng(1).normal(size=(rows, *model.input_shape[1:])).astype(np.float32)


def broad(model, **config):
    """Variational, its weights drawn by NumPy and its deviations large and unlike."""
    made = to_variational(model, config)
    random = np.random.default_rng(5)
    for path, (_, variable) in named_variables(made).items():
        if path.endswith("_rho"):
            variable.assign(random.normal(-1.0, 0.5, variable.shape))
        elif path.endswith(("/kernel", "/bias")):
            variable.assign(random.normal(0.0, 0.5, variable.shape))
    return made


@dataclass(frozen=True)
class Cut(Draw):
    """A draw of whose numbers, drawn for larger arrays, only some go into each of the smaller ones.

    Attributes:
        parts: (place, what) -> the larger array's shape, and which indices remain on each axis.
    """

    parts: dict = None

    def _cut(self, draw, place, what, shape):
        if (place, what) not in self.parts:
            return draw(place, what, shape)
        larger, remain = self.parts[place, what]
        return tf.constant(draw(place, what, larger).numpy()[np.ix_(*remain)])

    def normal(self, place, what, shape):
        return self._cut(super().normal, place, what, shape)

    def signs(self, place, what, shape):
        return self._cut(super().signs, place, what, shape)


def drawn(model, inputs, estimator, draws, seed=SEED, training=False):
    """Outputs of a model or layer in several draws, [draws, rows, ...], in one compiled loop."""

    @tf.function(autograph=False)
    def all_draws(inputs):
        def one(index):
            with drawing(Draw(tf.constant(seed), index, estimator)):
                return model(inputs, training=training)

        return tf.map_fn(one, tf.range(draws), fn_output_signature=tf.float32)

    return all_draws(tf.constant(inputs)).numpy()


def draw_of(model, inputs, estimator="flipout", index=0, seed=SEED, **options):
    """Outputs in one draw, computed eagerly."""
    with drawing(Draw(seed, index, estimator)):
        return model(inputs, **options).numpy()


def weights_of(model):
    return {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}


def softplus(values):
    return np.logaddexp(0.0, values)


def divergence_by_hand(mean, deviation, prior):
    """KL(N(mean, deviation) | N(0, prior)) of each weight, in float64."""
    mean, deviation = np.float64(mean), np.float64(deviation)
    return np.log(prior / deviation) + (deviation**2 + mean**2) / (2 * prior**2) - 0.5
