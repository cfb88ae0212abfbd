"""The survival model of a genuine ticket, from which Monte Carlo tickets are drawn, as an artefact.

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
    """Logistic regression: P(a weight survives) = sigmoid(intercept + slopes . features).

    Attributes:
        intercept: 0 as printed.
        slopes: One per feature: magnitude, and connectivity.
        weights, survivors: Numbers of weights and survivors it was fitted to.
    """

    intercept: float
    slopes: tuple[float, ...]
    weights: int
    survivors: int

    def logits(self, features: np.ndarray) -> np.ndarray:
        """Return logits float64 [...] of features [features, ...]."""
        return self.intercept + np.tensordot(np.array(self.slopes), features, 1)


@dataclass(frozen=True)
class TicketLayer:
    """Statistics of a layer of the ticket.

    Attributes:
        density: Fraction of its weights that survive.
        relative_magnitude: Mean magnitude of its survivors over that of all its weights; None without survivors.
        weights: Quantiles of its survivors' magnitudes, in standard deviations of the layer.
        connectivity: Quantiles of its survivors' connectivity, in means of the layer.
    """

    density: float
    relative_magnitude: float | None
    weights: tuple[float, ...]
    connectivity: tuple[float, ...]


@dataclass(frozen=True)
class SurvivalModel:
    """Survival probabilities of a ticket's weights, from which other tickets are drawn.

    Attributes:
        fits: 'dense' or 'conv' -> 'magnitude', 'connectivity', and each with ' as printed' -> logistic model.
        layers: Kernel path -> statistics of that layer of the ticket.
        sizes: Kernel path -> number of weights.
        level: The ticket's level.
        exempt: Layers exempt from the ticket's pruning.
        provenance: Network, data, images, and the iteration of the ticket's weights.
    """

    fits: dict[str, dict[str, Logistic]]
    layers: dict[str, TicketLayer]
    sizes: dict[str, int]
    level: int
    exempt: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        network = self.provenance.get("network", "a network")
        layers = f"{len(self.layers)} layer{'s' * (len(self.layers) != 1)}"
        return f"SurvivalModel({network}, level {self.level}, {layers}, models of {', '.join(self.fits)})"

    def layer(self, path: str, family: str) -> TicketLayer | None:
        """Return the ticket's layer of this path and family, 'dense' or 'conv'; None if it has none."""
        return self.layers.get(path) if self.provenance["families"].get(path) == family else None

    def is_exempt(self, path: str, family: str) -> bool:
        """Return True if the ticket has a layer of this path and family that was exempt from pruning."""
        return layer_of(path) in self.exempt and self.layer(path, family) is not None

    def density(self, path: str, family: str) -> float:
        """Return the density of the ticket's layer of this path, else the mean over the ticket's layers of its family.

        Raises:
            InputError: The ticket has no layer of this family.
        """
        if (layer := self.layer(path, family)) is not None:
            return layer.density
        same_family = [kernel for kernel, kind in self.provenance["families"].items() if kind == family]
        same_family = [kernel for kernel in same_family if layer_of(kernel) not in self.exempt] or same_family
        if not same_family:
            raise InputError(self._missing(layer_of(path), family))
        survivors = sum(self.layers[kernel].density * self.sizes[kernel] for kernel in same_family)
        return survivors / sum(self.sizes[kernel] for kernel in same_family)

    def fit(self, layer: str, family: str, statistic: str) -> Logistic:
        """Return the logistic model of a layer.

        Raises:
            InputError: The ticket has no layer to which it could be fitted.
        """
        if statistic not in self.fits.get(family, {}):
            raise InputError(self._missing(layer, family, statistic))
        return self.fits[family][statistic]

    def _missing(self, layer: str, family: str, statistic: str = "") -> str:
        known = "; ".join(f"{kind}: {', '.join(models)}" for kind, models in self.fits.items())
        by_magnitude = statistic.replace("connectivity", "magnitude")
        other = (
            ", or draw by magnitude" if statistic != by_magnitude and by_magnitude in self.fits.get(family, {}) else ""
        )
        return (
            f"The survival model cannot draw {layer}: it has no fit for {family} layers"
            f"{statistic and f' by {statistic}'}. It was fitted to {self.provenance['network']} and has {known}. Fit "
            f"one to a ticket of a network with such layers{other}."
        )

    def save(self, path: str | Path) -> None:
        """Write the model as JSON."""
        if not (path := Path(path)).parent.is_dir():
            raise InputError(f"There is no folder {path.parent} to write {path.name} in. Create it first.")
        write_json(path, {"format": FORMAT, "kind": "sampler", **asdict(self)})

    @classmethod
    def load(cls, path: str | Path) -> "SurvivalModel":
        """Read a survival model.

        Raises:
            InputError: No such file, or not a survival model.
        """
        path = Path(path)
        check_bytes(path)
        if path.suffix == ".safetensors" and path.is_file():
            raise InputError(
                f"{path} is a ticket or weights; expected a survival model. `tfticket mc-fit {path} --out "
                "survival-model.json` fits one to a ticket."
            )
        record = read_json(path)
        if not isinstance(record, dict) or record.get("kind") != "sampler":
            raise InputError(
                f"{path} is no survival model. `tfticket mc-fit` writes one, and a run with Monte Carlo tickets."
            )
        if record.get("format") != FORMAT:
            raise InputError(f"{path} has format {record.get('format')}; this version reads {FORMAT}. Fit it again.")
        try:
            fits = {
                family: {name: Logistic(**fit | {"slopes": tuple(fit["slopes"])}) for name, fit in models.items()}
                for family, models in record["fits"].items()
            }
            layers = {
                name: TicketLayer(**layer | {key: tuple(layer[key]) for key in ("weights", "connectivity")})
                for name, layer in record["layers"].items()
            }
            exempt, provenance = tuple(record["exempt"]), record["provenance"]
            if missing := set(layers) - (set(record["sizes"]) & set(provenance["families"])):
                raise KeyError(", ".join(sorted(missing)))
            model = cls(fits, layers, record["sizes"], record["level"], exempt, provenance)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} is an incomplete survival model: {error}. Fit it again.") from None
        _check_values(model, path)
        return model


