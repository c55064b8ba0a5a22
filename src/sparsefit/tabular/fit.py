"""Fit a model of a table, and say how good it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sparsefit.core.errors import OptionError
from sparsefit.core.setting import no_progress
from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.predictor import Predictor
from sparsefit.predictor.lowering import n_numbers
from sparsefit.reading.table import Table
from sparsefit.tabular.baselines import MOST_ROWS, baselines
from sparsefit.tabular.options import FitOptions
from sparsefit.tabular.rows import TableRows, split_rows
from sparsefit.tabular.scores import (
    OF_CLASSES,
    OF_NUMBERS,
    ModelScore,
    losses_without,
    of_classes,
    of_numbers,
    recall,
)

# A page draws at most so many points of predictions.
_MOST_POINTS = 2000
# Of so many columns the names are printed.
_MOST_NAMED = 20
# A target of so few whole numbers may be one of classes.
_FEW_VALUES = 10


# What networks of numbers are compared by.
_PATH_MEASURES = {
    "auto": "R2", "huber": "minus Huber loss", "poisson": "minus half the deviance"
}  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """A model of a table.

    Attributes
    ----------
    model : Predictor
    scores : list of ModelScore
        Of the network, first, and of the baselines, on the test rows.
    measures : dict of str to str
        Names of what scores have.
    n_test : int
        Rows that were held out.
    remarks : list of str
        What to know of the model, in sentences.
    facts : dict
        What a report shows beside the model: scores, path, truth and prediction or confusion.
    """

    model: Predictor
    scores: list[ModelScore]
    measures: dict[str, str]
    n_test: int
    remarks: list[str]
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
    >>> from sparsefit.reading import open_table
    >>> lines = ["a,b,y", *(f"{i % 7},{i % 5},{2 * (i % 7)}" for i in range(60))]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     size = path.write_text("\n".join(lines))
    ...     fitted = fit_table(open_table(path), FitOptions(target="y", nnz=1, hidden=1))
    >>> fitted.scores[0].name, round(fitted.scores[0].score, 3), fitted.model.network.nnz
    ('sparse network', 1.0, 1)
    """
    fitted = fit_rows(split_rows(table, options, progress), options, progress)
    assert fitted is not None
    return fitted


def fit_rows(
    rows: TableRows, options: FitOptions, progress: Callable[[float, str], None] = no_progress
) -> Fitted | None:
    """Fit rows that are split, and score the model in the first process; see `fit_table`."""
    estimator = _kind(rows, options)(
        (options.hidden,), nnz=options.nnz, method=options.method, activation=options.activation,
        standardize=False, time_limit=options.time_limit, random_state=options.seed,
        verbose=lambda fraction, message: progress(0.1 + 0.8 * fraction, message),
    )  # fmt: skip
    y = rows.train.y.astype(np.int64) if rows.classes else rows.train.y
    some, share = rows.train.draw(MOST_ROWS, options.seed), rows.train.share
    if share is None:
        estimator.fit(rows.train.X, y)
    else:
        here = slice(share.first, share.first + len(rows.train.X))
        estimator.fit_part(rows.train.X, y[here], share.team)
        if share.team.rank:
            return None
    progress(0.9, "baselines")
    model = replace(
        estimator.predictor_, columns=rows.columns, targets=(rows.target,), classes=rows.classes,
        missing=rows.missing, source=rows.source,
    )  # fmt: skip
    X, truth = rows.test.X, rows.test.y
    found = estimator.predict_proba(X) if rows.classes else estimator.predict(X)
    measures = (of_classes if rows.classes else of_numbers)(truth, found)
    own = ModelScore("sparse network", measures, n_numbers(model))
    others = baselines(
        some, rows.test, n_classes=len(rows.classes), nnz=max(estimator.n_nonzero_, 1),
        seed=options.seed,
    )  # fmt: skip
    scores = [own, *others]
    facts = _facts(estimator, rows, model, scores, found, options.seed)
    if rows.image_shape:
        facts["image_shape"] = rows.image_shape
    progress(1.0, "done")
    return Fitted(
        model, scores, OF_CLASSES if rows.classes else OF_NUMBERS, len(rows.test.y),
        _remarks(model, rows), facts,
    )  # fmt: skip


def _kind(rows: TableRows, options: FitOptions) -> Callable[..., Any]:
    """Return the estimator that suits the target, with what it alone is told."""
    if rows.classes:
        if options.loss != "auto":
            raise OptionError("loss", options.loss, "left out for a target of classes")
        return partial(SparseMLPClassifier, class_weight=options.class_weight)
    if options.class_weight is not None:
        allowed = "left out for a target of numbers"
        raise OptionError("class_weight", options.class_weight, allowed)
    return partial(SparseMLPRegressor, loss=options.loss)


def _remarks(model: Predictor, rows: TableRows) -> list[str]:
    used = model.live_sources
    shown = used[:_MOST_NAMED]
    if len(used) > _MOST_NAMED:
        shown.append(f"and {len(used) - _MOST_NAMED} more")
    found = [f"{len(rows.train.y)} rows fitted; columns used: {', '.join(shown) or 'none'}"]
    if not used:
        found.append("nothing beats a constant: no column says anything of the target")
    if rows.n_without_target:
        found.append(f"{rows.n_without_target} rows without a target left out")
    values = np.unique(rows.train.y)
    is_whole = bool((values == np.round(values)).all())
    if not rows.classes and len(values) <= _FEW_VALUES and is_whole:
        listed = ", ".join(f"{value:g}" for value in values)
        found.append(f"the target is one of {listed}: --classes takes these as classes")
    counts = np.bincount(rows.train.y.astype(np.int64)) if rows.classes else ()
    alone = [label for label, count in zip(rows.classes, counts, strict=True) if count == 1]
    if alone:
        found.append(f"only one row was fitted of class {', '.join(alone)}")
    return found


def _facts(
    estimator: Any, rows: TableRows, model: Predictor, scores: list[ModelScore],
    found: np.ndarray, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return what a report shows; `found` are values or probabilities of the test rows."""
    measure = "minus log loss" if rows.classes else _PATH_MEASURES[estimator.loss]
    # Targets were brought to variance 1, so that R^2 is 1 less the mean square.
    most = 1.0 if measure == "R2" else 0.0
    names = OF_CLASSES if rows.classes else OF_NUMBERS
    test = rows.test
    facts: dict[str, Any] = {
        "measures": names,
        "scores": [
            {"name": score.name, "score": score.score, **score.measures, "numbers": score.size}
            for score in scores
        ],
        "path_measure": measure,
        "path": [
            {"nnz": entry["nnz"], "score": most - entry["loss"], "se": entry["se"]}
            for entry in estimator.path_
        ],
        "importances": losses_without(
            estimator, test.X[:_MOST_POINTS], test.y[:_MOST_POINTS],
            {name: model.inputs_by_source[name] for name in model.live_sources}, seed=seed,
        ),
    }  # fmt: skip
    if rows.classes:
        from sklearn.metrics import confusion_matrix

        labels, truth = np.arange(len(rows.classes)), test.y.astype(np.int64)
        recalls = recall(truth, found)
        facts["recall"] = dict(zip(rows.classes, recalls, strict=True))
        counts = confusion_matrix(truth, found.argmax(axis=1), labels=labels)
        facts["confusion"] = counts.tolist()
    else:
        facts["truth"] = test.y[:_MOST_POINTS].tolist()
        facts["prediction"] = found[:_MOST_POINTS].tolist()
    return facts
