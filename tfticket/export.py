"""Export of chains to netCDF, as ArviZ reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfticket.drawing import import_matplotlib
from tfticket.errors import InputError
from tfticket.reports import chain_pools
from tfticket.runs.files import atomic_write, check_writable
from tfticket.runs.run_folder import inputs_of
from tfticket.runs.step import CHAIN

if TYPE_CHECKING:
    from tfticket.sampling.chain import Chain

_EXPORTED_AS = {"log_density": "lp", "log_likelihood": "log_likelihood_sum"}
"""Statistics of a draw that ArviZ calls otherwise, or whose name is a group there."""

_TYPES = {"tree_depth": np.int64, "n_steps": np.int64, "diverging": np.bool_, "reached_max_treedepth": np.bool_}


def chains_of(target: Path) -> list[Path]:
    """Return the chain folders of a step: a chain's own, or those of a pool.

    Raises:
        InputError: Another step, or an unfinished chain.
    """
    if target.name.startswith("pool-"):
        return chain_pools.chains_of(inputs_of(target))
    if not (target / CHAIN).is_file():
        raise InputError(f"{target} holds no finished chain: it has no {CHAIN}. Give a step of sampling, or a run.")
    return [target]


def to_netcdf(folders: Sequence[Path], path: Path) -> dict[str, int]:
    """Write chains as ArviZ's InferenceData.

    The group 'posterior' has one variable per tensor, [chain, draw, survivors]. Its coordinate is the survivor's index
    in the flattened tensor, whose 'shape' is an attribute; 'draw' counts all draws after the warm-up, of which every
    ``thinning``-th is stored. 'sample_stats' and 'warmup_sample_stats' hold the per-draw statistics.

    Args:
        folders: Of finished chains of one ticket.
        path: The file, written atomically.

    Returns:
        Numbers of 'chains', 'draws' and 'weights'.

    Raises:
        InputError: Chains of different tickets or lengths, a damaged file, a chain without a record of which draws it
            kept, or a file that cannot be written.
    """
    check_writable(path.absolute().parent, "--out")
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file to write. Name one with --out.")
    import_matplotlib()  # which ArviZ imports
    import arviz_base

    from tfticket.sampling.chain_files import read_chain, read_draws

    chains, layouts, described = zip(*(read_chain(folder) for folder in folders), strict=True)
    thetas = [
        np.concatenate(list(read_draws(folder, chain.kept))) for folder, chain in zip(folders, chains, strict=True)
    ]
    shapes = []
    for folder, chain, other, theta in zip(folders, chains, described, thetas, strict=True):
        if other["ticket"] != described[0]["ticket"]:
            raise InputError(
                f"{folder.name} and {folders[0].name} are chains of different tickets: export them separately."
            )
        shapes.append((chain.adaptation.total, chain.draws, _thinning(folder, chain, other, len(theta))))
        if shapes[-1] != shapes[0]:
            raise InputError(f"{folder.name} and {folders[0].name} have different draws: export them separately.")
    draws = np.stack(thetas)
    names = {tensor: tensor.replace("/", ".") for tensor in layouts[0].slices}
    warmup, drawn = _statistics(chains, every=shapes[0][-1])
    data = arviz_base.from_dict(
        {
            "posterior": {names[tensor]: draws[..., part] for tensor, part in layouts[0].slices.items()},
            "sample_stats": drawn,
            "warmup_sample_stats": warmup,
        },
        save_warmup=True,
        coords={f"{names[tensor]}_place": places for tensor, places in layouts[0].indices.items()},
        dims={name: [f"{name}_place"] for name in names.values()},
        attrs={"posterior": {"ticket": described[0]["ticket"], "data": described[0]["data"]}},
    )
    kept = np.arange(0, shapes[0][1], shapes[0][-1])
    for group in ("posterior", "sample_stats"):
        data[group].dataset = data[group].to_dataset().assign_coords(draw=kept)
    for tensor, name in names.items():
        data["posterior"][name].attrs["shape"] = list(layouts[0].shapes[tensor])
    atomic_write(path, lambda file: data.to_netcdf(str(file), engine="h5netcdf"))
    return {"chains": draws.shape[0], "draws": draws.shape[1], "weights": draws.shape[2]}


def _thinning(folder: Path, chain: "Chain", described: dict[str, Any], kept: int) -> int:
    """Return the thinning of a chain; the oldest files record it only by holding all draws."""
    if "thinning" not in described and kept != chain.draws:
        raise InputError(
            f"{folder} has kept {kept} of {chain.draws} draws without a record of which: an older tfticket wrote it. "
            "Delete that folder and run the same again."
        )
    return int(described.get("thinning", 1))


def _statistics(chains: "Sequence[Chain]", every: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the per-draw statistics [chain, draw] of the warm-up, and of the draws that were kept."""
    begin = chains[0].adaptation.total
    warmup, saved = {}, {}
    for name in chains[0].sample_stats:
        values: np.ndarray = np.array([chain.sample_stats[name] for chain in chains]).astype(
            _TYPES.get(name, np.float64)
        )
        exported = _EXPORTED_AS.get(name, name)
        warmup[exported], saved[exported] = values[:, :begin], values[:, begin::every]
    return warmup, saved
