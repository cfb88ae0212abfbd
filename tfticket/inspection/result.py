"""Results of the inspection and of the comparison of tickets. No TensorFlow."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Histogram:
    """Weights of one kernel, counted in bins of equal width; the kept and the pruned ones in the same bins.

    Attributes:
        edges: float64 [bins + 1]. The first bin includes what lies below it, the last what lies above.
        kept: int64 [bins], weights that survive.
        pruned: int64 [bins], weights that do not survive.
    """

    edges: np.ndarray
    kept: np.ndarray
    pruned: np.ndarray


@dataclass(frozen=True, eq=False)
class Picture:
    """A kernel's mask as a picture: a row for each input of a unit, a column for each unit.

    Attributes:
        values: bool [rows, columns]; where the mask is larger than the picture, float16 [rows, columns], the density of
            the weights in a cell.
        binned: True if a cell stands for several weights.
    """

    values: np.ndarray
    binned: bool


@dataclass(frozen=True, eq=False)
class KernelInspection:
    """One kernel under its mask.

    A survivor is live if it lies on a path of survivors from an input of the network to an output. A unit is dead if
    no such path goes through its incoming weights; its bias, and shortcuts past it, do not count. Where layers are
    unknown, live survivors and dead units are None: the inspection's notes give the reason.

    Attributes:
        path: The kernel's path.
        kind: Its layer's class.
        shape: Its shape; the last number is units, the one before inputs.
        survivors: Weights that survive.
        live: Survivors that are live.
        dead_units: bool [units].
        fed_inputs: Features or channels of the layer's input that a path from the network's input reaches.
        used_inputs: Features or channels of the layer's input with a live survivor.
        multiplies: Multiplications of the dense layer, for one image. A kernel counts once for each position that it is
            applied to, and for each call of its layer; padding at the borders counts too.
        histograms: Name -> histogram: 'initial'; 'start', where it differs; 'trained', of survivors only; 'before',
            of the trained weights from which the mask was chosen. Weights that are exactly 0 and pruned count in
            'initial' only.
        picture: Its mask.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    survivors: int
    live: int | None
    dead_units: np.ndarray | None
    fed_inputs: int | None
    used_inputs: int | None
    multiplies: int
    histograms: dict[str, Histogram]
    picture: Picture

    @property
    def weights(self) -> int:
        return math.prod(self.shape)

    @property
    def density(self) -> float:
        """Fraction of the weights that survives."""
        return self.survivors / self.weights

    @property
    def units(self) -> int:
        """Output neurons or channels."""
        return self.shape[-1]

    @property
    def inputs(self) -> int:
        """Features or channels of the layer's input."""
        return self.shape[-2]

    @property
    def dead(self) -> int | None:
        """The number of dead units."""
        return None if self.dead_units is None else int(np.count_nonzero(self.dead_units))

    @property
    def surviving_multiplies(self) -> int:
        """Multiplications by survivors, for one image."""
        return self.multiplies // self.weights * self.survivors


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """Receptive fields of the units of the input layer.

    Attributes:
        path: The layer's kernel.
        fields: bool [units, height, width, channels], the mask of each unit: over the image for a dense layer, over
            its window for a convolution.
        per_pixel: int64 [height, width, channels], surviving weights at each input; None for a convolution.
    """

    path: str
    fields: np.ndarray
    per_pixel: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Inspection:
    """The inspection of a ticket.

    Paths lead from an input of the network to an output through surviving weights. They are counted in float64: about
    15 digits are exact, and beyond 1e308 there is no number. See ``tfticket.inspection.paths``.

    Attributes:
        network: The network's name.
        level: The ticket's level.
        density: Fraction of the prunable weights that survives, exempt layers left out.
        exempt: Layers that pruning leaves as they are.
        parameters: Trainable weights, and all weights of kernels, in the dense network.
        surviving_parameters: The same without pruned weights.
        paths: Number of paths of the ticket; None if it is unknown.
        dense_paths: Number of paths of the dense network.
        input_paths: float64, of the shape of an image: paths from each input.
        dead_inputs: bool, of the shape of an image: True if no path begins there. Known also if paths are too many to
            count.
        receptive_fields: Receptive fields of the input layer; None if that layer cannot be pruned.
        kernels: The kernels in the network's order.
        notes: What is unknown, and why.
    """

    network: str
    level: int
    density: float
    exempt: tuple[str, ...]
    parameters: int
    surviving_parameters: int
    paths: float | None
    dense_paths: float | None
    input_paths: np.ndarray | None
    dead_inputs: np.ndarray | None
    receptive_fields: ReceptiveFields | None
    kernels: tuple[KernelInspection, ...]
    notes: tuple[str, ...] = ()

    @property
    def path_ratio(self) -> float | None:
        """Paths of the ticket over paths of the dense network."""
        return self.paths / self.dense_paths if self.paths is not None and self.dense_paths else None

    @property
    def multiplies(self) -> int:
        """Multiplications by prunable kernels in the dense network, for one image."""
        return sum(kernel.multiplies for kernel in self.kernels)

    @property
    def surviving_multiplies(self) -> int:
        """Multiplications by surviving weights, for one image."""
        return sum(kernel.surviving_multiplies for kernel in self.kernels)

    @property
    def dead_input_count(self) -> int | None:
        """The number of inputs where no path begins."""
        return None if self.dead_inputs is None else int(np.count_nonzero(self.dead_inputs))

    def kernel(self, path: str) -> KernelInspection:
        return next(kernel for kernel in self.kernels if kernel.path == path)


@dataclass(frozen=True, eq=False)
class TicketComparison:
    """Tickets of one network against one another. Every matrix is symmetric.

    Attributes:
        names: The tickets' names.
        paths: The kernels' paths.
        densities: float64 [tickets, kernels].
        jaccard: float64 [kernels, tickets, tickets], survivors of both over survivors of either.
        jaccard_by_chance: The same of independent masks of these densities: the survivors that they share on average,
            over those of either.
        coefficient: float64 [kernels, tickets, tickets], survivors of both over those of the sparser mask.
        over_chance: float64 [kernels, tickets, tickets], survivors of both over those shared by chance; 1 where a mask
            is empty.
        total_jaccard, total_jaccard_by_chance, total_coefficient, total_over_chance: float64 [tickets, tickets], of
            whole networks, from the sums over their kernels. Layers that a ticket of the pair exempts and that are
            dense in both do not count: they would make tickets look alike. By chance: survivors are drawn in each
            layer at the layer's densities.
    """

    names: tuple[str, ...]
    paths: tuple[str, ...]
    densities: np.ndarray
    jaccard: np.ndarray
    jaccard_by_chance: np.ndarray
    coefficient: np.ndarray
    over_chance: np.ndarray
    total_jaccard: np.ndarray
    total_jaccard_by_chance: np.ndarray
    total_coefficient: np.ndarray
    total_over_chance: np.ndarray
