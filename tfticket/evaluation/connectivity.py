"""Connectivity: the mean input that reaches each weight of a masked network, over rows and positions.

Networks for floats have standardised inputs, whose mean is 0 whatever reaches a weight. For them, connectivity is the
mean absolute input; after a ReLU the two are equal.

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

CACHE_BYTES = 2.5e9
"""Most bytes of layer inputs that are cached, where passes of later layers begin."""

OnProgress = Callable[[int, int], None]
"""Called with the number of images done, and of all images."""


def over_passes(on_progress: OnProgress, passes: int) -> OnProgress:
    """Merge the progress of several passes over images."""
    done = 0

    def on_pass_progress(images: int, total: int) -> None:
        nonlocal done
        on_progress(done * total + images, passes * total)
        done += images == total

    return on_pass_progress


class Connectivity:
    """Mean inputs of the prunable layers of a network, under masks that may be chosen layer by layer.

    A pass over the images begins at the last layer whose inputs were cached; inputs are cached if they fit in
    ``CACHE_BYTES``. So masks of layers before that one must not change between passes.

    Args:
        spec: The network.
        weights: Path -> array.
        images: Like the data of the network, uint8 or float32 [rows, ...].
        on_progress: Called after every tile of images.
        should_stop: Called after every tile of images; True stops.

    Raises:
        InputError: Rows of a type or shape that the network does not take.
    """

    def __init__(
        self,
        spec: Spec,
        weights: Weights,
        images: np.ndarray,
        on_progress: OnProgress = lambda *_: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        normalisation = normalisation_of(spec)
        self._network = MaskedNetwork(model_from_spec(spec), normalisation)
        self._magnitude = tf.abs if normalisation.dtype == "float32" else tf.identity
        self._weights, self._on_progress, self._should_stop = weights, on_progress, should_stop
        self._images = self._network.check_rows(images)
        self._layer_inputs: dict[str, list[Any]] = {}
        self._override: tuple[str, Any] | None = None
        self._cache: tuple[str, np.ndarray] | None = None
        for name, outer in layers_by_path(self._network.model):
            if (path := f"{name}/kernel") in self._network.masked:
                self._record_inputs(path, inner_layer(outer))

    @own_settings()
    def of(self, paths: Sequence[str], mask: Mask, keep: bool = False) -> dict[str, np.ndarray]:
        """Return the mean inputs of layers.

        Args:
            paths: Of their kernels.
            mask: Of the whole network; masks of later layers have no effect.
            keep: Whether to cache the inputs of the last of these layers, so that later passes begin there.

        Returns:
            Kernel path -> mean of each input channel, float64 [channels]; the mean over calls where a layer is called
            several times.

        Raises:
            Stopped: The user asked to stop.
        """
        self._network.assign(mask, self._weights)
        cache, kept = self._cache, None
        sum_tile = tf.function(
            functools.partial(self._sum_tile, paths, cache[0] if cache else None), jit_compile=self._network.jit
        )
        rows, size = len(self._images), self._network.tile
        sums = dict.fromkeys(paths, 0.0)
        for first in range(0, rows, size):
            part = slice(first, min(first + size, rows))
            cached = cache[1][part] if cache else np.zeros(0, np.float32)
            means, inputs = sum_tile(tf.constant(self._images[part]), tf.constant(cached))
            for path in paths:
                sums[path] = sums[path] + means[path].numpy().astype(np.float64)
            if keep and first == 0 and inputs is not None:
                kept = self._new_cache(inputs)
            if kept is not None:
                kept[part] = inputs.numpy()
            self._on_progress(part.stop, rows)
            if self._should_stop():
                raise Stopped("stopped; the step will begin again")
        if kept is not None:
            self._cache = (paths[-1], kept)
        return {path: np.asarray(total) / rows for path, total in sums.items()}

    def _record_inputs(self, path: str, layer: Any) -> None:
        call = layer.call

        @functools.wraps(call)
        def recording_call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if self._override is not None and self._override[0] == path:
                inputs = self._override[1]
            self._layer_inputs.setdefault(path, []).append(inputs)
            return call(inputs, *args, **kwargs)

        layer.call = recording_call

    def _sum_tile(
        self, paths: Sequence[str], begin: str | None, images: Any, cached: Any
    ) -> tuple[dict[str, Any], Any]:
        """Return sums over rows of the layers' inputs, and the inputs of the last layer if it is called once.

        TensorFlow prunes from the graph what these do not need: layers before a cached one, and later ones.
        """
        self._layer_inputs, self._override = {}, None if begin is None else (begin, cached)
        self._network.model(self._network.inputs(images), training=False)
        sums = {}
        for path in paths:
            calls = [self._magnitude(inputs) for inputs in self._layer_inputs[path]]
            means = [tf.reduce_mean(inputs, list(range(1, inputs.shape.rank - 1))) for inputs in calls]
            sums[path] = tf.reduce_sum(tf.add_n(means), 0) / len(means)
        last = self._layer_inputs[paths[-1]]
        return sums, last[0] if len(last) == 1 else None

    def _new_cache(self, inputs: Any) -> np.ndarray | None:
        """Return an array for these inputs of all images, if it fits next to the present cache."""
        shape = (len(self._images), *inputs.shape[1:])
        used = self._cache[1].nbytes if self._cache else 0
        return np.empty(shape, np.float32) if 4.0 * np.prod(shape, dtype=float) + used <= CACHE_BYTES else None


def by_weight(channels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mean input that reaches each weight of a kernel, float64 of the kernel's shape.

    Args:
        channels: Mean of each input channel [channels].
        shape: Of the kernel: [..., channels of a group, units].
    """
    inputs, units = shape[-2:]
    first = np.arange(units) * (len(channels) // inputs) // units * inputs  # of each unit's group
    return np.broadcast_to(channels[first + np.arange(inputs)[:, None]], shape)
