"""Configuration of the population that tunes the KL weights of variational layers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfticket.config.data import DataConfig
from tfticket.config.float32 import Float32
from tfticket.config.schema import MOST, Config
from tfticket.config.training import TrainConfig
from tfticket.config.wording import field_error


class Population(Config):
    """Population-based training of the KL weights, one per layer (Jaderberg et al., 2017)."""

    members: int = Field(50, ge=2, le=MOST, description="Number of networks trained in parallel")
    generations: int = Field(
        10,
        ge=1,
        le=MOST,
        description="Number of equal parts of the training; after each but the last, the worst members are replaced",
    )
    truncation: float = Field(
        0.2,
        gt=0,
        le=0.5,
        description="Fraction of members replaced: the worst copy state and KL weights from as many of the best",
    )
    perturb: tuple[Annotated[Float32, Field(gt=0)], ...] = Field(
        (0.8, 1.25),
        min_length=1,
        description="Factors; the KL weights of a replaced member are each multiplied by one of them, chosen at random",
    )
    resample: float = Field(
        0.25, ge=0, le=1, description="Probability that a KL weight is redrawn from the initial range instead"
    )
    low: Float32 = Field(
        1e-4, gt=0, description="Lower end of the range of the initial KL weights, which are drawn log-uniformly"
    )
    high: Float32 = Field(10.0, gt=0, description="Upper end of the range of the initial KL weights")
    metric: Literal["nll", "accuracy"] = Field("nll", description="Validation metric that ranks the members")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low >= self.high:
            message = f"the lower end of the initial weights, {self.low:g}, is not below the upper end, {self.high:g}"
            raise field_error("low", message)
        return self

    @property
    def replaced(self) -> int:
        """Number of members replaced after a generation, at most half."""
        return min(max(1, round(self.truncation * self.members)), self.members // 2)


class MemberStep(Config):
    """Train a member of a population for one generation."""

    data: DataConfig = DataConfig()
    train: TrainConfig = Field(
        TrainConfig(), description="Training over the whole schedule; its KL weights are those of the member"
    )
    seed: int = Field(ge=0, description="Seed for the order of the rows, for augmentation and for noise")
    first: int = Field(ge=0, description="Iterations of the schedule completed before the generation")
    last: int = Field(ge=1, description="Iterations completed at the end of the generation")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first >= self.last:
            message = f"the first iteration, {self.first:,}, is not before the last, {self.last:,}"
            raise field_error("first", message)
        return self
