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
    process.stdin.write("go\n")
    process.stdin.flush()


def ask(process):
    """Let it ask for the lease; what it was told."""
    say_go(process)
    return process.stdout.readline()


def attempt_at(folder):
    with lease(folder) as attempt:
        return attempt


def forge(folder, **values):
    """A lease that this very process holds, but for some values."""
    path = folder / "lease.json"
    with lease(folder):
        held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, **values}))


def test_a_folder_is_held_within_and_free_after(tmp_path):
    assert holder_of(tmp_path) is None
    with lease(tmp_path):
        assert holder_of(tmp_path)["pid"] == os.getpid()
    assert holder_of(tmp_path) is None


def test_attempts_count_up_however_they_end(tmp_path):
    assert attempt_at(tmp_path) == 1
    with pytest.raises(ValueError, match="failed"), lease(tmp_path):
        raise ValueError("failed")
    assert holder_of(tmp_path) is None
    with other_process(tmp_path) as process:
        assert ask(process) == "held 3\n"
        process.kill()
        process.wait()
    assert attempt_at(tmp_path) == 4


def test_a_second_live_process_is_refused_until_the_first_lets_go(tmp_path):
    with other_process(tmp_path) as process:
        assert ask(process) == "held 1\n"
        with pytest.raises(InUse, match=f"process {process.pid} on {platform.node()}") as refused, lease(tmp_path):
            pass
        assert refused.value.holder["pid"] == process.pid
        process.communicate("")
        assert attempt_at(tmp_path) == 2


def test_of_two_that_find_a_dead_ones_lease_one_gets_it(tmp_path, monkeypatch):
    forge(tmp_path, started=0.0)
    with other_process(tmp_path) as process:

        def look(folder):
            found = holder_of(folder)
            say_go(process)
            select.select([process.stdout], [], [], 0.3)  # time enough to slip in between look and take
            return found

        monkeypatch.setattr(module, "holder_of", look)
        with lease(tmp_path):
            assert process.stdout.readline() == "refused\n"


def test_a_live_holder_is_known_by_host_boot_pid_and_start(tmp_path):
    forge(tmp_path)
    assert holder_of(tmp_path)["pid"] == os.getpid()
    with pytest.raises(InUse), lease(tmp_path):
        pass


@pytest.mark.parametrize(
    "values",
    [
        {"started": module._me()["started"] - 60},  # the pid was given to another process
        {"started": module._me()["started"] + 60},
        {"boot_id": "another"},
        {"pid": 2**22 + 1},  # beyond what Linux gives
        {"held": False},
    ],
)
def test_the_lease_of_a_process_that_is_gone_holds_nobody_up(tmp_path, values):
    forge(tmp_path, **values)
    assert holder_of(tmp_path) is None
    assert attempt_at(tmp_path) == 2


def test_a_process_on_another_host_is_taken_for_alive(tmp_path):
    forge(tmp_path, host="elsewhere", boot_id="another", pid=2**22 + 1)
    with pytest.raises(InUse, match="on elsewhere"), lease(tmp_path):
        pass


def test_a_killed_process_that_nobody_has_waited_for_is_gone(tmp_path):
    with other_process(tmp_path) as process:
        ask(process)
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # until it has ended; it stays a zombie
        assert holder_of(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{"])
def test_a_lease_that_a_power_cut_left_torn_holds_nobody_up(tmp_path, content):
    (tmp_path / "lease.json").write_text(content)
    assert holder_of(tmp_path) is None
    assert attempt_at(tmp_path) == 1


def test_a_lease_that_cannot_be_given_back_does_not_hide_the_error(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    def work():
        shutil.rmtree(folder)
        raise ValueError("failed")

    with pytest.raises(ValueError, match="failed"), lease(folder):
        work()
