"""What the estimators promise beyond scikit-learn's own checks."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_poisson_deviance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsefit.core.errors import ParameterError, SparsefitError
from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.estimators._merge import merge_rows
from sparsefit.estimators._profiles import Folds
from sparsefit.estimators._search import SearchProfile
from sparsefit.methods.fisher_gmp import FisherPruning
from sparsefit.methods.splice import Splice
from sparsefit.predictor import Predictor

QUICK = {"hidden_layer_sizes": (8,), "random_state": 0}
REGRESSOR = SparseMLPRegressor(
    **QUICK, nnz=20, folds=0, method=Splice(restarts=0, cycles=1, start_steps=200)
)
CLASSIFIER = SparseMLPClassifier(**QUICK, nnz=20, folds=0, method=FisherPruning(epochs=60))
BOTH = [REGRESSOR, CLASSIFIER]


@parametrize_with_checks(BOTH)
def test_all_checks_of_scikit_learn_pass(estimator, check):
    with warnings.catch_warnings():
        # Checks warn about what they leave out, and give columns where rows are meant.
        warnings.simplefilter("ignore")
        check(estimator)


def planted(n=300, noise=0.0):
    """Return rows whose target is one ReLU unit of two inputs, and a line."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)) * [1, 10, 1, 1, 1, 100] + 5
    y = 3 * np.maximum(X[:, 0] - X[:, 1] / 10 - 4.5, 0) + X[:, 5] / 50 + noise * rng.normal(size=n)
    return X, y


def test_a_planted_function_is_found_with_its_inputs():
    X, y = planted()
    model = SparseMLPRegressor((4,), nnz=6, random_state=0).fit(X, y)
    assert model.score(X, y) > 1 - 1e-9
    assert model.support_.tolist() == [0, 1, 5]
    assert model.n_nonzero_ <= 6
    layers = model.predictor_.network.all_layers
    biases = sum(np.count_nonzero(layer.bias) for layer in layers if layer.bias is not None)
    assert model.n_nonzero_ == sum(weight.nnz for weight in model.coefs_) + biases
    importances = model.feature_importances_
    assert importances.sum() == pytest.approx(1)
    assert np.flatnonzero(importances).tolist() == [0, 1, 5]


@pytest.mark.parametrize("nnz", [12, "auto"])
def test_validation_leaves_weights_out_that_only_fit_noise(nnz):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 8))
    y = X[:, 0] + 0.5 * rng.normal(size=120)
    method = Splice(restarts=0, cycles=2, start_steps=300)
    model = SparseMLPRegressor((5,), nnz=nnz, random_state=0, method=method).fit(X[:80], y[:80])
    free = SparseMLPRegressor((5,), nnz=12, random_state=0, method=method, folds=0, alpha=0)
    assert model.score(X[80:], y[80:]) > free.fit(X[:80], y[:80]).score(X[80:], y[80:])
    assert 0 in model.support_
    sizes = [entry["nnz"] for entry in model.path_]
    assert sizes == sorted(sizes, reverse=True)
    least = min(model.path_, key=lambda entry: entry["loss"])
    allowed = [e for e in model.path_ if e["loss"] <= least["loss"] + e["se_above"]]
    expected = allowed[-1] if nnz == "auto" else least
    assert model.n_nonzero_ <= expected["nnz"]


def test_a_ridge_makes_weights_smaller_and_alpha_is_its_size():
    X, y = planted(noise=1.0)
    sizes = []
    for alpha in (0, 0.1, 1.0):
        model = SparseMLPRegressor(
            (4,), nnz=8, alpha=alpha, folds=0, random_state=0, method=REGRESSOR.method
        )
        sizes.append(sum(np.square(w.data).sum() for w in model.fit(X, y).coefs_))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 0.8 * sizes[0]


@pytest.mark.parametrize("estimator", BOTH, ids=["regressor", "classifier"])
def test_frames_sparse_matrices_pickles_and_orders_of_rows_give_one_answer(estimator):
    X, y = planted()
    y = y if estimator is REGRESSOR else np.digitize(y, [1, 3])
    expected = estimator.fit(X, y).predict(X)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    np.testing.assert_array_equal(estimator.fit(frame, y).predict(frame), expected)
    assert [column.name for column in estimator.predictor_.columns] == list("abcdef")
    loaded = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(loaded.predict(frame), expected)
    order = np.random.default_rng(1).permutation(len(X))
    shuffled = estimator.fit(sparse.csr_array(X[order]), y[order])
    np.testing.assert_array_equal(shuffled.predict(sparse.csr_array(X)), expected)


