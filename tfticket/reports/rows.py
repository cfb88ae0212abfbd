"""A run folder as rows: one row an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfticket.arms import TICKET, Arm, Trunk
from tfticket.data.identity import label_of, source_by_contents, source_by_name
from tfticket.reports.facts import Whose, depths, trainings_facts
from tfticket.runs.records import checked
from tfticket.runs.run_folder import CONFIG, EVALUATIONS, RunFolder, Step
from tfticket.runs.schemas import RunConfiguration


@dataclass(frozen=True)
class Row:
    """One evaluated training.

    Attributes:
        run: Name of the run's folder.
        arm: What was trained or sampled.
        name: What tables and figures call the arm.
        seed: The IMP seed.
        level: Rounds of pruning.
        density: Fraction of the prunable weights that survive.
        data: What figures call the data, and how many rows were trained on.
        test, validation: Metric name -> value.
        replicate: Which of the same controls of one IMP seed, each of a seed of its own.
        reliability: count, confidence and accuracy of each bin of the test rows; None where none was recorded.
        emptied: Layers without a survivor.
        network: The network's name.
        data_set: The registered data set that the data are, by their contents: 'mnist'; '' of any other, or of some of
            its classes.
        intervals: Test metric -> (low, high), its 95 % bootstrap interval over the test rows; {} where none was
            recorded.
        beside: What else claims and the preconditions of verdicts are about, where it is recorded. Of a training:
            'rise' of its validation accuracy over its last quarter; 'settled', the iteration at which it has learnt
            (see ``tfticket.reports.facts``); its 'epochs'; 'seconds' of an iteration; of a variational network 'draws'
            in it, and 'at_bound', the share of its deviations that end as far from their start as the optimiser can
            take them; of SVI 'own_means' (1: they begin where the deterministic network does, on the mask alone) and
            'members' of the population that tuned it. Of a mask: 'depth', Spearman's correlation of layers' places
            with the shares pruned in them, over the 'layers' that may be; 'relative_magnitude', the mean magnitude of
            a ticket's survivors over that of all weights, at the moment it was rewound to, mean over the layers that
            were pruned. Of chains: 'prior_start' (1: they begin at draws from the prior).
        doubts: Why the chains that made the prediction are not said to have converged; () if they are, None if there
            are no chains.
        variational: True if the run's own network is variational.
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
    emptied: tuple[str, ...] = ()
    network: str = ""
    data_set: str = ""
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    doubts: tuple[str, ...] | None = None
    variational: bool = False


def _data(run: RunFolder, result: dict[str, Any]) -> str:
    """What figures call a run's data. The evaluation may have been computed for another run, with another name."""
    found, config = result.get("data", {}), run.config["data"]
    text = label_of(config["name"], found.get("contents", ""))
    if config.get("classes"):
        text += f", classes {', '.join(map(str, config['classes']))}"
    return f"{text}, {found['training_rows']:,} training rows" if found else text


def _data_set(config: Mapping[str, Any], contents: str) -> str:
    named = source_by_name(config["name"]) if config.get("path") is None else None
    source = None if config.get("classes") else source_by_contents(contents) or named
    return "" if source is None else source.name


def name_in(config: Mapping[str, Any], arm: Arm) -> str:
    """What a run of a configuration calls an arm: its own tickets by network and score, where these are not IMP's."""
    score = config.get("prune", {}).get("score", "magnitude")
    if arm == TICKET and config["model"].get("variational"):
        return Trunk(variational=True, score=score).name
    return f"ticket by {score} score" if arm == TICKET and score != "magnitude" else arm.name


def name_at(name: str, arm: Arm, level: int, variational: bool) -> str:
    """What tables call an arm at a level: tickets of level 0 are an unpruned network, which several arms may share.

    Args:
        name: What they call it at other levels.
        arm: Which.
        level: Rounds of pruning.
        variational: True if the run's own network is variational.
    """
    if level or not arm.is_ticket:
        return name
    return "dense, Bayesian" if (arm.trunk.variational if arm.trunk else variational) else "dense"


def rows_of(run: RunFolder) -> list[Row]:
    """One row for each finished evaluation of a run, in the order of the run.

    Raises:
        InputError: Its configuration, or a step's folder, is not whole.
    """
    evaluations = run.steps(*EVALUATIONS)
    if evaluations:
        checked(run.config, RunConfiguration, str(run.folder / CONFIG))
    facts = _facts_of(run)
    rows = [row_of(run, step, facts.get(_whose(step)) if step.kind == "evaluate" else None) for step in evaluations]
    for step in run.steps("fit"):
        relative = step.result["relative_magnitude"].values()
        layers = [value for value in relative if value not in (None, 1.0)]  # exactly 1: nothing was pruned there
        ticket = (TICKET, step.label["seed"], step.label["level"])
        for row in rows:
            if layers and (row.arm, row.seed, row.level) == ticket:
                row.beside["relative_magnitude"] = sum(layers) / len(layers)
    return rows


def _facts_of(run: RunFolder) -> dict[Whose, dict[str, float]]:
    """What is recorded of each training, and in runs that prune in several ways of each mask."""
    trainings = {_whose(step): step.result for step in run.steps("train") if "arm" in step.label}
    facts = trainings_facts(run.config, trainings)
    if run.config.get("trunks"):  # claims of no other experiment ask for these
        masks = ((step.label, step.result) for step in run.steps("start", "prune"))
        for whose, depth in depths(run.config, masks).items():
            facts.setdefault(whose, {}).update(depth)
    return facts


def _whose(step: Step) -> Whose:
    return tuple(step.label.get(name, 0) for name in ("arm", "seed", "level", "replicate"))


def row_of(run: RunFolder, step: Step, facts: Mapping[str, float] | None = None) -> Row:
    """One finished evaluation of a run.

    Args:
        run: The run.
        step: The evaluation.
        facts: What is recorded of the training.

    Raises:
        InputError: The step's folder is damaged or missing.
    """
    label, result = step.label, step.result
    beside, diagnostics = dict(facts or {}), result.get("diagnostics")
    iterations, batch_size = beside.pop("iterations", None), beside.pop("batch_size", None)
    if iterations and batch_size and (rows := result.get("data", {}).get("training_rows")):
        beside["epochs"] = iterations * batch_size / rows
    if diagnostics and "sample" in run.config:
        beside["prior_start"] = float(run.config["sample"].get("start", "prior") == "prior")
    return Row(
        run=run.folder.name,
        arm=label["arm"],
        name=name_in(run.config, label["arm"]),
        seed=label["seed"],
        level=result["level"],
        density=result["density"],
        data=_data(run, result),
        test=result["test"],
        validation=result["validation"],
        replicate=label.get("replicate", 0),
        reliability=result.get("reliability", {}).get("test"),  # None before evaluations recorded it
        emptied=tuple(result.get("emptied", ())),
        network=run.config["model"]["name"],
        data_set=_data_set(run.config["data"], result.get("data", {}).get("contents", "")),
        intervals={metric: (low, high) for metric, (low, high) in result.get("intervals", {}).get("test", {}).items()},
        beside=beside,
        doubts=None if diagnostics is None else _doubts_of(diagnostics),
        variational=bool(run.config["model"].get("variational")),
    )


def _doubts_of(diagnostics: Mapping[str, Any]) -> tuple[str, ...]:
    if diagnostics["verdict"] == "converged":
        return ()
    return tuple(diagnostics["reasons"]) or (diagnostics["verdict"],)
