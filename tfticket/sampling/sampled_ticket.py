"""Chains of a ticket in memory, for notebooks."""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfticket.config import SampleConfig
from tfticket.config.schema import check_seed, validate
from tfticket.data import Dataset
from tfticket.errors import InputError, nearest
from tfticket.evaluation.metrics import log_probabilities
from tfticket.network import network_of
from tfticket.pruning.mask import layer_of
from tfticket.sampling.build_posterior import build_posterior
from tfticket.sampling.chain import Chain, Hooks, run_chain
from tfticket.sampling.posterior import Posterior
from tfticket.tickets.ticket import Ticket, check_ticket, with_class_names
from tfticket.tickets.transplant import to_deterministic


@dataclass(frozen=True, eq=False)
class SampledTicket:
    """A ticket and draws of its weights from their posterior.

    Attributes:
        ticket: The ticket that was sampled.
        posterior: Of its surviving weights; ``engine_reason`` says which engine computes gradients, and why.
        chains: Results of each chain.
        theta: Draws, float32 [chains, draws, size]; ``posterior.layout`` maps theta to weights.
    """

    ticket: Ticket
    posterior: Posterior
    chains: Sequence[Chain]
    theta: np.ndarray

    def __repr__(self) -> str:
        chains, draws, size = self.theta.shape
        engine = self.posterior.engine.name
        return f"SampledTicket({self.ticket!r}, {chains} x {draws} draws of {size:,} weights, {engine} engine)"

    def predict(self, images: np.ndarray, by: str = "draws", chain: int = 0) -> np.ndarray:
        """Return the posterior predictive, or the prediction of the network of mean weights.

        Args:
            images: As the ticket's data: uint8 or floats [rows, height, width, channels], or floats [rows, features].
            by: 'draws': the mean of the predictions of all draws of all chains; 'mean weights': the prediction of one
                network, whose weights are the mean of one chain's draws.
            chain: Number of the chain whose mean weights are used, from 0; chains need not agree on the weights.

        Returns:
            Probabilities float64 [rows, classes].

        Raises:
            InputError: An unknown ``by`` or chain, or rows of another type or shape.
        """
        if by not in ("draws", "mean weights"):
            raise InputError(f"by is {by!r}; expected 'draws' or 'mean weights'.", field="by")
        if chain not in range(len(self.chains)):
            raise InputError(f"chain is {chain!r}; expected a number from 0 to {len(self.chains) - 1}.", field="chain")
        engine, network = self.posterior.engine, network_of(self.ticket.model)
        rows = network.check_rows(images)
        if not len(rows):
            return np.zeros((0, int(network.model.output_shape[-1])))
        prepared = engine.prepare(rows)
        if by == "mean weights":
            return np.asarray(np.exp(log_probabilities(engine.logits(self.chains[chain].mean, prepared))))
        draws = self.theta.reshape(-1, self.theta.shape[-1]).astype(float)
        total = sum(np.exp(log_probabilities(engine.logits(draw, prepared))) for draw in draws)
        return np.asarray(total) / len(draws)

    def kernel_draws(self, layer: str) -> np.ndarray:
        """Return the draws of a layer's kernel, float32 [chains * draws, *kernel], 0 where pruned.

        Raises:
            InputError: No such layer.
        """
        path = f"{layer}/kernel"
        if path not in self.ticket.mask:
            layers = [layer_of(path) for path in self.ticket.mask]
            raise InputError(
                f"There is no prunable layer '{layer}'. The layers are {', '.join(layers)}.",
                field="layer",
                suggestion=nearest(layer, layers),
            )
        return self.posterior.layout.unpack_tensor(self.theta.reshape(-1, self.theta.shape[-1]), path)

    def diagnostics(self) -> dict[str, Any]:
        """Diagnose convergence: see ``tfticket.sampling.diagnostics``."""
        from tfticket.sampling.diagnostics import diagnose, monitored_entries

        weights = list(self.theta[..., monitored_entries(self.theta.shape[-1])])
        return diagnose(self.chains, weights, network_of(self.ticket.model).model.output_shape[-1])

    @property
    def sample_stats(self) -> Mapping[str, np.ndarray]:
        """Statistics of each draw after the warm-up, by name, float64 [chains, draws]."""
        begin, names = self.chains[0].begin, self.chains[0].sample_stats
        return {name: np.stack([np.array(chain.sample_stats[name][begin:]) for chain in self.chains]) for name in names}


def sample(
    ticket: Ticket,
    data: Dataset,
    *,
    chains: int = 1,
    seed: int = 0,
    progress: Callable[[int, int, Mapping[str, float]], None] | None = None,
    **options: Any,
) -> SampledTicket:
    """Sample the posterior of a ticket's surviving weights, biases and the like, given the training rows.

    Args:
        ticket: Any ticket. Its start weights are used only with ``start='ticket'``; a variational ticket is reduced
            to the network of its means.
        data: From ``load_data``; its training rows are conditioned on.
        chains: Number of chains, run one after another from different starts.
        seed: Root of all randomness.
        progress: Called after each draw with the numbers of the chain and of the draw, and the draw's statistics.
        **options: ``method`` ('nuts', 'hmc', 'mams', 'mclmc', 'sgld' or 'sghmc'), ``draws``, ``warmup``, ``prior``
            ('normal(0, 1)', 'uniform(-1, 1)', 'glorot-normal', ...), ``start`` and the other fields of
            ``tfticket.config.SampleConfig``.

    Raises:
        InputError: Bad options or seed, a mask without survivors, a model with batch statistics.

    Warns:
        UserWarning: Options that the method does not read.
    """
    if not isinstance(data, Dataset):
        raise InputError(f"The data are {type(data).__name__}; expected what load_data returns.", field="data")
    check_ticket(ticket, "sample")
    if isinstance(chains, bool) or not isinstance(chains, int | np.integer) or chains < 1:
        raise InputError(f"chains is {chains!r}; expected an integer >= 1.", field="chains")
    seed = check_seed(seed)
    config = validate(SampleConfig, options, where="sample")
    if config.ineffective:
        warnings.warn(config.ineffective_text.replace("sample.", ""), stacklevel=2)
    ticket = to_deterministic(ticket)
    posterior = build_posterior(ticket, data, config)
    start = posterior.layout.pack(ticket.start) if config.start == "ticket" else None
    splits = {"validation": data.split("validation")}
    sampled: list[Chain] = []
    theta: list[np.ndarray] = []
    for number in range(chains):
        parts: list[np.ndarray] = []
        on_draw = functools.partial(progress, number) if progress else lambda draw, stats: None
        hooks = Hooks(save=functools.partial(_append_draws, parts), on_draw=on_draw)
        sampled.append(run_chain(posterior, config, seed, number, splits, start, hooks))
        theta.append(np.concatenate(parts))
    return SampledTicket(with_class_names(ticket, data), posterior, sampled, np.stack(theta))


def _append_draws(parts: list[np.ndarray], chain: Chain, position: np.ndarray, results: Any, draws: np.ndarray) -> None:
    parts.append(draws)
