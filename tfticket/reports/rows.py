"""A run folder as rows: one row an evaluation."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tfticket.arms import TICKET, Arm, Trunk
from tfticket.data.identity import label_of, source_by_contents, source_by_name
from tfticket.errors import InputError, shortened
from tfticket.reports.facts import Whose, depths, trainings_facts
from tfticket.runs.files import check_file
from tfticket.runs.records import checked, read_record
from tfticket.runs.schemas import Evaluation, RunConfiguration, Status
from tfticket.runs.step_files import RESULT, read_result
from tfticket.runs.summary import STATUS, check_configuration, read_manifest, state_of
from tfticket.schema import read_yaml

EVALUATIONS = ("evaluate", "ensemble", "pool")
"""Kinds of steps that say how good an arm is."""


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


@dataclass(frozen=True)
class Run:
    """What a run folder says.

    Attributes:
        folder: Where it lies.
        config: Its configuration, as plain values.
        status: state, started, updated, and message and traceback of a failure.
        steps: The manifest's entries: kind, folder, fingerprint, label.
        has_checksums: Whether its files were written with checksums.
    """

    folder: Path
    config: dict[str, Any]
    status: dict[str, Any]
    steps: list[dict[str, Any]]
    has_checksums: bool = True

    @property
    def state(self) -> str:
        """'running', 'done', 'stopped', 'failed', or 'killed' for one whose process is gone."""
        return state_of(self.folder, self.status["state"])


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Raises:
        InputError: Not a run folder.
    """
    folder = folder.resolve()
    if not os.path.lexists(folder / STATUS):
        raise InputError(f"{folder} is not a run folder: it has no status.json. `tfticket list runs` shows the runs.")
    status: dict[str, Any] = {"experiment": "?", **read_record(folder / STATUS, Status)}
    return Run(folder, read_configuration(folder / "config.yaml"), status, read_manifest(folder))


def read_configuration(path: Path) -> dict[str, Any]:
    """A run's configuration as plain values.

    Raises:
        InputError: It cannot be read.
    """
    check_file(path)
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no configuration.")
    return values


def find_runs(workspace: Path) -> list[Run]:
    """Every run of a workspace, the newest first; a folder that cannot be read has the state 'damaged'."""
    runs = []
    for path in {file.parent for name in (STATUS, "config.yaml") for file in (workspace / "runs").glob(f"*/{name}")}:
        try:
            runs.append(read_run(path))
        except InputError as error:
            damaged = {"state": "damaged", "experiment": "?", "started": path.stat().st_mtime, "message": str(error)}
            runs.append(Run(path, {}, damaged, []))
    return sorted(runs, key=lambda run: run.status["started"], reverse=True)


def find_run(workspace: Path, name: str) -> Run:
    """A run by its folder or its folder's name; by its configuration's name, the newest; by how its name begins.

    Raises:
        InputError: None, or several that begin so; its configuration is not the one that its manifest is of.
    """
    if not name.strip():
        raise InputError("The run's name is empty. `tfticket list runs` shows the runs.")
    if _is_run_folder(name):
        return _sound_run(Path(name))
    runs = find_runs(workspace)
    called = [run for run in runs if run.folder.name == name] or [run for run in runs if run.config.get("name") == name]
    matches = called[:1] or [run for run in runs if run.folder.name.startswith(name)]
    if len(matches) != 1:
        known = ", ".join(run.folder.name for run in runs) or "none yet"
        what = "No run is" if not matches else f"{len(matches)} runs are"
        raise InputError(f"{what} named '{shortened(name)}' in {workspace}. Runs there: {known}.")
    return _sound_run(matches[0].folder)


def _sound_run(folder: Path) -> Run:
    run = read_run(folder)
    return replace(run, has_checksums=check_configuration(run.folder))


def _is_run_folder(name: str) -> bool:
    try:
        return os.path.lexists(Path(name) / STATUS)
    except (OSError, ValueError):  # a name too long for a file, or with a NUL
        return False


def _data(run: Run, result: dict[str, Any]) -> str:
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


def rows_of(run: Run) -> list[Row]:
    """One row for each finished evaluation of a run, in the order of the run.

    Raises:
        InputError: Its configuration, or a step's folder, is not whole.
    """
    if any(step["kind"] in EVALUATIONS for step in run.steps):
        checked(run.config, RunConfiguration, str(run.folder / "config.yaml"))
    rows, facts = [], _facts_of(run)
    for step in run.steps:
        label = step["label"]
        if step["kind"] in EVALUATIONS:
            found = facts.get(_whose(label), {}) if step["kind"] == "evaluate" else {}
            rows.append(row_of(run, label, result_of(run, step), found))
    for step in run.steps:
        if step["kind"] == "fit":
            relative = result_of(run, step)["relative_magnitude"].values()
            layers = [one for one in relative if one not in (None, 1.0)]  # exactly 1: nothing was pruned there
            ticket = (TICKET, step["label"]["seed"], step["label"]["level"])
            for row in rows:
                if layers and (row.arm, row.seed, row.level) == ticket:
                    row.beside["relative_magnitude"] = sum(layers) / len(layers)
    return rows


def _facts_of(run: Run) -> dict[Whose, dict[str, float]]:
    """What is recorded of each training, and in runs that prune in several ways of each mask."""
    trained = [step for step in run.steps if step["kind"] == "train" and "arm" in step["label"]]
    facts = trainings_facts(run.config, {_whose(step["label"]): result_of(run, step) for step in trained})
    if run.config.get("trunks"):  # claims of no other experiment ask for these
        masks = ((step["label"], result_of(run, step)) for step in run.steps if step["kind"] in ("start", "prune"))
        for whose, found in depths(run.config, masks).items():
            facts.setdefault(whose, {}).update(found)
    return facts


def result_of(run: Run, step: dict[str, Any]) -> dict[str, Any]:
    """What a step of a run has found.

    Raises:
        InputError: Its folder is not whole.
    """
    folder = run.folder.parents[1] / "steps" / step["folder"]
    try:
        result: dict[str, Any] = read_result(folder)["result"]
        if step["kind"] in EVALUATIONS:
            checked(result, Evaluation, str(folder / RESULT))
    except InputError as error:
        raise InputError(f"{error} {computed_anew(run)}") from None
    return result


def _whose(label: Mapping[str, Any]) -> Whose:
    return tuple(label.get(name, 0) for name in ("arm", "seed", "level", "replicate"))


def computed_anew(run: Run) -> str:
    """How to get back what a run's steps have lost."""
    workspace = run.folder.parents[1]
    command = f"tfticket run {run.folder / 'config.yaml'} --workspace {workspace}"
    missing = {step["folder"] for step in run.steps if not (workspace / "steps" / step["folder"]).is_dir()}
    if missing:
        return (
            f"{len(missing):,} of the run's steps are not in {workspace / 'steps'}: copy them there, or compute them "
            f"again by `{command}`."
        )
    return f"Once that step's folder is deleted, `{command}` computes it anew."


def row_of(run: Run, label: dict[str, Any], result: dict[str, Any], facts: Mapping[str, float] | None = None) -> Row:
    """One finished evaluation of a run.

    Args:
        run: The run.
        label: What the manifest calls the evaluation.
        result: What its step found.
        facts: What is recorded of the training.
    """
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
