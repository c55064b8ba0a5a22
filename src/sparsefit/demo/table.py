"""A table that scikit-learn brings along, as a formula, beside a dense network and boosting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sparsefit.demo.parts import Part, Progress
from sparsefit.figures._style import COLORS, SETTINGS, new_figure, svg

# Columns of the data, in words.
NAMES = {
    "bmi": "bmi", "bp": "pressure", "s1": "cholesterol", "s2": "ldl", "s3": "hdl", "s4": "ratio",
    "s5": "log_triglycerides", "s6": "glucose",
}  # fmt: skip
TARGET = "progression"


def fit_diabetes(folder: Path, progress: Progress) -> Part:
    """Fit how far diabetes has progressed in a year, and leave the table in a folder."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from sparsefit.core.device import limited_threads
    from sparsefit.estimators import SparseMLPRegressor

    names, X, y = _load(folder / "diabetes.csv")
    train, test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
    sparse: Any = SparseMLPRegressor(
        (20,), nnz="auto", random_state=0, verbose=lambda share, text: progress(0.5 * share)
    )
    dense: Any = MLPRegressor(
        hidden_layer_sizes=(100,), max_iter=1000, early_stopping=True, random_state=0
    )
    boosting = HistGradientBoostingRegressor(random_state=0)
    ridge = RidgeCV(np.logspace(-3, 3, 13))
    scores: list[tuple[str, float]] = []
    with limited_threads(1):
        for name, model in (
            ("sparse network", sparse),
            ("ridge", make_pipeline(StandardScaler(), ridge)),
            ("gradient boosting", boosting),
            ("dense network", make_pipeline(StandardScaler(), dense)),
        ):
            own = (y_train - y_train.mean()) / y_train.std()
            model.fit(train, y_train if model is sparse else own)
            guess = model.predict(test)
            guess = guess if model is sparse else y_train.mean() + y_train.std() * guess
            progress(0.5 + 0.125 * len(scores))
            scores.append((name, float(1 - np.mean((y_test - guess) ** 2) / np.var(y_test))))
    sizes = {
        "sparse network": sparse.n_nonzero_ + 1,
        "ridge": X.shape[1] + 1,
        "gradient boosting": _n_nodes(boosting),
        "dense network": sum(w.size for w in (*dense.coefs_, *dense.intercepts_)),
    }
    columns = sparse.predictor_.columns
    formula = str(_named(sparse, names, columns).formula())
    rows = [["model", "R² on held-out rows", "numbers"]]
    rows += [[name, f"{score:.3f}", f"{sizes[name]:,}"] for name, score in scores]
    others = f"gradient boosting {rows[3][1]} with {rows[3][2]} numbers"
    result = (
        f"{len(X)} patients: R² {rows[1][1]} with {rows[1][2]} numbers, a formula; {others}, "
        f"a dense network {rows[4][1]} with {rows[4][2]}"
    )
    return Part(
        "A table, as a formula", result, rows, formula,
        _picture(scores, sizes),
        "Score on held-out rows against size, on a logarithmic scale.",
    )  # fmt: skip


def _load(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names, columns and target, and write them as a table."""
    from sklearn.datasets import load_diabetes

    data: Any = load_diabetes(scaled=False)
    names = [NAMES.get(name, name) for name in data.feature_names]
    rows = np.column_stack([data.data, data.target])
    header = ",".join([*names, TARGET])
    np.savetxt(path, rows, delimiter=",", header=header, comments="", fmt="%g")
    return names, data.data, data.target


def _named(model: Any, names: list[str], columns: Any) -> Any:
    """Return the predictor with the names of the columns."""
    from dataclasses import replace

    renamed = tuple(replace(c, name=name) for c, name in zip(columns, names, strict=True))
    return replace(model.predictor_, columns=renamed, targets=(TARGET,))


def _n_nodes(boosting: Any) -> int:
    """Return the numbers of all trees: a threshold for each inner node, a value for each leaf."""
    return sum(len(tree.nodes) for stage in boosting._predictors for tree in stage)


def _picture(scores: list[tuple[str, float]], sizes: dict[str, int]) -> bytes:
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        figure = new_figure(7.0, 2.6)
        ax = figure.subplots()
        for (name, score), color in zip(scores, COLORS, strict=False):
            ax.scatter(sizes[name], score, s=60, color=color)
            # Linear models are as good as the network and nearly as small: below the point.
            shift = (7, -14) if name == "ridge" else (7, 5)
            ax.annotate(name, (sizes[name], score), xytext=shift, textcoords="offset points")
        ax.set_xscale("log")
        ax.set(xlabel="numbers in the model", ylabel="R² on held-out rows")
        low = min(score for _, score in scores)
        ax.set_ylim(low - 0.03, max(score for _, score in scores) + 0.05)
        ax.set_xlim(right=max(sizes.values()) * 4)
        return svg(figure)
