"""The command line. Thin: each command reads its arguments, calls the library, and shows what came out.

TensorFlow is imported by ``run`` and ``doctor``, and where data are downloaded; never for a help text.
"""

import io
import json
import os
import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from tfticket import completion
from tfticket.console import show_cells, show_report, show_table, when
from tfticket.errors import InputError, Stopped, TfticketError, unknown
from tfticket.registry import DATA_DIR, DATA_SETS, DEFAULT_WORKSPACE, LISTS

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


def _set_data_dir(value: Path | None) -> Path | None:
    if value is not None:
        os.environ[DATA_DIR] = str(value)
    return value


DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", envvar=DATA_DIR, callback=_set_data_dir, help="Folder in which data sets are looked for."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


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


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"tfticket {version('tfticket')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")]


@app.callback()
def options(quiet: Quiet = False, debug: Debug = False, version: Version = False) -> None:
    """What holds for every command."""


@app.command(
    epilog="Examples:\n\n"
    "  tfticket run quickstart\n\n"
    "  tfticket run quickstart -o train.epochs=3 -o 'seeds=[0,1,2,3,4]'\n\n"
    "  tfticket run my.yaml --workspace /data/tickets\n\n"
    "  tfticket run bayesian-lth-resnet-20-desk --dry-run\n\n"
    "A YAML file may build on a preset:  extends: quickstart\n\n"
    "Run the same again and it goes on where it stopped; what is computed is never computed twice."
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
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a .keras file without asking; such a file can run code.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only show each field, its source and the cost, without a look at network and data."
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run an experiment, or go on with it, and report what came out."""
    import importlib

    from rich.console import Console

    from tfticket.costs import cost_of
    from tfticket.lab import open_run, run_folder
    from tfticket.presets import DEFAULT, load_sourced
    from tfticket.progress import ProgressBar, WaitingTold
    from tfticket.registry import EXPERIMENTS, resolve
    from tfticket.reports.report import write_report
    from tfticket.reports.rows import read_run

    sourced = load_sourced(source, override or ())
    config = sourced.config
    if dry_run:
        cost = cost_of(config)
        if as_json:
            fields = {name: {"value": value, "source": source} for name, (value, source) in sourced.fields.items()}
            typer.echo(json.dumps({"name": config.name, "fields": fields, "cost": asdict(cost)}))
            return
        rows = [[name, json.dumps(value), source] for name, (value, source) in sourced.fields.items()]
        show_table(["field", "value", "where from"], sorted(rows, key=lambda row: row[2] == DEFAULT))
        typer.echo(f"{cost}. Nothing was begun.")
        return
    entry = EXPERIMENTS[config.experiment]
    experiment = importlib.import_module(entry.target.partition(":")[0])
    silent = Options.quiet or as_json
    experiment.check_data(config)
    _ask_for_trust(getattr(config, "model", None), trust, can_ask=not silent and sys.stdin.isatty())
    folder = run_folder(workspace, config)
    if not silent:
        typer.echo(f"{config.name}: {folder}\nStarting TensorFlow ...", err=True)
    notes = experiment.check_model(config)
    if not silent:
        for note in notes:
            typer.echo(note, err=True)
    listener = WaitingTold() if silent else ProgressBar(Console(stderr=True))
    with listener, open_run(workspace, config, listener) as lab:
        resolve(entry.target)(lab, config)
        report = write_report([read_run(folder)])
    show_report(report, as_json, Options.quiet)
    if not silent:
        program, there = _program(), [] if workspace == DEFAULT_WORKSPACE else ["--workspace", str(workspace)]
        change, why = experiment.next_step(config)
        kept = [text for text in override or () if text.partition("=")[0] != change.partition("=")[0]]
        said = [part for text in kept for part in ("-o", text)] + ([f"--data-dir={data_dir}"] if data_dir else [])
        said += ["--trust"] * trust
        typer.echo(
            f"\nNext: {shlex.join([*program, 'show', folder.name, *there])}\n          what the run did\n"
            f"      {shlex.join([*program, 'run', source, *said, '-o', change, *there])}\n          {why}"
        )


def _ask_for_trust(model: Any, trust: bool, can_ask: bool) -> None:
    """A .keras file can run code when it is loaded, whoever wrote it."""
    from tfticket.own import is_file

    if model is None or trust or not is_file(model.name):
        return
    if not can_ask:
        raise InputError(f"{model.name} can run code when it is loaded. If you trust it, say so: --trust.")
    if not typer.confirm(f"{model.name} can run code when it is loaded. Load it?"):
        raise InputError("Not loaded. Nothing was begun.")


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
    what: Annotated[
        str, typer.Argument(autocompletion=completion.lists, help=f"runs, presets, {', '.join(LISTS)}.")
    ] = "runs",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List the runs of a workspace, or what the program has by name."""
    if what == "runs":
        from tfticket.reports.rows import find_runs

        show_table(
            ["run", "state", "experiment", "started", "steps"],
            [
                [run.folder.name, run.state, run.status["experiment"], when(run.status["started"]), len(run.steps)]
                for run in find_runs(workspace)
            ],
            as_json,
            empty=f"No runs in {workspace} yet. Start one: tfticket run quickstart",
        )
    elif what == "presets":
        from tfticket.costs import cost_of
        from tfticket.presets import load_experiment, presets

        costs = [(one, cost_of(load_experiment(one.name))) for one in presets().values()]
        if as_json:
            records = [
                {"preset": one.name, "about": one.about, "budget": one.budget} | asdict(cost) for one, cost in costs
            ]
            typer.echo(json.dumps(records))
            return
        for about in dict.fromkeys(one.about for one, _ in costs):
            typer.echo(about)
            rows = [[one.name, c.trainings, c.iterations, c.time] for one, c in costs if one.about == about]
            show_table(["preset", "trainings", "iterations", "time"], rows)
        typer.echo(
            f"Iterations are of each training. Time is that of training on {costs[0][1].machine}, beside starting and "
            "compiling.\nsmoke: shows that all works, its numbers mean nothing. desk: 2 cores. paper: a GPU."
        )
    elif what in LISTS:
        show_table([what, "what it is"], [[name, entry.about] for name, entry in LISTS[what].items()], as_json)
    else:
        raise InputError(unknown("list", what, ["runs", "presets", *LISTS]))


@app.command(
    epilog="Examples:\n\n  tfticket data\n\n  tfticket data mnist cifar-10-small\n\n  tfticket data ~/digits.npz --json"
)
def data(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME_OR_PATH",
            autocompletion=completion.data_sets,
            help="Data sets to read; none lists what there is.",
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show data sets: which have a name and where they lie, or what some of them hold."""
    from tfticket.data.known import registered
    from tfticket.data.sources import own_data_sets
    from tfticket.data.summary import summary

    if sources:
        found = [summary(source) for source in sources]
        if as_json:
            typer.echo(json.dumps([{**asdict(one), "path": str(one.path)} for one in found]))
        else:
            typer.echo("\n".join(map(str, found)))
        return
    rows: list[tuple[str, str, Path | None, str]] = [
        (source.name, source.label, source.find(), source.how) for source in registered()
    ]
    rows += [(name, "your own", path, "") for name, path in own_data_sets().items() if name not in DATA_SETS]
    if as_json:
        keys = ("name", "label", "path", "how")
        typer.echo(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], default=str))
        return
    for name, label, path, how in rows:
        typer.echo(f"{name:15} {label}\n{'':15} {path or f'not here. {how}'}")


@app.command(epilog="Examples:\n\n  tfticket doctor\n\n  tfticket doctor --workspace /data/tickets --json")
def doctor(
    workspace: Workspace = DEFAULT_WORKSPACE,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Examine this machine: versions, devices, data, disk; what is missing, and how to get it."""
    from tfticket.doctor import examine

    if not (Options.quiet or as_json):
        typer.echo("Starting TensorFlow ...", err=True)
    findings = examine(workspace)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        show_table(["state", "what", "found"], [[f.mark, f.what, f.found] for f in findings])
        for finding in findings:
            if finding.mend and finding.state != "broken":
                typer.echo(f"{finding.mark} {finding.what}: {finding.mend}")
    broken = [f"{f.what}: {f.found.removesuffix('.')}. {f.mend}".rstrip() for f in findings if f.state == "broken"]
    if broken:
        raise TfticketError("\n".join(broken))


@app.command(
    epilog="Examples:\n\n  tfticket show quickstart\n\n  tfticket show workspace/runs/quickstart-1a2b3c4d --json"
)
def show(
    run: Annotated[
        str, typer.Argument(autocompletion=completion.runs, help="A run's name, the beginning of it, or its folder.")
    ],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show a run: its state, its configuration, its results so far."""
    import yaml

    from tfticket.reports.report import title_of
    from tfticket.reports.rows import find_run, rows_of
    from tfticket.reports.tables import summarise

    found = find_run(workspace, run)
    rows = rows_of(found)
    cells, title = summarise(rows), title_of([found], rows)
    if as_json:
        record = {"folder": str(found.folder), "state": found.state, "status": found.status, "config": found.config}
        record["title"] = title
        typer.echo(json.dumps({**record, "steps": found.steps, "results": [asdict(cell) for cell in cells]}))
        return
    typer.echo(f"{found.folder}\n{found.state}, started {when(found.status['started'])}, {len(found.steps)} steps")
    if found.status.get("message"):
        typer.echo(f"{found.status['message']}")
    typer.echo("\n" + yaml.safe_dump(found.config, sort_keys=False, default_flow_style=None).rstrip() + "\n")
    if cells:
        typer.echo(title)
        show_cells(cells)


@app.command(
    epilog="Examples:\n\n  tfticket report quickstart\n\n  tfticket report quickstart other-run --out comparison"
)
def report(
    runs: Annotated[
        list[str], typer.Argument(autocompletion=completion.runs, help="Runs: names, beginnings of names, or folders.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; a single run's own report/ by default.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write the figure, the table and the CSV of runs, from their folders alone."""
    from tfticket.reports.report import write_report
    from tfticket.reports.rows import find_run

    show_report(write_report([find_run(workspace, run) for run in runs], out), as_json, Options.quiet)


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
    show_table(
        ["layer", "shape", "weights", "survivors", "weights remaining"],
        [[*layer[:2], f"{layer[2]:,}", f"{layer[3]:,}", f"{layer[4]:.3%}"] for layer in layers],
    )
    typer.echo("provenance: " + ", ".join(f"{key}={value}" for key, value in found.provenance.items()))


def main() -> None:
    """Run the command line; errors become one message and an exit code: 1 failed, 2 bad input, 130 stopped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without our signs
    try:
        app()
    except SystemExit as end:
        if end.code == Stopped.exit_code:  # typer's way of a Ctrl-C that no run was there to hear
            typer.echo("Stopped before anything began.", err=True)
        raise
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
