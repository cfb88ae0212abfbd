"""A real run, made through the command line."""

import subprocess
import sys
from pathlib import Path


def make_run(workspace: Path, *options: str) -> Path:
    """Run the quickstart at its smallest in a workspace; returns the run's folder."""
    changes = ["train.epochs=6it", "train.evaluate_every=2it", "seeds=[0,1]", "controls=[reinitialise]", *options]
    command = [sys.executable, "-m", "tfticket", "-q", "run", "quickstart-smoke", "-w", str(workspace)]
    command += [part for change in changes for part in ("-o", change)]
    before = set(workspace.glob("runs/*"))
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    (made,) = set(workspace.glob("runs/*")) - before
    return made
