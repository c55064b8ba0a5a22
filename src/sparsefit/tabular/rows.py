"""The rows of a table as what estimators take, with a test part held out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sparsefit.core.errors import DataError, OptionError
from sparsefit.core.team import ALONE, Share, Team
from sparsefit.predictor import Column
from sparsefit.reading.cells import level_of
from sparsefit.reading.table import Table, check_column, with_moments
from sparsefit.tabular.options import FitOptions
from sparsefit.tabular.split import held_out, held_out_groups, held_out_last

# Of the progress of a fit.
_SHARE = 0.1


@dataclass(frozen=True)
class Part:
    """Encoded inputs (n, n_inputs), float32, and targets (n,): numbers, or places of classes.

    With a share, the inputs are of those rows alone that this process has, and the targets of all.
    """

    X: np.ndarray
    y: np.ndarray
    share: Share | None = None

    def draw(self, most: int, seed: int) -> Part:
        """Return at most so many rows at random, in every process."""
        if len(self.y) <= most:
            return self.take(np.arange(len(self.y))) if self.share else self
        return self.take(np.random.default_rng(seed).choice(len(self.y), most, replace=False))

    def take(self, index: np.ndarray) -> Part:
        """Return rows by their numbers, in every process."""
        if self.share is None:
            return Part(self.X[index], self.y[index])
        order = np.argsort(index)
        X = self.share.gathered(self.X[self.share.own(index[order], len(self.X))])
        return Part(X[np.argsort(order)], self.y[index])


@dataclass(frozen=True)
class TableRows:
    """A table with one target, split.

    Attributes
    ----------
    columns : tuple of Column
        All but the target and those left out.
    target : str
    classes : tuple of str
        Labels of the target, in order; empty for numbers.
    train, test : Part
    n_without_target : int
        Rows left out, as their target is missing.
    missing : tuple of str
        Texts that stand for no value.
    source : str
        Name of what the rows are of.
    image_shape : tuple of int
        Of the images that rows are: height, width and perhaps channels; else empty.
    """

    columns: tuple[Column, ...]
    target: str
    classes: tuple[str, ...]
    train: Part
    test: Part
    n_without_target: int
    missing: tuple[str, ...]
    source: str
    image_shape: tuple[int, ...]


def split_rows(
    table: Table, options: FitOptions, progress: Callable[[float, str], None], team: Team = ALONE
) -> TableRows:
    """Read a table into a part to fit and a part to test, each row at its place at once.

    Means and standard deviations are those of the part to fit, of which each process of a team
    keeps its rows; all have those to test.
    """
    target = _target(table, options.target)
    y = _read(table, target)
    known = ~np.isnan(y)
    _check(y[known], target, table)
    is_test = np.zeros(len(y), dtype=bool)
    is_test[known] = _held_out(table, options, y, target.levels, known)
    parts = [known & ~is_test, known & is_test]
    if min(part.sum() for part in parts) < 2:
        raise DataError(
            f"{table.path} has {known.sum()} rows with a target, of which {parts[0].sum()} would "
            f"be fitted and {parts[1].sum()} held out; each part needs at least 2"
        )
    _check(y[parts[0]], target, table, where=" that is fitted")
    columns = tuple(_inputs(table, options, parts[0]))
    n_inputs = sum(column.n_inputs for column in columns)
    image_shape = _checked_shape(options.image_shape, table, n_inputs)
    own, share = _own(parts[0], team)
    fitted, held = _encoded(table, columns, n_inputs, (own, parts[1]), progress)
    train, test = Part(fitted, y[parts[0]], share), Part(held, y[parts[1]])
    return TableRows(
        columns, target.read_from, target.levels, train, test, int((~known).sum()),
        table.source.missing, table.path.name, image_shape,
    )  # fmt: skip


def _own(fitted: np.ndarray, team: Team) -> tuple[np.ndarray, Share | None]:
    """Return which of the rows that are fitted are this process's, among all rows."""
    places = np.flatnonzero(fitted)
    part = team.part_of(len(places))
    own = np.zeros_like(fitted)
    own[places[part]] = True
    return own, Share(team, part.start, len(places)) if team.size > 1 else None


