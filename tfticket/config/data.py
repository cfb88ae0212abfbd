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
    """A registered name, or how a user names a network of their own."""
    if is_keras_file(name):
        return absolute_path(name)
    if name in MODELS or re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        return name
    raise ValueError(unknown("model", name, MODELS, advice="Own networks: package.module:function, or a .keras file."))


ENDINGS = (".npz", ".zip", ".tar.gz")
"""Of the files that data may lie in."""


def name_of(path: Path) -> str:
    """Return the name of data, from their file or folder."""
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending) or "own data"


def absolute_path(path: str) -> str:
    """A path from the root, '~' being the user's home."""
    return os.path.abspath(os.path.expanduser(path))  # pathlib raises where there is no such user


def _classes(value: object) -> object:
    if not isinstance(value, list | tuple) or not all(type(name) in (int, str) for name in value):
        raise ValueError("expected a list of numbers or names, such as [3, 5] or ['cat', 'dog']")
    return tuple(value)


class DataConfig(Config):
    """The data and their split, which serves all seeds of a run."""

    name: Annotated[str, Suggested(DATA_SETS)] = Field(
        "mnist",
        min_length=1,
        description="Data set, `tfticket data` shows them; with `path`, what figures call it (default: its file name)",
    )
    path: Annotated[str, Field(min_length=1), AfterValidator(absolute_path)] | None = Field(
        None,
        description="File or folder to read: npz, IDX, CIFAR-10's archives, images in folders or zipped; null: by name",
    )
    classes: Annotated[tuple[int | str, ...], BeforeValidator(_classes)] | None = Field(
        None, description="Keep only these classes, by number or name, labelled 0, 1, ... in this order; null: all"
    )
    validation_rows: int | None = Field(
        None,
        ge=1,
        description="Rows taken from the training set for validation; null: the data's own validation rows, "
        "else 5,000, or a tenth of under 50,000",
    )
    train_rows: int | None = Field(None, ge=1, description="Keep only so many training rows (seeded); null: all")
    split_seed: int = Field(0, ge=0, description="Seed of the split; independent of the runs' seeds")
    stratify: bool = Field(
        False, description="Split so that training and validation rows have the classes in the same proportions"
    )
    normalise: Literal["auto", "unit", "standard", "none"] = Field(
        "auto",
        description="Input of the network: unit, pixels / 255; standard, mean 0 and deviation 1 per channel or feature "
        "over the training rows; none, floats as they are; auto, unit for uint8 and standard for floats",
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
"""Of kernels. 'normal' is cut off at two standard deviations, as Keras has it; 'untruncated' is not. He is Kaiming."""


class ModelConfig(Config):
    """The network."""

    name: Annotated[str, Suggested(MODELS), AfterValidator(_model)] = Field(
        "lenet-300-100",
        description="Network, `tfticket list models` shows them; or your own, package.module:function or a .keras file",
    )
    initialiser: Initialiser = Field(
        "glorot_normal", description="Distribution of the initial kernels; biases are 0. An own network has its own"
    )
    start: Literal["seed", "current"] = Field(
        "seed", description="Start weights: drawn from the seed, or those that an own network comes with"
    )

    variational: Variational | None = Field(
        None, description="Normal posteriors over the weights, {} for the usual ones; null: a deterministic network"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        own = is_user_defined(self.name)
        if own and self.initialiser != "glorot_normal":
            advice = f"initialiser has no say in an own network such as {self.name}; set it there"
            raise field_error("initialiser", advice)
        if not own and self.start == "current":
            raise field_error("start", f"start: current is for own networks; {self.name} comes with no weights")
        return self
