"""The sampler of Monte Carlo tickets: what a genuine ticket is like, as an artefact.

References:
    "Monte Carlo winning tickets", section 2, equations 1 and 4.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfticket import seeds
from tfticket.data import Dataset
from tfticket.errors import InputError
from tfticket.pruning.mask import layer_of
from tfticket.runs.files import read_json, write_json
from tfticket.runs.step_files import check_bytes

FORMAT = 1


@dataclass(frozen=True)
class Logistic:
    """P(a weight survives) = sigmoid(intercept + slopes . features).

    Attributes:
        intercept: 0 as printed.
        slopes: One a feature: magnitude, and connectivity.
        weights, survivors: How many it was fitted to.
    """

    intercept: float
    slopes: tuple[float, ...]
    weights: int
    survivors: int

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Logits float64 [...] of features [features, ...]."""
        return self.intercept + np.tensordot(np.array(self.slopes), features, 1)


@dataclass(frozen=True)
class TicketLayer:
    """What a layer of the ticket is like.

    Attributes:
        density: Fraction of its weights that survive.
        relative_magnitude: Mean magnitude of its survivors, over that of all its weights; None without a survivor.
        weights: Quantiles of its survivors' magnitudes, in standard deviations of the layer.
        connectivity: Quantiles of its survivors' connectivity, in means of the layer.
    """

    density: float
    relative_magnitude: float | None
    weights: tuple[float, ...]
    connectivity: tuple[float, ...]


