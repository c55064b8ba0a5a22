"""Fit a model of a table, and say how good it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparsefit.core.errors import OptionError
from sparsefit.core.setting import no_progress
from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.predictor import Predictor
from sparsefit.tabular.baselines import ModelScore, baselines
from sparsefit.tabular.options import FitOptions
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
    table: Table, options: FitOptions, progress: Callable[[float, str], None] = no_progress
) -> Fitted:
    r"""Fit a column of a table by the others, and score it on rows that were held out.

    Parameters
    ----------
    table : Table
    options : FitOptions
    progress : callable, optional
        Gets the share that is done and a text.

    Raises
    ------
    DataError, OptionError
        If the table has no such columns, too few rows, or a target that says nothing.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sparsefit.tabular.table import open_table
    >>> lines = ["a,b,y", *(f"{i % 7},{i % 5},{2 * (i % 7)}" for i in range(60))]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     size = path.write_text("\n".join(lines))
    ...     fitted = fit_table(open_table(path), FitOptions(target="y", nnz=1, hidden=1))
    >>> fitted.scores[0].name, round(fitted.scores[0].score, 3), fitted.model.network.nnz
    ('sparse network', 1.0, 1)
    """
    rows = split_rows(table, options, lambda fraction, message: progress(0.1 * fraction, message))
    image_shape = _checked_shape(options.image_shape, table, rows.train.X.shape[1])
    kind = SparseMLPClassifier if rows.classes else SparseMLPRegressor
    estimator = kind(
        (options.hidden,), nnz=options.nnz, method=options.method, standardize=False,
        time_limit=options.time_limit, random_state=options.seed,
        verbose=lambda fraction, message: progress(0.1 + 0.8 * fraction, message),
    )  # fmt: skip
    y = rows.train.y.astype(np.int64) if rows.classes else rows.train.y
    estimator.fit(rows.train.X, y)
    progress(0.9, "baselines")
    model = _as_model(estimator.predictor_, rows)
    score, nnz = float(estimator.score(rows.test.X, rows.test.y)), estimator.n_nonzero_
    is_classes = bool(rows.classes)
    others = baselines(rows.train, rows.test, is_classes=is_classes, nnz=nnz, seed=options.seed)
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
        found = table.source.image_shape
        return found if math.prod(found) == n_inputs else ()
    if len(shape) not in (2, 3) or math.prod(shape) != n_inputs:
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
