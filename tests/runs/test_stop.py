"""Stop requests: the first asks, a second of another kind or a later one ends the process."""

import fcntl
import json
import os
import signal
import sys
import termios
from functools import partial
from itertools import product

import pytest

from tests.processes import execute, started
from tfticket.runs.stop import stop_requests

INT, TERM, HUP = SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.mark.parametrize("ask", [*(partial(signal.raise_signal, number) for number in SIGNALS), None])
def test_a_signal_or_a_stop_file_asks_and_the_old_handlers_come_back(tmp_path, ask):
    before = [signal.getsignal(number) for number in SIGNALS]
    (tmp_path / "STOP").touch()  # from before
    with stop_requests(tmp_path) as should_stop:
        assert not should_stop()
        (ask or (tmp_path / "STOP").touch)()
        assert should_stop()
    with pytest.raises(ZeroDivisionError), stop_requests(tmp_path) as should_stop:
        _ = should_stop() or 1 / 0
    assert [signal.getsignal(number) for number in SIGNALS] == before


TWO_SIGNALS = """
import json, os, signal, sys, time
from pathlib import Path
from tfticket.runs import stop

def outcome(first, second, later=False, ignored=False):
    '''What a process that gets two signals prints, and how it ends.'''
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        if ignored:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if later:
            stop.SAME_REQUEST = 0.3
        with stop.stop_requests(Path(sys.argv[1])) as should_stop:
            signal.raise_signal(first)
            os.write(1, f"{should_stop()}".encode())
            end = time.monotonic() + 20 * later
            signal.raise_signal(second)
            while time.monotonic() < end:
                signal.raise_signal(second)
            os.write(1, b", lives on")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        printed = file.read()
    return printed, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

print(json.dumps([outcome(*case) for case in json.loads(sys.argv[2])]))
"""


def test_what_a_second_signal_does(tmp_path):
    another = [(first, second) for first, second in product(SIGNALS, (INT, TERM)) if first != second]
    cases = {
        **{(first, second): ["True", -second] for first, second in another},  # it ends the process at once
        **{(number, number): ["True, lives on", 0] for number in SIGNALS},  # it is the same request
        **{(number, number, True): ["True", -number] for number in (INT, TERM)},  # later it is another request
        **{(first, HUP): ["True, lives on", 0] for first in (INT, TERM)},  # a terminal that closes sends two
        (HUP, HUP, False, True): ["False, lives on", 0],  # under nohup
    }
    done = execute([sys.executable, "-c", TWO_SIGNALS, tmp_path, json.dumps(list(cases))])
    assert dict(zip(cases, json.loads(done.stdout), strict=True)) == cases


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


def test_a_later_signal_ends_the_process_in_compiled_work_and_the_first_is_reported(tmp_path):
    done = execute([sys.executable, "-c", IN_COMPILED_WORK, str(tmp_path)], check=False)
    assert (done.stdout, done.returncode) == ("asked\n", -signal.SIGTERM)


IN_A_TERMINAL = """
import sys, time
from pathlib import Path
from tfticket.runs.stop import stop_requests
folder = Path(sys.argv[1])
with stop_requests(folder) as should_stop:
    print("begun", flush=True)
    while not should_stop():
        time.sleep(0.01)
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
