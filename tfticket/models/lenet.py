"""The LeNets of the lottery ticket papers."""

from typing import Any

from tfticket.backend import keras


def lenet_300_100(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """Dense 300, dense 100, dense num_classes, ReLU between: 266,610 parameters on MNIST.

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


def lenet_5(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """LeNet-5 in Caffe's sizes: convolutions of 20 and 50 (5x5, no padding), each max-pooled, dense 500, num_classes.

    431,080 parameters on MNIST, 657,080 on CIFAR-10. A ReLU after each layer but the last; Caffe's own network has one
    after the first dense layer only.

    References:
        LeCun et al. (1998); Caffe's examples/mnist/lenet.prototxt.
    """
    layers = keras.layers
    options = {"activation": "relu", "kernel_initializer": initialiser}
    x = images = keras.Input(input_shape, name="images")
    for number, width in enumerate((20, 50), 1):
        x = layers.Conv2D(width, 5, name=f"conv_{number}", **options)(x)
        x = layers.MaxPooling2D(name=f"pool_{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(500, name="dense_1", **options)(x)
    logits = layers.Dense(num_classes, kernel_initializer=initialiser, name="dense_2")(x)
    return keras.Model(images, logits, name="lenet-5")
