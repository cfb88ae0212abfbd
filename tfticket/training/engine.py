"""The engine of a training: Keras, or the compiled tables of surviving weights."""

from typing import Any

from tfticket.backend import has_gpu
from tfticket.config import TrainConfig
from tfticket.models import kernel_shapes, spec_of
from tfticket.models.variables import constraints
from tfticket.pruning.mask import dense_mask, density
from tfticket.sparse.build import dense_from, layout_of, of_means, plain_model
from tfticket.sparse.reader import CannotRun, sparse_layers
from tfticket.training.loop import gradient_loop
from tfticket.training.segment import Loop
from tfticket.training.sparse_loop import SparseLoop
from tfticket.training.sparse_variational_loop import SparseVariationalLoop
from tfticket.types import Mask, Spec


def make_loop(spec: Spec, mask: Mask, train: TrainConfig, capacity: int) -> Loop:
    """Return a loop of the engine that a configuration asks for, or of the faster one.

    Args:
        spec: The network.
        mask: Kernel path -> boolean array.
        train: Engine, optimiser, batch size.
        capacity: Maximum number of iterations in a segment.

    Raises:
        CannotRun: The sparse engine is asked for and cannot run the network.
    """
    if train.engine == "keras" or (train.engine == "auto" and (has_gpu() or density(mask) > dense_from(mask))):
        return gradient_loop(spec, train, capacity)
    if reason := obstacle(spec, mask, train):
        if train.engine == "sparse":
            raise CannotRun(reason, "train.engine")
        return gradient_loop(spec, train, capacity)
    return (SparseVariationalLoop if "variational" in spec else SparseLoop)(spec, mask, train, capacity)


def check_engine(model: Any, train: TrainConfig, sparsest: float, where: str) -> list[str]:
    """Refuse an engine that cannot train a network; return a note on what ``auto`` takes, if tickets are that sparse.

    Args:
        model: A ``tf_keras`` model.
        train: The training.
        sparsest: Density of the sparsest planned ticket.
        where: Name of the field that holds the training.

    Raises:
        CannotRun: The sparse engine is asked for and cannot run the network.
    """
    if train.engine == "keras":
        return []
    dense = dense_mask(kernel_shapes(model))
    reason = obstacle(spec_of(model), dense, train)
    if train.engine == "sparse":
        if reason:
            raise CannotRun(reason, f"{where}.engine")
        return []
    if has_gpu() or sparsest > dense_from(dense):
        return []
    tickets = f"Tickets with at most {dense_from(dense):.0%} of the weights"
    if reason:
        return [f"{tickets} are trained by Keras, dense and masked: the sparse engine cannot run them ({reason})."]
    return [f"{tickets} are trained over the surviving weights alone, which is faster (train.engine)."]


def obstacle(spec: Spec, mask: Mask, train: TrainConfig) -> str | None:
    """Return why the sparse engine cannot train a network; None if it can."""
    if "variational" in spec and train.objective.estimator != "independent":
        return f"it is variational, with the estimator {train.objective.estimator} instead of independent"
    model = plain_model(of_means(spec))
    if train.precision != "float32":
        return f"it computes in {train.precision}"
    if constrained := constraints(model):
        return f"{next(iter(constrained))} has a constraint"
    if not any(kept.any() for kept in mask.values()):
        return "no weight survives"
    try:
        sparse_layers(model, layout_of(model, mask))
    except CannotRun as error:
        return error.reason
    return None
