"""Commands that show what there is, and verify it."""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfticket.cli import completion
from tfticket.cli.console import echo, say, show_table, when
from tfticket.cli.options import AnyWorkspace, DataDir, Json, Options, Workspace, command
from tfticket.errors import InputError, TfticketError, unknown
from tfticket.registry import DATA_SETS, DEFAULT_WORKSPACE, LISTS, THEMES
from tfticket.text import counted, one_line

if TYPE_CHECKING:
    from tfticket.runs.run_folder import RunFolder


@command("list", epilog="Examples:\n\n  tfticket list\n\n  tfticket list presets\n\n  tfticket list runs --json")
def list_(
    what: Annotated[
        str, typer.Argument(autocompletion=completion.lists, help=f"runs, presets, {', '.join(LISTS)}.")
    ] = "runs",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """List the runs of a workspace, or the program's presets, models, scores and the like."""
    if what == "runs":
        from tfticket.runs.run_folder import list_runs

        runs = list_runs(workspace)
        header = ["run", "state", "experiment", "started", "steps"]
        rows: list[list[Any]] = [
            [run.folder.name, run.state, run.status["experiment"], when(run.status["started"]), len(run.steps())]
            for run in runs
        ]
        if as_json:
            messages = [[*row, _message(run)] for row, run in zip(rows, runs, strict=True)]
            show_table([*header, "message"], messages, as_json)
            return
        show_table(header, rows, empty=f"No runs in {workspace} yet. Start one: tfticket run quickstart")
        for run in runs:
            if run.state == "damaged":
                echo(f"{run.folder.name} is damaged: {_message(run)}")
    elif what == "presets":
        from tfticket.costs import cost_of
        from tfticket.presets import planned, presets

        costs = [(preset, cost_of(planned(preset.name).distinct)) for preset in presets().values()]
        if as_json:
            records = [
                {"preset": preset.name, "about": preset.about, "budget": preset.budget} | asdict(cost)
                for preset, cost in costs
            ]
            typer.echo(json.dumps(records))
            return
        for about in dict.fromkeys(preset.about for preset, _ in costs):
            say(about)
            priced = [(preset.name, cost) for preset, cost in costs if preset.about == about]
            rows = [
                [name, f"{cost.trainings} x {cost.iterations:,}", cost.time, cost.chains or ""] for name, cost in priced
            ]
            show_table(["preset", "trainings x\niterations", "time", "chains"], rows)
        say(
            f"Iterations are of the longest training. Time is that of trainings, their evaluations and chains on "
            f"{costs[0][1].machine}, beside starting and compiling; times of chains are upper bounds, with all trees "
            "at their largest depth.\n"
            "smoke: checks that all works; its numbers mean nothing. desk: 2 cores. paper: a GPU."
        )
    elif what in LISTS:
        show_table([what, "description"], [[name, entry.about] for name, entry in LISTS[what].items()], as_json)
    else:
        raise unknown("list", what, ["runs", "presets", *LISTS], field="what")


def _message(run: "RunFolder") -> str:
    """Return why a run failed, or what is damaged; ''."""
    return one_line(run.status.get("message", ""))


@command(
    epilog="Examples:\n\n  tfticket data\n\n  tfticket data mnist cifar-10-small\n\n  tfticket data ~/digits.npz --json"
)
def data(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME_OR_PATH",
            autocompletion=completion.data_sets,
            help="Data sets to describe; default: list all.",
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List known data sets and where they are, or describe some."""
    from tfticket.data.dataset_summary import summary
    from tfticket.data.identity import registered
    from tfticket.data.sources import user_datasets

    if sources:
        summaries = [summary(source) for source in sources]
        if as_json:
            typer.echo(json.dumps([{**asdict(described), "path": str(described.path)} for described in summaries]))
        else:
            say("\n".join(map(str, summaries)))
        return
    rows: list[tuple[str, str, Path | None, str]] = [
        (source.name, source.label, source.find(), source.how) for source in registered()
    ]
    rows += [(name, "your own", path, "") for name, path in user_datasets().items() if name not in DATA_SETS]
    if as_json:
        keys = ("name", "label", "path", "how")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], default=str))
        return
    for name, label, path, how in rows:
        say(f"{name:15} {label}\n{'':15} {path or f'not here. {how}'}")


@command(epilog="Examples:\n\n  tfticket gui\n\n  tfticket gui /data/tickets --theme dark\n\n  tfticket gui mine.yaml")
def gui(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="WORKSPACE|RUN|YAML",
            help="Workspace or run to show (default: ./workspace), or a YAML file to fill the form from.",
        ),
    ] = None,
    theme: Annotated[str | None, typer.Option(metavar="|".join(THEMES), help="Colours of the window.")] = None,
) -> None:
    """Open the window: configure runs, follow them live, compare results."""
    if theme and theme not in THEMES:
        raise unknown("theme", theme, THEMES, field="--theme")
    options = ([str(path)] if path else []) + (["--theme", theme] if theme else [])
    os.execv(sys.executable, [sys.executable, "-P", "-m", "tfticket._gui", *options])  # noqa: S606 -- the library never imports the window


@command(epilog="Examples:\n\n  tfticket doctor\n\n  tfticket doctor --workspace /data/tickets --json")
def doctor(workspace: AnyWorkspace = DEFAULT_WORKSPACE, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Examine this machine: versions, devices, data, disk; what is missing, and how to get it."""
    from tfticket.cli.doctor import examine

    if not (Options.quiet or as_json):
        say("Starting TensorFlow ...", err=True)
    findings = examine(workspace)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        show_table(["state", "what", "found"], [[f.mark, f.what, f.found] for f in findings])
        for finding in findings:
            if finding.mend and finding.state != "broken":
                say(f"{finding.mark} {finding.what}: {finding.mend}")
    broken = [f"{f.what}: {f.found.removesuffix('.')}. {f.mend}".rstrip() for f in findings if f.state == "broken"]
    if broken:
        raise TfticketError("\n".join(broken))


@command(
    epilog="Examples:\n\n  tfticket verify\n\n  tfticket verify quickstart\n\n"
    "Do so after copying a workspace. `tfticket run` verifies the steps that it finds done, too."
)
def verify(
    run: Annotated[
        str | None, typer.Argument(autocompletion=completion.runs, help="A run; without one, the whole workspace.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Verify that no file of a run or a finished step is missing, changed or swapped."""
    from tfticket.runs.artefacts import verify_step
    from tfticket.runs.run_folder import find_run, list_runs
    from tfticket.runs.step_files import RESULT

    runs = list_runs(workspace) if run is None else [find_run(workspace, run)]
    damaged = [read for read in runs if read.status["state"] == "damaged"]
    problems = [[read.folder.name, read.status["message"]] for read in damaged]
    steps = [step.path for read in runs for step in read.steps()]
    if run is None:  # also those that no run names any more
        steps += sorted(path.parent for path in (workspace.resolve() / "steps").glob(f"*-*/{RESULT}"))
    steps = list(dict.fromkeys(steps))
    old = sum(not read.has_checksums for read in runs)
    for folder in steps:
        try:
            old += not verify_step(folder)
        except InputError as error:
            problems.append([folder.name, str(error)])
    if as_json or problems:
        show_table(["run or step", "problem"], problems, as_json)
    checked = f"{counted(len(runs), 'run')} and {counted(len(steps), 'finished step')}"
    if problems:
        raise TfticketError(f"Damaged files in {len(problems):,} of {checked}.")
    if not (as_json or Options.quiet):
        without = f" {old:,} of these have no checksums, since an older tfticket wrote them; they were not verified."
        say(f"No damaged file in {checked}.{without * bool(old)}")
