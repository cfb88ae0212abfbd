"""The ticket: mask, start weights, description of the network, provenance."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.config import Variational
from tfticket.config.schema import validate
from tfticket.config.wording import given
from tfticket.data import Dataset, Normalisation
from tfticket.data.normalisation import check_constants
from tfticket.errors import InputError, shortened, unknown
from tfticket.keras_versions import check_no_keras_3
from tfticket.pruning.mask import density, layer_of, survivors
from tfticket.registry import MODELS, check_name
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.runs.schemas import MOST_COUNT
from tfticket.sizes import remember
from tfticket.text import one_line
from tfticket.types import Mask, Weights

CLASS_NAMES = "class_names"
"""Key of a ticket's provenance: names of the classes of its outputs, by label."""


@dataclass(frozen=True, eq=False)
class Ticket:
    """A sparse network that can be trained.

    Attributes:
        model: The network's description (``tfticket.models.Spec``).
        mask: Kernel path -> boolean array, True = survives.
        start: Path -> array, the weights from which training starts; every weight of the network. Unmasked, unless
            they are trained weights, after learning-rate rewinding or in a transplant: then 0 off their mask.
        initial: The weights at initialisation, unmasked; the same object as ``start`` unless rewound later.
        level: Rounds of pruning so far; 0 is dense.
        iteration: Iteration of ``start``, at which the schedule resumes; 0 at initialisation.
        provenance: Origin: seed, score, scope, rate, exempt layers, rewinding, control, ...
    """

    model: dict[str, Any]
    mask: Mask
    start: Weights
    initial: Weights
    level: int = 0
    iteration: int = 0
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _validate(self)
        remember(self.model, self.start)

    @classmethod
    def dense(cls, model: Any, seed: int = 0, start: str = "seed", data: "Dataset | None" = None) -> "Ticket":
        """Return the unpruned ticket of a model.

        Args:
            model: A functional or Sequential ``tf_keras`` model that returns logits.
            seed: Of the start weights, drawn from the layers' own initialisers.
            start: 'seed' draws them; 'current' takes the model's present weights.
            data: Data to train on, whose type and normalisation are stored with it; None: pixels / 255.

        Raises:
            InputError: The model cannot be described, has no layer to prune, or does not fit the data.
        """
        from tfticket.models import initial_weights, kernel_shapes, named_variables, spec_of, unprunable_layers
        from tfticket.models.spec import check_fits
        from tfticket.pruning.mask import dense_mask

        spec = spec_of(model, None if data is None else data.normalisation)
        if data is not None:
            check_fits(model, model.name, data)
        if start == "seed":
            weights = initial_weights(model, seed)
        elif start == "current":
            weights = {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}
        else:
            raise unknown("start", start, ("seed", "current"), field="start")
        provenance: dict[str, Any] = {"seed": seed, "start": start}
        if unprunable := unprunable_layers(model):
            provenance["left_alone"] = unprunable
        if data is not None:
            provenance |= {"data_contents": data.contents, "data_checksum": data.checksum}
        dense = cls(spec, dense_mask(kernel_shapes(model)), weights, weights, provenance=provenance)
        return dense if data is None else with_class_names(dense, data)

    def __repr__(self) -> str:
        kind = "variational, " if self.is_variational else ""
        return f"Ticket({self.name}, {kind}level {self.level}, {self.density:.3%} of the prunable weights remain)"

    @property
    def is_variational(self) -> bool:
        """True if the weights of dense and convolutional layers are normal distributions."""
        return "variational" in self.model

    @property
    def name(self) -> str:
        """The network's name."""
        return str(self.model.get("name") or self.model["keras"]["config"].get("name", "own model"))

    @property
    def density(self) -> float:
        """Fraction of the prunable kernel weights that survive; exempt layers do not count."""
        return density(self.mask, self.provenance.get("exempt", ()))

    @property
    def sparsity(self) -> float:
        """Fraction pruned, 1 - density."""
        return 1.0 - self.density

    @property
    def survivors(self) -> dict[str, int]:
        """Kernel path -> number of surviving weights."""
        return survivors(self.mask)

    @property
    def unmasked_start(self) -> Weights:
        """``start``; ``initial`` if the start was trained and is 0 off its mask."""
        return self.initial if self.provenance.get("rewind") == "none" else self.start

    def build_model(self) -> Any:
        """Build the network as a Keras model with the start weights; pruned ones are 0, also in every draw.

        Its inputs are normalised pixels or features, see ``tfticket.models.normalisation_of(ticket.model)``.
        """
        from tfticket.backend import tf
        from tfticket.models import model_from_spec, named_variables
        from tfticket.models.variables import is_variational, layers_by_path

        model = model_from_spec(self.model)
        for path, layer in layers_by_path(model):
            if is_variational(layer):
                layer.mask = functools.partial(tf.constant, self.mask[f"{path}/kernel"], tf.float32)
        for path, (_, variable) in named_variables(model).items():
            weights = self.start[path]
            variable.assign(weights * self.mask[path] if path in self.mask else weights)
        return model

    def save(self, path: str | Path) -> None:
        """Write the ticket as safetensors with JSON metadata, atomically."""
        tensors = {f"mask/{name}": kept for name, kept in self.mask.items()}
        tensors |= {f"start/{name}": array for name, array in self.start.items()}
        if self.initial is not self.start:
            tensors |= {f"initial/{name}": array for name, array in self.initial.items()}
        metadata = {
            "model": self.model,
            "kernels": list(self.mask),
            "weights": list(self.start),
            "level": self.level,
            "iteration": self.iteration,
            "provenance": self.provenance,
        }
        save_tensors(Path(path), "ticket", tensors, metadata)

    @classmethod
    def load(cls, path: str | Path) -> "Ticket":
        """Read a ticket and check it.

        Raises:
            InputError: No such file; damaged; not a ticket; shapes, types or paths that do not fit; values that are not
                finite.
        """
        path = Path(path)
        tensors, header = load_tensors(path, "ticket")
        try:
            kernels, names = header["kernels"], header["weights"]
            mask = {name: tensors.pop(f"mask/{name}") for name in kernels}
            start = {name: tensors.pop(f"start/{name}") for name in names}
            initial = {name: tensors.pop(f"initial/{name}") for name in names} if tensors else start
            ticket = (header["model"], mask, start, initial, header["level"], header["iteration"])
            provenance = header["provenance"]
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} is not a whole ticket: {error} is missing.") from None
        if tensors:
            raise InputError(f"{path} holds tensors that no ticket has: {', '.join(sorted(tensors))}.")
        try:
            return cls(*ticket, provenance=provenance)
        except InputError as error:
            raise InputError(f"{path}: {error}", field=error.field, suggestion=error.suggestion) from None


