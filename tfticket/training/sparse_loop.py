"""The loop of the sparse engine: iterations over surviving weights alone, on one CPU thread."""

import time
from typing import Any

import numpy as np

from tfticket.config import Adam, Augment, Sgd, TrainConfig
from tfticket.data import Dataset
from tfticket.evaluation.predictive import SparsePrediction, mean_prediction, sparse_prediction
from tfticket.network import network_of
from tfticket.sparse.build import compile_ticket, of_means
from tfticket.sparse.tiles import aligned_zeros
from tfticket.sparse.updates import ADAM, NESTEROV, SGD, Buffers, Images, Rule, train_iterations
from tfticket.training.segment import Pace, Segment, State, weights_of
from tfticket.types import Mask, Spec, Weights


class SparseLoop:
    """A ticket's surviving weights, an optimiser and their compiled iterations: see ``segment.Loop``.

    The gradient, the decay and the updates are those of ``loop.GradientLoop``. Gradients are summed in float64, the
    rest is float32.
    """

    engine = "sparse"
    jit = False
    _compiled_kernels = False
    """Whether this process has run the kernels, which compiles them."""

    def __init__(self, spec: Spec, mask: Mask, train: TrainConfig, capacity: int) -> None:
        self.capacity, self.fresh = capacity, not type(self)._compiled_kernels
        self.variational: dict[str, Any] = {}
        self._pace = Pace()
        self._spec, self._rule = spec, update_rule(train)
        self._mask, self._augments = mask, train.augment != Augment()
        self._layout, self._compiled = compile_ticket(of_means(spec), mask, train.batch_size)
        self._theta = np.zeros(self._layout.size, np.float32)
        self._slots = np.zeros((2, self._layout.size), np.float32)
        self._steps = 0
        self._buffers: Buffers | None = None
        self._prediction: SparsePrediction | None = None

    def check(self, data: Dataset) -> None:
        """Check the data's shape and type."""
        network_of(self._spec).check_data(data)

    def load(self, data: Dataset) -> tuple[Any, Any]:
        """Return training rows, without augmentation only the numbers that the network reads, and labels."""
        inputs, width, program = self._compiled.inputs, self._compiled.width, self._compiled.program
        numbers = data.x_train.reshape(len(data.x_train), -1)
        shape = data.input_shape if self._augments else (1, 1, len(inputs))
        self._buffers = Buffers(
            tile=np.zeros((1, len(inputs) * width), numbers.dtype),
            labels=np.zeros((1, width), np.int32),
            weights=np.zeros(len(program.product_weights), np.float32),
            gradient=np.zeros(self._layout.size),
            values=aligned_zeros(self._compiled.values),
            errors=aligned_zeros(self._compiled.errors),
        )
        read = numbers if self._augments else _read_numbers(data.x_train, inputs)
        labels = data.y_train.astype(np.int32)
        return Images(np.ascontiguousarray(read), labels, (shape[0], shape[1], shape[2]), inputs), labels

    def start(self, mask: Mask, weights: Weights) -> None:
        """Begin a training."""
        self._theta[:] = self._pack(weights)
        self._slots[:] = 0.0
        self._steps = 0

    def state(self) -> State:
        """Return the present weights, the slots, and the number of updates."""
        weights = {f"weights/{path}": array for path, array in self.weights().items()}
        return weights | {"optimiser/slots": self._slots.copy(), "optimiser/steps": np.array(self._steps)}

    def restore(self, mask: Mask, state: State) -> None:
        """Resume from a state."""
        self.start(mask, weights_of(state))
        self._slots[:] = state["optimiser/slots"]
        self._steps = int(state["optimiser/steps"])

    def length_for(self, seconds: float) -> int:
        """Return the number of iterations that take about this long."""
        return self._pace.length(seconds, self.capacity)

    @np.errstate(over="ignore", invalid="ignore")  # of a training that diverges
    def run(self, segment: Segment) -> np.ndarray:
        """Run a segment."""
        losses = np.empty(len(segment.rows), np.float32)
        began = time.perf_counter()
        self._iterate(segment, losses)
        self._steps += len(losses)
        if not self.fresh:  # the first call compiles
            self._pace.update(len(losses), time.perf_counter() - began)
        self.fresh = False
        type(self)._compiled_kernels = True
        return losses

    def _iterate(self, segment: Segment, losses: np.ndarray) -> None:
        """Run a segment and write its losses."""
        train_iterations(
            self._compiled.program,
            self._compiled.width,
            self._rule,
            segment.images,
            segment.rows,
            segment.moves,
            segment.rates,
            self._steps,
            self._theta,
            self._slots,
            self._buffers,
            losses,
        )

    def _pack(self, weights: Weights) -> np.ndarray:
        return self._layout.pack(weights)

    def weights(self) -> Weights:
        """Return the present weights."""
        return self._layout.unpack(self._theta)

    def log_probs(self, images: np.ndarray, draws: int, seed: int) -> np.ndarray:
        """Return the prediction of the present weights."""
        if self._prediction is None:
            self._prediction = sparse_prediction(self._spec, self._mask)
        self._prediction.take(self.weights())
        return mean_prediction(self._prediction, images, draws, seed)

    def undefined_constraints(self, before: Weights) -> list[str]:
        """Return nothing: networks with constraints are trained by Keras."""
        return []


_last: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []


def _read_numbers(images: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Return the numbers of rows that a network reads; those of the last call are kept, for replicates of one mask."""
    if not _last or _last[0][0] is not images or not np.array_equal(_last[0][1], inputs):
        _last[:] = [(images, inputs, np.take(images.reshape(len(images), -1), inputs, axis=1))]
    return _last[0][2]


def update_rule(train: TrainConfig) -> Rule:
    """Return the update rule of a configuration."""
    optimiser: Adam | Sgd = train.optimiser
    decay = np.float32(train.weight_decay)
    if isinstance(optimiser, Adam):
        first, second, epsilon = map(np.float32, (optimiser.beta_1, optimiser.beta_2, optimiser.epsilon))
        return Rule(ADAM, first, second, epsilon, decay, train.decoupled)
    kind = NESTEROV if optimiser.nesterov else SGD
    return Rule(kind, np.float32(optimiser.momentum), np.float32(0.0), np.float32(0.0), decay, train.decoupled)
