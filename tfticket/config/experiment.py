"""The fields that all experiments have."""

import os
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from tfticket.config.names import known
from tfticket.config.schema import MOST, Config
from tfticket.registry import EXPERIMENTS


class Execution(Config):
    """Execution of a run.

    Only ``threads``, which is recorded, can change the bits of a result. So can ``processes`` for chains and members of
    a population, since processes share the threads.
    """

    threads: int | None = Field(
        None, ge=1, le=MOST, description="Number of CPU threads; null: all available to this process"
    )
    processes: int | None = Field(
        None,
        ge=1,
        le=MOST,
        description="Number of chains or members computed at once, each in a process; null: as many as CPUs, or one "
        "on a GPU",
    )
    checkpoint_seconds: float = Field(30.0, ge=0, description="Longest time between two checkpoints, in seconds")
    segment_seconds: float = Field(
        5.0, gt=0, description="Longest compiled computation between two checks for stop requests, in seconds"
    )

    @property
    def processes_at_once(self) -> int:
        """Number of processes at once; a GPU takes one."""
        if self.processes is not None:
            return self.processes
        return 1 if Path("/dev/nvidiactl").exists() else max(1, usable_cpus() // (self.threads or 1))

    def share(self, processes: int, threads: int | None = None) -> "Execution":
        """Return the share of each of several processes: ``threads``, or an equal part of the CPUs."""
        return self.model_copy(update={"threads": self.threads or threads or max(1, usable_cpus() // processes)})


def usable_cpus() -> int:
    """Return the number of CPUs available to this process."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1


LONGEST_NAME = 200
"""Longest name of a run in characters; file systems allow 255 for a folder."""


def _run_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError("not allowed here; expected letters, digits, '.', '_' and '-', a letter or digit first")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"must be at most {LONGEST_NAME} characters long, has {len(name):,}")
    return name


class ExperimentConfig(Config):
    """The fields that all experiments have."""

    experiment: Annotated[str, known("experiment", EXPERIMENTS)] = Field(
        description="Experiment; `tfticket list experiments` shows all"
    )
    name: Annotated[str, AfterValidator(_run_name)] = Field(description="Name of the run's folder")
    execution: Execution = Field(
        Execution(), description="Threads, processes and checkpoints; no effect on the science"
    )

    @property
    def notes(self) -> list[str]:
        """Sentences about fields without effect."""
        return []
