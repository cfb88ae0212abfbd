"""Residual networks of the lottery ticket papers, for small images."""

from typing import Any

from tfticket.backend import keras


def resnet_18(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """ResNet-18 with the stem of CIFAR-10 (3x3, stride 1, no max-pool): 11,173,962 trainable parameters there.

    References:
        He et al. (2016), "Deep residual learning for image recognition", table 1.
    """
    return _resnet("resnet-18", (64, 128, 256, 512), 2, input_shape, num_classes, initialiser)


def resnet_20(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """ResNet-20 as open_lth has it, 1x1 convolutions as shortcuts: 272,474 trainable parameters on CIFAR-10.

    References:
        He et al. (2016), section 4.2.
    """
    return _resnet("resnet-20", (16, 32, 64), 3, input_shape, num_classes, initialiser)


def resnet_110(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """ResNet-110, as ``resnet_20`` with 18 blocks in each stage: 1,730,714 trainable parameters on CIFAR-10."""
    return _resnet("resnet-110", (16, 32, 64), 18, input_shape, num_classes, initialiser)


def _resnet(
    name: str, widths: tuple[int, ...], blocks: int, input_shape: tuple[int, ...], num_classes: int, initialiser: Any
) -> Any:
    """Stages of basic blocks; the first block of each but the first stage halves height and width."""
    layers = keras.layers

    def convolution(x: Any, width: int, size: int, stride: int, path: str) -> Any:
        same = stride == 1 or size == 1
        if not same:  # a pixel on every side: Keras' "same" pads two sides, a pixel beside what the shortcut sees
            x = layers.ZeroPadding2D(size // 2, name=f"{path}_pad")(x)
        options = {"padding": "same" if same else "valid", "use_bias": False, "kernel_initializer": initialiser}
        x = layers.Conv2D(width, size, stride, name=path, **options)(x)
        return layers.BatchNormalization(name=f"{path}_norm", **NORM)(x)

    def block(x: Any, width: int, stride: int, path: str) -> Any:
        shortcut = x
        if stride != 1 or x.shape[-1] != width:
            shortcut = convolution(x, width, 1, stride, f"{path}_shortcut")
        x = layers.ReLU(name=f"{path}_relu_1")(convolution(x, width, 3, stride, f"{path}_conv_1"))
        x = convolution(x, width, 3, 1, f"{path}_conv_2")
        return layers.ReLU(name=f"{path}_relu_2")(layers.Add(name=f"{path}_add")([x, shortcut]))

    images = keras.Input(input_shape, name="images")
    x = layers.ReLU(name="stem_relu")(convolution(images, widths[0], 3, 1, "stem"))
    for stage, width in enumerate(widths, 1):
        for number in range(1, blocks + 1):
            x = block(x, width, 2 if stage > 1 and number == 1 else 1, f"stage_{stage}_block_{number}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    logits = layers.Dense(num_classes, kernel_initializer=initialiser, name="dense")(x)
    return keras.Model(images, logits, name=name)


NORM = {"momentum": 0.9, "epsilon": 1e-5}
"""PyTorch's batch normalisation, which the papers' code takes: it keeps 90 % of the running statistics."""
