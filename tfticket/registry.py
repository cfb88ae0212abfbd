"""Tables of named things. Literal tables name -> 'module:function', resolved when used.

Listing and checking a name imports nothing, so that help and forms stay fast.
"""

import functools
import importlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tfticket.errors import unknown


class Entry(NamedTuple):
    """Import target of a named thing, and a line about it."""

    target: str
    about: str


class StepKind(NamedTuple):
    """Import target of a step's function, and its version: raise it when the step's bits change."""

    target: str
    version: int


class Table(Mapping[str, Entry]):
    """Named things: built-in ones, and those that installed packages register as entry points.

    A package says in its pyproject.toml, with the table's group::

        [project.entry-points."tfticket.models"]
        my-net = "my_package.networks:my_net"

    Args:
        group: Name of the entry points' group.
        builtin: Name -> entry; packages cannot replace them.
    """

    def __init__(self, group: str, builtin: Mapping[str, Entry]) -> None:
        self.group = group
        self._builtin = dict(builtin)

    @functools.cached_property
    def _all(self) -> dict[str, Entry]:
        points = importlib.metadata.entry_points(group=self.group)
        registered = {
            point.name: Entry(point.value, f"from {point.dist.name if point.dist else '?'}") for point in points
        }
        return registered | self._builtin

    def __getitem__(self, name: str) -> Entry:
        return self._builtin[name] if name in self._builtin else self._all[name]

    def __contains__(self, name: object) -> bool:
        return name in self._builtin or name in self._all

    def __iter__(self) -> Iterator[str]:
        return iter({**self._builtin, **self._all})

    def __len__(self) -> int:
        return len(self._all)


# Subclasses of tfticket.experiment.Experiment.
EXPERIMENTS = Table(
    "tfticket.experiments",
    {
        "imp": Entry("tfticket._experiments.imp:Imp", "tickets by iterative pruning, trained beside their controls"),
        "bayesian-lth": Entry(
            "tfticket._experiments.bayesian_lth:BayesianLth",
            "tickets of variational networks beside deterministic ones; transplants",
        ),
        "bayes-always-wins": Entry(
            "tfticket._experiments.bayes_always_wins:BayesAlwaysWins",
            "iterative pruning; tickets are then trained, sampled by MCMC, or fitted by SVI",
        ),
    },
)

PRESETS = "tfticket._experiments.presets"
"""Package of the presets' files. Like the experiments it lies above the library, which names both here alone."""

THEMES = ("light", "dark", "system")
"""Colour themes of the window."""

DEFAULT_WORKSPACE = Path("workspace")
"""Default folder of all runs and steps."""

DATA_DIR = "TFTICKET_DATA"
"""The environment variable that names the user's folder of data sets; ``--data-dir`` sets it."""

DATA_SETS = Table(
    "tfticket.data",
    {
        "mnist": Entry("tfticket.data.sources:mnist", "28x28 grey digits, 60,000 + 10,000 rows, bundled"),
        "fashion-mnist": Entry("tfticket.data.sources:fashion_mnist", "28x28 grey clothes, 60,000 + 10,000 rows"),
        "cifar-10": Entry("tfticket.data.sources:cifar_10", "32x32 colour photographs, 50,000 + 10,000 rows"),
        "cifar-10-jpeg": Entry(
            "tfticket.data.sources:cifar_10_jpeg", "CIFAR-10 re-encoded as JPEG (lossy), 50,000 + 10,000 rows"
        ),
        "cifar-10-small": Entry(
            "tfticket.data.sources:cifar_10_small", "5,000 + 1,000 rows of CIFAR-10 re-encoded as JPEG, bundled"
        ),
    },
)

MODELS = Table(
    "tfticket.models",
    {
        "lenet-300-100": Entry(
            "tfticket.models.lenet:lenet_300_100", "two hidden dense layers, 266,610 parameters on MNIST"
        ),
        "lenet-5": Entry(
            "tfticket.models.lenet:lenet_5", "two convolutions, two dense layers, 431,080 parameters on MNIST"
        ),
        "conv-2": Entry(
            "tfticket.models.conv:conv_2", "2 convolutions, 3 dense layers, 4,301,642 parameters on CIFAR-10"
        ),
        "conv-4": Entry(
            "tfticket.models.conv:conv_4", "4 convolutions, 3 dense layers, 2,425,930 parameters on CIFAR-10"
        ),
        "conv-6": Entry(
            "tfticket.models.conv:conv_6", "6 convolutions, 3 dense layers, 2,262,602 parameters on CIFAR-10"
        ),
        "resnet-18": Entry(
            "tfticket.models.resnet:resnet_18", "residual, widths 64 to 512, 11,173,962 parameters on CIFAR-10"
        ),
        "resnet-20": Entry(
            "tfticket.models.resnet:resnet_20", "residual, widths 16 to 64, 272,474 parameters on CIFAR-10"
        ),
        "resnet-110": Entry(
            "tfticket.models.resnet:resnet_110", "residual, widths 16 to 64, 1,730,714 parameters on CIFAR-10"
        ),
        "vgg-11": Entry(
            "tfticket.models.vgg:vgg_11", "8 convolutions, a dense layer, 9,228,362 parameters on CIFAR-10"
        ),
        "vgg-16": Entry(
            "tfticket.models.vgg:vgg_16", "13 convolutions, a dense layer, 14,724,042 parameters on CIFAR-10"
        ),
        "vgg-19": Entry(
            "tfticket.models.vgg:vgg_19", "16 convolutions, a dense layer, 20,035,018 parameters on CIFAR-10"
        ),
        "vit-tiny": Entry("tfticket.models.vit:vit_tiny", "transformer of width 192, 5,362,762 parameters on CIFAR-10"),
        "vit-base": Entry(
            "tfticket.models.vit:vit_base", "transformer of width 768, 85,152,010 parameters on CIFAR-10"
        ),
    },
)

