"""What every experiment's configuration has in common."""

from typing import Annotated

from pydantic import Field

from tfticket.config.names import known
from tfticket.registry import EXPERIMENTS
from tfticket.schema import Config


class Execution(Config):
    """How a run is carried out. None of it changes a result's bits but ``threads``, which is recorded."""

    threads: int | None = Field(None, ge=1, description="CPU threads; null: all that this process may use")
    checkpoint_seconds: float = Field(30.0, ge=0, description="At most so long between two checkpoints")
    segment_seconds: float = Field(5.0, gt=0, description="Compiled work between two looks at stop requests")


class ExperimentConfig(Config):
    """What every experiment's configuration has in common."""

    experiment: Annotated[str, known("experiment", EXPERIMENTS)] = Field(
        description="Which experiment; `tfticket list experiments` shows them"
    )
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the run's folder")
    execution: Execution = Field(Execution(), description="Threads, checkpoints: nothing scientific")
