"""From a table to a model to predictions, by the commands."""

import contextlib
import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from sparsefit.cli import main


def write_houses():
    rng = np.random.default_rng(0)
    size, age = rng.uniform(50, 150, 240), rng.uniform(0, 80, 240)
    place = rng.choice(["city", "shore", "woods"], 240)
    price = 3 * size + 80 * (place == "shore") - np.maximum(age - 40, 0) + rng.normal(size=240)
    with Path("houses.csv").open("w") as file:
        file.write("size,age,place,noise,price,kind\n")
        for row in zip(size, age, place, rng.normal(size=240), price, strict=True):
            file.write(",".join(map(str, row)) + f",{int(row[4] > 300)}\n")


@pytest.fixture(autouse=True)
def houses(tmp_path, monkeypatch):
    """Work in a folder with a table."""
    monkeypatch.chdir(tmp_path)
    write_houses()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Return the bytes of a model of the table, fitted once, and what was printed."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("fitted"))
        write_houses()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert main(FIT) == 0
        model = Path("houses.safetensors").read_bytes()
    return model, out.getvalue(), err.getvalue().splitlines()


def records(name):
    return list(csv.DictReader(Path(name).read_text().splitlines()))


FIT = ["fit", "houses.csv", "--target", "price", "--nnz", "8", "--hidden", "5", "--drop", "kind"]


def test_fit_prints_scores_and_predict_agrees_with_them(command, tmp_path):
    code, out, err = command(*FIT, "--format", "json")
    assert code == 0, err
    printed = json.loads(out)
    scores = {entry["name"]: entry["score"] for entry in printed["scores"]}
    assert scores["sparse network"] > 0.98 > scores["constant"]
    assert {"ridge", "dense MLP"} < set(scores)
    code, out, _ = command("predict", "houses.safetensors", "houses.csv")
    assert code == 0
    found = np.array([float(row["price"]) for row in csv.DictReader(out.splitlines())])
    truth = np.array([float(row["price"]) for row in records("houses.csv")])
    assert 1 - np.mean((found - truth) ** 2) / truth.var() > 0.98
    facts = json.loads((tmp_path / "houses.fit.json").read_text())
    assert len(facts["truth"]) == len(facts["prediction"])


def test_the_table_names_the_models_and_the_columns(fitted):
    _, out, err = fitted
    assert "sparse network" in out
    assert "l1, at most" in out
    assert "columns used: size, age, place" in out
    assert err[0] == "houses.csv: 240 rows, 6 columns"
    assert "  place  category of 3 levels" in err
    assert "  kind   left out: --drop" in err
    result, *following = err[-4:]
    assert result.startswith("R2 ")
    assert result.endswith("; model in houses.safetensors")
    assert following == [
        "next: sparsefit report houses.safetensors --open",
        "      sparsefit predict houses.safetensors houses.csv --out predictions.csv",
        "      sparsefit export houses.safetensors --to c",
    ]
    assert "  price = " in out


def test_a_fit_without_time_still_leaves_a_model(command):
    code, out, err = command(*FIT, "--time-limit", "0.01", "--format", "json")
    assert code == 0, err
    [score] = [e["score"] for e in json.loads(out)["scores"] if e["name"] == "sparse network"]
    assert score > 0.5
    assert command("predict", "houses.safetensors", "houses.csv")[0] == 0


def test_images_are_flattened_and_their_weights_drawn(command, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(200, 3, 2))
    np.savez("images.npz", pixel=images, bright=images[:, 1, 0] > 0)
    words = ["--target", "bright", "--classes", "--nnz", "2", "--hidden", "2"]
    assert command("fit", "images.npz", *words)[0] == 0
    assert json.loads(Path("images.fit.json").read_text())["image_shape"] == [3, 2]
    assert command("report", "images.safetensors")[0] == 0
    assert '"pictures": {"height": 3, "width": 2' in Path("images.html").read_text()
    code, out, _ = command("predict", "images.safetensors", "images.npz")
    assert code == 0
    assert len(out.splitlines()) == 201


