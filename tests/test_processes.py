"""Processes of their own: they end with their parent's work, and what they say arrives."""

import multiprocessing
import os
import signal
import threading

import pytest

from tfticket import processes
from tfticket.processes import run_apart


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


def work(job, tell, should_stop):
    """What a test asks for."""
    what, path = job
    tell(what)
    if what == "fails":
        raise Unpicklable("no", "luck")
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "waits":
        while not should_stop():
            threading.Event().wait(0.01)
        path.touch()
    if what == "hangs":
        threading.Event().wait()


def test_how_each_process_ended_is_told(tmp_path):
    jobs = [(what, tmp_path) for what in ("ends", "fails", "killed")]
    ends = run_apart(work, jobs, 3, lambda number, told: None, lambda: False)
    assert [end.code for end in ends] == [0, 0, -signal.SIGKILL]
    assert [end.words for end in ends] == ["ended with exit code 0"] * 2 + ["was killed by SIGKILL"]
    assert ends[0].error is ends[2].error is None
    assert str(ends[1].error) == "Unpicklable: no luck"


def test_a_stop_request_keeps_what_waits_from_beginning(tmp_path):
    heard = []
    jobs = [("waits", tmp_path / "first"), ("waits", tmp_path / "second")]
    ends = run_apart(work, jobs, 1, lambda *told: heard.append(told), lambda: bool(heard))
    assert [end.words for end in ends] == ["ended with exit code 0", "never began"]
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize("what", ["waits", "hangs"])
def test_a_parent_that_leaves_by_an_exception_leaves_no_children(what, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.1 if what == "hangs" else 60.0)

    def told(number, text):
        raise KeyboardInterrupt

    before = set(multiprocessing.active_children())  # other tests' libraries have some
    with pytest.raises(KeyboardInterrupt):
        run_apart(work, [(what, tmp_path / "ended")], 1, told, lambda: False)
    assert set(multiprocessing.active_children()) <= before
    assert (tmp_path / "ended").exists() == (what == "waits")
