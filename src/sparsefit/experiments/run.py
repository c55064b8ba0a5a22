"""Run the cells of a sweep that have no row yet, here or in worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from sparsefit.core.device import check_device, limited_threads
from sparsefit.core.errors import SparsefitError
from sparsefit.core.result import Status
from sparsefit.core.setting import Setting, no_progress
from sparsefit.experiments._machine import peak_memory_mb, reset_peak_memory
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.store import Row, Store, StoreError
from sparsefit.experiments.tracking import Signal, Tracker
from sparsefit.tasks._base import SkipCell, Task

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit

Job = list[Cell]
# What the row of a cell says whose process was killed.
_KILLED = "the process was killed, perhaps for lack of memory"
# Seconds between looks at whether the parent process is there.
_LOOK_SECONDS = 0.25
T = TypeVar("T")


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    *,
    workers: int = 1,
    on_row: Callable[[Row], None] = lambda row: None,
    on_progress: Callable[[float, str], None] = no_progress,
    on_note: Callable[[str], None] = lambda note: None,
) -> list[Row]:
    """Run what is missing and return the rows of all cells.

    Cells that failed before are tried again. A cell that fails now becomes a row with the reason
    in its note, and the sweep goes on.

    Parameters
    ----------
    cells : sequence of Cell
    store : Store
        Rows found here are not computed again; new ones are here the moment their cell ends.
    workers : int, optional
        Processes. Rows do not depend on it.
    on_row : callable, optional
        Gets every row, found ones first.
    on_progress : callable, optional
        Gets the share of the time that has passed, as far as can be known, and a message.
    on_note : callable, optional
        Gets sentences for the user, such as on damaged row files.

    Returns
    -------
    list of dict
        In the order of `cells`.

    Raises
    ------
    OptionError
        If the device is not there.
    SparsefitError
        If the data of a task cannot be loaded; nothing has been computed then.
    StoreError
        If a row cannot be written.
    """
    for device in sorted({cell.setting.device for cell in cells}):
        check_device(device)
    rows, missing = find_rows(cells, store, on_note)
    first = {cell.task: cell for cell in reversed(missing) if not cell.task.draws_truth}
    for cell in reversed(first.values()):
        _check_data(cell)
    for row in rows.values():
        on_row(row)
    jobs = list(group(missing))
    # All workers start at once: no more of them than there is work for.
    workers = min(workers, len(jobs))
    tracker = Tracker(jobs, len(rows), workers, on_progress)
    with tracker.watching():
        run = _run_here(jobs, store, tracker) if workers <= 1 else (
            _run_apart(jobs, store, workers, tracker)
        )  # fmt: skip
        for row in run:
            rows[row["run_id"]] = row
            on_row(row)
    return [rows[cell.run_id] for cell in cells]


def find_rows(
    cells: Sequence[Cell], store: Store, on_note: Callable[[str], None]
) -> tuple[dict[str, Row], list[Cell]]:
    """Return the rows that are there, by run id, and the cells that are to be run."""
    rows = store.find([cell.run_id for cell in cells], on_note)
    rows = {run_id: row for run_id, row in rows.items() if row["status"] != Status.FAILED.value}
    return rows, [cell for cell in cells if cell.run_id not in rows]


def group(cells: Iterable[Cell]) -> Iterator[Job]:
    """Cut cells into jobs; a job's budgets are served by one call of `Method.path`."""
    shared: dict[Cell, Job] = {}
    for cell in cells:
        if cell.method.shares_path and not cell.task.draws_truth:
            shared.setdefault(replace(cell, nnz=None), []).append(cell)
        else:
            shared[cell] = [cell]
    yield from shared.values()


def _check_data(cell: Cell) -> None:
    """Raise `SparsefitError` if the data of a task are missing or damaged."""
    try:
        load_problem(cell)
    except SparsefitError:
        raise
    except Exception:
        # A fault of the task, not of its files: recorded when the cell itself comes up.
        return


def load_problem(cell: Cell) -> AnyProblem:
    """Return the data of a cell; those of the last task and seed are kept for the next cell."""
    if cell.task.draws_truth:
        return cell.task.load(cell.setting, cell.nnz or 1)
    return _shared_problem(cell.task, cell.task.fingerprint, cell.setting.seed)


@lru_cache(maxsize=1)
def _shared_problem(task: Task, fingerprint: str, seed: int) -> AnyProblem:
    return task.load(Setting(seed=seed), 1)


def _run_here(jobs: list[Job], store: Store, tracker: Tracker) -> Iterator[Row]:
    for number, job in enumerate(jobs):
        for row in run_job(job, store, _named(tracker.signal(number), job)):
            _count(tracker, number, job, row)
            yield row


