"""Run the cells of a sweep that have no row yet, here or by an engine."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sparsefit.core.device import check_device
from sparsefit.core.errors import SparsefitError
from sparsefit.core.result import Status
from sparsefit.core.setting import no_progress
from sparsefit.core.sizes import bytes_of
from sparsefit.core.team import Team, present_team
from sparsefit.experiments.claims import Claims
from sparsefit.experiments.engines import Engine, EngineOptions, Work, open_engine
from sparsefit.experiments.engines._base import Future
from sparsefit.experiments.jobs import (
    Job,
    Rules,
    group,
    load_problem,
    rows_of_killed,
    run_job,
)
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.store import Row, Store
from sparsefit.experiments.tracking import Signal, Tracker

# Of the jobs that wait, the share that is given to one slot at a time: so that all end together.
_SHARE = 4
# Beside the fit, for data, scores and files: seconds of a cell.
_OVERHEAD = 0.01
# Jobs that are run one after the other in one call, with their numbers.
Piece = list[tuple[int, Job, Signal]]


def run_cells(
    cells: Sequence[Cell],
    store: Store,
    *,
    engine: EngineOptions | None = None,
    on_row: Callable[[Row], None] = lambda row: None,
    on_progress: Callable[[float, str], None] = no_progress,
    on_note: Callable[[str], None] = lambda note: None,
) -> list[Row]:
    """Run what is missing and return the rows of all cells.

    Cells that failed before are tried again. A cell that fails now becomes a row with the reason
    in its note, and the sweep goes on. Several runs may share a folder, on whatever machines: a
    cell that another one computes is waited for.

    Parameters
    ----------
    cells : sequence of Cell
    store : Store
        Rows found here are not computed again; new ones are here the moment their cell ends.
    engine : EngineOptions, optional
        What computes, and how many cells at a time; default: this process. Rows do not depend on
        it.
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
        If the device or the engine is not there.
    SparsefitError
        If the data of a task cannot be loaded; nothing has been computed then.
    StoreError
        If a row cannot be written.
    """
    engine = engine or EngineOptions()
    for device in sorted({cell.setting.device for cell in cells}):
        check_device(device)
    with present_team() as team:
        rows, missing, again = stored_rows(cells, store, on_note)
        if team.size > 1:
            missing = _shared_cells(cells, missing, team, engine)
        first = {cell.task: cell for cell in reversed(missing) if not cell.task.draws_truth}
        for cell in reversed(first.values()):
            _check_data(cell)
        for row in rows.values():
            on_row(row)
        rules = Rules(store, again, bytes_of(engine.max_memory or ""), team)
        jobs = list(group(missing))
        # Of runs that were killed.
        Claims(store.folder).sweep_up(store.leftovers())
        tracker = Tracker(jobs, len(rows), on_progress)
        with tracker.watching():
            for row in _run(jobs, rules, engine, tracker):
                rows[row["run_id"]] = row
                on_row(row)
    # Of torchrun's processes only the first has the rows that were there.
    return [rows[cell.run_id] for cell in cells if cell.run_id in rows]


def _shared_cells(
    cells: Sequence[Cell], missing: list[Cell], team: Team, engine: EngineOptions
) -> list[Cell]:
    """Return the cells that all processes of torchrun compute: those that the first one has not."""
    if engine.engine != "processes" or engine.workers > 1:
        raise SparsefitError("torchrun's processes share each cell: leave out --workers, --engine")
    wanted = set(team.agreed([cell.run_id for cell in missing]))
    return [cell for cell in cells if cell.run_id in wanted]


def stored_rows(
    cells: Sequence[Cell], store: Store, on_note: Callable[[str], None]
) -> tuple[dict[str, Row], list[Cell], frozenset[str]]:
    """Return the rows that are there, by run id, and the cells that are to be run.

    Beside them, the run ids of those among the cells that have failed before.
    """
    rows = store.find([cell.run_id for cell in cells], on_note)
    failed = {run_id for run_id, row in rows.items() if row["status"] == Status.FAILED.value}
    rows = {run_id: row for run_id, row in rows.items() if run_id not in failed}
    return rows, [cell for cell in cells if cell.run_id not in rows], frozenset(failed)


def _check_data(cell: Cell) -> None:
    """Raise `SparsefitError` if the data of a task are missing or damaged."""
    try:
        load_problem(cell)
    except SparsefitError:
        raise
    except Exception:
        # A fault of the task, not of its files: recorded when the cell itself comes up.
        return


def _run(jobs: list[Job], rules: Rules, options: EngineOptions, tracker: Tracker) -> Iterator[Row]:
    """Run all jobs; those of which another run has cells come last."""
    is_here = options.engine == "processes" and min(options.workers, len(jobs)) <= 1
    if is_here or not jobs:
        yield from _Sweep(jobs, rules, tracker).run_here()
        return
    # Whatever folder they work in.
    store = replace(rules.store, folder=rules.store.folder.absolute())
    rules = replace(rules, store=store)
    work = Work(len(jobs), max(job[0].setting.threads for job in jobs), rules.store.folder)
    with open_engine(options, work) as engine:
        tracker.workers = engine.slots
        yield from _Sweep(jobs, rules, tracker).run_by(engine)


class _Sweep:
    """Jobs that are under way, and the cells of each that have no row yet."""

    def __init__(self, jobs: list[Job], rules: Rules, tracker: Tracker):
        self._rules, self._tracker = rules, tracker
        self._left = {number: list(job) for number, job in enumerate(jobs)}
        self._waiting = deque(self._left)

    def run_here(self) -> Iterator[Row]:
        """Run the jobs in this process, and give each row as it comes."""
        while self._left:
            while self._waiting:
                number = self._waiting.popleft()
                job = list(self._left[number])
                for row in run_job(job, self._rules, self._tracker.signal(number)):
                    yield self._count(number, row)
            self._wait_for_others()

    def run_by(self, engine: Engine) -> Iterator[Row]:
        """Run the jobs by an engine, and give the rows of some at a time."""
        calls: dict[Future, Piece] = {}
        suspects = set[int]()
        while self._left:
            while self._waiting and len(calls) < engine.slots:
                piece = self._next_piece(engine, suspects)
                calls[engine.submit(run_piece, piece, self._rules)] = piece
            done = [call for call in calls if call.done()]
            for call in done:
                piece = calls.pop(call)
                try:
                    rows = call.result()
                except engine.killed:
                    rows = self._rows_of_killed(piece, suspects)
                if isinstance(rows, SparsefitError):
                    raise rows
                for number, row in rows:
                    yield self._count(number, row)
            if not calls and not self._waiting:
                self._wait_for_others()
            elif not done:
                time.sleep(engine.look_seconds)

    def _next_piece(self, engine: Engine, suspects: set[int]) -> Piece:
        """Take jobs that are run in one call: enough of them to be worth it."""
        share = engine.slots * (1 if engine.piece_seconds is None else _SHARE)
        most = -(-len(self._waiting) // share)
        piece, seconds = Piece(), 0.0
        while self._waiting and len(piece) < most:
            number = self._waiting[0]
            if piece and (number in suspects or piece[-1][0] in suspects):
                break
            self._waiting.popleft()
            piece.append((number, self._left[number], self._tracker.signal(number)))
            seconds += self._tracker.expected(number) + _OVERHEAD
            if engine.piece_seconds is not None and seconds > engine.piece_seconds:
                break
        return piece

    def _rows_of_killed(self, piece: Piece, suspects: set[int]) -> list[tuple[int, Row]]:
        """Have jobs run again one by one whose process was killed, so that it is known by which."""
        if len(piece) == 1:
            [(number, job, _)] = piece
            return [(number, row) for row in rows_of_killed(job, self._rules)]
        numbers = [number for number, _, _ in piece]
        suspects.update(numbers)
        self._waiting.extendleft(reversed(numbers))
        return []

    def _count(self, number: int, row: Row) -> Row:
        [cell] = [cell for cell in self._left[number] if cell.run_id == row["run_id"]]
        self._tracker.count(number, cell, row["seconds"])
        self._left[number].remove(cell)
        if not self._left[number]:
            del self._left[number]
        return row

    def _wait_for_others(self) -> None:
        """Wait until a cell that another run had claimed is done, or left; then go on with it."""
        if not self._left:
            return
        cells = [cell for job in self._left.values() for cell in job]
        free = Claims(self._rules.store.folder).until_one_is_free(cells)
        # Tried by the other run: that it failed is what is to be known.
        self._rules = replace(
            self._rules, again=self._rules.again - {cell.run_id for cell in cells}
        )
        self._waiting.extend(number for number, job in self._left.items() if free in job)


def run_piece(piece: Piece, rules: Rules) -> list[tuple[int, Row]] | SparsefitError:
    """Run jobs in a process of an engine; return an error that is to end the sweep."""
    try:
        return [(number, row) for number, job, said in piece for row in run_job(job, rules, said)]
    except SparsefitError as error:
        return error
