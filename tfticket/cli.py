"""The command line. Thin: each command reads its arguments, calls the library, and shows what came out.

TensorFlow is imported by ``run`` only, and by no help text.
"""

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tfticket.errors import InputError, Stopped, TfticketError

app = typer.Typer(
    name="tfticket",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find lottery tickets, train them beside their controls, and see what they are worth.",
    epilog="First steps:  [bold]tfticket run quickstart[/]  (4 minutes),  then  [bold]tfticket show quickstart[/]",
)

Workspace = Annotated[
    Path, typer.Option("--workspace", "-w", envvar="TFTICKET_WORKSPACE", help="Folder of all runs and steps.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DEFAULT_WORKSPACE = Path("workspace")


class Options:
    """What holds for every command; said before its name or after."""

    quiet = False
    debug = False


def _be_quiet(value: bool) -> None:
    Options.quiet = Options.quiet or value


def _be_open(value: bool) -> None:
    Options.debug = Options.debug or value


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_be_quiet, help="Print errors and what was asked for, no more.")
]
Debug = Annotated[bool, typer.Option("--debug", callback=_be_open, help="On an error show the whole traceback.")]


@app.callback()
def options(quiet: Quiet = False, debug: Debug = False) -> None:
    """What holds for every command."""


@app.command(
    epilog="Examples:\n\n"
    "  tfticket run quickstart\n\n"
    "  tfticket run quickstart -o train.epochs=3 -o 'seeds=[0,1,2,3,4]'\n\n"
    "  tfticket run my.yaml --workspace /data/tickets\n\n"
    "A YAML file may build on a preset:  extends: quickstart\n\n"
    "Run the same again and it goes on where it stopped; what is computed is never computed twice."
)
def run(
    source: Annotated[str, typer.Argument(metavar="PRESET_OR_YAML", help="A preset's name, or a YAML file.")],
    override: Annotated[
        list[str] | None, typer.Option("--override", "-o", metavar="KEY=VALUE", help="Change a field; repeatable.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run an experiment, or go on with it, and report what came out."""
    import importlib

    from rich.console import Console

    from tfticket.lab import open_run, run_folder
    from tfticket.presets import load_experiment
    from tfticket.progress import ProgressBar, WaitingTold
    from tfticket.registry import EXPERIMENTS
    from tfticket.reports.report import write_report
    from tfticket.reports.rows import read_run

    config = load_experiment(source, override or ())
    folder = run_folder(workspace, config)
    experiment = importlib.import_module(EXPERIMENTS[config.experiment].target.partition(":")[0])
    silent = Options.quiet or as_json
    if not silent:
        typer.echo(f"{config.name}: {folder}\nStarting TensorFlow ...", err=True)
    from tfticket import backend

    backend.configure(config.execution.threads)
    experiment.check(config)
    listener = WaitingTold() if silent else ProgressBar(Console(stderr=True))
    with listener, open_run(workspace, config, listener) as lab:
        experiment.main(lab, config)
        report = write_report([read_run(folder)])
    _show_report(report, as_json)
    if not silent:
        program, there = _program(), [] if workspace == DEFAULT_WORKSPACE else ["--workspace", str(workspace)]
        change, why = experiment.next_step(config)
        kept = [text for text in override or () if text.partition("=")[0] != change.partition("=")[0]]
        said = [part for text in kept for part in ("-o", text)]
        typer.echo(
            f"\nNext: {shlex.join([*program, 'show', folder.name, *there])}\n          what the run did\n"
            f"      {shlex.join([*program, 'run', source, *said, '-o', change, *there])}\n          {why}"
        )


def _program() -> list[str]:
    """How the user called the program, so that what we propose can be typed as it stands."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return ["python", "-m", "tfticket"]
    return ["tfticket"] if shutil.which("tfticket") == called else [called]


@app.command(
    "list",
    epilog="Examples:\n\n  tfticket list\n\n  tfticket list presets\n\n  tfticket list runs --json",
)
def list_(
    what: Annotated[str, typer.Argument(help="runs, presets, experiments, models, data, scores, controls.")] = "runs",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the runs of a workspace, or what the program has by name."""
    from tfticket import registry
    from tfticket.errors import unknown

    tables = {
        "experiments": registry.EXPERIMENTS,
        "models": registry.MODELS,
        "data": registry.DATA_SETS,
        "scores": registry.SCORES,
        "controls": registry.CONTROLS,
    }
    if what == "runs":
        from tfticket.reports.rows import find_runs

        _show_table(
            ["run", "state", "experiment", "started", "steps"],
            [
                [run.folder.name, run.state, run.status["experiment"], _when(run.status["started"]), len(run.steps)]
                for run in find_runs(workspace)
            ],
            as_json,
            empty=f"No runs in {workspace} yet. Start one: tfticket run quickstart",
        )
    elif what == "presets":
        from tfticket.presets import preset_paths

        rows = [
            [name, path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")]
            for name, path in preset_paths().items()
        ]
        _show_table(["preset", "what it is"], rows, as_json)
    elif what in tables:
        _show_table([what, "what it is"], [[name, entry.about] for name, entry in tables[what].items()], as_json)
    else:
        raise InputError(unknown("list", what, ["runs", "presets", *tables]))


@app.command(
    epilog="Examples:\n\n  tfticket show quickstart\n\n  tfticket show workspace/runs/quickstart-1a2b3c4d --json"
)
def show(
    run: Annotated[str, typer.Argument(help="A run's name, the beginning of it, or its folder.")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show a run: its state, its configuration, its results so far."""
    import yaml

    from tfticket.reports.rows import find_run, rows_of
    from tfticket.reports.tables import summarise

    found = find_run(workspace, run)
    cells = summarise(rows_of(found))
    if as_json:
        from dataclasses import asdict

        record = {"folder": str(found.folder), "state": found.state, "status": found.status, "config": found.config}
        typer.echo(json.dumps({**record, "steps": found.steps, "results": [asdict(cell) for cell in cells]}))
        return
    typer.echo(f"{found.folder}\n{found.state}, started {_when(found.status['started'])}, {len(found.steps)} steps")
    if found.status.get("message"):
        typer.echo(f"{found.status['message']}")
    typer.echo("\n" + yaml.safe_dump(found.config, sort_keys=False, default_flow_style=None).rstrip() + "\n")
    if cells:
        _show_cells(cells)


@app.command(
    epilog="Examples:\n\n  tfticket report quickstart\n\n  tfticket report quickstart other-run --out comparison"
)
def report(
    runs: Annotated[list[str], typer.Argument(help="Runs: names, beginnings of names, or folders.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; a single run's own report/ by default.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write the figure, the table and the CSV of runs, from their folders alone."""
    from tfticket.reports.report import write_report
    from tfticket.reports.rows import find_run

    _show_report(write_report([find_run(workspace, run) for run in runs], out), as_json)


@app.command(
    epilog="Examples:\n\n  tfticket inspect ticket.safetensors\n\n"
    "  tfticket inspect workspace/steps/prune-0123456789abcdef"
)
def inspect(
    ticket: Annotated[Path, typer.Argument(help="A ticket's file, or the folder of a step that made one.")],
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look into a ticket: layers, survivors, where it came from."""
    from tfticket.pruning.mask import layer_of
    from tfticket.tickets.ticket import Ticket

    path = ticket / "ticket.safetensors" if ticket.is_dir() else ticket
    found = Ticket.load(path)
    layers = [
        [layer_of(name), "x".join(map(str, kept.shape)), kept.size, count, count / kept.size]
        for (name, kept), count in zip(found.mask.items(), found.survivors.values(), strict=True)
    ]
    if as_json:
        keys = ("layer", "shape", "weights", "survivors", "density")
        record = {"level": found.level, "density": found.density, "iteration": found.iteration, "model": found.model}
        record |= {"provenance": found.provenance, "layers": [dict(zip(keys, layer, strict=True)) for layer in layers]}
        typer.echo(json.dumps(record))
        return
    typer.echo(f"{path}\n{found.name}, level {found.level}, {found.density:.3%} of the prunable weights remain")
    typer.echo(f"start: weights of iteration {found.iteration}")
    _show_table(
        ["layer", "shape", "weights", "survivors", "weights remaining"],
        [[*layer[:2], f"{layer[2]:,}", f"{layer[3]:,}", f"{layer[4]:.3%}"] for layer in layers],
    )
    typer.echo("provenance: " + ", ".join(f"{key}={value}" for key, value in found.provenance.items()))


def _when(seconds: float) -> str:
    import datetime

    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _show_table(header: list[str], rows: list[list[Any]], as_json: bool = False, empty: str = "") -> None:
    if as_json:
        typer.echo(json.dumps([dict(zip(header, row, strict=True)) for row in rows]))
        return
    if not rows:
        typer.echo(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(header):
        numeric = all(str(row[number])[:1] in "+-0123456789" for row in rows if row[number] != "")
        table.add_column(name, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*map(str, row))
    Console().print(table)


def _show_report(report: Any, as_json: bool) -> None:
    files = [str(report.folder / name) for name in ("accuracy.png", "accuracy.pdf", "results.csv", "summary.json")]
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps({"files": files, "results": [asdict(cell) for cell in report.cells]}))
    elif not Options.quiet:
        _show_cells(report.cells)
        typer.echo("Figure, CSV and summary: " + "  ".join(files))


def _show_cells(cells: list[Any]) -> None:
    from tfticket.reports.tables import seeds_text, table_rows

    _show_table(*table_rows(cells))
    single = all(cell.test["accuracy"].count == 1 for cell in cells)
    interval = "one seed gives no interval" if single else "± is the unadjusted 95 % interval, paired by seed"
    typer.echo(f"Means over {seeds_text(cells)}; {interval}.")


def main() -> None:
    """Run the command line; errors become one message and an exit code: 1 failed, 2 bad input, 130 stopped."""
    try:
        app()
    except Exception as error:
        if Options.debug:
            raise
        code = error.exit_code if isinstance(error, TfticketError) else 1
        if code == Stopped.exit_code:
            message = f"Stopped: {error}. Run the same command again to go on."
        elif isinstance(error, TfticketError | OSError):
            message = f"{'Error' if code == InputError.exit_code else 'Failed'}: {error}"
        else:
            message = f"Failed, by a fault of tfticket: {type(error).__name__}: {error} (--debug shows where)"
        typer.echo(message, err=True)
        sys.exit(code)
