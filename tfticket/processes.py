"""Work in processes of its own: several jobs at once, one parent that listens and passes on a stop request.

Each child has a pipe of its own and shares no lock, so whatever moment a child is killed at, nobody else waits for it.
"""

import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from typing import Any

PAUSE = 0.2
"""Seconds between two looks at whether to stop."""

GRACE = 3.0
"""Seconds that children have to end by themselves once their parent leaves or is gone."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that the parent alone hears, also where a terminal sends them to all; it passes the request on."""

Send = Callable[[Any], None]
Work = Callable[[Any, Send, Callable[[], bool]], None]
"""A function of a job, a callback that sends a message to the parent, and one that says whether to stop. It and its
jobs must be picklable."""


@dataclass(frozen=True)
class End:
    """The end of a job's process.

    Attributes:
        code: Its exit code, below 0 the number of the signal that killed it; None: it never began.
        error: What its work raised.
    """

    code: int | None = None
    error: Exception | None = None

    @property
    def words(self) -> str:
        """'was killed by SIGKILL', 'ended with exit code 1'."""
        if self.code is not None and self.code < 0:
            with suppress(ValueError):
                return f"was killed by {signal.Signals(-self.code).name}"
            return f"was killed by signal {-self.code}"
        return "never began" if self.code is None else f"ended with exit code {self.code}"


@dataclass(frozen=True)
class _Failure:
    """An error of a job, as it is sent: the error itself may not survive pickling."""

    pickled: bytes
    words: str
    traceback: str

    @classmethod
    def of(cls, error: Exception) -> "_Failure":
        """Describe an error that has just been raised."""
        try:
            pickled = pickle.dumps(error)
        except Exception:
            pickled = b""
        words = traceback.format_exception_only(error)[-1].strip().removeprefix(f"{type(error).__module__}.")
        return cls(pickled, words, traceback.format_exc())

    def error(self) -> Exception:
        """The error itself, or one of the same words where it cannot be had."""
        error: Exception = RuntimeError(self.words)
        with suppress(Exception):
            unpickled = pickle.loads(self.pickled)  # noqa: S301 -- sent by a child of this process
            error = unpickled if isinstance(unpickled, Exception) else error
        error.add_note(self.traceback)
        return error


class _Child:
    """A job's process, and the parent's end of its pipe."""

    def __init__(self, work: Work, job: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, child_end = context.Pipe()
        self._asked = False
        self._error: Exception | None = None
        self.process = context.Process(target=_do, args=(work, job, child_end))
        with child_end:
            self.process.start()

    def hear(self) -> tuple[Any, ...] | None:
        """Return the next message, or () for an error; None if the process ended, maybe in mid-message."""
        try:
            message = pickle.loads(self.pipe.recv_bytes())  # noqa: S301 -- see above
        except (EOFError, OSError):
            return None
        if isinstance(message, _Failure):
            self._error = message.error()
            return ()
        return (message,)

    def end(self) -> End:
        """Wait until its process is gone, and tell how it ended."""
        self.process.join()
        self.pipe.close()
        return End(self.process.exitcode, self._error)

    def stop(self) -> None:
        """Ask it to stop."""
        if not self._asked:
            self._asked = True
            with suppress(OSError):  # it has ended
                self.pipe.send_bytes(b"stop")


def run_in_processes(
    work: Work,
    jobs: Sequence[Any],
    at_once: int,
    on_message: Callable[[int, Any], None],
    should_stop: Callable[[], bool],
) -> list[End]:
    """Do jobs in processes of their own.

    A child whose parent is gone is asked to stop, as one whose parent leaves by an exception; both are killed if they
    take longer than ``GRACE``.

    Args:
        work: What to do with a job.
        jobs: One a process.
        at_once: At most so many live at a time.
        on_message: Called with a job's number and its message.
        should_stop: True once the children are to stop.

    Returns:
        How the processes ended, in the order of the jobs.
    """
    ends = [End()] * len(jobs)
    waiting = list(enumerate(jobs))
    alive: dict[int, _Child] = {}
    try:
        while waiting or alive:
            if should_stop():
                waiting.clear()
                for child in alive.values():
                    child.stop()
            while waiting and len(alive) < at_once:
                number, job = waiting.pop(0)
                with _stop_signals_kept_back():
                    alive[number] = _Child(work, job)
            ready = connection.wait([child.pipe for child in alive.values()], PAUSE)
            for number in [number for number, child in alive.items() if child.pipe in ready]:
                heard = alive[number].hear()
                if heard is None:
                    ends[number] = alive.pop(number).end()
                for message in heard or ():
                    on_message(number, message)
    finally:
        _end(alive.values())
    return ends


def _end(children: Iterable[_Child]) -> None:
    """Stop children; those that take long are killed, their last checkpoints stand."""
    deadline = time.monotonic() + GRACE
    try:
        for child in children:
            child.pipe.close()  # nobody hears it any more
        for child in children:
            child.process.join(max(0.0, deadline - time.monotonic()))
    finally:  # also if this wait is interrupted
        for child in children:
            child.process.kill()
            child.process.join()


@contextmanager
def _stop_signals_kept_back() -> Iterator[None]:
    """Let a process that is started meanwhile never hear the signals that ask to stop; this one hears them after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        resource_tracker.ensure_running()  # what every start does; it leaves two of the signals unblocked
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _do(work: Work, job: Any, pipe: Any) -> None:
    """Do a job, in the child."""
    stop = threading.Event()
    threading.Thread(target=_heed_parent, args=(pipe, stop), daemon=True).start()

    def send(message: Any) -> None:
        pickled = pickle.dumps(message)
        with suppress(OSError):  # nobody hears it any more
            pipe.send_bytes(pickled)

    try:
        work(job, send, stop.is_set)
    except Exception as error:
        failure = pickle.dumps(_Failure.of(error))
        with suppress(OSError):
            pipe.send_bytes(failure)


def _heed_parent(pipe: Any, stop: threading.Event) -> None:
    """Wait until the parent asks to stop or leaves; where it is gone, end this process if its work goes on."""
    pipe.poll(None)
    stop.set()
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        time.sleep(GRACE)
        os._exit(1)
