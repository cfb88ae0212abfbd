"""Commands that look at results."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tfticket.arms import TICKET, Arm
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
    "  tfticket export quickstart --format c --level 10 --out ticket.c\n\n"
    "  tfticket export workspace/steps/pool-0123456789abcdef --format c --draws 50\n\n"
    "In Python:  xarray.open_datatree('chains.nc')"
)
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_STEP",
            autocompletion=completion.runs,
            help="A run, or the folder of a step: sample, pool; for c also train.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The file to write; by default here, with the name of the run or step.")
    ] = None,
    format: Annotated[  # noqa: A002 -- the option's name
        Literal["netcdf", "c"],
        typer.Option(
            help="netcdf: chains, as ArviZ reads them. c: one C file that predicts, from the trained weights of a "
            "run's ticket or from draws of a sample or pool step."
        ),
    ] = "netcdf",
    level: Annotated[int | None, typer.Option(help="c: level of a run's ticket; default: the last.")] = None,
    seed: Annotated[int | None, typer.Option(help="c: IMP seed of a run's ticket; default: the first.")] = None,
    arm: Annotated[str, typer.Option(help="c: arm of a run: 'ticket', or a control's name.")] = TICKET.key,
    draws: Annotated[int, typer.Option(min=1, help="c: largest number of draws, evenly spaced.")] = 100,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """Write chains, or a network that predicts, for other programs."""
    from tfticket.runs.files import check_place

    is_step = (Path(what) / "config.json").is_file()
    run = None if is_step else named_run(workspace, what)
    whose = Path(what).resolve() if run is None else run.folder
    out = out or Path(f"{whose.name}.{'nc' if format == 'netcdf' else 'c'}")
    check_place(out.parent, "--out")
    is_c = format == "c"
    written = _export_c(whose, run, out, (level, seed, arm), draws) if is_c else _export_chains(whose, run, out)
    if not Options.quiet:
        say(f"{out}: {written}")


def _export_chains(whose: Path, run: Any, out: Path) -> str:
    """Write the chains of a step or of the run's only sampled ticket; return a description."""
    from tfticket.export import chains_of, to_netcdf
    from tfticket.reports.chain_pools import pools_of

    if run is None:
        folders = chains_of(whose)
    else:
        pools = pools_of(run)
        if not pools:
            raise InputError(
                f"{whose.name} has no tickets whose chains are done. Runs of bayes-always-wins have some, with chains "
                "of 1 or more; `tfticket show` says how far a run is."
            )
        if len(pools) > 1:
            which = "".join(f"\n  {pool.folder}: {pool.name}" for pool in pools)
            raise InputError(
                f"{whose.name} has {len(pools)} tickets whose chains are done. Name one step's folder:{which}"
            )
        folders = pools[0].chains
    written = to_netcdf(folders, out)
    return f"{counted(written['chains'], 'chain')}, {written['draws']:,} draws of {written['weights']:,} weights"


def _export_c(whose: Path, run: Any, out: Path, which: tuple[int | None, int | None, str], most_draws: int) -> str:
    """Write the C file of a run's trained ticket, of a training, or of draws; return a description."""
    from tfticket.cli.inspect_command import tickets_of_run
    from tfticket.export import chains_of
    from tfticket.runs.run_folder import inputs_of
    from tfticket.runs.step import WEIGHTS

    if run is not None:
        level, seed, arm = which
        level_text, seed_text = (None if number is None else str(number) for number in (level, seed))
        chosen = tickets_of_run(run, level_text, seed_text, [Arm.parse(arm)])[0]  # the first replicate
    from tfticket.export_c import drawn_weights, trained_weights, write_c  # TensorFlow, after what does without

    if run is not None:
        ticket, thetas = trained_weights(chosen.ticket, chosen.trained)
    elif (whose / WEIGHTS).is_file():
        ticket, thetas = trained_weights(inputs_of(whose)["ticket"], whose)
    else:
        ticket, thetas = drawn_weights(chains_of(whose), most_draws)
    size = write_c(ticket, thetas, out)
    kind = "trained weights" if len(thetas) == 1 else f"{len(thetas):,} draws"
    return f"{kind} at {ticket.density:.2%} of the weights, {size / 1000:,.0f} kB. Compile: cc -O3 -c {out} (-lm)"
