"""A chain on disk: numbered files of draws, a checkpoint while it runs, and what it found.

``draws/000001.safetensors`` and so on hold theta [n, size], in order; how the draws are cut into files follows the
clock. ``chain.safetensors`` holds the rest and is written last.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tfticket.errors import InputError
from tfticket.runs.artefacts import load_tensors, save_tensors
from tfticket.runs.step import CHAIN
from tfticket.runs.step_files import Damaged
from tfticket.sampling.chain import Chain
from tfticket.sampling.layout import Layout
from tfticket.sampling.warmup import Adaptation, DualAveraging, RunningVariance, Windows

DRAWS = "draws"


def draw_file(folder: Path, number: int) -> Path:
    """The file of draws with this number, from 1."""
    return folder / DRAWS / f"{number:06d}.safetensors"


def draw_files(folder: Path) -> list[Path]:
    """A chain's files of draws, in order."""
    return sorted((folder / DRAWS).glob("[0-9]*.safetensors"))


def write_draws(folder: Path, number: int, draws: np.ndarray, last: int) -> None:
    """Write a file of draws.

    Args:
        folder: The chain's.
        number: The file's, from 1.
        draws: Theta, float32 [n, size].
        last: How many draws the chain has kept with these.
    """
    path = draw_file(folder, number)
    path.parent.mkdir(exist_ok=True)
    save_tensors(path, "draws", {"theta": draws}, {"first": last - len(draws), "last": last})


def read_draws(folder: Path, kept: int | None = None) -> Iterator[np.ndarray]:
    """The draws of each file, theta float32 [n, size]: all draws of the chain, in order.

    Args:
        folder: The chain's.
        kept: How many draws the chain has kept; None: as many as its files hold.

    Raises:
        InputError: A file is missing, damaged, or not the next one of this chain.
    """
    check_draws(folder, kept)
    return (load_tensors(path, "draws")[0]["theta"] for path in draw_files(folder))


def check_draws(folder: Path, kept: int | None = None) -> None:
    """See that a chain's files of draws follow one another without a gap; their bytes are verified as they are read.

    Args:
        folder: The chain's.
        kept: As of ``read_draws``.

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
    """The first of a file's draws, counted from 0, and the one after its last."""
    header = load_tensors(path, "draws", ())[1]
    try:
        last = int(header["last"])
        first = int(header["first"]) if "first" in header else last - len(load_tensors(path, "draws")[0]["theta"])
    except (KeyError, TypeError, ValueError):
        raise Damaged(path, "does not tell which draws of its chain it holds") from None
    return first, last


def write_checkpoint(
    path: Path, chain: Chain, position: np.ndarray, results: list[np.ndarray], files: int, notes: dict[str, Any]
) -> None:
    """Write all that a chain needs to go on."""
    tensors, metadata = _parts(chain)
    tensors |= {"position": position} | {f"results/{number}": part for number, part in enumerate(results)}
    save_tensors(path, "chain checkpoint", tensors, metadata | {"files": files, "notes": notes})


def read_checkpoint(path: Path) -> tuple[Chain, np.ndarray, list[np.ndarray], int, dict[str, Any]]:
    """Chain, position, the kernel's results, how many files of draws belong to it, and the notes.

    Raises:
        InputError: No such file, or damaged.
    """
    tensors, header = load_tensors(path, "chain checkpoint")
    count = sum(name.startswith("results/") for name in tensors)
    results = [tensors[f"results/{number}"] for number in range(count)]
    return _chain(tensors, header), tensors["position"], results, header["files"], header["notes"]


def write_chain(path: Path, chain: Chain, layout: Layout, described: dict[str, Any]) -> None:
    """Write what a chain has found, but for its draws."""
    tensors, metadata = _parts(chain)
    tensors |= {f"mask/{name}": kept for name, kept in layout.mask.items()}
    shapes = {name: list(shape) for name, shape in layout.shapes.items()}
    save_tensors(path, "chain", tensors, metadata | {"shapes": shapes, "described": described})


def read_chain(folder: Path) -> tuple[Chain, Layout, dict[str, Any]]:
    """A finished chain, the order of its theta, and what it was made of.

    Raises:
        InputError: No finished chain there.
    """
    tensors, header = load_tensors(folder / CHAIN, "chain")
    mask = {name.removeprefix("mask/"): kept for name, kept in tensors.items() if name.startswith("mask/")}
    shapes = {name: tuple(shape) for name, shape in header["shapes"].items()}
    return _chain(tensors, header), Layout(shapes, mask), header["described"]


def _parts(chain: Chain) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    adaptation = chain.adaptation
    tensors = {
        "scale": adaptation.scale,
        "draws/mean": adaptation.draws.mean,
        "draws/squares": adaptation.draws.squares,
        "gradients/mean": adaptation.gradients.mean,
        "gradients/squares": adaptation.gradients.squares,
        "mean": chain.mean,
        "probes": np.array(chain.probes, np.float32),
    }
    tensors |= {f"told/{name}": np.array(values) for name, values in chain.told.items()}
    tensors |= {f"sums/{name}": values for name, values in chain.sums.items()}
    metadata = {
        "done": chain.done,
        "kept": chain.kept,
        "history": chain.history,
        "windows": asdict(adaptation.windows),
        "dual": asdict(adaptation.dual),
        "window_count": adaptation.draws.count,
        "adapted": adaptation.done,
    }
    return tensors, metadata


def _chain(tensors: dict[str, np.ndarray], header: dict[str, Any]) -> Chain:
    def named(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}

    try:
        windows = header["windows"]
        draws, gradients = (
            RunningVariance(header["window_count"], tensors[f"{name}/mean"], tensors[f"{name}/squares"])
            for name in ("draws", "gradients")
        )
        adaptation = Adaptation(
            Windows(windows["first"], tuple(windows["slow"]), windows["last"]),
            DualAveraging(**header["dual"]),
            draws,
            gradients,
            tensors["scale"],
            header["adapted"],
        )
        return Chain(
            adaptation=adaptation,
            done=header["done"],
            told={name: values.tolist() for name, values in named("told/").items()},
            probes=list(tensors["probes"]),
            sums=named("sums/"),
            mean=tensors["mean"],
            history=header["history"],
            kept=header["kept"],
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"The chain's file lacks {error}.") from None
