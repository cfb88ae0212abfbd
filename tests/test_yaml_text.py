"""YAML is read as it is written, and written as it is read."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tfticket.errors import InputError
from tfticket.yaml_text import DEEPEST, LARGEST, MOST, load_yaml, read_yaml, scalar, write_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, text) for text in ("017", "-08", "0o17", "0x10", "0b1", "1:30", "12:30:45", "1_000", "2026-11-30")],
        *[(text, text) for text in ("y", "n", "=", "inf", "nan", "1e", "e3", ".", "+", "1.2.3", "00", "01.5", "1e3x")],
        *[(text, text) for text in ("YeS", "tRUE", "nULL", "\u0665", "9" * 5000, "5ep", "2000it")],
        *[(text, None) for text in ("~", "null", "Null", "NULL", "")],
        *[(text, True) for text in ("true", "True", "TRUE", "yes", "on", "On", "YES")],
        *[(text, False) for text in ("false", "False", "no", "off", "OFF")],
        *[("5", 5), ("+5", 5), ("-5", -5), ("0", 0), ("-0", 0), ("1" + "0" * 400, 10**400)],
        *[
            ("1e3", 1000.0),
            ("1e-3", 0.001),
            ("1.5e3", 1500.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-.5E+2", -50.0),
            ("0.1", 0.1),
        ],
        *[(".inf", math.inf), ("-.INF", -math.inf), ("1e999", math.inf)],
    ],
)
def test_a_value_is_what_it_says(text, value):
    for found in (scalar(text), load_yaml(f"a: {text}", "")["a"], load_yaml(f"[{text}, 1]" if text else "[~]", "")[0]):
        assert found == value
        assert type(found) is type(value)
    assert load_yaml(f"'{text}'", "") == text


def test_not_a_number_is_read_as_that():
    assert math.isnan(load_yaml(".nan", ""))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 1".encode("utf-16"), {"a": 1}),
        (
            "{1: a, yes: b, ~: c, 1.5: d, 2026-11-30: e}",
            {"1": "a", "yes": "b", "~": "c", "1.5": "d", "2026-11-30": "e"},
        ),
        ("a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}", {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
        (
            "a: &x {b: 1, c: 2}\nd: {<<: [*x, {b: 3, e: 4}], c: 5}",
            {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 5, "e": 4}},
        ),
        ("a: &x 5\nb: [*x, *x]", {"a": 5, "b": [5, 5]}),
        ("a: |\n  1\n  2\n", {"a": "1\n2\n"}),
        ('"<<": 1', {"<<": 1}),
    ],
)
def test_a_document_is_read(text, value):
    assert load_yaml(text, "here") == value


def test_what_an_alias_repeats_is_not_shared():
    found = load_yaml("a: &x {b: 1}\nc: *x", "")
    found["a"]["b"] = 2
    assert found["c"] == {"b": 1}


TWICE = r"the key '{}' stands twice, first in line {}; keep one"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("train: {a: 1}\nname: x\ntrain: {b: 2}", 3, TWICE.format("train", 1)),
        ("a:\n  b: 1\n  c: 2\n  b: 1", 4, TWICE.format("b", 2)),
        ("{a: {b: [{c: 1, c: 2}]}}", 1, TWICE.format("c", 1)),
        ("1: a\n'1': b", 2, TWICE.format("1", 1)),
        ("true: a\n'true': b", 2, TWICE.format("true", 1)),
        ("a: 1\n'a': 1", 2, TWICE.format("a", 1)),
        ("<<: {a: 1}\n<<: {b: 1}", 2, TWICE.format("<<", 1)),
        ("<<: {a: 1, a: 2}", 1, TWICE.format("a", 1)),
        ("<<: 1", 1, "<< takes a table"),
        ("? [1]\n: 2", 1, "a list or table stands as a key"),
        ("a: &x b\n*x : 1", 2, r"\*x stands before its value, or as a key"),
        ("a: *x", 1, r"\*x stands before its value"),
        ("a: &x [*x]", 1, r"\*x stands before its value"),
        ("a: 1\n---\nb: 1", 2, "a second document begins"),
        ("a: !!int yes", 1, "the tag !!int has no meaning here"),
        ("a: !!python/object/apply:os.system [true]", 1, "the tag !!python/object/apply:os.system"),
        ("!x {}", 1, "the tag !x"),
        ("a: 1\n\tb: 2", 2, "not readable as YAML"),
        ("a: [1", 1, "not readable as YAML"),
        ("a: [1\n", 1, "not readable as YAML"),
        ("a: b: c", 1, "not readable as YAML"),
    ],
)
def test_what_is_ambiguous_or_broken_is_refused_by_its_line(text, line, said):
    with pytest.raises(InputError, match=rf"^here: line {line}: {said}.*\.$"):
        load_yaml(text, "here")


@pytest.mark.parametrize("text", ["\0", "a: \a", b"a: \xff", "a: \udc80", "\ufffe", b"\xff\xfea"])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(InputError, match=r"^here: (line 1: )?not readable as YAML"):
        load_yaml(text, "here")


BILLION = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))
LADDER = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
MERGED = "a0: &a0 {x0: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, x{n}: 1}}\n" for n in range(1, 3000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 50_000, "deep"),
        ("[" * 50_000 + "]" * 50_000, "deep"),
        ("x: " + "{a: " * 50_000 + "1" + "}" * 50_000, "deep"),
        ("- " * 50_000, "deep"),
        ("\n".join(" " * depth + "a:" for depth in range(1000)), "deep"),
        ("? " * 50_000, "as a key"),
        (LADDER, "deep"),
        (MERGED, "deep"),
        (BILLION, "more than 100,000 values"),
        (f"[{','.join(['1'] * MOST)}]", "more than 100,000 values"),
        ("a" * (LARGEST + 1), "more than 1,048,576 bytes"),
    ],
    ids=range(11),
)
def test_depth_and_size_are_bounded(text, said):
    with pytest.raises(InputError, match=said):
        load_yaml(text, "here")


def test_all_within_the_bounds_is_read():
    assert load_yaml("[" * DEEPEST + "]" * DEEPEST, "") is not None
    assert len(load_yaml(f"[{','.join(['1'] * (MOST - 1))}]", "")) == MOST - 1
    assert len(load_yaml("a" * LARGEST, "")) == LARGEST


def test_a_deep_file_ends_no_python(tmp_path):
    (tmp_path / "config.yaml").write_text("[" * 50_000)
    code = f"""from pathlib import Path
from tfticket.yaml_text import read_yaml
try: read_yaml(Path({str(tmp_path / "config.yaml")!r}))
except Exception as error: print(type(error).__name__)"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "InputError\n"


def test_what_is_no_file_is_refused_without_being_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    long = tmp_path / ("a" * 3000)
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero"), tmp_path / "none", long, tmp_path / "a\0b"):
        with pytest.raises(InputError, match=r"is not a file|There is no file|cannot be read"):
            read_yaml(path)


BREAKS = "\x85\u2028\u2029\ufeff"
TEXTS = st.text(st.characters(exclude_characters=BREAKS, exclude_categories=["Cc", "Cs", "Cn", "Co"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
@example(["1e3", "1.5e3", "+.5", "017", "0o17", "1:30", "2026-11-30", "yes", "", "~", "1_000", ".inf", "<<", "=", "-"])
@example({"1": 1, "yes": 2, "": 3, "1e3": 1e300, "a b": -0.0, "<<": [5e-324]})
def test_what_is_written_is_read_back_here_and_by_others(value):
    for options in ({}, {"default_flow_style": True, "width": math.inf, "allow_unicode": True}):
        text = write_yaml(value, **options)
        assert load_yaml(text, "") == value
        assert yaml.safe_load(text) == value
