"""The documentation's code is run, and what its pages print is what comes out."""

import contextlib
import csv
import io
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import tfticket as tt
from tests.processes import execute
from tfticket.evaluation.metrics import METRICS

DOCS = Path(__file__).parents[1] / "docs"
NUMBER = re.compile(r"[+-]?\d[\d,]*\.?\d*")


def blocks(page: str) -> list[tuple[str, str]]:
    """Every fenced block of a page: its language and its text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[tuple[list[str], str]]:
    """Every command that a page shows with a prompt, and what it prints there."""
    shown = [text.removeprefix("$ ").partition("\n") for language, text in blocks(page) if language == "console"]
    return [(shlex.split(command), printed) for command, _, printed in shown]


def run_page(page: str, folder: Path) -> tuple[dict, list[tuple[str, str]]]:
    """Run a page's Python in a folder, block after block; returns its names, and (shown, printed) by block."""
    shutil.copy(DOCS / "digits.csv.gz", folder)
    names, outputs, printed = {}, [], None
    with contextlib.chdir(folder):
        for language, text in blocks(page):
            if language == "python":
                with contextlib.redirect_stdout(io.StringIO()) as stream:
                    exec(compile(text, page, "exec"), names)
                printed = stream.getvalue()
            elif language == "text" and printed is not None:
                outputs.append((text, printed))
                printed = None
    return names, outputs


def run_command(command: list[str], folder: Path) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("TFTICKET")} | {"COLUMNS": "100"}
    return execute([sys.executable, "-m", *command], cwd=folder, env=env).stdout


def assert_alike(shown: str, printed: str, tolerance: float = 0.0) -> None:
    """The same words, and numbers that differ by no more than the machine does."""
    words = [NUMBER.sub("0", text).split() for text in (shown, printed)]
    assert words[0] == words[1]
    numbers = [[float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in (shown, printed)]
    assert numbers[1] == pytest.approx(numbers[0], abs=tolerance)


def table(text: str) -> list[tuple[float, str, float, float, float]]:
    """A report's rows: weights remaining (%), arm, accuracy (%), difference and half its interval, 0 where none."""
    row = re.compile(r"^ *([\d.]+)% +(.+?) +([\d.]+)%(?: +([+-][\d.]+) ± ([\d.]+))?", re.MULTILINE)
    return [(float(a), arm, float(b), float(c or 0), float(d or 0)) for a, arm, b, c, d in row.findall(text)]


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """The tutorial's Python has been run: folder, names, outputs."""
    folder = tmp_path_factory.mktemp("tutorial")
    return folder, *run_page("tutorial.md", folder)


@pytest.mark.slow
def test_the_tutorials_python_prints_what_the_page_shows_and_its_words_hold(tutorial):
    folder, names, outputs = tutorial
    assert len(outputs) == 3
    for shown, printed in outputs:
        assert_alike(shown, printed, tolerance=5.0)  # points of accuracy, on another processor
    assert [ticket.level for ticket in names["tickets"]] == list(range(11))
    saved = tt.Ticket.load(folder / "ticket.safetensors")
    assert (saved.level, sum(saved.survivors.values())) == (7, pytest.approx(2000, abs=5))
    accuracies = [float(line.rpartition(" ")[2].rstrip("%")) for line in outputs[1][1].splitlines()]
    assert min(accuracies[:8]) > accuracies[0] - 2  # down to 4 %: within a point or so
    assert accuracies[10] < accuracies[0] - 3
    assert float(outputs[2][1].rpartition(" ")[2].strip().rstrip("%")) < accuracies[7] - 10  # any 4 % would not do


@pytest.mark.slow
def test_the_tutorials_commands_print_what_the_page_shows_and_find_the_librarys_tickets(tutorial, tmp_path):
    folder, names, _ = tutorial
    shutil.copy(folder / "digits.npz", tmp_path)
    (first, shown), (second, _) = commands("tutorial.md")
    printed = run_command(first, tmp_path)
    assert_alike(shown.strip().rpartition("\n")[2], next(line for line in printed.split("\n") if "Means" in line))
    for here, there in zip(table(shown), table(printed), strict=True):
        assert there[:2] == here[:2]
        assert there[2] == pytest.approx(here[2], abs=10.0 if here[0] == 1.0 else 2.0)  # on another processor
        if here[0] in (4.0, 1.0) and here[1] != "IMP ticket":  # the ticket is better, and the interval leaves out 0
            assert there[3] > there[4]
    (report,) = tmp_path.glob("workspace/runs/digits-*/report")
    assert (report / "accuracy.png").stat().st_size > 50_000
    rows = list(csv.DictReader((report / "results.csv").read_text(encoding="utf-8").splitlines()))
    (row,) = (row for row in rows if (row["arm"], row["level"], row["seed"]) == ("ticket", "7", "0"))
    measured = {metric: float(row[f"test_{metric}"]) for metric in METRICS}
    assert measured == tt.evaluate(names["trained"], names["data"])  # to the bit
    before = set(tmp_path.glob("workspace/steps/train-*"))
    run_command(second, tmp_path)
    assert len({*tmp_path.glob("workspace/steps/train-*")} - before) == 2 * len(before) // 3


def test_own_data_in_every_format(tmp_path):
    _, outputs = run_page("howto/own-data.md", tmp_path)
    assert len(outputs) == 4
    for shown, printed in outputs:
        assert shown == printed
    command, shown = commands("howto/own-data.md")[0]
    assert_alike(shown, run_command(command, tmp_path))


def test_the_reference_has_every_public_name_and_the_tutorial_takes_ten_lines_to_a_ticket():
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"auto(?:function|class|exception):: (\w+)", page)
    assert sorted(named) == sorted(tt.__all__)
    code = next(text for language, text in blocks("tutorial.md") if language == "python")
    assert len([line for line in code.splitlines() if line and "import" not in line]) == 10
