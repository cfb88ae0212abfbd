"""Damaged files of every format meet our own errors, or can still be read, within 5 s and 500 MB each."""

import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.writers import PICTURES, formats

EXTREMES = [b"\0", b"\xff", b"\x7f", b"\x80", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\xff" * 8]
NAMES = ["../up.npy", "/root.npy", "c:\\x", "train/a/../../../b.png", "train/a/new.png", "data_batch_1", "é\n"]
END = 2**20

number = st.integers(0, 40)
place = st.integers(0, 2**17) | st.integers(-300, 120)  # anywhere, or in headers and directories
removed = st.sampled_from([0, 1, 4, 8, END]) | st.integers(0, 64)
repeated = st.just(0) | st.integers(1, 4096)
edits = st.lists(
    st.tuples(number, place, removed, st.sampled_from([b"", *EXTREMES]) | st.binary(max_size=64), repeated)
)
renames = st.lists(st.tuples(number, st.sampled_from([None, *NAMES]) | st.text(max_size=8) | number), max_size=2)


def edited(content, where, removed, new, repeated):
    """Some bytes removed and others put in their place, or bytes repeated."""
    where %= len(content) or 1
    return content[:where] + content[where : where + repeated] + new + content[where + (0 if repeated else removed) :]


def renamed(members, number, name):
    """One of the members without its name, by another name, or by that of another member."""
    names = list(members)
    old = names[number % len(names)]
    if isinstance(name, int):
        other = names[name % len(names)]
        return {**members, old: members[other], other: members[old]}
    return {name if key == old else key: members[key] for key in names if key != old or name is not None} or members


def corrupted(form, members, inside, renames, outside, folder):
    """Write the members, edited inside, renamed, and edited as they lie on disk."""
    for number, *edit in inside:
        name = list(members)[number % len(members)]
        members = {**members, name: edited(members[name], *edit)}
    for rename in renames:
        members = renamed(members, *rename)
    if form.pack.__name__ in ("folder", "gzipped"):  # which cannot hold names like these
        members = {key.lstrip("/\\").replace("..", "").replace("\0", "") or "x": members[key] for key in members}
        files = [key for key in members if not any(other.startswith(f"{key}/") for other in members)]
        members = {key: members[key] for key in files}
    path = form.pack(members, folder)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for number, *edit in outside:
        file = files[number % len(files)]
        file.write_bytes(edited(file.read_bytes(), *edit))
    return path


@pytest.mark.parametrize("form", [*formats.values(), PICTURES], ids=lambda form: form.name)
@pytest.mark.parametrize("cases", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_corrupted_files_are_refused_or_read(form, cases, request, tmp_path_factory, limited_read):
    members = form.members(request.getfixturevalue(form.rows).few(1, 1))
    root = tmp_path_factory.mktemp("fuzz")
    outcomes = Counter()
    assert limited_read(form.pack(members, root / "whole"))[0] == "read"

    @settings(max_examples=cases, suppress_health_check=[HealthCheck.too_slow])
    @given(edits, renames, edits)
    def check(inside, renames, outside):
        shutil.rmtree(root / "case", ignore_errors=True)
        outcomes[limited_read(corrupted(form, members, inside, renames, outside, root / "case"))[0]] += 1

    check()
    assert outcomes.total() >= cases
    assert outcomes["refused"] > cases / 4
