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
"""Density above which Keras trains faster (``benchmarks/sparse_training``)."""


def engine_at(engine: Engine, density: float) -> Engine:
    """Return the engine for a ticket of some density: 'auto' only where the sparse engine may be faster."""
    return "keras" if engine == "auto" and density > DENSE_FROM else engine


class Adam(Config):
    """Adam (Kingma and Ba, 2015)."""

    name: Literal["adam"] = Field("adam", description="Adam; or sgd")
    learning_rate: Float32 = Field(1.2e-3, gt=0, description="Step size at the start of the schedule")
    beta_1: Decay = Field(0.9, description="Decay of the first moment, per iteration")
    beta_2: Decay = Field(0.999, description="Decay of the second moment, per iteration")
    epsilon: Float32 = Field(1e-7, gt=0, description="Added to the root of the second moment")


class Sgd(Config):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = Field("sgd", description="Gradient descent; or adam")
    learning_rate: Float32 = Field(0.1, gt=0, description="Step size at the start of the schedule")
    momentum: Decay = Field(0.9, description="Decay of the velocity, per iteration")
    nesterov: bool = Field(False, description="Nesterov's form of the momentum")


class Augment(Config):
    """Augmentation of the training images, drawn anew for each image at each iteration."""

    flip: bool = Field(False, description="Mirror left to right, with probability one half")
    crop: int = Field(0, ge=0, description="Pad by so many black pixels, then cut out the image's size at random")


class TrainConfig(Config):
    """Training by gradient descent: on the cross-entropy, or on what `objective` says of a variational network."""

    epochs: Duration = Field("6ep", description="Length: 6 or '6ep' (epochs), '2000it' (iterations)")
    batch_size: int = Field(128, ge=1, description="Rows per iteration")
    optimiser: Annotated[Adam | Sgd, Field(discriminator="name")] = Field(Adam(), description="Update rule")
    weight_decay: Float32 = Field(
        0.0, ge=0, description="Decay of every weight: weight_decay x weight is added to its gradient, if not decoupled"
    )
    decoupled: bool = Field(
        False,
        description="Decay apart from the gradient, as AdamW: learning rate x weight_decay x weight is subtracted",
    )
    augment: Augment = Field(Augment(), description="Random changes of the training images; never in evaluation")
    milestones: tuple[Duration, ...] = Field((), description="When the learning rate is multiplied by `gamma`")
    gamma: Float32 = Field(0.1, gt=0, description="Factor on the learning rate at each milestone")
    schedule: Literal["steps", "cosine"] = Field(
        "steps", description="Learning rate: constant between milestones, or half a cosine from its start to 0"
    )
    warmup: Duration = Field("0it", description="The learning rate first rises linearly to its start for this long")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Arithmetic of the layers in training; weights, loss and evaluation are float32 anyway"
    )
    engine: Engine = Field(
        "auto",
        description="sparse: over surviving weights alone, on one CPU thread; keras: any network, dense and masked; "
        "auto: sparse where that is faster",
    )
    objective: Objective = Field(Objective(), description="Of variational networks: loss, divergence, draws")
    evaluate_every: Duration = Field("1ep", description="How often validation accuracy and NLL are recorded")
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
            raise field_error("milestones", f"the milestones {', '.join(self.milestones)} repeat; each counts once")
        if self.schedule == "cosine" and self.milestones:
            message = "a cosine schedule has no milestones; take them out, or take schedule: steps"
            raise field_error("milestones", message)
        self._check_last_rate()
        return self

    def _check_last_rate(self) -> None:
        """See that float32 holds the learning rate after each milestone."""
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
    """Check before a training that batches, milestones and warm-ups lie within it, and that rewinding leaves some."""
    if train.batch_size > rows:
        raise InputError(
            f"{where}.batch_size is {train.batch_size:,}, but there are {rows:,} training rows. Take at most {rows:,}."
            + f" In Python: train={{'batch_size': {rows}}}." * (where == "train"),
            field=f"{where}.batch_size",
        )
    total = iterations_in(train.epochs, rows, train.batch_size, field=f"{where}.epochs")
    first = iterations_in(rewind, rows, train.batch_size) if rewinds_later(rewind) else 0
    if total <= first:
        begin = f", but it begins at iteration {first:,} (rewind {rewind})" if first else ""
        raise InputError(
            f"Training for {train.epochs} of {rows:,} rows in batches of {train.batch_size:,} is {total:,} "
            f"iterations{begin}. Train longer ({where}.epochs), in smaller batches ({where}.batch_size)"
            f"{', or rewind to an earlier moment' if first else ''}.",
            field=f"{where}.epochs",
        )
    _check_milestones(train, rows, total, where)
    rising = iterations_in(train.objective.kl_warmup, rows, train.batch_size, field=f"{where}.objective.kl_warmup")
    if rising >= total:
        raise InputError(
            f"A {where}.objective.kl_warmup of {train.objective.kl_warmup} is {rising:,} iterations; training for "
            f"{train.epochs} ends after {total:,}, before the KL divergence counts in full. Shorten it, or train "
            "longer.",
            field=f"{where}.objective.kl_warmup",
        )
    warmup = iterations_in(train.warmup, rows, train.batch_size, field=f"{where}.warmup")
    if warmup >= total:
        raise InputError(
            f"A warm-up of {train.warmup} is {warmup:,} iterations; training for {train.epochs} ends after {total:,}, "
            f"before the learning rate is reached. Shorten {where}.warmup, or train longer.",
            field=f"{where}.warmup",
        )


def _check_milestones(train: "TrainConfig", rows: int, total: int, where: str) -> None:
    """Refuse a milestone that no iteration follows, one at the start, and two of one iteration."""
    there: dict[int, str] = {}
    for milestone in train.milestones:
        iteration = iterations_in(milestone, rows, train.batch_size, field=f"{where}.milestones")
        if not 0 < iteration < total:
            raise InputError(
                f"{where}.milestones: {milestone} is iteration {iteration:,}; training for {train.epochs} has "
                f"{total:,}. Name a moment after its start and before its end, leave this one out, or train longer "
                f"({where}.epochs).",
                field=f"{where}.milestones",
            )
        if iteration in there:
            raise InputError(
                f"{where}.milestones: {there[iteration]} and {milestone} are both iteration {iteration:,}; the "
                "learning rate would change twice there. Leave one out.",
                field=f"{where}.milestones",
            )
        there[iteration] = milestone


def check_augment(augment: Augment, shape: Sequence[int], where: str = "train") -> None:
    """Check that training rows of a shape can be augmented."""
    if augment == Augment():
        return
    if len(shape) != 3:
        raise InputError(
            f"{where}.augment moves and mirrors images; the data are rows of {shape[0]} features. Leave it out.",
            field=f"{where}.augment",
        )
    height, width, _ = shape
    if augment.crop >= min(height, width):
        raise InputError(
            f"augment.crop is {augment.crop:,} pixels on images of {height}x{width}; expected fewer than their height "
            "and width.",
            field=f"{where}.augment.crop",
        )
