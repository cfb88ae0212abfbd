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
    """Iterative pruning, and controls of its tickets."""

    data: DataConfig = Field(DataConfig(), description="Data and their split, the same for all seeds")
    model: ModelConfig = Field(ModelConfig(), description="The network")
    train: TrainConfig = Field(TrainConfig(), description="The training of every level and control")
    prune: PruneConfig = Field(PruneConfig(sparsity=0.99), description="Iterative pruning")
    keep: tuple[Rewind, ...] = Field(
        (),
        description="Moments of the unpruned trainings, e.g. [1ep, 2ep], whose weights are kept beside prune.rewind's; "
        "runs that rewind elsewhere and keep the same ones share these trainings",
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0, 1, 2), min_length=1, description="IMP seeds: each brings its own initialisation, order of rows and mask"
    )
    control_densities: tuple[Density, ...] = Field(
        (0.25, 0.1, 0.04, 0.01),
        description="Densities whose nearest level is trained beside its controls; not those beyond the last level",
    )
    control_levels: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="Instead: the levels themselves, 0 is dense; null: those of control_densities"
    )
    controls: tuple[Control, ...] = Field(
        (Control(name="reinitialise"), Control(name="shuffle-layerwise")),
        description="Which controls, by name or {name: reinitialise, initialiser: he_normal}; `tfticket list controls`",
    )
    monte_carlo: tuple[MonteCarlo, ...] = Field(
        (),
        description="Monte Carlo tickets, drawn from a survival model of each controlled ticket, such as "
        "[{connectivity: true}]",
    )
    replicates: int = Field(1, ge=1, le=MOST, description="Replicates of each control, with other seeds")
    evaluation_passes: int = Field(
        5,
        ge=1,
        le=MOST,
        description="Evaluations of a variational network on the test rows, each by draws of its own; one is reported",
    )
    out_of_distribution: DataConfig | None = Field(
        None,
        description="Data of the same image shape that evaluations tell from the test rows by uncertainty, e.g. "
        "{name: fashion-mnist} beside mnist; null: none",
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
                mend = self._masks_of_one_name() if name == "controls" else ""
                raise field_error(name, f"the {name} {', '.join(map(str, values))} repeat; each counts once{mend}")
        for moment in self.keep:
            if not rewinds_later(moment):
                message = f"keep: '{moment}' is no moment within a training; expected one such as '1ep' or '500it'"
                raise field_error("keep", message)
        for level in self.control_levels or ():
            if level > self.prune.levels:
                message = f"control_levels: there is no level {level}; the last is {self.prune.levels}"
                raise field_error("control_levels", message)
        if self.monte_carlo and self.control_levels and not self.drawn_levels:
            message = "monte_carlo: level 0 has nothing to learn from; name a level above 0 in control_levels"
            raise field_error("monte_carlo", message)
        return self

    def _masks_of_one_name(self) -> str:
        """Return advice if repeated controls are masks from files of one name, else ''."""
        arms = {control.path: control.arm for control in self.controls if control.path is not None}
        repeated = len(set(arms.values())) < len(arms)
        return "; own masks are identified by their files' names: rename the files" if repeated else ""

    @property
    def training(self) -> TrainConfig:
        """`train`, without the objective for a deterministic network, where it has no effect but on the fingerprint."""
        return self.train if self.model.variational else self.train.model_copy(update={"objective": Objective()})

    @property
    def objective(self) -> Objective | None:
        """Objective of the run's own networks; None if they are deterministic."""
        return self.train.objective if self.model.variational else None

    @property
    def kept(self) -> tuple[str, ...]:
        """Moments of an unpruned training whose weights are kept: that of `prune.rewind`, and those of `keep`."""
        return tuple(sorted({moment for moment in (self.prune.rewind, *self.keep) if rewinds_later(moment)}))

    def evaluation(self, seed: int, objective: Objective | None = None) -> EvaluateStep:
        """Return the evaluation step of a training; a variational network's takes its objective's number of draws."""
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
        """Controlled levels that have Monte Carlo tickets: not level 0, which is dense and teaches nothing."""
        return [level for level in self.controlled if level > 0]

    def level_at(self, density: float) -> int:
        """Return the level nearest to a density, also beyond the last; layers with their own rate do not count."""
        kept = 1.0 - self.prune.rate_per_level
        return round(math.log(density) / math.log(kept)) if kept < 1 else 0
