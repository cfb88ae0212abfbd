"""The commands that fit a survival model to a ticket, and draw Monte Carlo tickets from it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tfticket.cli import completion
from tfticket.cli.console import say, show_table
from tfticket.cli.options import DataDir, Json, Options, Workspace, command, named_run
from tfticket.errors import InputError
from tfticket.registry import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from tfticket.data import Dataset


DataName = Annotated[
    str, typer.Option("--data", autocompletion=completion.data_sets, help="A data set's name, or a file or folder.")
]
Images = Annotated[
    int | None, typer.Option(min=1, help="Training images over which connectivity is averaged; default: all.")
]
TrainRows = Annotated[int | None, typer.Option(min=1, help="Training rows; default: all but the validation rows.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of weights, masks and the choice of images.")]


@command(
    "mc-fit",
    epilog="Examples:\n\n  tfticket mc-fit ticket.safetensors --data cifar-10 --out survival-model.json\n\n"
    "  tfticket mc-fit ticket.safetensors --data cifar-10 --images 5000 --out survival-model.json",
)
def mc_fit(
    ticket: Annotated[Path, typer.Argument(help="A ticket's file, or the folder of the step that made it.")],
    out: Annotated[Path, typer.Option(help="The survival model to write, JSON.")],
    data: DataName = "mnist",
    images: Images = None,
    train_rows: TrainRows = None,
    seed: Seed = 0,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Fit a survival model to a ticket, from which Monte Carlo tickets are drawn."""
    from tfticket.runs.files import check_writable
    from tfticket.runs.step import TICKET
    from tfticket.tickets import Ticket
    from tfticket.tickets.survival_model import subsample_images

    _check_out(out, ".json")
    source = Ticket.load(ticket / TICKET if ticket.is_dir() else ticket)
    rows = _load(data, train_rows)
    subsample_images(rows, images, seed)
    check_writable(out.absolute().parent, "--out")
    from tfticket.tickets.monte_carlo_tickets import (
        fit_survival_model,  # TensorFlow, after all that it is not needed for
    )

    with _progress("connectivity", 1) as on_progress:
        survival_model = fit_survival_model(source, rows, images, seed, on_progress=on_progress)
    survival_model.save(out)
    fits = [(family, name, fit) for family, models in survival_model.fits.items() for name, fit in models.items()]
    if as_json:
        typer.echo(json.dumps([{"layers": family, "by": name, **vars(fit)} for family, name, fit in fits]))
    elif not Options.quiet:
        show_table(
            ["layers", "by", "intercept", "magnitude", "connectivity", "weights", "survive"],
            [
                [
                    family,
                    name,
                    f"{fit.intercept:.3g}",
                    f"{fit.slopes[0]:.3g}",
                    f"{fit.slopes[1]:.3g}" if len(fit.slopes) > 1 else "-",
                    f"{fit.weights:,}",
                    f"{fit.survivors / fit.weights:.1%}",
                ]
                for family, name, fit in fits
            ],
        )
        say(f"Survival model of {source.name}, level {source.level}: {out}")


