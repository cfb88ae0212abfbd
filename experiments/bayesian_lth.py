"""The Bayesian lottery ticket hypothesis: tickets of variational and of deterministic networks.

For each IMP seed:

- the deterministic network is pruned level by level, with its controls, as in ``experiments.imp``;
- variational networks are pruned in the same way, each by its own score, with the same controls;
- at the controlled levels the deterministic ticket is transplanted to a variational network, its weights as posterior
  means, and trained by variational inference.

Learning-rate rewinding, which keeps the trained weights, is one more way of pruning.

References:
    "Bayesian lottery ticket hypothesis", sections 4 to 8 and appendices.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tfticket import arms, seeds
from tfticket.arms import TICKET, Arm
from tfticket.config import Carried, TrainConfig, Variational, check_augment
from tfticket.config.names import known
from tfticket.config.schema import Config as Part
from tfticket.config.schema import validate
from tfticket.config.wording import field_error
from tfticket.errors import InputError, unknown
from tfticket.lab import Lab
from tfticket.procedures.trained_arm import TrainedArm
from tfticket.procedures.variational_training import (
    check_variational_training,
    train_and_evaluate,
    transplant_to_variational,
)
from tfticket.registry import SCORES

from . import checks, imp
from .imp_config import Config as ImpConfig


class Trunk(Part):
    """Another way of iterative pruning, from the same initialisation of the seed."""

    variational: bool = Field(True, description="Of the variational network; false: of the deterministic one")
    score: Annotated[str, known("score", SCORES)] = Field("snr", description="What ranks the weights")
    rewind: Literal["none"] | None = Field(
        None, description="'none' for learning-rate rewinding; null: as prune.rewind"
    )
    controls: bool = Field(True, description="With controls of its own at the controlled levels")

    @field_validator("rewind", mode="before")
    @classmethod
    def _check_rewind(cls, value: object) -> object:
        if value not in (None, "none"):
            raise ValueError("expected 'none' (learning-rate rewinding) or null (as prune.rewind says for all)")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.variational and self.score in ("snr", "mu", "square"):
            message = f"the score {self.score} is of variational networks; take magnitude"
            raise ValueError(InputError(message, field="score", suggestion="magnitude"))
        return self

    @property
    def value(self) -> arms.Trunk:
        """The trunk of its arms."""
        return arms.Trunk(self.variational, self.score, self.rewind == "none")


class Config(ImpConfig):
    """Iterative pruning of deterministic and of variational networks, and transplants."""

    variational: Variational = Field(Variational(), description="How the network is made variational")
    variational_train: TrainConfig | None = Field(
        None, description="The training of variational networks, transplants among them; null: as `train`"
    )
    trunks: tuple[Trunk, ...] = Field(
        (Trunk(),), description="Other ways of iterative pruning, e.g. [{score: snr}, {score: mu}, {rewind: none}]"
    )
    transplants: tuple[Carried, ...] = Field(
        ("start",),
        description="What goes along with a deterministic ticket's mask: its start weights, trained ones, or nothing",
    )

    @model_validator(mode="after")
    def _check_trunks(self) -> Self:
        for name, keys in (("trunks", [trunk.value.key for trunk in self.trunks]), ("transplants", self.transplants)):
            if len(set(keys)) < len(keys):
                raise field_error(name, f"the {name} {', '.join(keys)} repeat; each counts once")
        if self.prune.rewind == "none" and any(trunk.rewind for trunk in self.trunks):
            raise field_error("trunks", "trunks: prune.rewind is 'none' for all; leave `rewind` out of the trunks")
        if any(
            not trunk.variational and (trunk.score, trunk.rewind) == (self.prune.score, None) for trunk in self.trunks
        ):
            alternative = ", or give it rewind: none" if self.prune.rewind != "none" else ""
            message = f"trunks: deterministic tickets by {self.prune.score} are the run's own; leave that trunk out"
            raise field_error("trunks", message + alternative)
        if self.model.variational is not None:
            message = "model.variational: the base is the deterministic network here; `variational` is the other's"
            raise field_error("model.variational", message)
        return self

    @property
    def inference(self) -> TrainConfig:
        """The training of variational networks."""
        return self.variational_train or self.train


def _imp_config(config: Config, trunk: Trunk) -> ImpConfig:
    """Return a trunk's configuration as an experiment by itself."""
    rewind = config.prune.rewind if trunk.rewind is None else trunk.rewind
    changes: dict[str, Any] = {"prune": config.prune.model_copy(update={"score": trunk.score, "rewind": rewind})}
    if trunk.variational:
        variational = config.model.model_copy(update={"variational": config.variational})
        changes |= {"model": variational, "train": config.inference}
    else:
        changes["train"] = config.training
    changes |= {"keep": config.kept, "monte_carlo": ()} | ({} if trunk.controls else {"controls": ()})
    changes["experiment"] = "imp"
    fields = {name: getattr(config, name) for name in ImpConfig.model_fields}
    return ImpConfig.model_construct(**(fields | changes))


