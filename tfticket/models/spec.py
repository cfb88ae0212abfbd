"""Models as data: the description in a ticket from which its network is rebuilt."""

import copy
import json
import re
import textwrap
import weakref
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

from tfticket.backend import keras, own_settings
from tfticket.config import ModelConfig, Variational
from tfticket.config.schema import validate
from tfticket.data import Dataset, Normalisation
from tfticket.errors import InputError
from tfticket.keras_versions import check_no_keras_3
from tfticket.models.allow_list import entries_of
from tfticket.models.size_limits import check_outputs, limit_variables
from tfticket.models.trust import all_layers, check_names, check_no_lambda, refuse_untrusted, trust, user_code
from tfticket.models.variables import canonical_names, named_variables, variational_layers
from tfticket.registry import MODELS, check_name, resolve
from tfticket.text import counted
from tfticket.types import Spec
from tfticket.user_networks import import_builder, intact_keras_file, is_keras_file, is_user_defined


@own_settings()
def build_model(
    name: str,
    data: Dataset | None = None,
    *,
    input_shape: Sequence[int] | None = None,
    num_classes: int | None = None,
    initialiser: str = "glorot_normal",
) -> Any:
    """Build a network for some data.

    Args:
        name: A registered network, e.g. 'lenet-300-100'; or your own: 'package.module:function', called with
            (input_shape, num_classes), or a .keras file. Both run code.
        data: Data that set the input shape and the number of classes; or give these yourself.
        input_shape: Shape of one image, (height, width, channels), or of a row of features, (features,).
        num_classes: Number of classes.
        initialiser: Of a registered network's kernels: 'glorot_normal', 'glorot_uniform', 'glorot_untruncated', or
            the same of 'he' (Kaiming).

    Returns:
        A functional ``tf_keras`` model from normalised images (pixels / 255 by default) or features to logits.

    Raises:
        InputError: Unknown network or initialiser; a shape that is missing, impossible or not the data's; a network of
            the user's or of a package that fails, or does not fit.
    """
    config = validate(ModelConfig, {"name": name, "initialiser": initialiser}, where="build_model")
    shape, classes = _sizes(data, input_shape, num_classes)
    if is_user_defined(config.name):
        return _user_model(config.name, shape, classes)
    target = MODELS[name].target
    if not target.startswith("tfticket."):
        model = _package_model(name, target, shape, classes, keras_initialiser(config.initialiser))
    else:
        try:
            model = resolve(target)(shape, classes, keras_initialiser(config.initialiser))
        except ValueError as error:  # Keras', where pooling leaves nothing
            if len(shape) == 1:
                raise InputError(
                    f"{name} takes images [height, width, channels]; these are {describe_shape(shape)}. Take "
                    "lenet-300-100, or a network of your own.",
                    field="model.name",
                    suggestion="lenet-300-100",
                ) from None
            remedy = "Take larger images, or another network." if _has_too_few_pixels(error) else ""
            raise InputError(
                f"{name} cannot be built for images of {shape}: {_reason(error)}. {remedy}".strip(), field="model.name"
            ) from None
    spec = {"name": name, "input_shape": list(shape), "num_classes": classes, "initialiser": config.initialiser}
    _BUILT[model] = (spec, _keras_config(model))
    return model


@own_settings()
def spec_of(model: Any, normalisation: Normalisation | None = None) -> Spec:
    """Describe a model: by name where a registered builder makes just this model, else by its Keras config."""
    check_no_keras_3(model, "The model")
    if not isinstance(model, keras.Model):
        raise InputError(f"Expected a tf_keras model, got {type(model).__name__}.", field="model")
    if not isinstance(model, keras.Sequential) and not model._is_graph_network:
        raise InputError(
            f"{model.name} is a subclassed model, which cannot be cloned. Write it as a functional model.",
            field="model",
        )
    if not model.built:
        raise InputError(f"{model.name} is not built: give it an input shape.", field="model")
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.output_shape) != 2:
        raise InputError(f"{model.name}: expected one input and one output of shape [rows, classes].", field="model")
    if None in model.input_shape[1:]:
        raise InputError(
            f"{model.name} leaves sizes of its input open, {model.input_shape[1:]}. Give Input the shape of a row.",
            field="model",
        )
    classes = model.output_shape[-1]
    if classes is None or classes < 2:
        raise InputError(
            f"{model.name} has {classes or 'an open number of'} outputs; expected a logit for each of 2 or more "
            "classes. End it in Dense(number of classes).",
            field="model",
        )
    for layer in all_layers(model):
        if isinstance(layer, keras.__internal__.layers.BaseRandomLayer) and _draws(layer):
            raise InputError(
                f"{model.name}: the layer {layer.name} ({type(layer).__name__}) draws random numbers that a resumed "
                "training could not repeat. Leave it out.",
                field="model",
            )
    if model.losses:
        raise InputError(
            f"{model.name} has layers with regularisers, which training would leave out. Take them off; weight_decay "
            "is an option of the training.",
            field="model",
        )
    if not _is_linear(_last_layer(model.outputs[0])):
        raise InputError(f"{model.name} does not end in logits. Leave the last layer's activation out.", field="model")
    constants: Spec = {}
    if normalisation is not None and normalisation != Normalisation():
        constants = {"normalisation": normalisation.model_dump(mode="json")}
    spec, config = _BUILT.get(model, (None, None))
    if spec is not None and config == _keras_config(model):
        return spec | constants
    if layers := variational_layers(model):
        raise InputError(
            f"{model.name}: {', '.join(layers)} are variational, but the model is not a result of to_variational. "
            "Build the network from plain layers, then call to_variational.",
            field="model",
        )
    return {"keras": _checked_config(model)} | constants


