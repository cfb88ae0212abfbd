"""The table of rows that reports are made from: one row for each evaluation of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfticket.arms import TICKET, Arm, Trunk
from tfticket.data.identity import label_of, source_by_contents, source_by_name
from tfticket.reports.extra_metrics import Key, depth_metrics, training_metrics
from tfticket.runs.records import checked
from tfticket.runs.run_folder import CONFIG, EVALUATIONS, RunFolder, Step
from tfticket.runs.schemas import RunConfiguration


@dataclass(frozen=True)
class Network:
    """A trained network of a run.

    Attributes:
        arm, name: Arm of the network, and its name in tables and figures.
        seed, level, replicate: IMP seed, rounds of pruning, number of the replicate.
        density: Fraction of the prunable weights that survive.
        variational: True if the run's own network is variational.
    """

    arm: Arm
    name: str
    seed: int
    level: int
    replicate: int
    density: float
    variational: bool


@dataclass(frozen=True)
class Row:
    """One evaluation.

    Attributes:
        run: Name of the run's folder.
        arm, name, seed, level, density, replicate, variational: See ``Network``.
        data: Name of the data in figures, and the number of training rows.
        test, validation: Metric name -> value.
        reliability: count, confidence and accuracy of each bin of the test rows; None if not recorded.
        collapsed_layers: Layers without a survivor.
        data_set: The registered data set with these contents, e.g. 'mnist'; '' for other data, or for some classes.
        intervals: Test metric -> (low, high), its 95 % bootstrap interval over the test rows; {} if not recorded.
        extra_metrics: Metrics for claims and for the preconditions of verdicts, where they are recorded.
            Of a training: 'rise' of the validation accuracy over its last quarter; 'settled', the iteration at which it
            reaches its plateau (see ``tfticket.reports.extra_metrics``); 'epochs'; 'seconds' an iteration; of a
            variational network 'draws', and 'at_bound', the share of its deviations that end as far from their start as
            the optimiser can take them; of SVI 'own_means' (1: means begin as the deterministic network is initialised,
            on the mask alone) and 'members' of the population that tuned it.
            Of a mask: 'depth', Spearman's correlation of layers' places with the shares pruned in them, over the
            'layers' that may be pruned; 'relative_magnitude', the mean magnitude of a ticket's survivors over that of
            all weights at the rewinding iteration, mean over the layers that were pruned.
            Of chains: 'independent_start' (1: at draws from the prior, or where gradient ascents from such draws end).
        convergence_problems: Reasons why the chains of the prediction have not converged; () if they have, None if
            there are no chains.
    """

    run: str
    arm: Arm
    name: str
    seed: int
    level: int
    density: float
    data: str
    test: dict[str, float]
    validation: dict[str, float]
    replicate: int = 0
    reliability: dict[str, list[Any]] | None = None
    collapsed_layers: tuple[str, ...] = ()
    network: str = ""
    data_set: str = ""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    extra_metrics: dict[str, float] = field(default_factory=dict)
    convergence_problems: tuple[str, ...] | None = None
    variational: bool = False


def _data(run: RunFolder, result: dict[str, Any]) -> str:
    """Return the name of a run's data in figures. The evaluation may come from a run that names them differently."""
    data, config = result.get("data", {}), run.config["data"]
    text = label_of(config["name"], data.get("contents", ""))
    if config.get("classes"):
        text += f", classes {', '.join(map(str, config['classes']))}"
    return f"{text}, {data['training_rows']:,} training rows" if data else text


def _data_set(config: Mapping[str, Any], contents: str) -> str:
    named = source_by_name(config["name"]) if config.get("path") is None else None
    source = None if config.get("classes") else source_by_contents(contents) or named
    return "" if source is None else source.name


def name_in(config: Mapping[str, Any], arm: Arm) -> str:
    """Return the name of an arm in a run: its own tickets by network and score, where these are not IMP's."""
    score = config.get("prune", {}).get("score", "magnitude")
    if arm == TICKET and config["model"].get("variational"):
        return Trunk(variational=True, score=score).name
    return f"ticket by {score} score" if arm == TICKET and score != "magnitude" else arm.name


