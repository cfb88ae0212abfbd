"""Configurations: frozen, typed, and refused if they hold a key we do not know.

One definition feeds YAML files, ``-o`` overrides on the command line, forms and fingerprints. Nothing here
imports TensorFlow.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tfticket.durations import Duration, Rewind, iterations_in, rewinds_later
from tfticket.errors import InputError, unknown
from tfticket.own import is_file, is_own
from tfticket.registry import CONTROLS, EXPERIMENTS, MODELS, SCORES
from tfticket.schema import Config


def _known(what: str, table: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in table:
            raise ValueError(unknown(what, name, table))
        return name

    return AfterValidator(check)


def _model(name: str) -> str:
    """A registered name, or how a user names a network of their own."""
    if is_file(name):
        return _absolute(name)
    if name in MODELS or re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        return name
    raise ValueError(unknown("model", name, MODELS) + " Own networks: package.module:function, or a .keras file.")


ENDINGS = (".npz", ".zip", ".tar.gz")
"""Of the files that data may lie in."""


def name_of(path: Path) -> str:
    """What data are called after their file or folder."""
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending) or "own data"


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))  # pathlib raises where there is no such user


def _classes(value: object) -> object:
    if not isinstance(value, list | tuple) or not all(type(one) in (int, str) for one in value):
        raise ValueError("expected a list of numbers or names, such as [3, 5] or [cat, dog]; put yes and no in quotes")
    return tuple(value)


class DataConfig(Config):
    """Which data, and how they are split. One split serves all seeds of a run."""

    name: str = Field(
        "mnist",
        min_length=1,
        description="Data set, `tfticket data` shows them; with `path`, what figures call it (default: its file name)",
    )
    path: Annotated[str, Field(min_length=1), AfterValidator(_absolute)] | None = Field(
        None,
        description="File or folder to read: npz, IDX, CIFAR-10's archives, images in folders or a zip of these",
    )
    classes: Annotated[tuple[int | str, ...], BeforeValidator(_classes)] | None = Field(
        None, description="Keep only these classes, by number or name, labelled 0, 1, ... in this order"
    )
    validation_rows: int | None = Field(
        None,
        ge=1,
        description="Rows taken from the training set for validation; null: 5,000, or a tenth of under 50,000",
    )
    train_rows: int | None = Field(None, ge=1, description="Keep only so many training rows (seeded); null: all")
    split_seed: int = Field(0, ge=0, description="Seed of the split; independent of the runs' seeds")
    normalise: Literal["unit", "standard"] = Field(
        "unit",
        description="Input of the network: pixels / 255, or mean 0 and deviation 1 per channel over the training rows",
    )

    @model_validator(mode="before")
    @classmethod
    def _named_after_path(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("path") and values.get("name") is None:
            return {**values, "name": name_of(Path(_absolute(str(values["path"]))))}
        return values

    @model_validator(mode="after")
    def _check_classes(self) -> Self:
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError(f"classes must be at least two, got {list(self.classes)}")
        if len(set(map(str, self.classes or ()))) < len(self.classes or ()):
            raise ValueError(f"the classes {list(self.classes or ())} repeat")
        return self


Initialiser = Literal[
    "glorot_normal",
    "glorot_uniform",
    "glorot_untruncated",
    "he_normal",
    "he_uniform",
    "he_untruncated",
]
"""Of kernels. 'normal' is cut off at two standard deviations, as Keras has it; 'untruncated' is not. He is Kaiming."""


class ModelConfig(Config):
    """Which network."""

    name: Annotated[str, AfterValidator(_model)] = Field(
        "lenet-300-100",
        description="Network, `tfticket list models` shows them; or your own, package.module:function or a .keras file",
    )
    initialiser: Initialiser = Field(
        "glorot_normal", description="Distribution of the initial kernels; biases are 0. An own network has its own"
    )
    start: Literal["seed", "current"] = Field(
        "seed", description="Start weights: drawn from the seed, or those that an own network comes with"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        own = is_own(self.name)
        if own and self.initialiser != "glorot_normal":
            raise ValueError(f"initialiser has no say in an own network such as {self.name}; set it there")
        if not own and self.start == "current":
            raise ValueError(f"start: current is for own networks; {self.name} comes with no weights")
        return self


class Adam(Config):
    """Adam (Kingma and Ba, 2015)."""

    name: Literal["adam"] = Field("adam", description="Adam; or sgd")
    learning_rate: float = Field(1.2e-3, gt=0, description="Step size at the start of the schedule")
    beta_1: float = Field(0.9, ge=0, lt=1, description="Decay of the first moment, per iteration")
    beta_2: float = Field(0.999, ge=0, lt=1, description="Decay of the second moment, per iteration")
    epsilon: float = Field(1e-7, gt=0, description="Added to the root of the second moment")


class Sgd(Config):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = Field("sgd", description="Gradient descent; or adam")
    learning_rate: float = Field(0.1, gt=0, description="Step size at the start of the schedule")
    momentum: float = Field(0.9, ge=0, lt=1, description="Decay of the velocity, per iteration")
    nesterov: bool = Field(False, description="Nesterov's form of the momentum")


class Augment(Config):
    """Augmentation of the training images, drawn anew for each image at each iteration."""

    flip: bool = Field(False, description="Mirror left to right, with probability one half")
    crop: int = Field(0, ge=0, description="Pad by so many black pixels, then cut out the image's size at random")


class TrainConfig(Config):
    """Training by gradient descent on the cross-entropy."""

    epochs: Duration = Field("6ep", description="Length: 6 or '6ep' (epochs), '2000it' (iterations)")
    batch_size: int = Field(128, ge=1, description="Rows per iteration")
    optimiser: Annotated[Adam | Sgd, Field(discriminator="name")] = Field(Adam(), description="Update rule")
    weight_decay: float = Field(
        0.0, ge=0, description="Decay of every weight: weight_decay x weight is added to its gradient, if not decoupled"
    )
    decoupled: bool = Field(
        False, description="Decay apart from the gradient, as AdamW: learning rate x weight_decay x weight is taken off"
    )
    augment: Augment = Field(Augment(), description="Random changes of the training images; never in evaluation")
    milestones: tuple[Duration, ...] = Field((), description="When the learning rate is multiplied by `gamma`")
    gamma: float = Field(0.1, gt=0, description="Factor on the learning rate at each milestone")
    schedule: Literal["steps", "cosine"] = Field(
        "steps", description="Learning rate: constant between milestones, or half a cosine from its start to 0"
    )
    warmup: Duration = Field("0it", description="The learning rate first rises linearly to its start for so long")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Arithmetic of the layers in training; weights, loss and evaluation are float32 anyway"
    )
    evaluate_every: Duration = Field("1ep", description="How often validation accuracy and NLL are recorded")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("epochs", "evaluate_every"):
            if getattr(self, name) in ("0ep", "0it"):
                raise ValueError(f"{name} must be longer than '{getattr(self, name)}'")
        if self.schedule == "cosine" and self.milestones:
            raise ValueError("a cosine schedule has no milestones; take them out, or take schedule: steps")
        return self


def check_lengths(train: "TrainConfig", rewind: str, rows: int) -> None:
    """See before any training that it has an iteration, that rewinding leaves some, and that the warm-up ends.

    Args:
        train: The training of a level.
        rewind: Where survivors start again.
        rows: Training rows after the split.

    Raises:
        InputError: It has not.
    """
    total = iterations_in(train.epochs, rows, train.batch_size)
    first = iterations_in(rewind, rows, train.batch_size) if rewinds_later(rewind) else 0
    if total <= first:
        begin = f", but it begins at iteration {first} (rewind {rewind})" if first else ""
        raise InputError(
            f"Training for {train.epochs} of {rows:,} rows in batches of {train.batch_size} is {total} "
            f"iterations{begin}. Train longer (train.epochs), in smaller batches (train.batch_size)"
            f"{', or rewind to an earlier moment' if first else ''}."
        )
    warmup = iterations_in(train.warmup, rows, train.batch_size)
    if warmup >= total:
        raise InputError(
            f"A warm-up of {train.warmup} is {warmup} iterations; training for {train.epochs} ends after {total}, "
            "before the learning rate is reached. Shorten train.warmup, or train longer."
        )


class PruneConfig(Config):
    """Iterative pruning: which weights go, how many, and where the survivors start again.

    Either ``sparsity`` (the target after all levels: each keeps (1 - sparsity)^(1/levels) of the survivors)
    or ``rate`` (the fraction of the survivors that goes at each level).
    """

    levels: int = Field(10, ge=1, description="Rounds of train, prune, rewind after the dense level 0")
    sparsity: float | None = Field(None, ge=0, lt=1, description="Fraction pruned after the last level, in [0, 1)")
    rate: float | None = Field(None, gt=0, lt=1, description="Fraction of the survivors pruned at each level")
    score: Annotated[str, _known("score", SCORES)] = Field(
        "magnitude", description="What ranks the weights; `tfticket list scores` shows them"
    )
    scope: Literal["global", "layerwise"] = Field(
        "global", description="Weights are ranked over all layers together, or in each layer apart"
    )
    exempt: tuple[str, ...] = Field(
        (), description="Layers never pruned, e.g. ['dense_3']; they do not count in the sparsity"
    )
    rewind: Rewind = Field(
        "0it", description="Where survivors start again: '0it' (initialisation), '500it', 'none' (rate rewinding)"
    )
    allow_empty: bool = Field(False, description="Allow a level to prune a layer to nothing")

    @model_validator(mode="before")
    @classmethod
    def _one_amount(cls, values: Any) -> Any:
        if isinstance(values, dict) and (values.get("sparsity") is None) == (values.get("rate") is None):
            raise ValueError("give either sparsity (the target) or rate (per level); set the other to null")
        return values

    @property
    def rate_per_level(self) -> float:
        """The fraction of the survivors that goes at each level."""
        if self.rate is not None:
            return self.rate
        assert self.sparsity is not None
        kept: float = (1.0 - self.sparsity) ** (1.0 / self.levels)
        return 1.0 - kept

    def step(self, seed: int) -> "PruneStep":
        """One level's step. It knows no number of levels, so that more levels re-use the ones there are."""
        shared = ("score", "scope", "exempt", "rewind", "allow_empty")
        return PruneStep(rate=self.rate_per_level, seed=seed, **{name: getattr(self, name) for name in shared})


