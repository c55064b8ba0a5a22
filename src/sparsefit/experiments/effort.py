"""How long cells take, about: measured before, and mended while a sweep runs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from sparsefit.experiments.spec import Cell
from sparsefit.methods import Method

Kind = tuple[str, Method]
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
        # Sum and number of logarithms of what cells took over what the table says.
        self._own: dict[Kind, tuple[float, int]] = {}
        self._all = 0.0, 0

    def by_table(self, job: Sequence[Cell]) -> float:
        """Return the seconds, by the table, of cells that are fitted one from the other."""
        return math.exp(min(max(map(self._expected, job)), 50.0))

    def knows(self, kind: Kind) -> bool:
        """Whether a cell of a kind has been seen."""
        return kind in self._own

    def factor(self, kind: Kind) -> float:
        """Return how many times longer than the table says cells of a kind take."""
        (own, n_own), (total, n) = self._own.get(kind, (0.0, 0)), self._all
        machine = total / (n + _PRIOR)
        return math.exp((own + _PRIOR * machine) / (n_own + _PRIOR))

    def of_job(self, job: Sequence[Cell]) -> float:
        """Return how long cells will take that are fitted one from the other."""
        return self.factor(kind_of(job[0])) * self.by_table(job)

    def learn(self, cell: Cell, seconds: float) -> None:
        """Take note of how long a cell has taken."""
        off = math.log(max(seconds, 1e-3)) - self._expected(cell)
        for_kind, n_kind = self._own.get(kind_of(cell), (0.0, 0))
        self._own[kind_of(cell)] = for_kind + off, n_kind + 1
        self._all = self._all[0] + off, self._all[1] + 1

    def _expected(self, cell: Cell) -> float:
        """Return the logarithm of the seconds by the table alone."""
        methods = self._table.get("methods", {})
        entry = methods.get(cell.method.name)
        if entry is None:
            return math.log(_UNKNOWN_SECONDS)
        start = entry["tasks"].get(variant_of(cell), entry["start"])
        sizes = sizes_of(cell)
        return float(start + sum(entry["slopes"].get(name, 0.0) * sizes[name] for name in sizes))


def kind_of(cell: Cell) -> Kind:
    """Return what cells have in common that are off from the table by one factor."""
    return cell.task.name, cell.method


@cache
def _shipped() -> Any:
    file = resources.files("sparsefit") / "experiments" / "efforts.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
