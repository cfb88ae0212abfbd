"""Configuration of variational networks, whose weights are normal distributions, and of their objective."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tfticket.config.durations import Duration
from tfticket.config.float32 import Float32, check_float32
from tfticket.config.schema import MOST, Config
from tfticket.config.wording import field_error

Carried = Literal["mask", "start", "trained"]
"""Content of a transplant: a ticket's mask alone, or also its start weights or its trained weights."""


class Variational(Config):
    """Mean-field normal posteriors over the kernels and biases of all dense and convolutional layers."""

    prior: Float32 = Field(
        1.0, ge=1e-6, le=1e6, description="Standard deviation of the normal prior of every weight, whose mean is 0"
    )
    deviation: Float32 = Field(
        0.01,
        ge=1e-6,
        le=1e3,
        description="Initial standard deviations of the posteriors, in units of 1 / sqrt(fan in)",
    )
    means: Literal["fan-in", "own"] = Field(
        "fan-in",
        description="Initial means: U(-b, b) with b = 1 / sqrt(fan in) (fan-in), or each layer's initialiser (own)",
    )


class Objective(Config):
    """The objective of variational training and its estimator; it has no effect on deterministic networks."""

    estimator: Literal["flipout", "independent", "local"] = Field(
        "flipout",
        description="Gradient estimator: random signs per row (flipout), the same draw for all rows (independent), or"
        " noise on the outputs (local; dense layers only)",
    )
    draws: int = Field(1, ge=1, le=MOST, description="Number of draws of all weights per batch")
    loss: Literal["elbo", "predictive"] = Field(
        "elbo",
        description="Expected log-likelihood: mean over draws of the log-likelihood (elbo), or log-likelihood of the "
        "mean prediction (predictive)",
    )
    scaled: bool = Field(
        False, description="Sum the loss over all training rows instead of averaging; this matters with weight decay"
    )
    temperature: Float32 = Field(
        1.0, ge=0, description="Factor of the KL divergence; 1: the Bayesian posterior; below 1: a cold posterior"
    )
    kl_weights: dict[str, Annotated[Float32, Field(ge=0)]] = Field(
        {}, description="Factors of the KL divergence by layer, e.g. {dense: 0.1}; 1 for the other layers"
    )
    kl_warmup: Duration = Field(
        "0it", description="Length of the linear rise of the KL divergence's factor from 0 at the start of training"
    )
    evaluation_draws: int = Field(
        10, ge=1, le=MOST, description="Number of draws averaged in the predictions of evaluations"
    )

    @model_validator(mode="after")
    def _check_products(self) -> Self:
        for layer, weight in self.kl_weights.items():
            try:
                check_float32(self.temperature * weight)
            except ValueError as error:
                product = f"temperature x kl_weights.{layer} is {self.temperature * weight:g}"
                raise field_error(f"kl_weights.{layer}", f"{product}, {error}") from None
        return self
