"""The command that looks into tickets."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfticket.arms import TICKET, Arm
from tfticket.cli import completion
from tfticket.cli.console import say, show_table
from tfticket.cli.options import Debug, Json, Options, Quiet, Workspace, app, named_run
from tfticket.cli.run import numbers_in
from tfticket.errors import InputError
from tfticket.registry import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from tfticket.inspection.result import Inspection, TicketComparison
    from tfticket.inspection.run_tickets import RunTicket
    from tfticket.tickets import Ticket
    from tfticket.types import Weights


@dataclass(frozen=True)
class Chosen:
    """A ticket to look into.

    Attributes:
        words: What tables and figures call it.
        ticket: The ticket.
        trained: Its trained weights, where a run has them.
        before: The trained weights from which its mask was chosen, where a run has them.
    """

    words: tuple[str, ...]
    ticket: "Ticket"
    trained: "Weights | None" = None
    before: "Weights | None" = None

    @property
    def name(self) -> str:
        """Its words in one."""
        return ", ".join(self.words)


@app.command(
    epilog="Examples:\n\n"
    "  tfticket inspect ticket.safetensors --out inside\n\n"
    "  tfticket inspect quickstart --level 10 --seed 0\n\n"
    "  tfticket inspect quickstart --level 10 --seed 0-2\n\n"
    "  tfticket inspect quickstart --level 0-10\n\n"
    "  tfticket inspect by-magnitude at-random --level 5\n\n"
    "One ticket is looked into; several are compared: seeds, levels, arms of a run, or tickets of several runs."
)
def inspect(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="TICKET_OR_RUN...",
            autocompletion=completion.runs,
            help="Tickets' files, steps' folders, or runs by name or folder.",
        ),
    ],
    level: Annotated[str | None, typer.Option(help="Of a run: levels, such as 3 or 0-10; default: the last.")] = None,
    seed: Annotated[str | None, typer.Option(help="Of a run: IMP seeds, such as 0 or 0-4; default: the first.")] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(help="Of a run: 'ticket', or a control's name; repeatable. Default: ticket."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for figures and data; default: in the report of a run that is named.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Look into a ticket: layers, weights, dead inputs and units, paths, cost; or compare several."""
    from tfticket.runs.files import check_writable

    chosen, folder = _choose(what, workspace, level, seed, [Arm.parse(text) for text in arm or (TICKET.key,)])
    folder = out or folder
    if folder is not None:
        check_writable(folder, "--out")
    from tfticket.backend import leave_gpus_alone  # TensorFlow, after all that it is not needed for

    leave_gpus_alone()
    if len(chosen) == 1:
        _look_into(chosen[0], folder, as_json)
    else:
        _compare(chosen, folder, as_json)
    if not (as_json or Options.quiet):
        say(f"Figures and data in {folder}" if folder else "--out FOLDER writes figures and data.")


def _choose(
    what: Sequence[str], workspace: Path, level: str | None, seed: str | None, arms: list[Arm]
) -> tuple[list[Chosen], Path | None]:
    """The tickets that are meant, and the folder of a run's report for what is found."""
    from tfticket.runs.step import TICKET as TICKET_FILE
    from tfticket.runs.step_files import RESULT
    from tfticket.tickets import Ticket

    chosen: list[Chosen] = []
    folder = None
    for one in what:
        path = Path(one)
        if path.is_file() or (path / TICKET_FILE).is_file() or path.suffix == ".safetensors":
            file = path / TICKET_FILE if path.is_dir() else path
            chosen.append(Chosen((one,), Ticket.load(file)))
            continue
        if (path / RESULT).is_file():
            raise InputError(f"{one} is a step without a ticket. Name one that made a ticket, or the run.")
        run = named_run(workspace, one)
        found = _of_run(run, level, seed, arms)
        several = f"{run.folder.name}: " if len(what) > 1 else ""
        chosen += [_loaded(each, several) for each in found]
        if folder is None:
            folder = run.folder / "report"
    names = [each.name for each in chosen]
    if len(set(names)) < len(names):
        raise InputError(f"The same ticket is named twice: {', '.join(names)}.")
    if folder is None and (level, seed, arms) != (None, None, [TICKET]):
        raise InputError("--level, --seed and --arm choose among a run's tickets; no run is named.")
    return chosen, folder / _folder_name(names) if folder else None


