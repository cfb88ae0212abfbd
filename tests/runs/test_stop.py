import signal
import sys
from itertools import product

import pytest

from tests.processes import execute
from tfticket.runs.stop import stop_requests

SIGNALS = [signal.SIGINT, signal.SIGTERM]


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


@pytest.mark.parametrize(("first", "second"), list(product(SIGNALS, SIGNALS)))
def test_a_second_signal_ends_the_process_at_once(tmp_path, first, second):
    done = execute([sys.executable, "-c", TWICE, tmp_path, int(first), int(second)], check=False)
    assert done.stdout == "True\n"
    assert done.returncode == -second
