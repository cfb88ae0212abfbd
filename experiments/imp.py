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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

from tfticket import seeds
from tfticket.arms import TICKET, Arm, Trunk
from tfticket.config import (
    Control,
    ControlStep,
    DrawStep,
    EvaluateStep,
    FitStep,
    MonteCarlo,
    PruneStep,
    StartStep,
    TrainStep,
)
from tfticket.config.durations import rewinds_later
from tfticket.config.schema import validate
from tfticket.config.training import engine_at
from tfticket.errors import InputError, unknown
from tfticket.experiment import Experiment
from tfticket.lab import Handle, Lab, Request
from tfticket.procedures.trained_arm import TrainedArm

from . import checks
from .imp_config import Config

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
            raise unknown("tickets", of, [TICKET.key], field="of", where="branch")
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
            message = f"branch: {run['name']} has controls at no level. Say at which, e.g. --levels 0-{last}."
            raise InputError(message, field="--levels", suggestion=f"0-{last}")
        return config.model_copy(update={"train": config.training})

    def main(self, lab: Lab, config: AnyConfig) -> None:
        """Find the tickets of all seeds, and train them and their controls."""
        find_and_train(lab, config)


def find_and_train(lab: Lab, config: Config, trunk: Trunk | None = None) -> list[TrainedArm]:
    """Find the tickets of all seeds, level by level, and train them and their controls; return all in this order."""
    return Levels(lab, config, trunk).run()


class _Arm(NamedTuple):
    """A ticket that is to be trained: see ``TrainedArm``."""

    seed: int
    ticket: Handle
    arm: Arm = TICKET
    replicate: int = 0