def _folder_name(names: Sequence[str]) -> str:
    """Of all tickets, so that no other choice writes to the same folder."""
    words = re.sub(r"[^A-Za-z0-9._=-]+", "-", names[0])
    if len(names) == 1:
        return f"inside-{words}"
    return f"compared-{words}-and-{len(names) - 1}-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:8]}"


def _loaded(found: "RunTicket", before_name: str) -> Chosen:
    from tfticket.inspection.load import load

    first, *rest = found.words
    return Chosen((before_name + first, *rest), *load(found))


def _of_run(run: Any, level: str | None, seed: str | None, asked: Sequence[Arm]) -> list["RunTicket"]:
    """A run's tickets of these arms, with whatever options, at these levels, of these seeds.

    Unless told: the last level that all the arms have, and the first seed.
    """
    from tfticket.inspection.run_tickets import tickets_of

    there = tickets_of(run)
    if not there:
        raise InputError(f"{run.folder.name}: nothing has been evaluated yet.")
    known = sorted({each.label["arm"] for each in there})
    if missing := [arm for arm in asked if arm not in {one for arm in known for one in (arm, arm.kind)}]:
        raise InputError(f"{run.folder.name} has no arm '{missing[0]}'. It has: {', '.join(map(str, known))}.")
    arms = [arm for arm in known if arm in asked or arm.kind in asked]
    found = [each for each in there if each.label["arm"] in arms]
    for key, text, default in (("level", level, max), ("seed", seed, min)):
        of_arm = {arm: {each.label[key] for each in found if each.label["arm"] == arm} for arm in arms}
        common = set.intersection(*of_arm.values())
        if text is None and not common:
            raise InputError(
                f"{run.folder.name}: {', '.join(map(str, arms))} have no {key} in common. Say which: --{key}."
            )
        wanted = {default(common)} if text is None else set(numbers_in(text, f"--{key}"))
        for arm, values in of_arm.items():
            if not wanted <= values if len(arms) == 1 else not wanted & values:
                shown = ", ".join(map(str, sorted(values)))
                raise InputError(f"{run.folder.name} has no {key} {_span(wanted - values)} of {arm}. It has: {shown}.")
        found = [each for each in found if each.label[key] in wanted]
    return found


def _span(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _look_into(chosen: Chosen, folder: Path | None, as_json: bool) -> None:
    """Print what is inside one ticket, and write its figures and data."""
    from tfticket.inspection.files import numbers_of, write_inspection
    from tfticket.inspection.ticket import inspect_ticket

    ticket = chosen.ticket
    found = inspect_ticket(ticket, chosen.trained, chosen.before)
    if folder is not None:
        write_inspection(folder, found)
        _draw(folder, _figures(found, f"{ticket.name}: {chosen.name}"))
    if as_json:
        made = {"iteration": ticket.iteration, "model": ticket.model, "provenance": ticket.provenance}
        typer.echo(json.dumps({**numbers_of(found), **made, "folder": str(folder) if folder else None}))
        return
    say(f"{chosen.name}\n{ticket.name}, level {ticket.level}, {ticket.density:.3%} of the prunable weights remain")
    say(f"start: weights of iteration {ticket.iteration:,}")
    if ticket.is_variational:
        stored = sum(array.size for array in ticket.start.values())
        say(f"variational: each weight a mean and a deviation, below counted as one; {stored:,} numbers stored")
    show_table(*_layers(found))
    for line in _summary(found):
        say(line)
    say("made by: " + ", ".join(f"{key} {_short(value)}" for key, value in ticket.provenance.items() if value))


def _short(value: Any) -> str:
    """A piece of provenance: hashes by their beginning, controls by their names."""
    if isinstance(value, list | tuple):
        return "+".join(map(_short, value))
    if isinstance(value, dict):
        return " ".join(_short(each) for each in value.values())
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:12] if len(str(value)) == 64 else str(value)


def _layers(found: "Inspection") -> tuple[list[str], list[list[Any]]]:
    from tfticket.pruning.mask import layer_of

    header = ["layer", "shape", "survivors", "weights\nremaining", "live", "dead\nunits", "multiplies\nsurviving"]
    rows = []
    for kernel in found.kernels:
        row: list[Any] = [layer_of(kernel.path), "x".join(map(str, kernel.shape)), kernel.survivors]
        row += [f"{kernel.density:.2%}", "?" if kernel.live is None else kernel.live]
        row += ["?" if kernel.dead is None else f"{kernel.dead:,}/{kernel.units:,}", kernel.surviving_multiplies]
        rows.append(row)
    return header, rows


