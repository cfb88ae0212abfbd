"""The one form in which data reach a model."""

from dataclasses import dataclass

import numpy as np

from tfticket.data.normalisation import Normalisation
from tfticket.errors import InputError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels after the split.

    Attributes:
        name: What configurations call it.
        label: What figures and tables call it; says where its images were altered before we had them.
        x_train: uint8 [rows, height, width, channels].
        y_train: int32 [rows], labels in 0 .. num_classes - 1.
        x_validation: As ``x_train``.
        y_validation: As ``y_train``.
        x_test: As ``x_train``.
        y_test: As ``y_train``.
        class_names: What the classes are called, by label.
        normalisation: How its pixels become a network's input.
        contents: SHA-256 of all images and labels before the split, in whatever format and order they lay.
        checksum: SHA-256 of rows in their order, classes, split, normalisation; equal data have equal checksums.
    """

    name: str
    label: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]
    normalisation: Normalisation
    contents: str
    checksum: str

    def __post_init__(self) -> None:
        for split in ("train", "validation", "test"):
            images, labels = self.split(split)
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self.x_train.shape[1:]:
                raise InputError(
                    f"{self.name}: {split} images are {images.dtype} {images.shape}; expected uint8 pixels 0 to 255, "
                    "[rows, height, width, channels], of one size in all splits."
                )
            if labels.dtype != np.int32 or labels.shape != (len(images),) or not len(labels):
                raise InputError(
                    f"{self.name}: {split} labels are {labels.dtype} {labels.shape}; expected int32 [{len(images)}]."
                )
            if labels.min() < 0 or labels.max() >= self.num_classes:
                raise InputError(
                    f"{self.name}: {split} labels go from {labels.min()} to {labels.max()}; expected 0 to "
                    f"{self.num_classes - 1}, for {self.num_classes} classes."
                )

    def __repr__(self) -> str:
        rows = " + ".join(f"{len(self.split(name)[0]):,}" for name in ("train", "validation", "test"))
        shape = "x".join(map(str, self.input_shape))
        return f"Dataset({self.label}, {rows} images of {shape}, {self.num_classes} classes)"

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image, (height, width, channels)."""
        return tuple(self.x_train.shape[1:])

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Images and labels of 'train', 'validation' or 'test'."""
        if name not in ("train", "validation", "test"):
            raise InputError(f"Unknown split '{name}'. Known: train, validation, test.")
        return getattr(self, f"x_{name}"), getattr(self, f"y_{name}")


def check_alike(data: Dataset, others: Dataset) -> None:
    """See that the images of other data are as large, and that their rows are others.

    Raises:
        InputError: They are not.
    """
    if others.contents == data.contents and set(others.class_names) & set(data.class_names):
        raise InputError(
            f"out_of_distribution: {others.name} is what the network is trained on, so no row is outside. Name other "
            "data, such as {name: fashion-mnist} beside mnist, or other classes of these."
        )
    if others.input_shape != data.input_shape:
        raise InputError(
            f"out_of_distribution: {others.name} has images {others.input_shape}, and {data.name} has images "
            f"{data.input_shape}. Only rows of one shape can be told apart by one network; give other data."
        )
