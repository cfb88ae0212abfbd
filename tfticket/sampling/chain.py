"""A Markov chain over a ticket's weights: draw by draw, with a warm-up, a running prediction and checkpoints.

Every draw's randomness comes from (seed, chain, draw's number), so a chain that was cut off goes on to the same bits.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfticket import seeds
from tfticket.backend import own_settings, tf
from tfticket.config import SampleConfig
from tfticket.errors import InputError, Stopped, TfticketError
from tfticket.evaluation.metrics import all_metrics, log_of, log_probabilities
from tfticket.registry import SAMPLERS, resolve
from tfticket.sampling.posterior import Posterior
from tfticket.sampling.types import Info, State
from tfticket.sampling.warmup import Adaptation, reasonable_step_size

PROBES = 20
"""Rows whose logits are recorded at every draw, to see whether chains agree on the function."""

Split = tuple[np.ndarray, np.ndarray]
"""Images or features, uint8 or float32 [rows, ...], and labels int [rows]."""


@dataclass
class Chain:
    """What a chain has found so far; all that a checkpoint holds but for the kernel's own.

    Attributes:
        done: Draws so far, those of the warm-up among them.
        told: Name -> one number a draw, warm-up and all: log_density, log_likelihood, energy, acceptance_rate,
            step_size, tree_depth, n_steps, diverging, reached_cap, seconds.
        probes: Logits of the probe rows, float32 [classes * rows], one row a draw after the warm-up.
        sums: Split -> sum over draws of the predicted probabilities, float64 [rows, classes].
        mean: Mean of theta over draws, float64 [size].
        history: One row an evaluation: iteration, warmup, loss, metrics, and of the draws so far of the warm-up or
            after it: divergences, capped (share of trees at the cap on their depth), e_bfmi (absent with fewer than 3
            draws or an energy that stands still), gradients_per_second.
        adaptation: The warm-up's state; its scale and step size hold for all draws after.
        kept: Draws that have been handed out to be kept.
    """

    adaptation: Adaptation
    done: int = 0
    told: dict[str, list[float]] = field(default_factory=dict)
    probes: list[np.ndarray] = field(default_factory=list)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    history: list[dict[str, float]] = field(default_factory=list)
    kept: int = 0

    def __repr__(self) -> str:
        warmup = min(self.done, self.adaptation.total)
        return f"Chain({self.draws:,} draws of {self.mean.size:,} weights after {warmup:,} of the warm-up)"

    @property
    def draws(self) -> int:
        """Draws after the warm-up."""
        return max(0, self.done - self.adaptation.total)

    def probabilities(self, split: str) -> np.ndarray:
        """Mean of the predicted probabilities over draws, float64 [rows, classes]."""
        return self.sums[split] / self.draws


@dataclass(frozen=True)
class Hooks:
    """How a chain talks to whoever runs it.

    Attributes:
        resume: Where to go on: chain, position, the kernel's own results, flattened.
        save: Called with the chain, the position, the results and the draws since the last call, float32 [n, size].
        save_seconds: At most so long between two such calls.
        drawn: Called after each draw with its number and what is told of it.
        evaluated: Called with each evaluation's row.
        should_stop: True once the user has asked to stop.
    """

    resume: tuple[Chain, np.ndarray, list[np.ndarray]] | None = None
    save: Callable[[Chain, np.ndarray, list[np.ndarray], np.ndarray], None] = lambda *_: None
    save_seconds: float = math.inf
    drawn: Callable[[int, dict[str, float]], None] = lambda *_: None
    evaluated: Callable[[dict[str, float]], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False


@own_settings()
def run_chain(
    posterior: Posterior,
    config: SampleConfig,
    seed: int,
    chain: int,
    splits: Mapping[str, Split],
    start: np.ndarray | None = None,
    hooks: Hooks | None = None,
) -> Chain:
    """Run a chain to its end.

    Args:
        posterior: What is sampled.
        config: Sampler, draws, warm-up.
        seed: Of all its random draws.
        chain: Its number; chains of one seed draw apart.
        splits: 'validation' and such: what is predicted at every draw.
        start: Theta to begin at, float64 [size]; None: a draw from the prior.
        hooks: Checkpoints, stop requests and what is told.

    Raises:
        InputError: The log density at the start, or its gradient, is not finite.
        Stopped: The user asked to stop; all draws were saved.
    """
    return _Run(posterior, config, seed, chain, splits, start, hooks or Hooks()).to_the_end()


class _Run:
    def __init__(
        self,
        posterior: Posterior,
        config: SampleConfig,
        seed: int,
        chain: int,
        splits: Mapping[str, Split],
        start: np.ndarray | None,
        hooks: Hooks,
    ) -> None:
        self._posterior, self._config, self._names, self._hooks = posterior, config, (seed, "chain", chain), hooks
        self._labels = {name: labels for name, (_, labels) in splits.items()}
        self._images = {name: posterior.engine.prepare(images) for name, (images, _) in splits.items()}
        first = next(iter(splits.values()))[0]
        self._probes = posterior.engine.prepare(first[:PROBES])
        self._build = resolve(SAMPLERS[config.method].target)
        self._target = posterior.target()
        self._unsaved: list[np.ndarray] = []
        self._total = config.warmup + config.draws
        self._sampler: Any
        if hooks.resume is None:
            self.chain = Chain(Adaptation.begin(config.warmup, posterior.size, config.target_acceptance))
            self.chain.mean = np.zeros(posterior.size)
            position = self._start(start)
            self._choose_sampler()
            self._state: State = self._sampler.init(position)
            self._find_step_size(position)
        else:
            self.chain, position, results = hooks.resume
            self._choose_sampler()
            pattern = self._sampler.init(position).results
            packed = tf.nest.pack_sequence_as(pattern, list(map(tf.constant, results)), expand_composites=True)
            self._state = State(tf.constant(position), packed)

    def to_the_end(self) -> Chain:
        """Draw until all is drawn."""
        saved = time.monotonic()
        while self.chain.done < self._total:
            if self._hooks.should_stop():
                self._save()
                raise Stopped("stopped; the draws so far are kept")
            self._draw()
            if time.monotonic() - saved >= self._hooks.save_seconds:
                self._save()
                saved = time.monotonic()
        self._save()
        return self.chain

    def _start(self, start: np.ndarray | None) -> np.ndarray:
        """Where the chain begins."""
        prior = self._posterior.prior
        position = prior.draw(seeds.generator(*self._names, "start")) if start is None else prior.unconstrain(start)
        found, gradient = self._posterior.log_density_and_gradient(position)
        if not (math.isfinite(found) and np.isfinite(gradient).all()):
            raise InputError(_not_finite(self._posterior, position, found, of_ticket=start is not None))
        return position

    def _choose_sampler(self) -> None:
        """The warm-up's, or that of the draws to be kept."""
        warming_up = self.chain.done < self._config.warmup
        self._sampler = self._build(self._target, self._config, warming_up)
        one_cap = self._config.depth_in_warmup == self._config.max_tree_depth  # then one sampler does, compiled once
        self._sampler_serves = (True, False) if one_cap else (warming_up,)

    def _find_step_size(self, position: np.ndarray) -> None:
        random = seeds.generator(*self._names, "step size", self.chain.done)
        adaptation = self.chain.adaptation
        density = self._posterior.log_density_and_gradient
        adaptation.dual.restart(reasonable_step_size(density, position, adaptation.scale, random))

    def _draw(self) -> None:
        chain, adaptation = self.chain, self.chain.adaptation
        if (chain.done < self._config.warmup) not in self._sampler_serves:
            self._choose_sampler()
        number = seeds.derive(*self._names, "draw", chain.done)
        seed = (number & 0x7FFFFFFF, (number >> 31) & 0x7FFFFFFF)
        began = time.perf_counter()
        self._state, info = self._sampler.step(self._state, adaptation.step_size, adaptation.scale, seed)
        seconds = time.perf_counter() - began
        position = self._state.position.numpy()
        warming_up = chain.done < self._config.warmup
        chain.done += 1
        if warming_up and adaptation.learn(position, self._sampler.gradient(self._state), info.acceptance_rate):
            self._find_step_size(position)
        row = self._tell(info, position, seconds)
        theta = self._posterior.prior.constrain(position)
        if not warming_up:
            self._keep(theta)
        self._hooks.drawn(chain.done, row)
        if chain.done % self._config.evaluate_every == 0 or chain.done == self._total:
            self._evaluate(theta, warming_up)

    def _tell(self, info: Info, position: np.ndarray, seconds: float) -> dict[str, float]:
        if not math.isfinite(info.log_density):
            raise TfticketError(f"The log density is {info.log_density} at draw {self.chain.done}.")
        row = {name: float(value) for name, value in info._asdict().items()}
        row |= {"log_likelihood": self._posterior.log_likelihood(position, info.log_density), "seconds": seconds}
        for name, value in row.items():
            self.chain.told.setdefault(name, []).append(value)
        return row

    def _keep(self, theta: np.ndarray) -> None:
        """Add a draw to the prediction, the probes and, one in so many, to those kept."""
        chain, engine = self.chain, self._posterior.engine
        for name, images in self._images.items():
            found = np.exp(log_probabilities(engine.logits(theta, images)))
            chain.sums[name] = chain.sums[name] + found if name in chain.sums else found
        chain.probes.append(engine.logits(theta, self._probes).ravel())
        chain.mean += (theta - chain.mean) / chain.draws
        if (chain.draws - 1) % self._config.keep_every == 0:
            self._unsaved.append(theta.astype(np.float32))

    def _evaluate(self, theta: np.ndarray, warming_up: bool) -> None:
        """Measure the prediction so far; in the warm-up, that of the draw alone."""
        row: dict[str, float] = {"iteration": self.chain.done, "warmup": warming_up}
        row["loss"] = -self.chain.told["log_likelihood"][-1] / self._posterior.rows
        for name, labels in self._labels.items():
            if warming_up:
                log_probs = log_probabilities(self._posterior.engine.logits(theta, self._images[name]))
            else:
                log_probs = log_of(self.chain.probabilities(name))
            found = all_metrics(log_probs, labels)
            row |= (
                found if name == "validation" else {f"{name}_{metric}": found[metric] for metric in ("accuracy", "nll")}
            )
        row |= self._so_far(warming_up)
        self.chain.history.append(row)
        self._hooks.evaluated(row)

    def _so_far(self, warming_up: bool) -> dict[str, float]:
        """How the sampler does, over the draws of the warm-up or those after it."""
        begin = 0 if warming_up else self.chain.adaptation.total
        told = {name: np.array(values[begin:]) for name, values in self.chain.told.items()}
        row = {"divergences": int(told["diverging"].sum()), "capped": float(told["reached_cap"].mean())}
        deviations = np.square(told["energy"] - told["energy"].mean()).sum()
        if len(told["energy"]) >= 3 and deviations > 0:
            row["e_bfmi"] = float(np.square(np.diff(told["energy"])).sum() / deviations)
        row["gradients_per_second"] = float(told["n_steps"].sum() / told["seconds"].sum())
        return row

    def _save(self) -> None:
        draws = np.array(self._unsaved, np.float32).reshape(-1, self._posterior.size)
        self.chain.kept += len(draws)
        results = [part.numpy() for part in tf.nest.flatten(self._state.results, expand_composites=True)]
        self._hooks.save(self.chain, self._state.position.numpy(), results, draws)
        self._unsaved = []


def _not_finite(posterior: Posterior, position: np.ndarray, found: float, of_ticket: bool) -> str:
    """Which tensors it comes from, as far as that can be seen, and what to do about it."""
    theta, parts = posterior.prior.constrain(position), posterior.layout.slices.items()
    bad = [path for path, part in parts if not np.isfinite(theta[part]).all()]
    if bad:
        where = f"{', '.join(bad)} {'has' if len(bad) == 1 else 'have'} weights that are not finite"
    else:
        largest = max(parts, key=lambda one: np.abs(theta[one[1]]).max(initial=0))[0]
        where = f"the largest weights, up to {np.abs(theta).max():.2g}, are in {largest}"
    mend = (
        "Take a ticket with other start weights, or start: prior for a draw from the prior."
        if of_ticket
        else "Take a narrower prior, or start: ticket for the ticket's own start weights."
    )
    what = "gradient of the log density at the chain's start is not finite"
    if not math.isfinite(found):
        what = f"log density at the chain's start is {found}"
    return f"The {what}: {where}. {mend}"
