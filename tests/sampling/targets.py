"""Eight densities with public reference posteriors, with gradients by hand, for the tests of samplers.

``reference.json`` holds their data and their reference means, Monte Carlo standard errors and standard deviations.

posteriordb (github.com/stan-dev/posteriordb, ``posterior_database/``): models ``models/stan/*.stan``, references
``reference_posteriors/summary_statistics/mean/mean/*.json``; deviations from ``mean_squared_value`` beside them, where
it has digits enough.

- ``eight_schools``: eight_schools-eight_schools_noncentered; deviations: eight_schools-eight_schools_centered, which
  is the same posterior. Data: Rubin (1981).
- ``kidscore_momiq``, ``kidscore_interaction``: kidiq-kidscore_momiq and kidiq-kidscore_interaction. Data: ``kidiq`` of
  the R package rstanarm 2.21.3.
- ``sblrc``: sblrc-blr. Data: github.com/twiecki/posteriordb, ``benchmark_results/blr_data.json``.

Inference Gym 0.0.5 (PyPI: inference-gym), ``targets/ground_truth/*.py``; data ``internal/datasets/*.py``.

- ``item_response``: SyntheticItemResponseTheory.
- ``stochastic_volatility``: StochasticVolatilitySP500Small.
- ``brownian_motion``: BrownianMotionMissingMiddleObservations.
- ``radon_minnesota``: RadonContextualEffectsMinnesota. Data: ``radon`` of the R package rstanarm 2.21.3.

Linear regressions are stored as the Gram matrix of inputs and output, all that their likelihood depends on; columns of
inputs are in the order of beta. Log densities leave out constants.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit, log_expit

from tests.sampling.problems import Target


@dataclass(frozen=True)
class Reference:
    """A target and what is published of its posterior.

    Attributes:
        name: Key of ``REFERENCES``.
        target: Over unconstrained variables.
        to_quantities: Draws [n, size] -> [n, quantities], as the reference names them.
        means, errors: Posterior means and their Monte Carlo standard errors, float64 [quantities].
        deviations: Posterior standard deviations, float64 [quantities]; None: not published.
    """

    name: str
    target: Target
    to_quantities: Callable[[np.ndarray], np.ndarray]
    means: np.ndarray
    errors: np.ndarray
    deviations: np.ndarray | None


@cache
def stored(name):
    """Return data and reference of a target."""
    return json.loads(Path(__file__).with_name("reference.json").read_text())[name]


def reference(name, size, log_density_and_gradient, to_quantities):
    published = [stored(name)[key] for key in ("means", "errors", "deviations")]
    arrays = (None if values is None else np.array(values) for values in published)
    return Reference(name, Target(size, log_density_and_gradient), to_quantities, *arrays)


def regression(name, beta_deviation=np.inf, log_prior_of_sigma=lambda sigma: (0.0, 0.0)):
    """y ~ normal(X * beta, sigma); beta ~ normal(0, beta_deviation); variables: beta, log sigma."""
    gram, rows = np.array(stored(name)["gram"]), stored(name)["rows"]

    def log_density_and_gradient(u):
        beta, sigma = u[:-1], np.exp(u[-1])
        products = gram @ np.append(beta, -1.0)
        squares = products @ np.append(beta, -1.0) / sigma**2
        log_prior, slope = log_prior_of_sigma(sigma)
        value = -rows * u[-1] - 0.5 * squares - 0.5 * np.sum((beta / beta_deviation) ** 2) + log_prior + u[-1]
        return value, np.append(
            -products[:-1] / sigma**2 - beta / beta_deviation**2, squares - rows + slope * sigma + 1
        )

    def to_quantities(draws):
        return np.column_stack([draws[:, :-1], np.exp(draws[:, -1])])

    return reference(name, len(gram), log_density_and_gradient, to_quantities)


def cauchy(sigma):
    """Log density of cauchy(0, 2.5) at sigma, and its slope."""
    return -np.log1p((sigma / 2.5) ** 2), -2 * sigma / (2.5**2 + sigma**2)


def kidscore_momiq():
    """kid_score ~ normal(beta[1] + beta[2] * mom_iq, sigma); sigma ~ cauchy(0, 2.5)."""
    return regression("kidscore_momiq", log_prior_of_sigma=cauchy)


def kidscore_interaction():
    """kid_score ~ normal((1, mom_hs, mom_iq, mom_hs * mom_iq) * beta, sigma); sigma ~ cauchy(0, 2.5)."""
    return regression("kidscore_interaction", log_prior_of_sigma=cauchy)


def sblrc():
    """y ~ normal(X * beta, sigma); beta ~ normal(0, 10); sigma ~ normal(0, 10)."""
    return regression("sblrc", 10.0, lambda sigma: (-((sigma / 10) ** 2) / 2, -sigma / 100))


def eight_schools():
    """y ~ normal(mu + tau * theta_trans, sigma); theta_trans ~ normal(0, 1); mu ~ normal(0, 5); tau ~ cauchy(0, 5).

    Variables: theta_trans [8], mu, log tau. Quantities: theta [8], mu, tau.
    """
    y, sigma = (np.array(stored("eight_schools")[key]) for key in ("effects", "deviations_of_effects"))

    def log_density_and_gradient(u):
        standard, mu, tau = u[:8], u[8], np.exp(u[9])
        misfits = (y - mu - tau * standard) / sigma
        value = -0.5 * (misfits @ misfits + standard @ standard + (mu / 5) ** 2) - np.log1p((tau / 5) ** 2) + u[9]
        pulls = misfits / sigma
        of_log_tau = tau * pulls @ standard - 2 * tau**2 / (25 + tau**2) + 1
        return value, np.concatenate([tau * pulls - standard, [pulls.sum() - mu / 25, of_log_tau]])

    def to_quantities(draws):
        mu, tau = draws[:, 8:9], np.exp(draws[:, 9:])
        return np.column_stack([mu + tau * draws[:, :8], mu, tau])

    return reference("eight_schools", 10, log_density_and_gradient, to_quantities)


def item_response():
    """correct[i, j] ~ bernoulli_logit(mean + ability[i] - difficulty[j]).

    mean ~ normal(0.75, 1); ability, difficulty ~ normal(0, 1).

    Variables and quantities: mean, ability [400], difficulty [100].
    """
    data = stored("item_response")
    by_student, by_question = (np.array(data[f"correct_by_{which}"]) for which in ("student", "question"))
    answered = np.unpackbits(np.frombuffer(base64.b64decode(data["answered"]), np.uint8)).reshape(400, 100)

    def log_density_and_gradient(u):
        mean, ability, difficulty = u[0], u[1:401], u[401:]
        logits = mean + ability[:, None] - difficulty
        value = mean * by_student.sum() + ability @ by_student - difficulty @ by_question
        value += np.sum(answered * log_expit(-logits)) - 0.5 * ((mean - 0.75) ** 2 + u[1:] @ u[1:])
        expected = answered * expit(logits)
        surplus = by_student - expected.sum(axis=1)
        of_difficulty = expected.sum(axis=0) - by_question - difficulty
        return value, np.concatenate([[surplus.sum() - mean + 0.75], surplus - ability, of_difficulty])

    return reference("item_response", 501, log_density_and_gradient, lambda draws: draws)


def stochastic_volatility():
    """returns[t] ~ normal(0, exp(h[t] / 2)); h[t] ~ normal(mean + persistence * (h[t - 1] - mean), shock).

    h[0] ~ normal(mean, shock / sqrt(1 - persistence^2)); (persistence + 1) / 2 ~ beta(20, 1.5); mean ~ cauchy(0, 5);
    shock ~ cauchy(0, 2).

    Variables: logit((persistence + 1) / 2), mean, log shock, shocks in units of their scale [100].
    Quantities: persistence, mean, shock, h [100]; mean has heavy tails, where persistence is near 1.
    """
    returns = np.diff(stored("stochastic_volatility")["closing_prices"])
    returns -= returns.mean()

    def volatilities(u):
        """Return persistence, shock, its multiple in each step and h - mean."""
        persistence, shock = 2 * expit(u[0]) - 1, np.exp(u[2])
        steps = shock * u[3:]
        steps[0] /= np.sqrt(1 - persistence**2)
        return persistence, shock, steps, lfilter([1.0], [1.0, -persistence], steps)

    def log_density_and_gradient(u):
        if not abs(u[0]) < 30:  # where persistence rounds to 1
            return -np.inf, np.full(len(u), np.nan)
        persistence, shock, steps, around_mean = volatilities(u)
        mean, share = u[1], expit(u[0])
        squares = returns**2 * np.exp(-mean - around_mean)
        value = -0.5 * (np.sum(mean + around_mean + squares) + u[3:] @ u[3:]) + 20 * np.log(share)
        value += 1.5 * np.log1p(-share) - np.log1p((mean / 5) ** 2) - np.log1p((shock / 2) ** 2) + u[2]
        slopes = 0.5 * (squares - 1)
        of_steps = lfilter([1.0], [1.0, -persistence], slopes[::-1])[::-1]
        of_shocks = shock * of_steps
        of_shocks[0] /= np.sqrt(1 - persistence**2)
        of_persistence = of_steps[1:] @ around_mean[:-1] + of_steps[0] * steps[0] * persistence / (1 - persistence**2)
        of_logit = 2 * share * (1 - share) * of_persistence + 20 * (1 - share) - 1.5 * share
        of_mean = slopes.sum() - 2 * mean / (25 + mean**2)
        of_log_shock = of_steps @ steps - 2 * shock**2 / (4 + shock**2) + 1
        return value, np.concatenate([[of_logit, of_mean, of_log_shock], of_shocks - u[3:]])

    def to_quantities(draws):
        rows = (
            (persistence, u[1], shock, *(u[1] + h)) for u in draws for persistence, shock, _, h in [volatilities(u)]
        )
        return np.array(list(rows))

    return reference("stochastic_volatility", 103, log_density_and_gradient, to_quantities)


def brownian_motion():
    """x[t] ~ normal(x[t - 1], 0.1), x[0] = 0; y[t] ~ normal(x[t], 0.15), of which y[11] to y[20] are missing.

    Variables and quantities: x[1] to x[30].
    """
    y = np.array(stored("brownian_motion")["observed"], float)

    def log_density_and_gradient(u):
        steps = np.diff(u, prepend=0.0) / 0.1
        misfits = np.where(np.isfinite(y), y - u, 0.0) / 0.15
        value = -0.5 * (steps @ steps + misfits @ misfits)
        return value, np.diff(steps, append=0.0) / 0.1 + misfits / 0.15

    return reference("brownian_motion", 30, log_density_and_gradient, lambda draws: draws)


def radon_minnesota():
    """log_radon ~ normal(X * weights + effect[county], sigma); effect ~ normal(mean, scale).

    mean, weights ~ normal(0, 1). X: log uranium of the county, floor, mean floor of the county. scale, sigma ~
    uniform(0, 100), of which the bound is left out: the posterior is far from it.

    Variables: effects in units of scale around mean [85], mean, log scale, log sigma, weights [3].
    Quantities: effect [85], mean, scale, sigma, weights.
    """
    data = stored("radon_minnesota")
    county = np.repeat(np.arange(85), data["houses"])
    floor, log_radon = np.array(list(data["floors"]), float), np.log(data["radon"])
    mean_floor = np.bincount(county, floor) / data["houses"]
    inputs = np.column_stack([np.array(data["log_uranium"])[county], floor, mean_floor[county]])

    def log_density_and_gradient(u):
        standard, mean, weights = u[:85], u[85], u[88:]
        scale, sigma = np.exp(u[86:88])
        misfits = (log_radon - inputs @ weights - (mean + scale * standard)[county]) / sigma
        squares = misfits @ misfits
        value = -0.5 * (squares + standard @ standard + mean**2 + weights @ weights)
        value += u[86] + (1 - len(misfits)) * u[87]
        pulls = np.bincount(county, misfits) / sigma
        of_scales = [scale * pulls @ standard + 1, squares - len(misfits) + 1]
        of_weights = misfits @ inputs / sigma - weights
        return value, np.concatenate([scale * pulls - standard, [pulls.sum() - mean], of_scales, of_weights])

    def to_quantities(draws):
        mean, scales = draws[:, 85:86], np.exp(draws[:, 86:88])
        return np.column_stack([mean + scales[:, :1] * draws[:, :85], mean, scales, draws[:, 88:]])

    return reference("radon_minnesota", 91, log_density_and_gradient, to_quantities)


REFERENCES = {
    build.__name__: build
    for build in (
        eight_schools,
        kidscore_momiq,
        kidscore_interaction,
        sblrc,
        item_response,
        stochastic_volatility,
        brownian_motion,
        radon_minnesota,
    )
}