def check_ticket(value: object, function: str) -> None:
    """Check that a function of the API was given a ticket."""
    if not isinstance(value, Ticket):
        check_no_keras_3(value, function)
        raise InputError(
            f"{function} takes a ticket, not {type(value).__name__}; Ticket.dense(model) makes one.", field="ticket"
        )


def with_class_names(ticket: Ticket, data: Dataset) -> Ticket:
    """Return the ticket with the names of the classes of its outputs; unchanged if it has names that say as much."""
    names = ticket.provenance.get(CLASS_NAMES)
    if names is not None and not (_are_codes(names) and not _are_numbers(data.class_names)):
        return ticket
    return replace(ticket, provenance=ticket.provenance | {CLASS_NAMES: list(data.class_names)})


def check_class_names(ticket: Ticket, data: Dataset) -> None:
    """Check that labels stand for the same classes in the data as for the ticket.

    A ticket without names is taken as it is, and so are the numbers 0, 1, ... for texts, whose codes they may be.
    """
    expected, names = ticket.provenance.get(CLASS_NAMES, ()), data.class_names
    if any(_are_codes(one) and not _are_numbers(other) for one, other in ((expected, names), (names, expected))):
        return
    for label, (wanted, name) in enumerate(zip(expected, names, strict=False)):
        if wanted != name:
            listed = shortened(repr(list(expected)))
            alike = set(expected) & set(names) or (_are_numbers(expected) and _are_numbers(names))
            same = data.contents == ticket.provenance.get("data_contents")
            at_hand = set(expected) <= set(names) or (same and alike)
            load = f"Load them with classes={listed} (data.classes in a configuration)"
            raise InputError(
                f"{data.name}: label {label} is the class {name!r}, and for the ticket it is {wanted!r}; expected the "
                f"ticket's classes in their order. {load if at_hand else f'Give data of the classes {listed}'}; or "
                "make a ticket for these data by Ticket.dense(model, data=data), and transplant the mask to it.",
                field="data.classes",
            )


