"""Work in processes of its own: several jobs at once, one parent that listens and passes on a stop request."""

import multiprocessing
import os
import pickle
import queue
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

PAUSE = 0.2
"""Seconds between two looks at the children."""

GRACE = 10.0
"""Seconds that children have to end by themselves once their parent leaves."""

Tell = Callable[[Any], None]
Work = Callable[[Any, Tell, Callable[[], bool]], None]
"""A function of a job, a way to tell something, and whether to stop. It and its jobs must be picklable."""


@dataclass(frozen=True)
class End:
    """How a job's process ended.

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


def run_apart(
    work: Work,
    jobs: Sequence[Any],
    at_once: int,
    told: Callable[[int, Any], None],
    should_stop: Callable[[], bool],
) -> list[End]:
    """Do jobs in processes of their own.

    A child ends by itself where its parent is gone, as if it had been asked to stop. Where the parent leaves by an
    exception the children are stopped, and killed if they take long.

    Args:
        work: What to do with a job.
        jobs: One a process.
        at_once: At most so many live at a time.
        told: Called with a job's number and what it tells.
        should_stop: True once the children are to stop.

    Returns:
        How the processes ended, in the order of the jobs.
    """
    context = multiprocessing.get_context("spawn")
    stop, heard = context.Event(), context.Queue()
    ends = [End()] * len(jobs)
    waiting = list(enumerate(jobs))
    alive: dict[int, tuple[Any, Any]] = {}
    try:
        while waiting or alive:
            if should_stop():
                stop.set()
                waiting.clear()
            while waiting and len(alive) < at_once:
                number, job = waiting.pop(0)
                failure, sender = context.Pipe(duplex=False)
                child = context.Process(target=_child, args=(work, job, number, heard, sender, stop, os.getpid()))
                child.start()
                sender.close()
                alive[number] = child, failure
            with suppress(queue.Empty):
                told(*heard.get(timeout=PAUSE))
            for number in [n for n, (child, failure) in alive.items() if failure.poll() or not child.is_alive()]:
                child, failure = alive.pop(number)
                child.join()
                ends[number] = End(child.exitcode, _received(failure))
    finally:
        stop.set()
        _end([child for child, _ in alive.values()])
        heard.close()
    return ends


def _received(failure: Any) -> Exception | None:
    """What a child that ends failed with, if it said so."""
    with failure, suppress(EOFError):
        error: Exception = failure.recv()
        return error
    return None


def _end(children: Sequence[Any]) -> None:
    """Wait for children that were asked to stop; those that take long are killed, their last checkpoints stand."""
    deadline = time.monotonic() + GRACE
    for child in children:
        child.join(max(0.0, deadline - time.monotonic()))
    for child in children:
        if child.is_alive():
            child.kill()
            child.join()


def _child(work: Work, job: Any, number: int, heard: Any, failure: Any, stop: Any, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's goes to all; the parent passes it on
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    heard.cancel_join_thread()  # what nobody hears any more must not keep this process
    try:
        work(job, lambda told: heard.put((number, told)), lambda: stop.is_set() or os.getppid() != parent)
    except Exception as error:
        error.add_note(traceback.format_exc())  # a traceback itself cannot be sent
        with suppress(OSError):  # the parent is gone
            failure.send(_sendable(error))


def _sendable(error: Exception) -> Exception:
    """An error that reaches the parent: itself, or one of the same words where it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 -- what this process has just made
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
