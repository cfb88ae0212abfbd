"""Configuration of training by gradient descent."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfticket.config.durations import Duration, iterations_in, rewinds_later
from tfticket.config.float32 import Decay, Float32, check_float32
from tfticket.config.schema import Config
from tfticket.config.variational import Objective
from tfticket.config.wording import field_error
from tfticket.errors import InputError

Engine = Literal["auto", "keras", "sparse"]
"""Engine of a training."""

DENSE_FROM = 0.2
"""Density above which Keras trains dense layers faster (``benchmarks/sparse_training``)."""

CONV_DENSE_FROM = 0.1
"""The same of a network with convolutions."""


def engine_at(engine: Engine, density: float) -> Engine:
    """Return the engine for a ticket of some density: 'auto' only where the sparse engine may be faster."""
    return "keras" if engine == "auto" and density > DENSE_FROM else engine


class Adam(Config):
    """Adam (Kingma and Ba, 2015)."""

    name: Literal["adam"] = Field("adam", description="Update rule: adam or sgd")
    learning_rate: Float32 = Field(1.2e-3, gt=0, description="Learning rate at the start of the schedule")
    beta_1: Decay = Field(0.9, description="Decay of the first moment, per iteration")
    beta_2: Decay = Field(0.999, description="Decay of the second moment, per iteration")
    epsilon: Float32 = Field(1e-7, gt=0, description="Constant added to the root of the second moment")


class Sgd(Config):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = Field("sgd", description="Update rule: sgd or adam")
    learning_rate: Float32 = Field(0.1, gt=0, description="Learning rate at the start of the schedule")
    momentum: Decay = Field(0.9, description="Decay of the velocity, per iteration")
    nesterov: bool = Field(False, description="Use Nesterov momentum")


class Augment(Config):
    """Augmentation of the training images, drawn anew for each image at each iteration."""

    flip: bool = Field(False, description="Flip images left to right with probability 1/2")
    crop: int = Field(
        0,
        ge=0,
        description="Width in pixels of black padding, from which the image's size is then cropped at random; 0: no "
        "crop",
    )


class TrainConfig(Config):
    """Training by gradient descent of the cross-entropy or, for a variational network, of `objective`."""

    epochs: Duration = Field("6ep", description="Length of training: 6 or '6ep' (epochs), '2000it' (iterations)")
    batch_size: int = Field(128, ge=1, description="Rows per iteration (minibatch size)")
    optimiser: Annotated[Adam | Sgd, Field(discriminator="name")] = Field(Adam(), description="Update rule")
    weight_decay: Float32 = Field(
        0.0, ge=0, description="Weight decay: weight_decay x weight is added to the gradient, unless decoupled"
    )
    decoupled: bool = Field(
        False,
        description="Decouple the weight decay, as AdamW: learning rate x weight_decay x weight is subtracted from "
        "each weight",
    )
    augment: Augment = Field(Augment(), description="Random augmentation of the training images; evaluation uses none")
    milestones: tuple[Duration, ...] = Field(
        (), description="Moments at which the learning rate is multiplied by `gamma`, e.g. [20ep, 30ep]"
    )
    gamma: Float32 = Field(0.1, gt=0, description="Factor applied to the learning rate at each milestone")
    schedule: Literal["steps", "cosine"] = Field(
        "steps",
        description="Learning-rate schedule: constant between milestones (steps), or half a cosine from the initial "
        "rate to 0 (cosine)",
    )
    warmup: Duration = Field(
        "0it", description="Length of the linear rise of the learning rate from 0 at the start of training"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Precision of the layers' arithmetic in training; weights, loss and evaluation are always float32",
    )
    engine: Engine = Field(
        "auto",
        description="Engine: over surviving weights alone, on one CPU thread (sparse), any network, dense and masked "
        "(keras), or sparse where that is faster (auto)",
    )
    objective: Objective = Field(
        Objective(), description="Objective of variational networks: loss, KL divergence, draws"
    )
    evaluate_every: Duration = Field("1ep", description="Interval at which validation accuracy and NLL are recorded")
    evaluate_test: bool = Field(
        False,
        description="Also record accuracy, NLL and calibration on the test rows at each evaluation; paper A reports "
        "its best test accuracy. Never used for selection",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("epochs", "evaluate_every"):
            if getattr(self, name) in ("0ep", "0it"):
                raise field_error(name, f"{name} must be longer than '{getattr(self, name)}'")
        if len(set(self.milestones)) < len(self.milestones):
            raise field_error("milestones", f"the milestones {', '.join(self.milestones)} repeat; name each only once")
        if self.schedule == "cosine" and self.milestones:
            message = "a cosine schedule has no milestones; remove them, or set schedule: steps"
            raise field_error("milestones", message)
        self._check_last_rate()
        return self

    def _check_last_rate(self) -> None:
        """Check that float32 can represent the learning rate after each milestone."""
        rate = self.optimiser.learning_rate
        for milestone in self.milestones:
            rate *= self.gamma
            try:
                check_float32(rate)
            except ValueError as error:
                raise field_error(
                    "gamma",
                    f"from the milestone {milestone} on, the learning rate is {rate:g}, {error}. Take a gamma nearer "
                    "1, or fewer milestones",
                ) from None


def check_lengths(train: "TrainConfig", rewind: str, rows: int, where: str = "train") -> None:
    """Check that batches, milestones and warm-ups fit into a training, and that rewinding leaves iterations."""
    if train.batch_size > rows:
        raise InputError(
            f"{where}.batch_size is {train.batch_size:,}, but there are {rows:,} training rows. Take at most {rows:,}."
            + f" In Python: train={{'batch_size': {rows}}}." * (where == "train"),
            field=f"{where}.batch_size",
        )
    total = iterations_in(train.epochs, rows, train.batch_size, field=f"{where}.epochs")
    first = iterations_in(rewind, rows, train.batch_size) if rewinds_later(rewind) else 0
    if total <= first:
        begin = f", and it begins at iteration {first:,} (rewind {rewind})" if first else ""
        raise InputError(
            f"Training for {train.epochs} of {rows:,} rows in batches of {train.batch_size:,} is {total:,} "
            f"iterations{begin}. Train longer ({where}.epochs), in smaller batches ({where}.batch_size)"
            f"{', or rewind to an earlier moment' if first else ''}.",
            field=f"{where}.epochs",
        )
    _check_milestones(train, rows, total, where)
    kl_warmup = iterations_in(train.objective.kl_warmup, rows, train.batch_size, field=f"{where}.objective.kl_warmup")
    if kl_warmup >= total:
        raise InputError(
            f"A {where}.objective.kl_warmup of {train.objective.kl_warmup} is {kl_warmup:,} iterations; training for "
            f"{train.epochs} ends after {total:,}, before the KL divergence has its full weight. "
            "Shorten the warm-up, or train longer.",
            field=f"{where}.objective.kl_warmup",
        )
    warmup = iterations_in(train.warmup, rows, train.batch_size, field=f"{where}.warmup")
    if warmup >= total:
        raise InputError(
            f"A warm-up of {train.warmup} is {warmup:,} iterations; training for {train.epochs} ends after {total:,}, "
            f"before the full learning rate is reached. Shorten {where}.warmup, or train longer.",
            field=f"{where}.warmup",
        )


def _check_milestones(train: "TrainConfig", rows: int, total: int, where: str) -> None:
    """Refuse milestones at the start or the end of training, and two milestones at the same iteration."""
    by_iteration: dict[int, str] = {}
    for milestone in train.milestones:
        iteration = iterations_in(milestone, rows, train.batch_size, field=f"{where}.milestones")
        if not 0 < iteration < total:
            raise InputError(
                f"{where}.milestones: {milestone} is iteration {iteration:,}; training for {train.epochs} has "
                f"{total:,}. Name a moment between its start and its end, remove this one, or train longer "
                f"({where}.epochs).",
                field=f"{where}.milestones",
            )
        if iteration in by_iteration:
            raise InputError(
                f"{where}.milestones: {by_iteration[iteration]} and {milestone} are both iteration {iteration:,}; the "
                "learning rate would change twice. Remove one of them.",
                field=f"{where}.milestones",
            )
        by_iteration[iteration] = milestone


def check_augment(augment: Augment, shape: Sequence[int], where: str = "train") -> None:
    """Check that training rows of this shape can be augmented."""
    if augment == Augment():
        return
    if len(shape) != 3:
        raise InputError(
            f"{where}.augment shifts and flips images, but the data are rows of {shape[0]} features. Remove it.",
            field=f"{where}.augment",
        )
    height, width, _ = shape
    if augment.crop >= min(height, width):
        raise InputError(
            f"augment.crop is {augment.crop:,} pixels on images of {height}x{width}; expected fewer than their height "
            "and width.",
            field=f"{where}.augment.crop",
        )
