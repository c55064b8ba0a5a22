"""What a fit of method "auto" promises, which trains networks of all folds side by side."""

import itertools
import time

import numpy as np
import pytest
from sklearn.datasets import make_friedman1

from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor, _search
from sparsefit.estimators._search import SearchProfile
from sparsefit.methods.splice import Splice


def noisy(n=300, seed=0):
    """Return rows of Friedman's first function, with noise."""
    return make_friedman1(n, n_features=6, noise=1.0, random_state=seed)


def fit_watched(model, X, y):
    """Fit, and return what progress was told."""
    told = []
    model.set_params(verbose=lambda share, text: told.append((share, text))).fit(X, y)
    return [share for share, _ in told], [text for _, text in told]


def clock(monkeypatch, step):
    """Let each look at the clock of a search take `step` seconds."""
    began, looks = time.monotonic(), itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: began + step * next(looks))


@pytest.mark.parametrize(
    ("nnz", "is_exact"), [(30, False), (250, True), ("auto", False), ("auto", True)]
)
def test_progress_never_goes_back_and_names_folds_and_weights(nnz, is_exact, monkeypatch):
    monkeypatch.setattr(_search, "SEARCH", SearchProfile(first=20))
    X, y = noisy()
    y = np.maximum(X[:, 0] - X[:, 1], 0) if is_exact else y
    shares, texts = fit_watched(SparseMLPRegressor((8,), nnz=nnz, random_state=0), X, y)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.1
    assert 0.2 < shares[-1] <= 1
    assert len(set(shares)) > 10
    assert "networks of 1 weight on 5 folds and all rows" in texts


@pytest.mark.parametrize("Model", [SparseMLPRegressor, SparseMLPClassifier])
def test_a_time_limit_ends_the_comparison_early_and_leaves_a_model(Model, monkeypatch):
    X, y = noisy()
    y = y if Model is SparseMLPRegressor else np.digitize(y, [10, 15])
    whole, _ = fit_watched(Model((8,), nnz=30, random_state=0), X, y)
    clock(monkeypatch, 1.0)
    limited = Model((8,), nnz=30, random_state=0, time_limit=3.5)
    shares, _ = fit_watched(limited, X, y)
    assert len(shares) < len(whole) / 2
    assert 0 < limited.n_nonzero_ <= 30
    assert limited.score(X, y) > 0.4
    assert limited.path_


@pytest.mark.parametrize(("own", "least", "most"), [(None, 8.5, 9.5), (0.5, 0.5, 0.5)])
def test_a_time_limit_ends_explicit_methods_too(own, least, most, monkeypatch):
    limits, path = [], Splice.path

    def timed(self, *args):
        limits.append(self.time_limit)
        return path(self, *args)

    monkeypatch.setattr(Splice, "path", timed)
    clock(monkeypatch, 1.0)
    X, y = noisy()
    method = Splice(restarts=50, cycles=1000, time_limit=own)
    model = SparseMLPRegressor((8,), nnz=10, method=method, random_state=0, time_limit=9).fit(X, y)
    assert len(limits) < 4  # of all rows, not of all folds
    assert all(least <= limit <= most for limit in limits)
    assert 0 < model.n_nonzero_ <= 10
    assert model.score(X, y) > 0.4


def test_folds_that_there_is_no_time_for_are_not_compared(monkeypatch):
    X, y = noisy(120)
    looks = iter([False, False, False, True])
    monkeypatch.setattr(_search.Search, "_is_over", lambda search: next(looks))
    method = Splice(restarts=0, cycles=1)
    model = SparseMLPRegressor((4,), nnz=5, method=method, random_state=0).fit(X, y)
    assert next(looks, None) is None
    assert model.path_
    assert model.score(X, y) > 0.4


def test_a_time_limit_that_is_not_reached_changes_nothing():
    X, y = noisy(100)
    [free, limited] = [
        SparseMLPRegressor((8,), nnz=10, random_state=0, time_limit=limit).fit(X, y).predict(X)
        for limit in (None, 1e6)
    ]
    np.testing.assert_array_equal(free, limited)


@pytest.mark.parametrize("seed", range(3))
def test_auto_is_not_larger_than_the_best_and_within_a_standard_error_of_it(seed):
    X, y = noisy(seed=seed)
    default, auto = (
        SparseMLPRegressor((20,), nnz=nnz, random_state=seed).fit(X, y) for nnz in (100, "auto")
    )
    assert auto.n_nonzero_ <= default.n_nonzero_
    least = min(entry["loss"] for entry in default.path_)
    [kept] = [entry for entry in auto.path_ if entry["nnz"] >= auto.n_nonzero_][-1:]
    assert kept["loss"] <= least + kept["se_above"] + 1e-12


def test_a_network_that_is_exact_on_few_rows_only_is_not_taken_for_a_recovery(monkeypatch):
    """The rows behave alike but for a few that a draw of them may miss."""
    monkeypatch.setattr(_search, "SEARCH", SearchProfile(least_rows=60, rows_a_weight=1))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    y = np.maximum(X[:, 0] - X[:, 1], 0)
    y_broken = y + 0.5 * (np.arange(600) == 0)
    exact = SparseMLPRegressor((6,), nnz=10, random_state=0).fit(X, y)
    assert exact.status_ == "converged"
    assert exact.path_ == []
    broken = SparseMLPRegressor((6,), nnz=10, random_state=0).fit(X, y_broken)
    assert broken.path_ != []


def test_exact_networks_are_searched_for_on_a_draw_and_refitted_on_all(monkeypatch):
    monkeypatch.setattr(_search, "SEARCH", SearchProfile(least_rows=200, rows_a_weight=1))
    rows = []
    splice_path = Splice.path

    def path(self, problem, budgets, setting):
        rows.append(len(problem.X))
        return splice_path(self, problem, budgets, setting)

    monkeypatch.setattr(Splice, "path", path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 4))
    y = np.maximum(X[:, 0] - X[:, 1], 0) + X[:, 2]
    model = SparseMLPRegressor((6,), nnz=10, random_state=0).fit(X, y)
    assert set(rows) == {200}
    assert np.abs(model.predict(X) - y).max() < 1e-9