def name_at(name: str, arm: Arm, level: int, variational: bool) -> str:
    """Return the name of an arm at a level: tickets of level 0 are an unpruned network, which several arms may share.

    ``name`` is its name at other levels; ``variational`` tells if the run's own network is.
    """
    if level or not arm.is_ticket:
        return name
    return "dense, Bayesian" if (arm.trunk.variational if arm.trunk else variational) else "dense"


def rows_of(run: RunFolder) -> list[Row]:
    """Return one row for each finished evaluation of a run, in the order of the run."""
    evaluations = run.steps(*EVALUATIONS)
    if evaluations:
        checked(run.config, RunConfiguration, str(run.folder / CONFIG))
    metrics = _extra_metrics(run)
    rows = [row_of(run, step, metrics.get(_key(step)) if step.kind == "evaluate" else None) for step in evaluations]
    for step in run.steps("fit"):
        magnitudes = step.result["relative_magnitude"].values()
        pruned = [value for value in magnitudes if value not in (None, 1.0)]  # exactly 1: nothing was pruned there
        ticket = (TICKET, step.label["seed"], step.label["level"])
        for row in rows:
            if pruned and (row.arm, row.seed, row.level) == ticket:
                row.extra_metrics["relative_magnitude"] = sum(pruned) / len(pruned)
    return rows


def _extra_metrics(run: RunFolder) -> dict[Key, dict[str, float]]:
    """Return the metrics of each training, and in runs that prune in several ways of each mask."""
    trainings = {_key(step): step.result for step in run.steps("train") if "arm" in step.label}
    metrics = {key: training_metrics(run.config, key[0], result) for key, result in trainings.items()}
    if run.config.get("trunks"):  # no claim of another experiment needs these
        masks = ((step.label, step.result) for step in run.steps("start", "prune"))
        for key, depth in depth_metrics(run.config, masks).items():
            metrics.setdefault(key, {}).update(depth)
    return metrics


def _key(step: Step) -> Key:
    return tuple(step.label.get(name, 0) for name in ("arm", "seed", "level", "replicate"))


def row_of(run: RunFolder, step: Step, training: Mapping[str, float] | None = None) -> Row:
    """Return the row of a finished evaluation, with the metrics of its training: see ``training_metrics``."""
    result = step.result
    extra_metrics, diagnostics = dict(training or {}), result.get("diagnostics")
    problems = None  # without chains
    if diagnostics is not None:
        withheld = tuple(diagnostics["reasons"]) or (diagnostics["verdict"],)
        problems = () if diagnostics["verdict"] == "converged" else withheld
    iterations, batch_size = extra_metrics.pop("iterations", None), extra_metrics.pop("batch_size", None)
    if iterations and batch_size and (rows := result.get("data", {}).get("training_rows")):
        extra_metrics["epochs"] = iterations * batch_size / rows
    if diagnostics and "sample" in run.config:
        extra_metrics["independent_start"] = float(run.config["sample"].get("start") != "ticket")
    return Row(
        run=run.folder.name,
        **network_fields(run, step),
        data=_data(run, result),
        test=result["test"],
        validation=result["validation"],
        reliability=result.get("reliability", {}).get("test"),  # None before evaluations recorded it
        collapsed_layers=tuple(result.get("emptied", ())),
        network=run.config["model"]["name"],
        data_set=_data_set(run.config["data"], result.get("data", {}).get("contents", "")),
        intervals={metric: (low, high) for metric, (low, high) in result.get("intervals", {}).get("test", {}).items()},
        extra_metrics=extra_metrics,
        convergence_problems=problems,
    )


def network_fields(run: RunFolder, step: Step) -> dict[str, Any]:
    """Return the fields of ``Network`` of a step that trains or evaluates one."""
    label, result = step.label, step.result
    return {
        "arm": label["arm"],
        "name": name_in(run.config, label["arm"]),
        "seed": label["seed"],
        "level": result.get("level", label.get("level")),
        "replicate": label.get("replicate", 0),
        "density": result["density"],
        "variational": bool(run.config["model"].get("variational")),
    }