def _run_apart(jobs: list[Job], store: Store, workers: int, tracker: Tracker) -> Iterator[Row]:
    """Run jobs in worker processes; one that kills its process costs its own cells only."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    waiting, suspects = set(range(len(jobs))), list[int]()
    while waiting:
        # Jobs that ran when a process was killed run again alone, so that it is known which it was.
        numbers = [suspects.pop()] if suspects else sorted(waiting)
        try:
            for number, rows in _in_processes(numbers, jobs, store, workers, tracker):
                waiting.remove(number)
                for row in rows:
                    _count(tracker, number, jobs[number], row)
                yield from rows
        except TerminatedWorkerError:
            running = [number for number in tracker.running() if number in waiting]
            if len(numbers) > 1 and running:
                suspects = running
                continue
            number = numbers[0] if len(numbers) == 1 else min(waiting)
            waiting.remove(number)
            for row in _rows_of_killed(jobs[number], store):
                _count(tracker, number, jobs[number], row)
                yield row


def _in_processes(
    numbers: list[int], jobs: list[Job], store: Store, workers: int, tracker: Tracker
) -> Iterator[tuple[int, list[Row]]]:
    """Run some of the jobs in worker processes, and give the rows of each as it ends."""
    from joblib import Parallel, delayed, parallel_config

    threads = max(jobs[number][0].setting.threads for number in numbers)
    # With one worker joblib would run the job here.
    with parallel_config(backend="loky", n_jobs=max(2, workers), inner_max_num_threads=threads):
        # One job at a time: a batch would hold back the rows of its first jobs.
        parallel = Parallel(return_as="generator_unordered", batch_size=1)
        with _ignoring_interrupts():
            finished = parallel(
                delayed(_job_in_worker)(
                    os.getpid(), number, jobs[number], tracker.signal(number), store
                )
                for number in numbers
            )
        with _closing_quietly(finished):
            # `yield from` would close it first, and with warnings.
            for number, rows in finished:  # noqa: UP028
                yield number, rows


def _rows_of_killed(job: Job, store: Store) -> Iterator[Row]:
    """Give the rows of cells whose process was killed: those that were written, and failures."""
    found, missing = find_rows(job, store, lambda note: None)
    yield from found.values()
    for cell in missing:
        yield _store_empty(cell, Status.FAILED, _KILLED, store)


def _count(tracker: Tracker, number: int, job: Job, row: Row) -> None:
    cell = next(cell for cell in job if cell.run_id == row["run_id"])
    tracker.count(number, cell, row["seconds"])


def _named(said: Signal, job: Job) -> Callable[[float, str], None]:
    """Put the name of the cell before what a job says, and say it at once."""
    cell = job[0]
    name = f"{cell.task.name} {cell.method.name} hidden {cell.setting.hidden}"
    said(0.0, name)
    return lambda share, message: said(share, f"{name} {message}")


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


@contextlib.contextmanager
def _closing_quietly(generator: Generator[T, None, None]) -> Iterator[None]:
    """Close a generator of joblib without its warning that results were not used."""
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            generator.close()


def _job_in_worker(
    parent: int, number: int, job: Job, said: Signal, store: Store
) -> tuple[int, list[Row]]:
    # For processes that do not inherit this from the parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with(parent)
    return number, list(run_job(job, store, _named(said, job)))


@lru_cache(maxsize=1)
def _end_with(parent: int) -> None:
    """End this process when that one is gone, however it ended: nobody waits for the rows."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_job(
    job: Job, store: Store, progress: Callable[[float, str], None] = no_progress
) -> Iterator[Row]:
    """Run the cells of one job; every row is in the store before it is yielded."""
    # A method without a budget gets 1, which it ignores.
    pending = {cell.nnz or 1: cell for cell in job}
    setting = replace(job[0].setting, progress=progress)
    method = job[0].method
    status, note, log = Status.FAILED, "the method gave no network for this budget", ""
    with limited_threads(setting.threads):
        try:
            problem = load_problem(job[0])
            method.check(problem)
            method.warm_up()
            reset_peak_memory()
            for seconds, (nnz, fit) in _timed(method.path(problem, list(pending), setting)):
                cell = pending.pop(nnz)
                yield _finish(cell, problem, fit, seconds, store)
        except StoreError:
            raise
        except (SkipCell, SparsefitError) as reason:
            # Written for the user: this cell cannot be, as a budget too small for the layers.
            status, note = Status.SKIPPED, str(reason)
        except Exception as error:
            note, log = _explain(error), traceback.format_exc()
    for cell in pending.values():
        yield _store_empty(cell, status, note, store, log)


def _finish(cell: Cell, problem: AnyProblem, fit: Fit, seconds: float, store: Store) -> Row:
    """Save the network and the row of a fitted cell."""
    from sparsefit.experiments.rows import result_row

    peak_mb = peak_memory_mb()
    try:
        network = store.put_network(cell.run_id, fit.network)
        row = result_row(cell, problem, fit, network, seconds=seconds, peak_mb=peak_mb)
    except StoreError:
        raise
    except Exception as error:
        return _store_empty(cell, Status.FAILED, _explain(error), store, traceback.format_exc())
    store.put_row(row)
    return row


def _store_empty(cell: Cell, status: Status, note: str, store: Store, log: str = "") -> Row:
    from sparsefit.experiments.rows import empty_row

    if log:
        store.put_log(cell.run_id, log)
    row = empty_row(cell, status, note)
    store.put_row(row)
    return row


def _explain(error: Exception) -> str:
    """Return one line on an error: its text alone if it was written for users."""
    text = " ".join(str(error).split())
    return text if isinstance(error, SparsefitError) else f"{type(error).__name__}: {text}"


def _timed(items: Iterable[T]) -> Iterator[tuple[float, T]]:
    """Pair items with the seconds spent so far on making them, not on what is done with them."""
    spent, start = 0.0, time.perf_counter()
    for item in items:
        spent += time.perf_counter() - start
        yield spent, item
        start = time.perf_counter()
