"""Augmentation of images on the device, inside the compiled loop."""

from typing import Any

from tfticket.backend import tf


def augment_images(images: Any, moves: Any) -> Any:
    """Shift each image, filling with 0, then mirror it left to right where its draw is 1.

    Shifting by offsets in -p .. p is a random crop, of the image's size, from the image padded by p pixels.

    Args:
        images: uint8 or float32 [rows, height, width, channels], before they are normalised.
        moves: int32 [rows, 3]: offset down, offset right, 1 to mirror.

    Returns:
        The same type and shape.
    """
    rows, height, width, channels = images.shape
    down, right, mirror = (moves[:, part, None] for part in range(3))
    column = tf.range(width)[None]
    y = tf.range(height)[None] + down
    x = tf.where(mirror > 0, width - 1 - column, column) + right
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :]
    row = tf.range(rows)[:, None, None] * height + tf.clip_by_value(y, 0, height - 1)[:, :, None]
    pixel = row * width + tf.clip_by_value(x, 0, width - 1)[:, None, :]
    moved = tf.gather(tf.reshape(images, [rows * height * width, channels]), pixel)
    return tf.where(inside[..., None], moved, tf.zeros([], images.dtype))
