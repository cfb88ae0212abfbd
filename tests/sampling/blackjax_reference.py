"""Numbers of blackjax 1.7.1 for ``test_samplers`` and ``test_metric``: ``blackjax_reference.json``.

Made by ``python tests/sampling/blackjax_reference.py > tests/sampling/blackjax_reference.json`` in an environment that
has blackjax; the inputs come from the same seeds in the tests.
"""

import json
import sys

import numpy as np

SIZE, STEPS = 6, (0.3, 2.0, 40.0)


def problem():
    """A precision matrix, a position and a direction."""
    random = np.random.default_rng(0)
    factor = random.normal(size=(SIZE, SIZE))
    position, direction = random.normal(size=(2, SIZE))
    return factor @ factor.T + np.eye(SIZE), position, direction / np.linalg.norm(direction)


def correlated_draws(count=40, size=12):
    """Draws of a normal distribution and gradients of its log density; the last variables are of two scales."""
    random = np.random.default_rng(1)
    factor = np.eye(size) + 3 * np.outer(*random.normal(size=(2, size))) / size
    factor *= np.geomspace(0.1, 10, size)[:, None]
    draws = random.normal(size=(count, size)) @ factor.T + 1
    return draws, -(draws - 1) @ np.linalg.inv(factor @ factor.T)


if __name__ == "__main__":
    import jax
    from blackjax.adaptation.metric_estimators import _compute_low_rank_metric
    from blackjax.mcmc.integrators import IntegratorState, isokinetic_velocity_verlet
    from jax import numpy as jnp

    jax.config.update("jax_enable_x64", True)
    precision, position, direction = problem()

    def log_density(x):
        return -0.5 * x @ jnp.asarray(precision) @ x

    value, gradient = jax.value_and_grad(log_density)(position)
    start = IntegratorState(jnp.asarray(position), jnp.asarray(direction), value, gradient)
    steps = []
    for size in STEPS:
        state, change = isokinetic_velocity_verlet(log_density)(start, size)
        steps.append([state.position.tolist(), state.momentum.tolist(), float(change)])
    draws, gradients = correlated_draws()
    scale, _, vectors, eigenvalues = _compute_low_rank_metric(
        jnp.asarray(draws), jnp.asarray(gradients), len(draws), draws.shape[1], 1e-5, 2.0
    )
    inverse_mass = scale[:, None] * (jnp.eye(len(scale)) + vectors * (eigenvalues - 1) @ vectors.T) * scale
    json.dump({"steps": steps, "scale": scale.tolist(), "inverse_mass": inverse_mass.tolist()}, sys.stdout, indent=1)
