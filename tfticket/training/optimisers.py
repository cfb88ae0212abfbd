"""Optimisers and learning-rate schedules."""

from typing import Any

import numpy as np

from tfticket.backend import keras
from tfticket.config import Adam, Sgd, TrainConfig
from tfticket.config.durations import iterations_in


def make_optimiser(config: Adam | Sgd) -> Any:
    """Return the Keras optimiser of a configuration. The training loop sets its learning rate at every iteration."""
    if isinstance(config, Adam):
        return keras.optimizers.Adam(
            config.learning_rate, config.beta_1, config.beta_2, config.epsilon, jit_compile=False
        )
    return keras.optimizers.SGD(config.learning_rate, config.momentum, config.nesterov, jit_compile=False)


def learning_rates(config: TrainConfig, rows: int, first: int, last: int) -> np.ndarray:
    """Return the learning rates of iterations first to last - 1, float32.

    A linear warm-up begins with rate / warm-up at iteration 0. After it, ``config.schedule`` 'steps' multiplies by
    gamma at each milestone, counted from iteration 0; 'cosine' decreases by half a cosine from the end of the warm-up
    to 0 at the end of training.

    References:
        Loshchilov and Hutter (2017), "SGDR", equation 5 without restarts; Goyal et al. (2017), section 2.2.
    """
    iterations = np.arange(first, last)
    warmup, total = (iterations_in(length, rows, config.batch_size) for length in (config.warmup, config.epochs))
    if config.schedule == "cosine":
        progress = np.clip((iterations - warmup) / max(1, total - warmup), 0.0, 1.0)
        factor = 0.5 * (1.0 + np.cos(np.pi * progress))
    else:
        milestones = [iterations_in(milestone, rows, config.batch_size) for milestone in config.milestones]
        factor = config.gamma ** np.sum(iterations[:, None] >= np.array(milestones, dtype=int)[None, :], axis=1)
    warmup_factor = np.minimum(1.0, (iterations + 1) / warmup) if warmup else 1.0
    rates: np.ndarray = (config.optimiser.learning_rate * factor * warmup_factor).astype(np.float32)
    return rates
