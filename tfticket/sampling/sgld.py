"""Stochastic gradient Langevin dynamics: unadjusted steps by minibatches, plain, preconditioned or in cycles.

With h the step size, g an estimate of the gradient from a minibatch, z standard normal and G a diagonal, 1 without
preconditioning:

    y <- y + h G g + sqrt(2 h G) z,

which is stochastic gradient Hamiltonian Monte Carlo with friction 1: see ``sghmc`` for the steps.

G is learnt in the warm-up and then kept, so that its own derivative, which Li et al. leave out, is 0. Of a normal
posterior of precision p whose minibatch gradients have variance s, draws have the variance

    1 / p * (1 + h s / 2) / (1 - h p / 2),

above the posterior's, 1 / p: the bias falls as the step size does, and with larger minibatches.

References:
    Welling and Teh (2011), "Bayesian learning via stochastic gradient Langevin dynamics", equation 4, with h half their
    step size; Li, Chen, Carlson and Carin (2016), "Preconditioned stochastic gradient Langevin dynamics for deep neural
    networks", algorithm 1; cycles: see ``stochastic_gradients.Schedule``.
"""

from tfticket.config import SampleConfig
from tfticket.sampling.protocol import MinibatchDensity
from tfticket.sampling.sghmc import Sghmc
from tfticket.sampling.stochastic_gradients import Schedule, steps_of

LEARNING_RATE = 0.3
"""Default of ``learning_rate``."""

PRECONDITIONED_LEARNING_RATE = 3e-3
"""The same with a preconditioner: the step of a gradient of root mean square 1."""

FRICTION = 1.0
"""All of the velocity is lost in a step."""


def build(density: MinibatchDensity, config: SampleConfig) -> Sghmc:
    """Return the sampler of a configuration."""
    rate = PRECONDITIONED_LEARNING_RATE if config.preconditioned else LEARNING_RATE
    steps = steps_of(density, config.batch_size, config.steps_per_draw)
    schedule = Schedule(steps, config.draws_per_cycle, config.warmup)
    return Sghmc(density, config.learning_rate or rate, FRICTION, config.batch_size, schedule, config.preconditioned)
