"""Find lottery tickets by iterative pruning and train them beside their controls.

For each IMP seed: the network is trained, pruned and rewound level by level; every level's ticket is trained.
At some densities controls are trained as the ticket was, in the same order of rows, by default:

- re-initialised: the ticket's mask, weights drawn anew;
- shuffled layerwise: the ticket's start, as many survivors in each layer as the ticket has, chosen at random.

And, if asked for, Monte Carlo tickets: networks of other initialisations, drawn from what the ticket is like.

References:
    "Monte Carlo winning tickets", section 3, for the last.
    Frankle and Carbin (2019), "The Lottery Ticket Hypothesis", section 2 and figures 1 and 3.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple, Self, TypeVar

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
from tfticket.durations import Rewind, rewinds_later
from tfticket.errors import InputError, unknown
from tfticket.experiment import Experiment
from tfticket.lab import Handle, Lab
from tfticket.schema import validate

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
            "monte_carlo": [one.arm for one in self.monte_carlo],
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
        """How to mend controls that repeat where they are masks from files of one name; '' where they are not."""
        arms = {control.path: control.arm for control in self.controls if control.path is not None}
        alike = len(set(arms.values())) < len(arms)
        return "; own masks are told apart by their files' names: name the files differently" if alike else ""

    @property
    def training(self) -> TrainConfig:
        """`train`, of a deterministic network without the objective: it alters nothing there, and would count."""
        return self.train if self.model.variational else self.train.model_copy(update={"objective": Objective()})

    @property
    def objective(self) -> Objective | None:
        """What the run's own networks are trained by; None where these are deterministic."""
        return self.train.objective if self.model.variational else None

    @property
    def kept(self) -> tuple[str, ...]:
        """Moments of an unpruned training whose weights are kept: what tickets are rewound to, and those asked for."""
        return tuple(sorted({moment for moment in (self.prune.rewind, *self.keep) if rewinds_later(moment)}))

    def evaluation(self, seed: int, objective: Objective | None = None) -> EvaluateStep:
        """How a training is evaluated: of a variational network, by as many draws as its objective says."""
        drawn: dict[str, int] = {}
        if objective is not None:
            drawn = {"draws": objective.evaluation_draws, "passes": self.evaluation_passes, "seed": seed}
        return EvaluateStep(data=self.data, out_of_distribution=self.out_of_distribution, **drawn)

    @property
    def controlled(self) -> list[int]:
        """The levels whose tickets have controls: those asked for, or those nearest to the densities asked for."""
        if self.control_levels is not None:
            return sorted(set(self.control_levels))
        return sorted({self.level_at(each) for each in self.control_densities} & set(range(1, self.prune.levels + 1)))

    @property
    def drawn_levels(self) -> list[int]:
        """The controlled levels that have Monte Carlo tickets: from level 0, which is dense, nothing can be learnt."""
        return [level for level in self.controlled if level > 0]

    def level_at(self, density: float) -> int:
        """The level nearest to a density, also one beyond the last; layers with a rate of their own do not count."""
        share = 1.0 - self.prune.rate_per_level
        return round(math.log(density) / math.log(share)) if share < 1 else 0


AnyConfig = TypeVar("AnyConfig", bound=Config)


