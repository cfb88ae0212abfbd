"""Processes of their own: they end with their parent's work, what they say arrives, and none waits for a killed one."""

import inspect
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tfticket import processes
from tfticket.processes import run_in_processes


class Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


class Local(Exception):
    def __reduce__(self):
        return (lambda: None, ())


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError


class KilledAtItsStart:
    """A job during whose arrival its process is killed."""

    def __setstate__(self, state):
        os.kill(os.getpid(), signal.SIGKILL)

    def __getstate__(self):
        return {"": ""}


FLOOD = 20_000


def work(job, tell, should_stop):
    """What a test asks for."""
    what, path = job
    tell(what)
    if what == "fails":
        raise Unpicklable("no", "luck")
    if what == "fails locally":
        raise Local("no luck")
    if what == "fails speechless":
        raise Speechless
    if what == "tells what cannot be sent":
        tell(lambda: None)
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "killed while it asks":
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
        while not should_stop():
            pass
    if what == "killed while it tells":
        pipe = inspect.getclosurevars(tell).nonlocals["pipe"]
        os.write(pipe.fileno(), struct.pack("!i", 1000) + b"half of a message")
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "killed beneath a flood":
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()
        while True:
            tell("x" * 100_000)
    if what == "floods":
        for number in range(FLOOD):
            tell(number)
    if what == "floods on":
        while not should_stop():
            tell("x" * 1000)
    if what == "is signalled":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        tell("lives on")
    if what == "waits":
        while not should_stop():
            threading.Event().wait(0.01)
        path.touch()
    if what == "hangs":
        threading.Event().wait()


def apart(*whats, told=lambda number, message: None, at_once=8, path=Path()):
    return run_in_processes(work, [(what, path) for what in whats], at_once, told, lambda: False)


def test_how_each_process_ended_is_told():
    ends = apart("ends", "fails", "killed")
    assert [end.code for end in ends] == [0, 0, -signal.SIGKILL]
    assert [end.words for end in ends] == ["ended with exit code 0"] * 2 + ["was killed by SIGKILL"]
    assert ends[0].error is ends[2].error is None
    assert str(ends[1].error) == "Unpicklable: no luck"


KILLED = ["killed while it asks", "killed while it tells", "killed beneath a flood"]


@pytest.mark.parametrize("what", KILLED)
def test_a_process_that_is_killed_leaves_its_parent_and_siblings_free(what):
    heard = []
    ends = apart(what, "floods", told=lambda number, message: heard.append(message) if number else None)
    assert [end.code for end in ends] == [-signal.SIGKILL, 0]
    assert heard == ["floods", *range(FLOOD)]


def test_one_that_is_killed_before_its_first_word_is_told():
    ends = run_in_processes(work, [KilledAtItsStart(), ("ends", None)], 2, lambda number, message: None, lambda: False)
    assert [end.code for end in ends] == [-signal.SIGKILL, 0]


def test_many_that_are_killed_at_once():
    ends = apart(*KILLED, *["killed"] * 5, "ends", at_once=9)
    assert [end.code for end in ends] == [-signal.SIGKILL] * 8 + [0]


def test_errors_that_cannot_be_sent_are_told_in_words():
    ends = apart("fails locally", "fails speechless", "tells what cannot be sent")
    assert [end.code for end in ends] == [0, 0, 0]
    assert str(ends[0].error) == "Local: no luck"
    assert "Speechless" in f"{ends[1].error!r} {ends[1].error.__notes__}"
    assert "pickle" in str(ends[2].error)
    for end in ends:
        assert "in work" in end.error.__notes__[0], "where it was raised"


def test_what_a_terminal_sends_to_all_reaches_the_parent_alone():
    heard = []
    ends = apart("is signalled", told=lambda number, message: heard.append(message))
    assert [end.code for end in ends] == [0]
    assert heard == ["is signalled", "lives on"]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(processes.STOP_SIGNALS), "the parent hears them"


def test_a_stop_request_keeps_what_waits_from_beginning(tmp_path):
    heard = []
    jobs = [("waits", tmp_path / "first"), ("waits", tmp_path / "second")]
    ends = run_in_processes(work, jobs, 1, lambda *told: heard.append(told), lambda: bool(heard))
    assert [end.words for end in ends] == ["ended with exit code 0", "never began"]
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize("what", ["waits", "hangs", "floods on"])
def test_a_parent_that_leaves_by_an_exception_leaves_no_children(what, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.1 if what == "hangs" else 60.0)

    def told(number, text):
        raise KeyboardInterrupt

    before = set(multiprocessing.active_children())  # other tests' libraries have some
    with pytest.raises(KeyboardInterrupt):
        apart(what, told=told, path=tmp_path / "ended")
    assert set(multiprocessing.active_children()) <= before
    assert (tmp_path / "ended").exists() == (what == "waits")


PARENT = """
import sys
from pathlib import Path
from tests.test_processes import apart
apart("waits", "hangs", "floods on", told=lambda *told: print(*told, flush=True), path=Path(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_children_end_with_their_parent_and_leave_no_word(number, tmp_path):
    command = [sys.executable, "-c", PARENT, str(tmp_path / "ended")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as parent:
        begun = set()
        while len(begun) < 3:
            begun.add(parent.stdout.readline().split(maxsplit=1)[0])
        parent.send_signal(number)
        _, printed = parent.communicate(timeout=60)  # until nobody has these pipes open any more
    assert parent.returncode == -number
    assert (tmp_path / "ended").exists()
    assert number == signal.SIGINT or printed == ""
    assert "leaked" not in printed