def network_of_config(config: ModelConfig, data: Dataset) -> Any:
    """Build the network that a configuration names, variational or not, for some data."""
    model = build_model(config.name, data, initialiser=config.initialiser)
    return model if config.variational is None else to_variational(model, config.variational)


@own_settings()
def to_variational(model: Any, config: Variational | dict[str, Any] | None = None) -> Any:
    """Return a copy of a network whose dense and convolutional weights have normal posteriors.

    Its means are the model's weights, but its tickets draw new means by ``config.means``, except
    ``Ticket.dense(..., start="current")``. Standard deviations are at their initial values. Other layers, such as
    BatchNorm and LayerNorm, keep point weights. Calling the model uses the means; training and evaluation draw weights.

    Args:
        model: A functional or Sequential ``tf_keras`` model that returns logits.
        config: Prior and initialisation, such as ``{"prior": 0.1, "means": "own"}``.

    Raises:
        InputError: As ``spec_of``; or no Dense, Conv1D or Conv2D layer.

    References:
        Blundell et al. (2015), "Weight uncertainty in neural networks".
    """
    from tfticket.variational.convert import convert_layers

    config = validate(Variational, {} if config is None else config, where="to_variational")
    if isinstance(model, keras.Model) and variational_layers(model):
        raise InputError(f"{model.name} is variational already.", field="model")
    spec = spec_of(model)
    with keras.saving.custom_object_scope(user_code()):
        variational = convert_layers(model, config)
    means = named_variables(model)
    for path, (_, variable) in named_variables(variational).items():
        if path in means:
            variable.assign(means[path][1])
    _BUILT[variational] = (spec | {"variational": config.model_dump(mode="json")}, _keras_config(variational))
    return variational


@own_settings()
def model_from_spec(spec: Spec) -> Any:
    """Build the model that a spec describes, with arbitrary weights. No import depends on the spec."""
    if "variational" in spec:
        plain = model_from_spec({key: value for key, value in spec.items() if key != "variational"})
        return to_variational(plain, spec["variational"])
    with limit_variables(spec):
        if "keras" in spec:
            return _keras_model(spec["keras"])
        return build_model(
            check_name("network", spec["name"], MODELS),
            input_shape=spec["input_shape"],
            num_classes=spec["num_classes"],
            initialiser=spec["initialiser"],
        )


def _keras_model(config: dict[str, Any]) -> Any:
    """Build a model from its Keras config, without its compile options."""
    try:
        refuse_untrusted(config)
        check_names(config)
        config = copy.deepcopy(config)  # some layers remove the entries they read
        for entry in entries_of(config):
            entry.pop("compile_config", None)
        model = keras.saving.deserialize_keras_object(config, custom_objects=user_code(), safe_mode=True)
        named_variables(model)
        check_outputs(model)
    except InputError:
        raise
    except Exception as error:  # Keras' or the user's code
        raise InputError(f"The model cannot be rebuilt from its Keras config: {_reason(error)}") from None
    return model


def check_fits(model: Any, label: str, data: Dataset) -> None:
    """Check that a model takes the data's rows and has an output for each of their classes."""
    _check_sizes(model, label, data.input_shape, data.num_classes, field="model")


def describe_shape(shape: Sequence[int]) -> str:
    """Describe inputs of a shape, for messages: 'images (28, 28, 1)', 'rows of 30 features'."""
    if len(shape) == 1:
        return f"rows of {counted(shape[0], 'feature')}"
    return f"images {tuple(shape)}" if len(shape) == 3 else f"rows {tuple(shape)}"


def names_for_draws(model: Any) -> dict[str, str]:
    """Return path -> name of the weight's random stream; in registered networks the path itself."""
    registered = model in _BUILT and "keras" not in _BUILT[model][0]
    return {path: path for path in named_variables(model)} if registered else canonical_names(model)


