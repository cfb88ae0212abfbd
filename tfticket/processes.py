"""Jobs in other processes: several at once, one parent that listens and passes on a stop request.

Each child has a pipe of its own and shares no lock, so whatever moment a child is killed at, nobody else waits for it.
"""

import multiprocessing
import os
import pickle
import queue
import signal
import threading
import time
import traceback
import weakref
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

_STOP = b"stop"

Send = Callable[[Any], None]
Work = Callable[[Any, Send, Callable[[], bool]], None]
"""A function of a job, a callback that sends a message to the parent, and one that says whether to stop. It and its
jobs must be picklable."""


@dataclass(frozen=True)
class End:
    """The end of a job.

    Attributes:
        code: Exit code of its process, below 0 the number of the signal that killed it; 0: done; None: it never began.
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


@dataclass(frozen=True)
class _JobEnd:
    """A job is over; its failure, if it failed."""

    failure: _Failure | None = None


class _Child:
    """A process that does jobs, and the parent's end of its pipe."""

    def __init__(self, work: Work) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, child_end = context.Pipe()
        self.job = 0
        self._asked = False
        self.process = context.Process(target=_serve, args=(work, child_end))
        with child_end, _stop_signals_kept_back():
            self.process.start()

    def begin(self, number: int, job: bytes) -> bool:
        """Hand it a pickled job; return False if the process is gone."""
        self.job = number
        try:
            self.pipe.send_bytes(job)
        except OSError:
            return False
        return True

    def hear(self) -> Any:
        """Return the next message; None if the process ended, maybe in mid-message."""
        try:
            return pickle.loads(self.pipe.recv_bytes())  # noqa: S301 -- sent by a child of this process
        except (EOFError, OSError):
            return None

    def end(self) -> End:
        """Wait until its process is gone, and tell how it ended."""
        self.process.join()
        self.pipe.close()
        return End(self.process.exitcode)

    def stop(self) -> None:
        """Ask it to stop."""
        if not self._asked:
            self._asked = True
            with suppress(OSError):  # it has ended
                self.pipe.send_bytes(_STOP)


class Workers:
    """Processes that do jobs, several at once, and stay for further ones: what a job imports is imported once.

    A child whose parent is gone is asked to stop, as one whose parent leaves by an exception; both are killed if they
    take longer than ``GRACE``.

    Args:
        work: What to do with a job.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._idle: list[_Child] = []
        self.close = weakref.finalize(self, _end, self._idle)
        """End the processes; also called when this object or the program ends."""

    def run(
        self,
        jobs: Sequence[Any],
        at_once: int,
        on_message: Callable[[int, Any], None],
        should_stop: Callable[[], bool],
    ) -> list[End]:
        """Do jobs.

        Args:
            jobs: Each is done by one process.
            at_once: At most so many processes live at a time.
            on_message: Called with a job's number and its message.
            should_stop: True once the children are to stop; those that wait do not begin.

        Returns:
            How the jobs ended, in their order.
        """
        ends = [End()] * len(jobs)
        waiting = list(enumerate(jobs))
        busy: list[_Child] = []
        _end(self._idle[at_once:])
        del self._idle[at_once:]
        try:
            while waiting or busy:
                if should_stop():
                    waiting.clear()
                    for child in busy:
                        child.stop()
                while waiting and len(busy) < at_once:
                    number, job = waiting.pop(0)
                    busy.append(self._begin(number, pickle.dumps(job)))
                ready = connection.wait([child.pipe for child in busy], PAUSE)
                for child in [child for child in busy if child.pipe in ready]:
                    message = child.hear()
                    if message is None:
                        ends[child.job] = child.end()
                        busy.remove(child)
                    elif isinstance(message, _JobEnd):
                        ends[child.job] = End(0, message.failure.error() if message.failure else None)
                        busy.remove(child)
                        self._idle.append(child)
                    else:
                        on_message(child.job, message.content)
        except BaseException:
            _end(busy)
            raise
        if should_stop():  # what was asked to stop does no further job
            _end(self._idle)
            self._idle.clear()
        return ends

    def _begin(self, number: int, job: bytes) -> _Child:
        """Hand a job to an idle process that still lives, or to a new one."""
        while self._idle:
            child = self._idle.pop()
            if child.process.is_alive() and child.begin(number, job):
                return child
            child.end()
        child = _Child(self._work)
        child.begin(number, job)
        return child


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


@dataclass(frozen=True)
class _Message:
    """What a job sends."""

    content: Any


def _serve(work: Work, pipe: Any) -> None:
    """Do jobs, in the child, until the parent leaves."""
    stop, jobs = threading.Event(), queue.SimpleQueue[bytes | None]()
    threading.Thread(target=_listen, args=(pipe, stop, jobs), daemon=True).start()

    def send(message: Any) -> None:
        _send(pipe, _Message(message))

    while (job := jobs.get()) is not None:
        try:
            work(pickle.loads(job), send, stop.is_set)  # noqa: S301 -- sent by the parent of this process
        except Exception as error:
            _send(pipe, _JobEnd(_Failure.of(error)))
        else:
            _send(pipe, _JobEnd())


def _send(pipe: Any, message: _Message | _JobEnd) -> None:
    pickled = pickle.dumps(message)
    with suppress(OSError):  # nobody hears it any more
        pipe.send_bytes(pickled)


def _listen(pipe: Any, stop: threading.Event, jobs: "queue.SimpleQueue[bytes | None]") -> None:
    """Take jobs and the request to stop; where the parent is gone, end this process if its work goes on."""
    with suppress(EOFError, OSError):
        while True:
            message = pipe.recv_bytes()
            if message == _STOP:
                stop.set()
            else:
                jobs.put(message)
    stop.set()
    jobs.put(None)
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        time.sleep(GRACE)
        os._exit(1)
