"""Commands that compute."""

import json
import re
import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfticket.cli import completion
from tfticket.cli.console import say, show_report, show_table
from tfticket.cli.options import DataDir, Json, Options, Workspace, command, named_run
from tfticket.errors import InputError, shortened
from tfticket.registry import DEFAULT_WORKSPACE, EXPERIMENTS, check_name
from tfticket.text import plain

if TYPE_CHECKING:
    from tfticket.config import ExperimentConfig
    from tfticket.costs import Cost
    from tfticket.presets import Sourced

MOST = 100_000
"""No level or seed that is named in a range is beyond this."""

Trust = Annotated[bool, typer.Option("--trust", help="Load a .keras file without asking; such a file can run code.")]


@command(
    epilog="Examples:\n\n"
    "  tfticket run quickstart\n\n"
    "  tfticket run quickstart -o train.epochs=3 -o 'seeds=[0,1,2,3,4]'\n\n"
    "  tfticket run my.yaml --workspace /data/tickets\n\n"
    "  tfticket run bayesian-lth-resnet-20-desk --dry-run\n\n"
    "A YAML file may build on a preset:  extends: quickstart\n\n"
    "Run the same command again to resume. Finished steps are used again."
)
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PRESET_OR_YAML", autocompletion=completion.presets, help="A preset's name, or a YAML file."
        ),
    ],
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--override",
            "-o",
            metavar="KEY=VALUE",
            autocompletion=completion.fields,
            help="Change a field; repeatable.",
        ),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    data_dir: DataDir = None,
    trust: Trust = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only show each field, its source, the cost, and how many steps are there already."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run an experiment, or resume it, and write its report."""
    from tfticket.presets import experiment_of, load_sourced

    sourced = load_sourced(source, override or ())
    config = sourced.config
    if dry_run:
        _show_plan(sourced, workspace, as_json)
        return
    folder = _carry_out(config, workspace, trust, as_json)
    if not (Options.quiet or as_json):
        commands = [(["show", folder.name], "what the run did")]
        if (following := experiment_of(config.experiment).next_step(config)) is not None:
            change, why = following
            kept = [text for text in override or () if text.partition("=")[0] != change.partition("=")[0]]
            again = ["run", source, *(part for text in kept for part in ("-o", text))]
            again += ([f"--data-dir={data_dir}"] if data_dir else []) + ["--trust"] * trust
            commands.append(([*again, "-o", change], why))
        _propose(workspace, *commands)


