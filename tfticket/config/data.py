"""Configuration of the data and the network."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tfticket.config.names import Suggested
from tfticket.config.schema import Config
from tfticket.config.variational import Variational
from tfticket.config.wording import field_error
from tfticket.errors import unknown
from tfticket.registry import DATA_SETS, MODELS
from tfticket.user_networks import is_keras_file, is_user_defined


def _model(name: str) -> str:
    """Check the name of a registered network or of a user's own."""
    if is_keras_file(name):
        return absolute_path(name)
    if name in MODELS or re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        return name
    raise ValueError(unknown("model", name, MODELS, advice="Own networks: package.module:function, or a .keras file."))


ENDINGS = (".npz", ".zip", ".tar.gz")
"""Endings of data files."""


def name_of(path: Path) -> str:
    """Return the name of a data set, taken from its file or folder."""
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending) or "own data"


def absolute_path(path: str) -> str:
    """Return the absolute path; '~' is the user's home."""
    return os.path.abspath(os.path.expanduser(path))  # pathlib raises for an unknown user


def _classes(value: object) -> object:
    if not isinstance(value, list | tuple) or not all(type(name) in (int, str) for name in value):
        raise ValueError("expected a list of numbers or names, such as [3, 5] or ['cat', 'dog']")
    return tuple(value)


class DataConfig(Config):
    """The data and their split, shared by all seeds of a run."""

    name: Annotated[str, Suggested(DATA_SETS)] = Field(
        "mnist",
        min_length=1,
        description="Data set; `tfticket data` shows all. With `path`: the name in figures (default: the file's name)",
    )
    path: Annotated[str, Field(min_length=1), AfterValidator(absolute_path)] | None = Field(
        None,
        description="File or folder to read: npz, IDX, CIFAR-10 archives, or images in a folder or zip file; null: "
        "the data set called `name`",
    )
    classes: Annotated[tuple[int | str, ...], BeforeValidator(_classes)] | None = Field(
        None, description="Classes to keep, by number or name, labelled 0, 1, ... in this order; null: all"
    )
    validation_rows: int | None = Field(
        None,
        ge=1,
        description="Number of training rows held out for validation; null: the data set's own validation rows or, "
        "without them, 5,000 (a tenth of fewer than 50,000 rows)",
    )
    train_rows: int | None = Field(
        None, ge=1, description="Number of training rows to keep, chosen by the split seed; null: all"
    )
    split_seed: int = Field(0, ge=0, description="Seed of the split; independent of the run's seeds")
    stratify: bool = Field(False, description="Give training and validation rows the same class proportions")
    normalise: Literal["auto", "unit", "standard", "none"] = Field(
        "auto",
        description="Normalisation of the input: unit (pixels / 255), standard (mean 0 and deviation 1 per channel or"
        " feature over the training rows), none (floats unchanged), or auto (unit for uint8, standard for"
        " floats)",
    )

    @model_validator(mode="before")
    @classmethod
    def _named_after_path(cls, values: Any) -> Any:
        path = values.get("path") if isinstance(values, dict) else None
        if isinstance(path, str | Path) and path and values.get("name") is None:
            return {**values, "name": name_of(Path(absolute_path(str(path))))}
        return values

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if self.classes is not None and len(self.classes) < 2:
            raise field_error("classes", f"classes must be at least two, got {list(self.classes)}")
        if len(set(map(str, self.classes or ()))) < len(self.classes or ()):
            raise field_error("classes", f"the classes {list(self.classes or ())} repeat")
        return self


Initialiser = Literal[
    "glorot_normal", "glorot_uniform", "glorot_untruncated", "he_normal", "he_uniform", "he_untruncated"
]
"""Kernel initialisers. 'normal' is truncated at two standard deviations, as in Keras. He is also called Kaiming."""


class ModelConfig(Config):
    """The network."""

    name: Annotated[str, Suggested(MODELS), AfterValidator(_model)] = Field(
        "lenet-300-100",
        description="Network; `tfticket list models` shows all. Your own: package.module:function, or a .keras file",
    )
    initialiser: Initialiser = Field(
        "glorot_normal",
        description="Distribution of the initial kernels; biases are 0. Your own network keeps its initialisers",
    )
    start: Literal["seed", "current"] = Field(
        "seed", description="Start weights: drawn from the seed (seed), or those stored in your own network (current)"
    )

    variational: Variational | None = Field(
        None, description="Normal posteriors over the weights, {} for the defaults; null: a deterministic network"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        own = is_user_defined(self.name)
        if own and self.initialiser != "glorot_normal":
            advice = f"initialiser has no effect on your own network {self.name}; set it in the network"
            raise field_error("initialiser", advice)
        if not own and self.start == "current":
            raise field_error(
                "start", f"start: current needs your own network; {self.name} has no stored weights. Set start: seed"
            )
        return self
