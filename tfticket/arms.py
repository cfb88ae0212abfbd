"""Arms: what a run compares at a level, such as its tickets, a control of them, or chains over a control's mask.

An arm is a value. Text stands for it only at the edges: ``key`` in CSV, in the JSON of reports and on the command line,
``name`` in tables and figures, ``to_label`` in manifests.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import total_ordering
from typing import Any

METHODS = {
    "nuts": "NUTS",
    "hmc": "HMC",
    "mams": "MAMS",
    "mclmc": "MCLMC",
    "sgld": "SGLD",
    "sghmc": "SGHMC",
    "ensemble": "ensemble",
    "svi": "SVI",
    "svi-tuned": "SVI, tuned",
    "svi-unscaled": "SVI, unscaled",
    "transplant-start": "transplanted",
    "transplant-trained": "transplanted, trained weights",
    "transplant-mask": "transplanted mask",
    "population": "population",
}
"""Methods other than training by gradients, and their names; packages may register further samplers."""
SAMPLERS = ("nuts", "hmc", "mams", "mclmc", "sgld", "sghmc")
SVI = ("svi", "svi-tuned", "svi-unscaled")
TRANSPLANTS = ("transplant-start", "transplant-trained", "transplant-mask")
CONTROL_NAMES = {
    "reinitialise": "re-initialised",
    "keep-signs": "signs kept",
    "shuffle-global": "shuffled globally",
    "shuffle-even": "shuffled evenly",
    "shuffle-layerwise": "shuffled layerwise",
    "random-mask": "random mask",
    "own-mask": "own mask",
    "monte-carlo": "Monte Carlo",
}
"""Names of the known controls."""
_SCORE_NAMES = {"snr": "SNR", "mu": "abs(mu)", "square": "square", "magnitude": "magnitude", "random": "random"}

_TICKET, _OTHER_METHOD, _REWOUND = "ticket", "method=", "-lrr"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_KEY = re.compile(
    rf"""
    (?: (?P<method> {"|".join(METHODS)} | {_OTHER_METHOD}{_QUOTED} ) (?:\ |\Z) )?
    (?: (?P<kind> bayesian | deterministic )- (?P<score> {_QUOTED} | [^ ]*? ) (?P<rewound> {_REWOUND} )? (?:\ |\Z) )?
    (?P<control> {_QUOTED}(?=\ |\Z) | [^ ]* ) (?:\ (?P<options> .* ) )?
    """,
    re.VERBOSE | re.DOTALL,
)
"""The grammar of keys. A name that would be read as something else is quoted, as in JSON."""


@dataclass(frozen=True)
class Trunk:
    """A way of iterative pruning other than the run's own.

    Attributes:
        variational: Of the variational network, not of the deterministic one.
        score: Ranks the weights.
        rewinds_rate: By learning-rate rewinding: weights stay as they were trained.
    """

    variational: bool
    score: str
    rewinds_rate: bool = False

    @property
    def key(self) -> str:
        """Text that no other trunk has: 'bayesian-snr-lrr'."""
        misread = " " in self.score or self.score.startswith('"') or self.score.endswith(_REWOUND)
        score = _quoted(self.score) if misread else self.score
        return f"{'bayesian' if self.variational else 'deterministic'}-{score}{_REWOUND if self.rewinds_rate else ''}"

    @property
    def name(self) -> str:
        """Name for tables and figures: 'Bayesian, SNR, rate rewound'."""
        words = ["Bayesian"] if self.variational else []
        words.append(_SCORE_NAMES.get(self.score, self.score))
        return ", ".join([*words, *(["rate rewound"] if self.rewinds_rate else [])])


@total_ordering
@dataclass(frozen=True)
class Arm:
    """One arm of a run. Arms are ordered by their keys.

    Attributes:
        method: 'train' (by gradients), one of ``METHODS``, or a package's sampler.
        trunk: The way of pruning that found its tickets; None: the run's own.
        control: How the tickets are altered; '': not at all.
        options: Tells arms of one control apart: 'he_normal', 'magnitude, as printed, 5000 images'.
    """

    method: str = "train"
    trunk: Trunk | None = None
    control: str = ""
    options: str = ""

    def __lt__(self, other: "Arm") -> bool:
        return self.key < other.key

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """Text that no other arm has: 'ticket', 'bayesian-snr-lrr reinitialise he_normal'."""
        words = []
        if self.method != "train":
            words.append(self.method if self.method in METHODS else f"{_OTHER_METHOD}{_quoted(self.method)}")
        if self.trunk is not None:
            words.append(self.trunk.key)
        if self.control or self.options:
            plain = self.control and self.control == _KEY.fullmatch(self.control)["control"]  # type: ignore[index]
            misread = not plain or self.control == _TICKET or self.control.startswith('"')
            words.append(_quoted(self.control) if misread else self.control)
        if self.options:
            words.append(self.options)
        return " ".join(words) or _TICKET

    @classmethod
    def parse(cls, key: str) -> "Arm":
        """Read a key; any text is one."""
        match = _KEY.fullmatch(key)
        assert match is not None  # the control and its options take whatever the rest leaves
        method, kind, control, options = (match[name] or "" for name in ("method", "kind", "control", "options"))
        trunk = Trunk(kind == "bayesian", _unquoted(match["score"]), bool(match["rewound"])) if kind else None
        return cls(
            _unquoted(method.removeprefix(_OTHER_METHOD)) if method else "train",
            trunk,
            "" if control == _TICKET and not options else _unquoted(control),
            options,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the method, the trunk and the control, those that it has: 'NUTS', 're-initialised (he_normal)'."""
        parts = [METHODS.get(self.method, self.method)] if self.method != "train" else []
        parts += [self.trunk.name] if self.trunk is not None else []
        if known := CONTROL_NAMES.get(self.control):
            parts.append(f"{known} ({self.options})" if self.options else known)
        elif self.control or self.options:
            parts.append(f"{self.control} {self.options}".strip())
        return tuple(parts) or ("IMP ticket",)

    @property
    def name(self) -> str:
        """Name for tables and figures: 'NUTS, re-initialised (he_normal)'."""
        return ", ".join(self.names)

    @property
    def ticket(self) -> "Arm":
        """The arm of the tickets that it belongs to."""
        return Arm(trunk=self.trunk)

    @property
    def is_ticket(self) -> bool:
        """True of tickets themselves, trained from their own start."""
        return self == self.ticket

    @property
    def kind(self) -> "Arm":
        """The arm without its options."""
        return replace(self, options="")

    @property
    def is_variational(self) -> bool:
        """True if its networks are variational, whatever the run's own are."""
        return (self.trunk is not None and self.trunk.variational) or self.method in (*SVI, *TRANSPLANTS)

    def has_option(self, option: str) -> bool:
        """Return whether an option, such as 'as printed', is among those that commas separate."""
        return option in self.options.split(", ")

    def to_label(self) -> dict[str, Any]:
        """Return what a manifest holds: the method, and whatever else the arm has."""
        return {name: value for name, value in asdict(self).items() if value or name == "method"}

    @classmethod
    def from_label(cls, label: object) -> "Arm":
        """Read what a manifest holds: of earlier versions the key.

        Raises:
            ValueError: It is neither.
        """
        if isinstance(label, str):
            return cls.parse(label)
        parts: dict[str, Any] = dict(label) if isinstance(label, Mapping) else {"": label}
        trunk = parts.pop("trunk", None)
        if _are(parts, {"method": str, "control": str, "options": str}) and (
            trunk is None or _are(trunk, {"variational": bool, "score": str, "rewinds_rate": bool})
        ):
            with suppress(TypeError):  # a part of a trunk is missing
                return cls(**parts, trunk=None if trunk is None else Trunk(**trunk))
        raise ValueError("an arm: its method, trunk, control and options")


TICKET = Arm()
"""The run's own tickets."""


def written_label(label: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step's label as JSON holds it."""
    return {name: value.to_label() if isinstance(value, Arm) else value for name, value in label.items()}


def _are(values: object, kinds: Mapping[str, type]) -> bool:
    """Return whether values have these names and kinds."""
    return isinstance(values, Mapping) and all(isinstance(values[n], kinds.get(n, ())) for n in values)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _unquoted(text: str) -> str:
    """Return what a word of a key says; one that is not quoted as JSON does says itself."""
    try:
        value = json.loads(text) if text.startswith('"') else text
    except ValueError:
        return text
    return str(value)
