"""One model on one fold of one table, in a process of its own that may be stopped."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from benchmarks.front.peers import Model
from benchmarks.front.tables import Table


class Cell(NamedTuple):
    """What is measured at a time."""

    table: str
    fold: int
    model: str


class Running(NamedTuple):
    """A cell under way."""

    cell: Cell
    process: Any
    result: Any
    end: float


def score(table: Table, predicted: np.ndarray) -> float:
    """Return accuracy, or R^2."""
    if table.is_classes:
        return float(np.mean(predicted == table.y))
    return float(1 - np.mean((predicted - table.y) ** 2) / table.y.var())


def measure(table: Table, fold: int, model: Model) -> dict[str, Any]:
    """Fit, and return the score, the numbers stored and CPU seconds; or why there are none."""
    train, held = table.fold(fold)
    start = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predict, numbers = model(train, fold)
        seconds = time.process_time() - start
        found = score(held, np.asarray(predict(held.X)).ravel())
    except Exception as error:
        return {"failure": f"{type(error).__name__}: {error}".splitlines()[0][:80]}
    return {"score": round(found, 5), "numbers": int(numbers), "seconds": round(seconds, 3)}


def run(
    cells: Iterable[Cell], tables: dict[str, Callable[[], Table]], models: dict[str, Model], *,
    jobs: int, limit: float, deadline: float,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield what was measured, as it comes; after the deadline, what is under way is dropped.

    Processes are forked, so that a cell has all libraries loaded.
    """
    context, queue = multiprocessing.get_context("fork"), iter(cells)
    loaded: dict[str, Table] = {}
    under_way: list[Running] = []
    while time.monotonic() < deadline:
        while len(under_way) < jobs and (cell := next(queue, None)) is not None:
            table = loaded.setdefault(cell.table, None) or tables[cell.table]()  # type: ignore[arg-type]
            loaded[cell.table] = table
            receive, send = context.Pipe(duplex=False)
            process = context.Process(
                target=_send, args=(send, table, cell.fold, models[cell.model])
            )
            process.start()
            send.close()
            under_way.append(Running(cell, process, receive, time.monotonic() + limit))
        if not under_way:
            return
        ready = multiprocessing.connection.wait([one.result for one in under_way], timeout=0.2)
        for one in [one for one in under_way if one.result in ready or time.monotonic() > one.end]:
            under_way.remove(one)
            yield {**one.cell._asdict(), **_received(one, limit)}
    for one in under_way:
        one.process.kill()


def _send(connection: Any, table: Table, fold: int, model: Model) -> None:
    connection.send(measure(table, fold, model))


def _received(one: Running, limit: float) -> dict[str, Any]:
    if not one.result.poll():
        one.process.kill()
        return {"failure": f"out of time ({limit:.0f} s)"}
    try:
        found: dict[str, Any] = one.result.recv()
    except EOFError:
        found = {"failure": "the process died"}
    one.process.join()
    return found
