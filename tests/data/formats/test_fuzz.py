"""Damaged files of every format meet our own errors, or can still be read, within 5 s and 500 MB each."""

import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EXTREMES = [
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\xff" * 8,
    bytes(8),
]
NAMES = [
    "../up.npy",
    "/root.npy",
    "c:\\x",
    "train/a/../../../b.png",
    "train/a/new.png",
    "test/x",
    "data_batch_1",
    "é\n",
]

place = st.integers(0, 2**17) | st.integers(-300, 120)  # anywhere, or in headers and directories
edit = st.one_of(
    st.tuples(st.just("flip"), place, st.integers(1, 255)),
    st.tuples(st.just("write"), place, st.sampled_from(EXTREMES) | st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), place, st.sampled_from(EXTREMES) | st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("delete"), place, st.integers(1, 64)),
    st.tuples(st.just("repeat"), place, st.integers(1, 4096)),
    st.tuples(st.just("truncate"), place, st.none()),
)
member = st.integers(0, 40)
change = st.one_of(
    st.tuples(st.just("remove"), member, st.none()),
    st.tuples(st.just("swap"), member, member),
    st.tuples(st.just("rename"), member, st.sampled_from(NAMES) | st.text(max_size=8)),
)
edits = st.lists(st.tuples(member, edit), min_size=1, max_size=3)
changes = st.lists(change, min_size=1, max_size=2)
nothing = st.just([])
corruption = st.one_of(
    st.tuples(edits, nothing, nothing),
    st.tuples(nothing, changes, nothing),
    st.tuples(nothing, nothing, edits),
    st.tuples(edits, changes, edits),
)


def edited(content, what, where, value):
    where = where % len(content) if content else 0
    before, after = content[:where], content[where:]
    match what:
        case "flip":
            return before + bytes([(after[0] if after else 0) ^ value]) + after[1:]
        case "write":
            return before + value + after[len(value) :]
        case "insert":
            return before + value + after
        case "delete":
            return before + after[value:]
        case "repeat":
            return before + after[:value] + after
        case "truncate":
            return before


def changed(members, what, number, value):
    names = list(members)
    name = names[number % len(names)]
    match what:
        case "remove":
            return {key: content for key, content in members.items() if key != name}
        case "swap":
            other = names[value % len(names)]
            return {**members, name: members[other], other: members[name]}
        case "rename":
            return {value if key == name else key: content for key, content in members.items()}


def corrupted(form, members, corruption, folder):
    """Write the members, edited inside, renamed, or edited as they lie on disk."""
    inside, changes, outside = corruption
    for number, edit in inside:
        name = list(members)[number % len(members)]
        members = {**members, name: edited(members[name], *edit)}
    for change in changes:
        members = changed(members, *change) or members
    if form.pack.__name__ in ("folder", "gzipped"):  # which cannot hold names like these
        members = {key.lstrip("/\\").replace("..", "").replace("\0", "") or "x": members[key] for key in members}
        files = [key for key in members if not any(other.startswith(f"{key}/") for other in members)]
        members = {key: members[key] for key in files}
    path = form.pack(members, folder)
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for number, edit in outside:
        file = files[number % len(files)]
        file.write_bytes(edited(file.read_bytes(), *edit))
    return path


@pytest.mark.parametrize("cases", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_corrupted_files_are_refused_or_read(any_form, cases, request, tmp_path_factory, limited_read):
    members = any_form.members(request.getfixturevalue(any_form.rows).few(2, 1))
    root = tmp_path_factory.mktemp("fuzz")
    outcomes = Counter()
    assert limited_read(any_form.pack(members, root / "whole"))[0] == "read"

    @settings(max_examples=cases, suppress_health_check=[HealthCheck.too_slow])
    @given(corruption)
    def check(corruption):
        shutil.rmtree(root / "case", ignore_errors=True)
        outcomes[limited_read(corrupted(any_form, members, corruption, root / "case"))[0]] += 1

    check()
    assert outcomes.total() >= cases
    assert outcomes["refused"] > cases / 4
