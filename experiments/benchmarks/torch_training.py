"""Timed training in eager PyTorch, for the benchmarks' peers."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.benchmarks.process import peak_memory
from tfticket.data import Dataset


def time_step(
    torch: Any, model: Any, loss_of: Callable[[Any, Any], Any], data: Dataset, batch_size: int, iterations: int
) -> dict[str, Any]:
    """Measure seconds of a step of fused Adam, after two to warm up, and the peak memory of the process in GB.

    Args:
        torch: The module.
        model: What is trained.
        loss_of: Images, float [batch, channels, height, width], and labels -> the loss.
        data: Its training rows are used, pixels from 0 to 1.
        batch_size: Rows of a step.
        iterations: Steps that are timed.
    """
    images = torch.from_numpy(data.x_train.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    labels = torch.from_numpy(data.y_train.astype(np.int64))
    adam = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def train(count: int) -> None:
        for batch in torch.randperm(len(images))[: count * batch_size].split(batch_size):
            loss = loss_of(images[batch], labels[batch])
            adam.zero_grad()
            loss.backward()
            adam.step()

    train(2)
    began = time.perf_counter()
    train(iterations)
    return {"seconds": (time.perf_counter() - began) / iterations, "peak": peak_memory()}
