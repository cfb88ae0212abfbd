"""Real runs, made by the command line in this process: TensorFlow is imported once, and networks stay compiled."""

from pathlib import Path

from typer.testing import CliRunner

from tfticket.cli import app


def tfticket(*arguments: object) -> str:
    """What a command that ends well writes to stdout."""
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def make_run(workspace: Path, *options: str) -> Path:
    """Run the quickstart at its smallest in a workspace; returns the run's folder."""
    changes = ["train.epochs=6it", "train.evaluate_every=2it", "seeds=[0,1]", "controls=[reinitialise]", *options]
    before = set(workspace.glob("runs/*"))
    tfticket("run", "quickstart-smoke", "-w", workspace, *(part for change in changes for part in ("-o", change)))
    (made,) = set(workspace.glob("runs/*")) - before
    return made