def normalisation_of(spec: Spec) -> Normalisation:
    """Return the normalisation of pixels or features to the input of the model that a spec describes."""
    return validate(Normalisation, spec.get("normalisation", {}), where="The normalisation")


_BUILT: "weakref.WeakKeyDictionary[Any, tuple[Spec, dict[str, Any]]]" = weakref.WeakKeyDictionary()
"""Registered networks built in this process, with their specs and their Keras configs when built."""


def _sizes(
    data: Dataset | None, input_shape: Sequence[int] | None, num_classes: int | None
) -> tuple[tuple[int, ...], int]:
    """Return the shape of a row and the number of classes, as given, else the data's."""
    shape: Any = data.input_shape if input_shape is None and data is not None else input_shape
    classes = data.num_classes if num_classes is None and data is not None else num_classes
    if shape is None or classes is None:
        raise InputError("build_model needs data, or both input_shape and num_classes.", field="data")
    known = isinstance(shape, Sequence) and len(shape) in (1, 3)
    if not known or not all(_is_whole(size) and size > 0 for size in shape):
        raise InputError(
            f"input_shape is {shape!r}; expected height, width and channels as whole numbers above 0, such as "
            "(28, 28, 1), or the number of features, such as (30,).",
            field="input_shape",
        )
    if not _is_whole(classes) or classes < 2:
        raise InputError(
            f"num_classes is {classes!r}; expected an integer of 2 or more, such as 10.", field="num_classes"
        )
    if data is not None and (tuple(shape), classes) != (data.input_shape, data.num_classes):
        raise InputError(
            f"{data.name} has {describe_shape(data.input_shape)} of {data.num_classes} classes; given are "
            f"input_shape={tuple(shape)} and num_classes={classes}. Leave them out if you give data.",
            field="input_shape" if tuple(shape) != data.input_shape else "num_classes",
        )
    return tuple(map(int, shape)), int(classes)


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def _user_model(name: str, input_shape: tuple[int, ...], num_classes: int) -> Any:
    """Build a user's own network and check that it fits the data."""
    label = f"model: {name}"
    if is_keras_file(name):
        model = _built(label, "", lambda: keras.models.load_model(intact_keras_file(name), compile=False))
    else:
        model = _built(label, "", lambda: import_builder(name), input_shape, num_classes)
    spec_of(model)
    _check_sizes(model, label, input_shape, num_classes)
    return model


def _package_model(name: str, target: str, input_shape: tuple[int, ...], num_classes: int, initialiser: Any) -> Any:
    """Build a network that an installed package registers and check that it fits the data."""
    label = f"The network {name} of an installed package, {target},"
    advice = (
        ". Expected a function (input_shape, num_classes, initialiser). Update or reinstall the package, or correct "
        "its entry point."
    )
    model = _built(label, advice, lambda: resolve(target), input_shape, num_classes, initialiser)
    _check_sizes(model, label, input_shape, num_classes)
    return model


def _built(label: str, advice: str, load: Callable[[], Any], *arguments: Any) -> Any:
    """Return a model of others' code: what ``load`` returns, called if there are arguments."""
    try:
        if arguments:
            keras.backend.reset_uids()  # automatic names seed draws and must not depend on earlier networks
        model = load()
        if arguments:
            with own_settings():  # again, since its module may have changed settings
                model = model(*arguments)
    except InputError:
        raise
    except Exception as error:  # the user's or a package's code, or what Keras raises at a damaged file
        problem = f"{label} fails with {type(error).__name__}: {_reason(error)}{advice}"
        raise InputError(problem, field="model.name") from None
    check_no_keras_3(model, label)
    if not isinstance(model, keras.Model) or not model.built:
        kind = "a model without an input shape" if isinstance(model, keras.Model) else type(model).__name__
        raise InputError(f"{label} returns {kind}; expected a tf_keras model, built.", field="model.name")
    return model


def _check_sizes(
    model: Any, label: str, input_shape: tuple[int, ...], num_classes: int, field: str = "model.name"
) -> None:
    if tuple(model.input_shape[1:]) != input_shape:
        raise InputError(
            f"{label} takes {describe_shape(model.input_shape[1:])}; the data have {describe_shape(input_shape)}. "
            f"Build it with Input({input_shape}).",
            field=field,
        )
    if model.output_shape[-1] != num_classes:
        raise InputError(
            f"{label} has {model.output_shape[-1]} outputs; the data have {num_classes} classes. End it in "
            f"Dense({num_classes}).",
            field=field,
        )