@dataclass
class Levels:
    """The steps of all seeds, level by level: see ``find_and_train``.

    The trainings of one level do not depend on one another, so the lab computes several at once.
    """

    lab: Lab
    config: Config
    trunk: Trunk | None
    trained: list[TrainedArm] = field(default_factory=list)

    def run(self) -> list[TrainedArm]:
        """Prune level by level; train and evaluate each ticket, its controls and its Monte Carlo tickets."""
        from tfticket.tickets.iterative import iterative_pruning

        self.dense = [_Arm(seed, self.start(seed, self.seed_label(seed))) for seed in self.config.seeds]
        levels = iterative_pruning(self.dense, self.config.prune.levels, self.train, self.prune)
        for level, tickets in enumerate(levels):
            self.evaluate([arm for ticket in tickets for arm in (ticket, *self.variants(ticket, level))])
        return self.trained

    def variants(self, ticket: _Arm, level: int) -> Iterator[_Arm]:
        """Make the controls and the Monte Carlo tickets of a ticket."""
        config, replicates = self.config, range(self.config.replicates)
        if level in config.controlled:
            for control, replicate in itertools.product(config.controls, replicates):
                yield _Arm(ticket.seed, self.make_control(ticket, control, replicate), control.arm, replicate)
        if level in config.drawn_levels:
            for options, replicate in itertools.product(config.monte_carlo, replicates):
                yield _Arm(ticket.seed, self.draw_mc_ticket(ticket, options, replicate), options.arm, replicate)

    def start(self, seed: int, label: dict[str, Any]) -> Handle:
        """Initialise an unpruned network."""
        return self.lab.step("start", StartStep(data=self.config.data, model=self.config.model, seed=seed), label=label)

    def train(self, arms: Sequence[_Arm]) -> list[Handle]:
        """Train tickets; of the unpruned ones, also keep the weights of some moments."""
        requests = [
            Request(self.training(arm, self.config.kept if arm in self.dense else ()), {"ticket": arm.ticket}, label)
            for arm, label in zip(arms, map(self.label, arms), strict=True)
        ]
        return self.lab.steps("train", requests, threads=1)

    def prune(self, tickets: Sequence[_Arm], trained: Sequence[Handle]) -> list[_Arm]:
        """Prune trained tickets, and rewind them."""
        pruned = []
        for arm, training in zip(tickets, trained, strict=True):
            step, inputs = self.config.prune.step(arm.seed), {"ticket": arm.ticket, "trained": training}
            pruned.append(_Arm(arm.seed, self.lab.step("prune", step, inputs, self.seed_label(arm.seed))))
        return pruned

    def evaluate(self, arms: Sequence[_Arm]) -> None:
        """Train and evaluate tickets."""
        trained = [
            TrainedArm(label["arm"], label["level"], arm.replicate, arm.ticket, training, label)
            for arm, training, label in zip(arms, self.train(arms), map(self.label, arms), strict=True)
        ]
        requests = [
            Request(self.evaluation(each.label), {"ticket": each.ticket, "trained": each.trained}, each.label)
            for each in trained
        ]
        self.lab.steps("evaluate", requests, threads=1)
        self.trained += trained

    def make_control(self, ticket: _Arm, control: Control, replicate: int) -> Handle:
        """Alter a ticket on purpose."""
        replicate_seed = seeds.derive(ticket.seed, "replicate", replicate) if replicate else ticket.seed
        step = ControlStep(control=control, seed=replicate_seed)
        altered = self.lab.step("control", step, {"ticket": ticket.ticket})
        self.note_collapsed(altered, control.arm, ticket.seed)
        return altered

    def draw_mc_ticket(self, ticket: _Arm, options: MonteCarlo, replicate: int) -> Handle:
        """Fit the survival model of a ticket, and draw a ticket of another initialisation from it."""
        data, seed, result = self.config.data, ticket.seed, ticket.ticket.result()
        label = {"seed": seed, "level": result["level"], "density": result["density"]}
        images = {} if options.images is None else {"images": options.images}
        fit = FitStep(data=data, seed=seed, **images)
        model = self.lab.step("fit", fit, {"ticket": ticket.ticket}, label | images)
        step = DrawStep(data=data, draw=options, seed=seeds.derive(seed, "draw", result["level"], replicate))
        inputs = {"sampler": model, "ticket": self.independent_dense_ticket(seed, replicate)}
        drawn = self.lab.step("draw", step, inputs, label | {"arm": options.arm, "replicate": replicate})
        self.note_collapsed(drawn, options.arm, seed)
        return drawn

    def independent_dense_ticket(self, seed: int, replicate: int) -> Handle:
        """Initialise another unpruned network, and train it to the moment to which tickets are rewound."""
        rewind = self.config.prune.rewind
        arm = Arm(control="monte-carlo", options="dense")
        label = {"arm": arm, "seed": seed, "replicate": replicate}
        initial = self.start(seeds.derive(seed, "monte carlo", replicate), label)
        if not rewinds_later(rewind):
            return initial
        inputs, training = {"ticket": initial}, self.training(_Arm(seed, initial), self.config.kept)
        trained = self.lab.step("train", training, inputs, label | {"level": 0, "density": 1.0})
        unpruned = PruneStep(rate=0.0, rewind=rewind, seed=seed)
        return self.lab.step("prune", unpruned, inputs | {"trained": trained}, label)

    def note_collapsed(self, ticket: Handle, arm: Arm, seed: int) -> None:
        """Notify the user of layers without survivors."""
        result = ticket.result()
        if collapsed := result["emptied"]:
            where = f"{', '.join(collapsed)} at level {result['level']}"
            self.lab.listener.note(f"seed {seed}: {arm} leaves no weight in {where}.")

    def label(self, arm: _Arm) -> dict[str, Any]:
        """Return the label of a ticket's steps in reports."""
        result = arm.ticket.result()
        label = {"arm": replace(arm.arm, trunk=self.trunk), "seed": arm.seed}
        label |= {"level": result["level"], "density": result["density"]}
        return label | ({"replicate": arm.replicate} if arm.replicate else {})

    def seed_label(self, seed: int) -> dict[str, Any]:
        """Return the label of the steps that belong to no level."""
        return {"seed": seed} | ({} if self.trunk is None else {"arm": Arm(trunk=self.trunk)})

    def evaluation(self, label: dict[str, Any]) -> EvaluateStep:
        """Return the evaluation of a trained ticket."""
        engine = engine_at(self.config.train.engine, label["density"])
        return self.config.evaluation(label["seed"], self.config.objective).model_copy(update={"engine": engine})

    def training(self, arm: _Arm, keep: tuple[str, ...]) -> TrainStep:
        """Return the training of a ticket, some of whose weights are kept."""
        config = self.config
        return TrainStep.of_ticket(config.data, config.training, arm.seed, arm.ticket.result()["density"], keep)