SCORES = Table(
    "tfticket.scores",
    {
        "magnitude": Entry("tfticket.pruning.scores:magnitude", "absolute value of the trained weight"),
        "mu": Entry("tfticket.pruning.scores:mu", "absolute posterior mean; of variational networks"),
        "snr": Entry("tfticket.pruning.scores:snr", "posterior mean over deviation; of variational networks"),
        "square": Entry("tfticket.pruning.scores:square", "root of squared mean plus variance; of variational ones"),
        "random": Entry("tfticket.pruning.scores:random", "a seeded uniform draw, the control"),
    },
)

CONTROLS = Table(
    "tfticket.controls",
    {
        "reinitialise": Entry("tfticket.tickets.controls:reinitialise", "keeps the mask, redraws the weights"),
        "keep-signs": Entry(
            "tfticket.tickets.controls:keep_signs", "keeps the mask and the signs, redraws the magnitudes"
        ),
        "shuffle-global": Entry("tfticket.tickets.controls:shuffle_global", "permutes the survivors over all layers"),
        "shuffle-even": Entry(
            "tfticket.tickets.controls:shuffle_even", "random survivors, all layers at the mean density"
        ),
        "shuffle-layerwise": Entry(
            "tfticket.tickets.controls:shuffle_layerwise", "permutes the survivors within each layer"
        ),
        "random-mask": Entry(
            "tfticket.tickets.controls:random_mask", "survivors at random, at densities that you give"
        ),
        "own-mask": Entry("tfticket.tickets.controls:own_mask", "a mask of your own, from an .npz"),
    },
)

SAMPLERS = Table(
    "tfticket.samplers",
    {
        "nuts": Entry("tfticket.sampling.nuts:build", "No-U-Turn sampler (Hoffman and Gelman, 2014), by tfp.mcmc"),
        "hmc": Entry(
            "tfticket.sampling.hmc:build", "Hamiltonian Monte Carlo, jittered trajectory lengths, by tfp.mcmc"
        ),
        "mams": Entry(
            "tfticket.sampling.mams:build", "Metropolis-adjusted microcanonical sampler (Robnik et al., 2025)"
        ),
        "mclmc": Entry(
            "tfticket.sampling.mclmc:build", "Microcanonical Langevin, unadjusted: slightly biased, and cheap"
        ),
        "sgld": Entry(
            "tfticket.sampling.sgld:build",
            "Langevin dynamics by stochastic gradients of minibatches (Welling and Teh, 2011)",
        ),
        "sghmc": Entry(
            "tfticket.sampling.sghmc:build", "HMC with friction by stochastic gradients (Chen et al., 2014)"
        ),
    },
)

LISTS = {
    "experiments": EXPERIMENTS,
    "models": MODELS,
    "data": DATA_SETS,
    "scores": SCORES,
    "controls": CONTROLS,
    "samplers": SAMPLERS,
}
"""Tables that `tfticket list` shows besides runs and presets."""

STEPS = {
    "start": StepKind("tfticket.steps:start", 2),
    "train": StepKind("tfticket.steps:train", 2),
    "prune": StepKind("tfticket.steps:prune", 1),
    "transplant": StepKind("tfticket.steps:transplant", 2),
    "control": StepKind("tfticket.steps:control", 3),
    "member": StepKind("tfticket.tickets.member:member", 1),
    "fit": StepKind("tfticket.steps:fit", 1),
    "draw": StepKind("tfticket.steps:draw", 1),
    "evaluate": StepKind("tfticket.steps:evaluate", 4),
    "ensemble": StepKind("tfticket.steps:ensemble", 3),
    "sample": StepKind("tfticket.sampling.chain_steps:sample", 5),
    "pool": StepKind("tfticket.sampling.chain_steps:pool", 2),
}


def check_name(kind: str, name: str, table: Mapping[str, object], *, field: str | None = None) -> str:
    """Return a name that is in the table; ``field`` holds it.

    Raises:
        InputError: It is not; the message suggests the nearest.
    """
    if name not in table:
        raise unknown(kind, name, table, field=field)
    return name


def resolve(target: str) -> Any:
    """Import 'module:name' and return the named object."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)
