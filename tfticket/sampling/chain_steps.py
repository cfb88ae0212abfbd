"""Lab steps of sampling: run a part of a chain, pool chains."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfticket import backend
from tfticket.config import PoolStep, SampleConfig, SampleStep
from tfticket.data import load_dataset
from tfticket.errors import InputError
from tfticket.evaluation.metrics import label_agreement, log_of, total_variation
from tfticket.runs.step import CHAIN, CHECKPOINT, STATE, TICKET, StepContext, chains_of
from tfticket.sampling.build_posterior import build_posterior
from tfticket.sampling.chain import Chain, Hooks, run_chain
from tfticket.sampling.chain_files import (
    check_draws,
    draw_files,
    read_checkpoint,
    read_draws_of_parts,
    read_parts,
    write_chain,
    write_checkpoint,
    write_draws,
)
from tfticket.tickets import Ticket
from tfticket.tickets.evaluation import SPLITS, evaluation_record, predict_splits
from tfticket.tickets.transplant import to_deterministic
from tfticket.training.checkpoints import discard_checkpoint


def sample(context: StepContext, config: SampleStep) -> dict[str, Any]:
    """Sample a part of a chain: inputs 'ticket', and 'before' but for the first -> draws, chain and state; resumes."""
    ticket = to_deterministic(Ticket.load(context.inputs["ticket"] / TICKET))
    data = load_dataset(config.data)
    posterior = build_posterior(ticket, data, config.sample, context.execution.threads)
    context.events.write("engine", name=posterior.engine.name, reason=posterior.engine_reason)
    path = context.folder / CHECKPOINT
    resume, files, environments = _resume_chain(context, path)
    if resume is None and (before := context.inputs.get("before")) is not None:
        resume = read_checkpoint(before / STATE)[:3]
    environment = backend.environment()
    environments += [environment] * (environment not in environments)
    context.events.write("begin", iteration=resume[0].done if resume else 0)
    total = config.sample.warmup + config.sample.draws

    last: tuple[np.ndarray, list[np.ndarray]]

    def save(chain: Chain, position: np.ndarray, results: list[np.ndarray], draws: np.ndarray) -> None:
        nonlocal files, last
        last = position, results
        if len(draws):
            files += 1
            write_draws(context.folder, files, draws, chain.kept)
        write_checkpoint(path, chain, position, results, files, {"environments": environments})

    def on_draw(number: int, stats: dict[str, float]) -> None:
        context.events.write("draw", iteration=number, **stats)
        context.progress(number, total)

    hooks = Hooks(
        resume=resume,
        save=save,
        save_seconds=context.execution.checkpoint_seconds,
        on_draw=on_draw,
        on_evaluation=lambda row: context.events.write("evaluation", **row),
        should_stop=context.should_stop,
    )
    splits = {split: data.split(split) for split in SPLITS}
    start = posterior.layout.pack(ticket.start) if config.sample.start == "ticket" else None
    chain = run_chain(posterior, config.sample, config.seed, config.chain, splits, start, hooks)
    described = {
        "model": ticket.model,
        "ticket": context.inputs["ticket"].name,
        "data": data.checksum,
        "thinning": config.sample.thinning,
    }
    write_chain(context.folder / CHAIN, chain, posterior.layout, described)
    write_checkpoint(context.folder / STATE, chain.next_part(), *last, 0, {"environments": environments})
    means = posterior.layout.unpack(chain.mean) | posterior.fixed
    return {
        "density": ticket.density,
        "engine": posterior.engine.name,
        "dimensions": posterior.size,
        "windows": str(chain.adaptation.windows),
        "settled": chain.adaptation.settled,
        "rank": chain.adaptation.metric.rank,
        "step_size": chain.adaptation.step_size,
        "trajectory_length": _trajectory_length(config.sample, chain),
        "history": chain.history,
        "mean_weights": evaluation_record(ticket, data, predict_splits(ticket, means, data)),
        "seconds": chain.seconds,
        "gradients": round(chain.gradients),
        "environments": environments,
    }


def _trajectory_length(config: SampleConfig, chain: Chain) -> float | None:
    """Return the trajectory length of a chain's draws, given or tuned; None without one."""
    return chain.adaptation.trajectory_length if config.tunes_trajectory_length else config.trajectory_length


def pool(context: StepContext, config: PoolStep) -> dict[str, Any]:
    """Evaluate and diagnose pooled chains: inputs 'ticket' and 'chain 0', 'chain 0 from 200', 'chain 1', ...

    'between_chains' compares the chains' mean predictions of the validation rows, on average over pairs of chains.

    Raises:
        InputError: A chain of another ticket or other data, or a damaged file.
    """
    from tfticket.sampling.diagnostics import diagnose, monitored_entries  # ArviZ takes seconds to import

    ticket = to_deterministic(Ticket.load(context.inputs["ticket"] / TICKET))
    data = load_dataset(config.data)
    groups = chains_of(context.inputs)
    chains = [_chain_of(folders, context.inputs["ticket"].name, data.checksum) for folders in groups]
    draws = sum(chain.draws for chain in chains)
    predictions = {split: log_of(np.sum([chain.sums[split] for chain in chains], axis=0) / draws) for split in SPLITS}
    pairs = list(itertools.combinations([log_of(chain.probabilities("validation")) for chain in chains], 2))
    measures = {"label_agreement": label_agreement, "total_variation": total_variation}
    between = {name: float(np.mean([of(*pair) for pair in pairs])) if pairs else None for name, of in measures.items()}
    entries = monitored_entries(len(chains[0].mean))
    weights = [read_draws_of_parts(folders)[:, entries] for folders in groups]
    return evaluation_record(ticket, data, predictions) | {
        "between_chains": between,
        "diagnostics": diagnose(chains, weights, len(data.class_names)),
    }


def _chain_of(folders: Sequence[Path], ticket: str, data: str) -> Chain:
    """Read a finished chain and check that its ticket and data are these."""
    chain, _, described = read_parts(folders)
    for key, expected in (("ticket", ticket), ("data", data)):
        if described[key] != expected:
            raise InputError(
                f"{folders[0].name} is a chain of the {key} {described[key]}; expected {expected}. Pool chains of one "
                "ticket and the same data."
            )
    return chain


def _resume_chain(context: StepContext, path: Path) -> tuple[Any, int, list[dict[str, Any]]]:
    """Return the state to resume from, the number of files of draws, and the environments so far.

    Files of draws beyond the checkpoint are removed.
    """
    resume, files = None, 0
    notes: dict[str, Any] = {"environments": []}
    if path.exists():
        try:
            chain, position, results, files, notes = read_checkpoint(path)
            _remove_draws(context.folder, beyond=files)
            check_draws(context.folder, chain.kept)
            resume = (chain, position, results)
        except InputError as error:
            discard_checkpoint(context, error)
            files, notes = 0, {"environments": []}
    if resume is None:
        _remove_draws(context.folder, beyond=0)
    return resume, files, notes["environments"]


def _remove_draws(folder: Path, beyond: int) -> None:
    for file in draw_files(folder):
        if int(file.stem) > beyond:
            file.unlink()
