"""Work in processes of its own: several jobs at once, one parent that listens and passes on a stop request."""

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

PAUSE = 0.2
"""Seconds between two looks at the children."""

Tell = Callable[[Any], None]
Work = Callable[[Any, Tell, Callable[[], bool]], None]
"""A function of a job, a way to tell something, and whether to stop. It and its jobs must be picklable."""


def run_apart(
    work: Work,
    jobs: Sequence[Any],
    at_once: int,
    told: Callable[[int, Any], None],
    should_stop: Callable[[], bool],
) -> list[int]:
    """Do jobs in processes of their own.

    A child ends by itself where its parent is gone, as if it had been asked to stop.

    Args:
        work: What to do with a job.
        jobs: One a process.
        at_once: At most so many live at a time.
        told: Called with a job's number and what it tells.
        should_stop: True once the children are to stop.

    Returns:
        The processes' exit codes, in the order of the jobs; jobs that a stop request kept from beginning have -1.
    """
    context = multiprocessing.get_context("spawn")
    stop, heard = context.Event(), context.Queue()
    codes = [-1] * len(jobs)
    waiting = list(enumerate(jobs))
    alive: dict[int, Any] = {}
    while waiting or alive:
        if should_stop():
            stop.set()
            waiting.clear()
        while waiting and len(alive) < at_once:
            number, job = waiting.pop(0)
            alive[number] = context.Process(target=_child, args=(work, job, number, heard, stop, os.getpid()))
            alive[number].start()
        with suppress(queue.Empty):
            told(*heard.get(timeout=PAUSE))
        for number in [number for number, child in alive.items() if not child.is_alive()]:
            child = alive.pop(number)
            child.join()
            codes[number] = child.exitcode
    heard.close()
    return codes


def _child(work: Work, job: Any, number: int, heard: Any, stop: Any, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's goes to all; the parent passes it on
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    heard.cancel_join_thread()  # what nobody hears any more must not keep this process
    work(job, lambda told: heard.put((number, told)), lambda: stop.is_set() or os.getppid() != parent)