def test_labels_of_any_kind_come_back_and_probabilities_belong_to_them():
    X, y = planted()
    for edges, labels in (([1, 3], np.array(["low", "mid", "high"])), ([2], np.array([-1, 1]))):
        target = labels[np.digitize(y, edges)]
        model = CLASSIFIER.fit(X, target)
        assert set(model.predict(X)) <= set(labels)
        assert model.score(X, target) > 0.7
        p = model.predict_proba(X)
        np.testing.assert_allclose(p.sum(axis=1), 1)
        np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], model.predict(X))


def test_several_targets_are_fitted_by_one_network():
    X, y = planted()
    Y = np.column_stack([y, -2 * y + X[:, 2]])
    model = SparseMLPRegressor((4,), nnz=20, random_state=0, folds=0).fit(X, Y)
    assert model.predict(X).shape == Y.shape
    assert model.score(X, Y) > 0.99
    assert model.n_nonzero_ <= 20


def test_works_in_pipelines_and_grid_search():
    X, y = planted()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), REGRESSOR), {"sparsemlpregressor__nnz": [1, 8]}, cv=2
    )
    assert search.fit(X, y).best_params_ == {"sparsemlpregressor__nnz": 8}


def test_a_fitted_model_is_saved_and_read_as_it_was(tmp_path):
    X, y = planted()
    model = REGRESSOR.fit(X, y)
    model.predictor_.save(tmp_path / "model")
    loaded = Predictor.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.outputs(X)[:, 0], model.predict(X))


def test_a_method_that_takes_no_weights_says_which_do():
    X, y = planted(50)
    model = SparseMLPRegressor(**QUICK, method="aiht", folds=0, skip=False)
    with pytest.raises(SparsefitError, match=r"'aiht' takes no sample weights; methods .*splice"):
        model.fit(X, y, sample_weight=np.arange(1, 51))


def test_many_rows_are_searched_on_a_draw_and_refitted_on_all(monkeypatch):
    monkeypatch.setattr("sparsefit.estimators._search.SEARCH", SearchProfile(most_rows=200))
    monkeypatch.setattr("sparsefit.estimators._base.FOLDS", Folds(most_rows=300))
    X, y = planted(2000, noise=1.0)
    rows = []

    class Spy(Splice):
        def path(self, problem, budgets, setting):
            rows.append(len(problem.X))
            return super().path(problem, budgets, setting)

    model = SparseMLPRegressor(
        (4,), nnz=6, random_state=0, method=Spy(restarts=0, cycles=2, start_steps=300)
    )
    found = model.fit(X, y).predict(X)
    assert rows == [200]
    # Of least squares on all rows, not on the draw: no multiple of the network is nearer.
    network = found - y.mean()
    assert abs(network @ (y - found)) < 1e-4 * (network @ network)


@pytest.mark.parametrize("nnz", [20, "auto"])
def test_of_noise_nothing_but_a_constant_is_learned(nnz):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(300, 8)), rng.normal(size=300)
    numbers = SparseMLPRegressor((5,), nnz=nnz, random_state=0).fit(X, y)
    classes = SparseMLPClassifier((5,), nnz=nnz, random_state=0).fit(X, y > 0.5)
    for model in (numbers, classes):
        assert model.support_.tolist() == []
        assert model.path_[-1]["nnz"] <= 1
    np.testing.assert_allclose(numbers.predict(X), y.mean())
    np.testing.assert_allclose(classes.predict_proba(X)[:, 1], (y > 0.5).mean(), atol=0.03)


@pytest.mark.parametrize("estimator", BOTH, ids=["regressor", "classifier"])
def test_a_path_has_a_fitted_model_of_each_budget_in_the_order_asked(estimator):
    X, y = planted(noise=0.3)
    y = y if estimator is REGRESSOR else np.digitize(y, [1, 3])
    models = clone(estimator).set_params(folds=2).path(X, y, [3, 20, 0.05])
    assert [model.nnz for model in models] == [3, 20, 0.05]
    assert models[0].n_nonzero_ <= 3 < models[1].n_nonzero_ <= 20
    assert models[1].score(X, y) > models[0].score(X, y)
    assert [entry["nnz"] for entry in models[0].path_ if entry["nnz"]] == [3, 2, 1]
    alone = clone(estimator).set_params(folds=0)
    [same] = alone.path(X, y, [9])
    expected = alone.set_params(nnz=9).fit(X, y).predict(X)
    np.testing.assert_array_equal(same.predict(X), expected)


