"""The diary of a step: torn lines are left out, and what a later attempt superseded."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.refusals import refused
from tfticket.runs.events import EventReader, EventWriter, event_line, read_events


def counting(path):
    """Return the events that count, without their times."""
    return [(event["attempt"], event["event"], event.get("iteration")) for event in read_events(path)]


@pytest.fixture
def diary(tmp_path):
    return tmp_path / "events.jsonl"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Returns the path of a diary that is not there yet, at each call."""
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    return lambda: path.unlink(missing_ok=True) or path


def test_events_come_back_in_order_with_their_values(diary):
    assert read_events(diary) == []
    writer = EventWriter(diary, attempt=1)
    writer.write("start")
    writer.write("evaluation", iteration=430, accuracy=0.97, note="größer\n")
    first, second = read_events(diary)
    assert first["time"] <= second.pop("time")
    assert second == {"attempt": 1, "event": "evaluation", "iteration": 430, "accuracy": 0.97, "note": "größer\n"}


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), max_size=5))
def test_each_iteration_counts_once_by_the_last_attempt_to_reach_it(fresh, attempts):
    diary = fresh()
    expected, reached = {}, 0
    for attempt, (checkpoint, length) in enumerate(attempts, start=1):
        first = min(checkpoint, reached)
        reached = first + length
        writer = EventWriter(diary, attempt)
        writer.write("start")
        writer.write("begin", iteration=first)
        for iteration in range(first + 1, reached + 1):
            writer.write("evaluation", iteration=iteration)
        assert writer.first == first
        expected = {iteration: by for iteration, by in expected.items() if iteration <= first}
        expected |= dict.fromkeys(range(first + 1, reached + 1), attempt)
    events = counting(diary)
    assert {iteration: attempt for attempt, event, iteration in events if event == "evaluation"} == expected
    assert sum(event == "evaluation" for _, event, _ in events) == len(expected)
    assert [attempt for attempt, event, _ in events if event == "start"] == [n + 1 for n in range(len(attempts))]


WHOLE = [json.dumps({"attempt": 1, "event": "evaluation", "iteration": n, "note": "größer"}) + "\n" for n in (1, 2, 3)]


@given(st.integers(0, len("".join(WHOLE))))
def test_a_diary_cut_off_anywhere_keeps_its_whole_lines_and_takes_new_ones(fresh, cut):
    diary = fresh()
    left = "".join(WHOLE)[:cut]
    diary.write_text(left)
    # A line that lacks nothing but its end is whole too.
    whole = [(1, "evaluation", n) for n, line in enumerate(WHOLE, start=1) if left.count(line.strip()) == 1]
    assert counting(diary) == whole
    EventWriter(diary, attempt=2).write("start")
    assert counting(diary) == [*whole, (2, "start", None)]


@given(st.data())
def test_a_reader_that_follows_a_growing_diary_has_the_events_of_the_whole(fresh, data):
    names = st.sampled_from(["evaluation", "begin", b"torn", b"[1]", b'{"event": {}}', b"\xff"])
    events = st.tuples(names, st.integers(0, 6))
    text = b"".join(
        name + b"\n" if isinstance(name, bytes) else event_line(1, name, 1.0, iteration=iteration).encode()
        for name, iteration in data.draw(st.lists(events, max_size=12))
    )
    path = fresh()
    reader = EventReader(path)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True):
        with path.open("ab") as diary:
            diary.write(text[first:last])
        before = list(reader.events)
        assert reader.poll() or reader.events == before
    assert reader.events == read_events(path)
    assert all(isinstance(event["event"], str) for event in reader.events)
    assert reader.poll() is False


def test_lines_torn_in_a_character_or_too_long_and_files_that_are_no_diary_are_not_read(diary, tmp_path):
    diary.write_bytes(b'{"attempt": 1, "event": "start"}\n{"attempt": 1, "note": "\xc3')
    EventWriter(diary, attempt=2).write("start")
    assert counting(diary) == [(1, "start", None), (2, "start", None)]
    reader = EventReader(diary)
    whole = diary.read_bytes() + event_line(2, "long", 1.0, note="x" * 2**20).encode()
    for text in (whole[:-1], whole + event_line(2, "end", 1.0).encode()):
        diary.write_bytes(text)
        reader.poll()
    assert [event["event"] for event in reader.events] == ["start", "start", "end"]
    os.truncate(diary, 2**31)
    assert [reader.poll(), reader.events, reader.poll()] == [True, [], False]
    os.mkfifo(tmp_path / "pipe")
    assert read_events(tmp_path / "pipe") == []
    with refused(None, None, "pipe"):
        EventWriter(tmp_path / "pipe", attempt=1)
