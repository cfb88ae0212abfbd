"""Configuration of pruning and of controls."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from tfticket.arms import Arm
from tfticket.config.data import Initialiser, absolute_path
from tfticket.config.durations import Rewind
from tfticket.config.names import known
from tfticket.config.schema import MOST, Config
from tfticket.config.wording import field_error
from tfticket.registry import CONTROLS, SCORES


class PruneConfig(Config):
    """Iterative pruning: the weights to prune, how many, and the point to which the survivors are rewound.

    Give either ``sparsity`` (the target after all levels: each keeps (1 - sparsity)^(1/levels) of the survivors)
    or ``rate`` (the fraction of the survivors pruned per level).
    """

    levels: int = Field(
        10, ge=1, le=MOST, description="Number of rounds of training, pruning and rewinding after the dense level 0"
    )
    sparsity: float | None = Field(
        None, ge=0, lt=1, description="Fraction of weights pruned after the last level; null: computed from `rate`"
    )
    rate: float | None = Field(
        None, gt=0, lt=1, description="Fraction of the survivors pruned per level; null: computed from `sparsity`"
    )
    score: Annotated[str, known("score", SCORES)] = Field(
        "magnitude", description="Score that ranks the weights; `tfticket list scores` shows all"
    )
    scope: Literal["global", "layerwise"] = Field(
        "global",
        description="Whether weights are ranked over all layers together (global) or within each layer (layerwise)",
    )
    exempt: tuple[str, ...] = Field(
        (), description="Layers that are never pruned, e.g. ['dense_3']; their weights do not count in the sparsity"
    )
    rates: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(
        {},
        description="Separate pruning rates of layers, e.g. {dense_3: 0.1}: this fraction of the layer's survivors is"
        " pruned per level, ranked within the layer; `sparsity` is then the target for the other layers",
    )
    rewind: Rewind = Field(
        "0it",
        description="Point in training to which survivors are rewound: '0it' (initialisation), '500it', or 'none' "
        "(learning-rate rewinding)",
    )
    allow_empty: bool = Field(False, description="Allow a level to prune all weights of a layer")

    @model_validator(mode="before")
    @classmethod
    def _one_amount(cls, values: Any) -> Any:
        if isinstance(values, dict) and (values.get("sparsity") is None) == (values.get("rate") is None):
            message = "give either sparsity (the target) or rate (per level); set the other to null"
            raise field_error("sparsity", message)
        return values

    @model_validator(mode="after")
    def _prunes(self) -> Self:
        if not any((self.rate_per_level, *self.rates.values())):
            raise field_error(
                "sparsity",
                f"sparsity is {self.sparsity:g}, so nothing would be pruned; expected more than 0, or rates of layers. "
                "The dense network is level 0 of every run",
            )
        return self

    @model_validator(mode="after")
    def _exempt_or_pruned(self) -> Self:
        if both := sorted(set(self.exempt) & set(self.rates)):
            raise field_error(
                "exempt", f"{', '.join(both)} is in both exempt (never pruned) and rates; remove it from one"
            )
        return self

    @property
    def rate_per_level(self) -> float:
        """The fraction of the survivors pruned per level."""
        if self.rate is not None:
            return self.rate
        assert self.sparsity is not None
        kept: float = (1.0 - self.sparsity) ** (1.0 / self.levels)
        return 1.0 - kept

    def step(self, seed: int) -> "PruneStep":
        """Return the step of one level. It holds no number of levels: runs with more levels re-use steps."""
        shared = ("score", "scope", "exempt", "rates", "rewind", "allow_empty")
        return PruneStep(rate=self.rate_per_level, seed=seed, **{name: getattr(self, name) for name in shared})


class PruneStep(Config):
    """Prune a trained ticket by one level."""

    rate: float = Field(ge=0, lt=1)
    score: Annotated[str, known("score", SCORES)] = "magnitude"
    scope: Literal["global", "layerwise"] = "global"
    exempt: tuple[str, ...] = ()
    rates: dict[str, float] = Field({})
    rewind: Rewind = "0it"
    allow_empty: bool = False
    seed: int = Field(ge=0, description="Seed for ties and for random scores")


_OPTIONS = {
    "initialiser": ("reinitialise", "keep-signs"),
    "densities": ("random-mask",),
    "path": ("own-mask",),
    "allow_empty": ("shuffle-global", "shuffle-even", "shuffle-layerwise", "random-mask", "own-mask"),
}
"""Option -> the controls that it applies to."""

_Share = Annotated[float, Field(ge=0, le=1)]


def _shares(value: Any) -> Any:
    """Check densities with one message, where pydantic would have one for each possible type."""
    shares = value.values() if isinstance(value, dict) and value else [value]
    if value is not None and not all(type(share) in (int, float) and 0 <= share <= 1 for share in shares):
        raise ValueError("expected a fraction, 0 to 1, or a table {layer: fraction}")
    if value is not None and not any(shares):
        raise ValueError("expected a fraction above 0: no weight would be left")
    return value


class Control(Config):
    """A ticket altered on purpose. A control without options is just its name."""

    name: Annotated[str, known("control", CONTROLS)] = Field(description="Control; `tfticket list controls` shows all")
    initialiser: Initialiser | None = Field(
        None,
        description="Distribution of the redrawn kernels (reinitialise, keep-signs); null: the initialiser of each "
        "layer",
    )
    densities: Annotated[_Share | dict[str, _Share] | None, BeforeValidator(_shares)] = Field(
        None, description="Fraction of weights that survive (random-mask): one for all layers, or {layer: fraction}"
    )
    path: Annotated[str, Field(min_length=1), AfterValidator(absolute_path)] | None = Field(
        None,
        description="An .npz file with a mask of 0 and 1 for each layer (own-mask); layers that it lacks keep their "
        "mask",
    )
    allow_empty: bool = Field(
        True, description="Allow a layer to lose its last weight (shuffles and masks); otherwise the run fails"
    )

    @model_validator(mode="before")
    @classmethod
    def _just_a_name(cls, values: Any) -> Any:
        if not isinstance(values, str | dict | Control):
            raise ValueError("expected a control's name, or {name: ..., and its options}")
        return {"name": values} if isinstance(values, str) else values

    @model_validator(mode="after")
    def _check(self) -> Self:
        for option in self.options:
            if self.name not in _OPTIONS[option]:
                message = f"{option} does not apply to {self.name}; it applies to {', '.join(_OPTIONS[option])}"
                raise field_error(option, message)
        if self.name == "random-mask" and self.densities in (None, {}):
            raise field_error(
                "densities",
                "random-mask needs densities, e.g. {name: random-mask, densities: 0.2}; "
                "shuffle-layerwise keeps the ticket's densities",
            )
        if self.name == "own-mask" and self.path is None:
            raise field_error("path", "own-mask needs path, e.g. {name: own-mask, path: mask.npz}")
        return self

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> Any:
        return {"name": self.name} | self.options if self.options else self.name

    @property
    def options(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        fields = type(self).model_fields
        return {name: getattr(self, name) for name in _OPTIONS if getattr(self, name) != fields[name].default}

    @property
    def arm(self) -> Arm:
        """The control's arm in reports: its name and options."""
        options: list[str] = [self.initialiser] if self.initialiser else []
        if isinstance(self.densities, dict):
            options += [f"{layer}={share:g}" for layer, share in self.densities.items()]
        elif self.densities is not None:
            options.append(f"{self.densities:g}")
        if self.path is not None:
            options.append(Path(self.path).stem)
        return Arm(control=self.name, options=" ".join(options))
