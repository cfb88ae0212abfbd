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
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tfticket import seeds
from tfticket.arms import TICKET, Arm, Trunk
from tfticket.config import Control, ControlStep, DrawStep, FitStep, MonteCarlo, PruneStep, StartStep, TrainStep
from tfticket.config.durations import rewinds_later
from tfticket.config.schema import validate
from tfticket.errors import InputError, unknown
from tfticket.experiment import Experiment
from tfticket.lab import Handle, Lab
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
        """Find the tickets of each seed, and train them and their controls."""
        for seed in config.seeds:
            run_seed(lab, config, seed)


def run_seed(lab: Lab, config: Config, seed: int, trunk: Trunk | None = None) -> list[TrainedArm]:
    """Find the tickets of an IMP seed and train them and their controls; return all, in the order of their training."""
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
        step = self.training(ticket, self.config.kept if ticket == self.dense else ())
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
        training = self.training(initial, self.config.kept)
        trained = self.lab.step("train", training, inputs, label | {"level": 0, "density": 1.0})
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

    def training(self, ticket: Handle, keep: tuple[str, ...]) -> TrainStep:
        """Return the training of a ticket, some of whose weights are kept."""
        config = self.config
        return TrainStep.of_ticket(config.data, config.training, self.seed, ticket.result()["density"], keep)
