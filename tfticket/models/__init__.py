"""Networks: functional Keras builders, their descriptions as data, their initial weights."""

from tfticket.models.initialisation import initial_weights
from tfticket.models.spec import (
    build_model,
    describe_shape,
    model_from_spec,
    network_of_config,
    normalisation_of,
    spec_of,
    to_variational,
)
from tfticket.models.variables import kernel_shapes, named_variables, unprunable_layers, variational_layers

__all__ = [
    "build_model",
    "describe_shape",
    "initial_weights",
    "kernel_shapes",
    "model_from_spec",
    "named_variables",
    "network_of_config",
    "normalisation_of",
    "spec_of",
    "to_variational",
    "unprunable_layers",
    "variational_layers",
]
