"""Fit a model of a table, and say how good it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsefit.core.errors import OptionError
from sparsefit.core.setting import no_progress
from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.predictor import Predictor
from sparsefit.tabular.baselines import ModelScore, baselines
from sparsefit.tabular.rows import TableRows, split_rows
from sparsefit.tabular.table import Table

# A page draws at most so many points of predictions.
_MOST_POINTS = 2000


@dataclass(frozen=True)
class Fitted:
    """A model of a table.

    Attributes
    ----------
    model : Predictor
    scores : list of ModelScore
        Of the network, first, and of the baselines, on the test rows.
    metric : str
        "R2" or "accuracy".
    n_train, n_test, n_without_target : int
    facts : dict
        What a report shows beside the model: scores, path, truth and prediction or confusion.
    """

    model: Predictor
    scores: list[ModelScore]
    metric: str
    n_train: int
    n_test: int
    n_without_target: int
    facts: dict[str, Any]


def fit_table(
    table: Table, target: str, *, drop: tuple[str, ...] = (), as_classes: bool = False,
    test_share: float = 0.2, image_shape: Sequence[int] = (), seed: int = 0,
    progress: Callable[[float, str], None] = no_progress, **options: Any,
) -> Fitted:  # fmt: skip
    """Fit a column of a table by the others, and score it on rows that were held out.

    Parameters
    ----------
    table : Table
    target : str
    drop : tuple of str, optional
        Columns to leave out.
    as_classes : bool, optional
        Take the numbers of the target as labels.
    test_share : float, optional
        Share of the rows that are held out.
    image_shape : sequence of int, optional
        Height, width and perhaps channels, if the inputs are the pixels of an image, by rows; then
        a report shows weights as pictures. Default: that of the table.
    seed : int, optional
    progress : callable, optional
    **options
        Of `SparseMLPRegressor` and `SparseMLPClassifier`.

    Raises
    ------
    DataError, OptionError
    """
    if not 0 < test_share < 1:
        raise OptionError("test_share", test_share, "a share between 0 and 1")
    rows = split_rows(
        table, target, drop=drop, as_classes=as_classes, test_share=test_share, seed=seed,
        progress=lambda fraction, message: progress(0.1 * fraction, message),
    )  # fmt: skip
    image_shape = _checked_shape(tuple(image_shape), table, rows.train.X.shape[1])
    kind = SparseMLPClassifier if rows.classes else SparseMLPRegressor
    estimator = kind(
        **options, standardize=False, random_state=seed,
        verbose=lambda fraction, message: progress(0.1 + 0.8 * fraction, message),
    )  # fmt: skip
    y = rows.train.y.astype(np.int64) if rows.classes else rows.train.y
    estimator.fit(rows.train.X, y)
    progress(0.9, "baselines")
    model = _as_model(estimator.predictor_, rows)
    score, nnz = float(estimator.score(rows.test.X, rows.test.y)), estimator.n_nonzero_
    is_classes = bool(rows.classes)
    others = baselines(rows.train, rows.test, is_classes=is_classes, nnz=nnz, seed=seed)
    scores = [ModelScore("sparse network", score, nnz), *others]
    progress(1.0, "done")
    return Fitted(
        model, scores, "accuracy" if rows.classes else "R2", len(rows.train.y), len(rows.test.y),
        rows.n_without_target,
        _facts(estimator, rows, scores) | ({"image_shape": image_shape} if image_shape else {}),
    )  # fmt: skip


def _checked_shape(shape: tuple[int, ...], table: Table, n_inputs: int) -> tuple[int, ...]:
    """Return the shape of the images that rows are; that of the table, if its pixels are all."""
    if not shape:
        return table.image_shape if math.prod(table.image_shape) == n_inputs else ()
    if len(shape) not in (2, 3) or min(shape) < 1 or math.prod(shape) != n_inputs:
        allowed = f"height, width and perhaps channels of {n_inputs} inputs in all"
        raise OptionError("image_shape", " ".join(map(str, shape)), allowed)
    return shape


def _as_model(fitted: Predictor, rows: TableRows) -> Predictor:
    """Return the model on the columns of the table, not on the inputs that they became."""
    return replace(fitted, columns=rows.columns, targets=(rows.target,), classes=rows.classes)


def _facts(estimator: Any, rows: TableRows, scores: list[ModelScore]) -> dict[str, Any]:
    # Targets were brought to variance 1, so that R^2 is 1 less the mean square.
    most = 0.0 if rows.classes else 1.0
    facts: dict[str, Any] = {
        "scores": [{"name": score.name, "score": score.score} for score in scores],
        "path": [
            {"nnz": entry["nnz"], "score": most - entry["loss"], "se": entry["se"]}
            for entry in estimator.path_
        ],
    }
    found = estimator.predict(rows.test.X)
    if rows.classes:
        from sklearn.metrics import confusion_matrix

        labels = np.arange(len(rows.classes))
        facts["confusion"] = confusion_matrix(rows.test.y, found, labels=labels).tolist()
    else:
        facts["truth"] = rows.test.y[:_MOST_POINTS].tolist()
        facts["prediction"] = found[:_MOST_POINTS].tolist()
    return facts
