"""What a cell of a sweep is, and the id that its results are kept under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sparsefit.core.activations import RELU
from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.core.options import Options, option_infos
from sparsefit.core.setting import Setting
from sparsefit.core.source import source_of
from sparsefit.methods import Method
from sparsefit.tasks import Task


@dataclass(frozen=True)
class Cell:
    """One network to fit: a task, a method, a setting and a budget.

    Attributes
    ----------
    task : Task
    method : Method
    setting : Setting
        Architecture, random seed and machine.
    nnz : int or None
        The budget; None where neither the method nor the task depends on it.

    Raises
    ------
    OptionError
        If the budget is not an integer >= 1.
    """

    task: Task
    method: Method
    setting: Setting
    nnz: int | None

    def __post_init__(self) -> None:
        """Condition the budget; the other parts check themselves."""
        good = isinstance(self.nnz, int) and not isinstance(self.nnz, bool) and self.nnz >= 1
        if self.nnz is not None and not good:
            raise OptionError("nnz", self.nnz, "an integer >= 1")

    @property
    def dtype(self) -> str:
        """Precision of the computation: the setting's, or else the method's own."""
        return self.setting.dtype or self.method.default_dtype

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that changes the result of the cell, by name.

        Memory, workers and the place of data files do not, but their content does. Of the device
        only the kind counts.

        Raises
        ------
        DataError
            If the files of the task are missing or damaged.
        """
        setting = self.setting
        later = {"data": self.task.fingerprint, "skip": setting.skip}
        if setting.nonlinearity != RELU:
            later["activation"] = str(setting.nonlinearity)
        return {
            "task": _identity(self.task),
            "method": _identity(self.method),
            "hidden": setting.hidden,
            "layers": setting.layers,
            "bias": setting.bias,
            "seed": setting.seed,
            "dtype": self.dtype,
            "device": setting.device.partition(":")[0],
            "threads": setting.threads,
            "nnz": self.nnz,
        } | {name: value for name, value in later.items() if value}

    @cached_property
    def run_id(self) -> str:
        """Sixteen hexadecimal digits that stand for `identity`."""
        text = json.dumps(self.identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _identity(part: Task | Method) -> dict[str, Any]:
    identity = {"name": part.name, "version": part.version, "options": result_options(part)}
    # Of a user's own file all of the text counts: whoever edits it need not raise the version.
    source = source_of(type(part))
    return identity if source is None else identity | {"file": source.digest}


def result_options(options: Options) -> dict[str, Any]:
    """Return the options that change results: all but ``data_dir``, which says where files are.

    An integer given for a number is written as the number, so that 1 and 1.0 are one run. Options
    that came later are left out where they are what results from before stand for, so that these
    still count.

    Examples
    --------
    >>> from sparsefit.methods import find_method
    >>> imp = find_method("imp")
    >>> [result_options(imp(**given)).get("protocol")
    ...  for given in ({}, {"epochs": 9}, {"epochs": 9, "protocol": "paper"})]
    [None, 'own', None]
    """
    given = options.as_dict()
    return {
        info.name: float(given[info.name])
        if info.type is float and given[info.name] is not None
        else given[info.name]
        for info in option_infos(type(options))
        if info.name != "data_dir"
        and not (info.later and given[info.name] == info.value_if_absent(given))
    }


def all_options(cls: type[Options], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a row stands for, with those that `result_options` left out."""
    absent = [info for info in option_infos(cls) if info.name not in stored]
    options = {info.name: info.default for info in absent} | dict(stored)
    return options | {info.name: info.value_if_absent(options) for info in absent}


def grid(
    tasks: Iterable[Task],
    methods: Sequence[Method],
    *,
    hidden: Sequence[int],
    nnz: Sequence[int] = (),
    seeds: Sequence[int] = (0,),
    setting: Setting | None = None,
) -> list[Cell]:
    """List the cells of a sweep, each once.

    Parameters
    ----------
    tasks, methods : sequences of Task and of Method
    hidden, nnz, seeds : sequences of int
        Values of the three axes, in the order in which they are to run. `nnz` may be empty if
        no method and no task depends on it.
    setting : Setting, optional
        The rest: layers, bias, precision, machine.

    Returns
    -------
    list of Cell
        By task, seed, method, hidden and nnz, so that the grid of the first seed is complete
        first and consecutive cells share their data.

    Raises
    ------
    SparsefitError
        If `nnz` is empty and needed.
    OptionError
        If a value is not allowed.

    Examples
    --------
    >>> from sparsefit.methods import find_method
    >>> from sparsefit.tasks import find_task
    >>> planted, aiht = find_task("planted")(), find_method("aiht")()
    >>> cells = grid([planted], [aiht], hidden=[10], nnz=[20, 5, 20], seeds=[1, 0])
    >>> [(cell.setting.seed, cell.nnz) for cell in cells]
    [(1, 20), (1, 5), (0, 20), (0, 5)]
    """
    base = setting or Setting()
    cells: dict[Cell, None] = {}
    for task in tasks:
        for seed in seeds:
            for method in methods:
                for width in hidden:
                    cell_setting = replace(base, hidden=width, seed=seed)
                    for budget in _budgets(task, method, nnz):
                        cells[Cell(task, method, cell_setting, budget)] = None
    return list(cells)


def _budgets(task: Task, method: Method, nnz: Sequence[int]) -> Sequence[int | None]:
    if not method.uses_budget and not task.draws_truth:
        return [None]
    if not nnz:
        needs = f"method {method.name!r}" if method.uses_budget else f"task {task.name!r}"
        raise SparsefitError(f"--nnz is missing: {needs} needs one or more integers >= 1")
    return nnz


def shard(cells: Sequence[Cell], part: str | None) -> list[Cell]:
    """Return the cells of one of several runs of one grid, by their run ids.

    Parameters
    ----------
    cells : sequence of Cell
    part : str or None
        ``I/N``: the I-th of N parts, from 0 on; None is all.

    Examples
    --------
    >>> from sparsefit.methods import find_method
    >>> from sparsefit.tasks import find_task
    >>> cells = grid([find_task("planted")()], [find_method("aiht")()], hidden=[5, 10], nnz=[3],
    ...              seeds=range(4))
    >>> parts = [shard(cells, f"{k}/3") for k in range(3)]
    >>> sorted(map(cells.index, sum(parts, []))) == list(range(8))
    True
    """
    if part is None:
        return list(cells)
    number, _, count = part.partition("/")
    return [cell for cell in cells if int(cell.run_id, 16) % int(count) == int(number)]
