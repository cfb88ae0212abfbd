"""The command that looks into tickets."""

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tfticket.arms import TICKET, Arm
from tfticket.cli import completion
from tfticket.cli.console import say, show_table
from tfticket.cli.options import Json, Options, Workspace, command, named_run
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


@command(
    epilog="Examples:\n\n"
    "  tfticket inspect ticket.safetensors --out inside\n\n"
    "  tfticket inspect quickstart --level 10 --seed 0\n\n"
    "  tfticket inspect quickstart --level 10 --seed 0-2\n\n"
    "  tfticket inspect quickstart --level 0-10\n\n"
    "  tfticket inspect by-magnitude at-random --level 5\n\n"
    "Shows one ticket, or compares several: seeds, levels, arms of a run, or tickets of several runs."
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
    level: Annotated[str | None, typer.Option(help="Levels of a run, such as 3 or 0-10; default: the last.")] = None,
    seed: Annotated[str | None, typer.Option(help="IMP seeds of a run, such as 0 or 0-4; default: the first.")] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="Arm of a run: 'ticket', or a control's name; repeatable. Default: ticket.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for figures and data; default: in the report of a run that is named.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Show the inside of a ticket: layers, weights, dead inputs and units, paths, cost; or compare several."""
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
    for name in what:
        path = Path(name)
        if path.is_file() or (path / TICKET_FILE).is_file() or path.suffix == ".safetensors":
            file = path / TICKET_FILE if path.is_dir() else path
            chosen.append(Chosen((name,), Ticket.load(file)))
            continue
        if (path / RESULT).is_file():
            raise InputError(f"{name} is a step without a ticket. Name one that made a ticket, or the run.")
        run = named_run(workspace, name)
        tickets = tickets_of_run(run, level, seed, arms)
        several = f"{run.folder.name}: " if len(what) > 1 else ""
        chosen += [_loaded(ticket, several) for ticket in tickets]
        if folder is None:
            folder = run.folder / "report"
    names = [ticket.name for ticket in chosen]
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


def _loaded(ticket: "RunTicket", before_name: str) -> Chosen:
    from tfticket.inspection.inspect_ticket import load

    first, *rest = ticket.words
    return Chosen((before_name + first, *rest), *load(ticket))


def tickets_of_run(run: Any, level: str | None, seed: str | None, asked: Sequence[Arm]) -> list["RunTicket"]:
    """A run's tickets of these arms, with whatever options, at these levels, of these seeds.

    Unless told: the last level that all the arms have, and the first seed.
    """
    from tfticket.inspection.run_tickets import tickets_of

    there = tickets_of(run)
    if not there:
        raise InputError(f"{run.folder.name}: nothing has been evaluated yet.")
    known = sorted({ticket.label["arm"] for ticket in there})
    if missing := [arm for arm in asked if arm not in {name for arm in known for name in (arm, arm.kind)}]:
        raise InputError(f"{run.folder.name} has no arm '{missing[0]}'. It has: {', '.join(map(str, known))}.")
    arms = [arm for arm in known if arm in asked or arm.kind in asked]
    chosen = [ticket for ticket in there if ticket.label["arm"] in arms]
    for key, text, default in (("level", level, max), ("seed", seed, min)):
        of_arm = {arm: {ticket.label[key] for ticket in chosen if ticket.label["arm"] == arm} for arm in arms}
        common = set.intersection(*of_arm.values())
        if text is None and not common:
            raise InputError(
                f"{run.folder.name}: {', '.join(map(str, arms))} have no {key} in common. Say which: --{key}."
            )
        wanted = {default(common)} if text is None else set(numbers_in(text, f"--{key}"))
        for arm, values in of_arm.items():
            if not wanted <= values if len(arms) == 1 else not wanted & values:
                lacks, has = (", ".join(map(str, sorted(numbers))) for numbers in (wanted - values, values))
                raise InputError(f"{run.folder.name} has no {key} {lacks} of {arm}. It has: {has}.")
        chosen = [ticket for ticket in chosen if ticket.label[key] in wanted]
    return chosen


def _look_into(chosen: Chosen, folder: Path | None, as_json: bool) -> None:
    """Print what is inside one ticket, and write its figures and data."""
    from tfticket.inspection.inspect_ticket import inspect_ticket
    from tfticket.inspection.inspection_files import numbers_of, write_inspection

    ticket = chosen.ticket
    inspection = inspect_ticket(ticket, chosen.trained, chosen.before)
    if folder is not None:
        write_inspection(folder, inspection)
        _draw(folder, _figures(inspection, f"{ticket.name}: {chosen.name}"))
    if as_json:
        origin = {"iteration": ticket.iteration, "model": ticket.model, "provenance": ticket.provenance}
        typer.echo(json.dumps({**numbers_of(inspection), **origin, "folder": str(folder) if folder else None}))
        return
    say(f"{chosen.name}\n{ticket.name}, level {ticket.level}, {ticket.density:.3%} of the prunable weights remain")
    say(f"start: weights of iteration {ticket.iteration:,}")
    if ticket.is_variational:
        stored = sum(array.size for array in ticket.start.values())
        say(f"variational: each weight a mean and a deviation, below counted as one; {stored:,} numbers stored")
    show_table(*_layers(inspection))
    for line in _summary(inspection):
        say(line)
    say("made by: " + ", ".join(f"{key} {_short(value)}" for key, value in ticket.provenance.items() if value))


def _short(value: Any) -> str:
    """A piece of provenance: hashes by their beginning, controls by their names."""
    if isinstance(value, list | tuple):
        return "+".join(map(_short, value))
    if isinstance(value, dict):
        return " ".join(_short(inner) for inner in value.values())
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:12] if len(str(value)) == 64 else str(value)


