"""What survives: pictures of a run's masks, level by level and layer by layer. No TensorFlow."""

import io
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm
from tfticket.errors import InputError
from tfticket.inspection.pictures import receptive_fields
from tfticket.runs.artefacts import load_tensors
from tfticket.runs.records import is_one
from tfticket.runs.schemas import Count
from tfticket.runs.step import TICKET as TICKET_FILE
from tfticket.text import CsvWriter

from .ended import why_folder_is_empty
from .mask_pictures import COUNTS, MaskPicture, counts_of, numbers_of, picture_of
from .names import ArmNames
from .patience import Patience
from .signal import Signal
from .tickets import TicketEntry, tickets_of

NO_RUN = "Choose a run in the list, or start one."
WAITING = "There is no ticket yet: the first comes when the network is initialised."
CONTROL = "A control is made anew at each level: it has no level before."
_KEPT_MASKS = 64


class MasksModel:
    """Tickets of a run and the layer that is looked at. ``changed`` is emitted when anything shown is new.

    Attributes:
        run: The run's folder; None: none.
        tickets: In the order of the run.
        difference: Whether what the last pruning took is shown.
        fields: Whether the layer at the input is shown as what each of its units sees.
    """

    def __init__(self) -> None:
        self.changed = Signal()
        self.difference = self.fields = False
        self.show(None)

    def show(self, run: Path | None) -> None:
        """Look at another run, or none."""
        self.run = run
        self._name_of = ArmNames(run) if run is not None else lambda arm: arm.name
        self.tickets: list[TicketEntry] = []
        self._problem = self._unread = self._waiting = ""
        self._seen: Any = None
        self._patience = Patience()
        self._entries: dict[str, TicketEntry] = {}
        self._chosen: tuple[Arm, int, int] | None = None
        self._level: int | None = None
        self._layer = 0
        self._headers: dict[Path, dict[str, Any]] = {}
        self._masks: OrderedDict[tuple[Path, str], np.ndarray] = OrderedDict()
        self.poll()
        self.changed.emit()

    def poll(self) -> bool:
        """Look whether the run has other tickets; whether it has."""
        if self.run is None:
            return False
        before = (self._seen, self.tickets, self._problem, self._waiting)
        self._look(self.run)
        self._waiting = "" if self.tickets else why_folder_is_empty(self.run, WAITING)
        if before == (self._seen, self.tickets, self._problem, self._waiting):
            return False
        self.changed.emit()
        return True

    def _look(self, run: Path) -> None:
        """Read the run's manifest, where it is another."""
        try:
            stat = (run / "manifest.json").stat()
            seen: Any = (stat.st_mtime_ns, stat.st_size)
        except OSError:
            seen = "no tickets" if run.is_dir() else "gone"
        if seen == self._seen and not self._patience.is_over:
            return
        self._seen = seen
        if seen == "gone":
            self._problem = "The run's folder is gone."
        else:
            self._find()
        self._patience.tried(failed=bool(self._problem))

    @property
    def problem(self) -> str:
        """Why something cannot be read; '' where all can."""
        return self._unread or self._problem

    @property
    def message(self) -> str:
        """Why there is nothing to see; '' where there is."""
        if self.run is None:
            return NO_RUN
        return "" if self.tickets else self.problem or self._waiting or WAITING

    @property
    def groups(self) -> list[tuple[Arm, int, int]]:
        """Arm, seed and replicate of every ticket."""
        return sorted({one.group for one in self.tickets}, key=lambda group: (group[0] != TICKET, *group))

    @property
    def group(self) -> tuple[Arm, int, int] | None:
        """The arm, seed and replicate looked at."""
        groups = self.groups
        return self._chosen if self._chosen in groups else next(iter(groups), None)

    @property
    def arm_names(self) -> dict[Arm, str]:
        """Arm -> what the run calls it."""
        return {arm: self._name_of(arm) for arm, _, _ in self.groups}

    @property
    def levels(self) -> list[TicketEntry]:
        """The levels of that arm, seed and replicate, one after another."""
        return sorted((one for one in self.tickets if one.group == self.group), key=lambda one: one.level)

    @property
    def ticket(self) -> TicketEntry | None:
        """The ticket looked at: the chosen level, else the nearest; the last where none was chosen."""
        levels = self.levels
        if not levels or self._level is None:
            return levels[-1] if levels else None
        wanted = self._level
        return min(levels, key=lambda one: abs(one.level - wanted))

    @property
    def before(self) -> TicketEntry | None:
        """The ticket of the level before; a control has none."""
        ticket = self.ticket
        if ticket is None or ticket.arm != TICKET:
            return None
        return next((one for one in self.levels if one.level == ticket.level - 1), None)

    @property
    def layers(self) -> list[str]:
        """Kernels that can be pruned, in the network's order."""
        header = self._header()
        return [] if header is None else [str(path) for path in header["kernels"]]

    @property
    def layer(self) -> str | None:
        """The kernel looked at."""
        layers = self.layers
        return layers[min(self._layer, len(layers) - 1)] if layers else None

    def choose_group(self, group: tuple[Arm, int, int]) -> None:
        """Look at another arm, seed or replicate."""
        self._chosen = group
        self.changed.emit()

    def choose_level(self, level: int) -> None:
        """Look at another level."""
        self._level = level
        self.changed.emit()

    def choose_layer(self, number: int) -> None:
        """Look at another layer, by its place in ``layers``."""
        self._layer = max(0, min(number, len(self.layers) - 1))
        self.changed.emit()

    def step(self, levels: int = 0, layers: int = 0) -> None:
        """Go so many levels and layers on, or back; at the ends stay."""
        ticket = self.ticket
        if ticket is not None and levels:
            there = self.levels
            self._level = there[max(0, min(there.index(ticket) + levels, len(there) - 1))].level
        self.choose_layer(self._layer + layers)

    def change(self, **options: bool) -> None:
        """Set difference or fields."""
        for name, value in options.items():
            setattr(self, name, value)
        self.changed.emit()

    @property
    def title(self) -> str:
        """The run, arm and seed looked at, for a figure that leaves the window."""
        if self.run is None or self.group is None:
            return ""
        arm, seed, replicate = self.group
        return f"{self.run.name}, {self._name_of(arm)}, seed {seed}" + (f", replicate {replicate}" if replicate else "")

    @property
    def has_fields(self) -> bool:
        """Whether the layer looks at the image itself."""
        mask = self._mask(self.ticket)
        return (
            mask is not None and receptive_fields("", mask[:0] if mask.ndim == 0 else mask, self._image()) is not None
        )

    def picture(self, pixels: tuple[float, float] | None = None) -> MaskPicture | None:
        """The picture of the layer; None where it cannot be read, and ``problem`` says why.

        Args:
            pixels: Height and width that it is to be seen in: no cell is so small that it would not be seen.
        """
        self._unread = ""
        kept = self._mask(self.ticket)
        if kept is None:
            return None
        before = self._mask(self.before) if self.difference else None
        lost = before & ~kept if before is not None and before.shape == kept.shape else None
        return picture_of(kept, lost, self._image() if self.fields else None, pixels)

    def numbers(self) -> list[tuple[str, str]]:
        """What there is to say of the layer: name and value."""
        ticket, kept = self.ticket, self._mask(self.ticket)
        if ticket is None or kept is None:
            return []
        network = [("level", str(ticket.level)), ("network", f"{100 * ticket.density:.3g} %")]
        return network + numbers_of(kept, self._mask(self.before))

    def csv(self) -> str:
        """As CSV what there is to say of every layer at every level of the arm, seed and replicate looked at.

        Raises:
            InputError: A ticket cannot be read.
        """
        buffer = io.StringIO()
        writer = CsvWriter(buffer)
        writer.writerow(
            ["run", "arm", "seed", "replicate", "level", "network_density", "layer", "shape", "density", *COUNTS]
        )
        before: dict[str, np.ndarray] = {}
        for ticket in self.levels:
            masks, _ = load_tensors(ticket.folder / TICKET_FILE, "ticket", [f"mask/{layer}" for layer in self.layers])
            run = self.run and self.run.name
            whose = [run, ticket.arm.key, ticket.seed, ticket.replicate, ticket.level, ticket.density]
            for layer in self.layers:
                kept = masks[f"mask/{layer}"]
                counts = counts_of(kept, before.get(f"mask/{layer}"))
                shape = " x ".join(map(str, kept.shape))
                density = counts["survivors"] / counts["weights"]
                writer.writerow([*whose, layer, shape, density, *(counts.get(name, "") for name in COUNTS)])
            before = masks if ticket.arm == TICKET else {}
        return buffer.getvalue()

    def _find(self) -> None:
        """The run's tickets, from its manifest; of a step that cannot be read none."""
        assert self.run is not None
        try:
            self._entries, damaged = tickets_of(self.run, self._entries)
        except InputError as error:
            self._problem = str(error)
            return
        self.tickets = list({entry.folder: entry for entry in self._entries.values()}.values())
        self._problem = f"{damaged} of its steps cannot be read." if damaged else ""

    def _header(self) -> dict[str, Any] | None:
        ticket = self.ticket
        if ticket is None:
            return None
        if ticket.folder not in self._headers:
            try:
                _, header = load_tensors(ticket.folder / TICKET_FILE, "ticket", ())
                self._headers[ticket.folder] = header | {"kernels": list(header["kernels"])}
            except (InputError, KeyError, TypeError) as error:
                self._unread = f"This ticket cannot be read: {error}"
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
                self._unread = f"This ticket cannot be read: {error}"
                return None
            self._masks[key] = tensors[name]
            if len(self._masks) > _KEPT_MASKS:
                self._masks.popitem(last=False)
        return self._masks[key]

    def _image(self) -> tuple[int, ...]:
        """Height, width and channels of an image of the network; () where its description does not say."""
        model = (self._header() or {}).get("model", {})
        shape = model.get("input_shape") if isinstance(model, dict) else None
        return tuple(shape) if isinstance(shape, list) and is_one(shape, list[Count]) else ()
