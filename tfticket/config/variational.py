"""Networks whose weights are normal distributions, and how these are fitted."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfticket.config.durations import Duration
from tfticket.config.float32 import Float32, check_float32
from tfticket.config.schema import MOST, Config
from tfticket.config.wording import field_error

Carried = Literal["mask", "start", "trained"]
"""What of a ticket a transplant carries: its mask alone, or also its start weights, or those that training gave it."""


class Variational(Config):
    """Mean-field normal posteriors over the kernels and biases of all dense and convolutional layers."""

    prior: Float32 = Field(
        1.0, ge=1e-6, le=1e6, description="Standard deviation of the normal prior of every weight, around 0"
    )
    deviation: Float32 = Field(
        0.01,
        ge=1e-6,
        le=1e3,
        description="Initial standard deviations of the posteriors, in units of 1 / sqrt(fan in)",
    )
    means: Literal["fan-in", "own"] = Field(
        "fan-in", description="Means at the start: U(-b, b) with b = 1 / sqrt(fan in); or as each layer is initialised"
    )


class Objective(Config):
    """The objective of variational training and its estimator; it has no effect on deterministic networks."""

    estimator: Literal["flipout", "independent", "local"] = Field(
        "flipout",
        description="Noise of a draw: signs of its own for each row, none, or noise on the outputs (dense layers only)",
    )
    draws: int = Field(1, ge=1, le=MOST, description="Draws of all weights in a batch")
    loss: Literal["elbo", "predictive"] = Field(
        "elbo", description="Mean over draws of the log-likelihood, or log-likelihood of the mean prediction"
    )
    scaled: bool = Field(
        False, description="Sum the loss over all training rows instead of averaging; matters with weight decay"
    )
    temperature: Float32 = Field(
        1.0, ge=0, description="Factor on the KL divergence; 1: the Bayesian posterior; below 1: a cold posterior"
    )
    kl_weights: dict[str, Annotated[Float32, Field(ge=0)]] = Field(
        {}, description="Layer -> its factor on the KL divergence, e.g. {dense: 0.1}; 1 for the others"
    )
    kl_warmup: Duration = Field("0it", description="The KL divergence first rises linearly from 0 for this long")
    evaluation_draws: int = Field(10, ge=1, le=MOST, description="Draws whose mean prediction is evaluated")

    @model_validator(mode="after")
    def _check_products(self) -> Self:
        for layer, weight in self.kl_weights.items():
            try:
                check_float32(self.temperature * weight)
            except ValueError as error:
                product = f"temperature x kl_weights.{layer} is {self.temperature * weight:g}"
                raise field_error(f"kl_weights.{layer}", f"{product}, {error}") from None
        return self
