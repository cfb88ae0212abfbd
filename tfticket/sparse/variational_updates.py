"""Kernels of variational training over surviving weights: their means and deviations.

The loss is that of ``tfticket.variational.objective`` with the estimator 'independent': all rows of a batch share each
draw w = mu + sigma * noise. With g the gradient of the expected log-likelihood in w:

    d loss / d mu  = -g + coefficient * mu / prior^2
    d loss / d rho = (-g * noise + coefficient * (sigma / prior^2 - 1 / sigma)) * sigmoid(rho)

References:
    Blundell et al. (2015), "Weight uncertainty in neural networks", section 3.2.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import float32

from tfticket.sparse.compiling import compiled
from tfticket.sparse.kernels import backward, forward, softmax
from tfticket.sparse.noise import draw_normals
from tfticket.sparse.updates import gather, update


class Posterior(NamedTuple):
    """Constants of a variational network.

    Attributes:
        places: int64 [size, 4], where each weight's noise comes from.
        layers: int64 [size], the layer of each weight.
        priors: float64 [layers], standard deviations.
        draws: Number of draws of a batch.
        predictive: Whether the log-likelihood is that of the mean prediction.
        factor: Of the whole loss in the gradient: 1, or the number of training rows.
    """

    places: np.ndarray
    layers: np.ndarray
    priors: np.ndarray
    draws: int
    predictive: bool
    factor: float


class DrawBuffers(NamedTuple):
    """Memory of a batch's draws.

    Attributes:
        noise, weights: float32 [draws, size].
        sigma: float64 [size].
        log_likelihoods: float64 [draws, width], of each row.
        gradient: float64 [2 * size], of means and rhos.
    """

    noise: np.ndarray
    weights: np.ndarray
    sigma: np.ndarray
    log_likelihoods: np.ndarray
    gradient: np.ndarray


@compiled
def _draw(posterior: Any, key: Any, theta: Any, draws: Any) -> None:
    """Draw the weights of a batch."""
    size = len(posterior.places)
    for k in range(size):
        rho = np.float64(theta[size + k])
        draws.sigma[k] = max(rho, 0.0) + np.log1p(np.exp(-abs(rho)))
    for number in range(posterior.draws):
        draw_normals(posterior.places, key, number, draws.noise[number])
        for k in range(size):
            draws.weights[number, k] = theta[k] + float32(draws.sigma[k]) * draws.noise[number, k]


@compiled
def _take(program: Any, weights: Any, products: Any) -> None:
    for product in range(len(products)):
        products[product] = weights[program.product_weights[product]]


@compiled
def _row_log_likelihoods(program: Any, labels: Any, width: int, values: Any, out: Any) -> None:
    """Write the log-likelihood of each row, 0 in the padding, from the logits among the values."""
    logits = program.logits
    for row in range(width):
        out[row] = 0.0
        if labels[row] >= 0:
            peak = values[logits[0, 0] + row]
            for k in range(1, len(logits)):
                peak = max(peak, values[logits[k, 0] + row])
            total = 0.0
            for k in range(len(logits)):
                total += np.exp(np.float64(values[logits[k, 0] + row]) - np.float64(peak))
            out[row] = np.float64(values[logits[labels[row], 0] + row]) - np.float64(peak) - np.log(total)


@compiled
def _share_rows(posterior: Any, width: int, draws: Any) -> float:
    """Turn the rows' log-likelihoods of each draw into their shares of the gradient; return the batch's, in sum."""
    total, table = 0.0, draws.log_likelihoods
    for row in range(width):
        if posterior.predictive:
            peak = table[0, row]
            for number in range(1, posterior.draws):
                peak = max(peak, table[number, row])
            whole = 0.0
            for number in range(posterior.draws):
                whole += np.exp(table[number, row] - peak)
            total += peak + np.log(whole / posterior.draws)
            for number in range(posterior.draws):
                table[number, row] = np.exp(table[number, row] - peak) / whole
        else:
            for number in range(posterior.draws):
                total += table[number, row] / posterior.draws
                table[number, row] = 1.0 / posterior.draws
    return total


@compiled
def _add_gradients(program: Any, posterior: Any, width: int, buffers: Any, draws: Any) -> float:
    """Add the gradients of a tile to those of means and rhos, the latter in sigma; return its log-likelihood."""
    size, values, errors = len(posterior.places), buffers.values, buffers.errors
    for number in range(posterior.draws):
        _take(program, draws.weights[number], buffers.weights)
        forward(program, draws.weights[number], buffers.weights, buffers.tile[0], width, values)
        _row_log_likelihoods(program, buffers.labels[0], width, values, draws.log_likelihoods[number])
    log_likelihood: float = _share_rows(posterior, width, draws)
    for number in range(posterior.draws):
        if posterior.draws > 1:
            _take(program, draws.weights[number], buffers.weights)
            forward(program, draws.weights[number], buffers.weights, buffers.tile[0], width, values)
        softmax(program, buffers.labels[0], width, values, errors)
        for k in range(len(program.logits)):
            at = program.logits[k, 1]
            for row in range(width):
                errors[at + row] *= float32(draws.log_likelihoods[number, row])
        buffers.gradient[:] = 0.0
        backward(program, draws.weights[number], buffers.weights, width, values, errors, buffers.gradient)
        for k in range(size):
            draws.gradient[k] += buffers.gradient[k]
            draws.gradient[size + k] += buffers.gradient[k] * draws.noise[number, k]
    return log_likelihood


@compiled
def _add_divergence(posterior: Any, coefficients: Any, scale: float, theta: Any, draws: Any) -> float:
    """Complete the gradient of the loss by that of the divergences, and return their part of the loss.

    ``scale`` turns the sum of the batch's log-likelihood gradients into those of its mean, with the sign of a loss.
    """
    size, divergence = len(posterior.places), 0.0
    for k in range(size):
        coefficient, prior = coefficients[posterior.layers[k]], posterior.priors[posterior.layers[k]]
        mean, rho, sigma = np.float64(theta[k]), np.float64(theta[size + k]), draws.sigma[k]
        divergence += coefficient * (np.log(prior / sigma) + (sigma**2 + mean**2) / (2 * prior**2) - 0.5)
        of_sigma = scale * draws.gradient[size + k] + coefficient * (sigma / prior**2 - 1 / sigma)
        draws.gradient[k] = scale * draws.gradient[k] + coefficient * mean / prior**2
        draws.gradient[size + k] = of_sigma / (1 + np.exp(-rho))
    return divergence


@compiled
def train_variational_iterations(
    program: Any,
    width: int,
    rule: Any,
    posterior: Any,
    images: Any,
    rows: Any,
    moves: Any,
    rates: Any,
    keys: Any,
    coefficients: Any,
    step: int,
    theta: Any,
    slots: Any,
    buffers: Any,
    draws: Any,
    losses: Any,
) -> None:
    """Run iterations of variational training; see ``updates.train_iterations``.

    Here ``theta`` are means and rhos, float32 [2 * size], and ``slots`` theirs. ``keys`` are the seeds of the draws,
    uint32 [iterations, 2], and ``coefficients`` those of the divergences, float32 [iterations, layers].
    """
    count, size = rows.shape[1], len(posterior.places)
    for iteration in range(len(rows)):
        _draw(posterior, keys[iteration], theta, draws)
        draws.gradient[:] = 0.0
        log_likelihood = 0.0
        for begin in range(0, count, width):
            end = min(begin + width, count)
            gather(images, rows[iteration, begin:end], moves[iteration, begin:end], width, buffers)
            log_likelihood += _add_gradients(program, posterior, width, buffers, draws)
        divergence = _add_divergence(posterior, coefficients[iteration], -1.0 / count, theta, draws)
        losses[iteration] = divergence - log_likelihood / count
        update(rule, rates[iteration], step + iteration, posterior.factor, draws.gradient, theta, slots, size)
