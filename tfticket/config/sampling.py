"""Configuration of chains."""

import math
import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tfticket.config.data import DataConfig
from tfticket.config.durations import LONGEST
from tfticket.config.float32 import Float32
from tfticket.config.names import known
from tfticket.config.schema import Config
from tfticket.config.wording import field_error
from tfticket.registry import SAMPLERS

_WRITTEN = re.compile(r"([a-z-]+)\(\s*([^,()]+?)\s*(?:,\s*([^,()]+?)\s*)?\)")


class PriorConfig(Config):
    """A prior, the same for all weights of a kind. Also written 'normal(0, 1)', 'uniform(-1, 1)', 'glorot-normal'."""

    name: Literal["normal", "uniform", "glorot-normal", "glorot-uniform"] = Field(
        "normal", description="Distribution; a Glorot prior has a different variance for each layer"
    )
    deviation: Float32 = Field(1.0, gt=0, description="Standard deviation of a normal prior, whose mean is 0")
    low: Float32 = Field(-1.0, description="Lower bound of a uniform prior")
    high: Float32 = Field(1.0, description="Upper bound of a uniform prior")
    factor: Float32 = Field(
        1.44, gt=0, description="Factor of a Glorot prior: the variance is factor x 2 / (fan in + fan out)"
    )
    fan: Literal["dense", "surviving"] = Field(
        "surviving",
        description="Fans of a Glorot prior: those of the dense layer, as in the paper, or of its surviving weights",
    )

    @model_validator(mode="before")
    @classmethod
    def _written(cls, values: Any) -> Any:
        if not isinstance(values, str):
            return values
        if not (match := _WRITTEN.fullmatch(values.strip())):
            return {"name": values.strip()}
        name, first, second = match.groups()
        try:
            numbers = [float(number) for number in (first, second) if number is not None]
        except ValueError:
            raise ValueError("expected numbers in the brackets, as in normal(0, 1)") from None
        if name == "normal" and len(numbers) == 2 and numbers[0] == 0:
            return {"name": name, "deviation": numbers[1]}
        if name == "uniform" and len(numbers) == 2:
            return {"name": name, "low": numbers[0], "high": numbers[1]}
        raise ValueError("expected normal(0, deviation), uniform(low, high), glorot-normal or glorot-uniform")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low >= self.high:
            raise field_error("low", f"the lower bound {self.low:g} is not below the upper one, {self.high:g}")
        return self

    @property
    def is_bounded(self) -> bool:
        """True if weights have bounds."""
        return self.name in ("uniform", "glorot-uniform")

    @property
    def is_glorot(self) -> bool:
        """True if the variance depends on the layer's fans."""
        return self.name.startswith("glorot")

    @property
    def centre(self) -> float:
        """The centre of the distribution."""
        return (self.low + self.high) / 2 if self.name == "uniform" else 0.0

    @property
    def half_width(self) -> float:
        """Half the width of a uniform prior's interval."""
        return (self.high - self.low) / 2


SHORTEST_WARMUP = 20
"""Smallest number of draws for the windows of a warm-up."""


