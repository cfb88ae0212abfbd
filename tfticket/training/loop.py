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

from tfticket.backend import on_device, own_settings, tf
from tfticket.config import Augment, Objective, TrainConfig
from tfticket.data import Dataset
from tfticket.evaluation.predictive import mean_prediction
from tfticket.network import network_of
from tfticket.training.augmentation import augment_images
from tfticket.training.constraints import check_constraints, undefined_constraints
from tfticket.training.optimisers import make_optimiser
from tfticket.training.segment import Pace, Segment, State, weights_of
from tfticket.types import Mask, Spec, Weights
from tfticket.variational.objective import check_precision, variational_loss

COMPILED = ("batch_size", "optimiser", "weight_decay", "decoupled", "augment", "precision", "objective")
"""Fields of a training's configuration that are compiled into the loop; the others are passed in."""


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
        network: The masked network that is trained.
        For the others see ``segment.Loop``.
    """

    engine = "keras"

    @own_settings()
    def __init__(self, spec: Spec, train: TrainConfig, capacity: int) -> None:
        self.capacity = capacity
        self.fresh = True
        self._spec = spec
        self._mask: Mask = {}
        self._pace = Pace()
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

    @property
    def jit(self) -> bool:
        return self.network.jit

    @property
    def variational(self) -> dict[str, Any]:
        return self.network.variational

    def check(self, data: Dataset) -> None:
        """Check the data's shape and type, and the constraints of layers."""
        self.network.check_data(data)
        check_constraints(self.network)

    def load(self, data: Dataset) -> tuple[Any, Any]:
        """Put training rows and labels on the device; the last ones stay there."""
        if not _device or _device[0][0] is not data.x_train or _device[0][1] is not data.y_train:
            _device[:] = [(data.x_train, data.y_train, on_device(data.x_train), on_device(data.y_train))]
        return _device[0][2:]

    def start(self, mask: Mask, weights: Weights) -> None:
        """Begin a training: assign mask and weights, set optimiser slots to 0."""
        self._mask = mask
        self.network.assign(mask, weights)
        for slot in self._slots:
            slot.assign(tf.zeros_like(slot))

    def state(self) -> State:
        """Return the present weights and optimiser slots."""
        weights = {f"weights/{path}": array for path, array in self.weights().items()}
        return weights | {f"optimiser/{index:03d}": slot.numpy() for index, slot in enumerate(self._slots)}

    def restore(self, mask: Mask, state: State) -> None:
        """Resume from a state."""
        self._mask = mask
        self.network.assign(mask, weights_of(state))
        for index, slot in enumerate(self._slots):
            slot.assign(state[f"optimiser/{index:03d}"])

    def length_for(self, seconds: float) -> int:
        """Return the number of iterations that take about this long. Bits do not depend on it."""
        return self._pace.length(seconds, self.capacity)

    def weights(self) -> Weights:
        """Return the present weights."""
        return self.network.read()

    def log_probs(self, images: np.ndarray, draws: int, seed: int) -> np.ndarray:
        """Return the mean prediction, computed in float32 whatever the precision of training."""
        network = network_of(self._spec)
        if network is not self.network:
            network.assign(self._mask, self.weights())
        return mean_prediction(network, images, draws, seed)

    def undefined_constraints(self, before: Weights) -> list[str]:
        """Return the paths of constraints that are to blame."""
        return undefined_constraints(self.network, self._mask, before)

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
        if not self.fresh:  # the first call also compiles
            self._pace.update(count, time.perf_counter() - began)
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


_device: list[tuple[np.ndarray, np.ndarray, Any, Any]] = []


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
