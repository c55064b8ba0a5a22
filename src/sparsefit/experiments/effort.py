"""How long cells take, about: measured before, and mended while a sweep runs."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from sparsefit.experiments.spec import Cell
from sparsefit.methods import Method

# Of the logarithms of these sizes the logarithm of the seconds is a linear function.
SIZES = ("hidden", "nnz", "layers", "rows", "epochs")
# What a cell is taken for until its like has been seen: how many cells that counts as.
_PRIOR = 0.3
_UNKNOWN_SECONDS = 5.0


def sizes_of(cell: Cell) -> dict[str, float]:
    """Return the logarithms of what the time of a cell depends on.

    Examples
    --------
    >>> from sparsefit import Setting, find_method, find_task
    >>> cell = Cell(find_task("planted")(), find_method("aiht")(), Setting(hidden=1), 1)
    >>> round(sizes_of(cell)["rows"], 3) == round(math.log(10000 * 100), 3)
    True
    """
    task, method = cell.task, cell.method
    shape = [getattr(task, name, None) for name in ("n_samples", "n_features")]
    rows = math.prod(size for size in shape if isinstance(size, int))
    epochs = getattr(method, "epochs", None)
    found = {
        "hidden": cell.setting.hidden, "nnz": cell.nnz or 1, "layers": cell.setting.layers,
        "rows": rows, "epochs": epochs or 1,
    }  # fmt: skip
    return {name: math.log(max(size, 1)) for name, size in found.items()}


def variant_of(cell: Cell) -> str:
    """Return the task, and whether the method trains until it is trained.

    Examples
    --------
    >>> from sparsefit import Setting, find_method, find_task
    >>> variant_of(Cell(find_task("planted")(), find_method("imp")(), Setting(), 1))
    'planted, until trained'
    """
    until_trained = getattr(cell.method, "epochs", 0) is None
    return cell.task.name + (", until trained" if until_trained else "")


class Efforts:
    """Expected seconds of cells.

    A table of the package has, for each task and method, the seconds of a cell of size 1 and an
    exponent for each size, on some machine. What cells of this sweep really took says how much
    faster or slower this machine is, and how much each method differs from the table.
    """

    def __init__(self, table: Mapping[str, Any] | None = None):
        self._table = _shipped() if table is None else table
        self._residuals: dict[tuple[str, Method], list[float]] = defaultdict(list)

    def seconds(self, cell: Cell) -> float:
        """Return how long a cell will take."""
        own = self._residuals.get(_key(cell), [])
        others = [value for values in self._residuals.values() for value in values]
        machine = sum(others) / (len(others) + _PRIOR) if others else 0.0
        shift = (sum(own) + _PRIOR * machine) / (len(own) + _PRIOR)
        return math.exp(min(self._expected(cell) + shift, 50.0))

    def learn(self, cell: Cell, seconds: float) -> None:
        """Take note of how long a cell has taken."""
        self._residuals[_key(cell)].append(math.log(max(seconds, 1e-3)) - self._expected(cell))

    def of_job(self, job: Sequence[Cell]) -> float:
        """Return how long cells will take that are fitted one from the other."""
        return max(self.seconds(cell) for cell in job)

    def _expected(self, cell: Cell) -> float:
        """Return the logarithm of the seconds by the table alone."""
        methods = self._table.get("methods", {})
        entry = methods.get(cell.method.name)
        if entry is None:
            return math.log(_UNKNOWN_SECONDS)
        start = entry["tasks"].get(variant_of(cell), entry["start"])
        sizes = sizes_of(cell)
        return float(start + sum(entry["slopes"].get(name, 0.0) * sizes[name] for name in sizes))


def _key(cell: Cell) -> tuple[str, Method]:
    return cell.task.name, cell.method


@cache
def _shipped() -> Any:
    file = resources.files("sparsefit") / "experiments" / "efforts.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