class SampleConfig(Config):
    """A Markov chain over a ticket's surviving weights, its biases and its normalisation parameters."""

    former_names: ClassVar[dict[str, str]] = {"thinning": "keep_every"}

    method: Annotated[str, known("sampler", SAMPLERS)] = Field(
        "nuts", description="Sampler; `tfticket list samplers` shows all"
    )
    draws: int = Field(1400, ge=1, le=LONGEST, description="Number of draws after the warm-up")
    warmup: int = Field(
        200,
        ge=SHORTEST_WARMUP,
        le=LONGEST,
        description=f"Number of warm-up draws, which tune step size and mass matrix and are discarded; at least "
        f"{SHORTEST_WARMUP}",
    )
    prior: PriorConfig = Field(
        PriorConfig(), description="Prior of the kernels: normal(0, 1), uniform(-1, 1), glorot-normal, ..."
    )
    other_prior: PriorConfig = Field(PriorConfig(), description="Prior of biases and normalisation parameters")
    likelihood_power: Float32 = Field(
        1.0, gt=0, description="Power to which the likelihood is raised; 1: the Bayesian posterior"
    )
    start: Literal["prior", "trained", "ticket"] = Field(
        "prior",
        description="Where a chain begins: a draw from the prior (prior), the weights that gradient ascent of the "
        "posterior reaches from such a draw (trained), or the ticket's start weights (ticket)",
    )
    start_gradients: int = Field(
        1500, ge=1, le=LONGEST, description="Full-batch Adam steps of the gradient ascent when start is trained"
    )
    metric: Literal["diagonal", "low-rank"] = Field(
        "diagonal",
        description="Mass matrix that the warm-up estimates: diagonal, or low-rank, which includes correlations",
    )
    trajectory_length: float | None = Field(
        None,
        gt=0,
        description="Trajectory length in whitened standard deviations. hmc, mams: mean of the jittered length; "
        "mclmc: distance over which the direction decorrelates; nuts: largest length of a tree, which "
        "caps its depth by the step size. Null: tuned in the warm-up; nuts: limited by max_tree_depth "
        "alone",
    )
    max_tree_depth: int = Field(
        10, ge=1, le=20, description="Largest tree depth (nuts): at most 2^depth - 1 gradients per draw"
    )
    warmup_tree_depth: int | None = Field(
        None, ge=1, le=20, description="Largest tree depth in the warm-up (nuts); null: same as max_tree_depth"
    )
    leapfrog_steps: int | None = Field(
        None, ge=1, le=LONGEST, description="Leapfrog steps per draw (hmc); null: computed from the trajectory length"
    )
    steps_per_draw: int | None = Field(
        None,
        ge=1,
        le=LONGEST,
        description="Steps per draw: gradients (mclmc) or minibatches (sgld, sghmc). Null: as many as cover the "
        "trajectory length (mclmc), or 10 passes over the rows (sgld, sghmc)",
    )
    batch_size: int = Field(512, ge=1, le=LONGEST, description="Rows per minibatch (sgld, sghmc)")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Step size along the gradient of the mean log density per row (sgld, sghmc); if preconditioned, "
        "the gradient is divided by its root mean square. Null: 0.3 (sgld) or 0.03 (sghmc), "
        "preconditioned 0.003 or 0.0003",
    )
    friction: float = Field(0.1, gt=0, le=1, description="Fraction of the velocity lost per step, 1 - momentum (sghmc)")
    preconditioned: bool = Field(
        False,
        description="Divide the step of each variable by the root mean square of its gradients in the warm-up, as "
        "RMSprop (sgld, sghmc)",
    )
    draws_per_cycle: int | None = Field(
        None,
        ge=1,
        le=LONGEST,
        description="Draws per cycle (sgld, sghmc): the step size falls to 0 along half a cosine; the first quarter "
        "of the steps explores without noise and yields no draws. Null: constant step size",
    )
    target_acceptance: float = Field(0.8, gt=0, lt=1, description="Acceptance rate to which the step size is tuned")
    evaluate_every: int = Field(
        10, ge=1, description="Number of draws between two evaluations of the posterior predictive"
    )
    thinning: int = Field(1, ge=1, description="Save every n-th draw; predictions use all draws")
    engine: Literal["auto", "sparse", "keras"] = Field(
        "auto",
        description="Gradient engine: sparse (surviving weights only, CPU), keras (any network, dense and masked), or"
        " auto, which chooses",
    )
    freeze_batch_norm: bool = Field(False, description="Keep the batch statistics of the ticket's start weights")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.other_prior.is_glorot:
            message = "biases have no fans, which a Glorot prior needs; expected normal or uniform"
            raise field_error("other_prior", message)
        return self

    @property
    def depth_in_warmup(self) -> int:
        """Largest tree depth in the warm-up."""
        return self.max_tree_depth if self.warmup_tree_depth is None else self.warmup_tree_depth

    @property
    def ineffective(self) -> list[str]:
        """Fields that are set although the method does not read them."""
        fields = type(self).model_fields
        unread = [name for name, methods in READ_BY.items() if self.method not in methods]
        unread += ["start_gradients"] * (self.start != "trained")
        unread += ["trajectory_length"] * (self.method == "hmc" and self.leapfrog_steps is not None)
        return [name for name in unread if getattr(self, name) != fields[name].default]

    @property
    def ineffective_text(self) -> str:
        """A sentence that names the ``ineffective`` fields."""
        return f"{self.method} does not read sample.{', sample.'.join(self.ineffective)}."

    @property
    def tunes_trajectory_length(self) -> bool:
        """True if the warm-up tunes the trajectory length."""
        return self.trajectory_length is None and (
            self.method in ("mams", "mclmc") or (self.method == "hmc" and self.leapfrog_steps is None)
        )

    def most_gradients(self, rows: int) -> int:
        """Return the number of gradients of a chain.

        For nuts it is an upper bound; where the step size decides, it is the number that LeNet-300-100 takes.

        Args:
            rows: Number of training rows; a gradient of a minibatch counts as its share of them.
        """
        if self.method == "nuts":
            return int(self.warmup * (2**self.depth_in_warmup - 1) + self.draws * (2**self.max_tree_depth - 1))
        steps: float = self.steps_per_draw or _TYPICAL_STEPS[self.method]
        if self.method in _STOCHASTIC:
            if self.steps_per_draw:
                steps *= min(self.batch_size, rows) / rows
            steps = steps / (1 - EXPLORATION if self.draws_per_cycle else 1) + 1
        if self.method == "hmc" and self.leapfrog_steps is not None:
            steps = self.leapfrog_steps
        return math.ceil((self.warmup + self.draws) * steps) + self.start_gradients * (self.start == "trained")


