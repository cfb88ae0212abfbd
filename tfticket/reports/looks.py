"""Which arms figures show, and how: the one place that decides an arm's colour, marker and line, in the window too."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np

from tfticket.arms import TICKET, Arm, Trunk

# Okabe and Ito's colours, told apart by the colour-blind; a marker each, for print.
_LOOKS = {
    TICKET: ("#0072B2", "o"),
    Arm(control="reinitialise"): ("#D55E00", "s"),
    Arm(control="keep-signs"): ("#E69F00", "v"),
    Arm(control="shuffle-global"): ("#CC79A7", "D"),
    Arm(control="shuffle-even"): ("#56B4E9", "P"),
    Arm(control="shuffle-layerwise"): ("#009E73", "^"),
    Arm(control="random-mask"): ("#000000", "X"),
    Arm(control="own-mask"): ("#661100", "H"),
    Arm(control="monte-carlo"): ("#332288", "p"),
    Arm("nuts"): ("#882255", "*"),
    Arm("hmc"): ("#999933", "d"),
    Arm(trunk=Trunk(variational=True, score="snr")): ("#AA3377", "s"),
    Arm(trunk=Trunk(variational=True, score="mu")): ("#228833", "^"),
    Arm(trunk=Trunk(variational=True, score="square")): ("#CCBB44", "D"),
    Arm("transplant-start"): ("#EE7733", "P"),
    Arm("transplant-trained"): ("#66CCEE", "v"),
    Arm("transplant-mask"): ("#BBBBBB", "X"),
    Arm("svi"): ("#44AA99", "<"),
    Arm("svi-tuned"): ("#BB5566", ">"),
    Arm("svi-unscaled"): ("#DDAA33", "v"),
    Arm("ensemble"): ("#7F7F7F", "h"),
}
_FURTHER_LOOKS = [
    ("#44AA99", "<"), ("#AA4499", ">"),
    ("#6699CC", "8"), ("#117733", "s"), ("#DDAA33", "D"), ("#BB5566", "v"),
]  # fmt: skip
"""Of arms that have none of their own: by their name, so that they look alike in every figure."""
_STYLES = ["-", "--", ":", "-."]
_MARKERS = "osvDP^Xphd<>H8*"
"""Those of arms of one control with other options, beginning with the control's."""
_LIGHTEST, _BLACKS_END = 0.55, "#C77C3B"
"""How much white the last of such arms has; from black it goes to a colour, as greys are too alike."""


class HasArm(Protocol):
    """What is of an arm."""

    @property
    def arm(self) -> Arm:
        """See ``Row``."""


Armed = TypeVar("Armed", bound=HasArm)


def tickets_alone(found: Sequence[Armed]) -> list[Armed]:
    """Of a run with several ways of iterative pruning, what is of no control, which are too many for one figure.

    Args:
        found: Rows, cells or curves of the same run; of one that has a single way all are left.
    """
    if all(one.arm.trunk is None for one in found):
        return list(found)
    return [one for one in found if not one.arm.control]


Looks = Mapping[tuple[str, Arm], Mapping[str, Any]]
"""(run, arm) -> how matplotlib draws it."""


def arm_looks(arms: Iterable[tuple[str, Arm]]) -> dict[tuple[str, Arm], dict[str, Any]]:
    """Return how to draw each (run, arm); it depends on which arms there are, not on their order.

    Colour and marker are the control's: tickets of each way of pruning have their own, a re-initialised ticket has the
    same whichever ticket it altered, and a line of its own where that is not the run's. Arms of one control with other
    options have a shade, a marker and a line each. Those of other runs differ by the line and by hollow markers, and so
    do tickets whose rates were rewound from those that went back to the start.

    Args:
        arms: All of a report or a window, so that its figures agree; runs in their order.
    """
    arms = list(arms)
    runs = list(dict.fromkeys(run for run, _ in arms))
    altered = {arm: arm if arm.is_ticket else replace(arm, trunk=None) for _, arm in arms}
    controls = _control_looks(sorted({_likeness(what) for what in altered.values()}))
    tickets = sorted({arm.ticket for _, arm in arms} - {TICKET})
    alike: dict[Arm, list[Arm]] = {}
    for what in sorted(set(altered.values())):
        alike.setdefault(_control(what), []).append(what)
    number_of = {}
    for arm, what in altered.items():
        place = 1 + tickets.index(arm.ticket) if what != arm else 0
        number_of[arm] = (
            place + alike[_control(what)].index(what) + (what.trunk is not None and what.trunk.rewinds_rate)
        )
    most = 1 + max(number_of.values(), default=0)
    found = {}
    for run, arm in arms:
        what = altered[arm]
        colour, marker = controls[_likeness(what)]
        options = alike[_control(what)]
        option = options.index(what)
        colour = _shade(colour, option / max(1, len(options) - 1))
        marker = _MARKERS[(_MARKERS.index(marker) + option) % len(_MARKERS)]
        number = runs.index(run) * most + number_of[arm]
        style, hollow = _STYLES[number % len(_STYLES)], (number + number // len(_STYLES)) % 2
        face = "white" if hollow else colour
        found[run, arm] = {"color": colour, "marker": marker, "mfc": face, "ls": style, "ms": 5, "lw": 1.6}
    return found


def by_arm(looks: Looks) -> dict[Arm, dict[str, Any]]:
    """Return arm -> look, of one run."""
    return {arm: dict(look) for (_, arm), look in looks.items()}


def layered(looks: Mapping[Arm, Mapping[str, Any]]) -> dict[Arm, dict[str, Any]]:
    """Return looks of lines that may coincide: each narrower than those drawn before it, so that all show."""
    widths = np.linspace(0.7 + 0.7 * len(looks), 1.4, len(looks))
    return {
        arm: {**look, "lw": width, "ms": 4 + width} for (arm, look), width in zip(looks.items(), widths, strict=True)
    }


def _control(arm: Arm) -> Arm:
    """Return the arm without what tells it from others that differ by shade: options, of chains also the control."""
    return arm.kind if arm.method == "train" else Arm(arm.method)


def _likeness(arm: Arm) -> Arm:
    """Return the arm whose colour and marker it shares."""
    if arm.trunk is None:
        return _control(arm)
    plain = replace(arm.trunk, rewinds_rate=False)
    return TICKET if plain == Trunk(variational=False, score="magnitude") else Arm(trunk=plain)


def _control_looks(controls: Sequence[Arm]) -> dict[Arm, tuple[str, str]]:
    """Colour and marker of each control; of two unknown ones that would look alike the second has the next look."""
    looks = dict(_LOOKS)
    for control in controls:
        if control not in looks:
            begin = zlib.crc32(control.key.encode())
            turns = [_FURTHER_LOOKS[(begin + turn) % len(_FURTHER_LOOKS)] for turn in range(len(_FURTHER_LOOKS))]
            looks[control] = next((look for look in turns if look not in looks.values()), turns[0])
    return looks


def _shade(colour: str, share: float) -> str:
    """A colour, lighter by a share of what is possible."""
    share = share**0.7  # dark ones look more alike than light ones
    end, most = (_BLACKS_END, 1.0) if colour == "#000000" else ("#FFFFFF", _LIGHTEST)
    ends = zip(bytes.fromhex(colour[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + "".join(f"{round(here + share * most * (there - here)):02X}" for here, there in ends)
