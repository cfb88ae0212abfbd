"""A masked Keras model as a function of arrays by path: mask and weights in, logits out."""

import functools
import json
import math
import textwrap
from typing import Any

import numpy as np

from tfticket.backend import jit_policy, keras, own_settings, tf
from tfticket.data import Dataset, Normalisation
from tfticket.data.arrays import as_numbers
from tfticket.data.formats.floats import as_float32
from tfticket.data.normalisation import UNIT
from tfticket.errors import InputError
from tfticket.models import (
    describe_shape,
    kernel_shapes,
    model_from_spec,
    named_variables,
    normalisation_of,
    variational_layers,
)
from tfticket.models.trust import user_code
from tfticket.pruning.mask import dense_mask
from tfticket.pruning.wrapping import assign_mask, mask_variables, with_mask
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.noise import Draw, drawing

TILE = 1000
"""Maximum number of rows per forward pass in evaluation."""

SAMPLED_TILE = 5000
"""Maximum number of rows per forward pass when weights are sampled."""

TILE_BYTES = 2**26
"""Maximum size of a single layer's output in a pass, in bytes."""


class MaskedNetwork:
    """One wrapped model for all tickets of a network: masks and weights are assigned, never captured.

    Attributes:
        model: The wrapped ``tf_keras`` model.
        variables: Path -> variable, of every weight.
        masked: Kernel path -> (kernel, mask) variables.
        variational: Path -> layer, of the variational layers.
        jit: True if XLA compiles its loops.
        tile: Rows per pass, limited by memory.
        sampled_tile: Maximum number of rows per pass when weights are sampled.
    """

    @own_settings()
    def __init__(self, model: Any, normalisation: Normalisation, precision: str = "float32") -> None:
        channels = model.input_shape[-1]
        if len(normalisation.scale) not in (1, channels):
            raise InputError(
                f"{model.name} takes {describe_shape(model.input_shape[1:])}; the ticket's normalisation is for "
                f"{len(normalisation.scale)} channels. Make the ticket for data of its shape.",
                field="normalisation",
            )
        self._normalisation = normalisation
        self.jit = jit_policy(model)
        try:
            with keras.saving.custom_object_scope(user_code()):
                self.model = with_mask(model, dense_mask(kernel_shapes(model)), precision)
        except InputError:
            raise
        except Exception as error:  # a layer of the user's own
            cast = " or cast its constants to its input's type" if precision != "float32" else ""
            raise InputError(
                f"{model.name} cannot be computed in {precision}: {textwrap.shorten(str(error), 300)} "
                f"Fix the layer{cast}.",
                field="model" if precision == "float32" else "precision",
            ) from None
        self.variables = {path: variable for path, (_, variable) in named_variables(self.model).items()}
        self.masked = mask_variables(self.model)
        nodes = [node for layer in model.layers for node in layer.inbound_nodes]
        shapes = [tensor.shape for tensor in tf.nest.flatten([node.outputs for node in nodes])]
        largest = max(math.prod(filter(None, shape[1:])) for shape in shapes if shape.rank)
        self.tile, self.sampled_tile = (max(1, min(rows, TILE_BYTES // (4 * largest))) for rows in (TILE, SAMPLED_TILE))
        self.variational = variational_layers(self.model)
        options = {"jit_compile": self.jit, "autograph": False}
        self._forward = tf.function(functools.partial(self._logits), **options)
        self._forward_sampled = tf.function(functools.partial(self._sampled_logits), **options)

    def assign(self, mask: Mask, weights: Weights) -> None:
        """Put a mask and weights in; pruned weights become 0."""
        if set(weights) != set(self.variables):
            raise InputError(
                f"The weights are {', '.join(weights)}; the network's are {', '.join(self.variables)}.", field="weights"
            )
        for path, variable in self.variables.items():
            if weights[path].shape != tuple(variable.shape):
                raise InputError(
                    f"{path} is {weights[path].shape}; the network's is {tuple(variable.shape)}.", field="weights"
                )
            variable.assign(weights[path])
        assign_mask(self.model, mask)

    def check_data(self, data: Dataset) -> None:
        """Check that the data's type, shape and classes fit."""
        if data.dtype != self._normalisation.dtype:
            raise InputError(
                f"{data.name} has {data.things} of {data.dtype}, and this ticket takes {self._normalisation.dtype}. "
                "Make it for these data, by find_tickets or Ticket.dense(model, data=data).",
                field="data",
            )
        if data.normalisation != UNIT and self._normalisation == UNIT:
            raise InputError(
                f"{data.name} was loaded with other inputs than pixels / 255, which this ticket takes. Make it for "
                "these data, by find_tickets or Ticket.dense(model, data=data), or load them by normalise='unit'.",
                field="data.normalise",
                suggestion="unit",
            )
        shape, classes = tuple(self.model.input_shape[1:]), int(self.model.output_shape[-1])
        if shape != data.input_shape or classes < data.num_classes:
            needed = [f"takes {describe_shape(data.input_shape)}"] * (shape != data.input_shape)
            needed += [f"ends in Dense({data.num_classes})"] * (classes < data.num_classes)
            raise InputError(
                f"The network takes {describe_shape(shape)} and has {classes} classes; {data.name} has "
                f"{describe_shape(data.input_shape)} of {data.num_classes} classes. Use the ticket's own data, or make "
                f"one with Ticket.dense(model, data=data), of a model that {' and '.join(needed)}.",
                field="data",
            )

    def check_rows(self, rows: Any) -> np.ndarray:
        """Check rows to be predicted.

        Args:
            rows: As ``load_data`` takes them: of a network for floats also lists, data frames and tensors, and tables
                of whole numbers.

        Returns:
            uint8 or float32 [rows, ...].
        """
        takes_floats = self._normalisation.dtype == "float32"
        if not takes_floats and not hasattr(rows, "__array__"):
            raise InputError(f"{self._expected()}; got {type(rows).__name__}.", field="rows")
        array = as_numbers("rows", rows) if takes_floats else np.asarray(rows)
        shape = tuple(self.model.input_shape[1:])
        kinds = "fiub" if len(shape) == 1 else "f"
        if array.shape[1:] != shape or (array.dtype.kind not in kinds if takes_floats else array.dtype != np.uint8):
            raise InputError(f"{self._expected()}; got {array.dtype} {array.shape}.", field="rows")
        if takes_floats and not (array.dtype == np.float32 and np.isfinite(array).all()):
            return as_float32("rows", array)
        return array

    def _expected(self) -> str:
        shape = self.model.input_shape[1:]
        rows = "images" if len(shape) == 3 else "rows"
        return f"Expected {rows} {self._normalisation.dtype} [rows, {', '.join(map(str, shape))}]"

    def read(self) -> Weights:
        """Return the present weights, path -> float32 array."""
        return {path: variable.numpy() for path, variable in self.variables.items()}

    @own_settings()
    def logits(self, images: np.ndarray, seed: np.ndarray | None = None, index: int = 0) -> np.ndarray:
        """Return the logits of the present network.

        Args:
            images: As the ticket's data, uint8 or float32 [rows, height, width, channels] or float32 [rows, features].
            seed: Of a variational network's draws, int32 [2]; None is the network of its means.
            index: Number of the draw; its weights are the same for all images.

        Returns:
            float32 [rows, classes].
        """
        images = self.check_rows(images)
        if not len(images):
            return np.zeros((0, int(self.model.output_shape[-1])), np.float32)
        rows = self.tile if seed is None else min(self.sampled_tile, self.tile * math.ceil(len(images) / self.tile))
        parts = []
        for begin in range(0, len(images), rows):
            tile = images[begin : begin + rows]
            short = rows - len(tile)
            if short:  # one shape, so one compilation
                tile = np.concatenate([tile, np.zeros((short, *tile.shape[1:]), tile.dtype)])
            if seed is None:
                logits = self._forward(tf.constant(tile))
            else:
                logits = self._forward_sampled(tf.constant(tile), tf.constant(seed), tf.constant(index))
            parts.append(logits.numpy()[: rows - short])
        return np.concatenate(parts)

    def _logits(self, images: Any) -> Any:
        return tf.cast(self.model(self.inputs(images), training=False), tf.float32)

    def _sampled_logits(self, images: Any, seed: Any, index: Any) -> Any:
        with drawing(Draw(seed, index, "independent")):
            return self._logits(images)

    def inputs(self, images: Any) -> Any:
        """Normalise images or features, uint8 or float32 [rows, ...]: the model's float32 input."""
        normalisation, values = self._normalisation, tf.cast(images, tf.float32)
        if any(normalisation.offset):
            values = values - tf.constant(normalisation.offset)
        values = values * tf.constant(normalisation.scale)
        return values + tf.constant(normalisation.shift) if any(normalisation.shift) else values


def network_of(spec: Spec, precision: str = "float32") -> MaskedNetwork:
    """Return the network of a spec; the last four stay compiled for further levels, seeds and replicates."""
    return _network(json.dumps(spec, sort_keys=True), precision)


@functools.lru_cache(maxsize=4)
def _network(spec: str, precision: str) -> MaskedNetwork:
    description = json.loads(spec)
    return MaskedNetwork(model_from_spec(description), normalisation_of(description), precision)