_STOCHASTIC = ("sgld", "sghmc")
READ_BY = {
    "metric": ("nuts", "hmc", "mams", "mclmc"),
    "trajectory_length": ("nuts", "hmc", "mams", "mclmc"),
    "target_acceptance": ("nuts", "hmc", "mams"),
    "max_tree_depth": ("nuts",),
    "warmup_tree_depth": ("nuts",),
    "leapfrog_steps": ("hmc",),
    "steps_per_draw": ("mclmc", *_STOCHASTIC),
    **dict.fromkeys(("batch_size", "learning_rate", "preconditioned", "draws_per_cycle"), _STOCHASTIC),
    "friction": ("sghmc",),
}
"""Field -> the methods that read it. Every method reads the other fields."""

PASSES = 10
"""Passes over the rows per draw of stochastic-gradient samplers when ``steps_per_draw`` is null."""

EXPLORATION = 0.25
"""Fraction of a cycle's steps that explore without noise, before its draws.

With 0.8, usual in the literature, draws stay near a mode: LeNet-300-100 had a temperature of 0.15 instead of 1.
"""

_TYPICAL_STEPS = {"hmc": 300, "mams": 300, "mclmc": 100, "sgld": PASSES, "sghmc": PASSES}
"""Gradients per draw when the step size decides."""

PART = 200
"""Draws per part of a chain. A longer chain continues from the parts of a shorter one."""


class SampleStep(Config):
    """One part of a chain over a ticket's weights; it ends after ``sample.draws`` draws."""

    data: DataConfig = DataConfig()
    sample: SampleConfig = SampleConfig()
    seed: int = Field(ge=0)
    chain: int = Field(ge=0, description="Index of the chain; chains with the same seed make different draws")
    first: int = Field(0, ge=0, description="Number of draws after the warm-up that earlier parts computed")
