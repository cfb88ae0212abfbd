"""What the papers' tables report, as data. Nothing here is a result of this program.

Of "Bayes always wins the lottery in Monte Carlo" (paper A) everything is on test rows; its ResNet-18 could not be
sampled for want of memory, so that it has no HMC. Its text gives 96.74 % and 53.27 % for tuned SVI of LeNet-300-100 on
MNIST and CIFAR-10, where its table gives 97 % and 52.22 %: both are here, told apart by their table. Of SVI with
default weights of the KL term only the text speaks. "Random" are 20 initialisations drawn anew; their spread is the
number after ± as printed, of which the paper does not say what it is.

Of "Monte Carlo winning tickets" (paper C) accuracies are on 5,000 rows held out from the training images; its random
pruning is random in each layer, as the control shuffle-layerwise is, beside which it therefore stands. Of "Bayesian
lottery ticket hypothesis" (paper B) the only table is of running times; its accuracies are printed as figures alone.
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
"""The papers in full, by the letters of their claims."""

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
"""Names of arms that only the papers have; runs have the others."""


@dataclass(frozen=True)
class Reported:
    """One number that a paper reports.

    Attributes:
        paper: Its short title.
        table: 'table 1', or where in the text.
        network, data: Names of this program's networks and data sets.
        arm: An arm of runs, or one of ``NAMES``.
        density: Fraction of the weights that remain; None of a running time, which is a mean over levels.
        metric: 'accuracy' (a fraction), 'nll' (nats), or 'minutes' of one level's training.
        value: The number.
        spread: What is printed after ±; None where nothing is.
        rows: On which rows it was measured.
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
        """Name of its arm."""
        return NAMES.get(self.arm, self.arm.name)

    @property
    def source(self) -> str:
        """Paper and table."""
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
    """What the papers report of a network on data.

    Args:
        network: Its name, 'lenet-300-100'.
        data: The data set's name, 'mnist'.
        metric: 'accuracy', 'nll' or 'minutes'.
    """
    return [one for one in REPORTED if (one.network, one.data, one.metric) == (network, data, metric)]


def _paper_a() -> Iterator[Reported]:
    for arm, metric, values, spreads in _A_TABLE:
        scale = 0.01 if metric == "accuracy" else 1.0
        for (network, data, density), value, spread in zip(_A_COLUMNS, values, spreads, strict=True):
            if value is not None:
                around = None if spread is None else round(scale * spread, 6)
                yield Reported(A, "table 1", network, data, arm, density, metric, round(scale * value, 6), around)
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
"""Every number of the papers' tables, and of the text where it adds to them."""