class Execution(Config):
    """How a run is carried out. None of it changes a result's bits but ``threads``, which is recorded."""

    threads: int | None = Field(None, ge=1, description="CPU threads; null: all that this process may use")
    checkpoint_seconds: float = Field(30.0, ge=0, description="At most so long between two checkpoints")
    segment_seconds: float = Field(5.0, gt=0, description="Compiled work between two looks at stop requests")


class ExperimentConfig(Config):
    """What every experiment's configuration has in common."""

    experiment: Annotated[str, _known("experiment", EXPERIMENTS)] = Field(
        description="Which experiment; `tfticket list experiments` shows them"
    )
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the run's folder")
    execution: Execution = Field(Execution(), description="Threads, checkpoints: nothing scientific")


class StartStep(Config):
    """The dense ticket of level 0: initial weights drawn from the seed, every weight kept."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    seed: int = Field(ge=0)


class TrainStep(Config):
    """Train a ticket from its own start."""

    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    seed: int = Field(ge=0, description="Seed of the order of the rows")
    keep: tuple[Duration, ...] = Field((), description="Also keep the weights of these moments, for rewinding")


class PruneStep(Config):
    """Prune a trained ticket by one level."""

    rate: float = Field(ge=0, lt=1)
    score: Annotated[str, _known("score", SCORES)] = "magnitude"
    scope: Literal["global", "layerwise"] = "global"
    exempt: tuple[str, ...] = ()
    rewind: Rewind = "0it"
    allow_empty: bool = False
    seed: int = Field(ge=0, description="Seed of ties and of random scores")


ControlName = Annotated[str, _known("control", CONTROLS)]


class ControlStep(Config):
    """Alter a ticket on purpose."""

    control: ControlName
    seed: int = Field(ge=0)


class EvaluateStep(Config):
    """Measure trained weights on the validation and the test rows."""

    data: DataConfig = DataConfig()


def scientific_fields(config: Config) -> dict[str, Any]:
    """The fields that decide a result: those that differ from the default, and always the discriminators.

    Execution fields and the run's name are left out. So a new option, at its default, changes no fingerprint.
    """
    result: dict[str, Any] = {}
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Execution) or (isinstance(config, ExperimentConfig) and name == "name"):
            continue
        if isinstance(value, Config):
            inner = scientific_fields(value)
            if inner or field.is_required():
                result[name] = inner
            continue
        discriminator = get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        if discriminator or field.is_required() or value != field.get_default():
            result[name] = value
    return result
