"""VGG networks of the lottery ticket papers, for small images."""

from typing import Any

from tfticket.backend import keras
from tfticket.models.resnet import NORM


def vgg_11(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """VGG-11 with batch normalisation and one dense layer: 9,228,362 trainable parameters on CIFAR-10.

    References:
        Simonyan and Zisserman (2015), table 1, as open_lth has it for CIFAR-10 but for the convolutions' biases.
    """
    return _vgg("vgg-11", (1, 1, 2, 2, 2), input_shape, num_classes, initialiser)


def vgg_16(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """VGG-16, as ``vgg_11``: 14,724,042 trainable parameters on CIFAR-10."""
    return _vgg("vgg-16", (2, 2, 3, 3, 3), input_shape, num_classes, initialiser)


def vgg_19(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """VGG-19, as ``vgg_11``: 20,035,018 trainable parameters on CIFAR-10."""
    return _vgg("vgg-19", (2, 2, 4, 4, 4), input_shape, num_classes, initialiser)


def _vgg(name: str, depths: tuple[int, ...], input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """Blocks of 3x3 convolutions, max-pooling between them, the mean over what is left, one dense layer."""
    layers = keras.layers
    options = {"padding": "same", "use_bias": False, "kernel_initializer": initialiser}
    x = images = keras.Input(input_shape, name="images")
    number = 0
    for block, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512, 512), strict=True)):
        if block:
            x = layers.MaxPooling2D(name=f"pool_{block}")(x)
        for _ in range(depth):
            number += 1
            x = layers.Conv2D(width, 3, name=f"conv_{number}", **options)(x)
            x = layers.BatchNormalization(name=f"norm_{number}", **NORM)(x)
            x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.GlobalAveragePooling2D(name="pool_5")(x)
    logits = layers.Dense(num_classes, kernel_initializer=initialiser, name="dense")(x)
    return keras.Model(images, logits, name=name)