def _layers(inspection: "Inspection") -> tuple[list[str], list[list[Any]]]:
    from tfticket.pruning.mask import layer_of

    header = ["layer", "shape", "survivors", "weights\nremaining", "live", "dead\nunits", "multiplies\nsurviving"]
    rows = []
    for kernel in inspection.kernels:
        row: list[Any] = [layer_of(kernel.path), "x".join(map(str, kernel.shape)), kernel.survivors]
        row += [f"{kernel.density:.2%}", "?" if kernel.live is None else kernel.live]
        row += ["?" if kernel.dead is None else f"{kernel.dead:,}/{kernel.units:,}", kernel.surviving_multiplies]
        rows.append(row)
    return header, rows


def _summary(inspection: "Inspection") -> list[str]:
    lines = [
        f"parameters: {inspection.surviving_parameters:,} of {inspection.parameters:,}",
        f"multiplies per image: {inspection.surviving_multiplies:,} of {inspection.multiplies:,} (prunable kernels)",
    ]
    if inspection.paths is not None:
        ratio = "" if inspection.path_ratio is None else f", {inspection.path_ratio:.2e} of the dense network's"
        lines.append(f"paths from input to output: {inspection.paths:.4g}{ratio}")
    if inspection.dead_inputs is not None:
        lines.append(f"dead inputs: {inspection.dead_input_count:,} of {inspection.dead_inputs.size:,}")
    return [*lines, *inspection.notes]


def _draw(folder: Path, figures: dict[str, Callable[[], Any]]) -> None:
    """Write figures; say which could not be drawn."""
    from tfticket.reports.figures.style import save_figures

    _, notes = save_figures(folder, figures)
    for note in notes:
        typer.echo(note, err=True)


def _figures(inspection: "Inspection", title: str) -> dict[str, Callable[[], Any]]:
    from tfticket.reports.figures import ticket_layers, ticket_masks

    figures: dict[str, Callable[[], Any]] = {
        "layers": partial(ticket_layers.layers_figure, {title: inspection}, title),
        "weights": partial(ticket_layers.weights_figure, inspection, title),
        "masks": partial(ticket_masks.masks_figure, inspection, title),
    }
    if inspection.receptive_fields is not None:
        figures["receptive-fields"] = partial(ticket_masks.receptive_fields_figure, inspection, title)
    return figures


def _compare(chosen: Sequence[Chosen], folder: Path | None, as_json: bool) -> None:
    """Print what several tickets share, and write it with its figures."""
    from dataclasses import asdict

    from tfticket.inspection.comparison import compare_tickets
    from tfticket.inspection.inspect_ticket import inspect_ticket
    from tfticket.reports.figures import ticket_layers
    from tfticket.runs.files import write_json

    shared, names = _shortened([ticket.words for ticket in chosen])
    comparison = compare_tickets({name: ticket.ticket for name, ticket in zip(names, chosen, strict=True)})
    record = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in asdict(comparison).items()}
    if folder is not None:
        title = ": ".join(filter(None, [chosen[0].ticket.name, shared]))
        inspections = {name: inspect_ticket(ticket.ticket) for name, ticket in zip(names, chosen, strict=True)}
        write_json(folder / "comparison.json", record)
        layers = partial(ticket_layers.layers_figure, inspections, title)
        _draw(folder, {"layers": layers, "overlap": partial(ticket_layers.overlap_figure, comparison, title)})
    if as_json:
        typer.echo(json.dumps(record | {"folder": str(folder) if folder else None}))
        return
    if shared:
        say(shared)
    show_table(*_overlaps(comparison))
    say("Jaccard: survivors of both over survivors of either. By chance: of masks with the same density in each layer.")


def _shortened(names: Sequence[Sequence[str]]) -> tuple[str, list[str]]:
    """Return what all names have in common, and the names without it: 'ticket, level 10' and 'seed 0', 'seed 1'."""
    shared = [word for word in names[0] if all(word in words for words in names)]
    short = [", ".join(word for word in words if word not in shared) for words in names]
    distinct = all(short) and len(set(short)) == len(short)
    return (", ".join(shared), short) if distinct else ("", [", ".join(words) for words in names])


def _overlaps(comparison: "TicketComparison") -> tuple[list[str], list[list[Any]]]:
    """A row for each pair."""
    rows = []
    measures = (comparison.total_jaccard, comparison.total_jaccard_by_chance, comparison.total_coefficient)
    for pair in itertools.combinations(range(len(comparison.names)), 2):
        row: list[Any] = [comparison.names[number] for number in pair]
        row += [f"{measure[pair]:.3f}" for measure in measures]
        rows.append([*row, f"{comparison.total_over_chance[pair]:.2f}"])
    return ["ticket", "ticket", "Jaccard", "by chance", "of the\nsparser", "shared\n/ chance"], rows
