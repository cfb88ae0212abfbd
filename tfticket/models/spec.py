"""A model as data: what a ticket stores so that the network can be built again."""

import json
from collections.abc import Sequence
from typing import Any, get_args

from tfticket.backend import keras
from tfticket.config import Initialiser, ModelConfig
from tfticket.data import Dataset, Normalisation
from tfticket.errors import InputError
from tfticket.registry import MODELS, check_name, resolve
from tfticket.schema import validate
from tfticket.types import Spec


def build_model(
    name: str,
    data: Dataset | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    num_classes: int | None = None,
    initialiser: str = "glorot_normal",
) -> Any:
    """Build a registered network for some data.

    Args:
        name: A registered network, e.g. 'lenet-300-100'.
        data: Gives input shape and number of classes; or give them yourself.
        input_shape: Shape of one image, (height, width, channels).
        num_classes: Number of classes.
        initialiser: 'glorot_normal', 'glorot_uniform', 'he_normal' or 'he_uniform'.

    Returns:
        A functional ``tf_keras`` model from normalised images (pixels / 255 by default) to logits.

    Raises:
        InputError: Unknown network or initialiser, or no shape.
    """
    check_name("model", name, MODELS)
    if data is not None:
        input_shape, num_classes = data.input_shape, data.num_classes
    if input_shape is None or num_classes is None:
        raise InputError("build_model needs data, or both input_shape and num_classes.")
    config = validate(ModelConfig, {"name": name, "initialiser": initialiser}, where="build_model")
    try:
        return resolve(MODELS[name].target)(tuple(input_shape), int(num_classes), config.initialiser)
    except ValueError as error:  # Keras', where pooling leaves nothing
        raise InputError(
            f"{name} cannot be built for images of {tuple(input_shape)}: {str(error).splitlines()[0]} Take larger "
            "images, or another network."
        ) from None


def spec_of(model: Any, normalisation: Normalisation | None = None) -> Spec:
    """Describe a model: by name where a registered builder makes just this model, else by its Keras config.

    Args:
        model: A functional or Sequential ``tf_keras`` model that returns logits.
        normalisation: How pixels become its input; None is pixels / 255.

    Raises:
        InputError: Not a functional or Sequential model, not built, not one input, random or regularised
            layers, or it does not end in logits.
    """
    if not isinstance(model, keras.Model) or not hasattr(model, "get_config"):
        raise InputError(f"Expected a tf_keras model, got {type(model).__name__}.")
    if not isinstance(model, keras.Sequential) and not model._is_graph_network:
        raise InputError(f"{model.name} is a subclassed model, which cannot be cloned. Write it as a functional model.")
    if not model.built:
        raise InputError(f"{model.name} is not built: give it an input shape.")
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.output_shape) != 2:
        raise InputError(f"{model.name}: expected one input and one output of shape [rows, classes].")
    for layer in model.submodules:
        if isinstance(layer, keras.__internal__.layers.BaseRandomLayer):
            raise InputError(
                f"{model.name}: the layer {layer.name} ({type(layer).__name__}) draws random numbers that a resumed "
                "training could not repeat. Leave it out."
            )
    if model.losses:
        raise InputError(
            f"{model.name} has layers with regularisers, which training would leave out. Take them off; weight_decay "
            "is an option of the training."
        )
    activation = getattr(model.layers[-1], "activation", keras.activations.linear)
    if activation is not keras.activations.linear or isinstance(model.layers[-1], keras.layers.Softmax):
        raise InputError(f"{model.name} does not end in logits. Leave the last layer's activation out.")
    constants: Spec = {}
    if normalisation is not None and normalisation != Normalisation():
        constants = {"normalisation": normalisation.model_dump(mode="json")}
    if model.name in MODELS:
        for initialiser in get_args(Initialiser):
            spec = {
                "name": model.name,
                "input_shape": list(model.input_shape[1:]),
                "num_classes": int(model.output_shape[-1]),
                "initialiser": initialiser,
            }
            if _keras_config(model_from_spec(spec)) == _keras_config(model):
                return spec | constants
    return {"keras": _keras_config(model)} | constants


def model_from_spec(spec: Spec) -> Any:
    """Build the model that a spec describes, with arbitrary weights.

    Raises:
        InputError: An unknown name, or a Keras config that would run code from outside Keras.
    """
    if "keras" in spec:
        _refuse_foreign_code(spec["keras"])
        return keras.saving.deserialize_keras_object(spec["keras"], safe_mode=True)
    return build_model(
        spec["name"],
        input_shape=spec["input_shape"],
        num_classes=spec["num_classes"],
        initialiser=spec["initialiser"],
    )


def normalisation_of(spec: Spec) -> Normalisation:
    """How pixels become the input of the model that a spec describes."""
    return validate(Normalisation, spec.get("normalisation", {}), where="The normalisation")


def _keras_config(model: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    return config


def _refuse_foreign_code(config: Any) -> None:
    """Keras imports any module that a config names; only its own are let in."""
    if isinstance(config, dict):
        module = config.get("module") or "tf_keras"
        if str(module).split(".")[0] not in ("keras", "tf_keras") or config.get("class_name") == "Lambda":
            raise InputError(
                f"The model holds {config.get('class_name')} from {module}, which would run code from outside Keras."
            )
        for value in config.values():
            _refuse_foreign_code(value)
    elif isinstance(config, list):
        for value in config:
            _refuse_foreign_code(value)
