"""Processes of this machine, by loky (joblib)."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from sparsefit.experiments.engines._base import Engine, EngineOptions, Future, Work

# That read how many threads they have once, as they are loaded.
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB_MAXIMUM")
# Between looks at whether the parent process is there.
_LOOK_SECONDS = 0.25


class Processes(Engine):
    """Worker processes, each with an executor of its own.

    In one executor for all, a process that is killed takes the calls of the others along.

    Parameters
    ----------
    workers, threads : int
    """

    piece_seconds = 0.3
    look_seconds = 0.002
    killed = (TerminatedWorkerError,)

    def __init__(self, workers: int, threads: int):
        self.slots = workers
        self._environment = {f"{library}_NUM_THREADS": str(threads) for library in _LIBRARIES}
        self._executors: dict[int, ProcessPoolExecutor] = {}
        self._calls: dict[int, futures.Future[Any]] = {}

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        """Have a call made by a worker that makes none."""
        free = next(n for n in range(self.slots) if self._is_free(n))
        before = self._calls.get(free)
        if before is None or isinstance(before.exception(), self.killed):
            self._executors[free] = ProcessPoolExecutor(
                1, initializer=_begin, initargs=(os.getpid(),), env=self._environment
            )
        with _ignoring_interrupts():
            call: futures.Future[Any] = self._executors[free].submit(function, *args)
        self._calls[free] = call
        return call

    def _is_free(self, worker: int) -> bool:
        return worker not in self._calls or self._calls[worker].done()

    def __exit__(self, *error: object) -> None:
        """Kill the workers that are making a call, and end the others."""
        for executor in self._executors.values():
            executor.shutdown(wait=True, kill_workers=True)


def open_engine(options: EngineOptions, work: Work) -> Engine:
    """Return worker processes, no more than there is work for."""
    return Processes(min(options.workers, work.n_jobs), work.threads)


def _begin(parent: int) -> None:
    # For processes that do not inherit this from the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when that one is gone, however it ended: nobody waits for the rows."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C: here for a moment, and for good in the processes that are started meanwhile.

    Ctrl-C reaches all processes; the parent alone answers it and ends the workers.
    """
    if threading.current_thread() is not threading.main_thread():  # others may not set handlers
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
