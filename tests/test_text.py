"""Text from files and users, made safe to show."""

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.text import for_csv, for_figure, one_line, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich ✓ 名 👨‍👩‍👧", "Zürich ✓ 名 👨‍👩‍👧"),
        ("two\n\tlines", "two\n\tlines"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m\x7f\x00\r", r"\x9b31m\x7f\x00\r"),
        ("abc\u202edcba\u2066", r"abc\u202edcba\u2066"),
        ("a\u2028b\u200bc\ufeff\U000e0041", r"a\u2028b\u200bc\ufeff\U000e0041"),
        ("\udcff.txt", r"\udcff.txt"),
        (3.5, "3.5"),
    ],
)
def test_control_characters_are_spelt_out_and_all_else_stays(text, shown):
    assert plain(text) == shown


@given(st.text())
def test_whatever_a_text_holds_no_control_character_is_left(text):
    kinds = {unicodedata.category(letter) for letter in plain(text) if letter not in "\n\t\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    plain(text).encode()


def test_one_line_has_no_break_and_its_length():
    assert one_line("a\n  b\tc\x1b") == r"a b c\x1b"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


def test_a_figures_text_is_no_formula():
    assert for_figure("$x^2$\x1b") == r"\$x^2\$\x1b"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@x", "'@x"),
        ("+1+2", "'+1+2"),
        ("-1.5e-3", "-1.5e-3"),
        ("-", "-"),
        (-3, -3),
        (None, None),
        ("IMP ticket", "IMP ticket"),
        ("a\x1b", r"a\x1b"),
    ],
)
def test_a_cell_is_no_formula_of_a_spreadsheet(value, cell):
    assert for_csv(value) == cell
    csv.writer(io.StringIO()).writerow([for_csv(value)])
