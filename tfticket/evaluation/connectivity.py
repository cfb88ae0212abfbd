"""Connectivity: the mean input that reaches each weight of a masked network, over rows and positions.

Inputs of networks for floats are standardised: their mean is 0 and says nothing of what reaches a weight. Of such a
network it is the mean absolute input; after a ReLU the two are the same.

References:
    "Monte Carlo winning tickets", equations 2 and 3.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfticket.backend import own_settings, tf
from tfticket.errors import Stopped
from tfticket.models import model_from_spec, normalisation_of
from tfticket.models.variables import inner_layer, layers_by_path
from tfticket.network import MaskedNetwork
from tfticket.types import Mask, Spec, Weights

KEPT_BYTES = 2.5e9
"""At most so many bytes of layers' inputs are kept, for later layers to begin at."""

Tell = Callable[[int, int], None]
"""Told how many images are done, and of how many."""


def over_passes(tell: Tell, passes: int) -> Tell:
    """Tell how far several passes over images are together.

    Args:
        tell: Told of all passes as of one.
        passes: How many there are.

    Returns:
        What is told of each pass.
    """
    done = 0

    def told(images: int, of: int) -> None:
        nonlocal done
        tell(done * of + images, passes * of)
        done += images == of

    return told


class Connectivity:
    """Mean inputs of a network's prunable layers under masks that may be chosen layer by layer.

    A layer's pass over the images begins at the last layer whose own inputs were kept: those of a layer are kept if
    they fit in ``KEPT_BYTES``. So the masks of layers before that one must not change between passes.

    Args:
        spec: The network.
        weights: Path -> array.
        images: As the network's data, uint8 or float32 [rows, ...].
        tell: Told of each pass.
        should_stop: Asked after every tile of images.

    Raises:
        InputError: Rows of another type or shape than the network takes.
    """

    def __init__(
        self,
        spec: Spec,
        weights: Weights,
        images: np.ndarray,
        tell: Tell = lambda *_: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        normalisation = normalisation_of(spec)
        self._network = MaskedNetwork(model_from_spec(spec), normalisation)
        self._measured = tf.abs if normalisation.dtype == "float32" else tf.identity
        self._weights, self._tell, self._should_stop = weights, tell, should_stop
        self._images = self._network.check_rows(images)
        self._heard: dict[str, list[Any]] = {}
        self._fed: tuple[str, Any] | None = None
        self._begin: tuple[str, np.ndarray] | None = None
        for name, outer in layers_by_path(self._network.model):
            if (path := f"{name}/kernel") in self._network.masked:
                self._listen(path, inner_layer(outer))

    @own_settings()
    def of(self, paths: Sequence[str], mask: Mask, keep: bool = False) -> dict[str, np.ndarray]:
        """Mean inputs of layers.

        Args:
            paths: Their kernels' paths.
            mask: Of the whole network; masks after these layers do not matter.
            keep: Later passes may begin at the last of these layers.

        Returns:
            Kernel path -> mean of each input channel, float64 [channels]; a layer that is called several times has
            the mean over its calls.

        Raises:
            Stopped: The user asked to stop.
        """
        self._network.assign(mask, self._weights)
        begin, kept = self._begin, None
        one_tile = tf.function(
            functools.partial(self._tile, paths, begin[0] if begin else None), jit_compile=self._network.jit
        )
        rows, size = len(self._images), self._network.tile
        sums = dict.fromkeys(paths, 0.0)
        for first in range(0, rows, size):
            part = slice(first, min(first + size, rows))
            fed = begin[1][part] if begin else np.zeros(0, np.float32)
            means, inputs = one_tile(tf.constant(self._images[part]), tf.constant(fed))
            for path in paths:
                sums[path] = sums[path] + means[path].numpy().astype(np.float64)
            if keep and first == 0 and inputs is not None:
                kept = self._room_for(inputs)
            if kept is not None:
                kept[part] = inputs.numpy()
            self._tell(part.stop, rows)
            if self._should_stop():
                raise Stopped("stopped; the step begins anew")
        if kept is not None:
            self._begin = (paths[-1], kept)
        return {path: np.asarray(total) / rows for path, total in sums.items()}

    def _listen(self, path: str, layer: Any) -> None:
        call = layer.call

        @functools.wraps(call)
        def heard(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if self._fed is not None and self._fed[0] == path:
                inputs = self._fed[1]
            self._heard.setdefault(path, []).append(inputs)
            return call(inputs, *args, **kwargs)

        layer.call = heard

    def _tile(self, paths: Sequence[str], begin: str | None, images: Any, fed: Any) -> tuple[dict[str, Any], Any]:
        """Sums over rows of the layers' inputs, and the last layer's inputs if it is called once.

        What these do not need is not computed: TensorFlow leaves out the layers before a fed one, and those after.
        """
        self._heard, self._fed = {}, None if begin is None else (begin, fed)
        self._network.model(self._network.inputs(images), training=False)
        sums = {}
        for path in paths:
            heard = [self._measured(each) for each in self._heard[path]]
            means = [tf.reduce_mean(each, list(range(1, each.shape.rank - 1))) for each in heard]
            sums[path] = tf.reduce_sum(tf.add_n(means), 0) / len(means)
        last = self._heard[paths[-1]]
        return sums, last[0] if len(last) == 1 else None

    def _room_for(self, inputs: Any) -> np.ndarray | None:
        """An array for these inputs of all images, if there is room beside what is kept already."""
        shape = (len(self._images), *inputs.shape[1:])
        there = self._begin[1].nbytes if self._begin else 0
        return np.empty(shape, np.float32) if 4.0 * np.prod(shape, dtype=float) + there <= KEPT_BYTES else None


def by_weight(channels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mean input that reaches each weight of a kernel, float64 of the kernel's shape.

    Args:
        channels: Mean of each input channel [channels].
        shape: The kernel's: [..., channels of a group, units].
    """
    inputs, units = shape[-2:]
    first = np.arange(units) * (len(channels) // inputs) // units * inputs  # of each unit's group
    return np.broadcast_to(channels[first + np.arange(inputs)[:, None]], shape)
