"""Tables as people have them: the same model of the same numbers, however they are written."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


FIT = ["--target", "y", "--nnz", "6", "--hidden", "3", "--format", "json"]


def numbers(n=150, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 5000, n).round(2), rng.uniform(0, 100, n).round(1)
    y = (a / 1000 + np.maximum(b - 50, 0) / 10 + rng.normal(size=n) / 4).round(4)
    return pd.DataFrame({"a": a, "b": b, "y": y})


def german(value):
    return f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


def fit(command, name, *words):
    code, out, err = command("fit", name, *FIT, *words)
    assert code == 0, err
    return json.loads(out)


def predictions(command, model, data, *words):
    code, out, err = command("predict", model, data, *words)
    assert code == 0, err
    return list(csv.DictReader(out.splitlines())), err


FORMS = {
    "decimal commas": lambda frame: frame.map(lambda value: f"{value:.4f}".replace(".", ",")),
    "euros": lambda frame: frame.assign(a=[f"{german(value)} €" for value in frame["a"]]),
    "dollars": lambda frame: frame.assign(a=[f"${value:,.2f}" for value in frame["a"]]),
    "percent": lambda frame: frame.assign(b=[f"{value} %" for value in frame["b"]]),
    "unit": lambda frame: frame.assign(b=[f"{value} kg" for value in frame["b"]]),
}


# What plain numbers give, which is the same for all forms.
PLAIN: dict[str, list[dict[str, float]]] = {}


@pytest.mark.parametrize(("form", "name"), [*zip(FORMS, ["t.csv", "t.parquet"] * 3, strict=False)])
def test_numbers_as_people_write_them_give_the_scores_of_plain_numbers(command, form, name):
    frame = numbers()
    if not PLAIN:
        frame.to_csv("plain.csv", index=False)
        PLAIN["scores"] = fit(command, "plain.csv")["scores"]
    expected = PLAIN["scores"]
    assert expected[0]["score"] > 0.95
    texts = FORMS[form](frame)
    texts.to_csv("t.csv", index=False, sep=";")
    texts.to_csv("t.csv.gz", index=False)
    texts.to_parquet("t.parquet")
    assert fit(command, name, "--out", "t.model")["scores"] == expected
    found = [predictions(command, "t.model", name) for name in ("t.csv", "t.csv.gz", "t.parquet")]
    assert found[0] == found[1] == found[2]
    # Of plain numbers, too, the model makes the same.
    frame.to_parquet("plain.parquet")
    assert predictions(command, "t.model", "plain.parquet") == found[0]


def test_dates_serve_as_their_parts_would(command):
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 900, 200), unit="D")
    y = (days.month == 7) * 5.0 + (days - days.min()).days / 100 + rng.normal(size=200) / 20
    frame = pd.DataFrame({"sold": days.strftime("%d.%m.%Y"), "y": y.round(4)})
    frame.to_csv("t.csv", index=False)
    found = fit(command, "t.csv")
    parts = pd.DataFrame({
        "trend": (days - pd.Timestamp(0)).days, "year": days.year,
        "month": "m" + days.month.astype(str), "weekday": days.day_name(), "y": y.round(4),
    })  # fmt: skip
    parts.to_csv("parts.csv", index=False)
    assert found["scores"][0]["score"] > 0.98
    assert abs(found["scores"][0]["score"] - fit(command, "parts.csv")["scores"][0]["score"]) < 0.01
    frame.assign(sold=days).to_parquet("t.parquet")
    a, b = (predictions(command, "t.safetensors", name)[0] for name in ("t.csv", "t.parquet"))
    assert a == b
    assert command("export", "t.safetensors", "--to", "python")[0] == 0
    assert "sold.trend" in Path("t.py").read_text()


def test_truth_values_and_blanks_have_one_spelling(command):
    rng = np.random.default_rng(1)
    flag, c = rng.random(120) < 0.5, rng.choice(["red", "blue"], 120)
    y = 4.0 * flag + 2 * (c == "red") + rng.normal(size=120) / 50
    frame = pd.DataFrame({"flag": flag, "c": c, "y": y})
    frame.assign(c=" " + frame["c"]).to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    fit(command, "t.csv")
    a, b = (predictions(command, "t.safetensors", name) for name in ("t.csv", "t.parquet"))
    assert a == b
    assert a[1] == []


def test_cells_that_the_model_cannot_know_are_counted_or_refused(command):
    frame = numbers()
    frame["c"] = np.where(frame.index % 2, "x", "z")
    frame["y"] += 5 * (frame["c"] == "x")
    frame.to_csv("t.csv", index=False)
    fit(command, "t.csv")
    odd = frame.astype(object)
    odd.loc[:2, "c"] = ["new", "newer", None]
    odd.loc[0, "a"] = "n/a"
    odd.to_csv("odd.csv", index=False)
    rows, err = predictions(command, "t.safetensors", "odd.csv")
    assert len(rows) == len(frame)
    assert err == [
        "note: column 'a' has 1 cell without a value; column 'c' has 1 cell without a value; "
        "column 'c' has 2 cells with a value that is new to the model"
    ]
    code, out, [error] = command("predict", "t.safetensors", "odd.csv", "--strict")
    assert (code, out) == (2, "")
    assert error.startswith("sparsefit: odd.csv: column 'a' has 1 cell without")
    assert command("predict", "t.safetensors", "t.csv", "--strict")[0] == 0


def test_predictions_carry_what_names_the_rows(command):
    frame = numbers()
    frame.insert(0, "key", [f"k{i}" for i in range(len(frame))])
    frame.to_csv("t.csv", index=False)
    fit(command, "t.csv")
    rows, _ = predictions(command, "t.safetensors", "t.csv", "--id", "key")
    assert [row["key"] for row in rows] == list(frame["key"])
    code, out, _ = command("predict", "t.safetensors", "t.csv", "--all")
    assert code == 0
    assert out.splitlines()[0] == "key,a,b,y,y"
    code, _, [error] = command("predict", "t.safetensors", "t.csv", "--id", "kex")
    assert code == 2
    assert "--id 'kex': t.csv has no such column (did you mean 'key'?)" in error


def test_one_line_is_predicted_for_each_line(command):
    Path("t.csv").write_text("a,y\n" + "".join(f"{i},{2 * i}\n" for i in range(30)))
    fit(command, "t.csv", "--numbers", "a")
    Path("new.csv").write_text("a\n1.0\n\n3.0\n\n5.0\n")
    assert len(predictions(command, "t.safetensors", "new.csv")[0]) == 5


@pytest.mark.parametrize("seed", range(4))
def test_rare_classes_are_fitted_whatever_the_seed(command, seed):
    frame = numbers(120).drop(columns="y")
    frame["y"] = np.where(frame["b"] > 50, "high", "low")
    frame.loc[3:4, "y"], frame.loc[5, "y"] = "two", "one"
    frame.to_csv("t.csv", index=False)
    found = fit(command, "t.csv", "--seed", str(seed))
    assert set(found["recall"]) == {"high", "low", "one", "two"}
    assert found["recall"]["one"] is None
    assert np.sum(found["confusion"][3]) == 1
    assert found["scores"][0]["accuracy"] > 0.8
    assert {"balanced_accuracy", "auc", "log_loss"} < set(found["scores"][0])


def test_long_labels_are_not_merged_and_few_whole_values_are_pointed_at(command):
    frame = numbers().assign(y=lambda f: np.where(f["b"] > 50, 10**17 + 1, 10**17 + 2))
    for name, write in {"t.csv": frame.to_csv, "t.parquet": frame.to_parquet}.items():
        write(name, index=False)
        words = ["--classes", "--out", "m.safetensors", "--force"]
        assert set(fit(command, name, *words)["recall"]) == {f"{10**17 + 1}", f"{10**17 + 2}"}
    frame.assign(y=frame["y"] - 10**17).to_csv("few.csv", index=False)
    code, out, _ = command("fit", "few.csv", *FIT[:-2])
    assert code == 0
    assert "the target is one of 1, 2: --classes takes these as classes" in out


def test_rows_can_be_held_out_by_time_and_by_group(command):
    frame = numbers(200)
    frame["day"] = pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d")
    frame["who"] = np.arange(200) // 10
    frame = frame.sample(frac=1, random_state=0)
    frame.to_csv("t.csv", index=False)
    # Of the last fifth of the time, and of whole groups, the target is another.
    late = frame["day"] >= "2020-06-09"
    frame.assign(y=np.where(late, 1000 + frame["a"], frame["y"])).to_csv("late.csv", index=False)
    fair = fit(command, "t.csv", "--time-column", "day", "--drop", "who")
    assert fair["scores"][0]["score"] > 0.9
    wrong = fit(command, "late.csv", "--time-column", "day", "--drop", "who")
    assert wrong["scores"][0]["score"] < 0
    grouped = fit(command, "t.csv", "--group-column", "who", "--force")
    assert len(grouped["truth"]) == 40
    assert "who" not in {entry["name"] for entry in grouped["importances"]}


def test_errors_are_in_units_of_the_target(command):
    frame = numbers()
    frame.to_csv("t.csv", index=False)
    frame.assign(y=1000 * frame["y"]).to_csv("mm.csv", index=False)
    metres, millimetres = (fit(command, name)["scores"][0] for name in ("t.csv", "mm.csv"))
    assert metres["r2"] == pytest.approx(millimetres["r2"], abs=1e-3)
    assert millimetres["mae"] == pytest.approx(1000 * metres["mae"], rel=0.05)
    assert metres["rmse"] >= metres["mae"] > 0


def test_importance_ranks_columns_by_what_is_lost_without_them(command):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = 3 * X[:, 0] + np.maximum(2 * X[:, 1], 0) + 0.5 * X[:, 2] + rng.normal(size=300) / 50
    pd.DataFrame(X, columns=list("abcd")).assign(y=y).to_csv("t.csv", index=False)
    found = fit(command, "t.csv")["importances"]
    assert [entry["name"] for entry in found] == ["a", "b", "c"]


def test_the_header_in_c_has_as_many_numbers_as_the_table_says(command):
    numbers().to_csv("t.csv", index=False)
    stored = fit(command, "t.csv")["scores"][0]["numbers"]
    assert command("export", "t.safetensors", "--to", "c")[0] == 0
    assert f"A network of {stored} nonzero numbers" in Path("t.h").read_text()


def test_a_time_of_day_can_be_fitted(command):
    hours = np.arange(60) % 24
    table = pd.DataFrame({"x": hours, "y": [f"{hour:02d}:30" for hour in hours]})
    table.to_csv("t.csv", index=False)
    found = fit(command, "t.csv")
    assert found["scores"][0]["score"] > 0.99
    assert max(found["truth"]) <= 23.5


def test_a_folder_is_fitted_and_predicted_as_one_file(command):
    frame = numbers()
    Path("parts").mkdir()
    frame[:70].to_csv("parts/1.csv", index=False)
    frame[70:].to_csv("parts/2.csv", index=False)
    frame.to_csv("t.csv", index=False)
    expected = fit(command, "t.csv")
    found = fit(command, "parts", "--out", "p.safetensors")
    assert found["scores"] == expected["scores"]
    pairs = [("p.safetensors", "parts/*.csv"), ("t.safetensors", "t.csv")]
    rows = [predictions(command, *pair)[0] for pair in pairs]
    values = [[float(row["y"]) for row in part] for part in rows]
    np.testing.assert_allclose(*values)


def test_a_fit_that_is_interrupted_says_no_more_than_that(command, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    numbers().to_csv("t.csv", index=False)
    monkeypatch.setattr("sparsefit.tabular.fit.baselines", stop)
    code, out, err = command("fit", "t.csv", *FIT)
    assert (code, out, err[-1]) == (130, "", "sparsefit: interrupted")
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


def test_look_prints_what_fit_says_first(command):
    frame = numbers()
    frame.insert(0, "", range(len(frame)))
    frame.to_csv("t.csv", index=False)
    code, out, err = command("look", "t.csv", "--target", "y")
    assert (code, err[1:]) == (0, ["next: sparsefit fit t.csv --target y"])
    assert out.splitlines()[1].startswith("  column1  left out: all different")
    assert command("fit", "t.csv", *FIT)[2][: len(out.splitlines())] == out.splitlines()
    code, out, _ = command("look", "t.csv", "--format", "json")
    assert json.loads(out)["rows"] == 150