class Imp(Experiment[AnyConfig]):
    """Tickets by iterative pruning, trained beside their controls."""

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
        """See ``Experiment.branch``. Of an experiment that builds on this one it takes its part of this one alone.

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
        """Find the tickets of each seed, and train them beside their controls."""
        for seed in config.seeds:
            run_seed(lab, config, seed)


class TrainedArm(NamedTuple):
    """A ticket that was trained, and what it is to its seed.

    Attributes:
        arm: Which.
        level: Rounds of pruning.
        replicate: Which of the same controls.
        ticket, trained: The steps.
        label: What the run's report calls it.
    """

    arm: Arm
    level: int
    replicate: int
    ticket: Handle
    trained: Handle
    label: dict[str, Any]


def run_seed(lab: Lab, config: Config, seed: int, trunk: Trunk | None = None) -> list[TrainedArm]:
    """One IMP seed: its tickets, and their controls at some levels; returns them in the order of their training.

    Args:
        lab: Where steps are computed.
        config: What is pruned, and how.
        seed: Of all of it.
        trunk: Where a run prunes in several ways, this one; None: the run's own.
    """
    from tfticket.tickets.iterative import iterative_pruning

    whose = {"seed": seed, **({} if trunk is None else {"arm": Arm(trunk=trunk)})}
    dense = lab.step("start", StartStep(data=config.data, model=config.model, seed=seed), label=whose)
    training = TrainStep(data=config.data, train=config.training, seed=seed)
    dense_training = TrainStep(data=config.data, train=config.training, seed=seed, keep=config.kept)
    pruning, evaluation = config.prune.step(seed), config.evaluation(seed, config.objective)
    controlled, drawn_levels = config.controlled, config.drawn_levels

    def train(ticket: Handle, arm: Arm = TICKET, replicate: int = 0) -> Handle:
        step = dense_training if ticket == dense else training
        return lab.step("train", step, {"ticket": ticket}, label(ticket, arm, replicate))

    def prune(ticket: Handle, trained: Handle) -> Handle:
        inputs = {"ticket": ticket, "trained": trained}
        return lab.step("prune", pruning, inputs, whose)

    def evaluate(ticket: Handle, arm: Arm, replicate: int = 0) -> None:
        trained, its_label = train(ticket, arm, replicate), label(ticket, arm, replicate)
        inputs = {"ticket": ticket, "trained": trained}
        lab.step("evaluate", evaluation, inputs, its_label)
        found.append(TrainedArm(its_label["arm"], its_label["level"], replicate, ticket, trained, its_label))

    def label(ticket: Handle, arm: Arm, replicate: int) -> dict[str, Any]:
        made = ticket.result()
        again = {"replicate": replicate} if replicate else {}
        return {
            "arm": replace(arm, trunk=trunk),
            "seed": seed,
            "level": made["level"],
            "density": made["density"],
        } | again

    def altered(ticket: Handle, control: Control, replicate: int) -> Handle:
        its_seed = seeds.derive(seed, "replicate", replicate) if replicate else seed
        made = lab.step("control", ControlStep(control=control, seed=its_seed), {"ticket": ticket})
        tell_emptied(made, control.arm)
        return made

    def tell_emptied(made: Handle, arm: Arm) -> None:
        if emptied := (found := made.result())["emptied"]:
            where = f"{', '.join(emptied)} at level {found['level']}"
            lab.listener.note(f"seed {seed}: {arm} leaves no weight in {where}.")

    def fresh(replicate: int) -> Handle:
        """An unpruned network of its own initialisation, from the moment that tickets are rewound to."""
        step = StartStep(data=config.data, model=config.model, seed=seeds.derive(seed, "monte carlo", replicate))
        its = {"arm": Arm(control="monte-carlo", options="dense"), "seed": seed, "replicate": replicate}
        begun = lab.step("start", step, label=its)
        if not rewinds_later(config.prune.rewind):
            return begun
        trained = lab.step("train", dense_training, {"ticket": begun}, its | {"level": 0, "density": 1.0})
        whole = PruneStep(rate=0.0, rewind=config.prune.rewind, seed=seed)
        return lab.step("prune", whole, {"ticket": begun, "trained": trained}, its)

    def drawn(ticket: Handle, how: MonteCarlo, replicate: int) -> Handle:
        made = ticket.result()
        where = {"seed": seed, "level": made["level"], "density": made["density"]}
        images = {} if how.images is None else {"images": how.images}
        sampler = lab.step("fit", FitStep(data=config.data, seed=seed, **images), {"ticket": ticket}, where | images)
        step = DrawStep(data=config.data, draw=how, seed=seeds.derive(seed, "draw", made["level"], replicate))
        label = where | {"arm": how.arm, "replicate": replicate}
        found = lab.step("draw", step, {"sampler": sampler, "ticket": fresh(replicate)}, label)
        tell_emptied(found, how.arm)
        return found

    found: list[TrainedArm] = []
    for level, ticket in enumerate(iterative_pruning(dense, config.prune.levels, train, prune)):
        evaluate(ticket, TICKET)
        if level in controlled:
            for control, replicate in itertools.product(config.controls, range(config.replicates)):
                evaluate(altered(ticket, control, replicate), control.arm, replicate)
        if level in drawn_levels:
            for how, replicate in itertools.product(config.monte_carlo, range(config.replicates)):
                evaluate(drawn(ticket, how, replicate), how.arm, replicate)
    return found
