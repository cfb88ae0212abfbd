"""A chain on disk: numbered files of draws, a checkpoint while it runs, and its results.

``draws/000001.safetensors`` and so on hold theta [n, size], in order; the clock decides how many draws go into a file.
``chain.safetensors`` holds the rest and is written last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.errors import InputError
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.runs.step import CHAIN
from tfticket.runs.step_files import Damaged
from tfticket.sampling.chain import Chain
from tfticket.sampling.metric import Metric
from tfticket.sampling.warmup import Adaptation, DualAveraging, Windows
from tfticket.sparse.layout import Layout

DRAWS = "draws"

_DUAL = ("target", "centre", "count", "error", "log_step", "log_mean")
"""Keys in files of the fields of ``DualAveraging``, in order."""

_WINDOWS = ("first", "slow", "last")
"""The same of ``Windows``."""

_WARMUP = ("total", "done", "low_rank", "tuning", "settled", "trajectory_length")
"""Values of ``Adaptation`` that files keep as they are."""

_RENAMED = {"reached_cap": "reached_max_treedepth", "keep_every": "thinning"}
"""Names in files of earlier versions -> names now."""


def draw_file(folder: Path, number: int) -> Path:
    """Return the path of a file of draws, numbered from 1."""
    return folder / DRAWS / f"{number:06d}.safetensors"


def draw_files(folder: Path) -> list[Path]:
    """Return the files of draws of a chain, in order."""
    return sorted((folder / DRAWS).glob("[0-9]*.safetensors"))


def write_draws(folder: Path, number: int, draws: np.ndarray, last: int) -> None:
    """Write a file of draws.

    Args:
        folder: Of the chain.
        number: Of the file, from 1.
        draws: Theta, float32 [n, size].
        last: Number of saved draws of the chain, including these.
    """
    path = draw_file(folder, number)
    path.parent.mkdir(exist_ok=True)
    save_tensors(path, "draws", {"theta": draws}, {"first": last - len(draws), "last": last})


def read_draws(folder: Path, kept: int | None = None) -> Iterator[np.ndarray]:
    """Return the draws of each file, theta float32 [n, size], in order.

    Args:
        folder: Of the chain.
        kept: Number of saved draws; None: as many as the files hold.

    Raises:
        InputError: A file is missing, damaged, or not the next one of this chain.
    """
    check_draws(folder, kept)
    return (load_tensors(path, "draws")[0]["theta"] for path in draw_files(folder))


def check_draws(folder: Path, kept: int | None = None) -> None:
    """Check that the files of draws follow one another without a gap; reading verifies their bytes.

    Args:
        folder: Of the chain.
        kept: See ``read_draws``.

    Raises:
        InputError: A file is missing, damaged, or not the next one of this chain.
    """
    count = 0
    for number, path in enumerate(draw_files(folder), 1):
        if path != draw_file(folder, number):
            raise Damaged(draw_file(folder, number), f"is missing, but {path.name} is there")
        first, last = _range(path)
        if first != count or last <= first:
            raise Damaged(path, f"holds draws {first} to {last} of its chain; expected those from {count} on")
        count = last
    if kept is not None and count != kept:
        raise Damaged(folder / DRAWS, f"holds {count} draws; the chain has kept {kept}")


def _range(path: Path) -> tuple[int, int]:
    """Return the index of the first draw of a file, from 0, and that after its last."""
    header = load_tensors(path, "draws", ())[1]
    try:
        last = int(header["last"])
        first = int(header["first"]) if "first" in header else last - len(load_tensors(path, "draws")[0]["theta"])
    except (KeyError, TypeError, ValueError):
        raise Damaged(path, "does not say which draws of its chain it holds") from None
    return first, last


def write_checkpoint(
    path: Path, chain: Chain, position: np.ndarray, results: list[np.ndarray], files: int, notes: dict[str, Any]
) -> None:
    """Write what a chain needs to resume."""
    tensors, metadata = _parts(chain)
    tensors |= {"position": position} | {f"results/{number}": part for number, part in enumerate(results)}
    save_tensors(path, "chain checkpoint", tensors, metadata | {"files": files, "notes": notes})


def read_checkpoint(path: Path) -> tuple[Chain, np.ndarray, list[np.ndarray], int, dict[str, Any]]:
    """Return the chain, the position, the kernel results, the number of files of draws, and the notes.

    Raises:
        InputError: No such file, or damaged.
    """
    tensors, header = load_tensors(path, "chain checkpoint")
    count = sum(name.startswith("results/") for name in tensors)
    results = [tensors[f"results/{number}"] for number in range(count)]
    return _chain(tensors, header), tensors["position"], results, header["files"], header["notes"]


def write_chain(path: Path, chain: Chain, layout: Layout, described: dict[str, Any]) -> None:
    """Write the results of a chain, except its draws."""
    tensors, metadata = _parts(chain)
    tensors |= {f"mask/{name}": kept for name, kept in layout.mask.items()}
    shapes = {name: list(shape) for name, shape in layout.shapes.items()}
    save_tensors(path, "chain", tensors, metadata | {"shapes": shapes, "described": described})


def read_chain(folder: Path) -> tuple[Chain, Layout, dict[str, Any]]:
    """Return a finished chain, the layout of its theta, and a description of its inputs.

    Raises:
        InputError: No finished chain there.
    """
    tensors, header = load_tensors(folder / CHAIN, "chain")
    mask = {name.removeprefix("mask/"): kept for name, kept in tensors.items() if name.startswith("mask/")}
    shapes = {name: tuple(shape) for name, shape in header["shapes"].items()}
    return _chain(tensors, header), Layout(shapes, mask), _with_current_names(header["described"])


def read_parts(folders: Sequence[Path]) -> tuple[Chain, Layout, dict[str, Any]]:
    """Return a chain of several parts as one; see ``read_chain``.

    Args:
        folders: Of its parts, in order.

    Raises:
        InputError: No finished part there, or parts that do not follow one another.
    """
    parts, layouts, described = zip(*map(read_chain, folders), strict=True)
    whole = parts[0]
    for folder, part in zip(folders[1:], parts[1:], strict=True):
        if part.first != whole.done:
            raise Damaged(folder / CHAIN, f"goes on from draw {part.first}; expected {whole.done}")
        stats = {name: values + part.sample_stats[name] for name, values in whole.sample_stats.items()}
        whole = replace(
            part,
            first=0,
            sample_stats=stats,
            probes=whole.probes + part.probes,
            history=whole.history + part.history,
            kept=whole.kept + part.kept,
            tuning_gradients=whole.tuning_gradients + part.tuning_gradients,
            tuning_seconds=whole.tuning_seconds + part.tuning_seconds,
        )
    return whole, layouts[0], described[0]


def read_draws_of_parts(folders: Sequence[Path]) -> np.ndarray:
    """Return the saved draws of a chain of several parts, theta float32 [n, size]."""
    return np.concatenate([draws for folder in folders for draws in read_draws(folder, read_chain(folder)[0].kept)])


def _parts(chain: Chain) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    adaptation, metric, windows = chain.adaptation, chain.adaptation.metric, chain.adaptation.windows
    size = len(metric.scale)
    tensors = {
        "scale": metric.scale,
        "metric/vectors": metric.vectors,
        "metric/eigenvalues": metric.eigenvalues,
        "window/draws": np.array(adaptation.draws).reshape(-1, size),
        "window/gradients": np.array(adaptation.gradients).reshape(-1, size),
        "log_densities": np.array(adaptation.log_densities),
        "mean": chain.mean,
        "probes": np.array(chain.probes, np.float32),
    }
    tensors |= {f"told/{name}": np.array(values) for name, values in chain.sample_stats.items()}
    tensors |= {f"sums/{name}": values for name, values in chain.sums.items()}
    metadata = {
        "done": chain.done,
        "first": chain.first,
        "kept": chain.kept,
        "tuning": [chain.tuning_gradients, chain.tuning_seconds],
        "history": chain.history,
        "windows": windows and dict(zip(_WINDOWS, astuple(windows), strict=True)),
        "dual": dict(zip(_DUAL, astuple(adaptation.dual), strict=True)),
        "warmup": {name: getattr(adaptation, name) for name in _WARMUP},
    }
    return tensors, metadata


def _chain(tensors: dict[str, np.ndarray], header: dict[str, Any]) -> Chain:
    def named(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}

    try:
        windows = header["windows"] and Windows(*(_frozen(header["windows"][key]) for key in _WINDOWS))
        metric = Metric.diagonal(tensors["scale"])
        warmup: dict[str, Any] = header.get("warmup", {})  # of an earlier version, whose finished chains are read alone
        if warmup:
            metric = Metric(tensors["scale"], tensors["metric/vectors"], tensors["metric/eigenvalues"])
            warmup |= {name: list(tensors[f"window/{name}"]) for name in ("draws", "gradients")}
            warmup |= {"log_densities": tensors["log_densities"].tolist()}
        else:
            warmup = {"total": windows.total, "done": header["adapted"], "settled": True}
        dual = DualAveraging(*(header["dual"][key] for key in _DUAL))
        adaptation = Adaptation(dual=dual, metric=metric, windows=windows, **warmup)
        gradients, seconds = header.get("tuning", (0.0, 0.0))
        return Chain(
            adaptation=adaptation,
            done=header["done"],
            first=header.get("first", 0),
            sample_stats=_with_current_names({name: values.tolist() for name, values in named("told/").items()}),
            probes=list(tensors["probes"]),
            sums=named("sums/"),
            mean=tensors["mean"],
            history=header["history"],
            kept=header["kept"],
            tuning_gradients=gradients,
            tuning_seconds=seconds,
        )
    except (KeyError, TypeError) as error:
        raise InputError(
            f"The file of a chain lacks {error}. Delete the folder of the chain and run it again."
        ) from None


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _with_current_names(values: dict[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in values.items()}
