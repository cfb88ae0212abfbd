"""The command that verifies files."""

from typing import Annotated

import typer

from tfticket import completion
from tfticket.cli.options import Debug, Json, Options, Quiet, Workspace, app
from tfticket.console import say, show_table
from tfticket.errors import TfticketError
from tfticket.registry import DEFAULT_WORKSPACE


@app.command(
    epilog="Examples:\n\n  tfticket verify\n\n  tfticket verify quickstart\n\n"
    "Do so after copying a workspace. `tfticket run` verifies the steps that it finds done, too."
)
def verify(
    run: Annotated[
        str | None, typer.Argument(autocompletion=completion.runs, help="A run; without one, the whole workspace.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Verify that the files of finished steps are those that were written: none missing, changed or exchanged."""
    from tfticket.errors import InputError
    from tfticket.reports.rows import find_run
    from tfticket.runs.artefacts import verify_step
    from tfticket.runs.step_files import RESULT

    if run is None:
        folders = sorted((workspace / "steps").glob("*-*"))
    else:
        found = find_run(workspace, run)
        steps = found.folder.resolve().parents[1] / "steps"
        folders = list(dict.fromkeys(steps / step["folder"] for step in found.steps))
    problems, old, verified = [], 0, 0
    for folder in folders:
        if run is None and not (folder / RESULT).exists():
            continue  # not done, or not a step
        try:
            protected = verify_step(folder)
        except InputError as error:
            problems.append([folder.name, str(error)])
        else:
            verified, old = verified + protected, old + (not protected)
    if as_json or problems:
        show_table(["step", "problem"], problems, as_json)
    if problems:
        raise TfticketError(f"{len(problems)} of {len(folders)} steps have damaged files.")
    if not (as_json or Options.quiet):
        without = f"; {old} more are from before tfticket kept checksums, and cannot be verified" if old else ""
        say(f"The files of {verified} finished steps are those that were written{without}.")
