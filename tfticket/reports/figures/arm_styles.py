"""Styles of arms in figures and in the window: the one place that decides an arm's colour, marker and line."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfticket.arms import TICKET, Arm, Trunk

# Okabe and Ito's colours, distinct for the colour-blind; a marker each, for print.
_MARKS = {
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
_OTHER_MARKS = [
    ("#44AA99", "<"), ("#AA4499", ">"),
    ("#6699CC", "8"), ("#117733", "s"), ("#DDAA33", "D"), ("#BB5566", "v"),
]  # fmt: skip
"""Colours and markers of other arms, chosen by their name: the same in every figure."""
_LINES = ["-", "--", ":", "-."]
_MARKERS = "osvDP^Xphd<>H8*"
"""Markers of arms that differ by their options, beginning with the control's."""
_LIGHTEST, _BLACKS_END = 0.55, "#C77C3B"
"""Share of white of the last of such arms; black changes to a colour, as greys are too similar."""


Styles = Mapping[tuple[str, Arm], Mapping[str, Any]]
"""(run, arm) -> arguments of matplotlib's ``plot``."""


def arm_styles(arms: Iterable[tuple[str, Arm]]) -> dict[tuple[str, Arm], dict[str, Any]]:
    """Return the style of each (run, arm) of a report or a window; it depends on which there are, not on their order.

    Colour and marker are the control's: tickets of each way of pruning have their own; a re-initialised ticket has the
    same whichever ticket it alters, and a line of its own where that is not the run's. Arms of one control with other
    options have a shade, a marker and a line each. Those of other runs differ by the line and by hollow markers, and so
    do tickets of learning-rate rewinding from those of weight rewinding.
    """
    arms = list(arms)
    runs = list(dict.fromkeys(run for run, _ in arms))
    shown_as = {arm: arm if arm.is_ticket else replace(arm, trunk=None) for _, arm in arms}
    marks = _control_marks(sorted({_marked_as(shown) for shown in shown_as.values()}))
    tickets = sorted({arm.ticket for _, arm in arms} - {TICKET})
    by_control: dict[Arm, list[Arm]] = {}
    for shown in sorted(set(shown_as.values())):
        by_control.setdefault(_control(shown), []).append(shown)
    line_of = {}
    for arm, shown in shown_as.items():
        ticket = 1 + tickets.index(arm.ticket) if shown != arm else 0
        rewinds_rate = shown.trunk is not None and shown.trunk.rewinds_rate
        line_of[arm] = ticket + by_control[_control(shown)].index(shown) + rewinds_rate
    lines_per_run = 1 + max(line_of.values(), default=0)
    styles = {}
    for run, arm in arms:
        shown = shown_as[arm]
        colour, marker = marks[_marked_as(shown)]
        options = by_control[_control(shown)]
        option = options.index(shown)
        colour = _shade(colour, option / max(1, len(options) - 1))
        marker = _MARKERS[(_MARKERS.index(marker) + option) % len(_MARKERS)]
        number = runs.index(run) * lines_per_run + line_of[arm]
        line, hollow = _LINES[number % len(_LINES)], (number + number // len(_LINES)) % 2
        face = "white" if hollow else colour
        styles[run, arm] = {"color": colour, "marker": marker, "mfc": face, "ls": line, "ms": 5, "lw": 1.6}
    return styles


def styles_by_arm(styles: Styles | None, arms: Iterable[Arm]) -> dict[Arm, dict[str, Any]]:
    """Return arm -> style, of the report's one run; without styles, of these arms."""
    styles = styles or arm_styles(("", arm) for arm in arms)
    return {arm: dict(style) for (_, arm), style in styles.items()}


def overlapping(styles: Mapping[Arm, Mapping[str, Any]]) -> dict[Arm, dict[str, Any]]:
    """Return styles of lines that may coincide: each is narrower than those drawn before it, so that all show."""
    widths = np.linspace(0.7 + 0.7 * len(styles), 1.4, len(styles))
    return {
        arm: {**style, "lw": width, "ms": 4 + width} for (arm, style), width in zip(styles.items(), widths, strict=True)
    }


def _control(arm: Arm) -> Arm:
    """Return the arm without what differs by shade only: options, of chains also the control."""
    return arm.kind if arm.method == "train" else Arm(arm.method)


def _marked_as(arm: Arm) -> Arm:
    """Return the arm that it shares colour and marker with."""
    if arm.trunk is None:
        return _control(arm)
    plain = replace(arm.trunk, rewinds_rate=False)
    return TICKET if plain == Trunk(variational=False, score="magnitude") else Arm(trunk=plain)


def _control_marks(controls: Sequence[Arm]) -> dict[Arm, tuple[str, str]]:
    """Return colour and marker of each control; of two unknown ones with the same, the second has the next."""
    marks = dict(_MARKS)
    for control in controls:
        if control not in marks:
            begin = zlib.crc32(control.key.encode())
            turns = [_OTHER_MARKS[(begin + turn) % len(_OTHER_MARKS)] for turn in range(len(_OTHER_MARKS))]
            marks[control] = next((mark for mark in turns if mark not in marks.values()), turns[0])
    return marks


def _shade(colour: str, share: float) -> str:
    """Return a colour, lighter by a share of the possible range."""
    share = share**0.7  # dark colours look more alike than light ones
    end, most = (_BLACKS_END, 1.0) if colour == "#000000" else ("#FFFFFF", _LIGHTEST)
    ends = zip(bytes.fromhex(colour[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + "".join(f"{round(dark + share * most * (light - dark)):02X}" for dark, light in ends)
