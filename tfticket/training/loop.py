"""The one compiled gradient loop.

Data lie on the device as uint8 or float32; one compiled function runs a segment of many iterations. Mask, weights,
optimiser slots, rows and learning rates are assigned or passed in, never captured, so that levels, seeds and
replicates use one compilation.
"""

import functools
import json
import time
from typing import Any, NamedTuple

import numpy as np

from tfticket.backend import own_settings, tf
from tfticket.config import Augment, Objective, TrainConfig
from tfticket.network import network_of
from tfticket.training.augmentation import augment_images
from tfticket.training.optimisers import make_optimiser
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.objective import check_precision, variational_loss

COMPILED = ("batch_size", "optimiser", "weight_decay", "decoupled", "augment", "precision", "objective")
"""Fields of a training's configuration that are compiled into the loop; the others are passed in."""

State = dict[str, np.ndarray]
"""Everything an iteration changes: 'weights/<path>' and 'optimiser/<index>'."""


class Segment(NamedTuple):
    """Inputs of a segment of iterations.

    Attributes:
        images: uint8 or float32 tensor [training rows, ...] on the device.
        labels: int32 tensor [training rows].
        rows: int32 [iterations, batch_size].
        moves: int32 [iterations, batch_size, 3], augmentation of each image; the last axis is empty without.
        rates: float32 [iterations], learning rates.
        noise: int32 [iterations, 2], seeds of a variational network's draws.
        kl_coefficients: float32 [iterations, variational layers].
    """

    images: Any
    labels: Any
    rows: np.ndarray
    moves: np.ndarray
    rates: np.ndarray
    noise: np.ndarray
    kl_coefficients: np.ndarray


