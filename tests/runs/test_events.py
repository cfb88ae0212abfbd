import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfticket.runs.events import EventWriter, read_events


def told(path):
    """What counts of a diary, without the times."""
    return [(event["attempt"], event["event"], event.get("iteration")) for event in read_events(path)]


@pytest.fixture
def diary(tmp_path):
    return tmp_path / "events.jsonl"


def test_events_come_back_in_order_with_their_values(diary):
    writer = EventWriter(diary, attempt=1)
    writer.write("start")
    writer.write("evaluation", iteration=430, accuracy=0.97, note="größer\n")
    first, second = read_events(diary)
    assert first["time"] <= second.pop("time")
    assert second == {"attempt": 1, "event": "evaluation", "iteration": 430, "accuracy": 0.97, "note": "größer\n"}


def test_no_diary_has_no_events(diary):
    assert read_events(diary) == []
    EventWriter(diary, attempt=1)
    assert read_events(diary) == []


WHOLE = [json.dumps({"attempt": 1, "event": "evaluation", "iteration": n, "note": "größer"}) + "\n" for n in (1, 2, 3)]


@given(st.integers(0, len("".join(WHOLE))))
def test_a_diary_cut_off_anywhere_keeps_its_whole_lines_and_takes_new_ones(tmp_path_factory, cut):
    diary = tmp_path_factory.mktemp("torn") / "events.jsonl"
    left = "".join(WHOLE)[:cut]
    diary.write_text(left)
    # A line that lacks nothing but its end is whole too.
    whole = [(1, "evaluation", n) for n, line in enumerate(WHOLE, start=1) if left.count(line.strip()) == 1]
    assert told(diary) == whole
    EventWriter(diary, attempt=2).write("start")
    assert told(diary) == [*whole, (2, "start", None)]


def test_bytes_torn_inside_a_character_do_no_harm(diary):
    diary.write_bytes(b'{"attempt": 1, "event": "start"}\n{"attempt": 1, "note": "\xc3')
    EventWriter(diary, attempt=2).write("start")
    assert told(diary) == [(1, "start", None), (2, "start", None)]


def write(diary, attempt, *events):
    writer = EventWriter(diary, attempt)
    for event, iteration in events:
        writer.write(event, **({} if iteration is None else {"iteration": iteration}))


def test_what_came_after_the_checkpoint_is_superseded_by_the_attempt_that_resumes(diary):
    write(diary, 1, ("start", None), ("evaluation", 10), ("evaluation", 20), ("evaluation", 30))
    write(diary, 2, ("start", None), ("begin", 20), ("evaluation", 30), ("done", None))
    assert told(diary) == [
        (1, "start", None),
        (1, "evaluation", 10),
        (1, "evaluation", 20),
        (2, "start", None),
        (2, "begin", 20),
        (2, "evaluation", 30),
        (2, "done", None),
    ]


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), max_size=5))
def test_however_often_it_resumes_each_iteration_is_told_once_and_by_the_last_to_reach_it(tmp_path_factory, attempts):
    diary = tmp_path_factory.mktemp("resumed") / "events.jsonl"
    expected, reached = {}, 0
    for attempt, (checkpoint, length) in enumerate(attempts, start=1):
        first = min(checkpoint, reached)
        reached = first + length
        evaluations = range(first + 1, reached + 1)
        write(diary, attempt, ("begin", first), *[("evaluation", iteration) for iteration in evaluations])
        expected = {iteration: by for iteration, by in expected.items() if iteration <= first}
        expected |= dict.fromkeys(evaluations, attempt)
    found = [(iteration, attempt) for attempt, event, iteration in told(diary) if event == "evaluation"]
    assert found == list(expected.items())
