"""Commands that make the rows of a results folder."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sparsefit.core.options import Options, option_infos
from sparsefit.core.setting import Setting
from sparsefit.experiments.spec import all_options
from sparsefit.experiments.store import Row
from sparsefit.methods._base import METHODS
from sparsefit.tasks._base import TASKS

_AXES = ("hidden", "nnz", "seed")
_FLAGS = {"hidden": "--hidden", "nnz": "--nnz", "seed": "--seeds"}
_SETTING = ("layers", "bias", "skip", "activation", "device", "threads")
Cells = set[tuple[Any, ...]]
Grid = tuple[tuple[Any, ...], ...]


@dataclass
class _Part:
    """What one command asks for: a grid of one task and setting, for one or more methods."""

    shared: dict[str, Any]
    methods: list[tuple[str, dict[str, Any]]]
    grid: Grid

    def takes(self, name: str, options: dict[str, Any]) -> bool:
        """Whether one more method may join: no flag would reach a method that was not given it."""
        return all(
            known != name and all(own[key] == options[key] for key in own.keys() & options.keys())
            for known, own in self.methods
        )


def commands(rows: Sequence[Row], out: str) -> list[str]:
    """Return as few ``sparsefit run`` commands as were found that ask for just these rows.

    Parameters
    ----------
    rows : sequence of dict
    out : str
        The results folder, as the commands are to name it.

    Examples
    --------
    >>> rows = [
    ...     {"task": "planted", "method": "aiht", "hidden": 5, "nnz": nnz, "seed": seed,
    ...      "task_options": {"n_samples": 500}, "method_options": {"epochs": 15}}
    ...     for nnz in (10, 20) for seed in (0, 1)
    ... ]
    >>> commands(rows, "runs")
    ['sparsefit run --task planted --method aiht --hidden 5 --nnz 10 20 --seeds 0 1
    --n-samples 500 --out runs']
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(json.dumps(_asked(row), sort_keys=True), []).append(row)
    parts: list[_Part] = []
    for own in groups.values():
        shared, method, options = _asked(own[0])
        for grid in _grids(own, method):
            part = next(
                (
                    part
                    for part in parts
                    if (part.shared, part.grid) == (shared, grid) and part.takes(method, options)
                ),
                None,
            )
            if part is None:
                parts.append(_Part(shared, [(method, options)], grid))
            else:
                part.methods.append((method, options))
    return [_command(part, out) for part in parts]


def _asked(row: Row) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Return what a row shares with those of other methods, its method, and that one's options."""
    setting = {name: row.get(name) for name in _SETTING}
    setting["skip"] = bool(row.get("skip"))
    setting["activation"] = row.get("activation", "relu")
    dtype = row.get("dtype")
    method = METHODS.find_stored(row["method"])
    usual = method.default_dtype
    setting["dtype"] = None if dtype in (None, usual) else dtype
    shared = {"task": row["task"], "options": row.get("task_options") or {}, "setting": setting}
    return shared, row["method"], all_options(method, row.get("method_options") or {})


def _grids(rows: Sequence[Row], method: str) -> list[Grid]:
    """Return full grids that hold just the cells of these rows; the fewest of six ways to cut."""
    cells = {tuple(row[name] for name in _AXES) for row in rows}
    first = rows[0]
    task = TASKS.find_stored(first["task"])
    if not (METHODS.find_stored(method).uses_budget or task.draws_truth):
        cells = {(hidden, None, seed) for hidden, _, seed in cells}
    best: list[Grid] | None = None
    for order in itertools.permutations(range(len(_AXES))):
        found = list(_cut(cells, order))
        if best is None or len(found) < len(best):
            best = found
        if len(best) == 1:
            break
    return best or []


def _cut(cells: Cells, order: Sequence[int]) -> Iterable[Grid]:
    """Yield grids: values of the first axis that have the same cells on the others share one."""
    if not order:
        yield ((),) * len(_AXES)
        return
    first, *others = order
    rest: dict[Any, Cells] = {}
    for cell in cells:
        without = tuple(None if at == first else value for at, value in enumerate(cell))
        rest.setdefault(cell[first], set()).add(without)
    same: dict[frozenset[Any], list[Any]] = {}
    for value in sorted(rest, key=lambda v: (v is not None, v)):
        same.setdefault(frozenset(rest[value]), []).append(value)
    for below, values in same.items():
        for grid in _cut(set(below), others):
            yield tuple(tuple(values) if at == first else axis for at, axis in enumerate(grid))


def _command(part: _Part, out: str) -> str:
    words = ["sparsefit", "run", "--task", part.shared["task"]]
    words += ["--method", *(name for name, _ in part.methods)]
    for name, values in zip(_AXES, part.grid, strict=True):
        known = [str(value) for value in values if value is not None]
        words += [_FLAGS[name], *known] if known else []
    flags: dict[str, list[str]] = _flags(Setting, part.shared["setting"])
    flags |= _flags(TASKS.find_stored(part.shared["task"]), part.shared["options"])
    for name, options in part.methods:
        flags |= _flags(METHODS.find_stored(name), options)
    return shlex.join([*words, *itertools.chain.from_iterable(flags.values()), "--out", out])


def _flags(owner: type[Options], values: dict[str, Any]) -> dict[str, list[str]]:
    """Return the words for the options that are not at their defaults."""
    defaults = {info.name: info.default for info in option_infos(owner)}
    flags = {}
    for name, value in values.items():
        default = defaults.get(name)
        if value == default or (owner is Setting and value is None):
            continue
        dashed = name.replace("_", "-")
        if isinstance(value, bool):
            flags[name] = [f"--{dashed}" if value else f"--no-{dashed}"]
        else:
            flags[name] = [f"--{dashed}", "none" if value is None else str(value)]
    return flags
