"""Data frames as the inputs of a network, in the way that the command line reads files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sparsefit.core.errors import DataError
from sparsefit.reading import ReadOptions, look_at, open_frame
from sparsefit.reading.table import blocks_of, check_has, with_moments

if TYPE_CHECKING:
    from typing_extensions import Self


class TableEncoder(TransformerMixin, BaseEstimator):
    """Inputs of a network from a data frame: numbers, categories and dates.

    The estimators use it on frames with texts, dates or missing values. Columns are taken as
    ``sparsefit look`` says: numbers, also as people write them, are standardised, and 0 where they
    are missing; a category is one input for each level; a date is its trend, year, month, weekday
    and hour; what names rows, or is the same in all, is left out.

    Parameters
    ----------
    categories, numbers, dates, id : tuple of str, default ()
        Columns to take as such, or to leave out as they name the rows; a date may come with its
        format, as in ``"sold=%d/%m/%Y"``.
    decimal, thousands : str or None, default None
        The mark before decimals, and between groups of digits, where the texts do not tell.
    missing : tuple of str, default ()
        Texts that stand for no value, in place of NA, n/a, null and their like.

    Attributes
    ----------
    columns_ : tuple of Column
        What became of the columns; parts of dates are columns of their own.
    n_features_in_ : int
    feature_names_in_ : ndarray of str

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"pet": ["cat", "dog", None], "price": ["$2", "$4", "$1,200"]})
    >>> encoder = TableEncoder().fit(frame)
    >>> encoder.get_feature_names_out().tolist()
    ['pet=cat', 'pet=dog', 'price']
    >>> encoder.transform(frame)[:, :2].tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """

    def __init__(
        self, categories: tuple[str, ...] = (), numbers: tuple[str, ...] = (),
        dates: tuple[str, ...] = (), id: tuple[str, ...] = (), decimal: Any = None,
        thousands: Any = None, missing: tuple[str, ...] = (),
    ):  # fmt: skip
        self.categories = categories
        self.numbers = numbers
        self.dates = dates
        self.id = id
        self.decimal = decimal
        self.thousands = thousands
        self.missing = missing

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what the columns are.

        Parameters
        ----------
        X : data frame of shape (n, n_features)
            Of pandas, or one that hands itself on as Arrow does, such as of polars.
        y : ignored

        Raises
        ------
        DataError
            If X is no data frame, or what a column is cannot be told without a parameter.
        """
        if not is_frame(X):
            raise DataError(f"X must be a data frame, got {type(X).__name__}")
        validate_data(self, X=X, skip_check_array=True)
        declared = tuple(str(name) for name in X.columns if str(X[name].dtype) == "category")
        options = ReadOptions(
            categories=(*self.categories, *(set(declared) - {*self.numbers, *self.dates})),
            numbers=tuple(self.numbers), dates=tuple(self.dates), id=tuple(self.id),
            decimal=self.decimal, thousands=self.thousands, missing=tuple(self.missing),
        )  # fmt: skip
        table = look_at(open_frame(X, options.missing), options)
        self.columns_ = tuple(with_moments(table, table.inputs(table.names)))
        return self

    def rows(self, X: Any) -> np.ndarray:
        """Return the values of `columns_`, (n, n_columns), as a `Predictor` takes them."""
        check_is_fitted(self, "columns_")
        if not is_frame(X):
            raise DataError(f"X must be a data frame, as it was in the fit, got {type(X).__name__}")
        source = open_frame(X, tuple(self.missing))
        check_has(source, self.columns_)
        blocks = list(blocks_of(source, self.columns_))
        return np.concatenate(blocks) if blocks else np.empty((0, len(self.columns_)))

    def transform(self, X: Any) -> np.ndarray:
        """Return the inputs, (n, n_inputs), float64."""
        rows = self.rows(X)
        parts = [column.encode(rows[:, at]) for at, column in enumerate(self.columns_)]
        return np.hstack(parts) if parts else np.empty((len(rows), 0))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the inputs: of the columns, or ``column=level`` of categories."""
        check_is_fitted(self, "columns_")
        names = [name for column in self.columns_ for name in column.input_names]
        return np.array(names, dtype=object)


def is_frame(X: Any) -> bool:
    """Whether X has named columns of types of their own.

    Examples
    --------
    >>> is_frame(np.zeros((2, 2)))
    False
    """
    return hasattr(X, "columns") and (hasattr(X, "__arrow_c_stream__") or hasattr(X, "dtypes"))


def needs_encoder(X: Any) -> bool:
    """Whether X is a data frame with a column that is no number, or with a missing value.

    Examples
    --------
    >>> import pandas as pd
    >>> needs_encoder(pd.DataFrame({"a": [1, 2]})), needs_encoder(pd.DataFrame({"a": [1, None]}))
    (False, True)
    """
    if not is_frame(X):
        return False
    return any(not _is_number(X[name]) for name in X.columns)


def names_of(y: Any) -> tuple[str, ...]:
    """Return the names that targets come with, in a series or a frame; empty for none.

    Examples
    --------
    >>> import pandas as pd
    >>> names_of(pd.Series([1.0], name="price")), names_of([1.0])
    (('price',), ())
    """
    names = getattr(y, "columns", None)
    found = [getattr(y, "name", None)] if names is None else list(names)
    texts = [name for name in found if isinstance(name, str) and name]
    return tuple(texts) if len(texts) == len(found) else ()


def _is_number(column: Any) -> bool:
    """Whether a column of a frame has a number in each row."""
    kind = getattr(column.dtype, "kind", "")
    if kind in ("i", "u", "f", "b"):
        return not bool(column.isna().any())
    if hasattr(column.dtype, "is_numeric"):
        has_nan = column.dtype.is_float() and column.is_nan().any()
        return column.dtype.is_numeric() and not (column.null_count() or has_nan)
    return False
