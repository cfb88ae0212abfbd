"""Text from files and users, made safe to show, and tables of it on a terminal."""

import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tfticket.columns import layout
from tfticket.text import for_csv, for_figure, one_line, plain


def test_control_characters_are_spelt_out_and_all_else_stays():
    for text, shown in {
        "Zürich ✓ 名 👨‍👩‍👧\n\tx": "Zürich ✓ 名 👨‍👩‍👧\n\tx",
        "\x1b[31m\x9b31m\x7f\x00\r": r"\x1b[31m\x9b31m\x7f\x00\r",
        "abc\u202edcba\u2066": r"abc\u202edcba\u2066",
        "a\u2028b\u200bc\ufeff\U000e0041": r"a\u2028b\u200bc\ufeff\U000e0041",
        "\udcff.txt": r"\udcff.txt",
        3.5: "3.5",
    }.items():
        assert plain(text) == shown
    assert one_line("a\n  b\tc\x1b") == r"a b c\x1b"
    assert (one_line("abcdef", 4), one_line("abcd", 4)) == ("abc…", "abcd")
    assert for_figure("$x^2$\x1b") == r"\$x^2\$\x1b"
    formulas = {"=HYPERLINK(1)": "'=HYPERLINK(1)", "@x": "'@x", "+1+2": "'+1+2", "a\x1b": r"a\x1b"}
    for value in (*formulas, "-1.5e-3", "-", -3, None, "IMP ticket"):  # in a spreadsheet
        assert for_csv(value) == formulas.get(value, value)


@given(st.text())
def test_whatever_a_text_holds_no_control_character_is_left(text):
    kinds = {unicodedata.category(letter) for letter in plain(text) if letter not in "\n\t\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    plain(text).encode()


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


def test_no_column_is_lost_and_every_cell_is_there_to_its_last_letter():
    for width in (200, 100, 60, 24):
        lines = shown(HEADER, ROWS, width)
        assert all(name in "".join("".join(lines).split()) for name in [*HEADER, "1,042"])
        first = [line.split()[0] for line in lines if line.split()]
        if "state" in first:  # a block for each row
            assert first.count("state") == len(ROWS)
        else:
            begin, end = (lines[1].index(name) for name in HEADER[:2])
            assert "".join(line[begin:end].strip() for line in lines[3:]) == "".join(row[0] for row in ROWS)
    lines = [line.split() for line in shown(["field", "value"], [["a", 5], ["b", 12345]], 40) if line.strip()]
    assert [line for line in lines if "─" not in line[0]] == [["field", "value"], ["a", "5"], ["b", "12,345"]]
    blocks = shown([f"number {n}" for n in range(12)], [[f"{n}.25 ± 0.01" for n in range(12)]], 60)
    assert [line.split()[:3] for line in blocks] == [["number", str(n), f"{n}.25"] for n in range(12)]


def test_nothing_in_a_cell_is_obeyed():
    hostile = "\x1b]0;OWNED\x07\x1b[31m[/red][link=http://x]y\u202e\x9b2J\nx  done"
    text = "\n".join(shown(["a", "b"], [[hostile, "[bold]z[/bold]"]], 200))
    assert r"\x1b]0;OWNED\x07\x1b[31m[/red][link=http://x]y\u202e\x9b2J x  done" in text
    assert "[bold]z[/bold]" in text
