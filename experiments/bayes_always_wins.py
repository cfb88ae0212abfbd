"""Bayes always wins the lottery in Monte Carlo: train a pruned network, and sample its posterior.

For each IMP seed: tickets by iterative magnitude pruning, trained from their start weights and re-initialised, as in
``experiments.imp``. Then, at some levels:

- NUTS, or another sampler: chains over the ticket's surviving weights, each from an independent start, pooled;
- optionally stochastic variational inference on the ticket's mask;
- the deep ensemble: the mean prediction of the re-initialised trainings, to separate averaging from sampling.

References:
    "Bayes always wins the lottery in Monte Carlo", sections 3 to 5 and table 1.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from tfticket.arms import TICKET, Arm
from tfticket.config import MOST, PART, EnsembleStep, PoolStep, SampleConfig, SampleStep, check_augment
from tfticket.config.wording import field_error
from tfticket.lab import Handle, Lab, Request
from tfticket.procedures.svi import Svi, check_inference_lengths, infer, tune_kl_weights
from tfticket.procedures.trained_arm import TrainedArm
from tfticket.procedures.variational_training import check_variational_training
from tfticket.reports.tables.chain_diagnostics import verdict_text
from tfticket.runs.step import chain_input
from tfticket.sampling.stopping import UNTIL, is_enough

from . import checks, imp
from .imp_config import Config as ImpConfig

_SAME_MASK = ("reinitialise", "keep-signs")
"""Controls that keep the ticket's mask."""


class Config(ImpConfig):
    """Iterative pruning, its controls, and chains over the tickets' weights."""

    sample: SampleConfig = Field(SampleConfig(), description="Chains: sampler, priors, number of draws")
    chains: int = Field(4, ge=0, le=MOST, description="Number of chains per ticket, from independent starts; 0: none")
    until: str | None = Field(
        None,
        description="Stopping rule, checked between the parts of chains: 'converged', a number such as '400 effective"
        " draws', or 'no better' (the mean prediction on validation rows no longer improves); null: stop "
        "after sample.draws",
    )
    sampled_levels: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="Levels whose tickets are sampled, 0 is dense; null: the last"
    )
    sampled_arms: tuple[str, ...] = Field(
        ("ticket",),
        min_length=1,
        description="Arms to sample at these levels: 'ticket', or controls, whose masks are then compared",
    )
    svi: Svi | None = Field(
        None, description="Stochastic variational inference on the same masks, {} for the paper's settings; null: none"
    )
    ensemble: bool = Field(
        True, description="Also evaluate the mean prediction of each control's replicates, if there are two or more"
    )

    @field_validator("until")
    @classmethod
    def _check_rule(cls, rule: str | None) -> str | None:
        if rule is not None and not re.fullmatch(UNTIL, rule):
            raise ValueError("expected 'converged', 'no better', or a number of draws such as '400 effective draws'")
        return rule

    @property
    def notes(self) -> list[str]:
        """Sentences about fields without effect."""
        if not self.chains:
            return []
        notes = [self.sample.ineffective_text] if self.sample.ineffective else []
        if self.until is not None and self.sample.draws <= PART:
            notes.append(
                f"until has no effect: it is checked after each {PART} draws, and sample.draws is {self.sample.draws}."
            )
        return notes

    @model_validator(mode="after")
    def _check_sampling(self) -> Self:
        for level in self.sampled_levels or ():
            if level > self.prune.levels:
                message = f"sampled_levels: there is no level {level}; the last is {self.prune.levels}"
                raise field_error("sampled_levels", message)
        known = [TICKET, *(control.arm for control in self.controls), *(mc.arm for mc in self.monte_carlo)]
        for text, arm in zip(self.sampled_arms, self.arms_sampled, strict=True):
            if arm not in known:
                raise field_error(
                    "sampled_arms",
                    f"sampled_arms: '{text}' is not an arm of this run; expected one of {', '.join(map(str, known))}",
                )
            if self.sample.start != "ticket" and arm.control in _SAME_MASK:
                raise field_error(
                    "sampled_arms",
                    f"sampled_arms: '{arm}' has the ticket's mask, and its chains would equal the ticket's unless they "
                    "begin at its weights; remove it, or set sample.start to ticket",
                )
            if self.svi is not None and self.svi.carried == "mask" and arm.control in _SAME_MASK:
                raise field_error(
                    "sampled_arms",
                    f"sampled_arms: '{arm}' has the ticket's mask, and SVI on the mask alone would equal the ticket's; "
                    "remove it, or set svi.carried to start",
                )
            if arm != TICKET and not self.levels_of(arm):
                message = f"sampled_arms: '{arm}' exists at no sampled level; see control_levels"
                raise field_error("sampled_arms", message)
        return self

    @property
    def arms_sampled(self) -> list[Arm]:
        """The arms that are sampled."""
        return [Arm.parse(key) for key in self.sampled_arms]

    @property
    def sampled(self) -> list[int]:
        """Levels whose tickets are sampled."""
        return [self.prune.levels] if self.sampled_levels is None else sorted(set(self.sampled_levels))

    def levels_of(self, arm: Arm) -> list[int]:
        """Return the levels at which tickets of an arm are sampled."""
        levels = self.drawn_levels if arm.control == "monte-carlo" else self.controlled
        return self.sampled if arm == TICKET else [level for level in self.sampled if level in levels]


