"""A Markov chain over a ticket's weights: draw by draw, with a warm-up, a running prediction and checkpoints.

The randomness of each draw comes from (seed, chain, number of the draw), so an interrupted chain resumes to the same
bits.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from tfticket import seeds
from tfticket.backend import own_settings
from tfticket.config import SampleConfig
from tfticket.errors import InputError, Stopped, TfticketError
from tfticket.evaluation.metrics import all_metrics, log_of, log_probabilities
from tfticket.sampling.posterior import Posterior, Whitened
from tfticket.sampling.protocol import SampleStats
from tfticket.sampling.starts import ascend
from tfticket.sampling.tuned_sampler import TunedSampler
from tfticket.sampling.warmup import Adaptation

PROBES = 50
"""Number of rows whose logits are recorded at every draw, to compare chains in function space."""

Split = tuple[np.ndarray, np.ndarray]
"""Images or features, uint8 or float32 [rows, ...], and labels int [rows]."""


@dataclass
class Chain:
    """State and results of a chain; a checkpoint holds these, the position and the kernel results.

    A long chain is computed in parts, each of which goes on where the one before it ended. Numbers of draws and sums
    count from the chain's beginning; lists hold this part's own.

    Attributes:
        adaptation: State of the warm-up; later draws use its final metric and step size.
        done: Draws so far, including the warm-up.
        first: Draws before this part.
        sample_stats: Name -> one number per draw, including the warm-up: the fields of ``SampleStats``,
            log_likelihood and seconds.
        probes: Logits of the probe rows, float32 [classes * rows], for each draw after the warm-up.
        sums: Split -> sum over draws of the predicted probabilities, float64 [rows, classes].
        mean: Mean of theta over draws, float64 [size].
        history: One row per evaluation: iteration, warmup, loss, metrics, and over the draws so far of the same phase:
            divergences, capped (share of trees at the largest depth), e_bfmi (absent with fewer than 3 draws or
            constant energy), gradients_per_second.
        kept: Number of draws already saved.
        tuning_gradients: Gradients of the start and of searches for a step size, in this part.
        tuning_seconds: The same in seconds.
    """

    adaptation: Adaptation
    done: int = 0
    first: int = 0
    sample_stats: dict[str, list[float]] = field(default_factory=dict)
    probes: list[np.ndarray] = field(default_factory=list)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    history: list[dict[str, float]] = field(default_factory=list)
    kept: int = 0
    tuning_gradients: float = 0.0
    tuning_seconds: float = 0.0

    def __repr__(self) -> str:
        warmup = min(self.done, self.adaptation.total)
        return f"Chain({self.draws:,} draws of {self.mean.size:,} weights after {warmup:,} of the warm-up)"

    @property
    def draws(self) -> int:
        """Draws after the warm-up."""
        return max(0, self.done - self.adaptation.total)

    @property
    def begin(self) -> int:
        """Index in ``sample_stats`` of the first draw after the warm-up."""
        return max(0, self.adaptation.total - self.first)

    def next_part(self) -> "Chain":
        """Return the chain that goes on from here."""
        return Chain(self.adaptation, self.done, self.done, sums=dict(self.sums), mean=self.mean.copy())

    @property
    def gradients(self) -> float:
        """Gradients over all rows that this part took."""
        return self.tuning_gradients + sum(self.sample_stats.get("n_steps", ()))

    @property
    def seconds(self) -> float:
        """Seconds that its draws, its start and its searches for a step size took."""
        return self.tuning_seconds + sum(self.sample_stats.get("seconds", ()))

    def probabilities(self, split: str) -> np.ndarray:
        """Return the mean over draws of the predicted probabilities, float64 [rows, classes]."""
        return self.sums[split] / self.draws


@dataclass(frozen=True)
class Hooks:
    """Callbacks of a chain, and where it resumes.

    Attributes:
        resume: Chain, position and flattened kernel results of a checkpoint.
        save: Called with the chain, the position, the results and the draws since the last call, float32 [n, size].
        save_seconds: Longest time between two calls of ``save``.
        on_draw: Called after each draw with its number and its statistics.
        on_evaluation: Called with the row of each evaluation.
        should_stop: Returns True once the user has asked to stop.
    """

    resume: tuple[Chain, np.ndarray, list[np.ndarray]] | None = None
    save: Callable[[Chain, np.ndarray, list[np.ndarray], np.ndarray], None] = lambda *_: None
    save_seconds: float = math.inf
    on_draw: Callable[[int, dict[str, float]], None] = lambda *_: None
    on_evaluation: Callable[[dict[str, float]], None] = lambda _: None
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
        posterior: Target distribution.
        config: Sampler, draws, warm-up.
        seed: Root of all randomness.
        chain: Number of the chain; chains with the same seed differ in their draws.
        splits: Name, such as 'validation' -> rows that are predicted at every draw.
        start: Initial theta, float64 [size]; None: as ``config.start`` says, a draw from the prior or an ascent.
        hooks: Checkpoints, stop requests and progress.

    Raises:
        InputError: The log density at the start, or its gradient, is not finite.
        Stopped: The user asked to stop; all draws were saved.
    """
    with threadpool_limits(1, "blas"):  # threads wait busily, and products of vectors are too small for them
        return _Run(posterior, config, seed, chain, splits, start, hooks or Hooks()).run()


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
        self._density = Whitened(posterior)
        self._sampler = TunedSampler(self._density, len(self._density.moving), config)
        self._unsaved: list[np.ndarray] = []
        self._total = config.warmup + config.draws
        if hooks.resume is None:
            self.chain = Chain(self._sampler.adaptation, mean=np.zeros(posterior.size))
            with self._tuning():
                random = seeds.generator(*self._names, "start")
                self._sampler.begin(self._start(start, random)[self._density.moving], random)
        else:
            self.chain, whitened, results = hooks.resume
            self._sampler.restore(self.chain.adaptation, whitened, results)

    def run(self) -> Chain:
        """Draw until the chain is complete."""
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

    def _start(self, start: np.ndarray | None, random: np.random.Generator) -> np.ndarray:
        """Return the initial position."""
        prior = self._posterior.prior
        if start is not None:
            position = prior.unconstrain(start)
        elif self._config.start == "trained":
            position = ascend(self._posterior, random, self._config.start_gradients)
        else:
            position = prior.draw(random)
        log_density, gradient = self._posterior.log_density_and_gradient(position)
        if not (math.isfinite(log_density) and np.isfinite(gradient).all()):
            raise _not_finite(self._posterior, position, log_density, of_ticket=start is not None)
        return position

    @contextmanager
    def _tuning(self) -> Iterator[None]:
        """Add gradients and seconds that are not a draw's own."""
        began, before = time.perf_counter(), self._posterior.gradients
        yield
        self.chain.tuning_seconds += time.perf_counter() - began
        self.chain.tuning_gradients += self._posterior.gradients - before

    def _draw(self) -> None:
        chain = self.chain
        warming_up = chain.done < self._config.warmup
        random = seeds.generator(*self._names, "draw", chain.done)
        began = time.perf_counter()
        stats = self._sampler.step(random)
        seconds = time.perf_counter() - began
        chain.done += 1
        position = self._density.complete(self._sampler.variables)
        row = self._record(stats, position, seconds)
        if warming_up:
            with self._tuning():
                self._sampler.learn(stats, random)
        theta = self._posterior.prior.constrain(self._density.with_unused(position, random))
        if not warming_up:
            self._add_draw(theta)
        self._hooks.on_draw(chain.done, row)
        if chain.done % self._config.evaluate_every == 0 or chain.done == self._total:
            self._evaluate(theta, warming_up)

    def _record(self, stats: SampleStats, position: np.ndarray, seconds: float) -> dict[str, float]:
        if not math.isfinite(stats.log_density):
            raise TfticketError(f"The log density is {stats.log_density} at draw {self.chain.done}.")
        row = {name: float(value) for name, value in stats._asdict().items() if value is not None}
        row |= {"log_likelihood": self._posterior.log_likelihood(position, stats.log_density), "seconds": seconds}
        for name, value in row.items():
            self.chain.sample_stats.setdefault(name, []).append(value)
        return row

    def _add_draw(self, theta: np.ndarray) -> None:
        """Add a draw to the prediction, to the probes and, after thinning, to the draws that are saved."""
        chain, engine = self.chain, self._posterior.engine
        for name, images in self._images.items():
            probabilities = np.exp(log_probabilities(engine.logits(theta, images)))
            chain.sums[name] = chain.sums[name] + probabilities if name in chain.sums else probabilities
        chain.probes.append(engine.logits(theta, self._probes).ravel())
        chain.mean += (theta - chain.mean) / chain.draws
        if (chain.draws - 1) % self._config.thinning == 0:
            self._unsaved.append(theta.astype(np.float32))

    def _evaluate(self, theta: np.ndarray, warming_up: bool) -> None:
        """Evaluate the posterior predictive so far, or in the warm-up the current draw alone."""
        row: dict[str, float] = {"iteration": self.chain.done, "warmup": warming_up}
        row["loss"] = -self.chain.sample_stats["log_likelihood"][-1] / self._posterior.rows
        for name, labels in self._labels.items():
            if warming_up:
                log_probs = log_probabilities(self._posterior.engine.logits(theta, self._images[name]))
            else:
                log_probs = log_of(self.chain.probabilities(name))
            metrics = all_metrics(log_probs, labels)
            if name == "validation":
                row |= metrics
            else:
                row |= {f"{name}_{metric}": metrics[metric] for metric in ("accuracy", "nll")}
        row |= self._sampler_diagnostics(warming_up)
        self.chain.history.append(row)
        self._hooks.on_evaluation(row)

    def _sampler_diagnostics(self, warming_up: bool) -> dict[str, float]:
        """Summarise the statistics of the draws of the warm-up, or of those after it."""
        begin = 0 if warming_up else self.chain.begin
        stats = {name: np.array(values[begin:]) for name, values in self.chain.sample_stats.items()}
        row = {"divergences": int(stats["diverging"].sum()), "capped": float(stats["reached_max_treedepth"].mean())}
        energy = stats.get("energy", np.zeros(0))
        deviations = np.square(energy - energy.mean()).sum() if len(energy) >= 3 else 0.0
        if deviations > 0:
            row["e_bfmi"] = float(np.square(np.diff(energy)).sum() / deviations)
        row["gradients_per_second"] = float(stats["n_steps"].sum() / stats["seconds"].sum())
        return row

    def _save(self) -> None:
        draws = np.array(self._unsaved, np.float32).reshape(-1, self._posterior.size)
        self.chain.kept += len(draws)
        whitened = np.asarray(self._sampler.state.position)
        self._hooks.save(self.chain, whitened, self._sampler.results, draws)
        self._unsaved = []


def _not_finite(posterior: Posterior, position: np.ndarray, log_density: float, of_ticket: bool) -> InputError:
    """Return the error for a bad start: the tensors at fault, as far as they are known, and a remedy."""
    theta, parts = posterior.prior.constrain(position), posterior.layout.slices.items()
    bad = [path for path, part in parts if not np.isfinite(theta[part]).all()]
    if bad:
        where = f"{', '.join(bad)} {'has' if len(bad) == 1 else 'have'} weights that are not finite"
    else:
        largest = max(parts, key=lambda part: np.abs(theta[part[1]]).max(initial=0))[0]
        where = f"the largest weights, up to {np.abs(theta).max():.2g}, are in {largest}"
    remedy = (
        "Take a ticket with other start weights, or start: prior for a draw from the prior."
        if of_ticket
        else "Take a narrower prior, or start: ticket for the ticket's own start weights."
    )
    what = "gradient of the log density at the chain's start is not finite"
    if not math.isfinite(log_density):
        what = f"log density at the chain's start is {log_density}"
    suggestion = "prior" if of_ticket else "ticket"
    return InputError(f"The {what}: {where}. {remedy}", field="sample.start", suggestion=suggestion)