def check_density(density: float | None, as_printed: bool) -> None:
    """Refuse a density at which no ticket can be drawn; None is the genuine ticket's."""
    if density is not None and not 0 < density <= 1:
        raise InputError(f"The density is {density}; expected 0 < density <= 1.", field="density")
    if density is not None and as_printed:
        raise InputError(
            "density cannot be set with as_printed: the formula as printed decides it. Leave out one of the two.",
            field="density",
        )


def subsample_images(data: Dataset, images: int | None, seed: int) -> np.ndarray:
    """Return all training rows, or a seeded sample of them."""
    rows = len(data.x_train)
    if images is None:
        return data.x_train
    if not 1 <= images <= rows:
        raise InputError(
            f"images is {images}; expected 1 to {rows}, the training {data.things} of {data.name}.", field="images"
        )
    sample = seeds.generator(seed, "connectivity images").permutation(rows)[:images]
    return data.x_train[np.sort(sample)]


_LARGEST = 1e9
"""Larger numbers would overflow; no fit has them."""


def _check_values(model: SurvivalModel, path: str | Path) -> None:
    """Refuse numbers that no fit produces; the message names them."""

    def check(value: Any, low: float, high: float, field: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise InputError(
                f"{path}: {field} is {value!r}; expected a number from {low:g} to {high:g}. The file was altered; fit "
                "the model again, `tfticket mc-fit`.",
                field=field,
            )

    check(model.level, 0, _LARGEST, "level")
    for layer, size in model.sizes.items():
        check(size, 1, _LARGEST, f"sizes.{layer}")
    for family, fits in model.fits.items():
        for name, fit in fits.items():
            field = f"fits.{family}.{name}"
            check(fit.intercept, -_LARGEST, _LARGEST, f"{field}.intercept")
            features = 1 + name.startswith("connectivity")
            check(len(fit.slopes), features, features, f"the number of {field}.slopes")
            for slope in fit.slopes:
                check(slope, -_LARGEST, _LARGEST, f"{field}.slopes")
    for field, entries in (("fits", model.fits), ("layers", model.layers)):
        check(len(entries), 1, 1e6, f"the number of {field}")
    for layer, statistics in model.layers.items():
        check(statistics.density, 0.0, 1.0, f"layers.{layer}.density")
        for name in ("weights", "connectivity"):
            for quantile in getattr(statistics, name):
                check(quantile, -_LARGEST, _LARGEST, f"layers.{layer}.{name}")
