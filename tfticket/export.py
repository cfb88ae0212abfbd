"""Chains for other programs: netCDF, as ArviZ reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.errors import InputError
from tfticket.reports.chains import pooled_chains
from tfticket.runs.files import check_writable
from tfticket.sampling.chain import Chain
from tfticket.sampling.files import CHAIN, read_chain, read_draws

STATISTICS = {
    "log_density": "lp",
    "log_likelihood": "log_likelihood_sum",
    "energy": "energy",
    "acceptance_rate": "acceptance_rate",
    "step_size": "step_size",
    "tree_depth": "tree_depth",
    "n_steps": "n_steps",
    "diverging": "diverging",
    "reached_cap": "reached_max_treedepth",
    "seconds": "seconds",
}
"""What is told of a draw -> ArviZ's name for it."""

_WHOLE = {"tree_depth": np.int64, "n_steps": np.int64, "diverging": np.bool_, "reached_cap": np.bool_}


def chains_of(target: Path) -> list[Path]:
    """The chains' folders of a step: a chain's own, or those that a pool has pooled.

    Raises:
        InputError: Neither, or a chain that is not finished.
    """
    if target.name.startswith("pool-"):
        return pooled_chains(target)
    if not (target / CHAIN).is_file():
        raise InputError(f"{target} holds no finished chain: it has no {CHAIN}. Give a step of sampling, or a run.")
    return [target]


def to_netcdf(folders: Sequence[Path], path: Path) -> dict[str, int]:
    """Write chains as ArviZ's InferenceData.

    The group 'posterior' has one variable a tensor, [chain, draw, survivors], its coordinate being the survivor's place
    in the flattened tensor; 'sample_stats' and 'warmup_sample_stats' have what is told of each draw.

    Args:
        folders: Of finished chains of one ticket.
        path: The file.

    Returns:
        How many 'chains', 'draws' and 'weights' it has.

    Raises:
        InputError: Chains of different tickets or lengths, a damaged file, or a folder that cannot be written.
    """
    import arviz

    check_writable(path.absolute().parent, "--out")
    chains, layouts, described = zip(*(read_chain(folder) for folder in folders), strict=True)
    thetas = [np.concatenate(list(read_draws(folder))) for folder in folders]
    for folder, other, theta in zip(folders, described, thetas, strict=True):
        if other["ticket"] != described[0]["ticket"]:
            raise InputError(f"{folder.name} is a chain of another ticket than {folders[0].name}: export them apart.")
        if theta.shape != thetas[0].shape:
            raise InputError(f"{folder.name} and {folders[0].name} have not as many draws: export them apart.")
    draws = np.stack(thetas)
    names = {tensor: tensor.replace("/", ".") for tensor in layouts[0].slices}
    warmup, drawn = _statistics(chains, draws.shape[1])
    data = arviz.from_dict(
        posterior={names[tensor]: draws[..., part] for tensor, part in layouts[0].slices.items()},
        sample_stats=drawn,
        warmup_sample_stats=warmup,
        save_warmup=True,
        coords={f"{names[tensor]}_place": places for tensor, places in layouts[0].indices.items()},
        dims={name: [f"{name}_place"] for name in names.values()},
        posterior_attrs={"ticket": described[0]["ticket"], "data": described[0]["data"]},
    )
    data.to_netcdf(str(path), engine="h5netcdf")
    return {"chains": draws.shape[0], "draws": draws.shape[1], "weights": draws.shape[2]}


def _statistics(chains: Sequence[Chain], kept: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is told of draws [chain, draw], in the warm-up and of those kept."""
    begin = chains[0].adaptation.total
    every = max(1, -(-chains[0].draws // kept))
    warmup, drawn = {}, {}
    for name, called in STATISTICS.items():
        values: np.ndarray = np.stack([np.array(chain.told[name]) for chain in chains]).astype(
            _WHOLE.get(name, np.float64)
        )
        warmup[called], drawn[called] = values[:, :begin], values[:, begin::every]
    return warmup, drawn
