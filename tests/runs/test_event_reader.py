"""A diary read as it grows."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tfticket.runs.events import EventReader, event_line, read_events


@given(st.data())
def test_however_a_diary_comes_the_follower_tells_what_a_reader_of_the_whole_tells(tmp_path_factory, data):
    events = st.one_of(
        st.tuples(st.just("evaluation"), st.integers(0, 6)), st.tuples(st.just("begin"), st.integers(0, 6))
    )
    text = b"".join(
        event_line(1, name, 1.0, iteration=iteration).encode() if name else b"torn\n"
        for name, iteration in data.draw(st.lists(events | st.just((None, 0)), max_size=12))
    )
    path = tmp_path_factory.mktemp("diary") / "events.jsonl"
    reader = EventReader(path)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    for first, last in zip([0, *cuts], [*cuts, len(text)], strict=True):
        with path.open("ab") as diary:
            diary.write(text[first:last])
        before = list(reader.events)
        assert reader.poll() or reader.events == before
    assert reader.events == read_events(path)


@given(st.lists(st.binary(max_size=20) | st.text(max_size=9).map(lambda text: json.dumps({"event": text}).encode())))
def test_whatever_a_diary_holds_the_reader_gets_through(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("diary") / "events.jsonl"
    path.write_bytes(b"\n".join([*lines, b'{"event": "begin", "iteration": "x"}', b"[1]", b'{"event": {}}', b""]))
    reader = EventReader(path)
    reader.poll()
    assert all(isinstance(event["event"], str) for event in reader.events)
    assert reader.poll() is False
