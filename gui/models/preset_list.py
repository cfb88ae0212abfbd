"""The presets as one chooses among them."""

import functools
from dataclasses import dataclass
from typing import Any

from tfticket.costs import cost_of
from tfticket.presets import load_experiment, planned, presets


@dataclass(frozen=True)
class Offer:
    """A preset: its name, what it is of, its budget, how long it takes, in words; how much it computes."""

    name: str
    about: str
    budget: str
    time: str
    trainings: int
    chains: int

    @property
    def work(self) -> str:
        """How much it computes: '57', '5 + 2 chains'."""
        chains = f"{self.chains:,} chain{'s' * (self.chains > 1)}" if self.chains else ""
        trainings = f"{self.trainings:,}" if self.trainings or not chains else ""
        return " + ".join(filter(None, (trainings, chains)))


@functools.lru_cache(maxsize=1)
def offers() -> tuple[Offer, ...]:
    """Every preset, in the order in which the command line lists them."""
    found = []
    for preset in presets().values():
        cost = cost_of(planned(preset.name).distinct)
        found.append(Offer(preset.name, preset.about, preset.budget or "desk", cost.time, cost.trainings, cost.chains))
    return tuple(found)


def matching(text: str) -> list[Offer]:
    """Presets that have every word of a text in their name, budget or line."""
    words = text.casefold().split()
    return [one for one in offers() if all(word in f"{one.name} {one.about}".casefold() for word in words)]


def values_of(name: str) -> dict[str, Any]:
    """A preset's configuration as plain values."""
    return load_experiment(name).model_dump(mode="json")