def _encoded(
    table: Table, columns: tuple[Column, ...], n_inputs: int, parts: Sequence[np.ndarray],
    progress: Callable[[float, str], None],
) -> list[np.ndarray]:  # fmt: skip
    """Read a table once and return the inputs of each part, a mask of the rows."""
    arrays = [np.empty((int(part.sum()), n_inputs), dtype=np.float32) for part in parts]
    start, filled = 0, [0] * len(parts)
    for block in table.blocks(columns):
        X = np.hstack([column.encode(block[:, at]) for at, column in enumerate(columns)])
        for number, part in enumerate(parts):
            chosen = X[part[start : start + len(block)]]
            arrays[number][filled[number] : filled[number] + len(chosen)] = chosen
            filled[number] += len(chosen)
        start += len(block)
        progress(_SHARE * start / table.n_rows, "reading")
    return arrays


def _checked_shape(shape: tuple[int, ...], table: Table, n_inputs: int) -> tuple[int, ...]:
    """Return the shape of the images that rows are; that of the table, if its pixels are all."""
    if not shape:
        found = table.source.image_shape
        return found if math.prod(found) == n_inputs else ()
    if len(shape) not in (2, 3) or math.prod(shape) != n_inputs:
        allowed = f"height, width and perhaps channels of {n_inputs} inputs in all"
        raise OptionError("image_shape", " ".join(map(str, shape)), allowed)
    return shape


def _target(table: Table, name: str) -> Column:
    """Return what is fitted: a number, a category, or the first part of a date, its trend."""
    kind = table.kinds[name]
    if not kind.columns:
        raise DataError(f"{table.path}: target {name!r} is missing in every row")
    return kind.columns[0]


def _read(table: Table, column: Column) -> np.ndarray:
    return np.concatenate([block[:, 0] for block in table.blocks([column])])


def _inputs(table: Table, options: FitOptions, kept: np.ndarray) -> list[Column]:
    """Return the columns to fit the target by."""
    left_out = (options.target, options.group_column)
    names = [name for name in table.names if name not in left_out]
    found = with_moments(table, table.inputs(names), kept)
    if not found:
        raise DataError(
            f"{table.path} has no column beside the target that differs between rows and is not "
            "left out; 'sparsefit look' says why"
        )
    return found


def _held_out(
    table: Table, options: FitOptions, y: np.ndarray, classes: tuple[str, ...], known: np.ndarray
) -> np.ndarray:
    """Return which of the known rows are held out."""
    source, share = table.source, options.test_share
    if options.group_column is not None:
        check_column(source, options.group_column, "--group-column")
        level = level_of(source.columns[options.group_column], source.missing)
        hashes = source.blocks([f"CAST(coalesce(hash({level}), 0) >> 11 AS DOUBLE)"])
        groups = np.concatenate([block[:, 0] for block in hashes])[known]
        return held_out_groups(groups, share, options.seed)
    if options.time_column is not None:
        check_column(source, options.time_column, "--time-column")
        kind = table.kinds[options.time_column]
        if not kind.columns or kind.columns[0].levels:
            allowed = "a column of dates or numbers that is not left out"
            raise OptionError("time_column", options.time_column, allowed)
        moments = _read(table, kind.columns[0])[known]
        if np.isnan(moments).any():
            allowed = "a column with a value in each row"
            raise OptionError("time_column", options.time_column, allowed)
        return held_out_last(moments, share)
    return held_out(y[known], classes, share, options.seed)


def _check(y: np.ndarray, target: Column, table: Table, where: str = "") -> None:
    name = target.read_from
    if not len(y):
        raise DataError(f"{table.path}: target {name!r} is missing in every row")
    if target.levels:
        counts = np.bincount(y.astype(np.int64), minlength=len(target.levels))
        if not where and counts.max() == 1:
            raise DataError(f"{table.path}: each row is a class of its own by target {name!r}")
        if where and not counts.all():
            label = target.levels[int(counts.argmin())]
            raise DataError(f"{table.path}: class {label!r} of target {name!r} has no row{where}")
    if (y == y[0]).all():
        value = target.levels[int(y[0])] if target.levels else f"{y[0]:g}"
        raise DataError(f"{table.path}: target {name!r} is {value} in every row{where}")
