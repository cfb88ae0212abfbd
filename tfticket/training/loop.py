"""The one compiled gradient loop.

Data lie on the device as uint8 or float32; one compiled function runs a segment of many iterations. Mask, weights,
optimiser slots, rows and learning rates are assigned or passed in, never captured, so that levels, seeds and
replicates use one compilation.
"""

import functools
import json
import time
from typing import Any

import numpy as np

from tfticket.backend import own_settings, tf
from tfticket.config import Augment, Objective, TrainConfig
from tfticket.network import network_of
from tfticket.training.augmentation import augmented
from tfticket.training.optimisers import make_optimiser
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.noise import Draw, drawing
from tfticket.variational.objective import check_precision, negative_log_likelihood

COMPILED = ("batch_size", "optimiser", "weight_decay", "decoupled", "augment", "precision", "objective")
"""What of a training's configuration goes into the compiled loop; the rest is passed in."""

State = dict[str, np.ndarray]
"""Everything an iteration changes: 'weights/<path>' and 'optimiser/<index>'."""


class GradientLoop:
    """A network, an optimiser and their compiled segment of iterations.

    The gradient of the mean cross-entropy over the batch, plus weight_decay x weight, times the mask. A decoupled
    decay takes learning rate x weight_decay x weight off the weights instead: Loshchilov and Hutter 2019, algorithm
    2, with the learning rate in it as PyTorch and Keras have AdamW. Masking the gradient keeps pruned weights and
    their optimiser slots at exactly 0, and is quicker than without: the slots of weights that swing about 0 make the
    arithmetic slow.

    A layer's constraint acts after the update, as Keras has it, on the masked kernel; what it moves off the mask is 0
    again. A variational layer's constraint is on its means.

    Of a variational network the loss is its objective's, and its standard deviations do not decay.

    Attributes:
        capacity: At most so many iterations a segment.
        fresh: True until the first segment has run, which compiles.
        network: The masked network that is trained.
    """

    @own_settings()
    def __init__(self, spec: Spec, train: TrainConfig, capacity: int) -> None:
        self.capacity = capacity
        self.fresh = True
        self._pace = 1.0  # iterations a second, learnt as segments run
        self.network = network_of(spec, train.precision)
        self._optimiser = make_optimiser(train.optimiser)
        self._optimiser.build(self.network.model.trainable_variables)
        self._slots = [v for v in self._optimiser.variables if v is not self._optimiser.learning_rate]
        self._weight_decay = train.weight_decay
        self._decoupled = train.decoupled
        self._augments = train.augment != Augment()
        self._objective = train.objective
        self._scaled = train.objective.scaled
        self._scales = {
            rho.ref()
            for layer in self.network.variational.values()
            for rho in (layer.kernel_rho, layer.bias_rho)
            if rho is not None
        }
        # A partial, lest TensorFlow takes the loops of several networks for one that is traced again and again.
        self._segment = tf.function(functools.partial(self._run), jit_compile=self.network.jit, autograph=False)

    def start(self, mask: Mask, weights: Weights) -> None:
        """Begin a training: mask and weights put in, optimiser slots 0."""
        self.network.assign(mask, weights)
        for slot in self._slots:
            slot.assign(tf.zeros_like(slot))

    def state(self) -> State:
        """Weights and optimiser slots as they are now."""
        weights = {f"weights/{path}": array for path, array in self.network.read().items()}
        return weights | {f"optimiser/{index:03d}": slot.numpy() for index, slot in enumerate(self._slots)}

    def restore(self, mask: Mask, state: State) -> None:
        """Go on from a state."""
        prefix = "weights/"
        weights = {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
        self.network.assign(mask, weights)
        for index, slot in enumerate(self._slots):
            slot.assign(state[f"optimiser/{index:03d}"])

    def length_for(self, seconds: float) -> int:
        """How many iterations take about so long; never more than ``capacity``. Bits do not depend on it."""
        return int(min(self.capacity, max(1.0, seconds * self._pace)))

    @own_settings()
    def run(
        self,
        images: Any,
        labels: Any,
        rows: np.ndarray,
        moves: np.ndarray,
        rates: np.ndarray,
        noise: np.ndarray,
        factors: np.ndarray,
    ) -> np.ndarray:
        """Run a segment.

        Args:
            images: uint8 or float32 tensor [training rows, ...] on the device.
            labels: int32 tensor [training rows].
            rows: int32 [iterations, batch_size], at most ``capacity`` iterations.
            moves: int32 [iterations, batch_size, 3], how each image is augmented; last axis empty without.
            rates: float32 [iterations], learning rates.
            noise: int32 [iterations, 2], seeds of a variational network's draws.
            factors: float32 [iterations, variational layers], on their KL divergences.

        Returns:
            float32 [iterations], the batch's mean loss before each update: the cross-entropy, or the objective of a
            mean row.
        """
        count = len(rows)
        padding = self.capacity - count  # one shape, so one compilation for segments of any length
        began = time.perf_counter()
        losses = self._segment(
            images,
            labels,
            tf.constant(np.pad(rows, ((0, padding), (0, 0)))),
            tf.constant(np.pad(moves, ((0, padding), (0, 0), (0, 0)))),
            tf.constant(np.pad(rates, (0, padding))),
            tf.constant(np.pad(noise, ((0, padding), (0, 0)))),
            tf.constant(np.pad(factors, ((0, padding), (0, 0)))),
            tf.constant(count),
        )
        result: np.ndarray = losses.numpy()[:count]
        if not self.fresh:  # the first call also compiles; then at most ten times more iterations each time
            self._pace = min(count / (time.perf_counter() - began), 10.0 * self._pace)
        self.fresh = False
        return result

    def _run(self, images: Any, labels: Any, *changing: Any) -> Any:
        *of_iteration, count = changing
        losses = tf.TensorArray(tf.float32, self.capacity, element_shape=[])
        _, losses = tf.while_loop(
            lambda iteration, _: iteration < count,
            lambda iteration, losses: (
                iteration + 1,
                losses.write(iteration, self._iterate(images, labels, *(each[iteration] for each in of_iteration))),
            ),
            (tf.constant(0), losses),
        )
        return losses.stack()

    def _iterate(self, images: Any, labels: Any, batch: Any, moves: Any, rate: Any, noise: Any, factors: Any) -> Any:
        """One update of the weights; returns the batch's loss before it."""
        model = self.network.model
        variables = model.trainable_variables
        mask_of = {kernel.ref(): mask for kernel, mask in self.network.masked.values()}
        self._optimiser.learning_rate.assign(rate)
        chosen = tf.gather(images, batch)
        if self._augments:
            chosen = augmented(chosen, moves)
        with tf.GradientTape() as tape:
            inputs, targets = self.network.inputs(chosen), tf.gather(labels, batch)
            if self.network.variational:
                loss = self._variational_loss(inputs, targets, noise, factors)
            else:
                logits = tf.cast(model(inputs, training=True), tf.float32)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        updates = []
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            if self._scaled:
                gradient = gradient * tf.cast(tf.shape(images)[0], tf.float32)
            if self._weight_decay and not self._decoupled and variable.ref() not in self._scales:
                gradient = gradient + self._weight_decay * variable
            if variable.ref() in mask_of:
                gradient = gradient * mask_of[variable.ref()]
            updates.append(gradient)
        if self._weight_decay and self._decoupled:
            for variable in variables:
                if variable.ref() in self._scales:
                    continue
                variable.assign_sub(rate * self._weight_decay * variable)
        self._optimiser.apply_gradients(zip(updates, variables, strict=True))
        for kernel, mask in self.network.masked.values():
            if kernel.constraint is not None:
                kernel.assign(tf.where(mask > 0, kernel, 0.0))
        return loss

    def _variational_loss(self, inputs: Any, targets: Any, noise: Any, factors: Any) -> Any:
        """The objective of a mean row; all draws share what is the same for them."""
        shared: dict[Any, Any] = {}
        logits = []
        for index in range(self._objective.draws):
            with drawing(Draw(noise, index, self._objective.estimator, shared)):
                logits.append(tf.cast(self.network.model(inputs, training=True), tf.float32))
        divergences = tf.stack([layer.divergence() for layer in self.network.variational.values()])
        return negative_log_likelihood(tf.stack(logits), targets, self._objective.loss) + tf.tensordot(
            factors, divergences, 1
        )


def gradient_loop(spec: Spec, train: TrainConfig, capacity: int) -> GradientLoop:
    """The loop for a network and what a training configuration compiles into it; the last few are kept.

    Raises:
        InputError: A variational network in another precision than float32.
    """
    check_precision(train, "variational" in spec)
    compiled = {name: getattr(train, name) for name in COMPILED}
    into = {name: getattr(train.objective, name) for name in ("estimator", "draws", "loss", "scaled")}
    compiled["objective"] = Objective(**into) if "variational" in spec else Objective()
    compiled["optimiser"] = train.optimiser.model_copy(update={"learning_rate": 1.0})  # set at every iteration
    return _loop(json.dumps(spec, sort_keys=True), TrainConfig(**compiled), capacity)


@functools.lru_cache(maxsize=4)
def _loop(spec: str, train: TrainConfig, capacity: int) -> GradientLoop:
    return GradientLoop(json.loads(spec), train, capacity)