@pytest.mark.parametrize("nnz", [40, "auto"])
def test_an_exact_network_is_cut_down_to_few_weights(nnz):
    X, y = planted()
    model = SparseMLPRegressor((4,), nnz=nnz, random_state=0).fit(X, y)
    assert model.score(X, y) > 1 - 1e-9
    assert model.n_nonzero_ <= 10


def test_rows_that_a_network_only_interpolates_are_not_taken_for_a_recovery():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4)), rng.normal(size=20)
    model = SparseMLPRegressor((20,), nnz=60, random_state=0, method=Splice(restarts=0, cycles=5))
    assert clone(model).set_params(folds=0).fit(X, y).score(X, y) > 1 - 1e-9
    assert model.fit(X, y).score(X, y) < 0.9


def in_parts(model, X, y, size, **first):
    for start in range(0, len(X), size):
        model.partial_fit(X[start : start + size], y[start : start + size], **first)
    return model


@pytest.mark.parametrize("weight", [None, np.repeat([0.5, 1.0, 2.0, 3.0], 100)])
def test_parts_give_a_linear_model_of_all_rows(weight):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5)) + 3
    y = X[:, 1] - 2 * X[:, 3] + 0.5 * rng.normal(size=400) + np.arange(400) / 400
    model = clone(REGRESSOR).set_params(nnz=2)
    for part in np.split(np.arange(400), 4):
        model.partial_fit(X[part], y[part], None if weight is None else weight[part])
    few = model.support_
    assert few.tolist() == [1, 3]
    expected = LinearRegression().fit(X[:, few], y, weight).predict(X[:, few])
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-4)


def test_parts_bring_a_network_near_that_of_all_rows():
    X, y = planted(2000, noise=1.0)
    model = clone(REGRESSOR).set_params(nnz=6)
    first = clone(model).fit(X[:100], y[:100]).score(X, y)
    best = clone(model).fit(X, y).score(X, y)
    last = in_parts(model, X, y, 100).score(X, y)
    assert model.n_nonzero_ <= 6
    assert best - last < 0.2 * (best - first)


def test_parts_of_a_classification_may_lack_classes_that_are_named_first():
    X, y = planted(1200, noise=0.3)
    labels = np.array(["high", "low", "mid"])[np.digitize(y, [1, 3])]
    order = np.argsort(labels[:300] == "low", kind="stable")
    X[:300], labels[:300] = X[order], labels[order]
    model = clone(CLASSIFIER)
    model.partial_fit(X[:200], labels[:200], classes=["low", "mid", "high"])
    before = model.score(X, labels)
    for start in range(200, 1200, 200):
        model.partial_fit(X[start : start + 200], labels[start : start + 200])
    assert model.classes_.tolist() == ["high", "low", "mid"]
    assert "low" in model.predict(X)
    assert model.score(X, labels) > before + 0.05
    with pytest.raises(ParameterError, match="labels in classes_ only, got 'top'"):
        model.partial_fit(X[:5], np.array(["low", "top", "mid", "mid", "low"]))


def test_partial_fit_changes_networks_with_biases_in_every_layer():
    X, y = planted(100)
    deep = SparseMLPRegressor(
        (4, 4), nnz=30, folds=0, random_state=0, skip=False, method=FisherPruning(epochs=20)
    )
    deep.partial_fit(X, y)
    assert any(deep.intercepts_[1])
    before = deep.score(X, y)
    assert deep.partial_fit(X, y).score(X, y) >= before


def test_a_pickle_is_as_small_as_what_it_predicts_with_and_holds_no_rows(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 40))
    y = np.maximum(X @ rng.normal(size=(40, 30)), 0).sum(axis=1)
    model = SparseMLPRegressor((100,), nnz=599, random_state=0, method=FisherPruning(epochs=3))
    model.set_params(folds=0).fit(X, y)
    assert model.n_nonzero_ > 500
    model.predictor_.save(tmp_path / "model")
    # Names, scales and the network in the words of pickle, but neither rows nor p x p numbers.
    assert len(pickle.dumps(model)) < 3 * (tmp_path / "model").stat().st_size