def test_classes_come_back_as_they_were_with_probabilities(command):
    words = ["--target", "kind", "--drop", "price", "--classes", "--nnz", "5", "--hidden", "3"]
    assert command("fit", "houses.csv", *words)[0] == 0
    words = ["predict", "houses.safetensors", "houses.csv", "--probabilities", "--out", "p.csv"]
    code, out, _ = command(*words)
    assert (code, out) == (0, "")
    rows = records("p.csv")
    truth = [row["kind"] for row in records("houses.csv")]
    assert np.mean([row["kind"] == label for row, label in zip(rows, truth, strict=True)]) > 0.9
    assert all(abs(float(row["p(0)"]) + float(row["p(1)"]) - 1) < 1e-9 for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target", "prize"], "no such column (did you mean 'price'?)"),
        (["--target", "price", "--drop", "sise"], "--drop 'sise': houses.csv has no such column"),
        (["--target", "price", "--nnz", "0"], "--nnz must be an integer >= 1 or 'auto', got 0"),
        (["--target", "price", "--hidden", "0"], "--hidden must be an integer >= 1, got 0"),
        (
            ["--target", "kind", "--classes", "--image-shape", "2", "2"],
            "of 7 inputs in all, got '2 2'",
        ),
        (
            ["--target", "price", "--test-share", "2"],
            "--test-share must be a number > 0 and < 1, got 2.0",
        ),
        (["--target", "price", "--time-limit", "0"], "--time-limit must be a number > 0, got 0"),
        (["--target", "price", "--time-limit", "1m"], "--time-limit must be a number > 0"),
        (["--target", "price", "--method", "splic"], "did you mean 'splice'?"),
        (["--target", "price", "--out", "no/x"], "--out must be a file other than DATA"),
        (["--target", "price", "--classes"], "each row is a class of its own"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing_behind(command, tmp_path, words, message):
    code, out, err = command("fit", "houses.csv", *words)
    assert (code, out, len(err)) == (2, "", 1)
    assert message in err[0]
    assert [path.name for path in tmp_path.iterdir()] == ["houses.csv"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("size", "sise"), "has no column 'size' (did you mean 'sise'?), which the model uses"),
        (("\n", "\nx,1,city,0,0,0\n"), "column 'size' has the text 'x' where numbers are needed"),
    ],
)
def test_predict_refuses_what_does_not_match_and_names_the_column(
    command, tmp_path, change, message, fitted
):
    (tmp_path / "houses.safetensors").write_bytes(fitted[0])
    text = (tmp_path / "houses.csv").read_text()
    (tmp_path / "new.csv").write_text(text.replace(*change, 1))
    code, out, err = command("predict", "houses.safetensors", "new.csv", "--out", "o.csv")
    assert (code, out) == (2, "")
    assert message in err[0]
    assert not (tmp_path / "o.csv").exists()


def test_a_damaged_model_is_refused(command, tmp_path, fitted):
    model = tmp_path / "houses.safetensors"
    model.write_bytes(fitted[0][:-40])
    code, _, err = command("predict", model, "houses.csv")
    assert code == 2
    assert "cannot be read as a network" in err[0]


def test_a_large_table_is_fitted_on_a_draw_within_the_memory(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 3))
    table = np.column_stack([X, np.maximum(X[:, 0] - X[:, 2], 0)]).astype(np.float32)
    np.save(tmp_path / "t.npy", table)
    header = "a,b,c,y"
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header=header, comments="")
    for name, target in (("t.npy", "3"), ("t.csv", "y")):
        words = ["fit", str(tmp_path / name), "--target", target, "--nnz", "2", "--hidden", "2"]
        out = str(tmp_path / "m.safetensors")
        assert main([*words, "--memory", "200KB", "--out", out, "--force"]) == 0
        printed = capsys.readouterr()
        assert "a draw of 1041 of the 6000 rows is read, as --memory 200KB has room" in printed.err
        assert "numbers on 208 test rows" in printed.err + printed.out
    assert main([*words, "--memory", "much", "--out", out, "--force"]) == 2
    assert "--memory must be text that is a size" in capsys.readouterr().err
