"""One live process a folder: leases that end with their process, however it ends."""

import json
import os
import platform
import select
import shutil
import signal
import sys
from contextlib import contextmanager
from subprocess import PIPE

import pytest

from tests.processes import started
from tfticket.runs import lease as module
from tfticket.runs.lease import InUse, holder_of, lease

HOLD = """
import sys
from pathlib import Path
from tfticket.runs.lease import InUse, lease
print("ready", flush=True)
sys.stdin.readline()
try:
    with lease(Path(sys.argv[1])) as attempt:
        print("held", attempt, flush=True)
        sys.stdin.read()
except InUse:
    print("refused", flush=True)
"""


@contextmanager
def other_process(folder):
    """Another process, ready to ask for the lease; it lets go when its standard input ends."""
    with started([sys.executable, "-c", HOLD, folder], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        yield process


def say_go(process):
    print("go", file=process.stdin, flush=True)


def ask(process):
    """Let it ask for the lease; return what it prints."""
    say_go(process)
    return process.stdout.readline()


def attempt_at(folder):
    with lease(folder) as attempt:
        return attempt


def forge(folder, **values):
    """Write a lease that this very process holds, but for some values."""
    path = folder / "lease.json"
    with lease(folder):
        held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, **values}))


def test_a_folder_is_held_within_and_free_after_however_it_ends(tmp_path):
    assert holder_of(tmp_path) is None
    with lease(tmp_path) as attempt:
        assert attempt == 1
        assert holder_of(tmp_path)["pid"] == os.getpid()
        with pytest.raises(InUse), lease(tmp_path):
            pass
    assert holder_of(tmp_path) is None
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ZeroDivisionError), lease(folder):
        _ = 1 / 0
    with pytest.raises(ZeroDivisionError), lease(folder):  # one that cannot be given back hides no error
        _ = shutil.rmtree(folder) or 1 / 0
    assert holder_of(folder) is None
    assert attempt_at(tmp_path) == 2


def test_a_live_process_holds_up_others_until_it_lets_go_or_is_killed(tmp_path):
    with other_process(tmp_path) as process:
        assert ask(process) == "held 1\n"
        with pytest.raises(InUse, match=f"{process.pid} on {platform.node()}") as error, lease(tmp_path):
            pass
        assert error.value.holder["pid"] == process.pid
        process.communicate("")
        assert attempt_at(tmp_path) == 2
    with other_process(tmp_path) as process:
        assert ask(process) == "held 3\n"
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # until it has ended; it stays a zombie
        assert holder_of(tmp_path) is None
        assert attempt_at(tmp_path) == 4


def test_of_two_that_meet_a_dead_processs_lease_only_one_takes_it(tmp_path, monkeypatch):
    forge(tmp_path, started=0.0)
    with other_process(tmp_path) as process:

        def look(folder):
            holder = holder_of(folder)
            say_go(process)
            select.select([process.stdout], [], [], 0.3)  # time enough to slip in between look and take
            return holder

        monkeypatch.setattr(module, "holder_of", look)
        with lease(tmp_path):
            assert process.stdout.readline() == "refused\n"


def test_a_live_holder_is_recognised_by_host_boot_pid_and_start(tmp_path):
    now = module._me()["started"]
    for values, alive in (
        ({}, True),
        ({"started": now - 0.9}, True),  # clocks are not exact
        ({"started": now - 1.1}, False),  # the pid was given to another process
        ({"started": now + 1.1}, False),
        ({"boot_id": "another"}, False),
        ({"pid": 2**22 + 1}, False),  # beyond what Linux gives
        ({"held": False}, False),
        ({"host": "elsewhere", "boot_id": "another", "pid": 2**22 + 1}, True),  # nobody here can know
        ({"host": "elsewhere", "held": False}, False),
    ):
        folder = tmp_path / str(values)[:40]
        folder.mkdir()
        forge(folder, **values)
        assert (holder_of(folder) is not None) == alive, values
        if not alive:
            assert attempt_at(folder) == 2, values
            continue
        with pytest.raises(InUse, match=f"on {values.get('host', platform.node())}"), lease(folder):
            pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"held": true, "host": 3, "pid": "x"}'])
def test_a_damaged_lease_holds_nobody_up(tmp_path, content):
    (tmp_path / "lease.json").write_text(content)
    assert holder_of(tmp_path) is None
    assert attempt_at(tmp_path) == 1
