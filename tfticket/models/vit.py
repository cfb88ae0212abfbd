"""Vision transformers for small images. Attention is made of dense layers, so that masks reach all its kernels."""

from typing import Any

from tfticket.backend import keras, tf
from tfticket.errors import InputError

PATCH = 4
"""Height and width of a patch, in pixels: 64 patches of a 32x32 image."""


@keras.saving.register_keras_serializable(package="tfticket")
class ClassToken(keras.layers.Layer):
    """Put a learned token before the patches: [rows, patches, width] -> [rows, 1 + patches, width]."""

    def build(self, shape: Any) -> None:
        self.token_initializer = keras.initializers.Zeros()
        self.token = self.add_weight("token", (1, 1, shape[-1]), initializer=self.token_initializer)
        super().build(shape)

    def call(self, patches: Any) -> Any:
        token = tf.cast(tf.repeat(self.token, tf.shape(patches)[0], axis=0), patches.dtype)
        return tf.concat([token, patches], axis=1)


@keras.saving.register_keras_serializable(package="tfticket")
class Positions(keras.layers.Layer):
    """Add a learned embedding of the position: [rows, tokens, width] -> the same."""

    def build(self, shape: Any) -> None:
        self.embedding_initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        self.embedding = self.add_weight("embedding", (1, *shape[1:]), initializer=self.embedding_initializer)
        super().build(shape)

    def call(self, tokens: Any) -> Any:
        return tokens + tf.cast(self.embedding, tokens.dtype)


@keras.saving.register_keras_serializable(package="tfticket")
class Attend(keras.layers.Layer):
    """Scaled dot-product attention of several heads: [query, key, value], each [rows, tokens, width] -> the same.

    It has no weights: the projections before and after it are dense layers.

    Args:
        heads: How many parts the width is cut into.

    References:
        Vaswani et al. (2017), "Attention is all you need", section 3.2.
    """

    def __init__(self, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self.heads = heads

    def call(self, inputs: Any) -> Any:
        _, tokens, width = inputs[0].shape
        query, key, value = (
            tf.transpose(tf.reshape(part, [-1, tokens, self.heads, width // self.heads]), [0, 2, 1, 3])
            for part in inputs
        )
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * (width // self.heads) ** -0.5)
        return tf.reshape(tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3]), [-1, tokens, width])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}


def vit_tiny(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """ViT-tiny with patches of 4x4: width 192, depth 12, 3 heads: 5,362,762 parameters on CIFAR-10.

    References:
        Dosovitskiy et al. (2021), "An image is worth 16x16 words"; Touvron et al. (2021), table 1, for its size.
    """
    return _vit("vit-tiny", 192, 3, input_shape, num_classes, initialiser)


def vit_base(input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """ViT-base, as ``vit_tiny`` with width 768 and 12 heads: 85,152,010 parameters on CIFAR-10."""
    return _vit("vit-base", 768, 12, input_shape, num_classes, initialiser)


def _vit(
    name: str, width: int, heads: int, input_shape: tuple[int, ...], num_classes: int, initialiser: Any, depth: int = 12
) -> Any:
    """A class token and patches, ``depth`` blocks of attention and of two dense layers, the class token's logits."""
    layers = keras.layers
    height, breadth, _ = input_shape
    if height % PATCH or breadth % PATCH:
        raise InputError(
            f"{name} cuts images into patches of {PATCH}x{PATCH}; {height}x{breadth} is no multiple of that. Pad the "
            "images, or take another network.",
            field="model.name",
        )
    tokens = 1 + (height // PATCH) * (breadth // PATCH)

    def dense(x: Any, units: int, path: str, activation: str | None = None) -> Any:
        return layers.Dense(units, activation, kernel_initializer=initialiser, name=path)(x)

    def norm(x: Any, path: str) -> Any:
        return layers.LayerNormalization(epsilon=1e-6, name=path)(x)

    def attention(x: Any, path: str) -> Any:
        projections = [dense(x, width, f"{path}_{part}") for part in ("query", "key", "value")]
        return dense(Attend(heads, name=f"{path}_attend")(projections), width, f"{path}_out")

    images = keras.Input(input_shape, name="images")
    x = layers.Conv2D(width, PATCH, PATCH, kernel_initializer=initialiser, name="patches")(images)
    x = layers.Reshape((tokens - 1, width), name="tokens")(x)
    x = Positions(name="positions")(ClassToken(name="class")(x))
    for number in range(1, depth + 1):
        path = f"block_{number}"
        x = layers.Add(name=f"{path}_add_1")([x, attention(norm(x, f"{path}_norm_1"), path)])
        hidden = dense(norm(x, f"{path}_norm_2"), 4 * width, f"{path}_dense_1", "gelu")
        x = layers.Add(name=f"{path}_add_2")([x, dense(hidden, width, f"{path}_dense_2")])
    x = layers.Cropping1D((0, tokens - 1), name="class_only")(norm(x, "norm"))
    logits = dense(layers.Flatten(name="flatten")(x), num_classes, "dense")
    return keras.Model(images, logits, name=name)
