"""What is done with cells, in whatever process: claimed, fitted, scored and stored."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from sparsefit.core.device import limited_threads
from sparsefit.core.errors import SparsefitError
from sparsefit.core.problem import Problem
from sparsefit.core.result import Status
from sparsefit.core.setting import Setting
from sparsefit.core.team import ALONE, Team
from sparsefit.experiments._machine import limited_memory, peak_memory_mb, reset_peak_memory
from sparsefit.experiments.claims import Claims
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.store import Row, Store, StoreError
from sparsefit.experiments.tracking import Signal
from sparsefit.tasks._base import SkipCell, Task

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit

Job = list[Cell]
T = TypeVar("T")
# What the row of a cell says whose process was killed.
_KILLED = "the process was killed, perhaps for lack of memory or time"


@dataclass(frozen=True)
class Rules:
    """How jobs are run, in whatever process.

    Attributes
    ----------
    store : Store
    again : frozenset of str
        Run ids of cells that failed before this sweep, and are tried again.
    max_memory : int or None
        Bytes that the process of a cell may have.
    team : Team
        Processes that share the rows of each cell; the first one has the results.
    """

    store: Store
    again: frozenset[str] = frozenset()
    max_memory: int | None = None
    team: Team = ALONE


def group(cells: Iterable[Cell]) -> Iterator[Job]:
    """Cut cells into jobs; a job's budgets are served by one call of `Method.path`."""
    shared: dict[Cell, Job] = {}
    for cell in cells:
        if cell.method.shares_path and not cell.task.draws_truth:
            shared.setdefault(replace(cell, nnz=None), []).append(cell)
        else:
            shared[cell] = [cell]
    yield from shared.values()


def run_job(job: Job, rules: Rules, said: Signal) -> Iterator[Row]:
    """Give the rows of a job, found or made; none of cells that another run has claimed.

    Every row is in the store before it is given.
    """
    if rules.team.size > 1:
        # All processes compute the same: who has claimed what is not for each to find out.
        yield from _compute(job, rules, _named(said, job))
        return
    with Claims(rules.store.folder).holding(job) as mine:
        found, missing = find_rows(mine, rules)
        yield from found.values()
        if missing:
            with limited_memory(rules.max_memory):
                yield from _compute(missing, rules, _named(said, job))


def find_rows(cells: Job, rules: Rules) -> tuple[dict[str, Row], Job]:
    """Return the rows that are there, by run id, and the cells that are to be run."""
    rows = rules.store.find([cell.run_id for cell in cells], lambda note: None)
    rows = {run_id: row for run_id, row in rows.items() if run_id not in rules.again}
    return rows, [cell for cell in cells if cell.run_id not in rows]


def rows_of_killed(job: Job, rules: Rules) -> Iterator[Row]:
    """Give the rows of cells whose process was killed: those that were written, and failures."""
    found, missing = find_rows(job, rules)
    yield from found.values()
    for cell in missing:
        yield _store_empty(cell, Status.FAILED, _KILLED, rules.store)


def load_problem(cell: Cell) -> AnyProblem:
    """Return the data of a cell; those of the last task and seed are kept for the next cell."""
    if cell.task.draws_truth:
        return cell.task.load(cell.setting, cell.nnz or 1)
    return _shared_problem(cell.task, cell.task.fingerprint, cell.setting.seed)


@lru_cache(maxsize=1)
def _shared_problem(task: Task, fingerprint: str, seed: int) -> AnyProblem:
    return task.load(Setting(seed=seed), 1)


def _named(said: Signal, job: Job) -> Callable[[float, str], None]:
    """Put the name of the cell before what a job says, and say it at once."""
    cell = job[0]
    name = f"{cell.task.name} {cell.method.name} hidden {cell.setting.hidden}"
    said(0.0, name)
    return lambda share, message: said(share, f"{name} {message}")


def _compute(job: Job, rules: Rules, progress: Callable[[float, str], None]) -> Iterator[Row]:
    store = rules.store
    # A method without a budget gets 1, which it ignores.
    pending = {cell.nnz or 1: cell for cell in job}
    setting = replace(job[0].setting, progress=progress)
    method = job[0].method
    status, note, log = Status.FAILED, "the method gave no network for this budget", ""
    with limited_threads(setting.threads):
        try:
            problem = load_problem(job[0])
            method.check(problem)
            if isinstance(problem, Problem):
                problem = problem.part(rules.team)
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
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        return "there was not enough memory, of the machine or of --max-memory"
    text = " ".join(str(error).split())
    return text if isinstance(error, SparsefitError) else f"{type(error).__name__}: {text}"


def _timed(items: Iterable[T]) -> Iterator[tuple[float, T]]:
    """Pair items with the seconds spent so far on making them, not on what is done with them."""
    spent, start = 0.0, time.perf_counter()
    for item in items:
        spent += time.perf_counter() - start
        yield spent, item
        start = time.perf_counter()
