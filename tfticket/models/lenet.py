"""The LeNets of the lottery ticket papers."""

from typing import Any

from tfticket.backend import keras


def lenet_300_100(input_shape: tuple[int, ...], num_classes: int, initialiser: str) -> Any:
    """Dense 300, dense 100, dense num_classes, ReLU between: 266,610 parameters on MNIST.

    Args:
        input_shape: Shape of one image, (height, width, channels).
        num_classes: Width of the last layer, which gives logits.
        initialiser: Keras name of the kernels' initialiser.

    References:
        LeCun et al. (1998); Frankle and Carbin (2019), section 2.
    """
    layers = keras.layers
    images = keras.Input(input_shape, name="images")
    x = layers.Flatten(name="flatten")(images)
    x = layers.Dense(300, activation="relu", kernel_initializer=initialiser, name="dense_1")(x)
    x = layers.Dense(100, activation="relu", kernel_initializer=initialiser, name="dense_2")(x)
    logits = layers.Dense(num_classes, kernel_initializer=initialiser, name="dense_3")(x)
    return keras.Model(images, logits, name="lenet-300-100")
