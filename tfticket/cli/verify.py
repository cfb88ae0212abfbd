"""The command that verifies files."""

from typing import Annotated

import typer

from tfticket.cli import completion
from tfticket.cli.console import say, show_table
from tfticket.cli.options import Json, Options, Workspace, command
from tfticket.errors import InputError, TfticketError
from tfticket.registry import DEFAULT_WORKSPACE
from tfticket.text import counted


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
    """Verify that files of runs and finished steps are those that were written: none missing, changed or exchanged."""
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
