"""Data as models get them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tfticket.data.normalisation import Normalisation
from tfticket.errors import InputError
from tfticket.text import counted

FORMS = ((np.dtype(np.uint8), 4), (np.dtype(np.float32), 4), (np.dtype(np.float32), 2))
"""Accepted types and numbers of dimensions."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images or features, and labels, after the split.

    Attributes:
        name: Name in configurations.
        label: Name in figures and tables; mentions alterations of its images before publication.
        x_train: uint8 or float32 [rows, height, width, channels], or float32 [rows, features].
        y_train: int32 [rows], labels in 0 .. num_classes - 1.
        x_validation: As ``x_train``.
        y_validation: As ``y_train``.
        x_test: As ``x_train``.
        y_test: As ``y_train``.
        class_names: Names of the classes, by label.
        normalisation: Of pixels or features to a network's input.
        contents: SHA-256 of all images and labels before the split, independent of format and order.
        checksum: SHA-256 of rows in their order, classes, split, normalisation; equal data have equal checksums.
        feature_names: Of the columns, if a data frame names them.
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
    feature_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for split in ("train", "validation", "test"):
            images, labels = self.split(split)
            fits = (images.dtype, images.ndim) in FORMS and images.dtype == self.dtype
            if not fits or images.shape[1:] != self.input_shape:
                raise InputError(
                    f"{self.name}: {split} rows are {images.dtype} {images.shape}; expected uint8 or float32 [rows, "
                    "height, width, channels] or float32 [rows, features], of one type and size in all splits.",
                    field=f"x_{split}",
                )
            if self.dtype == "float32" and not np.isfinite(images).all():
                raise InputError(
                    f"{self.name}: {split} rows hold NaN or infinite values; expected finite ones.", field=f"x_{split}"
                )
            if labels.dtype != np.int32 or labels.shape != (len(images),) or not len(labels):
                raise InputError(
                    f"{self.name}: {split} labels are {labels.dtype} {labels.shape}; expected int32 [{len(images)}].",
                    field=f"y_{split}",
                )
            if labels.min() < 0 or labels.max() >= self.num_classes:
                raise InputError(
                    f"{self.name}: {split} labels go from {labels.min()} to {labels.max()}; expected 0 to "
                    f"{self.num_classes - 1}, for {self.num_classes} classes.",
                    field=f"y_{split}",
                )
        if self.normalisation.dtype != self.dtype or len(self.normalisation.scale) not in (1, self.input_shape[-1]):
            raise InputError(
                f"{self.name}: the normalisation is for {self.normalisation.dtype} of {len(self.normalisation.scale)} "
                f"channels; the rows are {self.dtype} {self.input_shape}.",
                field="normalisation",
            )

    def __repr__(self) -> str:
        rows = " + ".join(f"{len(self.split(name)[0]):,}" for name in ("train", "validation", "test"))
        return f"Dataset({self.label}, {rows} {self.things} of {size_of(self.input_shape)}, {self.num_classes} classes)"

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row, (height, width, channels) or (features,)."""
        return tuple(self.x_train.shape[1:])

    @property
    def dtype(self) -> Literal["uint8", "float32"]:
        """Type of images or features."""
        return "uint8" if self.x_train.dtype == np.uint8 else "float32"

    @property
    def things(self) -> str:
        """Name of the rows in messages: 'images' or 'rows'."""
        return "rows" if len(self.input_shape) == 1 else "images"

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return images and labels of 'train', 'validation' or 'test'."""
        if name not in ("train", "validation", "test"):
            raise InputError(f"Unknown split '{name}'. Known: train, validation, test.", field="split")
        return getattr(self, f"x_{name}"), getattr(self, f"y_{name}")


def size_of(shape: tuple[int, ...]) -> str:
    """Describe the size of a row, for messages: '28x28x1' of an image, '30 features' of a table's."""
    return counted(shape[0], "feature") if len(shape) == 1 else "x".join(map(str, shape))


def check_alike(data: Dataset, others: Dataset) -> None:
    """Check that other data have rows of the same shape and type, and are not the same data."""
    if others.contents == data.contents and set(others.class_names) & set(data.class_names):
        raise InputError(
            f"out_of_distribution: {others.name} is what the network is trained on, so no row is outside. Name other "
            "data, such as {name: fashion-mnist} beside mnist, or other classes of these.",
            field="out_of_distribution",
        )
    if (others.input_shape, others.dtype) != (data.input_shape, data.dtype):
        theirs, ours = (
            f"{dataset.things} {dataset.input_shape}" + (f" of {dataset.dtype}" if others.dtype != data.dtype else "")
            for dataset in (others, data)
        )
        raise InputError(
            f"out_of_distribution: {others.name} has {theirs}, and {data.name} has {ours}. Only rows of one shape and "
            "type can be told apart by one network; give other data.",
            field="out_of_distribution",
        )
