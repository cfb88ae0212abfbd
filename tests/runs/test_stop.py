import fcntl
import os
import signal
import sys
import termios
from itertools import product

import pytest

from tests.processes import execute, started
from tfticket.runs.stop import stop_requests

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def test_nobody_has_asked(tmp_path):
    with stop_requests(tmp_path) as should_stop:
        assert not should_stop()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_and_the_old_handlers_come_back(tmp_path, number):
    before = [signal.getsignal(each) for each in SIGNALS]
    with stop_requests(tmp_path) as should_stop:
        signal.raise_signal(number)
        assert should_stop()
    assert [signal.getsignal(each) for each in SIGNALS] == before
    with stop_requests(tmp_path) as should_stop:
        assert not should_stop()


def test_the_old_handlers_come_back_after_an_error(tmp_path):
    before = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(ValueError, match="failed"), stop_requests(tmp_path):
        raise ValueError("failed")
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_a_stop_file_asks_and_one_from_before_does_not(tmp_path):
    (tmp_path / "STOP").touch()
    with stop_requests(tmp_path) as should_stop:
        assert not should_stop()
        (tmp_path / "STOP").touch()
        assert should_stop()


TWICE = """
import signal, sys
from pathlib import Path
from tfticket.runs.stop import stop_requests
with stop_requests(Path(sys.argv[1])) as should_stop:
    signal.raise_signal(int(sys.argv[2]))
    print(should_stop(), flush=True)
    signal.raise_signal(int(sys.argv[3]))
    print("lives on", flush=True)
"""
LATER = """
import signal, sys, time
from pathlib import Path
from tfticket.runs import stop
stop.SAME_REQUEST = 0.3
with stop.stop_requests(Path(sys.argv[1])) as should_stop:
    signal.raise_signal(int(sys.argv[2]))
    print(should_stop(), flush=True)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        signal.raise_signal(int(sys.argv[3]))
    print("lives on", flush=True)
"""
IN_COMPILED_WORK = """
import hashlib, os, subprocess, sys, threading
from pathlib import Path
from tfticket.runs import stop
stop.SAME_REQUEST = 0.3
asked = threading.Event()
with stop.stop_requests(Path(sys.argv[1]), asked.set):
    send = "kill -TERM $0; sleep 0.1; kill -TERM $0; sleep 1; kill -TERM $0"
    subprocess.Popen(["sh", "-c", send, str(os.getpid())])
    asked.wait()
    print("asked", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # no handler of Python's is called meanwhile
"""


def twice(folder, first, second, program=TWICE, **options):
    command = [sys.executable, "-c", program, str(folder), str(int(first)), str(int(second))]
    return execute(command, check=False, **options)


@pytest.mark.parametrize(("first", "second"), [(a, b) for a, b in product(SIGNALS, SIGNALS[:2]) if a != b])
def test_a_second_signal_of_another_kind_ends_the_process_at_once(tmp_path, first, second):
    done = twice(tmp_path, first, second)
    assert done.stdout == "True\n"
    assert done.returncode == -second


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_of_the_kind_is_the_same_request(tmp_path, number):
    done = twice(tmp_path, number, number)
    assert (done.stdout, done.returncode) == ("True\nlives on\n", 0)


@pytest.mark.parametrize("number", SIGNALS[:2])
def test_a_later_signal_of_the_kind_ends_the_process_at_once(tmp_path, number):
    done = twice(tmp_path, number, number, LATER)
    assert (done.stdout, done.returncode) == ("True\n", -number)


def test_a_later_signal_ends_the_process_in_compiled_work_and_the_first_is_reported(tmp_path):
    done = execute([sys.executable, "-c", IN_COMPILED_WORK, str(tmp_path)], check=False)
    assert (done.stdout, done.returncode) == ("asked\n", -signal.SIGTERM)


@pytest.mark.parametrize("first", SIGNALS)
def test_a_hang_up_that_comes_second_changes_nothing(tmp_path, first):
    done = twice(tmp_path, first, signal.SIGHUP)
    assert (done.stdout, done.returncode) == ("True\nlives on\n", 0)


def test_under_nohup_a_hang_up_is_no_request(tmp_path):
    def nohup():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    done = twice(tmp_path, signal.SIGHUP, signal.SIGHUP, preexec_fn=nohup)
    assert (done.stdout, done.returncode) == ("False\nlives on\n", 0)


IN_A_TERMINAL = """
import signal, sys
from pathlib import Path
from tfticket.runs.stop import stop_requests
folder = Path(sys.argv[1])
with stop_requests(folder) as should_stop:
    print("begun", flush=True)
    while not should_stop():
        signal.pause()
    for stream in (sys.stdout, sys.stderr):
        print("stopped", file=stream, flush=True)
    (folder / "ended").touch()
"""


def test_a_terminal_that_closes_stops_a_run_which_may_go_on_writing_to_it(tmp_path):
    outside, inside = os.openpty()
    streams = {"stdin": inside, "stdout": inside, "stderr": inside}
    command = [sys.executable, "-c", IN_A_TERMINAL, str(tmp_path)]

    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with started(command, preexec_fn=take_terminal, **streams) as process:
        os.close(inside)
        read = b""
        while not read.endswith(b"\n"):  # a terminal hands over what there is, not lines
            read += os.read(outside, 100)
        assert read == b"begun\r\n"
        os.close(outside)
        assert process.wait() == 0
    assert (tmp_path / "ended").exists()
