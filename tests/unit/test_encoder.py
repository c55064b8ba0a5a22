"""Data frames with texts, dates and missing values, as the command line takes files."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from sparsefit import DataError, SparseMLPClassifier, SparseMLPRegressor, TableEncoder
from sparsefit.cli import main
from sparsefit.methods.fisher_gmp import FisherPruning
from sparsefit.methods.splice import Splice
from sparsefit.predictor import Predictor


def frame_of(n=200, seed=0):
    rng = np.random.default_rng(seed)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 400, n), unit="D")
    frame = pd.DataFrame({
        "size": rng.normal(size=n), "place": pd.Categorical(rng.choice(["city", "shore"], n)),
        "sold": days, "price": [f"${value:,.2f}" for value in rng.uniform(100, 9000, n)],
        "key": [f"k{i}" for i in range(n)],
    })  # fmt: skip
    frame.loc[::7, "size"] = np.nan
    prices = frame["price"].str.replace("[$,]", "", regex=True).astype(float)
    y = frame["size"].fillna(0) + 2 * (frame["place"] == "shore") + prices / 3000
    return frame, y.rename("value")


QUICK = Splice(restarts=0, cycles=1, start_steps=100)
FAST = {"nnz": 8, "folds": 0, "random_state": 0, "method": QUICK}


def test_a_frame_is_fitted_with_its_categories_dates_and_missing_values():
    X, y = frame_of()
    model = SparseMLPRegressor((4,), nnz=8, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.999
    assert model.n_features_in_ == 5
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert model.predictor_.targets == ("value",)
    assert model.predict(X.iloc[:0]).shape == (0,)
    used = [model.predictor_.columns[at].name for at in model.predictor_.live_columns]
    assert sorted(used) == ["place", "price", "size"]
    importance = dict(zip(X.columns, model.feature_importances_, strict=True))
    assert importance["sold"] == importance["key"] == 0
    assert importance["place"] > importance["size"] > 0


def test_frames_of_polars_give_the_same_model_without_arrow():
    X, y = frame_of()
    other = pl.DataFrame({name: X[name].astype(str if name == "place" else X[name].dtype).tolist()
                          for name in X}).with_columns(pl.col("size").fill_nan(None))  # fmt: skip
    first = SparseMLPRegressor((4,), **FAST).fit(X, y)
    second = SparseMLPRegressor((4,), **FAST).fit(other, y)
    np.testing.assert_array_equal(first.predict(X), second.predict(other))
    np.testing.assert_array_equal(second.predict(X), second.predict(other))


def test_the_saved_model_predicts_files_as_the_estimator_does(tmp_path, capsys):
    X, y = frame_of()
    model = SparseMLPRegressor((4,), **FAST).fit(X, y)
    model.predictor_.save(tmp_path / "m.safetensors")
    for path, write in [("t.csv", X.to_csv), ("t.csv.gz", X.to_csv), ("t.parquet", X.to_parquet)]:
        write(tmp_path / path, index=False)
        assert main(["predict", str(tmp_path / "m.safetensors"), str(tmp_path / path)]) == 0
        name, *values = capsys.readouterr().out.split()
        assert name == "value"
        np.testing.assert_allclose([float(value) for value in values], model.predict(X))
    assert Predictor.load(tmp_path / "m.safetensors").columns == model.predictor_.columns


def test_classes_of_a_frame_keep_their_labels_and_new_levels_count_as_none():
    X, y = frame_of()
    method = FisherPruning(epochs=20)
    model = SparseMLPClassifier((4,), **FAST | {"method": method}).fit(
        X, np.where(y > y.median(), "dear", "cheap")
    )
    assert model.score(X, np.where(y > y.median(), "dear", "cheap")) > 0.7
    odd = X.assign(place="moon")
    none = X.assign(place=None)
    np.testing.assert_array_equal(model.predict_proba(odd), model.predict_proba(none))


def test_a_frame_of_numbers_is_taken_as_it_is():
    X, y = frame_of()
    numbers = pd.DataFrame({"a": X["size"].fillna(0), "b": np.arange(len(X))})
    model = SparseMLPRegressor((4,), **FAST).fit(numbers, y)
    plain = SparseMLPRegressor((4,), **FAST).fit(numbers.to_numpy(), y.to_numpy())
    np.testing.assert_array_equal(model.predict(numbers), plain.predict(numbers.to_numpy()))


def test_estimators_with_frames_live_in_cross_validation_and_copies():
    X, y = frame_of()
    model = clone(SparseMLPRegressor((4,), **FAST))
    assert cross_val_score(model, X, y, cv=3).min() > 0.9
    model.fit(X, y)
    before = model.predict(X)
    model.partial_fit(X.iloc[:50], y.iloc[:50])
    assert np.abs(model.predict(X) - before).max() < 0.5


def test_the_encoder_is_a_transformer_with_names():
    X, y = frame_of()
    encoder = TableEncoder(categories=("key",)).set_output(transform="pandas")
    found = encoder.fit_transform(X)
    assert list(found.columns[:3]) == ["size", "place=city", "place=shore"]
    assert "key=k0" in found.columns
    assert list(found.columns) == encoder.get_feature_names_out().tolist()
    forest = make_pipeline(TableEncoder(), RandomForestRegressor(5, random_state=0)).fit(X, y)
    assert forest.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.drop(columns="place"), "place"),
        (lambda X: X.to_numpy(), "X must be a data frame, as it was in the fit, got ndarray"),
        (lambda X: X.assign(price="much"), "column 'price' has the text 'much' where numbers"),
    ],
)
def test_other_frames_are_refused_in_a_sentence(change, message):
    X, y = frame_of()
    model = SparseMLPRegressor((4,), **FAST).fit(X, y)
    with pytest.raises((DataError, ValueError), match=message):
        model.predict(change(X))


def test_columns_that_cannot_be_told_name_what_settles_them():
    X = pd.DataFrame({"on": ["01/02/2020", "03/04/2020"], "a": [1, 2]})
    with pytest.raises(DataError, match="'on' has dates"):
        TableEncoder().fit(X)
    encoder = TableEncoder(dates=("on=%d/%m/%Y",)).fit(X)
    assert encoder.get_feature_names_out()[0] == "on.trend"
    with pytest.raises(DataError, match="column 'd' holds INTERVAL"):
        TableEncoder().fit(pd.DataFrame({"d": pd.to_timedelta([1, 2], unit="s")}))