@command(
    "mc-ticket",
    epilog="Examples:\n\n  tfticket mc-ticket survival-model.json --model conv-6 --data cifar-10\n\n"
    "  tfticket mc-ticket my-run --model conv-4 --data cifar-10 --by magnitude --seed 3 --out ticket.safetensors\n\n"
    "In Python:  tt.train(tt.Ticket.load('ticket.safetensors'), data)",
)
def mc_ticket(
    sampler: Annotated[
        str,
        typer.Argument(
            autocompletion=completion.runs, help="A survival model's file, the step that fitted it, or a run."
        ),
    ],
    model: Annotated[str, typer.Option(help="The network, a name or a function or file of your own.")],
    data: DataName = "mnist",
    by: Annotated[
        Literal["magnitude", "connectivity"], typer.Option(help="Weights' magnitude alone, or also their mean input.")
    ] = "connectivity",
    as_printed: Annotated[bool, typer.Option(help="The paper's formula as printed, without an intercept.")] = False,
    density: Annotated[float | None, typer.Option(help="Of every layer; default: the ticket's.")] = None,
    initialiser: Annotated[str, typer.Option(help="Of the kernels.")] = "glorot_normal",
    images: Images = None,
    train_rows: TrainRows = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="The ticket to write, .safetensors; default: here, by network, how it is drawn, and seed."),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Draw a sparse network from a survival model, with new weights; nothing is trained."""
    from tfticket.config import ModelConfig
    from tfticket.config.schema import validate
    from tfticket.runs.files import check_writable
    from tfticket.tickets import Ticket
    from tfticket.tickets.survival_model import SurvivalModel, check_density, subsample_images
    from tfticket.user_networks import is_user_defined, source_file

    network = validate(ModelConfig, {"name": model, "initialiser": initialiser}, where="mc-ticket")
    how = f"{by}{'-as-printed' if as_printed else ''}{'' if density is None else f'-density-{density:g}'}"
    out = out or Path(f"{Path(model).stem.replace(':', '-')}-mc-{how}-{seed}.safetensors")
    _check_out(out, ".safetensors")
    check_density(density, as_printed)
    if is_user_defined(network.name):
        source_file(network.name)
    survival_model = SurvivalModel.load(_sampler_file(sampler, workspace))
    rows = _load(data, train_rows)
    subsample_images(rows, images, seed)
    check_writable(out.absolute().parent, "--out")
    from tfticket.models import build_model  # TensorFlow, after all that it is not needed for
    from tfticket.tickets.monte_carlo_tickets import draw_mc_ticket

    dense = Ticket.dense(build_model(network.name, rows, initialiser=network.initialiser), seed, data=rows)
    with _progress("drawing", len(dense.mask) if by == "connectivity" else 1) as on_progress:
        ticket = draw_mc_ticket(
            survival_model,
            dense,
            rows,
            seed,
            connectivity=by == "connectivity",
            as_printed=as_printed,
            density=density,
            images=images,
            on_progress=on_progress,
        )
    ticket.save(out)
    _show(ticket, out, as_json)
    if (iteration := survival_model.provenance.get("iteration", 0)) and not Options.quiet:
        say(f"The survival model was fitted to weights of iteration {iteration:,}; these are initial ones.", err=True)
    if (emptied := ticket.provenance["monte_carlo"].get("emptied")) and not Options.quiet:
        say(f"No weight is left in {', '.join(emptied)}; a larger --density leaves some.", err=True)


def _check_out(out: Path, suffix: str) -> None:
    """Refuse a file that could not be written, before anything begins."""
    from tfticket.runs.files import check_place

    if out.suffix != suffix:
        raise InputError(f"--out is {out}; expected a name that ends in {suffix}.", field="--out")
    check_place(out.parent, "--out")


def _show(ticket: Any, out: Path, as_json: bool) -> None:
    layers = ticket.provenance["monte_carlo"]["layers"]
    if as_json:
        typer.echo(json.dumps({"ticket": str(out), "density": ticket.density, "layers": layers}))
    elif not Options.quiet:
        header = ["layer", "density", "ticket's", "KS of weights", "KS of connectivity"]
        forms = (".2%", ".2%", ".3f", ".3f")
        rows = []
        for name, layer in layers.items():
            values = zip(layer.values(), forms, strict=True)
            rows.append([name, *("-" if value is None else f"{value:{form}}" for value, form in values)])
        show_table(header, rows)
        say("KS: Kolmogorov-Smirnov distances of survivors to those of the ticket that was learnt from.")
        say(f"{ticket!r}: {out}")


def _sampler_file(what: str, workspace: Path) -> Path:
    """The file that is meant: itself, in a step's folder, or of a run."""
    from tfticket.runs.step import SAMPLER

    path = Path(what)
    if path.is_file() or path.suffix == ".json":
        return path
    if (path / SAMPLER).is_file():
        return path / SAMPLER
    run = named_run(workspace, what)
    fits = {step.path: step.label for step in run.steps("fit")}
    if not fits:
        raise InputError(
            f"{what} has no survival model, as it has no Monte Carlo tickets; `tfticket mc-fit` fits one to a ticket."
        )
    if len(fits) > 1:
        over = {path: f", {label['images']} images" if "images" in label else "" for path, label in fits.items()}
        which = "".join(
            f"\n  {path}: seed {label['seed']}, level {label['level']}{over[path]}" for path, label in fits.items()
        )
        raise InputError(f"{what} has {len(fits)} survival models. Name the folder of one:{which}")
    return next(iter(fits)) / SAMPLER


def _load(data: str, train_rows: int | None) -> "Dataset":
    from tfticket.data import load_data
    from tfticket.registry import DATA_SETS

    named = data in DATA_SETS or not Path(data).exists()
    return load_data(data, train_rows=train_rows) if named else load_data(path=data, train_rows=train_rows)


@contextmanager
def _progress(what: str, passes: int) -> Iterator[Callable[[int, int], None]]:
    """A bar over passes over images."""
    from rich.console import Console
    from rich.progress import Progress

    from tfticket.evaluation.connectivity import over_passes

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=Options.quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield over_passes(lambda images, of: bar.update(task, completed=images, total=of), passes)
