"""Checks before any folder is made: data, lengths, networks and controls of experiments."""

from tfticket.config import Control, TrainConfig, check_augment, check_lengths
from tfticket.config.durations import iterations_in
from tfticket.errors import InputError
from tfticket.pruning.mask import layer_of
from tfticket.pruning.shuffles import survivors_at
from tfticket.registry import SCORES, resolve
from tfticket.types import Mask
from tfticket.user_networks import is_user_defined, source_file

from .imp_config import Config


def check_data(config: Config) -> None:
    """Refuse unsuitable data, and a missing file or module of a network, before TensorFlow starts."""
    from tfticket.data import check_alike, load_dataset

    data = load_dataset(config.data)
    check_augment(config.train.augment, data.input_shape)
    if (outside := config.out_of_distribution) is not None:
        try:
            outside_data = load_dataset(outside)
        except InputError as error:
            where = f"out_of_distribution.{'name' if outside.path is None else 'path'}"
            message = f"{where}: {str(error).replace('data.path', 'out_of_distribution.path')}"
            raise InputError(message, field=where, suggestion=error.suggestion) from None
        check_alike(data, outside_data)
    if is_user_defined(config.model.name):
        source_file(config.model.name)


def check_moments(config: Config, train: TrainConfig, where: str) -> None:
    """Refuse moments that training does not reach; ``where`` is the field of the training."""
    from tfticket.data import split_rows

    rows = split_rows(config.data)[0]
    check_lengths(train, config.prune.rewind, rows, where)
    last = iterations_in(train.epochs, rows, train.batch_size)
    for moment in config.keep:
        if (iteration := iterations_in(moment, rows, train.batch_size)) > last:
            raise InputError(
                f"keep: {moment} is iteration {iteration:,}; training for {train.epochs} ends after {last:,}. Name an "
                f"earlier moment, or train longer ({where}.epochs).",
                field="keep",
            )


def check_model(config: Config, *, compares: bool, infers: bool = False) -> list[str]:
    """Refuse, before any folder is made, a network that cannot be pruned as configured."""
    from tfticket.backend import configure
    from tfticket.data import load_dataset
    from tfticket.models import (
        initial_weights,
        kernel_shapes,
        named_variables,
        network_of_config,
        unprunable_layers,
        variational_layers,
    )
    from tfticket.pruning.mask import dense_mask
    from tfticket.pruning.mask_files import read_mask
    from tfticket.pruning.selection import check_levels
    from tfticket.tickets.survival_model import subsample_images
    from tfticket.training.engine import check_engine
    from tfticket.variational.objective import check_objective, check_precision

    configure(config.execution.threads)
    data = load_dataset(config.data)
    model = network_of_config(config.model, data)
    dense = dense_mask(kernel_shapes(model))
    check_levels(dense, config.prune)
    weights = {path: variable.numpy() for path, (_, variable) in named_variables(model).items()}
    resolve(SCORES[config.prune.score].target)(weights, dense, 0)  # raises for a network without this score
    if not infers:
        check_objective(config.train.objective, variational_layers(model))
    check_precision(config.train, config.model.variational is not None)
    for control in config.controls if config.controlled else ():
        if control.densities is not None:
            _check_random_mask(control, dense, config.prune.exempt)
        if control.path is not None:
            read_mask(control.path, dense)
        if is_user_defined(config.model.name) and control.name in ("reinitialise", "keep-signs"):
            initial_weights(model, seed=0, initialiser=control.initialiser)
    if is_user_defined(config.model.name) and config.model.start == "seed":
        initial_weights(model, seed=0)
    for options in config.monte_carlo:
        subsample_images(data, options.images, seed=0)
    notes = unmatched_densities(config) if compares else []
    notes += check_engine(model, config.train, (1.0 - config.prune.rate_per_level) ** config.prune.levels, "train")
    if config.train != config.training and not infers:
        notes.append("train.objective has no effect: no variational network is trained with it.")
    unprunable = ", ".join(f"{path} ({kind})" for path, kind in unprunable_layers(model).items())
    return notes + [f"Layers of these kinds are not pruned: {unprunable}"] * bool(unprunable)


def _check_random_mask(control: Control, dense: Mask, exempt: tuple[str, ...]) -> None:
    assert control.densities is not None
    counts = survivors_at(dense, control.densities, exempt)
    collapsed = [layer_of(path) for path, count in counts.items() if not count]
    if collapsed and not control.allow_empty:
        raise InputError(
            f"The control {control.arm} leaves no weight in {', '.join(collapsed)}. Give it a larger density.",
            field="controls",
        )


def unmatched_densities(config: Config) -> list[str]:
    """Return a note for each control density without a nearby level."""
    kept = 1.0 - config.prune.rate_per_level
    levels = range(1, config.prune.levels + 1)
    notes = []
    for density in config.control_densities if config.control_levels is None else ():
        if config.level_at(density) not in levels:
            nearest = min(levels, key=lambda level: abs(kept**level - density))
            notes.append(
                f"No level lies near the control density {density:g} (the nearest is level {nearest}, of density "
                f"{kept**nearest:.3g}), so nothing is compared at it; set control_levels to name levels directly."
            )
    return notes
