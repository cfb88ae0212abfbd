"""A model as data: what a ticket stores so that the network can be built again."""

import json
import weakref
from collections.abc import Sequence
from typing import Any

from tfticket.backend import keras
from tfticket.config import ModelConfig
from tfticket.data import Dataset, Normalisation
from tfticket.errors import InputError
from tfticket.own import builder, is_file, is_own, source_file
from tfticket.registry import MODELS, resolve
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
        name: A registered network, e.g. 'lenet-300-100'; or your own: 'package.module:function', which is called with
            (input_shape, num_classes), or a .keras file. Both run code.
        data: Gives input shape and number of classes; or give them yourself.
        input_shape: Shape of one image, (height, width, channels).
        num_classes: Number of classes.
        initialiser: Of a registered network's kernels: 'glorot_normal', 'glorot_uniform', 'glorot_untruncated', or
            the same of 'he' (Kaiming).

    Returns:
        A functional ``tf_keras`` model from normalised images (pixels / 255 by default) to logits.

    Raises:
        InputError: Unknown network or initialiser, or no shape.
    """
    config = validate(ModelConfig, {"name": name, "initialiser": initialiser}, where="build_model")
    if data is not None:
        input_shape, num_classes = data.input_shape, data.num_classes
    if input_shape is None or num_classes is None:
        raise InputError("build_model needs data, or both input_shape and num_classes.")
    if is_own(config.name):
        return _own_model(config.name, tuple(input_shape), int(num_classes))
    try:
        model = resolve(MODELS[name].target)(tuple(input_shape), int(num_classes), _keras_name(config.initialiser))
    except ValueError as error:  # Keras', where pooling leaves nothing
        raise InputError(
            f"{name} cannot be built for images of {tuple(input_shape)}: {str(error).splitlines()[0]} Take larger "
            "images, or another network."
        ) from None
    spec = {
        "name": name,
        "input_shape": list(input_shape),
        "num_classes": int(num_classes),
        "initialiser": config.initialiser,
    }
    _BUILT[model] = (spec, _keras_config(model))
    return model


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
        if isinstance(layer, keras.__internal__.layers.BaseRandomLayer) and _draws(layer):
            raise InputError(
                f"{model.name}: the layer {layer.name} ({type(layer).__name__}) draws random numbers that a resumed "
                "training could not repeat. Leave it out."
            )
        if not _of_keras(type(layer).__module__):
            _check_copy(model, layer)
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
    spec, config = _BUILT.get(model, (None, None))
    if spec is not None and config == _keras_config(model):
        return spec | constants
    _TRUSTED.update({(type(layer).__module__, type(layer).__name__): type(layer) for layer in model.submodules})
    return {"keras": _keras_config(model)} | constants


def model_from_spec(spec: Spec) -> Any:
    """Build the model that a spec describes, with arbitrary weights.

    Raises:
        InputError: An unknown name, or a Keras config that would run code from outside Keras.
    """
    if "keras" in spec:
        _refuse_foreign_code(spec["keras"])
        classes = {f"{module}>{name}": cls for (module, name), cls in _TRUSTED.items()}
        classes |= {cls.__name__: cls for cls in _TRUSTED.values() if not _of_keras(cls.__module__)}
        return keras.saving.deserialize_keras_object(spec["keras"], custom_objects=classes, safe_mode=True)
    return build_model(
        spec["name"],
        input_shape=spec["input_shape"],
        num_classes=spec["num_classes"],
        initialiser=spec["initialiser"],
    )


def normalisation_of(spec: Spec) -> Normalisation:
    """How pixels become the input of the model that a spec describes."""
    return validate(Normalisation, spec.get("normalisation", {}), where="The normalisation")


_BUILT: "weakref.WeakKeyDictionary[Any, tuple[Spec, dict[str, Any]]]" = weakref.WeakKeyDictionary()
"""Registered networks built in this process, with their specs and their configs at that time."""

_TRUSTED: dict[tuple[str, str], type] = {}
"""(module, name) -> class, of the layers of all models that were described in this process: their code runs already."""


def _own_model(name: str, input_shape: tuple[int, ...], num_classes: int) -> Any:
    """A user's own network, checked to fit the data."""
    try:
        model = (
            keras.models.load_model(source_file(name), compile=False)
            if is_file(name)
            else builder(name)(input_shape, num_classes)
        )
    except InputError:
        raise
    except Exception as error:  # the user's code, or what Keras raises at a damaged file
        raise InputError(f"model: {name} fails with {type(error).__name__}: {error}") from None
    spec_of(model)
    if tuple(model.input_shape[1:]) != input_shape or int(model.output_shape[-1]) < num_classes:
        raise InputError(
            f"model: {name} takes images {tuple(model.input_shape[1:])} and tells {model.output_shape[-1]} classes; "
            f"the data have images {input_shape} of {num_classes} classes."
        )
    return model


def _check_copy(model: Any, layer: Any) -> None:
    """See that a user's own layer can be made again from its configuration."""
    try:
        if isinstance(layer, keras.layers.Layer) and not isinstance(layer, keras.Model):
            type(layer).from_config(layer.get_config())
    except Exception as error:  # the user's code
        reason = str(error).splitlines()[-1]
        raise InputError(
            f"{model.name} cannot be cloned: its layer {layer.name} ({type(layer).__name__}) is not made again from "
            f"its configuration: {reason}. Give the layer a get_config that returns what its __init__ takes."
        ) from None


def _draws(layer: Any) -> bool:
    """Whether a layer that may draw random numbers does: an attention layer or a dropout of rate 0 does not."""
    return bool(getattr(layer, "rate", getattr(layer, "dropout", 1.0)))


def _keras_name(initialiser: str) -> Any:
    """Keras' initialiser of a configuration's name."""
    if not initialiser.endswith("_untruncated"):
        return initialiser
    scale, mode = (1.0, "fan_avg") if initialiser.startswith("glorot") else (2.0, "fan_in")
    return keras.initializers.VarianceScaling(scale, mode, "untruncated_normal", seed=0)  # drawn anew anyway


def _keras_config(model: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    return config


def _refuse_foreign_code(config: Any) -> None:
    """Keras imports any module that a config names; only its own are let in, and classes of models made here."""
    if isinstance(config, dict):
        module, name = config.get("module") or "tf_keras", config.get("class_name")
        known = (_of_keras(str(module)) and name != "Lambda") or (module, name) in _TRUSTED
        if not known:
            raise InputError(
                f"The model holds {name} from {module}, which would run code from outside Keras. If it is yours, "
                "build a model with it first in this process: tfticket.build_model, or Ticket.dense(model)."
            )
        for value in config.values():
            _refuse_foreign_code(value)
    elif isinstance(config, list):
        for value in config:
            _refuse_foreign_code(value)


def _of_keras(module: str) -> bool:
    return module.split(".")[0] in ("keras", "tf_keras", "tfticket")
