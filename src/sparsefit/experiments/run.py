"""Run the cells of a sweep that have no row yet, here or in worker processes."""

from __future__ import annotations

import contextlib
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from sparsefit.core.errors import DataError, SparsefitError
from sparsefit.core.result import Status
from sparsefit.experiments._machine import (
    check_device,
    limited_threads,
    peak_memory_mb,
    reset_peak_memory,
)
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.store import Row, Store, StoreError
from sparsefit.tasks._base import SkipCell, Task

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit

Job = list[Cell]
T = TypeVar("T")


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    *,
    workers: int = 1,
    on_row: Callable[[Row], None] = lambda row: None,
    on_progress: Callable[[float, str], None] = lambda cells_done, message: None,
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
        Gets the number of cells done so far, with fractions, and a message.
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
    DataError
        If the data of a task cannot be used; nothing has been computed then.
    StoreError
        If a row cannot be written.
    """
    for device in sorted({cell.setting.device for cell in cells}):
        check_device(device)
    rows = store.find([cell.run_id for cell in cells], on_note)
    rows = {run_id: row for run_id, row in rows.items() if row["status"] != Status.FAILED.value}
    missing = [cell for cell in cells if cell.run_id not in rows]
    _check_data(missing)
    for row in rows.values():
        on_row(row)

    def report(done: float, message: str) -> None:
        on_progress(len(rows) + done, message)

    report(0, "")
    jobs = list(group(missing))
    for row in _run_here(jobs, store, report) if workers == 1 else _run_apart(jobs, store, workers):
        rows[row["run_id"]] = row
        on_row(row)
        report(0, f"{row['task']} {row['method']}")
    return [rows[cell.run_id] for cell in cells]


def group(cells: Iterable[Cell]) -> Iterator[Job]:
    """Cut cells into jobs; a job's budgets are served by one call of `Method.path`."""
    shared: dict[Cell, Job] = {}
    for cell in cells:
        if cell.method.shares_path and not cell.task.draws_truth:
            shared.setdefault(replace(cell, nnz=None), []).append(cell)
        else:
            shared[cell] = [cell]
    yield from shared.values()


def _check_data(cells: Iterable[Cell]) -> None:
    """Load every task that reads files once, so that missing files end the sweep at its start."""
    first = {cell.task: cell for cell in reversed(list(cells)) if not cell.task.draws_truth}
    for cell in first.values():
        try:
            load_problem(cell)
        except DataError:
            raise
        except Exception:  # noqa: BLE001, S112 (recorded when the cell itself comes up)
            continue


def _run_here(jobs: list[Job], store: Store, report: Callable[[float, str], None]) -> Iterator[Row]:
    for job in jobs:
        cell = job[0]
        name = f"{cell.task.name} {cell.method.name} hidden {cell.setting.hidden}"

        def progress(fraction: float, message: str, job: Job = job, name: str = name) -> None:
            report(fraction * len(job), f"{name} {message}")

        yield from run_job(job, store, progress)


def _run_apart(jobs: list[Job], store: Store, workers: int) -> Iterator[Row]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if not jobs:
        return
    threads = max(job[0].setting.threads for job in jobs)
    try:
        with parallel_config(backend="loky", n_jobs=workers, inner_max_num_threads=threads):
            # One job at a time: a batch would hold back the rows of its first jobs.
            parallel = Parallel(return_as="generator_unordered", batch_size=1)
            for rows in parallel(delayed(_job_in_worker)(job, store) for job in jobs):
                yield from rows
    except TerminatedWorkerError as error:
        raise StoreError(
            "a worker process was killed, perhaps for lack of memory; finished cells are kept, "
            "the same command goes on from there"
        ) from error


def _job_in_worker(job: Job, store: Store) -> list[Row]:
    # Ctrl-C reaches all processes; the parent alone answers it and ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return list(run_job(job, store))


def run_job(
    job: Job, store: Store, progress: Callable[[float, str], None] | None = None
) -> Iterator[Row]:
    """Run the cells of one job; every row is in the store before it is yielded."""
    pending = {cell.nnz: cell for cell in job}
    with limited_threads(job[0].setting.threads):
        try:
            for nnz, row in _fit(job, store, progress):
                store.put_row(row)
                del pending[nnz]
                yield row
            failure = "the method gave no network for this budget"
            rest = _ended(pending, Status.FAILED, failure, store)
        except StoreError:
            raise
        except _Skip as skip:
            rest = _ended(pending, Status.SKIPPED, str(skip), store)
        except Exception as error:  # noqa: BLE001 (the sweep goes on, the row says why)
            failure = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
            rest = _ended(pending, Status.FAILED, failure, store, traceback.format_exc())
        yield from rest
