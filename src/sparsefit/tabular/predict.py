"""Predict the rows of a table."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparsefit.core.errors import DataError
from sparsefit.predictor import Column, Predictor
from sparsefit.reading.cells import level_of
from sparsefit.reading.options import TextOptions
from sparsefit.reading.source import Source, open_source
from sparsefit.reading.table import blocks_of, check_column, check_has


class Prediction(NamedTuple):
    """Answers to a block of rows.

    Attributes
    ----------
    values : ndarray
        Values (n, k), or the numbers of the classes (n,).
    probabilities : ndarray of shape (n, n_classes) or None
        None for regression.
    """

    values: np.ndarray
    probabilities: np.ndarray | None


@dataclass(eq=False)
class Predictions:
    """The answers to the rows of a file, block by block, and what was not known in these rows.

    Attributes
    ----------
    model : Predictor
    source : Source
    used : list of Column
        Of the model, as the file has them.
    n_rows : int
        Rows that were predicted so far.
    missing, unseen : dict of str to int
        By column of the file: cells without a value, and with a text that the model has not seen.
    """

    model: Predictor
    source: Source
    used: list[Column]
    n_rows: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Prediction]:
        model = self.model
        for block in self._blocks():
            rows = np.full((len(block), len(model.columns)), np.nan)
            rows[:, model.live_columns] = block
            outputs = model.outputs(rows)
            if model.classes:
                yield Prediction(model.class_numbers(outputs), model.probabilities(outputs))
            else:
                yield Prediction(outputs, None)

    def check(self) -> None:
        """Raise `DataError` if a cell that the model uses has no value or an unseen one."""
        for _ in self._blocks():
            pass
        if said := self.unknown:
            raise DataError(f"{self.source.path}: {said}")
        self.n_rows = 0

    @property
    def unknown(self) -> str:
        """What was not known, in words; empty for nothing."""
        parts = [
            *(f"column {name!r} has {n} cells without a value" for name, n in self.missing.items()),
            *(f"column {name!r} has {n} cells with a value that is new to the model"
              for name, n in self.unseen.items()),
        ]  # fmt: skip
        return "; ".join(parts).replace(" 1 cells ", " 1 cell ")

    def texts(self, columns: Sequence[str]) -> Iterator[tuple[str | None, ...]]:
        """Yield the cells of some columns, row by row."""
        for name in columns:
            check_column(self.source, name, "--id")
        return itertools.chain.from_iterable(self.source.texts(columns))

    def _blocks(self) -> Iterator[np.ndarray]:
        """Yield what the model is given, and count what it cannot know.

        Without a value is each NaN but those of categories, which may have a text that is new; of
        the parts of a date any one tells.
        """
        n_used = len(self.used)
        names = [column.read_from for column in self.used]
        first = np.array([names.index(name) == at for at, name in enumerate(names)], dtype=bool)
        are_levels = [bool(column.levels and not column.part) for column in self.used]
        levels = list(itertools.compress(names, are_levels))
        for block in blocks_of(self.source, self.used, list(map(self._is_known, levels))):
            values = block[:, :n_used]
            self.n_rows += len(block)
            is_new = np.zeros(values.shape, dtype=bool)
            is_new[:, are_levels] = np.isnan(values[:, are_levels]) & (block[:, n_used:] > 0)
            is_missing = np.isnan(values) & ~is_new & first
            for counter, cells in ((self.missing, is_missing), (self.unseen, is_new)):
                found = zip(names, cells.sum(axis=0).tolist(), strict=True)
                counter.update({name: count for name, count in found if count})
            yield values

    def _is_known(self, name: str) -> str:
        level = level_of(self.source.columns[name], self.source.missing)
        return f"CAST({level} IS NOT NULL AS DOUBLE)"


def predict_table(model: Predictor, path: Path, options: TextOptions | None = None) -> Predictions:
    """Return the answers to the rows of a file, which is read as they are asked for.

    Only the columns that the model uses must be there, in any order.

    Parameters
    ----------
    model : Predictor
    path : Path
    options : TextOptions, optional
        How a text is written, where that differs from what the model was fitted to.

    Raises
    ------
    DataError
        If a column is missing, or has texts where the model has numbers.
    """
    options = options or TextOptions()
    source = open_source(path, options, model.missing)
    marks = {
        name: value
        for name, value in {"decimal": options.decimal, "thousands": options.thousands}.items()
        if value is not None
    }
    used = [model.columns[at] for at in model.live_columns]
    check_has(source, used)
    return Predictions(
        model, source, [replace(c, written=replace(c.written, **marks)) for c in used]
    )