@command(
    epilog="Examples:\n\n"
    "  tfticket branch quickstart --levels 0-5,8 --control shuffle-layerwise --replicates 3\n\n"
    "  tfticket branch quickstart --control keep-signs --control '{name: reinitialise, initialiser: he_normal}'\n\n"
    "  tfticket branch quickstart --control '{name: random-mask, densities: {dense_1: 0.1, dense_2: 0.5}}'\n\n"
    "`tfticket list controls` shows them. What the run has computed is used as it is."
)
def branch(
    run: Annotated[
        str, typer.Argument(autocompletion=completion.runs, help="A run's name, the beginning of it, or its folder.")
    ],
    control: Annotated[
        list[str],
        typer.Option(
            "--control",
            "-c",
            autocompletion=completion.controls,
            help="A control, by name or with options as YAML; repeatable.",
        ),
    ],
    levels: Annotated[
        str | None, typer.Option(help="Levels whose tickets are altered, such as 0-5,8; default: the run's own.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=1, help="Replicates of each control, with other seeds.")] = 1,
    of: Annotated[
        str, typer.Option(help="Tickets to alter: 'ticket', or of bayesian-lth another arm's, such as bayesian-snr.")
    ] = "ticket",
    name: Annotated[str | None, typer.Option(help="Name of the new run; default: RUN's with -branch.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    data_dir: DataDir = None,
    trust: Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the cost, without the steps that RUN has.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train controls of a finished run's tickets, as a new run that uses its steps."""
    from tfticket.arms import TICKET, Arm
    from tfticket.presets import experiment_of
    from tfticket.yaml_text import load_yaml

    parent = named_run(workspace, run)
    if parent.state != "done":
        again = _said(["run", str(parent.folder / "config.yaml"), "--workspace", str(parent.workspace)])
        why = f" ({parent.status['message'].splitlines()[0]})" if parent.status.get("message") else ""
        raise InputError(f"{parent.folder.name} is {parent.state}{why}; a branch needs its tickets. Finish it: {again}")
    experiment = experiment_of(
        check_name("experiment", str(parent.config.get("experiment")), EXPERIMENTS, field="experiment")
    )
    chosen, whose = None if levels is None else numbers_in(levels, "--levels"), Arm.parse(of)
    controls = [load_yaml(text, f"--control '{text}'") for text in control]
    config = experiment.branch(parent.config, controls, chosen, replicates, name, whose)
    others = sorted({step.label.get("arm", TICKET).ticket for step in parent.steps()} - {whose})
    if others and not (Options.quiet or as_json):
        say(f"Controls of the tickets '{of}' alone; --of names others: {', '.join(map(str, others))}.", err=True)
    there = parent.workspace
    if dry_run:
        cost, steps = _planned(config, there)
        say(f"{cost}. {_steps_words(steps, there)} Nothing was run.")
        return
    folder = _carry_out(config, there, trust, as_json)
    if not (Options.quiet or as_json):
        both = ["report", parent.folder.name, folder.name, "--out", "comparison"]
        _propose(
            workspace if there == workspace.absolute() else there,
            (["show", folder.name], "what the branch did"),
            (both, "it and its run in one figure"),
        )


def numbers_in(text: str, option: str) -> list[int]:
    """The numbers that a text such as '0-5,8' names."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        digits = (first, last) if dash else (first,)
        if not all(re.fullmatch("[0-9]{1,9}", digit) for digit in digits) or (dash and int(last) < int(first)):
            raise InputError(
                f"{option} '{shortened(text)}' was not understood. Write numbers and ranges, such as 0-5,8.",
                field=option,
            )
        if int(last or first) > MOST:
            message = f"{option} '{shortened(text)}': {last or first} is too large; expected at most {MOST:,}."
            raise InputError(message, field=option)
        numbers += range(int(first), int(last or first) + 1)
    return list(dict.fromkeys(numbers))


def _planned(config: "ExperimentConfig", workspace: Path) -> tuple["Cost", dict[str, Any]]:
    """Return what a run costs, and its steps: how many, how many are 'done' in a workspace, else why not 'known'."""
    from tfticket.costs import cost_of
    from tfticket.presets import experiment_of

    experiment = experiment_of(config.experiment)
    plan = experiment.plan(config)
    steps: dict[str, Any] = {"planned": len(plan.distinct), "done": 0}
    if (workspace / "steps").is_dir():
        try:
            steps["done"] = experiment.plan(config, workspace).done
        except InputError as error:
            steps |= {"done": None, "unknown": str(error)}
    return cost_of(plan.distinct), steps


def _steps_words(steps: dict[str, Any], workspace: Path) -> str:
    if steps["done"] is None:
        return f"How many of its {steps['planned']:,} steps {workspace} has is not known: {steps['unknown']}"
    return f"{workspace} has {steps['done'] or 'none'} of its {steps['planned']:,} steps."


def _show_plan(sourced: "Sourced", workspace: Path, as_json: bool) -> None:
    """Show what a run would be, where each field comes from, what it costs, and what a workspace has of it."""
    from tfticket.presets import DEFAULT

    cost, steps = _planned(sourced.config, workspace)
    if as_json:
        fields = {name: {"value": value, "source": source} for name, (value, source) in sourced.fields.items()}
        typer.echo(json.dumps({"name": sourced.config.name, "fields": fields, "cost": asdict(cost), "steps": steps}))
        return
    rows = [[name, json.dumps(value), source] for name, (value, source) in sourced.fields.items()]
    show_table(["field", "value", "source"], sorted(rows, key=lambda row: row[2] == DEFAULT))
    for note in sourced.config.notes:
        say(note)
    say(f"{cost}. {_steps_words(steps, workspace)} Nothing was run.")


def _carry_out(config: "ExperimentConfig", workspace: Path, trust: bool, as_json: bool) -> Path:
    """Run an experiment in its folder, write its report and show it; returns the folder."""
    from rich.console import Console

    from tfticket.cli.progress_bar import ProgressBar, WaitNotice
    from tfticket.presets import experiment_of
    from tfticket.reports.report import write_report
    from tfticket.run import open_run, run_folder
    from tfticket.runs.files import check_place
    from tfticket.runs.run_folder import read_run

    experiment = experiment_of(config.experiment)
    check_place(workspace, "--workspace")
    silent = Options.quiet or as_json
    experiment.check_data(config)
    _ask_for_trust(getattr(config, "model", None), trust, can_ask=not silent and sys.stdin.isatty())
    folder = run_folder(workspace, config)
    if not silent:
        say(f"{config.name}: {folder}\nStarting TensorFlow ...", err=True)
    notes = experiment.check_model(config)
    if not silent:
        for note in notes:
            say(note, err=True)
    listener = WaitNotice() if silent else ProgressBar(Console(stderr=True))
    with listener, open_run(workspace, config, listener) as lab:
        experiment.run(lab, config)
        lab.write_manifest()  # without what former versions computed: the report is of these steps alone
        report = write_report([read_run(folder)])
    show_report(report, as_json, Options.quiet)
    return folder


def _ask_for_trust(model: Any, trust: bool, can_ask: bool) -> None:
    """A .keras file can run code when it is loaded, whoever wrote it."""
    from tfticket.user_networks import is_keras_file

    if model is None or trust or not is_keras_file(model.name):
        return
    if not can_ask:
        raise InputError(
            f"{model.name} can run code when it is loaded. If you trust it, say so: --trust.", field="--trust"
        )
    if not typer.confirm(f"{plain(model.name)} can run code when it is loaded. Load it?"):
        raise InputError("Not loaded. Nothing was run.")


def _propose(workspace: Path, *commands: tuple[list[str], str]) -> None:
    """Print commands to try next, and why."""
    there = [] if workspace == DEFAULT_WORKSPACE else ["--workspace", str(workspace)]
    lines = [f"{_said([*command, *there])}\n          {why}" for command, why in commands]
    say("\nNext: " + "\n      ".join(lines))


def _said(command: list[str]) -> str:
    """A command as the user called the program, so that what we propose can be typed as it stands."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return shlex.join(["python", "-m", "tfticket", *command])
    return shlex.join(["tfticket" if shutil.which("tfticket") == called else called, *command])
