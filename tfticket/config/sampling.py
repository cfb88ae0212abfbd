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
        "normal", description="The distribution; Glorot's has a variance of its own for each layer"
    )
    deviation: Float32 = Field(1.0, gt=0, description="Of normal: standard deviation, around 0")
    low: Float32 = Field(-1.0, description="Of uniform: lower bound")
    high: Float32 = Field(1.0, description="Of uniform: upper bound")
    factor: Float32 = Field(1.44, gt=0, description="Of Glorot's: the variance is this times 2 / (fan in + fan out)")
    fan: Literal["dense", "surviving"] = Field(
        "surviving", description="Of Glorot's: fans of the dense layer, as printed, or of its surviving weights"
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
        """The middle."""
        return (self.low + self.high) / 2 if self.name == "uniform" else 0.0

    @property
    def half_width(self) -> float:
        """Of uniform: half the interval."""
        return (self.high - self.low) / 2


SHORTEST_WARMUP = 20
"""Draws that the windows of a warm-up need at least."""


class SampleConfig(Config):
    """A Markov chain over a ticket's surviving weights, biases and the like."""

    former_names: ClassVar[dict[str, str]] = {"thinning": "keep_every"}

    method: Annotated[str, known("sampler", SAMPLERS)] = Field(
        "nuts", description="Sampler; `tfticket list samplers` shows them"
    )
    draws: int = Field(1400, ge=1, le=LONGEST, description="Draws after the warm-up")
    warmup: int = Field(
        200,
        ge=SHORTEST_WARMUP,
        le=LONGEST,
        description=f"Draws that tune step size and mass and are thrown away, at least {SHORTEST_WARMUP}",
    )
    prior: PriorConfig = Field(
        PriorConfig(), description="Of kernels: normal(0, 1), uniform(-1, 1), glorot-normal, ..."
    )
    other_prior: PriorConfig = Field(PriorConfig(), description="Of biases and the like")
    likelihood_power: Float32 = Field(
        1.0, gt=0, description="The likelihood is raised to this power; 1: the Bayesian posterior"
    )
    start: Literal["prior", "trained", "ticket"] = Field(
        "prior",
        description="The chain begins at a draw from the prior, at weights that gradient ascent of the posterior finds "
        "from such a draw, or at the ticket's start weights",
    )
    start_gradients: int = Field(1500, ge=1, le=LONGEST, description="Of start: trained: full-batch steps of Adam")
    metric: Literal["diagonal", "low-rank"] = Field(
        "diagonal", description="The mass that the warm-up learns: of independent variables, or with correlations"
    )
    trajectory_length: float | None = Field(
        None,
        gt=0,
        description="In whitened standard deviations: mean length of a jittered trajectory (hmc, mams), length over "
        "which the direction decorrelates (mclmc), or largest length of a tree, so that the cap follows the step size "
        "(nuts). Null: tuned in the warm-up; nuts: max_tree_depth alone",
    )
    max_tree_depth: int = Field(10, ge=1, le=20, description="Of nuts: at most 2^this - 1 gradients a draw")
    warmup_tree_depth: int | None = Field(
        None, ge=1, le=20, description="Of nuts: the same in the warm-up; null: as max_tree_depth"
    )
    leapfrog_steps: int | None = Field(
        None, ge=1, le=LONGEST, description="Leapfrog steps per draw (hmc); null: as the trajectory length needs"
    )
    steps_per_draw: int | None = Field(
        None,
        ge=1,
        le=LONGEST,
        description="Of mclmc: gradients a draw; null: as many as cover the trajectory length. Of sgld and sghmc: "
        "minibatches a draw; null: 10 passes over the rows",
    )
    batch_size: int = Field(512, ge=1, le=LONGEST, description="Of sgld and sghmc: rows of a minibatch")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="Of sgld and sghmc: step along the gradient of the mean log density per row, divided by the "
        "gradient's root mean square if preconditioned. Null: sgld 0.3, sghmc 0.03; preconditioned 0.003 and 0.0003",
    )
    friction: float = Field(0.1, gt=0, le=1, description="Of sghmc: share of the velocity lost in a step, 1 - momentum")
    preconditioned: bool = Field(
        False, description="Of sgld and sghmc: scale each variable's step by its gradients in the warm-up (RMSprop)"
    )
    draws_per_cycle: int | None = Field(
        None,
        ge=1,
        le=LONGEST,
        description="Of sgld and sghmc: draws of a cycle, whose step size falls to 0 as half a cosine; the first "
        "quarter of its steps explores without noise and gives no draws. Null: a constant step size",
    )
    target_acceptance: float = Field(0.8, gt=0, lt=1, description="Acceptance rate that the step size is tuned for")
    evaluate_every: int = Field(10, ge=1, description="Draws between two evaluations of the posterior predictive")
    thinning: int = Field(1, ge=1, description="Save every n-th draw; predictions use all draws")
    engine: Literal["auto", "sparse", "keras"] = Field(
        "auto", description="Computes gradients: over surviving weights on the CPU, or by Keras, dense and masked"
    )
    freeze_batch_norm: bool = Field(False, description="Let batch statistics stay as in the ticket's start")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.other_prior.is_glorot:
            message = "other_prior: biases have no fans for a Glorot prior; expected normal or uniform"
            raise field_error("other_prior", message)
        return self

    @property
    def depth_in_warmup(self) -> int:
        """The cap on the tree's depth in the warm-up."""
        return self.max_tree_depth if self.warmup_tree_depth is None else self.warmup_tree_depth

    @property
    def ineffective(self) -> list[str]:
        """Fields that are set, and that the method does not read."""
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
        """Return the gradients of a chain: of trees at most, and where the step size decides, as LeNet-300-100 takes.

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
"""Field -> the methods that read it; all others are read by all."""

PASSES = 10
"""Passes over the rows a draw of samplers by stochastic gradients, where ``steps_per_draw`` is not given."""

EXPLORATION = 0.25
"""Share of a cycle's steps that climb without noise, before its draws.

With the 0.8 of networks in the literature, draws stay near a mode: LeNet-300-100 had a temperature of 0.15, not 1.
"""

_TYPICAL_STEPS = {"hmc": 300, "mams": 300, "mclmc": 100, "sgld": PASSES, "sghmc": PASSES}
"""Gradients a draw where the step size decides."""

PART = 200
"""Draws of a part of a chain: a longer chain goes on from the parts of a shorter one."""


class SampleStep(Config):
    """A part of a chain of a ticket: ``sample.draws`` is where it ends."""

    data: DataConfig = DataConfig()
    sample: SampleConfig = SampleConfig()
    seed: int = Field(ge=0)
    chain: int = Field(ge=0, description="Chains of one seed differ in their draws")
    first: int = Field(0, ge=0, description="Draws after the warm-up that earlier parts have")
