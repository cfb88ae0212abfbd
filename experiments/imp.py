"""Find lottery tickets by iterative pruning, and train them and their controls.

For each IMP seed, the network is trained, pruned and rewound level by level; every level's ticket is trained. At some
densities controls are trained like the ticket, in the same order of rows. By default:

- re-initialised: the ticket's mask, with redrawn weights;
- shuffled layerwise: the ticket's start, with each layer's survivors permuted.

Optionally also Monte Carlo tickets: networks of other initialisations, drawn from a model of the ticket.

References:
    "Monte Carlo winning tickets", section 3, for the last.
    Frankle and Carbin (2019), "The Lottery Ticket Hypothesis", section 2 and figures 1 and 3.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, model_validator

from tfticket import seeds
from tfticket.arms import TICKET, Arm, Trunk
from tfticket.config import (
    MOST,
    Control,
    ControlStep,
    DataConfig,
    DrawStep,
    EvaluateStep,
    ExperimentConfig,
    FitStep,
    ModelConfig,
    MonteCarlo,
    Objective,
    PruneConfig,
    PruneStep,
    StartStep,
    TrainConfig,
    TrainStep,
)
from tfticket.config.durations import Rewind, rewinds_later
from tfticket.config.schema import validate
from tfticket.errors import InputError, unknown
from tfticket.experiment import Experiment
from tfticket.lab import Handle, Lab
from tfticket.procedures.trained_arm import TrainedArm

from . import checks

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
        description="Monte Carlo tickets, drawn from what each controlled ticket is like, e.g. [{connectivity: true}]",
    )
    replicates: int = Field(1, ge=1, le=MOST, description="How many of each control, with other seeds, of one ticket")
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
                raise ValueError(f"the {name} {', '.join(map(str, values))} repeat; each counts once{mend}")
        for moment in self.keep:
            if not rewinds_later(moment):
                raise ValueError(
                    f"keep: '{moment}' is no moment within a training; expected one such as '1ep' or '500it'"
                )
        for level in self.control_levels or ():
            if level > self.prune.levels:
                raise ValueError(f"control_levels: there is no level {level}; the last is {self.prune.levels}")
        if self.monte_carlo and self.control_levels and not self.drawn_levels:
            raise ValueError("monte_carlo: level 0 has nothing to learn from; name a level above 0 in control_levels")
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
        draws: dict[str, int] = {}
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


AnyConfig = TypeVar("AnyConfig", bound=Config)


class Imp(Experiment[AnyConfig]):
    """Tickets by iterative pruning, trained with their controls."""

    config_class = Config

    def check_lengths(self, config: AnyConfig) -> None:
        checks.check_moments(config, config.train, "train")

    def check_data(self, config: AnyConfig) -> None:
        checks.check_data(config)
        self.check_lengths(config)

    def check_model(self, config: AnyConfig) -> list[str]:
        return checks.check_model(config, compares=bool(config.controls or config.monte_carlo))

    def next_step(self, config: AnyConfig) -> tuple[str, str]:
        more = [*config.seeds, max(config.seeds) + 1, max(config.seeds) + 2]
        return f"seeds={more}".replace(" ", ""), "two more seeds; those that are done are not computed again"

    def branch(
        self,
        run: dict[str, Any],
        controls: Sequence[Any],
        levels: Sequence[int] | None,
        replicates: int,
        name: str | None,
        of: Arm = TICKET,
    ) -> Config:
        """See ``Experiment.branch``. Of an experiment that extends this one, only this one's fields are taken.

        A branch has no Monte Carlo tickets.
        """
        if of != TICKET:
            raise InputError(f"branch: {unknown('tickets', of, [TICKET.key])}")
        if run["experiment"] != "imp":
            run = {key: value for key, value in run.items() if key in Config.model_fields} | {"experiment": "imp"}
        changes = {
            "controls": controls,
            "monte_carlo": [],
            "replicates": replicates,
            "name": name if name is not None else f"{run['name'].removesuffix('-branch')}-branch",
        }
        config = validate(
            Config, run | changes | ({} if levels is None else {"control_levels": levels}), where="branch"
        )
        if not config.controlled:
            last = config.prune.levels
            raise InputError(f"branch: {run['name']} has controls at no level. Say at which, e.g. --levels 0-{last}.")
        return config.model_copy(update={"train": config.training})

    def main(self, lab: Lab, config: AnyConfig) -> None:
        """Find the tickets of each seed, and train them and their controls."""
        for seed in config.seeds:
            run_seed(lab, config, seed)


def run_seed(lab: Lab, config: Config, seed: int, trunk: Trunk | None = None) -> list[TrainedArm]:
    """Find the tickets of an IMP seed and train them and their controls; return all, in the order of their training.

    Args:
        lab: Where steps are computed.
        config: Data, network, training, pruning, controls.
        seed: Root of all draws.
        trunk: The way of pruning, if a run prunes in several ways; None: the run's own.
    """
    return SeedRun(lab, config, seed, trunk).run()


@dataclass
class SeedRun:
    """The steps of one IMP seed: see ``run_seed``."""

    lab: Lab
    config: Config
    seed: int
    trunk: Trunk | None
    trained: list[TrainedArm] = field(default_factory=list)

    def run(self) -> list[TrainedArm]:
        """Prune level by level; evaluate each ticket, its controls and its Monte Carlo tickets."""
        from tfticket.tickets.iterative import iterative_pruning

        config = self.config
        controlled, drawn_levels, replicates = config.controlled, config.drawn_levels, range(config.replicates)
        self.dense = self.start(self.seed, self.seed_label)
        for level, ticket in enumerate(iterative_pruning(self.dense, config.prune.levels, self.train, self.prune)):
            self.evaluate(ticket)
            if level in controlled:
                for control, replicate in itertools.product(config.controls, replicates):
                    self.evaluate(self.make_control(ticket, control, replicate), control.arm, replicate)
            if level in drawn_levels:
                for options, replicate in itertools.product(config.monte_carlo, replicates):
                    self.evaluate(self.draw_mc_ticket(ticket, options, replicate), options.arm, replicate)
        return self.trained

    def start(self, seed: int, label: dict[str, Any]) -> Handle:
        """Initialise an unpruned network."""
        return self.lab.step("start", StartStep(data=self.config.data, model=self.config.model, seed=seed), label=label)

    def train(self, ticket: Handle, arm: Arm = TICKET, replicate: int = 0) -> Handle:
        """Train a ticket; of the unpruned one, also keep the weights of some moments."""
        step = self.dense_training if ticket == self.dense else self.training
        return self.lab.step("train", step, {"ticket": ticket}, self.label(ticket, arm, replicate))

    def prune(self, ticket: Handle, trained: Handle) -> Handle:
        """Prune a trained ticket, and rewind it."""
        pruning = self.config.prune.step(self.seed)
        return self.lab.step("prune", pruning, {"ticket": ticket, "trained": trained}, self.seed_label)

    def evaluate(self, ticket: Handle, arm: Arm = TICKET, replicate: int = 0) -> None:
        """Train and evaluate a ticket."""
        trained, label = self.train(ticket, arm, replicate), self.label(ticket, arm, replicate)
        evaluation = self.config.evaluation(self.seed, self.config.objective)
        self.lab.step("evaluate", evaluation, {"ticket": ticket, "trained": trained}, label)
        self.trained.append(TrainedArm(label["arm"], label["level"], replicate, ticket, trained, label))

    def make_control(self, ticket: Handle, control: Control, replicate: int) -> Handle:
        """Alter a ticket on purpose."""
        replicate_seed = seeds.derive(self.seed, "replicate", replicate) if replicate else self.seed
        altered = self.lab.step("control", ControlStep(control=control, seed=replicate_seed), {"ticket": ticket})
        self.note_collapsed(altered, control.arm)
        return altered

    def draw_mc_ticket(self, ticket: Handle, options: MonteCarlo, replicate: int) -> Handle:
        """Fit the survival model of a ticket, and draw a ticket of another initialisation from it."""
        data, result = self.config.data, ticket.result()
        label = {"seed": self.seed, "level": result["level"], "density": result["density"]}
        images = {} if options.images is None else {"images": options.images}
        model = self.lab.step("fit", FitStep(data=data, seed=self.seed, **images), {"ticket": ticket}, label | images)
        step = DrawStep(data=data, draw=options, seed=seeds.derive(self.seed, "draw", result["level"], replicate))
        inputs = {"sampler": model, "ticket": self.independent_dense_ticket(replicate)}
        drawn = self.lab.step("draw", step, inputs, label | {"arm": options.arm, "replicate": replicate})
        self.note_collapsed(drawn, options.arm)
        return drawn

    def independent_dense_ticket(self, replicate: int) -> Handle:
        """Initialise another unpruned network, and train it to the moment to which tickets are rewound."""
        rewind = self.config.prune.rewind
        arm = Arm(control="monte-carlo", options="dense")
        label = {"arm": arm, "seed": self.seed, "replicate": replicate}
        initial = self.start(seeds.derive(self.seed, "monte carlo", replicate), label)
        if not rewinds_later(rewind):
            return initial
        inputs = {"ticket": initial}
        trained = self.lab.step("train", self.dense_training, inputs, label | {"level": 0, "density": 1.0})
        unpruned = PruneStep(rate=0.0, rewind=rewind, seed=self.seed)
        return self.lab.step("prune", unpruned, inputs | {"trained": trained}, label)

    def note_collapsed(self, ticket: Handle, arm: Arm) -> None:
        """Notify the user of layers without survivors."""
        result = ticket.result()
        if collapsed := result["emptied"]:
            where = f"{', '.join(collapsed)} at level {result['level']}"
            self.lab.listener.note(f"seed {self.seed}: {arm} leaves no weight in {where}.")

    def label(self, ticket: Handle, arm: Arm, replicate: int) -> dict[str, Any]:
        """Return the label of a ticket's steps in reports."""
        result = ticket.result()
        label = {"arm": replace(arm, trunk=self.trunk), "seed": self.seed}
        label |= {"level": result["level"], "density": result["density"]}
        return label | ({"replicate": replicate} if replicate else {})

    @property
    def seed_label(self) -> dict[str, Any]:
        """Label of the steps that belong to no level."""
        return {"seed": self.seed} | ({} if self.trunk is None else {"arm": Arm(trunk=self.trunk)})

    @property
    def training(self) -> TrainStep:
        """Training of pruned tickets and controls."""
        return TrainStep(data=self.config.data, train=self.config.training, seed=self.seed)

    @property
    def dense_training(self) -> TrainStep:
        """Training of unpruned tickets, some of whose weights are kept."""
        return self.training.model_copy(update={"keep": self.config.kept})
