"""Configuration of Monte Carlo tickets."""

from pydantic import Field

from tfticket.arms import Arm
from tfticket.config.data import DataConfig
from tfticket.config.schema import Config


class MonteCarlo(Config):
    """A Monte Carlo ticket: a sparse network drawn from what a ticket is like, on an initialisation of its own."""

    connectivity: bool = Field(
        True, description="By weights' magnitude and connectivity (their mean input); false: by magnitude alone"
    )
    as_printed: bool = Field(
        False, description="As the paper prints it: no intercept, nothing standardised, whatever density comes out"
    )
    images: int | None = Field(
        None, ge=1, description="Training images over which connectivity is averaged; null: all of them"
    )

    @property
    def arm(self) -> Arm:
        """The arm's options in reports."""
        statistic = "connectivity" if self.connectivity else "magnitude"
        options = [statistic, *["as printed"] * self.as_printed, *[f"{self.images} images"] * (self.images is not None)]
        return Arm(control="monte-carlo", options=", ".join(options))


class FitStep(Config):
    """Fit the models of survival to a ticket."""

    data: DataConfig = DataConfig()
    images: int | None = None
    seed: int = Field(ge=0, description="Of the choice of images")


class DrawStep(Config):
    """Draw a Monte Carlo ticket."""

    data: DataConfig = DataConfig()
    draw: MonteCarlo = MonteCarlo()
    seed: int = Field(ge=0)
