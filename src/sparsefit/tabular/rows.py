"""The rows of a table as what estimators take, with a test part held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sparsefit.core.errors import DataError, OptionError
from sparsefit.predictor import Column
from sparsefit.tabular.options import FitOptions
from sparsefit.tabular.table import Table, columns_of


@dataclass(frozen=True)
class Part:
    """Encoded inputs (n, n_inputs), float32, and targets (n,): numbers, or places of classes."""

    X: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class TableRows:
    """A table with one target, split.

    Attributes
    ----------
    columns : tuple of Column
        All but the target and those left out.
    target : str
    classes : tuple of str
        Labels of the target, sorted; empty for numbers.
    train, test : Part
    n_without_target : int
        Rows left out, as their target is missing.
    """

    columns: tuple[Column, ...]
    target: str
    classes: tuple[str, ...]
    train: Part
    test: Part
    n_without_target: int


def split_rows(
    table: Table, options: FitOptions, progress: Callable[[float, str], None]
) -> TableRows:
    """Read a table into a part to fit and a part to test, each row at its place at once.

    Means and standard deviations are those of the part to fit.
    """
    target, names = options.target, _input_names(table, options)
    y, classes = _targets(table, target, as_classes=options.classes)
    known = ~np.isnan(y)
    is_test = np.random.default_rng(options.seed).random(table.n_rows) < options.test_share
    _check(y[known], classes, target, table)
    parts = [known & ~is_test, known & is_test]
    if min(part.sum() for part in parts) < 2:
        allowed = "a share that leaves 2 rows on either side"
        raise OptionError("test_share", options.test_share, allowed)
    _check(y[parts[0]], classes, target, table, where=" to fit")
    columns = tuple(columns_of(table, names, parts[0]))
    n_inputs = sum(column.n_inputs for column in columns)
    arrays = [np.empty((int(part.sum()), n_inputs), dtype=np.float32) for part in parts]
    start, filled = 0, [0, 0]
    for block in table.blocks(names):
        X = np.hstack([column.encode(block[:, at]) for at, column in enumerate(columns)])
        for number, part in enumerate(parts):
            chosen = X[part[start : start + len(block)]]
            arrays[number][filled[number] : filled[number] + len(chosen)] = chosen
            filled[number] += len(chosen)
        start += len(block)
        progress(start / table.n_rows, "reading")
    train, test = (Part(X, y[part]) for X, part in zip(arrays, parts, strict=True))
    return TableRows(columns, target, classes, train, test, int((~known).sum()))


def _input_names(table: Table, options: FitOptions) -> list[str]:
    """Return the columns to fit the target by."""
    table.check(options.target, "--target")
    for name in options.drop:
        table.check(name, "--drop")
    left_out = (options.target, *options.drop)
    names = [name for name in table.names if name not in left_out]
    if not names:
        dropped = " ".join(options.drop)
        raise OptionError("drop", dropped, "columns that leave one beside the target")
    return names


def _targets(table: Table, target: str, *, as_classes: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    y = np.concatenate([block[:, 0] for block in table.blocks([target])])
    levels = table.levels[target]
    if levels is not None or not as_classes:
        return y, levels or ()
    values = np.unique(y[~np.isnan(y)])
    found = np.searchsorted(values, y).astype(np.float64)
    found[np.isnan(y)] = np.nan
    return found, tuple(f"{value:.15g}" for value in values)


def _check(
    y: np.ndarray, classes: tuple[str, ...], target: str, table: Table, where: str = ""
) -> None:
    if not len(y):
        raise DataError(f"{table.path}: target {target!r} is missing in every row")
    if classes:
        counts = np.bincount(y.astype(np.int64), minlength=len(classes))
        if (counts == 1).any() or (where and (counts == 0).any()):
            label = classes[int(counts.argmin())]
            raise DataError(
                f"{table.path}: class {label!r} of target {target!r} has {counts.min()} "
                f"row{'' if counts.min() == 1 else 's'}{where}; each class needs at least 2"
            )
    if (y == y[0]).all():
        value = classes[int(y[0])] if classes else f"{y[0]:g}"
        raise DataError(f"{table.path}: target {target!r} is {value} in every row{where}")
