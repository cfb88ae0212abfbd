"""The program itself, and the options that several of its commands have."""

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from tfticket.errors import InputError
from tfticket.registry import DATA_DIR

if TYPE_CHECKING:
    from tfticket.runs.run_folder import RunFolder


class _Commands(TyperGroup):
    """Commands that answer a wrong value in our words, not in those of the library that reads it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            problems: list[Any] = getattr(error.__cause__, "errors", list)()
            if problems:
                from tfticket.config.wording import given, problem_words

                words, value = problem_words(problems[0], yaml=False), problems[0].get("input")
                error.message = words if problems[0]["type"] == "value_error" else f"{given(value)}; {words}."
            raise


app = typer.Typer(
    name="tfticket",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find lottery tickets and compare them with their controls.",
    epilog="First steps:  [bold]tfticket run quickstart[/]  (2 minutes),  then  [bold]tfticket show quickstart[/]",
)


def _check_workspace(value: Path) -> Path:
    """Refuse a workspace that is no folder, or lies in none."""
    there = next(path for path in (value.absolute(), *value.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise InputError(
            f"The workspace is {value}, but {there} is not a folder. Name a folder with --workspace or "
            "TFTICKET_WORKSPACE.",
            field="--workspace",
        )
    return value


_NAMES = {"envvar": "TFTICKET_WORKSPACE", "help": "Folder of all runs and steps."}
AnyWorkspace = Annotated[Path, typer.Option("--workspace", "-w", **_NAMES)]
"""One that may not be a folder, which the command then says."""
Workspace = Annotated[Path, typer.Option("--workspace", "-w", callback=_check_workspace, **_NAMES)]


def _set_data_dir(value: Path | None) -> Path | None:
    if value is not None:
        os.environ[DATA_DIR] = str(value)
    return value


DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", envvar=DATA_DIR, callback=_set_data_dir, help="Folder to search for data sets."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class Options:
    """Options of every command, given before or after its name."""

    quiet = False
    debug = False


def _be_quiet(value: bool) -> None:
    Options.quiet = Options.quiet or value


def _be_open(value: bool) -> None:
    Options.debug = Options.debug or value


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_be_quiet, help="Print only errors and requested output.")
]
Debug = Annotated[bool, typer.Option("--debug", callback=_be_open, help="Show the full traceback of an error.")]


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"tfticket {version('tfticket')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")]


@app.callback()
def options(quiet: Quiet = False, debug: Debug = False, version: Version = False) -> None:
    """Options of every command."""


def command(name: str | None = None, **options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that registers a command, with the options of every command."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def call(*arguments: Any, quiet: bool, debug: bool, **values: Any) -> None:
            function(*arguments, **values)

        added = {"quiet": Quiet, "debug": Debug}
        signature = inspect.signature(function)
        parameters = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=a) for n, a in added.items()
        ]
        call.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *parameters])  # type: ignore[attr-defined]
        call.__annotations__ = function.__annotations__ | added
        app.command(name, **options)(call)
        return function

    return register


def named_run(workspace: Path, name: str) -> "RunFolder":
    """The run that a command is about; of one without checksums, a note says so."""
    from tfticket.cli.console import say
    from tfticket.runs.run_folder import find_run

    run = find_run(workspace, name)
    if run.steps() and not run.has_checksums:
        say(
            f"{run.folder.name} was written by a tfticket that kept no checksums. Its files are used as they are: "
            "changed files cannot be detected.",
            err=True,
        )
    return run
