"""Configuration of the population that tunes the KL weights of a variational network's layers."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfticket.config.data import DataConfig
from tfticket.config.float32 import Float32
from tfticket.config.schema import MOST, Config
from tfticket.config.training import TrainConfig
from tfticket.config.wording import field_error


class Population(Config):
    """Population-based training of the KL weights, one a layer (Jaderberg et al., 2017)."""

    members: int = Field(50, ge=2, le=MOST, description="Networks that are trained side by side")
    generations: int = Field(
        10,
        ge=1,
        le=MOST,
        description="Parts of equal length that their training is cut in; between two, the worst are replaced",
    )
    truncation: float = Field(
        0.2,
        gt=0,
        le=0.5,
        description="Share of the worst members that take state and weights of members of the same share of the best",
    )
    perturb: tuple[Annotated[Float32, Field(gt=0)], ...] = Field(
        (0.8, 1.25), min_length=1, description="Factors, of which one multiplies each KL weight of a replaced member"
    )
    resample: float = Field(
        0.25, ge=0, le=1, description="Probability that a KL weight is redrawn from the initial range instead"
    )
    low: Float32 = Field(1e-4, gt=0, description="Lower end of the initial KL weights, which are log-uniform")
    high: Float32 = Field(10.0, gt=0, description="Upper end of the initial KL weights")
    metric: Literal["nll", "accuracy"] = Field("nll", description="What ranks members, on validation rows")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low >= self.high:
            message = f"the lowest first weight, {self.low:g}, is not below the highest, {self.high:g}"
            raise field_error("low", message)
        return self

    @property
    def replaced(self) -> int:
        """Number of members that are replaced after a generation; at most half of them."""
        return min(max(1, round(self.truncation * self.members)), self.members // 2)


class MemberStep(Config):
    """Train a member of a population for one generation."""

    data: DataConfig = DataConfig()
    train: TrainConfig = Field(TrainConfig(), description="Of the whole schedule; its KL weights are the member's")
    seed: int = Field(ge=0, description="Seed of the order of the rows, of augmentation and of the noise")
    first: int = Field(ge=0, description="Iterations of the schedule that are done")
    last: int = Field(ge=1, description="Iterations that are done at its end")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first >= self.last:
            message = f"the first iteration, {self.first:,}, is not before the last, {self.last:,}"
            raise field_error("first", message)
        return self
