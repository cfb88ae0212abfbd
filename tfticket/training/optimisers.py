"""Optimisers and learning-rate schedules."""

from typing import Any

import numpy as np

from tfticket.backend import keras
from tfticket.config import Adam, Sgd, TrainConfig
from tfticket.durations import iterations_in


def make_optimiser(config: Adam | Sgd) -> Any:
    """The Keras optimiser of a configuration. The training loop sets its learning rate at every iteration."""
    if isinstance(config, Adam):
        return keras.optimizers.Adam(
            config.learning_rate, config.beta_1, config.beta_2, config.epsilon, jit_compile=False
        )
    return keras.optimizers.SGD(config.learning_rate, config.momentum, config.nesterov, jit_compile=False)


def learning_rates(config: TrainConfig, rows: int, first: int, last: int) -> np.ndarray:
    """Learning rate of iterations first to last - 1, float32: multiplied by gamma from each milestone on."""
    milestones = [iterations_in(milestone, rows, config.batch_size) for milestone in config.milestones]
    passed = np.sum(np.arange(first, last)[:, None] >= np.array(milestones, dtype=int)[None, :], axis=1)
    rates: np.ndarray = (config.optimiser.learning_rate * config.gamma**passed).astype(np.float32)
    return rates
