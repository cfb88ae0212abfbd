"""Commands that look at results."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from tfticket.cli import completion
from tfticket.cli.console import echo, say, show_report, show_results, when
from tfticket.cli.options import Json, Options, Workspace, command, named_run
from tfticket.errors import InputError
from tfticket.registry import DEFAULT_WORKSPACE
from tfticket.text import counted


@command(epilog="Examples:\n\n  tfticket show quickstart\n\n  tfticket show workspace/runs/quickstart-1a2b3c4d --json")
def show(
    run: Annotated[
        str, typer.Argument(autocompletion=completion.runs, help="A run's name, the beginning of it, or its folder.")
    ],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Show a run: its state, its configuration, its results so far."""
    shown = named_run(workspace, run)
    from tfticket.reports.chain_pools import pools_of
    from tfticket.reports.claims.papers import decisions_of, records
    from tfticket.reports.network_uncertainty import uncertainties_of
    from tfticket.reports.report import title_of
    from tfticket.reports.rows import rows_of
    from tfticket.reports.tables.best_epochs import recorded_trainings
    from tfticket.reports.tables.cells import summarise
    from tfticket.reports.tables.survival_models import closeness_of, fits_of
    from tfticket.yaml_text import write_yaml

    rows = rows_of(shown)
    cells, title, decisions = summarise(rows), title_of([shown], rows), decisions_of(rows)
    if as_json:
        summary = {"folder": str(shown.folder), "state": shown.state, "status": shown.status, "config": shown.config}
        results = {"title": title, "results": [asdict(cell) for cell in cells], "claims": records(decisions)}
        typer.echo(json.dumps({**summary, "steps": [step.entry for step in shown.steps()], **results}))
        return
    say(f"{shown.folder}\n{shown.state}, started {when(shown.status['started'])}, {len(shown.steps())} steps")
    if shown.status.get("message"):
        echo(shown.status["message"])
    say("\n" + write_yaml(shown.config, default_flow_style=None).rstrip() + "\n")
    if cells:
        say(title)
        networks, trainings, pools = uncertainties_of(shown), recorded_trainings(shown), pools_of(shown)
        show_results(cells, networks, trainings, decisions, fits_of(shown), closeness_of(shown), pools)


@command(epilog="Examples:\n\n  tfticket report quickstart\n\n  tfticket report quickstart other-run --out comparison")
def report(
    runs: Annotated[
        list[str], typer.Argument(autocompletion=completion.runs, help="Runs: names, beginnings of names, or folders.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; a single run's own report/ by default.")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Write the figures, the table, the claims and the CSV of runs, from their folders alone."""
    folders = [named_run(workspace, run) for run in runs]
    from tfticket.reports.report import write_report

    show_report(write_report(folders, out), as_json, Options.quiet)


@command(
    epilog="Examples:\n\n  tfticket export my-run --out chains.nc\n\n"
    "  tfticket export workspace/steps/sample-0123456789abcdef\n\n"
    "In Python:  xarray.open_datatree('chains.nc')"
)
def export(
    chain: Annotated[
        str,
        typer.Argument(
            autocompletion=completion.runs, help="A run with chains, or the folder of a step: sample, pool."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; by default here, with the name of the run or step.")
    ] = None,
    format: Annotated[  # noqa: A002 -- the option's name
        Literal["netcdf"], typer.Option(help="netcdf: as ArviZ reads it, with its names.")
    ] = "netcdf",
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write chains for other programs: draws of the surviving weights, and per-draw statistics."""
    from tfticket.export import chains_of, to_netcdf
    from tfticket.reports.chain_pools import pools_of
    from tfticket.runs.files import check_place

    if (Path(chain) / "config.json").is_file():
        whose = Path(chain).resolve()
        folders = chains_of(whose)
    else:
        run = named_run(workspace, chain)
        whose, pools = run.folder, pools_of(run)
        if not pools:
            raise InputError(
                f"{chain} has no tickets whose chains are done. Runs of bayes-always-wins have some, with chains of 1 "
                "or more; `tfticket show` says how far a run is."
            )
        if len(pools) > 1:
            which = "".join(f"\n  {pool.folder}: {pool.name}" for pool in pools)
            raise InputError(f"{chain} has {len(pools)} tickets whose chains are done. Name one step's folder:{which}")
        folders = pools[0].chains
    out = out or Path(f"{whose.name}.nc")
    check_place(out.parent, "--out")
    written = to_netcdf(folders, out)
    if not Options.quiet:
        chains = counted(written["chains"], "chain")
        say(f"{out}: {chains}, {written['draws']:,} draws of {written['weights']:,} weights")