def _are_codes(names: Sequence[str]) -> bool:
    """Return True for '0', '1', ..., which may stand for classes of any name."""
    return [*names] == [str(label) for label in range(len(names))]


def _are_numbers(names: Sequence[str]) -> bool:
    return all(name.removeprefix("-").isdecimal() for name in names)


def _validate(ticket: Ticket) -> None:
    if not ticket.mask:
        raise InputError("The ticket has no mask.", field="mask")
    for name in ("level", "iteration"):
        value = getattr(ticket, name)
        if type(value) is not int or not 0 <= value <= MOST_COUNT:
            raise InputError(
                f"The ticket's {name} is {given(value)}; expected an integer from 0 to {MOST_COUNT:,}.", field=name
            )
    _validate_model(ticket.model)
    names = ticket.provenance.get(CLASS_NAMES, []) if isinstance(ticket.provenance, dict) else []
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"The ticket's class names are {one_line(repr(names), 200)}; expected a list of texts.", field=CLASS_NAMES
        )
    exempt = ticket.provenance.get("exempt", []) if isinstance(ticket.provenance, dict) else None
    layers = {layer_of(path) for path in ticket.mask}
    if not isinstance(exempt, list | tuple) or not set(map(str, exempt)) < layers:
        raise InputError(
            f"The ticket's exempt layers are {exempt!r}; expected some of {', '.join(sorted(layers))}.", field="exempt"
        )
    for path, kept in ticket.mask.items():
        if kept.dtype != np.bool_:
            raise InputError(f"The mask of {path} is {kept.dtype}; expected bool.", field="mask")
        if path not in ticket.start:
            raise InputError(f"There is a mask for {path} but no start weights.", field="start")
        if ticket.start[path].shape != kept.shape:
            raise InputError(
                f"The mask of {path} is {kept.shape}, its weights are {ticket.start[path].shape}.", field="mask"
            )
    if list(ticket.start) != list(ticket.initial):
        raise InputError("The ticket's start and initial weights are not over the same paths.", field="initial")
    for name, weights in (("start", ticket.start), ("initial", ticket.initial)):
        for path, array in weights.items():
            if not np.issubdtype(array.dtype, np.floating):
                raise InputError(
                    f"The {name} weights of {path} are {array.dtype}; expected floating point.", field=name
                )
            if array.shape != ticket.start[path].shape:
                raise InputError(
                    f"The {name} weights of {path} are {array.shape}, not {ticket.start[path].shape}.", field=name
                )
            if not np.all(np.isfinite(array)):
                raise InputError(f"The {name} weights of {path} are not all finite.", field=name)


def _validate_model(model: Any) -> None:
    if isinstance(model, dict) and "variational" in model:
        validate(Variational, model["variational"], where="The ticket's variational part")
        model = {key: value for key, value in model.items() if key != "variational"}
    if isinstance(model, dict) and "normalisation" in model:
        check_constants(validate(Normalisation, model["normalisation"], where="The ticket's normalisation"))
        model = {key: value for key, value in model.items() if key != "normalisation"}
    registered = {"name": str, "input_shape": list, "num_classes": int, "initialiser": str}
    known = isinstance(model, dict) and (
        isinstance(model.get("keras"), dict)
        or (set(model) == set(registered) and all(isinstance(model[key], kind) for key, kind in registered.items()))
    )
    if not known:
        raise InputError(
            f"The ticket's model is {one_line(repr(model), 200)}; expected {', '.join(registered)}, or a Keras config.",
            field="model",
        )
    if "keras" not in model:
        check_name("network", model["name"], MODELS)
        return
    from tfticket.models.trust import check_names

    check_names(model["keras"])
