"""What a test starts ends with it."""

import signal
import sys
from functools import partial
from subprocess import DEVNULL, PIPE

import psutil
import pytest

from tests.processes import children, end, execute, executed, started, wait_for

SLEEP = "subprocess.Popen(['sleep', 'infinity'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL{}).pid"


def is_gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_block_that_fails_ends_its_process_and_what_that_started():
    code = f"import subprocess, time; print({SLEEP.format('')}, flush=True); time.sleep(1e6)"
    known = []

    def fail():
        with started([sys.executable, "-c", code], stdout=PIPE, text=True) as process:
            known.extend([psutil.Process(process.pid), psutil.Process(int(process.stdout.readline()))])
            assert set(known) <= set(children())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    for process in known:
        wait_for(partial(is_gone, process))


def test_a_process_that_does_not_end_is_ended():
    assert execute(["sleep", "infinity"], seconds=0.1, check=False).returncode == -signal.SIGKILL


def test_a_command_that_fails_is_told_with_what_it_wrote():
    with pytest.raises(AssertionError, match=r"exit code 3\nsaid"):
        execute([sys.executable, "-c", "print('said'); raise SystemExit(3)"])


def test_an_orphan_in_a_session_of_its_own_is_found_told_by_its_test_and_ended(request):
    before = set(psutil.pids())
    code = f"import subprocess; print({SLEEP.format(', start_new_session=True')})"
    orphan = psutil.Process(int(execute([sys.executable, "-c", code]).stdout))
    assert set(executed(before)) == {orphan}
    (told,) = end(executed(before), seconds=0)
    assert told == f"{request.node.nodeid} (call): sleep infinity"
    assert is_gone(orphan)


def test_what_ends_by_itself_in_time_is_not_told():
    before = set(psutil.pids())
    with started(["sleep", "0.1"], stdout=DEVNULL):
        assert end(executed(before), seconds=300) == []
