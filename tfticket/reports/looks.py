"""Which arms figures show, and how: of the same colour and marker in every one, whichever others there are."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from tfticket.reports.rows import METHODS, control_of, trunk_of

# Okabe and Ito's colours, told apart by the colour-blind; a marker each, for print.
_LOOKS = {
    "ticket": ("#0072B2", "o"),
    "reinitialise": ("#D55E00", "s"),
    "keep-signs": ("#E69F00", "v"),
    "shuffle-global": ("#CC79A7", "D"),
    "shuffle-even": ("#56B4E9", "P"),
    "shuffle-layerwise": ("#009E73", "^"),
    "random-mask": ("#000000", "X"),
    "own-mask": ("#661100", "H"),
    "monte-carlo": ("#332288", "p"),
    "nuts": ("#882255", "*"),
    "hmc": ("#999933", "d"),
    "bayesian-snr": ("#AA3377", "s"),
    "bayesian-mu": ("#228833", "^"),
    "bayesian-square": ("#CCBB44", "D"),
    "transplant-start": ("#EE7733", "P"),
    "transplant-trained": ("#66CCEE", "v"),
    "transplant-mask": ("#BBBBBB", "X"),
    "svi": ("#44AA99", "<"),
    "svi-tuned": ("#BB5566", ">"),
    "svi-unscaled": ("#DDAA33", "v"),
    "ensemble": ("#7F7F7F", "h"),
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

_REWOUND = "-lrr"
"""What the arms of tickets end with whose learning rate was rewound, and not their weights."""


class HasArm(Protocol):
    """What is of an arm."""

    @property
    def arm(self) -> str:
        """See ``Row``."""


Armed = TypeVar("Armed", bound=HasArm)


def tickets_alone(found: Sequence[Armed]) -> list[Armed]:
    """Of a run with several ways of iterative pruning, what is of no control, which are too many for one figure.

    Args:
        found: Rows, cells or curves of the same run; of one that has a single way all are left.
    """
    if all(trunk_of(one.arm) == "ticket" for one in found):
        return list(found)
    return [one for one in found if one.arm == trunk_of(one.arm) or one.arm in METHODS]


def arm_looks(arms: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """How to draw each (run, arm): colour and marker by the control, whichever others there are.

    Arms of one control with other options have a shade, a marker and a line each. Those of other runs differ by the
    line and by hollow markers, and so do tickets whose rates were rewound from those that went back to the start.
    """
    looks = _control_looks(list(dict.fromkeys(_base(control_of(arm)) for _, arm in arms)))
    alike: dict[str, list[str]] = {}
    for _, arm in arms:
        found_so_far = alike.setdefault(control_of(arm), [])
        if arm not in found_so_far:
            found_so_far.append(arm)
    runs, most = list(dict.fromkeys(run for run, _ in arms)), max(map(len, alike.values()), default=1)
    found = {}
    for run, arm in arms:
        colour, marker = looks[_base(control_of(arm))]
        options = alike[control_of(arm)]
        option = options.index(arm)
        colour = _shade(colour, option / max(1, len(options) - 1))
        marker = _MARKERS[(_MARKERS.index(marker) + option) % len(_MARKERS)]
        number = runs.index(run) * most + option + control_of(arm).endswith(_REWOUND)
        style, hollow = _STYLES[number % len(_STYLES)], (number + number // len(_STYLES)) % 2
        face = "white" if hollow else colour
        found[run, arm] = {"color": colour, "marker": marker, "mfc": face, "ls": style, "ms": 5, "lw": 1.6}
    return found


def layered(looks: Mapping[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Looks of lines that may coincide: each narrower than the ones drawn before it and broken, so that all show."""
    widths = np.linspace(0.7 + 0.5 * len(looks), 1.2, len(looks))
    return {
        arm: look | {"lw": width, "ls": _STYLES[number % len(_STYLES)], "ms": 2.5 + width}
        for number, ((arm, look), width) in enumerate(zip(looks.items(), widths, strict=True))
    }


def _base(control: str) -> str:
    """The control whose colour and marker it shares."""
    base = control.removesuffix(_REWOUND)
    return "ticket" if base == "deterministic-magnitude" else base


def _control_looks(controls: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each control; of two unknown ones that would look alike the second has the next look."""
    looks = dict(_LOOKS)
    for control in controls:
        if control not in looks:
            begin = zlib.crc32(control.encode())
            turns = [_FURTHER_LOOKS[(begin + turn) % len(_FURTHER_LOOKS)] for turn in range(len(_FURTHER_LOOKS))]
            looks[control] = next((look for look in turns if look not in looks.values()), turns[0])
    return looks


def _shade(colour: str, share: float) -> str:
    """A colour, lighter by a share of what is possible."""
    share = share**0.7  # dark ones look more alike than light ones
    end, most = (_BLACKS_END, 1.0) if colour == "#000000" else ("#FFFFFF", _LIGHTEST)
    ends = zip(bytes.fromhex(colour[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + "".join(f"{round(here + share * most * (there - here)):02X}" for here, there in ends)