@pytest.mark.parametrize("estimator", BOTH, ids=["regressor", "classifier"])
def test_a_saved_model_goes_on_if_it_was_fitted_in_parts_and_says_so_if_not(estimator):
    X, y = planted(200)
    y = y if estimator is REGRESSOR else np.digitize(y, [1, 3])
    first, rest = (X[:100], y[:100]), (X[100:], y[100:])
    fitted, in_parts = clone(estimator).fit(*first), clone(estimator).partial_fit(*first)
    loaded, going_on = (pickle.loads(pickle.dumps(model)) for model in (fitted, in_parts))
    expected = fitted.partial_fit(*rest).predict(X)
    np.testing.assert_array_equal(going_on.partial_fit(*rest).predict(X), expected)
    with pytest.raises(SparsefitError, match="partial_fit needs the rows of the first fit") as info:
        loaded.partial_fit(*rest)
    assert str(info.value).count(".") == 0
    twice = pickle.loads(pickle.dumps(fitted)).partial_fit(*rest).predict(X)
    np.testing.assert_array_equal(twice, fitted.partial_fit(*rest).predict(X))


def test_copies_of_a_fitted_model_go_on_alone():
    X, y = planted(200)
    model = clone(REGRESSOR).fit(X[:100], y[:100])
    for copied in (copy.copy(model), copy.deepcopy(model)):
        before = model.predict(X)
        expected = clone(REGRESSOR).fit(X[:100], y[:100]).partial_fit(X[100:], y[100:])
        copied.partial_fit(X[100:], y[100:])
        np.testing.assert_array_equal(copied.predict(X), expected.predict(X))
        np.testing.assert_array_equal(model.predict(X), before)


def test_huber_finds_the_function_behind_outliers_that_hide_it_from_least_squares():
    X, truth = planted(400, noise=0.0)
    rng = np.random.default_rng(1)
    y = truth + 0.1 * rng.normal(size=400)
    y[::20] += 100 * rng.normal(size=20)
    errors = {}
    for loss in ("squared_error", "huber"):
        model = SparseMLPRegressor((4,), nnz=6, loss=loss, random_state=0, folds=0)
        model.set_params(method=FisherPruning(epochs=300)).fit(X, y)
        errors[loss] = np.square(model.predict(X) - truth).mean() / truth.var()
    assert errors["huber"] < 0.1 < errors["squared_error"]
    weighted = clone(model).fit(X, y, sample_weight=np.where(np.arange(400) % 20, 2.0, 1.0))
    assert np.square(weighted.predict(X) - truth).mean() < 0.1 * truth.var()


def test_rows_of_few_categories_that_come_often_are_all_seen_in_each_fold():
    level = np.arange(60) % 5
    X, y = np.eye(5)[level], level.astype(float)
    assert SparseMLPRegressor((4,), nnz=10, random_state=0).fit(X, y).score(X, y) > 0.9999
    rng = np.random.default_rng(0)
    party = rng.integers(0, 3, 500), rng.integers(0, 2, 500)
    X = np.hstack([np.eye(3)[party[0]], np.eye(2)[party[1]]])
    chance = np.array([0.1, 0.5, 0.9])[party[0]] - 0.08 * party[1]
    y = rng.random(500) < chance
    model = SparseMLPClassifier((4,), nnz=10, random_state=0).fit(X, y)
    assert np.abs(model.predict_proba(X)[:, 1] - chance).max() < 0.12


@pytest.mark.parametrize("size", [1e-300, 1e-38, 1e38, 1e300])
def test_targets_of_any_size_are_fitted(size):
    X = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    y = 2 * np.maximum(X[:, 0].astype(float), 0) * size
    found = SparseMLPRegressor((3,), nnz=4, random_state=0).fit(X, y).predict(X)
    np.testing.assert_allclose(found / size, y / size, atol=1e-4)


