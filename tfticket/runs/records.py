"""The JSON files of runs and steps: what each must hold, and the one way to read them.

``read_record`` is strict, for work; ``record_or_problem`` is for lists and the window, where a damaged file is told and
the rest goes on. Fields that a schema does not name are kept: later versions may write more.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, InstanceOf, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from tfticket.errors import InputError
from tfticket.runs.files import MOST_BYTES, read_json
from tfticket.text import one_line

_MOST_COUNT = 2**53
"""Larger integers are none that we count."""
_SHORT_FILE = 2**24
"""Bytes that no status, lease or progress has."""

record = with_config(ConfigDict(strict=True, extra="allow", allow_inf_nan=False))
"""A schema's decorator: numbers are finite numbers, and text is none."""

Count = Annotated[int, Field(ge=0, le=_MOST_COUNT)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Moment = Annotated[float, Field(ge=0, lt=1e11)]
"""Seconds since 1970; dates end before the upper limit."""
Text = InstanceOf[str]
"""Any text: one that names a file may hold bytes that are no UTF-8."""
State = Literal["running", "done", "stopped", "failed"]


def _folder_name(name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError("the name of a folder")
    return name


FolderName = Annotated[Text, AfterValidator(_folder_name)]
"""Of a step, beside the others in 'steps': no path leads out of there."""


@record
class Status(TypedDict):
    """A run's status.json."""

    state: State
    started: Moment
    experiment: NotRequired[Text]
    updated: NotRequired[Moment]
    message: NotRequired[Text]
    traceback: NotRequired[Text]


@record
class Label(TypedDict, total=False):
    """What a run calls a step."""

    arm: Text
    seed: Count
    level: Count
    replicate: Count
    chain: Count
    member: Count
    generation: Count
    density: Fraction


@record
class StepEntry(TypedDict):
    """A step of a run."""

    kind: Text
    folder: FolderName
    label: Label
    fingerprint: NotRequired[Text]


_EVALUATIONS = ("evaluate", "ensemble", "pool")


def _fully_labelled(step: StepEntry) -> StepEntry:
    label = step["label"]
    has_arm = step["kind"] in _EVALUATIONS or (step["kind"] == "train" and "arm" in label)
    if has_arm and not {"arm", "seed", "level"} <= label.keys():
        raise ValueError("a step whose label has arm, seed and level")
    return step


@record
class Manifest(TypedDict):
    """A run's manifest.json."""

    steps: list[Annotated[StepEntry, AfterValidator(_fully_labelled)]]


@record
class Named(TypedDict):
    """A part of a run's configuration that has a name."""

    name: Text


@record
class RunConfiguration(TypedDict):
    """What reports read of a run's config.yaml."""

    model: Named
    data: dict[str, Any]
    prune: NotRequired[dict[str, Any]]
    train: NotRequired[dict[str, Any]]


@record
class ProgressRecord(TypedDict, total=False):
    """A run's progress.json: the fields of ``tfticket.runs.progress.Progress``."""

    trainings: Count | None
    done: Count
    computed: Amount
    fraction: Amount
    iteration: Count
    iterations: Count
    step: StepEntry | None
    began: Moment | None
    updated: Moment
    chains: Count
    chains_done: Count
    chains_computed: Amount
    chain_seconds: float
    chain_began: Moment | None
    before: Amount
    beside: list[StepEntry]


@record
class Lease(TypedDict):
    """The lease.json of a run or a step: who holds it, or held it last."""

    host: Text
    boot_id: Text
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    started: float
    attempt: Count
    held: bool


@record
class StepConfig(TypedDict):
    """A step's config.json."""

    kind: Text
    inputs: dict[str, FolderName]
    config: NotRequired[dict[str, Any]]
    version: NotRequired[Count]
    fingerprint: NotRequired[Text]


@record
class StepResult(TypedDict):
    """A step's result.json; what its step has found is under 'result'."""

    result: dict[str, Any]
    fingerprint: NotRequired[Text]
    kind: NotRequired[Text]
    seconds: NotRequired[float]
    attempt: NotRequired[Count]
    versions: NotRequired[dict[str, Text]]


@record
class Facts(TypedDict, total=False):
    """What one file of a run says, as the index keeps it; under 'damaged' why it says nothing."""

    damaged: Text
    missing: Text
    name: Text
    state: State
    experiment: Text
    started: Moment
    updated: Moment
    message: Text
    trainings: Count | None
    completed: float
    seconds_left: float | None
    doing: Text
    level: Count | None
    density: float | None
    accuracy: float
    nll: float


@record
class Event(TypedDict):
    """A line of a step's events.jsonl; metrics may be NaN."""

    event: Text
    attempt: NotRequired[Count]
    time: NotRequired[Moment]
    iteration: NotRequired[Count]


Pair = Annotated[list[Annotated[float, Field(allow_inf_nan=True)]], Field(min_length=2, max_length=2)]
Metrics = dict[str, Annotated[float, Field(allow_inf_nan=True)]]


@record
class Evaluation(TypedDict):
    """What an evaluation has found."""

    density: Fraction
    level: Count
    validation: Metrics
    test: Metrics
    emptied: NotRequired[list[Text]]
    reliability: NotRequired[dict[str, dict[str, list[Any]]]]
    intervals: NotRequired[dict[str, dict[str, Pair]]]
    data: NotRequired[dict[str, Any]]


@record
class MadeTicket(TypedDict, total=False):
    """What a step that made a ticket says of it."""

    density: Fraction
    level: Count
    survivors: dict[str, Count]


@record
class Part(TypedDict):
    """A number of the dense network, and of what survives; null where it is not known."""

    dense: float | None
    surviving: float | None


@record
class At(TypedDict):
    """Something of a layer."""

    path: Text


@record
class Binned(TypedDict):
    """A picture's note."""

    binned: bool


@record
class Kernel(TypedDict):
    """A kernel in an inspection.json."""

    path: Text
    kind: Text
    shape: list[Count]
    survivors: Count
    live: Count | None
    fed_inputs: Count | None
    used_inputs: Count | None
    multiplies: Count
    histograms: list[Text]
    picture: Binned


@record
class InspectionRecord(TypedDict):
    """An inspection.json."""

    network: Text
    level: Count
    density: Fraction
    exempt: list[Text]
    notes: list[Text]
    parameters: Part
    paths: Part
    receptive_fields: At | None
    kernels: list[Kernel]


Schema = TypeVar("Schema")

_MEND: dict[Any, str] = {
    Status: "`tfticket run` with the run's config.yaml writes it again; finished steps are kept.",
    Manifest: "`tfticket run` with the run's config.yaml writes it again; finished steps are kept.",
    StepConfig: "Delete the step's folder and run the same again.",
    StepResult: "Delete the step's folder and run the same again.",
    Lease: "If no process is running there, delete it.",
}
_MOST: dict[Any, int] = {Status: _SHORT_FILE, Lease: _SHORT_FILE, ProgressRecord: _SHORT_FILE}


def read_record(path: Path, schema: type[Schema]) -> Schema:
    """Read a JSON file of ours.

    Args:
        path: The file.
        schema: What it must hold, a class of this module.

    Raises:
        InputError: It is not there, not readable, or holds something else; the message names file and field.
    """
    return checked(read_json(path, _MOST.get(schema, MOST_BYTES)), schema, str(path))


def record_or_problem(path: Path, schema: type[Schema]) -> tuple[Schema | None, str]:
    """Return what a JSON file of ours holds and '', or None and what is wrong with it."""
    try:
        return read_record(path, schema), ""
    except InputError as error:
        return None, str(error)


def checked(value: Any, schema: type[Schema], where: str) -> Schema:
    """Return a value that a schema allows.

    Args:
        value: As JSON has it.
        schema: What it must hold.
        where: The file, for the message.

    Raises:
        InputError: It holds something else.
    """
    try:
        found: Schema = _ADAPTERS(schema).validate_python(value)
        return found
    except ValidationError as error:
        problem = _in_words(error.errors(include_url=False)[0])
    except RecursionError:
        problem = "it is nested too deep"
    raise InputError(f"{where} is not as tfticket writes it: {problem}. {_MEND.get(schema, '')}".rstrip())


def is_one(value: Any, schema: type[Any]) -> bool:
    """Whether a schema allows a value."""
    try:
        _ADAPTERS(schema).validate_python(value)
    except (ValidationError, RecursionError):
        return False
    return True


_ADAPTERS: Callable[[Any], TypeAdapter[Any]] = functools.cache(TypeAdapter)
"""Schema -> what validates it."""

_EXPECTED = {
    "bool": "true or false",
    "dict": "a table, {...}",
    "finite": "a finite number",
    "float": "a number",
    "int": "a whole number",
    "list": "a list, [...]",
    "string": "text",
    "is": "text",
    "too": "a list of two",
    "typed": "a table, {...}",
}
"""First word of a kind of error -> what was expected."""


def _in_words(error: ErrorDetails) -> str:
    """Say what is wrong with a value: where, what it is, what was expected."""
    place = ".".join(str(part) for part in error["loc"])
    kind, limits = error["type"], error.get("ctx", {})
    if kind == "missing":
        around = place.rpartition(".")
        return f"there is no '{around[2]}'" + (f" in {around[0]}" if around[0] else "")
    first = kind.split("_")[0]
    if kind == "literal_error":
        expected = f"one of {limits['expected']}"
    elif kind == "value_error":
        expected = str(limits["error"])
    elif first in ("greater", "less"):
        (limit,) = (value for name, value in limits.items() if name in ("ge", "gt", "le", "lt"))
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        expected = f"{words[next(name for name in words if name in limits)]} {limit:,g}"
    else:
        expected = _EXPECTED.get(first, "another value")
    said = f"'{place}' is" if place else "it is"
    return f"{said} {_shown(error['input'])}; expected {expected}"


def _shown(value: Any) -> str:
    """A value in few words."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) > _MOST_COUNT:
        return "a huge number"
    return one_line(repr(value), 40)