@dataclass(frozen=True)
class SurvivalModel:
    """What a ticket is like, to draw others from.

    Attributes:
        fits: 'dense' or 'conv' -> 'magnitude', 'connectivity', and each with ' as printed' -> its model.
        layers: Kernel path -> what that layer of the ticket is like.
        sizes: Kernel path -> number of weights.
        level: The ticket's.
        exempt: Layers that the ticket's pruning left whole.
        provenance: Of which network, data and images, and which of the ticket's weights.
    """

    fits: dict[str, dict[str, Logistic]]
    layers: dict[str, TicketLayer]
    sizes: dict[str, int]
    level: int
    exempt: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        of = self.provenance.get("network", "a network")
        layers = f"{len(self.layers)} layer{'s' * (len(self.layers) != 1)}"
        return f"SurvivalModel({of}, level {self.level}, {layers}, models of {', '.join(self.fits)})"

    def layer(self, path: str, family: str) -> TicketLayer | None:
        """The ticket's layer of a kernel's name and family, 'dense' or 'conv'; None where it had none."""
        return self.layers.get(path) if self.provenance["families"].get(path) == family else None

    def is_exempt(self, path: str, family: str) -> bool:
        """Whether the ticket's pruning left its layer of this name and family whole."""
        return layer_of(path) in self.exempt and self.layer(path, family) is not None

    def density(self, path: str, family: str) -> float:
        """Of a layer of any network: that of the ticket's layer of this name, or the mean of the ticket's family.

        Raises:
            InputError: The ticket had no such layer, nor any of the family.
        """
        if (layer := self.layer(path, family)) is not None:
            return layer.density
        alike = [each for each, kind in self.provenance["families"].items() if kind == family]
        alike = [each for each in alike if layer_of(each) not in self.exempt] or alike
        if not alike:
            raise InputError(self._unknown(layer_of(path), family))
        kept = sum(self.layers[each].density * self.sizes[each] for each in alike)
        return kept / sum(self.sizes[each] for each in alike)

    def fit(self, layer: str, family: str, statistic: str) -> Logistic:
        """The model of a layer.

        Raises:
            InputError: The ticket had no layer to fit it to.
        """
        if statistic not in self.fits.get(family, {}):
            raise InputError(self._unknown(layer, family, statistic))
        return self.fits[family][statistic]

    def _unknown(self, layer: str, family: str, statistic: str = "") -> str:
        known = "; ".join(f"{kind}: {', '.join(models)}" for kind, models in self.fits.items())
        by_magnitude = statistic.replace("connectivity", "magnitude")
        other = (
            ", or draw by magnitude" if statistic != by_magnitude and by_magnitude in self.fits.get(family, {}) else ""
        )
        return (
            f"The sampler cannot draw {layer}: it has no model of {family} layers{statistic and f' by {statistic}'}. "
            f"It was fitted to {self.provenance['network']} and has {known}. Fit one to a ticket of a network that has "
            f"such layers{other}."
        )

    def save(self, path: str | Path) -> None:
        """Write the sampler as JSON."""
        if not (path := Path(path)).parent.is_dir():
            raise InputError(f"There is no folder {path.parent} to write {path.name} in. Make it first.")
        write_json(path, {"format": FORMAT, "kind": "sampler", **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> "SurvivalModel":
        """Read a sampler.

        Raises:
            InputError: No such file, or not a sampler's.
        """
        check_bytes(Path(path))
        found = read_json(Path(path))
        if not isinstance(found, dict) or found.get("kind") != "sampler":
            raise InputError(f"{path} is no sampler. `tfticket mc-fit` writes one, and a run with Monte Carlo tickets.")
        if found.get("format") != FORMAT:
            raise InputError(f"{path} has format {found.get('format')}; this version reads {FORMAT}. Fit it anew.")
        try:
            fits = {
                family: {name: Logistic(**one | {"slopes": tuple(one["slopes"])}) for name, one in models.items()}
                for family, models in found["fits"].items()
            }
            layers = {
                name: TicketLayer(**one | {each: tuple(one[each]) for each in ("weights", "connectivity")})
                for name, one in found["layers"].items()
            }
            exempt, provenance = tuple(found["exempt"]), found["provenance"]
            if missing := set(layers) - (set(found["sizes"]) & set(provenance["families"])):
                raise KeyError(", ".join(sorted(missing)))
            sampler = cls(fits, layers, found["sizes"], found["level"], exempt, provenance)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is not a whole sampler: {error}.") from None
        _check_values(sampler, path)
        return sampler


def check_density(density: float | None, as_printed: bool) -> None:
    """Refuse a density that no ticket can be drawn to; None is the genuine ticket's."""
    if density is not None and not 0 < density <= 1:
        raise InputError(f"The density is {density}; expected 0 < density <= 1.")
    if density is not None and as_printed:
        raise InputError("density has no say as printed: it is what comes out. Leave out one of the two.")


def subsample_images(data: Dataset, images: int | None, seed: int) -> np.ndarray:
    """Training rows, all or so many, chosen by the seed.

    Raises:
        InputError: More than there are, or none.
    """
    rows = len(data.x_train)
    if images is None:
        return data.x_train
    if not 1 <= images <= rows:
        raise InputError(f"images is {images}; expected 1 to {rows}, the training {data.things} of {data.name}.")
    chosen = seeds.generator(seed, "connectivity images").permutation(rows)[:images]
    return data.x_train[np.sort(chosen)]


_MOST = 1e9
"""Larger numbers would overflow, and no fit has them."""


def _check_values(sampler: SurvivalModel, path: str | Path) -> None:
    """Refuse numbers that no fit makes; the message says which."""

    def number(value: Any, low: float, high: float, what: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise InputError(
                f"{path}: {what} is {value!r}; expected a number from {low:g} to {high:g}. The file was altered; fit "
                "the sampler anew, `tfticket mc-fit`."
            )

    number(sampler.level, 0, _MOST, "level")
    for layer, size in sampler.sizes.items():
        number(size, 1, _MOST, f"sizes.{layer}")
    for family, models in sampler.fits.items():
        for name, fit in models.items():
            what = f"fits.{family}.{name}"
            number(fit.intercept, -_MOST, _MOST, f"{what}.intercept")
            features = 1 + name.startswith("connectivity")
            number(len(fit.slopes), features, features, f"how many {what}.slopes there are")
            for slope in fit.slopes:
                number(slope, -_MOST, _MOST, f"{what}.slopes")
    for what, least in (("fits", sampler.fits), ("layers", sampler.layers)):
        number(len(least), 1, 1e6, f"how many {what} there are")
    for layer, like in sampler.layers.items():
        number(like.density, 0.0, 1.0, f"layers.{layer}.density")
        for name in ("weights", "connectivity"):
            for quantile in getattr(like, name):
                number(quantile, -_MOST, _MOST, f"layers.{layer}.{name}")
