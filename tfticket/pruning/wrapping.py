"""Masks in Keras models, carried by TFMOT's ``PruneLowMagnitude``.

The wrapper multiplies its kernel by its mask at every forward pass. Its own schedules prune each tensor by magnitude;
here the schedule never fires, and the mask is assigned.
"""

from typing import Any

import numpy as np
import tensorflow_model_optimization as tfmot

from tfticket.backend import keras, tf
from tfticket.errors import InputError
from tfticket.models.variables import is_prunable, is_variational, layers_by_path, named_variables
from tfticket.types import Mask


class AssignedMask(tfmot.sparsity.keras.PruningSchedule):
    """A pruning schedule that never updates the mask."""

    def __call__(self, step: Any) -> tuple[Any, Any]:
        # Python values would raise inside a tf.function.
        return tf.constant(False), tf.constant(0.0)

    def get_config(self) -> dict[str, Any]:
        return {"class_name": type(self).__name__, "config": {}}


def with_mask(model: Any, mask: Mask, precision: str = "float32") -> Any:
    """Return a copy of a model, with its weights but no shared variable, whose prunable layers carry a mask.

    Args:
        model: A functional or Sequential ``tf_keras`` model.
        mask: Kernel path -> boolean array, for every prunable layer.
        precision: 'float32', or 'bfloat16' for the layers' arithmetic; variables are float32.
    """
    policy = {} if precision == "float32" else {"dtype": f"mixed_{precision}"}

    def wrap(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=wrap)
        copy = type(layer).from_config({**layer.get_config(), **policy})
        if not is_prunable(layer):
            return copy
        if policy:
            copy.call = _with_casts(copy)
        wrapper = tfmot.sparsity.keras.prune_low_magnitude(copy, pruning_schedule=AssignedMask())
        if is_variational(copy):
            copy.mask = lambda: wrapper.pruning_vars[0][1]
        # It has no Python control flow over tensors; AutoGraph would take half a second to rewrite it.
        wrapper.call = tf.autograph.experimental.do_not_convert(wrapper.call)
        return wrapper

    masked = keras.models.clone_model(model, clone_function=wrap)
    originals = named_variables(model)
    for path, (_, variable) in named_variables(masked).items():
        variable.assign(originals[path][1])
    for _, wrapper in layers_by_path(masked):
        if hasattr(wrapper, "pruning_vars"):
            wrapper.pruning_step.assign(1)  # below 1 it raises, since no UpdatePruningStep callback runs here
    assign_mask(masked, mask)
    return masked


def _with_casts(layer: Any) -> Any:
    """Return the layer's call with casts to its precision: TFMOT bypasses Keras' casts of input and variables."""
    call_without_casts, precision = layer.call, tf.as_dtype(layer.compute_dtype)

    def call(inputs: Any) -> Any:
        with keras.src.mixed_precision.autocast_variable.enable_auto_cast_variables(precision):
            return call_without_casts(tf.cast(inputs, precision))

    return call


def mask_variables(masked: Any) -> dict[str, tuple[Any, Any]]:
    """Return kernel path -> (kernel variable, mask variable) of a wrapped model."""
    return {
        f"{path}/kernel": (kernel, kernel_mask)
        for path, wrapper in layers_by_path(masked)
        for kernel, kernel_mask, _ in getattr(wrapper, "pruning_vars", ())
    }


def assign_mask(masked: Any, mask: Mask) -> None:
    """Assign a mask to a wrapped model and set pruned weights to 0."""
    variables = mask_variables(masked)
    if set(mask) != set(variables):
        raise InputError(
            f"The mask is over {', '.join(mask)}; the model's kernels are {', '.join(variables)}.", field="mask"
        )
    for path, (kernel, kernel_mask) in variables.items():
        if mask[path].shape != tuple(kernel.shape):
            raise InputError(
                f"The mask of {path} is {mask[path].shape}; the kernel is {tuple(kernel.shape)}.", field="mask"
            )
        kernel_mask.assign(mask[path].astype(np.float32))
        kernel.assign(kernel * kernel_mask)
