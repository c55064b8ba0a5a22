"""Small tables: networks of few weights beside other models, on rows that were held out.

    pip install lassonet
    python benchmarks/tables.py [--repeats 1] [--jobs 2] [--sets wine ...] [--models l1 ...]
        [--out tables.jsonl]

For six data sets, repeated 5-fold cross-validation: R^2 or accuracy of `SparseMLPRegressor` and
`SparseMLPClassifier` at 10, 20, 50 and 100 weights and with ``nnz="auto"``, of an l1 linear model
and of LassoNet with at most so many weights, of a dense MLP and of gradient boosting. Every model
chooses its own settings on the training rows alone. What was measured is appended to the file, and
not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import Lasso, LogisticRegression, lasso_path
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor

TOY = ["--sets", "diabetes", "--models", "boosting", "--jobs", "1"]
BUDGETS = (10, 20, 50, 100)
SETS: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "friedman1": lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "friedman2": lambda: datasets.make_friedman2(1000, noise=100.0, random_state=0),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
}
# A model that was fitted: how it predicts, and the numbers it stores.
Fitted = tuple[Callable[[np.ndarray], np.ndarray], int]


def is_classes(y: np.ndarray) -> bool:
    return y.dtype.kind == "i"


def ours(X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[tuple[Any, Fitted]]:
    """Fit each budget by itself, as a user would who asks for one."""
    for nnz in BUDGETS:
        yield nnz, fitted(X, y, nnz, seed)


def automatic(X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[tuple[Any, Fitted]]:
    yield "auto", fitted(X, y, "auto", seed)


def fitted(X: np.ndarray, y: np.ndarray, nnz: Any, seed: int) -> Fitted:
    kind = SparseMLPClassifier if is_classes(y) else SparseMLPRegressor
    model = kind(nnz=nnz, random_state=seed).fit(X, y)
    return model.predict, model.n_nonzero_


def l1(X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[tuple[Any, Fitted]]:
    """Choose the penalty by 5-fold cross-validation among those with few enough weights."""
    if is_classes(y):
        solver = "liblinear" if len(np.unique(y)) == 2 else "saga"
        path = [
            LogisticRegression(C=C, l1_ratio=1.0, solver=solver, max_iter=200)
            for C in np.geomspace(1e-3, 1e2, 51)
        ]
    else:
        alphas, _, _ = lasso_path(X, y - y.mean(), n_alphas=100)
        path = [Lasso(alpha=alpha) for alpha in alphas]
    scored = []
    for model in path:
        count = np.count_nonzero(model.fit(X, y).coef_)
        scored.append((cross_val_score(model, X, y).mean(), count, model))
        if count > max(BUDGETS):
            break
    for nnz in BUDGETS:
        _, count, model = max((s for s in scored if s[1] <= nnz), key=lambda s: s[0])
        yield nnz, (model.predict, int(count))


def lassonet(X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[tuple[Any, Fitted]]:
    """Choose the hidden units and the penalty on a fifth of the rows."""
    from lassonet import LassoNetClassifier, LassoNetRegressor

    X, X_val, y, y_val = train_test_split(
        X, y, test_size=0.2, random_state=seed, stratify=y if is_classes(y) else None
    )
    mean, scale = (0, 1) if is_classes(y) else (y.mean(), y.std())
    kind = LassoNetClassifier if is_classes(y) else LassoNetRegressor
    found = []
    for hidden in (2, 5, 10):
        net = kind(
            hidden_dims=(hidden,), random_state=seed, torch_seed=seed, verbose=0,
            path_multiplier=1.05,
        )  # fmt: skip
        y_fit, y_check = y, y_val
        if not is_classes(y):
            y_fit, y_check = (y - mean) / scale, (y_val - mean) / scale
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = net.path(X, y_fit, X_val=X_val, y_val=y_check, return_state_dicts=True)
        for item in path:
            count = sum(int(np.count_nonzero(part)) for part in item.state_dict.values())
            found.append((item.val_loss, count, net, item.state_dict))
    for nnz in BUDGETS:
        few = [item for item in found if item[1] <= nnz] or [min(found, key=lambda item: item[1])]
        _, count, net, state = min(few, key=lambda item: item[0])

        def predict(Z: np.ndarray, net: Any = net, state: Any = state) -> np.ndarray:
            net.load(state)
            out = net.predict(Z)
            return np.asarray(out if is_classes(y) else out.ravel() * scale + mean)

        yield nnz, (predict, count)


def dense(X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[tuple[Any, Fitted]]:
    """Choose the ridge by 5-fold cross-validation."""
    grid = [1e-4, 1e-2, 1.0, 10.0]
    if is_classes(y):
        model = GridSearchCV(MLPClassifier(random_state=seed, max_iter=500), {"alpha": grid})
    else:
        net = MLPRegressor(random_state=seed, max_iter=500)
        whole = TransformedTargetRegressor(net, transformer=StandardScaler())
        model = GridSearchCV(whole, {"regressor__alpha": grid})
    best = model.fit(X, y).best_estimator_
    net = best if is_classes(y) else best.regressor_
    yield None, (model.predict, sum(part.size for part in (*net.coefs_, *net.intercepts_)))


def boosting(X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[tuple[Any, Fitted]]:
    """Fit 100 trees of depth 3; a node stores a feature, a threshold and a value."""
    kind = GradientBoostingClassifier if is_classes(y) else GradientBoostingRegressor
    model = kind(random_state=seed).fit(X, y)
    size = 3 * sum(tree.tree_.node_count for tree in model.estimators_.ravel())
    yield None, (model.predict, size)


MODELS = {
    "sparsefit": ours, "auto": automatic, "l1": l1, "LassoNet": lassonet, "MLP": dense,
    "boosting": boosting,
}  # fmt: skip


def measure(name: str, model: str, split: int, repeats: int) -> list[dict[str, Any]]:
    """Fit one model to the training part of one split, and test it."""
    import torch

    torch.set_num_threads(1)
    X, y = SETS[name]()
    kind = RepeatedStratifiedKFold if is_classes(y) else RepeatedKFold
    splits = kind(n_splits=5, n_repeats=repeats, random_state=0).split(X, y)
    train, test = list(splits)[split]
    scaler = StandardScaler().fit(X[train])
    X = scaler.transform(X)
    rows, start = [], time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for nnz, (predict, count) in MODELS[model](X[train], y[train], split):
            value = predict(X[test])
            missed = np.sum((y[test] - value) ** 2) / np.sum((y[test] - y[test].mean()) ** 2)
            score = np.mean(value == y[test]) if is_classes(y) else 1 - missed
            seconds, start = time.process_time() - start, time.process_time()
            row = {"set": name, "model": model, "split": split, "nnz": nnz, "score": float(score)}
            rows.append({**row, "count": int(count), "seconds": round(seconds, 2)})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means with their standard errors, as Markdown."""
    lines = [
        "| set | weights | sparsefit | l1 | LassoNet | MLP | boosting |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["set"] for row in rows):
        for nnz in (*BUDGETS, "auto"):
            cells = []
            for models in [("sparsefit", "auto"), *((model,) for model in list(MODELS)[2:])]:
                of_model = [row for row in rows if row["set"] == name and row["model"] in models]
                cells.append(_cell([row for row in of_model if row["nnz"] in (nnz, None)]))
            lines.append(f"| {name} | {nnz} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    scores, counts = ([row[key] for row in rows] for key in ("score", "count"))
    error = np.std(scores, ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.nan
    return f"{np.mean(scores):.3f} ± {error:.3f} ({np.mean(counts):.0f})"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is not in the file, and print it all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("tables.jsonl"))
    args = parser.parse_args(argv)
    args.out.touch()
    known = [json.loads(line) for line in args.out.read_text().splitlines()]
    done = {(row["set"], row["model"], row["split"]) for row in known}
    jobs = [
        joblib.delayed(measure)(name, model, split, args.repeats)
        for split in range(5 * args.repeats)
        for name in args.sets
        for model in args.models
        if (name, model, split) not in done
    ]
    for rows in joblib.Parallel(args.jobs, return_as="generator_unordered")(jobs):
        known += rows
        with args.out.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    print(table(known))


if __name__ == "__main__":
    main()
