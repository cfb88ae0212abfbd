"""The presets, with their costs, to choose from."""

import functools
from dataclasses import dataclass
from typing import Any

from tfticket.costs import cost_of
from tfticket.presets import load_experiment, planned, presets


@dataclass(frozen=True)
class PresetEntry:
    """A preset in the list.

    Attributes:
        name: Name of the preset.
        about: The experiment in one line.
        budget: 'smoke', 'desk' or 'paper'.
        time: Estimated duration on 2 cores, in words.
        trainings, chains: Number of trainings and of chains.
    """

    name: str
    about: str
    budget: str
    time: str
    trainings: int
    chains: int

    @property
    def work(self) -> str:
        """Number of trainings and chains: '57', '5 + 2 chains'."""
        chains = f"{self.chains:,} chain{'s' * (self.chains > 1)}" if self.chains else ""
        trainings = f"{self.trainings:,}" if self.trainings or not chains else ""
        return " + ".join(filter(None, (trainings, chains)))


@functools.lru_cache(maxsize=1)
def preset_entries() -> tuple[PresetEntry, ...]:
    """Return every preset, in the order of `tfticket list presets`."""
    entries = []
    for preset in presets().values():
        cost = cost_of(planned(preset.name).distinct)
        entries.append(
            PresetEntry(preset.name, preset.about, preset.budget or "desk", cost.time, cost.trainings, cost.chains)
        )
    return tuple(entries)


def matching_presets(text: str) -> list[PresetEntry]:
    """Return the presets whose name or description contains every word of a text."""
    words = text.casefold().split()
    return [e for e in preset_entries() if all(word in f"{e.name} {e.about}".casefold() for word in words)]


def preset_values(name: str) -> dict[str, Any]:
    """Return a preset's configuration as plain values."""
    return load_experiment(name).model_dump(mode="json")
