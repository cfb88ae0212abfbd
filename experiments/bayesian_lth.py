"""The Bayesian lottery ticket hypothesis: tickets of variational and of deterministic networks.

For each IMP seed:

- the deterministic network is pruned level by level, with its controls, as in ``experiments.imp``;
- variational networks are pruned in the same way, each by its own score, with the same controls;
- at the controlled levels the deterministic ticket is transplanted to a variational network, its weights as posterior
  means, and trained by variational inference.

Pruning with learning-rate rewinding, which keeps the trained weights, is a further option.

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
    """A further lineage of iterative pruning, from the same initialisation."""

    variational: bool = Field(True, description="Prune the variational network; false: the deterministic one")
    score: Annotated[str, known("score", SCORES)] = Field(
        "snr", description="Score that ranks the weights; `tfticket list scores` shows all"
    )
    rewind: Literal["none"] | None = Field(
        None, description="Rewinding: 'none' for learning-rate rewinding; null: same as prune.rewind"
    )
    controls: bool = Field(True, description="Train controls for these tickets too, at the controlled levels")

    @field_validator("rewind", mode="before")
    @classmethod
    def _check_rewind(cls, value: object) -> object:
        if value not in (None, "none"):
            raise ValueError("expected 'none' (learning-rate rewinding) or null (same as prune.rewind)")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.variational and self.score in ("snr", "mu", "square"):
            message = f"the score {self.score} needs a variational network; use magnitude"
            raise ValueError(InputError(message, field="score", suggestion="magnitude"))
        return self

    @property
    def value(self) -> arms.Trunk:
        """The trunk of the arms."""
        return arms.Trunk(self.variational, self.score, self.rewind == "none")


class Config(ImpConfig):
    """Iterative pruning of deterministic and of variational networks, and transplants."""

    variational: Variational = Field(Variational(), description="Posteriors and prior of the variational networks")
    variational_train: TrainConfig | None = Field(
        None, description="Training of variational networks, including transplants; null: same as `train`"
    )
    trunks: tuple[Trunk, ...] = Field(
        (Trunk(),),
        description="Further lineages of iterative pruning, e.g. [{score: snr}, {score: mu}, {rewind: none}]",
    )
    transplants: tuple[Carried, ...] = Field(
        ("start",),
        description="Weights transplanted with a deterministic ticket's mask: none (mask), start weights (start) or "
        "trained weights (trained)",
    )

    @model_validator(mode="after")
    def _check_trunks(self) -> Self:
        for name, keys in (("trunks", [trunk.value.key for trunk in self.trunks]), ("transplants", self.transplants)):
            if len(set(keys)) < len(keys):
                raise field_error(name, f"the {name} {', '.join(keys)} repeat; name each only once")
        if self.prune.rewind == "none" and any(trunk.rewind for trunk in self.trunks):
            raise field_error("trunks", "trunks: prune.rewind is already 'none'; remove `rewind` from the trunks")
        if any(
            not trunk.variational and (trunk.score, trunk.rewind) == (self.prune.score, None) for trunk in self.trunks
        ):
            alternative = ", or give it rewind: none" if self.prune.rewind != "none" else ""
            message = (
                f"trunks: the run already prunes the deterministic network by {self.prune.score}; remove that trunk"
            )
            raise field_error("trunks", message + alternative)
        if self.model.variational is not None:
            message = (
                "model.variational: the base network is deterministic in this experiment; set `variational` instead"
            )
            raise field_error("model.variational", message)
        return self

    @property
    def inference(self) -> TrainConfig:
        """Training of variational networks."""
        return self.variational_train or self.train


def _imp_config(config: Config, trunk: Trunk) -> ImpConfig:
    """Return a trunk's configuration as a separate experiment."""
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
                "No level is controlled, and nothing is transplanted: see control_densities and control_levels."
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
