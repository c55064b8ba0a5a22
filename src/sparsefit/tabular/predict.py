"""Predict the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sparsefit.core.errors import DataError, near_match
from sparsefit.predictor import Predictor
from sparsefit.tabular.source import open_source
from sparsefit.tabular.table import Table


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


def predict_table(model: Predictor, path: Path) -> Iterator[Prediction]:
    """Yield the answers to the rows of a file, block by block.

    Only the columns that the model uses must be there, in any order.

    Raises
    ------
    DataError
        If one of them is missing, or has texts where the model has numbers.
    """
    used = [model.columns[at] for at in model.live_columns]
    source = open_source(path)
    there = list(source.columns)
    for column in used:
        if column.name not in there:
            raise DataError(
                f"{path} has no column {column.name!r}{near_match(column.name, there)}, "
                "which the model uses"
            )
    table = Table(source, {column.name: column.levels or None for column in used}, 0)
    for block in table.blocks([column.name for column in used]):
        rows = np.full((len(block), len(model.columns)), np.nan)
        rows[:, model.live_columns] = block
        outputs = model.outputs(rows)
        if model.classes:
            yield Prediction(model.class_numbers(outputs), model.probabilities(outputs))
        else:
            yield Prediction(outputs, None)
