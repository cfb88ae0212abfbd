"""Work in processes of its own: they end with their parent, their messages arrive, none waits for a killed one."""

import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tfticket import processes
from tfticket.processes import Workers


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
    """A job whose process is killed while it is unpickled."""

    def __setstate__(self, state):
        os.kill(os.getpid(), signal.SIGKILL)

    def __getstate__(self):
        return {"": ""}


FLOOD = 20_000


def kill_later():
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGKILL)).start()


def work(job, send, should_stop):
    """Do what a test asks for."""
    if isinstance(job, KilledAtItsStart):
        return
    what, path = job
    send(what)
    match what:
        case "fails":
            raise Unpicklable("no", "luck")
        case "fails locally":
            raise Local("no luck")
        case "fails speechless":
            raise Speechless
        case "sends what cannot be sent":
            send(lambda: None)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "killed while it asks":
            kill_later()
            while not should_stop():
                pass
        case "killed while it sends":
            pipe = send.__closure__[0].cell_contents
            os.write(pipe.fileno(), struct.pack("!i", 1000) + b"half of a message")
            os.kill(os.getpid(), signal.SIGKILL)
        case "killed beneath a flood":
            kill_later()
            while True:
                send("x" * 100_000)
        case "floods":
            for number in range(FLOOD):
                send(number)
        case "floods on":
            while not should_stop():
                send("x" * 1000)
        case "is signalled":
            for number in processes.STOP_SIGNALS:
                os.kill(os.getpid(), number)
            send("lives on")
        case "names its process":
            send(os.getpid())
        case "waits":
            while not should_stop():
                threading.Event().wait(0.01)
            path.touch()
        case "hangs":
            threading.Event().wait()


def apart(*whats, on_message=lambda number, message: None, at_once=10, path=Path()):
    jobs = [what if isinstance(what, KilledAtItsStart) else (what, path) for what in whats]
    return Workers(work).run(jobs, at_once, on_message, lambda: False)


def test_each_job_ends_as_it_does_whatever_happens_to_its_siblings():
    killed = ("killed while it asks", "killed while it sends", "killed beneath a flood", "killed", KilledAtItsStart())
    failing, messages = ("fails", "fails locally", "fails speechless", "sends what cannot be sent"), []
    flood = len(killed) + len(failing)
    record = lambda number, message: messages.append(message) if number == flood else None  # noqa: E731
    ends = apart(*killed, *failing, "floods", on_message=record)
    assert [end.code for end in ends] == [-signal.SIGKILL] * len(killed) + [0] * (len(failing) + 1)
    assert [end.words for end in ends[4:6]] == ["was killed by SIGKILL", "ended with exit code 0"]
    assert [end.error for end in (*ends[:5], ends[-1])] == [None] * 6
    assert messages == ["floods", *range(FLOOD)]
    unpicklable, local, speechless, unsent = (end.error for end in ends[5:9])
    assert (str(unpicklable), str(local)) == ("Unpicklable: no luck", "Local: no luck")
    assert "Speechless" in f"{speechless!r} {speechless.__notes__}"
    assert "pickle" in str(unsent)
    assert all("in work" in error.__notes__[0] for error in (unpicklable, local, speechless, unsent))


def test_what_a_terminal_sends_to_all_reaches_the_parent_alone():
    messages = []
    (end,) = apart("is signalled", on_message=lambda number, message: messages.append(message))
    assert (end.code, messages) == (0, ["is signalled", "lives on"])
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(processes.STOP_SIGNALS), "the parent hears them"


def test_a_stop_request_keeps_what_waits_from_beginning(tmp_path):
    messages = []
    jobs = [("waits", tmp_path / "first"), ("waits", tmp_path / "second")]
    ends = Workers(work).run(jobs, 1, lambda *message: messages.append(message), lambda: bool(messages))
    assert [end.words for end in ends] == ["ended with exit code 0", "never began"]
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_workers_stay_for_further_jobs_and_a_killed_one_is_replaced():
    processes_of_jobs = []
    workers = Workers(work)

    def run(*whats, at_once=2):
        jobs = [(what, Path()) for what in whats]
        return workers.run(jobs, at_once, lambda number, message: processes_of_jobs.append(message), lambda: False)

    run("names its process", "names its process", "names its process")
    run("names its process")
    first = {number for number in processes_of_jobs if isinstance(number, int)}
    assert len(first) <= 2
    for number in first:
        os.kill(number, signal.SIGKILL)
    psutil.wait_procs(map(psutil.Process, first & set(psutil.pids())), timeout=60)
    (end,) = run("names its process", at_once=1)
    assert (end.code, end.error) == (0, None)
    last = processes_of_jobs[-1]
    assert last not in first
    assert run("fails")[0].code == 0, "a job that fails leaves its process for others"
    workers.close()
    assert not psutil.pid_exists(last)


@pytest.mark.parametrize("what", ["waits", "hangs", "floods on"])
def test_a_parent_that_leaves_by_an_exception_leaves_no_children(what, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "GRACE", 0.1 if what == "hangs" else 60.0)

    def interrupt(number, text):
        raise KeyboardInterrupt

    before = set(multiprocessing.active_children())  # other tests' libraries have some
    with pytest.raises(KeyboardInterrupt):
        apart(what, on_message=interrupt, path=tmp_path / "ended")
    assert set(multiprocessing.active_children()) <= before
    assert (tmp_path / "ended").exists() == (what == "waits")


PARENT = """
import signal, sys
from pathlib import Path
from tests.test_processes import apart
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell ignores in the background
apart("waits", "hangs", "floods on", on_message=lambda *it: print(*it, flush=True), path=Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, *(pytest.param(n, marks=pytest.mark.slow) for n in (15, 1))]
)
def test_children_end_with_their_parent_and_print_nothing(number, tmp_path):
    command = [sys.executable, "-c", PARENT, str(tmp_path / "ended")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as parent:
        begun = set()
        while len(begun) < 3:
            begun.add(parent.stdout.readline().split(maxsplit=1)[0])
        children = psutil.Process(parent.pid).children(recursive=True)
        parent.send_signal(number)
        _, printed = parent.communicate(timeout=60)  # until nobody has these pipes open any more
    psutil.wait_procs(children, timeout=60)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert parent.returncode == -number
    assert (tmp_path / "ended").exists()
    assert number == signal.SIGINT or printed == ""
    assert "leaked" not in printed
