"""Schemas of the JSON files of runs and steps, for ``tfticket.runs.records``.

Fields that a schema does not name are kept: later versions may write more.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, InstanceOf, with_config
from typing_extensions import TypedDict

from tfticket.arms import Arm

MOST_COUNT = 2**53
"""Larger integers are none that we count."""

record = with_config(ConfigDict(strict=True, extra="allow", allow_inf_nan=False))
"""A schema's decorator: numbers are finite numbers, and text is none."""

Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
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
    """A run's status.json; one with a format has a manifest beside it from the start."""

    format: NotRequired[Count]
    state: State
    started: Moment
    experiment: NotRequired[Text]
    updated: NotRequired[Moment]
    message: NotRequired[Text]
    traceback: NotRequired[Text]


@record
class Label(TypedDict, total=False):
    """The label of a step in a run; its arm is read as an ``Arm``."""

    arm: Annotated[InstanceOf[Arm], BeforeValidator(Arm.from_label)]
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
    """The parts of a run's config.yaml that reports read."""

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
    """The contents of a run's file in the index; under 'damaged' why it cannot be read."""

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
    """The result of an evaluation."""

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
    """The result of a step that made a ticket."""

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
