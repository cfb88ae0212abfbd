"""Plan an experiment: run its ``main`` on a lab that computes nothing and lists the steps that are asked for.

Planning needs no TensorFlow, and reads data only where steps are looked up in a workspace.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfticket.config import ModelConfig, StartStep
from tfticket.config.schema import Config
from tfticket.lab import Handle, Lab, Request
from tfticket.registry import DEFAULT_WORKSPACE
from tfticket.runs.progress import COUNTED

ANY_LAYER = "any layer"
"""Stands for the variational layers of a network, which are known once it is built."""


@dataclass(frozen=True, eq=False)
class PlannedStep(Handle):
    """A step that an experiment asks for.

    Attributes:
        config: Its configuration.
        inputs: The steps that it reads.
        label: What the run's report calls it.
        model: The network of its ticket: of a start its own, of a transplant the one that receives.
        done: Whether the workspace has it.
        planned: Its result as far as it can be known before: level and density of its ticket, and neutral values.
    """

    config: Any
    inputs: Mapping[str, "PlannedStep"]
    label: Mapping[str, Any]
    model: ModelConfig | None
    done: bool
    planned: dict[str, Any]

    @property
    def is_variational(self) -> bool:
        """True if its network is variational."""
        return self.model is not None and self.model.variational is not None

    def result(self) -> dict[str, Any]:
        """Return the step's result where it is done, otherwise the planned one."""
        return super().result() if self.done else self.planned

    def ticket_header(self) -> dict[str, Any]:
        """Return the metadata of the step's ticket where it is done, otherwise those of a network of one layer."""
        if self.done:
            return super().ticket_header()
        return {"weights": [f"{ANY_LAYER}/kernel_rho"], "iteration": 0}


class DryLab(Lab):
    """A lab that computes nothing.

    Args:
        workspace: Where steps are looked up; None: nowhere, and fingerprints are serial numbers of the plan.

    Attributes:
        entries: Every step under each of its labels, in the order in which they are asked for: a manifest's entries.
    """

    def __init__(self, workspace: Path | None = None) -> None:
        super().__init__(workspace or DEFAULT_WORKSPACE)
        self._looks_up = workspace is not None
        self._fingerprints: dict[Any, str] = {}
        self._numbers: dict[Any, int] = {}
        self._known: dict[int, tuple[Config, int]] = {}
        self._entries: dict[tuple[str, str], PlannedStep] = {}

    @property
    def entries(self) -> list[PlannedStep]:
        return list(self._entries.values())

    @property
    def distinct(self) -> list[PlannedStep]:
        """Every step once, under its first label."""
        return list({step.fingerprint: step for step in reversed(self._entries.values())}.values())[::-1]

    @property
    def done(self) -> int:
        """The number of steps that the workspace has."""
        return sum(step.done for step in self.distinct)

    @property
    def trainings(self) -> int:
        """The number of trainings that a run counts as it goes, chains and members' generations among them."""
        return sum(step.kind in COUNTED for step in self.distinct)

    @property
    def chains(self) -> int:
        """The number of chains among them."""
        return sum(step.kind == "sample" for step in self.distinct)

    def step(
        self, kind: str, config: Config, inputs: Mapping[str, Any] | None = None, label: Mapping[str, Any] | None = None
    ) -> PlannedStep:
        """List a step; see ``Lab.step``."""
        inputs, label = inputs or {}, label or {}
        fingerprint, path = self._identify(kind, config, inputs)
        key = fingerprint, repr(label)
        if (known := self._entries.get(key)) is not None:
            return known
        model = config.model if isinstance(config, StartStep) else None
        if (ticket := inputs.get("onto", inputs.get("ticket"))) is not None:
            model = ticket.model
        done = self._looks_up and self._done(Handle(kind, fingerprint, path))
        planned = self.planned_result(kind, config, inputs)
        step = PlannedStep(kind, fingerprint, path, config, inputs, label, model, done, planned)
        self._entries[key] = step
        return step

    def steps(self, kind: str, requests: Sequence[Request], threads: int | None = None) -> list[Handle]:
        """List steps that do not depend on one another."""
        return [self.step(kind, request.config, request.inputs, request.label) for request in requests]

    def planned_result(self, kind: str, config: Any, inputs: Mapping[str, PlannedStep]) -> dict[str, Any]:
        """Return a step's result as far as it can be known before: what experiments go on with.

        Layers that are exempt or have a rate of their own do not count in the density.
        """
        if (ticket := inputs.get("sampler", inputs.get("ticket"))) is None:
            return _DENSE
        if kind != "prune" and not ticket.done:
            return ticket.planned
        result = ticket.result()
        level, density = result["level"], result["density"]
        if kind == "prune":
            level, density = level + 1, density * (1.0 - config.rate)
        return _DENSE | {"level": level, "density": density}

    def _identify(self, kind: str, config: Config, inputs: Mapping[str, Handle]) -> tuple[str, Path]:
        """Return a step's fingerprint and folder; without a workspace it is known by configuration and inputs alone."""
        if self._looks_up:
            handle = self._handle(kind, config, inputs)
            return handle.fingerprint, handle.path
        key = kind, self._number(config), *[(name, step.fingerprint) for name, step in inputs.items()]
        return self._fingerprints.setdefault(key, f"planned {len(self._fingerprints)}"), _NOWHERE

    def _number(self, config: Config) -> int:
        """Number configurations, equal ones alike. Each object is looked at once, and kept: its id is its key."""
        if (known := self._known.get(id(config))) is None:
            key = type(config), *map(self._hashable, vars(config).values())
            known = self._known[id(config)] = config, self._numbers.setdefault(key, len(self._numbers))
        return known[1]

    def _hashable(self, value: Any) -> Any:
        if isinstance(value, Config):
            return self._number(value)
        return frozenset(value.items()) if isinstance(value, dict) else value


_NOWHERE = Path()

_DENSE: dict[str, Any] = {
    "level": 0,
    "density": 1.0,
    "emptied": [],
    "validation": {"nll": 0.0, "accuracy": 0.0},
    "diagnostics": {"verdict": "not sampled yet", "reasons": [], "caution": ""},
}
"""The planned result of an unpruned ticket. No layer is emptied, and all members of a population are equal."""
