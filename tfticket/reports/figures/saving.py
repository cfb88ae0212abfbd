"""Figures as files."""

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfticket.drawing import own_style
from tfticket.runs.files import atomic_write


def save_figures(folder: Path, figures: Mapping[str, Callable[[], Any]]) -> tuple[list[str], list[str]]:
    """Draw figures in the program's own style and write each as PNG and PDF, atomically.

    Args:
        folder: The folder to write to.
        figures: Name -> function that draws it.

    Returns:
        The files' names, and a note on each figure that fails: results do not depend on figures.
    """
    files, notes = [], []
    for name, draw in figures.items():
        written = [f"{name}.png", f"{name}.pdf"]
        try:
            with own_style():
                figure = draw()
                for file in written:
                    _save(figure, folder / file)
            files += written
        except Exception as error:  # whatever matplotlib, its fonts or the disk raise
            for file in written:  # those of an earlier report too
                (folder / file).unlink(missing_ok=True)
            reason = textwrap.shorten(str(error), 300)
            notes.append(f"{name}.png and {name}.pdf are not drawn: {type(error).__name__}: {reason}")
    return files, notes


def _save(figure: Any, path: Path) -> None:
    kind = path.suffix.removeprefix(".")
    atomic_write(path, lambda file: figure.savefig(file, format=kind, dpi=200))