def _summary(found: "Inspection") -> list[str]:
    lines = [
        f"parameters: {found.surviving_parameters:,} of {found.parameters:,}",
        f"multiplies an image: {found.surviving_multiplies:,} of {found.multiplies:,}, by prunable kernels",
    ]
    if found.paths is not None:
        ratio = "" if found.path_ratio is None else f", {found.path_ratio:.2e} of the dense network's"
        lines.append(f"paths from input to output: {found.paths:.4g}{ratio}")
    if found.dead_inputs is not None:
        lines.append(f"dead inputs: {found.dead_input_count:,} of {found.dead_inputs.size:,}")
    return [*lines, *found.notes]


def _draw(folder: Path, figures: dict[str, Callable[[], Any]]) -> None:
    """Write figures; say which could not be drawn."""
    from tfticket.reports.figures.saving import save_figures

    _, notes = save_figures(folder, figures)
    for note in notes:
        typer.echo(note, err=True)


def _figures(found: "Inspection", title: str) -> dict[str, Callable[[], Any]]:
    from tfticket.reports.figures import ticket_layers, ticket_masks

    figures: dict[str, Callable[[], Any]] = {
        "layers": partial(ticket_layers.layers_figure, {title: found}, title),
        "weights": partial(ticket_layers.weights_figure, found, title),
        "masks": partial(ticket_masks.masks_figure, found, title),
    }
    if found.receptive_fields is not None:
        figures["receptive-fields"] = partial(ticket_masks.receptive_fields_figure, found, title)
    return figures


def _compare(chosen: Sequence[Chosen], folder: Path | None, as_json: bool) -> None:
    """Print what several tickets share, and write it with its figures."""
    from dataclasses import asdict

    from tfticket.inspection.comparison import compare_tickets
    from tfticket.inspection.ticket import inspect_ticket
    from tfticket.reports.figures import ticket_layers
    from tfticket.runs.files import write_json

    shared, names = _shortened([each.words for each in chosen])
    found = compare_tickets({name: each.ticket for name, each in zip(names, chosen, strict=True)})
    record = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in asdict(found).items()}
    if folder is not None:
        title = ": ".join(filter(None, [chosen[0].ticket.name, shared]))
        looked = {name: inspect_ticket(each.ticket) for name, each in zip(names, chosen, strict=True)}
        write_json(folder / "comparison.json", record)
        layers, overlap = (
            partial(ticket_layers.layers_figure, looked, title),
            partial(ticket_layers.overlap_figure, found, title),
        )
        _draw(folder, {"layers": layers, "overlap": overlap})
    if as_json:
        typer.echo(json.dumps(record | {"folder": str(folder) if folder else None}))
        return
    if shared:
        say(shared)
    show_table(*_overlaps(found))
    say("Jaccard: survivors of both over survivors of either. By chance: of masks with the same density in each layer.")


def _shortened(names: Sequence[Sequence[str]]) -> tuple[str, list[str]]:
    """What all names have in common, and the names without it: 'ticket, level 10' and 'seed 0', 'seed 1'."""
    shared = [word for word in names[0] if all(word in each for each in names)]
    short = [", ".join(word for word in each if word not in shared) for each in names]
    distinct = all(short) and len(set(short)) == len(short)
    return (", ".join(shared), short) if distinct else ("", [", ".join(each) for each in names])


def _overlaps(found: "TicketComparison") -> tuple[list[str], list[list[Any]]]:
    """A row for each pair."""
    rows = []
    for one in range(len(found.names)):
        for other in range(one + 1, len(found.names)):
            row: list[Any] = [found.names[one], found.names[other]]
            measures = (found.total_jaccard, found.total_jaccard_by_chance, found.total_coefficient)
            row += [f"{measure[one, other]:.3f}" for measure in measures]
            rows.append([*row, f"{found.total_over_chance[one, other]:.2f}"])
    return ["ticket", "ticket", "Jaccard", "by chance", "of the\nsparser", "shared\n/ chance"], rows
