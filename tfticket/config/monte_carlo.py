"""Configuration of Monte Carlo tickets."""

from pydantic import Field

from tfticket.arms import Arm
from tfticket.config.data import DataConfig
from tfticket.config.schema import Config


class MonteCarlo(Config):
    """A Monte Carlo ticket: a mask drawn from a ticket's survival model, on an independent initialisation."""

    connectivity: bool = Field(
        True,
        description="Model survival by magnitude and connectivity (a weight's mean input); false: by magnitude alone",
    )
    as_printed: bool = Field(
        False, description="Follow the paper literally: no intercept, no standardisation, no correction of the density"
    )
    images: int | None = Field(
        None, ge=1, description="Number of training images over which connectivity is averaged; null: all"
    )

    @property
    def arm(self) -> Arm:
        """The arm in reports."""
        statistic = "connectivity" if self.connectivity else "magnitude"
        options = [statistic, *["as printed"] * self.as_printed, *[f"{self.images} images"] * (self.images is not None)]
        return Arm(control="monte-carlo", options=", ".join(options))


class FitStep(Config):
    """Fit the survival models of a ticket."""

    data: DataConfig = DataConfig()
    images: int | None = None
    seed: int = Field(ge=0, description="Seed that selects the images")


class DrawStep(Config):
    """Draw a Monte Carlo ticket."""

    data: DataConfig = DataConfig()
    draw: MonteCarlo = MonteCarlo()
    seed: int = Field(ge=0)