class BayesAlwaysWins(imp.Imp[Config]):
    """Tickets by iterative pruning, then trained, sampled by MCMC, or fitted by SVI."""

    config_class = Config

    def check_lengths(self, config: Config) -> None:
        super().check_lengths(config)
        if config.svi is not None:
            check_inference_lengths(config, config.svi)

    def check_data(self, config: Config) -> None:
        super().check_data(config)
        if config.svi is not None and config.svi.train is not None:
            from tfticket.data import load_dataset

            check_augment(config.svi.train.augment, load_dataset(config.data).input_shape, "svi.train")

    def check_model(self, config: Config) -> list[str]:
        from tfticket.data import load_dataset
        from tfticket.models import network_of_config
        from tfticket.sampling.build_posterior import check_engine

        infers = config.svi is not None and config.svi.train is None
        notes = checks.check_model(config, compares=bool(config.controls or config.monte_carlo), infers=infers)
        if config.svi is not None:
            training = config.svi.train or config.train
            check_variational_training(config, config.svi.variational, (config.svi.carried,), training)
            if training.objective.kl_weights:
                notes.append("objective.kl_weights have no effect: svi.ways sets the KL weights.")
        if not config.chains:
            return notes
        model = network_of_config(config.model, load_dataset(config.data))
        notes += config.notes
        densities = [(1.0 - config.prune.rate_per_level) ** level for level in config.sampled]
        return [*notes, *dict.fromkeys(check_engine(model, config.sample, density) for density in densities)]

    def main(self, lab: Lab, config: Config) -> None:
        """Find tickets, average their controls' replicates, sample and infer at some levels."""
        tuned: dict[int, dict[str, float]] = {}  # KL weights by level, from the first seed's ticket
        trained_arms = imp.find_and_train(lab, config)
        for seed in config.seeds:
            arms = [trained for trained in trained_arms if trained.label["seed"] == seed]
            if config.ensemble:
                average_replicates(lab, config, arms)
            tickets = {trained.level: trained for trained in arms if trained.arm == TICKET}
            for trained in arms:
                level = trained.level
                if level not in config.sampled or trained.arm not in config.arms_sampled:
                    continue
                if config.chains:
                    sample(lab, config, seed, trained)
                if config.svi is not None:
                    if "tuned" in config.svi.ways and level not in tuned:
                        tuned[level] = tune_kl_weights(lab, config, config.svi, seed, tickets[level])
                    infer(lab, config, config.svi, seed, trained, tuned.get(level, {}))


def average_replicates(lab: Lab, config: Config, arms: Sequence[TrainedArm]) -> None:
    """Average each control's replicates: a deep ensemble (Lakshminarayanan et al., 2017)."""
    for level, arm in dict.fromkeys((trained.level, trained.arm) for trained in arms):
        members = [trained for trained in arms if (trained.level, trained.arm) == (level, arm)]
        if len(members) > 1:
            inputs = {"ticket": members[0].ticket}
            inputs |= {f"member {member.replicate}": member.trained for member in members}
            label = members[0].label | {"arm": replace(arm, method="ensemble")}
            evaluation = config.evaluation(label["seed"], config.objective)
            step = EnsembleStep(data=config.data, draws=evaluation.draws, seed=evaluation.seed)
            lab.step("ensemble", step, inputs, label)


def sample(lab: Lab, config: Config, seed: int, trained: TrainedArm) -> Handle:
    """Draw a ticket's chains part by part, pool them, and report the verdict.

    With ``until``, chains are pooled after each part, and stop once the rule is met.
    """
    arm = replace(trained.arm, method=config.sample.method)
    label = trained.label | {"arm": arm}
    parts: dict[str, Handle] = {}  # by their names as inputs of the pool
    pools: list[dict[str, Any]] = []
    before: list[dict[str, Handle]] = [{} for _ in range(config.chains)]
    for first in range(0, config.sample.draws, PART):
        options = config.sample.model_copy(update={"draws": min(first + PART, config.sample.draws)})
        requests = [
            Request(
                SampleStep(data=config.data, sample=options, seed=seed, chain=chain, first=first),
                {"ticket": trained.ticket, **before[chain]},
                label | {"chain": chain, "draws": options.draws},
            )
            for chain in range(config.chains)
        ]
        for chain, part in enumerate(lab.steps("sample", requests)):
            before[chain] = {"before": part}
            parts[chain_input(chain, first)] = part
        if config.until is None and options.draws < config.sample.draws:
            continue
        pooled = lab.step("pool", PoolStep(data=config.data), {"ticket": trained.ticket, **parts}, label)
        pools.append(pooled.result())
        if config.until is not None and is_enough(config.until, pools):
            break
    lab.listener.note(verdict_text(f"seed {seed}, level {trained.level}, {arm}", pools[-1]["diagnostics"]))
    return pooled
