"""Configurations: frozen, typed, and refused if they hold a key we do not know.

One definition feeds YAML files, ``-o`` overrides on the command line, forms and fingerprints. Nothing here
imports TensorFlow.
"""

import itertools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tfticket.errors import InputError, unknown
from tfticket.registry import CONTROLS, DATA_SETS, EXPERIMENTS, MODELS, SCORES

ConfigType = TypeVar("ConfigType", bound="Config")


class Config(BaseModel):
    """The parent of every configuration: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _duration(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("expected a duration such as '40ep' (epochs) or '2000it' (iterations)")
    text = f"{value}ep" if isinstance(value, int) or value.isdecimal() else value
    if not re.fullmatch(r"[0-9]+(ep|it)", text):
        raise ValueError(f"'{value}' is not a duration; write '40ep' (epochs) or '2000it' (iterations)")
    return f"{int(text[:-2])}{text[-2:]}"


def rewinds_later(rewind: str) -> bool:
    """Whether survivors start again from weights of an iteration k > 0."""
    return rewind not in ("none", "0it")


def check_lengths(train: "TrainConfig", rewind: str, rows: int) -> None:
    """See before any training that it has an iteration, and that rewinding leaves some.

    Args:
        train: The training of a level.
        rewind: Where survivors start again.
        rows: Training rows after the split.

    Raises:
        InputError: It has not.
    """
    total = iterations_in(train.epochs, rows, train.batch_size)
    first = iterations_in(rewind, rows, train.batch_size) if rewinds_later(rewind) else 0
    if total <= first:
        begin = f", but it begins at iteration {first} (rewind {rewind})" if first else ""
        raise InputError(
            f"Training for {train.epochs} of {rows:,} rows in batches of {train.batch_size} is {total} "
            f"iterations{begin}. Train longer, or rewind to an earlier moment."
        )


def moments_in(duration: str, rows: int, batch_size: int, total: int) -> list[int]:
    """The iterations at which something that recurs falls due: every ``duration``, and the last one.

    Args:
        duration: '1ep' or '500it'.
        rows: Training rows after the split.
        batch_size: Rows per iteration.
        total: Iterations in all.

    Returns:
        Ascending iterations in 1 .. total; total is the last.
    """
    count, unit = int(duration[:-2]), duration[-2:]
    multiples = (iterations_in(f"{times * count}{unit}", rows, batch_size) for times in itertools.count(1))
    due = itertools.takewhile(lambda moment: moment < total, multiples)
    return sorted({max(1, moment) for moment in due} | {total})


def _known(what: str, table: Mapping[str, object]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in table:
            raise ValueError(unknown(what, name, table))
        return name

    return AfterValidator(check)


Duration = Annotated[str, BeforeValidator(_duration)]
"""A length of training: '40ep' is 40 passes over the training rows, '2000it' is 2,000 iterations; 40 is '40ep'."""


def _rewind(value: object) -> object:
    """'0ep' is '0it': one meaning, one fingerprint."""
    text = value if value == "none" else _duration(value)
    return "0it" if text == "0ep" else text


Rewind = Annotated[str, BeforeValidator(_rewind)]
"""Where survivors start again: a duration from the start of training, or 'none' to keep the trained weights."""


def iterations_in(duration: str, rows: int, batch_size: int) -> int:
    """How many iterations a duration is.

    An epoch is rows / batch_size iterations, a fraction where the batch does not divide the rows, and k
    epochs are that times k, rounded: batches are cut from one stream of permutations (see
    ``tfticket.training.order``), so none is short.

    Args:
        duration: '40ep' or '2000it'.
        rows: Training rows after the split.
        batch_size: Rows per iteration.
    """
    count, unit = int(duration[:-2]), duration[-2:]
    return count if unit == "it" else round(count * rows / batch_size)


class DataConfig(Config):
    """Which data, and how they are split. One split serves all seeds of a run."""

    name: Annotated[str, _known("data set", DATA_SETS)] = Field(
        "mnist", description="Data set; `tfticket list data` shows them"
    )
    validation_rows: int = Field(5000, ge=1, description="Rows taken from the training set for validation")
    train_rows: int | None = Field(None, ge=1, description="Keep only so many training rows (seeded); null: all")
    split_seed: int = Field(0, ge=0, description="Seed of the split; independent of the runs' seeds")


Initialiser = Literal["glorot_normal", "glorot_uniform", "he_normal", "he_uniform"]


class ModelConfig(Config):
    """Which network."""

    name: Annotated[str, _known("model", MODELS)] = Field(
        "lenet-300-100", description="Network; `tfticket list models` shows them"
    )
    initialiser: Initialiser = Field("glorot_normal", description="Distribution of the initial kernels; biases are 0")


class Adam(Config):
    """Adam (Kingma and Ba, 2015)."""

    name: Literal["adam"] = "adam"
    learning_rate: float = Field(1.2e-3, gt=0, description="Step size at the start of the schedule")
    beta_1: float = Field(0.9, ge=0, lt=1, description="Decay of the first moment, per iteration")
    beta_2: float = Field(0.999, ge=0, lt=1, description="Decay of the second moment, per iteration")
    epsilon: float = Field(1e-7, gt=0, description="Added to the root of the second moment")


class Sgd(Config):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    learning_rate: float = Field(0.1, gt=0, description="Step size at the start of the schedule")
    momentum: float = Field(0.9, ge=0, lt=1, description="Decay of the velocity, per iteration")
    nesterov: bool = Field(False, description="Nesterov's form of the momentum")


class TrainConfig(Config):
    """Training by gradient descent on the cross-entropy."""

    epochs: Duration = Field("6ep", description="Length: 6 or '6ep' (epochs), '2000it' (iterations)")
    batch_size: int = Field(128, ge=1, description="Rows per iteration")
    optimiser: Annotated[Adam | Sgd, Field(discriminator="name")] = Field(Adam(), description="Update rule")
    weight_decay: float = Field(
        0.0, ge=0, description="Coupled decay: weight_decay x weight is added to the gradient of every weight"
    )
    milestones: tuple[Duration, ...] = Field((), description="When the learning rate is multiplied by `gamma`")
    gamma: float = Field(0.1, gt=0, description="Factor on the learning rate at each milestone")
    evaluate_every: Duration = Field("1ep", description="How often validation accuracy and NLL are recorded")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("epochs", "evaluate_every"):
            if getattr(self, name) in ("0ep", "0it"):
                raise ValueError(f"{name} must be longer than '{getattr(self, name)}'")
        return self


class PruneConfig(Config):
    """Iterative pruning: which weights go, how many, and where the survivors start again.

    Either ``sparsity`` (the target after all levels: each keeps (1 - sparsity)^(1/levels) of the survivors)
    or ``rate`` (the fraction of the survivors that goes at each level).
    """

    levels: int = Field(10, ge=1, description="Rounds of train, prune, rewind after the dense level 0")
    sparsity: float | None = Field(None, ge=0, lt=1, description="Fraction pruned after the last level, in [0, 1)")
    rate: float | None = Field(None, gt=0, lt=1, description="Fraction of the survivors pruned at each level")
    score: Annotated[str, _known("score", SCORES)] = Field(
        "magnitude", description="What ranks the weights; `tfticket list scores` shows them"
    )
    scope: Literal["global", "layerwise"] = Field(
        "global", description="Weights are ranked over all layers together, or in each layer apart"
    )
    exempt: tuple[str, ...] = Field(
        (), description="Layers never pruned, e.g. ['dense_3']; they do not count in the sparsity"
    )
    rewind: Rewind = Field(
        "0it", description="Where survivors start again: '0it' (initialisation), '500it', 'none' (rate rewinding)"
    )
    allow_empty: bool = Field(False, description="Allow a level to prune a layer to nothing")

    @model_validator(mode="before")
    @classmethod
    def _one_amount(cls, values: Any) -> Any:
        if isinstance(values, dict) and (values.get("sparsity") is None) == (values.get("rate") is None):
            raise ValueError("give either sparsity (the target) or rate (per level); set the other to null")
        return values

    @property
    def rate_per_level(self) -> float:
        """The fraction of the survivors that goes at each level."""
        if self.rate is not None:
            return self.rate
        assert self.sparsity is not None
        kept: float = (1.0 - self.sparsity) ** (1.0 / self.levels)
        return 1.0 - kept

    def step(self, seed: int) -> "PruneStep":
        """One level's step. It knows no number of levels, so that more levels re-use the ones there are."""
        shared = ("score", "scope", "exempt", "rewind", "allow_empty")
        return PruneStep(rate=self.rate_per_level, seed=seed, **{name: getattr(self, name) for name in shared})


