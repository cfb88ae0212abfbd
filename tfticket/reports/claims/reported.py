"""Numbers that the papers' tables report, as data. Nothing here is a result of this program.

Paper A, "Bayes always wins the lottery in Monte Carlo": all numbers are on test rows. Its ResNet-18 was not sampled for
want of memory and has no HMC. Its text gives 96.74 % and 53.27 % for tuned SVI of LeNet-300-100 on MNIST and CIFAR-10,
its table 97 % and 52.22 %: both are here, with their source. SVI with default weights of the KL term is in the text
only. "Random" are 20 re-initialisations; their spread is the number after ±, which the paper does not define.

Paper C, "Monte Carlo winning tickets": accuracies are on 5,000 rows held out from the training images. Its random
pruning is random in each layer, so it is listed as the control shuffle-layerwise. Paper B, "Bayesian lottery ticket
hypothesis": its only table is of running times; accuracies appear in figures alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tfticket.arms import TICKET, Arm

A = "Bayes always wins the lottery"
B = "Bayesian lottery ticket hypothesis"
C = "Monte Carlo winning tickets"

CITATIONS = {
    "A": '"Bayes Always Wins the Lottery in Monte Carlo", anonymous authors, paper under double-blind review (2025).',
    "B": "Nicholas Kuhn, Arvid Weyrauch, Lars Heyen, Achim Streit, Markus Götz, Charlotte Debus, "
    '"Bayesian Lottery Ticket Hypothesis", arXiv:2602.18825 (2026).',
    "C": 'Rafał Grzeszczuk, Marcin Kurdziel, "Monte Carlo Winning Tickets", AGH University of Science and Technology, '
    "Kraków.",
}
"""Letter of the claims -> citation of the paper."""

_DEFAULT_SVI, _DENSE = Arm(control="svi-default"), Arm(control="dense")
_DETERMINISTIC, _BAYESIAN = Arm(control="deterministic"), Arm(control="bayesian")
_REINITIALISED = Arm(control="reinitialise")
_RANDOM = Arm(control="shuffle-layerwise")
_MAGNITUDE, _CONNECTIVITY = (Arm(control="monte-carlo", options=name) for name in ("magnitude", "connectivity"))

NAMES = {
    _DEFAULT_SVI: "SVI, default KL weights",
    _DENSE: "unpruned",
    _DETERMINISTIC: "deterministic",
    _BAYESIAN: "Bayesian",
}
"""Names of arms that only the papers have."""


@dataclass(frozen=True)
class Reported:
    """One number that a paper reports.

    Attributes:
        table: 'table 1', or the section of the text.
        network, data: Names of this program's network and data set.
        arm: An arm of runs, or one of ``NAMES``.
        density: Fraction of the weights that remain; None for a running time, which is a mean over levels.
        metric: 'accuracy' (a fraction), 'nll' (nats), or 'minutes' of one level's training.
        rows: The rows that it was measured on.
    """

    paper: str
    table: str
    network: str
    data: str
    arm: Arm
    density: float | None
    metric: str
    value: float
    spread: float | None = None
    rows: str = "test rows"

    @property
    def name(self) -> str:
        return NAMES.get(self.arm, self.arm.name)

    @property
    def source(self) -> str:
        return f"{self.paper}, {self.table}"


_A_COLUMNS = (
    ("lenet-300-100", "mnist", 0.01),
    ("lenet-300-100", "cifar-10", 0.01),
    ("lenet-5", "mnist", 0.01),
    ("resnet-18", "cifar-10", 0.08),
)
_A_TABLE: tuple[tuple[Arm, str, tuple[float | None, ...], tuple[float | None, ...]], ...] = (
    (Arm("hmc"), "accuracy", (97.79, 56.45, 97.65, None), (None,) * 4),
    (TICKET, "accuracy", (97.05, 53.3, 97.6, 80.79), (None,) * 4),
    (Arm("svi"), "accuracy", (97.0, 52.22, 99.04, 86.04), (None,) * 4),
    (_REINITIALISED, "accuracy", (96.85, 51.28, 89.81, 78.59), (0.79, 0.38, 1.39, 0.08)),
    (Arm("hmc"), "nll", (0.0981, 1.2519, 0.0747, None), (None,) * 4),
    (TICKET, "nll", (0.1028, 1.4559, 0.0689, 4.0451), (None,) * 4),
    (Arm("svi"), "nll", (0.1162, 1.4092, 0.0618, 1.2957), (None,) * 4),
    (_REINITIALISED, "nll", (0.117, 1.376, 0.333, 4.062), (0.01, 0.01, 0.05, 0.01)),
)
"""Arm, metric, values in the order of the columns, spreads; accuracies in per cent, as printed."""

_A_TEXT = (
    (Arm("svi"), "mnist", 96.74),
    (Arm("svi"), "cifar-10", 53.27),
    (_DEFAULT_SVI, "mnist", 96.5),
    (_DEFAULT_SVI, "cifar-10", 52.4),
)

_C_NETWORKS = ("conv-2", "conv-4", "conv-6")
_C_TABLE = (
    (_DENSE, 1.0, (67.20, 74.62, 77.40)),
    (_RANDOM, 0.2, (66.90, 73.20, 73.14)),
    (TICKET, 0.2, (70.42, 74.92, 78.04)),
    (_MAGNITUDE, 0.2, (69.47, 76.39, 78.10)),
    (_CONNECTIVITY, 0.2, (68.40, 76.21, 78.17)),
)
"""Arm, density, accuracies in per cent."""

_B_TABLE = (("resnet-20", 12.0, 33.0), ("vgg-11", 13.0, 72.0), ("vit-tiny", 9.0, 51.0))
"""Network, minutes of a level: deterministic, Bayesian."""


def reported_for(network: str, data: str, metric: str) -> list[Reported]:
    """Return the numbers that the papers report: 'accuracy', 'nll' or 'minutes' of a network on a data set."""
    return [number for number in REPORTED if (number.network, number.data, number.metric) == (network, data, metric)]


def _paper_a() -> Iterator[Reported]:
    for arm, metric, values, spreads in _A_TABLE:
        scale = 0.01 if metric == "accuracy" else 1.0
        for (network, data, density), value, spread in zip(_A_COLUMNS, values, spreads, strict=True):
            if value is not None:
                scaled = None if spread is None else round(scale * spread, 6)
                yield Reported(A, "table 1", network, data, arm, density, metric, round(scale * value, 6), scaled)
    for arm, data, value in _A_TEXT:
        yield Reported(A, "section 5", "lenet-300-100", data, arm, 0.01, "accuracy", round(value / 100, 6))


def _paper_b() -> Iterator[Reported]:
    for network, *minutes in _B_TABLE:
        for arm, value in zip((_DETERMINISTIC, _BAYESIAN), minutes, strict=True):
            yield Reported(B, "table 1", network, "cifar-10", arm, None, "minutes", value, rows="training")


def _paper_c() -> Iterator[Reported]:
    for arm, density, values in _C_TABLE:
        for network, value in zip(_C_NETWORKS, values, strict=True):
            percent = round(value / 100, 6)
            yield Reported(
                C, "table 1", network, "cifar-10", arm, density, "accuracy", percent, rows="held-out training rows"
            )


REPORTED: tuple[Reported, ...] = (*_paper_a(), *_paper_b(), *_paper_c())
"""Every number of the papers' tables, and those that only the text gives."""
