"""The convolutional networks of the lottery ticket papers."""

from typing import Any

from tfticket.backend import keras


def conv_2(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """Two 3x3 convolutions of 64, max-pool, dense 256, 256, num_classes: 4,301,642 parameters on CIFAR-10.

    References:
        Frankle and Carbin (2019), figure 2.
    """
    return _conv("conv-2", (64,), input_shape, num_classes, initialiser)


def conv_4(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """As ``conv_2`` with a second block of two convolutions of 128: 2,425,930 parameters on CIFAR-10."""
    return _conv("conv-4", (64, 128), input_shape, num_classes, initialiser)


def conv_6(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """As ``conv_4`` with a third block of two convolutions of 256: 2,262,602 parameters on CIFAR-10."""
    return _conv("conv-6", (64, 128, 256), input_shape, num_classes, initialiser)


def _conv(name: str, widths: tuple[int, ...], input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    layers = keras.layers
    options = {"activation": "relu", "kernel_initializer": initialiser}
    x = images = keras.Input(input_shape, name="images")
    for block, width in enumerate(widths):
        for number in (2 * block + 1, 2 * block + 2):
            x = layers.Conv2D(width, 3, padding="same", name=f"conv_{number}", **options)(x)
        x = layers.MaxPooling2D(name=f"pool_{block + 1}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(256, name="dense_1", **options)(x)
    x = layers.Dense(256, name="dense_2", **options)(x)
    logits = layers.Dense(num_classes, kernel_initializer=initialiser, name="dense_3")(x)
    return keras.Model(images, logits, name=name)