class Execution(Config):
    """How a run is carried out. None of it changes a result's bits but ``threads``, which is recorded."""

    threads: int | None = Field(None, ge=1, description="CPU threads; null: all that this process may use")
    checkpoint_seconds: float = Field(30.0, ge=0, description="At most so long between two checkpoints")
    segment_seconds: float = Field(5.0, gt=0, description="Compiled work between two looks at stop requests")


class ExperimentConfig(Config):
    """What every experiment's configuration has in common."""

    experiment: Annotated[str, _known("experiment", EXPERIMENTS)] = Field(
        description="Which experiment; `tfticket list experiments` shows them"
    )
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the run's folder")
    execution: Execution = Field(Execution(), description="Threads, checkpoints: nothing scientific")


class StartStep(Config):
    """The dense ticket of level 0: initial weights drawn from the seed, every weight kept."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    seed: int = Field(ge=0)


class TrainStep(Config):
    """Train a ticket from its own start."""

    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    seed: int = Field(ge=0, description="Seed of the order of the rows")
    keep: tuple[Duration, ...] = Field((), description="Also keep the weights of these moments, for rewinding")


class PruneStep(Config):
    """Prune a trained ticket by one level."""

    rate: float = Field(ge=0, lt=1)
    score: Annotated[str, _known("score", SCORES)] = "magnitude"
    scope: Literal["global", "layerwise"] = "global"
    exempt: tuple[str, ...] = ()
    rewind: Rewind = "0it"
    allow_empty: bool = False
    seed: int = Field(ge=0, description="Seed of ties and of random scores")


class ControlStep(Config):
    """Alter a ticket on purpose."""

    control: Annotated[str, _known("control", CONTROLS)]
    seed: int = Field(ge=0)


class EvaluateStep(Config):
    """Measure trained weights on the validation and the test rows."""

    data: DataConfig = DataConfig()


def scientific_fields(config: Config) -> dict[str, Any]:
    """The fields that decide a result: those that differ from the default, and always the discriminators.

    Execution fields and the run's name are left out. So a new option, at its default, changes no fingerprint.
    """
    result: dict[str, Any] = {}
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, Execution) or (isinstance(config, ExperimentConfig) and name == "name"):
            continue
        if isinstance(value, Config):
            inner = scientific_fields(value)
            if inner or field.is_required():
                result[name] = inner
            continue
        discriminator = get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        if discriminator or field.is_required() or value != field.get_default():
            result[name] = value
    return result


def validate(cls: type[ConfigType], values: Any, where: str) -> ConfigType:
    """Build a configuration from plain values.

    Args:
        cls: The configuration's class.
        values: Nested dictionaries, lists and scalars.
        where: The file or command that the values come from, for the message.

    Raises:
        InputError: Unknown key (with the nearest known one), wrong type or value.
    """
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path, beside = _path_and_keys(cls, problem["loc"])
            if problem["type"] == "extra_forbidden":
                lines.append(unknown("key", path, beside))
            else:
                got = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
                lines.append(f"{path}: {problem['msg'].removeprefix('Value error, ')}{got}.".removeprefix(": "))
        raise InputError(f"{where}: " + "\n".join(lines)) from None


def _path_and_keys(cls: type[Config], location: tuple[int | str, ...]) -> tuple[str, list[str]]:
    """The dotted key as a user writes it, without the tag of a union, and the keys that are known beside it."""
    options: list[type[Config]] = [cls]
    written: list[str] = []
    for part in map(str, location[:-1]):
        fields = [option.model_fields[part] for option in options if part in option.model_fields]
        tagged = [o for o in options if "name" in o.model_fields and o.model_fields["name"].get_default() == part]
        if not fields and tagged:
            options = tagged
            continue
        written.append(part)
        if fields:
            options = [known for field in fields for known in _config_classes(field.annotation)]
    prefix = "".join(f"{part}." for part in written)
    return prefix + "".join(map(str, location[-1:])), [prefix + name for o in options for name in o.model_fields]


def _config_classes(annotation: Any) -> list[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [known for part in get_args(annotation) for known in _config_classes(part)]
