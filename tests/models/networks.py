"""Small networks as users write them, for images of 8 x 8 pixels and ten classes. Needs TensorFlow."""

from tfticket.backend import keras, tf

layers = keras.layers
IMAGE = (8, 8, 1)


class Scaling(layers.Layer):
    """A layer of a user's own, without a kernel."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor
        self.scaled = lambda inputs: inputs * factor  # no matter of a config

    def call(self, inputs):
        return self.scaled(inputs)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class Holding(layers.Layer):
    """A layer that holds others, whose names Keras counts up."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(5, activation="relu")
        self.others = [layers.Dense(4, activation="relu"), layers.Dense(3)]

    def call(self, inputs):
        return self.others[1](self.others[0](self.first(inputs)))


class Tenth(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None, **options):
        return tf.fill(shape, 0.1)


class Mine(keras.Model):
    """A class of a user's own, used in the functional way."""


def cubed(x):
    return x**3


def relu(x):
    return x**2


def ending(*last, name="refused"):
    return keras.Sequential([keras.Input(IMAGE), layers.Flatten(), *last], name=name)


def shared():
    """A kernel used twice, and a layer without weights used in two sizes."""
    images, twice, relu = keras.Input(IMAGE), layers.Dense(8, name="twice"), layers.ReLU(name="relu")
    x = relu(layers.Flatten()(twice(relu(twice(layers.Reshape((8, 8))(images))))))
    return keras.Model(images, layers.Dense(10, name="out")(x), name="shared")


def nested():
    inside, images = keras.Input(IMAGE), keras.Input(IMAGE)
    x = layers.Conv2D(3, 3, name="conv")(inside)
    x = layers.BatchNormalization(name="norm")(layers.SeparableConv2D(2, 3, name="separable")(x))
    encoder = keras.Model(inside, layers.Dense(6, name="dense")(layers.Flatten()(x)), name="encoder")
    head = keras.Sequential([keras.Input((6,)), layers.Dense(10, name="dense")], name="head")
    return keras.Model(images, head(encoder(images)), name="nested")


def attentive():
    images = keras.Input(IMAGE)
    rows = layers.Reshape((8, 8))(images)
    x = layers.MultiHeadAttention(2, 3, name="attention")(rows, rows)
    x = layers.Bidirectional(layers.SimpleRNN(4), name="both")(layers.TimeDistributed(layers.Dense(6), name="each")(x))
    return keras.Model(images, layers.Dense(10, name="out")(Holding(name="holding")(x)), name="attentive")


def operations():
    images = keras.Input(IMAGE)
    x = tf.nn.relu(tf.reshape(images, (-1, 64))[:, :60] * 2.0 - 0.1)
    return keras.Model(images, layers.Dense(10, name="out")(x), name="operations")


def own_parts():
    images = keras.Input(IMAGE)
    x = Scaling(0.5, name="half")(layers.Flatten()(images))
    x = layers.Dense(20, activation=cubed, kernel_initializer=Tenth(), name="dense")(x)
    return Mine(images, layers.Dense(10, name="out")(x), name="own_parts")


KERNELS = {
    shared: {"twice/kernel": (8, 8), "out/kernel": (64, 10)},
    nested: {"encoder/conv/kernel": (3, 3, 1, 3), "encoder/dense/kernel": (32, 6), "head/dense/kernel": (6, 10)},
    attentive: {"out/kernel": (3, 10)},
    operations: {"out/kernel": (60, 10)},
    own_parts: {"dense/kernel": (64, 20), "out/kernel": (20, 10)},
}