class GradientLoop:
    """A network, an optimiser and their compiled segment of iterations.

    The gradient is mask * (gradient of the mean cross-entropy + weight_decay * weight). Decoupled decay subtracts
    learning rate * weight_decay * weight from the weights instead: algorithm 2 of Loshchilov and Hutter (2019), with
    the learning rate in it as in PyTorch's and Keras' AdamW. Masking the gradient keeps pruned weights and their
    optimiser slots at exactly 0. It is also faster: the slots of
    weights that oscillate about 0 fill with numbers that are slow to add (decision 4).

    A layer's constraint is applied after the update, as in Keras, to the masked kernel; the mask is applied again
    afterwards. In a variational layer the constraint acts on the means.

    A variational network's loss is ``variational_loss``; its standard deviations do not decay.

    Attributes:
        capacity: Maximum number of iterations in a segment.
        fresh: True until the first segment, which compiles, has run.
        network: The masked network that is trained.
    """

    @own_settings()
    def __init__(self, spec: Spec, train: TrainConfig, capacity: int) -> None:
        self.capacity = capacity
        self.fresh = True
        self._pace = 1.0  # iterations per second, measured as segments run
        self.network = network_of(spec, train.precision)
        self._optimiser = make_optimiser(train.optimiser)
        self._optimiser.build(self.network.model.trainable_variables)
        self._slots = [v for v in self._optimiser.variables if v is not self._optimiser.learning_rate]
        self._weight_decay = train.weight_decay
        self._decoupled = train.decoupled
        self._augments = train.augment != Augment()
        self._objective = train.objective
        self._scaled = train.objective.scaled
        self._rhos = {
            rho.ref()
            for layer in self.network.variational.values()
            for rho in (layer.kernel_rho, layer.bias_rho)
            if rho is not None
        }
        # A partial: TensorFlow would take the loops of several networks for one that is retraced again and again.
        self._segment = tf.function(functools.partial(self._run), jit_compile=self.network.jit, autograph=False)

    def start(self, mask: Mask, weights: Weights) -> None:
        """Begin a training: assign mask and weights, set optimiser slots to 0."""
        self.network.assign(mask, weights)
        for slot in self._slots:
            slot.assign(tf.zeros_like(slot))

    def state(self) -> State:
        """Return the present weights and optimiser slots."""
        weights = {f"weights/{path}": array for path, array in self.network.read().items()}
        return weights | {f"optimiser/{index:03d}": slot.numpy() for index, slot in enumerate(self._slots)}

    def restore(self, mask: Mask, state: State) -> None:
        """Resume from a state."""
        prefix = "weights/"
        weights = {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
        self.network.assign(mask, weights)
        for index, slot in enumerate(self._slots):
            slot.assign(state[f"optimiser/{index:03d}"])

    def length_for(self, seconds: float) -> int:
        """Return the number of iterations that take about this long, at most ``capacity``. Bits do not depend on it."""
        return int(min(self.capacity, max(1.0, seconds * self._pace)))

    @own_settings()
    def run(self, segment: Segment) -> np.ndarray:
        """Run a segment of at most ``capacity`` iterations.

        Returns:
            float32 [iterations], each batch's mean loss before its update: the cross-entropy, or the objective.
        """
        count = len(segment.rows)
        padding = self.capacity - count  # one shape, so one compilation for segments of any length
        images, labels, *per_iteration = segment
        began = time.perf_counter()
        padded = [tf.constant(np.pad(array, ((0, padding), *[(0, 0)] * (array.ndim - 1)))) for array in per_iteration]
        result: np.ndarray = self._segment(images, labels, *padded, tf.constant(count)).numpy()[:count]
        if not self.fresh:  # the first call also compiles; then at most ten times more iterations each time
            self._pace = min(count / (time.perf_counter() - began), 10.0 * self._pace)
        self.fresh = False
        return result

    def _run(self, images: Any, labels: Any, *inputs: Any) -> Any:
        *per_iteration, count = inputs
        losses = tf.TensorArray(tf.float32, self.capacity, element_shape=[])
        _, losses = tf.while_loop(
            lambda iteration, _: iteration < count,
            lambda iteration, losses: (
                iteration + 1,
                losses.write(iteration, self._iterate(images, labels, *(array[iteration] for array in per_iteration))),
            ),
            (tf.constant(0), losses),
        )
        return losses.stack()

    def _iterate(
        self, images: Any, labels: Any, batch: Any, moves: Any, rate: Any, noise: Any, kl_coefficients: Any
    ) -> Any:
        """Update the weights once; return the batch's loss before the update."""
        model = self.network.model
        variables = model.trainable_variables
        masks = {kernel.ref(): mask for kernel, mask in self.network.masked.values()}
        self._optimiser.learning_rate.assign(rate)
        selected = tf.gather(images, batch)
        if self._augments:
            selected = augment_images(selected, moves)
        with tf.GradientTape() as tape:
            inputs, targets = self.network.inputs(selected), tf.gather(labels, batch)
            if layers := self.network.variational:
                loss = variational_loss(
                    model, layers.values(), inputs, targets, noise, kl_coefficients, self._objective
                )
            else:
                logits = tf.cast(model(inputs, training=True), tf.float32)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        gradients = []
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            if self._scaled:
                gradient = gradient * tf.cast(tf.shape(images)[0], tf.float32)
            if self._weight_decay and not self._decoupled and variable.ref() not in self._rhos:
                gradient = gradient + self._weight_decay * variable
            if variable.ref() in masks:
                gradient = gradient * masks[variable.ref()]
            gradients.append(gradient)
        if self._weight_decay and self._decoupled:
            for variable in variables:
                if variable.ref() not in self._rhos:
                    variable.assign_sub(rate * self._weight_decay * variable)
        self._optimiser.apply_gradients(zip(gradients, variables, strict=True))
        for kernel, mask in self.network.masked.values():
            if kernel.constraint is not None:
                kernel.assign(tf.where(mask > 0, kernel, 0.0))
        return loss


def gradient_loop(spec: Spec, train: TrainConfig, capacity: int) -> GradientLoop:
    """Return the loop for a network and a training configuration; the last four stay compiled."""
    check_precision(train, "variational" in spec)
    compiled = {name: getattr(train, name) for name in COMPILED}
    objective = {name: getattr(train.objective, name) for name in ("estimator", "draws", "loss", "scaled")}
    compiled["objective"] = Objective(**objective) if "variational" in spec else Objective()
    compiled["optimiser"] = train.optimiser.model_copy(update={"learning_rate": 1.0})  # set at every iteration
    return _loop(json.dumps(spec, sort_keys=True), TrainConfig(**compiled), capacity)


@functools.lru_cache(maxsize=4)
def _loop(spec: str, train: TrainConfig, capacity: int) -> GradientLoop:
    return GradientLoop(json.loads(spec), train, capacity)
