"""Tables on a terminal: columns give way, none is lost, nothing in a cell is obeyed."""

import io

import pytest
from rich.console import Console

from tfticket.columns import layout

HEADER = ["run", "state", "experiment", "started", "steps"]
ROWS = [
    ["bayes-always-wins-lenet-300-100-mnist-smoke-91d9fbbb", "killed", "bayes-always-wins", "2026-11-30 07:38", 22],
    ["quickstart-smoke-dd4c364c", "done", "imp", "2026-11-30 07:37", 1042],
]


def shown(header, rows, width):
    """The lines that a terminal of a width gets."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(layout(header, rows, width))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    return lines


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 40, 24])
def test_no_column_is_lost_and_every_cell_is_there_to_its_last_letter(width):
    lines = shown(HEADER, ROWS, width)
    text = "".join("".join(lines).split())
    assert all(name in text for name in HEADER)
    first = [line.split()[0] for line in lines if line.split()]
    if "state" in first:  # blocks
        assert first.count("state") == len(ROWS)
        assert all(str(cell).replace(" ", "") in text for row in ROWS for cell in (row[0], row[1], row[3]))
    else:
        begins = [lines[1].index(name) for name in HEADER]
        for column in (0, 1):
            cells = "".join(line[begins[column] : begins[column + 1]].strip() for line in lines[3:])
            assert cells == "".join(row[column] for row in ROWS)
    assert "1,042" in text


@pytest.mark.parametrize("width", [80, 60, 40])
def test_the_state_stands_in_one_piece_beside_its_run(width):
    lines = shown(HEADER, ROWS, width)
    for row in ROWS:
        begin = next(number for number, line in enumerate(lines) if row[0][:10] in line)
        assert any(row[1] in line.split() for line in lines[begin : begin + 4])


def test_what_fits_is_one_line_a_row_with_numbers_at_the_right():
    lines = shown(["field", "value"], [["a", 5], ["b", 12345]], 40)
    assert [line.rstrip() for line in lines if line.strip()] == [
        " field   value",
        " ─────────────",
        " a           5",
        " b      12,345",
    ]


def test_wide_tables_of_numbers_become_blocks_rather_than_lose_one():
    header = [f"number {n}" for n in range(12)]
    lines = shown(header, [[f"{n}.25 ± 0.01" for n in range(12)]], 60)
    assert [line.split()[:3] for line in lines] == [["number", str(n), f"{n}.25"] for n in range(12)]


def test_nothing_in_a_cell_is_obeyed():
    hostile = "\x1b]0;OWNED\x07\x1b[31m[/red][link=http://x]y\u202e\x9b2J\nx  done"
    text = "\n".join(shown(["a", "b"], [[hostile, "[bold]z[/bold]"]], 200))
    assert r"\x1b]0;OWNED\x07\x1b[31m[/red][link=http://x]y\u202e\x9b2J x  done" in text
    assert "[bold]z[/bold]" in text
    assert all(letter.isprintable() for letter in text if letter != "\n")
