"""YAML is read as it is written, and written as it is read."""

import math
import os

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.refusals import refused
from tests.tables import rows
from tfticket.yaml_text import DEEPEST, LARGEST, MOST, load_yaml, read_yaml, scalar, write_yaml

TEXTS = """017 -08 0o17 0x10 0b1 1:30 12:30:45 1_000 2026-11-30 y n = inf nan 1e e3 . + 1.2.3 00 01.5 1e3x YeS tRUE
nULL \u0665 5ep 2000it"""
VALUES = {
    **dict.fromkeys(["~", "null", "Null", "NULL", ""]),
    **dict.fromkeys(["true", "True", "TRUE", "yes", "on", "On", "YES"], True),
    **dict.fromkeys(["false", "False", "no", "off", "OFF"], False),
    **{"5": 5, "+5": 5, "-5": -5, "0": 0, "-0": 0, "1" + "0" * 400: 10**400},
    **{"1e3": 1000.0, "1e-3": 0.001, "1.5e3": 1500.0, ".5": 0.5, "5.": 5.0, "-.5E+2": -50.0},
    **{".inf": math.inf, "1e999": math.inf, "-.INF": -math.inf},
    **{text: text for text in [*TEXTS.split(), "9" * 5000]},
}


def test_a_value_is_what_it_says():
    for text, value in VALUES.items():
        listed = load_yaml(f"[{text}, 1]" if text else "[~]", "")
        for read in (scalar(text), load_yaml(f"a: {text}", "")["a"], listed[0]):
            assert (read, type(read)) == (value, type(value)), text
        assert load_yaml(f"'{text}'", "") == text
    assert math.isnan(load_yaml(".nan", ""))


DOCUMENTS = [
    ("", None),
    ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
    ("\ufeffa: 1", {"a": 1}),
    ("a: 1".encode("utf-16"), {"a": 1}),
    ("{1: a, yes: b, ~: c, 1.5: d, 2026: e}", {"1": "a", "yes": "b", "~": "c", "1.5": "d", "2026": "e"}),
    ("a: &x {b: 1}\nd: {<<: [*x, {b: 3, e: 4}], c: 5}", {"a": {"b": 1}, "d": {"b": 1, "c": 5, "e": 4}}),
    ("a: &x 5\nb: [*x, *x]", {"a": 5, "b": [5, 5]}),
    ("a: |\n  1\n  2\n", {"a": "1\n2\n"}),
    ('"<<": 1', {"<<": 1}),
]
AMBIGUOUS = r"""
train: {a: 1}\nname: x\ntrain: {b: 2} | 3 | 'train' stands twice, first in line 1
a:\n  b: 1\n  c: 2\n  b: 1            | 4 | 'b' stands twice, first in line 2
{a: {b: [{c: 1, c: 2}]}}              | 1 | 'c'
1: a\n'1': b                          | 2 | '1'
true: a\n'true': b                    | 2 | 'true'
<<: {a: 1}\n<<: {b: 1}                | 2 | '<<'
<<: {a: 1, a: 2}                      | 1 | 'a'
<<: 1                                 | 1 | <<
? [1]\n: 2                            | 1 | key
a: 1\n---\nb: 1                       | 2 | ---
a: &x b\n*x : 1                       | 2 | *x
a: *x                                 | 1 | *x
a: &x [*x]                            | 1 | *x
a: !!int yes                          | 1 | !!int
a: !!python/object/apply:os.system [true] | 1 | os.system
!x {}                                 | 1 | !x
a: 1\n\tb: 2                          | 2 | YAML
a: [1                                 | 1 | YAML
a: [1\n                               | 1 | YAML
a: b: c                               | 1 | YAML
"""


def test_a_document_is_read_and_what_is_ambiguous_or_broken_refused_by_its_line():
    for text, value in DOCUMENTS:
        assert load_yaml(text, "here") == value
    values = load_yaml("a: &x {b: 1}\nc: *x", "")
    values["a"]["b"] = 2
    assert values["c"] == {"b": 1}, "what an alias repeats is not shared"
    for text, line, fact in rows(AMBIGUOUS, 3):
        with refused(None, None, f"here: line {line}: ", fact):
            load_yaml(text.replace(r"\n", "\n").replace(r"\t", "\t"), "here")


BILLION = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))
LADDER = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
MERGED = "a0: &a0 {x0: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, x{n}: 1}}\n" for n in range(1, 3000))
DEEP = ["[" * 50_000, "x: " + "{a: " * 50_000 + "1" + "}" * 50_000, "- " * 50_000, LADDER, MERGED]
DEEP += ["\n".join(" " * depth + "a:" for depth in range(1000))]


def test_no_text_depth_and_size_are_refused():
    no_texts = ["\0", "a: \a", b"a: \xff", "a: \udc80", "\ufffe", b"\xff\xfea"]
    large = [BILLION, f"[{','.join(['1'] * MOST)}]"]
    facts = {"here: ": no_texts, f"{DEEPEST} deep": DEEP, "key": ["? " * 50_000], f"{MOST:,} values": large}
    for fact, texts in (facts | {f"{LARGEST:,} bytes": ["a" * (LARGEST + 1)]}).items():
        for text in texts:
            with refused(None, None, fact):
                load_yaml(text, "here")
    assert load_yaml("[" * DEEPEST + "]" * DEEPEST, "") is not None
    assert len(load_yaml(f"[{','.join(['1'] * (MOST - 1))}]", "")) == MOST - 1
    assert len(load_yaml("a" * LARGEST, "")) == LARGEST


def test_what_is_no_file_is_refused_without_being_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, *(tmp_path / name for name in ("pipe", "/dev/zero", "none", "a" * 3000, "a\0b"))):
        with refused(None, None, str(path)[:20]):
            read_yaml(path)
    (tmp_path / "config.yaml").write_text("a: [1")
    with refused(None, None, f"{tmp_path / 'config.yaml'}: line 1"):
        read_yaml(tmp_path / "config.yaml")


BREAKS = "\x85\u2028\u2029\ufeff"
ANY_TEXT = st.text(st.characters(exclude_characters=BREAKS, exclude_categories=["Cc", "Cs", "Cn", "Co"]))
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(ANY_VALUE)
@example(["1e3", "1.5e3", "+.5", "017", "0o17", "1:30", "2026-11-30", "yes", "", "~", "1_000", ".inf", "<<", "=", "-"])
@example({"1": 1, "yes": 2, "": 3, "1e3": 1e300, "a b": -0.0, "<<": [5e-324]})
def test_what_is_written_is_read_back_here_and_by_others(value):
    for options in ({}, {"default_flow_style": True, "width": math.inf, "allow_unicode": True}):
        text = write_yaml(value, **options)
        assert load_yaml(text, "") == value
        assert yaml.safe_load(text) == value