class BayesianLth(imp.Imp[Config]):
    """Tickets of variational and of deterministic networks, and transplants."""

    config_class = Config

    def branch(
        self,
        run: dict[str, Any],
        controls: Sequence[Any],
        levels: Sequence[int] | None,
        replicates: int,
        name: str | None,
        of: Arm = TICKET,
    ) -> ImpConfig:
        """See ``Imp.branch``; ``of`` may also be tickets of a trunk."""
        if of != TICKET:
            config = validate(Config, run, where="branch")
            trunks = {Arm(trunk=trunk.value): trunk for trunk in config.trunks}
            if of not in trunks:
                raise unknown("tickets", of, map(str, [TICKET, *trunks]), field="of", where="branch")
            run = _imp_config(config, trunks[of]).model_dump(mode="json") | {"name": f"{config.name}-{of}"}
        return super().branch(run, controls, levels, replicates, name)

    def check_lengths(self, config: Config) -> None:
        super().check_lengths(config)
        if config.variational_train is not None:
            checks.check_moments(config, config.variational_train, "variational_train")

    def check_data(self, config: Config) -> None:
        from tfticket.data import load_dataset

        super().check_data(config)
        if config.variational_train is not None:
            augment = config.variational_train.augment
            check_augment(augment, load_dataset(config.data).input_shape, "variational_train")

    def check_model(self, config: Config) -> list[str]:
        trainings = [step for step in self.plan(config).distinct if step.kind == "train"]
        infers = any(step.is_variational and step.config.train == config.train for step in trainings)
        compares = bool(config.controls or config.monte_carlo or config.transplants)
        notes = checks.check_model(config, compares=compares, infers=infers)
        if config.transplants and config.controlled:
            check_variational_training(config, config.variational, config.transplants, config.inference)
        if config.transplants and not config.controlled:
            notes.append(
                "No level is controlled, so nothing is transplanted: see control_densities and control_levels."
            )
        for trunk in config.trunks:
            notes += imp.Imp[ImpConfig]().check_model(_imp_config(config, trunk))
        return list(dict.fromkeys(notes))

    def main(self, lab: Lab, config: Config) -> None:
        """Prune deterministic and variational networks of each seed, and transplant the deterministic tickets."""
        arms = imp.find_and_train(lab, config)
        for trunk in config.trunks:
            imp.find_and_train(lab, _imp_config(config, trunk), trunk.value)
        for trained in arms:
            if trained.arm == TICKET and trained.level in config.controlled:
                transplant(lab, config, trained.label["seed"], trained)


def transplant(lab: Lab, config: Config, seed: int, source: TrainedArm) -> None:
    """Transplant a deterministic ticket to a variational network, and train it there."""
    for carried in config.transplants:
        for replicate in range(config.replicates):
            label = source.label | {"arm": Arm(f"transplant-{carried}")}
            label |= {"replicate": replicate} if replicate else {}
            replicate_seed = seeds.derive(seed, "transplant", replicate) if replicate or carried == "mask" else seed
            ticket = transplant_to_variational(lab, config, config.variational, carried, replicate_seed, source, label)
            train_and_evaluate(lab, config, config.inference, ticket, replicate_seed, seed, label)
