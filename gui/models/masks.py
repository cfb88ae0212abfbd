"""Images of a run's masks by level and layer."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.inspection.pictures import receptive_fields
from tfticket.reports.tables.csv_files import csv_text
from tfticket.runs.artefacts import load_tensors
from tfticket.runs.records import is_one
from tfticket.runs.run_folder import MANIFEST, Step, read_steps
from tfticket.runs.schemas import Count
from tfticket.runs.step import TICKET as TICKET_FILE

from .mask_pictures import COUNTS, MaskPicture, count_mask, draw_mask, summarise_mask
from .reading import NO_RUN, READ_ERRORS, ArmNames, ChangingFiles, empty_folder_message
from .signal import PlotModel

WAITING = "No tickets yet. The first appears when the network is initialised."
CONTROL = "Each level has its own control, without a previous level."
_KEPT_MASKS = 64


@dataclass(frozen=True)
class TicketEntry:
    """A ticket of a run.

    Attributes:
        arm, seed, replicate, level: Identity of the ticket within the run.
        density: Surviving fraction of the prunable weights.
    """

    arm: Arm
    seed: int
    replicate: int
    level: int
    density: float
    folder: Path

    @property
    def group(self) -> tuple[Arm, int, int]:
        """Arm, seed and replicate."""
        return self.arm, self.seed, self.replicate


def read_tickets(run: Path, known: Mapping[str, TicketEntry]) -> tuple[dict[str, TicketEntry], int]:
    """Return step -> ticket in the run's order, and the number of unreadable steps; those ``known`` are not read again.

    Raises:
        InputError: The manifest cannot be read.
    """
    tickets: dict[str, TicketEntry] = {}
    damaged = 0
    for step in read_steps(run):
        try:
            entry = known.get(step.path.name) or _entry(step)
        except READ_ERRORS:
            damaged += 1
            continue
        if entry is not None:
            tickets[step.path.name] = entry
    return tickets, damaged


def _entry(step: Step) -> TicketEntry | None:
    """Return the ticket that a step evaluates or creates; tickets of further arms are listed by their evaluations."""
    label = step.label
    if step.kind == "evaluate":
        folder = step.inputs["ticket"]
        return TicketEntry(
            label["arm"], label["seed"], label.get("replicate", 0), label["level"], label["density"], folder
        )
    if step.kind in ("start", "prune") and "arm" not in label:
        level, density = step.result.get("level", 0), step.result.get("density", 1.0)
        return TicketEntry(TICKET, label["seed"], 0, level, density, step.path)
    return None


class MasksModel(PlotModel):
    """Tickets of a run and the layer shown.

    Attributes:
        difference: Whether weights pruned at this level are highlighted.
        fields: Whether the first layer is shown as receptive fields.
    """

    def __init__(self) -> None:
        super().__init__()
        self.difference = self.fields = False
        self.show(None)

    def show(self, run: Path | None) -> None:
        self.run = run
        self._name_of = ArmNames(run) if run is not None else lambda arm: arm.name
        self.tickets: list[TicketEntry] = []
        self._read_error = self._waiting = ""
        self._manifest = ChangingFiles(run or Path(), (MANIFEST,), self._read_manifest)
        self._entries: dict[str, TicketEntry] = {}
        self._selected_group: tuple[Arm, int, int] | None = None
        self._level: int | None = None
        self._layer = 0
        self._headers: dict[Path, dict[str, Any]] = {}
        self._masks: OrderedDict[tuple[Path, str], np.ndarray] = OrderedDict()
        self.poll()
        self.changed.emit()

    def poll(self) -> bool:
        """Read new tickets; return True if anything changed."""
        if self.run is None:
            return False
        before = (self.tickets, self._manifest.problem, self._waiting)
        self._manifest.poll()
        self._waiting = "" if self.tickets else empty_folder_message(self.run, WAITING)
        if before == (self.tickets, self._manifest.problem, self._waiting):
            return False
        self.changed.emit()
        return True

    @property
    def problem(self) -> str:
        return self._read_error or self._manifest.problem

    @property
    def message(self) -> str:
        """Reason why no image is shown; '' if one is."""
        if self.run is None:
            return NO_RUN
        return "" if self.tickets else self.problem or self._waiting or WAITING

    @property
    def groups(self) -> list[tuple[Arm, int, int]]:
        """Arm, seed and replicate of every ticket."""
        return sorted({ticket.group for ticket in self.tickets}, key=lambda group: (group[0] != TICKET, *group))

    @property
    def group(self) -> tuple[Arm, int, int] | None:
        """Arm, seed and replicate shown."""
        groups = self.groups
        return self._selected_group if self._selected_group in groups else next(iter(groups), None)

    @property
    def arm_names(self) -> dict[Arm, str]:
        return {arm: self._name_of(arm) for arm, _, _ in self.groups}

    @property
    def levels(self) -> list[TicketEntry]:
        """Tickets of that arm, seed and replicate, by level."""
        return sorted((t for t in self.tickets if t.group == self.group), key=lambda ticket: ticket.level)

    @property
    def ticket(self) -> TicketEntry | None:
        """Ticket shown: at the selected level or the nearest one, otherwise the last."""
        levels = self.levels
        if not levels or self._level is None:
            return levels[-1] if levels else None
        selected = self._level
        return min(levels, key=lambda ticket: abs(ticket.level - selected))

    @property
    def before(self) -> TicketEntry | None:
        """Ticket of the previous level; controls have none."""
        ticket = self.ticket
        if ticket is None or ticket.arm != TICKET:
            return None
        return next((other for other in self.levels if other.level == ticket.level - 1), None)

    @property
    def layers(self) -> list[str]:
        """Prunable kernels, in the network's order."""
        header = self._header()
        return [] if header is None else [str(path) for path in header["kernels"]]

    @property
    def layer(self) -> str | None:
        layers = self.layers
        return layers[min(self._layer, len(layers) - 1)] if layers else None

    def choose_group(self, group: tuple[Arm, int, int]) -> None:
        self._selected_group = group
        self.changed.emit()

    def choose_level(self, level: int) -> None:
        self._level = level
        self.changed.emit()

    def choose_layer(self, number: int) -> None:
        """Show another layer, by its index in ``layers``."""
        self._layer = max(0, min(number, len(self.layers) - 1))
        self.changed.emit()

    def step(self, levels: int = 0, layers: int = 0) -> None:
        """Move by a number of levels and layers, stopping at the ends."""
        ticket = self.ticket
        if ticket is not None and levels:
            tickets = self.levels
            self._level = tickets[max(0, min(tickets.index(ticket) + levels, len(tickets) - 1))].level
        self.choose_layer(self._layer + layers)

    @property
    def title(self) -> str:
        """Run, arm and seed, for exported figures."""
        if self.run is None or self.group is None:
            return ""
        arm, seed, replicate = self.group
        return f"{self.run.name}, {self._name_of(arm)}, seed {seed}" + (f", replicate {replicate}" if replicate else "")

    @property
    def has_fields(self) -> bool:
        """True if the layer reads the input image."""
        mask = self._mask(self.ticket)
        return mask is not None and receptive_fields("", mask, self._image()) is not None

    def picture(self, pixels: tuple[float, float] | None = None) -> MaskPicture | None:
        """Return the image of the layer, for its height and width in pixels; None if unreadable: see ``problem``."""
        self._read_error = ""
        kept = self._mask(self.ticket)
        if kept is None:
            return None
        before = self._mask(self.before) if self.difference else None
        lost = before & ~kept if before is not None and before.shape == kept.shape else None
        return draw_mask(kept, lost, self._image() if self.fields else None, pixels)

    def numbers(self) -> list[tuple[str, str]]:
        """Return (name, value) pairs that describe the layer."""
        ticket, kept = self.ticket, self._mask(self.ticket)
        if ticket is None or kept is None:
            return []
        network = [("level", str(ticket.level)), ("network", f"{100 * ticket.density:.3g} %")]
        return network + summarise_mask(kept, self._mask(self.before))

    def csv(self) -> str:
        """Return the counts of every layer at every level of the arm, seed and replicate shown as CSV.

        Raises:
            InputError: A ticket cannot be read.
        """
        header = ["run", "arm", "seed", "replicate", "level", "network_density", "layer", "shape", "density", *COUNTS]
        rows = []
        before: dict[str, np.ndarray] = {}
        for ticket in self.levels:
            masks, _ = load_tensors(ticket.folder / TICKET_FILE, "ticket", [f"mask/{layer}" for layer in self.layers])
            run = self.run and self.run.name
            identity = [run, ticket.arm.key, ticket.seed, ticket.replicate, ticket.level, ticket.density]
            for layer in self.layers:
                kept = masks[f"mask/{layer}"]
                counts = count_mask(kept, before.get(f"mask/{layer}"))
                shape = " x ".join(map(str, kept.shape))
                density = counts["survivors"] / counts["weights"]
                rows.append([*identity, layer, shape, density, *(counts.get(name) for name in COUNTS)])
            before = masks if ticket.arm == TICKET else {}
        return csv_text(header, rows)

    def _read_manifest(self) -> str:
        """Read the tickets from the manifest; unreadable steps are skipped and counted."""
        assert self.run is not None
        self._entries, damaged = read_tickets(self.run, self._entries)
        self.tickets = list({entry.folder: entry for entry in self._entries.values()}.values())
        return f"{damaged} of its steps cannot be read." if damaged else ""

    def _header(self) -> dict[str, Any] | None:
        ticket = self.ticket
        if ticket is None:
            return None
        if ticket.folder not in self._headers:
            try:
                _, header = load_tensors(ticket.folder / TICKET_FILE, "ticket", ())
                self._headers[ticket.folder] = header | {"kernels": list(header["kernels"])}
            except (InputError, KeyError, TypeError) as error:
                self._read_error = f"This ticket cannot be read: {error}"
                return None
        return self._headers[ticket.folder]

    def _mask(self, ticket: TicketEntry | None) -> np.ndarray | None:
        layer = self.layer
        if ticket is None or layer is None:
            return None
        key = (ticket.folder, layer)
        if key not in self._masks:
            try:
                name = f"mask/{layer}"
                tensors, _ = load_tensors(ticket.folder / TICKET_FILE, "ticket", (name,))
            except InputError as error:
                self._read_error = f"This ticket cannot be read: {error}"
                return None
            self._masks[key] = tensors[name]
            if len(self._masks) > _KEPT_MASKS:
                self._masks.popitem(last=False)
        return self._masks[key]

    def _image(self) -> tuple[int, ...]:
        """Return height, width and channels of the network's input; () if the ticket does not record them."""
        model = (self._header() or {}).get("model", {})
        shape = model.get("input_shape") if isinstance(model, dict) else None
        return tuple(shape) if isinstance(shape, list) and is_one(shape, list[Count]) else ()