def _checked_config(model: Any) -> dict[str, Any]:
    """Return a model's Keras config, after checking that a copy built from it has the same weights."""
    shapes = {}
    for path, (layer, variable) in named_variables(model).items():
        if not variable.dtype.is_floating:
            raise InputError(
                f"{model.name}: {path} ({type(layer).__name__}) is {variable.dtype.name}; a ticket holds floating "
                "point. Leave the layer out; Normalization(mean=..., variance=...) does without adapt().",
                field="model",
            )
        shapes[path] = variable.shape
    check_no_lambda(model)
    try:
        config = _keras_config(model)
    except Exception as error:  # the user's code
        raise InputError(f"{model.name} cannot be cloned: {_culprit(model) or _reason(error)}", field="model") from None
    check_names(config)
    trust(model, config)
    try:
        rebuilt = named_variables(model_from_spec({"keras": config}))
        copied = {path: variable.shape for path, (_, variable) in rebuilt.items()}
    except Exception as error:  # Keras' or the user's code
        raise InputError(f"{model.name} cannot be cloned: {_culprit(model) or _reason(error)}", field="model") from None
    if copied != shapes:
        different = [path for path, shape in shapes.items() if copied.get(path) != shape]
        raise InputError(
            f"{model.name} cannot be cloned: a copy has not the same {', '.join(different) or 'weights, but more'}. "
            "Give the layer a get_config that returns what its __init__ takes, its name too.",
            field="model",
        )
    return config


def _culprit(model: Any) -> str:
    """Describe the first layer that cannot be rebuilt from its configuration; '' if each can."""
    for layer in all_layers(model):
        if isinstance(layer, keras.Model):
            continue
        try:
            json.dumps(keras.saving.serialize_keras_object(layer))
            with keras.saving.custom_object_scope(user_code()):
                type(layer).from_config(layer.get_config())
        except Exception as error:  # the user's code
            return (
                f"its layer {layer.name} ({type(layer).__name__}) cannot be rebuilt from its configuration: "
                f"{_reason(error)}. Give the layer a get_config that returns what its __init__ takes."
            )
    return ""


def _reason(error: Exception) -> str:
    """Return the last line of a message, without Keras' list of call arguments."""
    text = str(error).partition("\n\nCall arguments received by")[0]
    if _has_too_few_pixels(error) and (layer := re.search(r"calling layer \"([^\"]+)|downsampling in (\w+)", text)):
        return f"its layer {layer[1] or layer[2]} has too few pixels left"
    return textwrap.shorten((text.splitlines() or [type(error).__name__])[-1], 300).removesuffix(".")


def _has_too_few_pixels(error: Exception) -> bool:
    return re.search("Negative dimension size|dimensions in the output is <= 0", str(error)) is not None


def _draws(layer: Any) -> bool:
    """Return True if a random layer draws numbers; attention or dropout of rate 0 does not."""
    rates = [getattr(layer, name) for name in ("rate", "dropout", "recurrent_dropout") if hasattr(layer, name)]
    return any(rates) or not rates


def _last_layer(output: Any) -> Any:
    """Return the layer that computes an output, inside nested models and before reshaping layers."""
    layer, node, _ = output._keras_history
    if isinstance(layer, keras.Model):
        return _last_layer(layer.outputs[0])
    is_identity = isinstance(layer, keras.layers.Activation) and _is_linear(layer)
    if isinstance(layer, _RESHAPING) or getattr(layer, "symbol", None) in _RESHAPING_OPS or is_identity:
        return _last_layer(layer.inbound_nodes[node].keras_inputs[0])
    return layer


_RESHAPING = (keras.layers.Reshape, keras.layers.Flatten, keras.layers.Permute)
_RESHAPING_OPS = ("reshape", "squeeze", "compat.v1.squeeze", "identity", "cast")
_NON_LINEAR = tuple(
    getattr(keras.layers, name) for name in ("ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU")
)
_NON_LINEAR_OPS = {
    *("nn.elu", "nn.gelu", "nn.leaky_relu", "nn.relu", "nn.relu6", "nn.selu", "nn.silu", "nn.softmax", "nn.softsign"),
    *("math.sigmoid", "math.softplus", "math.tanh"),
}


def _is_linear(layer: Any) -> bool:
    return (
        getattr(layer, "activation", keras.activations.linear) is keras.activations.linear
        and not isinstance(layer, _NON_LINEAR)
        and getattr(layer, "symbol", None) not in _NON_LINEAR_OPS
    )


def keras_initialiser(initialiser: str) -> Any:
    """Return Keras' name or config of a configuration's initialiser."""
    if not initialiser.endswith("_untruncated"):
        return initialiser
    scale, mode = (1.0, "fan_avg") if initialiser.startswith("glorot") else (2.0, "fan_in")
    options = {"scale": scale, "mode": mode, "distribution": "untruncated_normal"}
    return {"class_name": "VarianceScaling", "config": options}  # an instance would give all layers the same numbers


def _keras_config(model: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    return config
