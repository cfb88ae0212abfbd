"""The progress of a run, kept in its folder."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tfticket.arms import written_label
from tfticket.runs.files import write_json
from tfticket.runs.records import record_or_problem
from tfticket.runs.schemas import ProgressRecord

PROGRESS = "progress.json"

COUNTED = ("train", "sample", "member")
"""Kinds of steps that count as trainings."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        trainings: How many it takes, chains among them; None before it said so.
        done: Trainings that are done, also those found done.
        computed: Of these, computed since the run began or went on; a part of one that itself went on.
        fraction: How much of the present one is done, 0 to 1; of several at once, their mean.
        iteration, iterations: Where it is, and its length; of several at once, their means.
        step: The step that is computed now: kind, folder, label; None between steps.
        began: When the first training of this session began, seconds since 1970; None before.
        updated: When this was written.
        chains: Of the trainings, how many are chains, which take another time.
        chains_done: As ``done``, of chains alone.
        chains_computed: As ``computed``, of chains alone.
        chain_seconds: What the chains computed took, in all.
        chain_began: When the present chain began; None where it is none.
        before: As ``fraction``, what was done before the run went on.
        concurrent_steps: Further steps that are computed together with ``step``; some of them may still wait.
    """

    trainings: int | None = None
    done: int = 0
    computed: float = 0
    fraction: float = 0.0
    iteration: int = 0
    iterations: int = 0
    step: dict[str, Any] | None = field(default=None)
    began: float | None = None
    updated: float = 0.0
    chains: int = 0
    chains_done: int = 0
    chains_computed: float = 0
    chain_seconds: float = 0.0
    chain_began: float | None = None
    before: float = 0.0
    concurrent_steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps that are computed now."""
        return [self.step, *self.concurrent_steps] if self.step is not None else []

    @property
    def completed(self) -> float:
        """Trainings done, and the parts of the present ones."""
        return self.done + self.fraction * (1 + len(self.concurrent_steps))

    @property
    def seconds_left(self) -> float | None:
        """From what was computed so far, trainings and chains apart; None while there is nothing to go by."""
        if self.began is None or self.trainings is None:
            return None
        in_chain = self.chain_began is not None
        at_once = 1 + len(self.concurrent_steps)
        new = (self.fraction - self.before) * at_once
        new_chain, new_training = (new, 0.0) if in_chain else (0.0, new)
        chain_seconds = self.chain_seconds + (self.updated - self.chain_began if self.chain_began is not None else 0.0)
        left_chains = self.chains - self.chains_done - (self.fraction * at_once if in_chain else 0.0)
        total = 0.0
        for seconds, work, left in (
            (chain_seconds, self.chains_computed + new_chain, left_chains),
            (
                self.updated - self.began - chain_seconds,
                self.computed - self.chains_computed + new_training,
                self.trainings - self.completed - left_chains,
            ),
        ):
            if left > 0 and work <= 0:
                return None
            total += seconds / work * left if left > 0 else 0.0
        return total


def read_progress(folder: Path) -> Progress | None:
    """Return the progress in a run's folder; None if it is missing or damaged."""
    record, _ = record_or_problem(folder / PROGRESS, ProgressRecord)
    if record is None:
        return None
    known = {field.name for field in fields(Progress)}
    values: dict[str, Any] = {name: value for name, value in record.items() if name in known}
    return Progress(**values, concurrent_steps=[dict(step) for step in record.get("beside", [])])


def write_progress(folder: Path, progress: Progress) -> None:
    """Write it to a run's folder, atomically."""
    steps = [{**step, "label": written_label(step["label"])} for step in progress.steps]
    record = {**vars(progress), "step": steps[0] if steps else None, "beside": steps[1:]}
    del record["concurrent_steps"]
    write_json(folder / PROGRESS, record, sync=False)


def clock(seconds: float) -> str:
    """A length of time as 'h:mm:ss', or 'm:ss' where it is under an hour."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