def test_class_weights_count_as_weights_of_rows_and_find_rare_classes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    y = np.where(X[:, 0] + rng.normal(size=500) > 2.2, "rare", "often")
    plain = SparseMLPClassifier((3,), nnz=6, random_state=0)
    weights = {"rare": 4.0}
    by_class = clone(plain).set_params(class_weight=weights).fit(X, y)
    by_row = clone(plain).fit(X, y, sample_weight=np.where(y == "rare", 4.0, 1.0))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    balanced = clone(plain).set_params(class_weight="balanced").fit(X, y)
    recalls = [
        (model.predict(X) == "rare")[y == "rare"].mean() for model in (plain.fit(X, y), balanced)
    ]
    assert recalls[0] < 0.6 < 0.7 < recalls[1]
    for wrong in ("equal", {"other": 1}, {"rare": -1}, 3, {"rare": 0, "often": 0}):
        with pytest.raises(ParameterError, match="class_weight must be None, 'balanced' or"):
            clone(plain).set_params(class_weight=wrong).fit(X, y)


def test_counts_are_fitted_by_their_deviance():
    X, z = planted(600, noise=0.0)
    mean = np.exp((z - z.mean()) / z.std())
    y = np.random.default_rng(1).poisson(mean).astype(float)
    found = {}
    for loss in ("squared_error", "poisson"):
        model = SparseMLPRegressor((5,), nnz=12, loss=loss, random_state=0).fit(X[:400], y[:400])
        found[loss] = mean_poisson_deviance(y[400:], model.predict(X[400:]).clip(1e-2))
    best = mean_poisson_deviance(y[400:], mean[400:])
    assert found["poisson"] < 1.1 * best
    assert found["poisson"] < found["squared_error"]
    assert model.predict(X).min() > 0
    # Weights count as rows would, and counts of two kinds are each of their own mean.
    twice = clone(model).fit(np.vstack([X, X]), np.append(y, y))
    weighted = clone(model).fit(X, y, sample_weight=np.full(len(y), 2.0))
    np.testing.assert_allclose(twice.predict(X), weighted.predict(X), rtol=1e-6)
    both = clone(model).fit(X, np.column_stack([y, 1000 * y]))
    assert both.predict(X).mean(axis=0) == pytest.approx([y.mean(), 1000 * y.mean()], rel=0.1)
    with pytest.raises(ParameterError, match="y must be >= 0, and above it somewhere, got -1"):
        clone(model).fit(X, y - 1)


@pytest.mark.parametrize("edges", [[2], [1, 3]], ids=["two", "three"])
def test_a_classifier_by_squared_error_gives_labels_but_no_probabilities(edges):
    X, y = planted()
    labels = np.digitize(y, edges)
    model = SparseMLPClassifier(
        (8,), nnz=20, loss="squared_error", folds=0, random_state=0, method=REGRESSOR.method
    )
    assert model.fit(X, labels).score(X, labels) > 0.7
    assert not hasattr(model, "predict_proba")
    assert hasattr(model.set_params(loss="log_loss"), "predict_proba")


@pytest.mark.parametrize("options", [{}, {"loss": "huber"}, {"skip": False}, {"nnz": "auto"}])
def test_constant_targets_take_no_weights(options):
    X, _ = planted(50)
    Y = np.full((50, 2), [3.0, -1.0])
    model = SparseMLPRegressor((4,), random_state=0, **options).fit(X, Y)
    assert model.n_nonzero_ == 0
    np.testing.assert_array_equal(model.predict(X), Y)
    assert model.feature_importances_.tolist() == [0] * 6
    assert model.partial_fit(X, Y + 1).predict(X)[0] == pytest.approx([3.5, -0.5])


def test_equal_rows_become_one_of_summed_weight_and_rows_of_none_go():
    X = np.array([[0.0, 1], [2, 3], [-0.0, 1], [4, 5], [0, 1]])
    y = np.array([1.0, 1, 1, 1, 2])
    merged = merge_rows(X, y, np.array([1.0, 2, 3, 0, 5]))
    rows = sorted(zip(merged[0].tolist(), merged[1].tolist(), merged[2].tolist(), strict=True))
    assert rows == [([0, 1], 1, 4), ([0, 1], 2, 5), ([2, 3], 1, 2)]
    assert merge_rows(X[:2], y[:2], None)[2] is None
    often = merge_rows(np.repeat(X[:2], 30, axis=0), np.repeat(y[:2], 30, axis=0), None)
    assert often[0].shape == (20, X.shape[1])
    assert often[2] is None
