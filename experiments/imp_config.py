"""The configuration of iterative pruning, which the other experiments extend."""

import math
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tfticket.config import (
    MOST,
    Control,
    DataConfig,
    EvaluateStep,
    ExperimentConfig,
    ModelConfig,
    MonteCarlo,
    Objective,
    PruneConfig,
    TrainConfig,
)
from tfticket.config.durations import Rewind, rewinds_later
from tfticket.config.wording import field_error

Density = Annotated[float, Field(gt=0, le=1)]


class Config(ExperimentConfig):
    """Iterative pruning, and controls for its tickets."""

    data: DataConfig = Field(DataConfig(), description="Data and their split, shared by all seeds")
    model: ModelConfig = Field(ModelConfig(), description="Network")
    train: TrainConfig = Field(TrainConfig(), description="Training of every ticket and control")
    prune: PruneConfig = Field(PruneConfig(sparsity=0.99), description="Iterative pruning")
    keep: tuple[Rewind, ...] = Field(
        (),
        description="Moments of the dense training, e.g. [1ep, 2ep], whose weights are kept in addition to that of "
        "prune.rewind; runs that keep the same moments share the training even if they rewind to "
        "different ones",
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0, 1, 2), min_length=1, description="IMP seeds; each gives its own initialisation, order of rows and mask"
    )
    control_densities: tuple[Density, ...] = Field(
        (0.25, 0.1, 0.04, 0.01),
        description="Densities (fractions of surviving weights) at whose nearest level controls are trained; "
        "densities beyond the last level are skipped",
    )
    control_levels: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None,
        description="Levels at which controls are trained, 0 is dense; null: the levels nearest to control_densities",
    )
    controls: tuple[Control, ...] = Field(
        (Control(name="reinitialise"), Control(name="shuffle-layerwise")),
        description="Controls, by name or {name: reinitialise, initialiser: he_normal}; `tfticket list controls` "
        "shows all",
    )
    monte_carlo: tuple[MonteCarlo, ...] = Field(
        (),
        description="Monte Carlo tickets, drawn from a survival model of each controlled ticket, e.g. [{connectivity:"
        " true}]",
    )
    replicates: int = Field(1, ge=1, le=MOST, description="Number of replicates of each control, with different seeds")
    evaluation_passes: int = Field(
        5,
        ge=1,
        le=MOST,
        description="Number of evaluations of a variational network on the test rows, each with independent draws; "
        "the first is reported",
    )
    out_of_distribution: DataConfig | None = Field(
        None,
        description="Data of the same image shape that evaluations separate from the test rows by uncertainty, e.g. "
        "{name: fashion-mnist} for mnist; null: none",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        named: dict[str, list[Any]] = {
            "seeds": list(self.seeds),
            "controls": [control.arm for control in self.controls],
            "monte_carlo": [options.arm for options in self.monte_carlo],
        }
        for name, values in named.items():
            if len(set(values)) < len(values):
                advice = self._advice_on_mask_names() if name == "controls" else ""
                raise field_error(name, f"the {name} {', '.join(map(str, values))} repeat; name each only once{advice}")
        for moment in self.keep:
            if not rewinds_later(moment):
                message = f"keep: '{moment}' is not a moment within training; expected one such as '1ep' or '500it'"
                raise field_error("keep", message)
        for level in self.control_levels or ():
            if level > self.prune.levels:
                message = f"control_levels: there is no level {level}; the last is {self.prune.levels}"
                raise field_error("control_levels", message)
        if self.monte_carlo and self.control_levels and not self.drawn_levels:
            message = (
                "monte_carlo: level 0 is dense, so survival cannot be modelled; name a level above 0 in control_levels"
            )
            raise field_error("monte_carlo", message)
        return self

    def _advice_on_mask_names(self) -> str:
        """Return advice if repeated controls are masks from files of the same name, else ''."""
        arms = {control.path: control.arm for control in self.controls if control.path is not None}
        repeated = len(set(arms.values())) < len(arms)
        return "; masks are identified by the names of their files: rename the files" if repeated else ""

    @property
    def training(self) -> TrainConfig:
        """`train`, without the objective for a deterministic network, where it would only change the fingerprint."""
        return self.train if self.model.variational else self.train.model_copy(update={"objective": Objective()})

    @property
    def objective(self) -> Objective | None:
        """Objective of the run's networks; None if they are deterministic."""
        return self.train.objective if self.model.variational else None

    @property
    def kept(self) -> tuple[str, ...]:
        """Moments of an unpruned training whose weights are kept: that of `prune.rewind`, and those of `keep`."""
        return tuple(sorted({moment for moment in (self.prune.rewind, *self.keep) if rewinds_later(moment)}))

    def evaluation(self, seed: int, objective: Objective | None = None) -> EvaluateStep:
        """Return the evaluation step of a training; the objective sets the number of draws of a variational network."""
        draws: dict[str, Any] = {}
        if objective is not None:
            draws = {"draws": objective.evaluation_draws, "passes": self.evaluation_passes, "seed": seed}
        return EvaluateStep(data=self.data, out_of_distribution=self.out_of_distribution, **draws)

    @property
    def controlled(self) -> list[int]:
        """Levels whose tickets have controls: `control_levels`, or those nearest to `control_densities`."""
        if self.control_levels is not None:
            return sorted(set(self.control_levels))
        return sorted(
            {self.level_at(density) for density in self.control_densities} & set(range(1, self.prune.levels + 1))
        )

    @property
    def drawn_levels(self) -> list[int]:
        """Controlled levels that have Monte Carlo tickets: all but level 0, which is dense."""
        return [level for level in self.controlled if level > 0]

    def level_at(self, density: float) -> int:
        """Return the level nearest to a density, even beyond the last; layers with separate rates do not count."""
        kept = 1.0 - self.prune.rate_per_level
        return round(math.log(density) / math.log(kept)) if kept < 1 else 0
