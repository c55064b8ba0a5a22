"""What reports hold: numbers of cells, commands, formulas and facts; what they refuse."""

from __future__ import annotations

import json
import math
import re
import shlex
import statistics

import numpy as np
import pytest

from sparsefit.cli import main
from sparsefit.core.errors import DataError, SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.experiments.store import load_rows
from sparsefit.pages import (
    model_data,
    sweep_data,
    write_model_report,
    write_sweep_report,
)
from sparsefit.pages._commands import commands
from sparsefit.pages._formulas import formulas
from sparsefit.pages._graph import graph, multiply_adds
from sparsefit.predictor import Column, Predictor

HOSTILE = '</script><script>alert("1")</script><!-- {{data}} & 雪'


def make_row(**changes):
    row = {
        "task": "planted", "method": "aiht", "hidden": 2, "layers": 1, "bias": False,
        "skip": False, "nnz": 5, "seed": 0, "metric": "psnr", "value": 20.0, "train_value": 21.0,
        "constant_value": 10.0, "constant_train_value": 10.0, "status": "finished",
        "seconds": 0.5, "nnz_found": 5, "note": "", "task_options": {}, "method_options": {},
    }  # fmt: skip
    row |= changes
    if row["status"] in ("skipped", "failed"):
        row |= {"value": None, "train_value": None, "metric": None}
    return row


def put_rows(folder, rows):
    (folder / "rows").mkdir(parents=True)
    for number, row in enumerate(rows):
        named = row | {"run_id": f"r{number}"}
        (folder / "rows" / f"r{number}.json").write_text(json.dumps(named))
    return folder


def blob_of(path):
    page = path.read_text(encoding="utf-8")
    [block] = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(block)


def make_model(**changes):
    """Return a model of age, pet and an unused column; h1 has a bias alone."""
    weight = np.array([[2.0, 0.0], [0.0, 0.0], [-1.5, 0.0], [0.0, 0.0]])
    parts = {
        "network": Network((Layer(weight, np.array([0.0, 0.5])), Layer(np.array([[3.0], [1.0]])))),
        "columns": (
            Column(name="age", mean=40.0, scale=10.0),
            Column(name="pet", levels=("cat", "dog")),
            Column(name="unused"),
        ),
        "targets": ("y",),
        "intercepts": (7.0,),
    }
    return Predictor(**(parts | changes))


def test_a_cell_has_the_numbers_of_its_rows(tmp_path):
    rows = [make_row(seed=seed, value=value) for seed, value in enumerate((20.0, 23.0, 28.0))]
    data = sweep_data(put_rows(tmp_path / "r", [*rows, make_row(nnz=10, value=1.0)]))
    [panel] = data["panels"]
    first, second = panel["series"][0]["cells"]
    mean, error, n = first["stats"]["value"]
    assert (first["hidden"], first["nnz"], n) == (2, 5, 3)
    assert mean == pytest.approx(71 / 3, rel=1e-5)
    assert error == pytest.approx(statistics.stdev([20, 23, 28]) / math.sqrt(3), rel=1e-5)
    assert second["stats"]["value"] == [1.0, None, 1]
    at = [column["key"] for column in data["columns"]].index("value")
    assert [data["rows"][place][at] for place in first["rows"]] == [20.0, 23.0, 28.0]


def test_the_table_has_a_line_for_every_row_and_zeros_stay_numbers(tmp_path):
    rows = [make_row(value=0.0), make_row(seed=1, value=2.0)]
    data = sweep_data(put_rows(tmp_path / "r", rows))
    keys = [column["key"] for column in data["columns"]]
    lines = [dict(zip(keys, line, strict=True)) for line in data["rows"]]
    assert [(line["seed"], line["value"]) for line in lines] == [(0, 0.0), (1, 2.0)]


def test_a_sweep_without_any_result_still_lists_its_failures(tmp_path):
    rows = [make_row(seed=seed, status="failed", note="boom") for seed in (0, 1)]
    data = sweep_data(put_rows(tmp_path / "r", [*rows, make_row(seed=2, status="skipped")]))
    assert data["panels"] == []
    assert [(f["status"], f["note"], f["cells"]) for f in data["failures"]] == [
        ("failed", "boom", [[2, 5, 0], [2, 5, 1]]), ("skipped", "", [[2, 5, 2]]),
    ]  # fmt: skip


def test_seeds_without_a_value_are_not_in_the_mean(tmp_path):
    rows = [make_row(value=20.0), make_row(seed=1, status="failed", note="boom")]
    data = sweep_data(put_rows(tmp_path / "r", rows))
    [cell] = data["panels"][0]["series"][0]["cells"]
    assert cell["stats"]["value"] == [20.0, None, 1]
    assert len(cell["rows"]) == 2


def test_options_that_differ_are_axes(tmp_path):
    rows = [make_row(seed=seed, value=n + seed, task_options={"n_samples": n})
            for n in (10, 20) for seed in (0, 2)]  # fmt: skip
    [axis] = sweep_data(put_rows(tmp_path, rows))["axes"]
    assert (axis["name"], axis["values"]) == ("n samples", [10, 20])
    [plot] = axis["plots"]
    assert plot["curves"] == [[[10, 11.0, 1.0, 2], [20, 21.0, 1.0, 2]]]


def test_rows_without_a_budget_are_one_level_for_each_width(tmp_path):
    rows = [
        make_row(task="digits", metric="accuracy", method=method, nnz=nnz, seed=seed, value=0.5)
        for method, nnz in (("imp", 5), ("dense", 50)) for seed in (0, 1)
    ]  # fmt: skip
    data = sweep_data(put_rows(tmp_path / "r", rows))
    dense, imp = data["panels"][0]["series"]
    assert ([c["nnz"] for c in dense["cells"]], [c["nnz"] for c in imp["cells"]]) == ([None], [5])
    assert data["panels"][0]["nnz"] == [5]


@pytest.mark.parametrize(
    "words",
    [
        "--task planted --n-samples 60 --n-test 0 --method aiht dense omp --hidden 2 --nnz 4 6 "
        "--seeds 1",
        "--task planted --n-samples 60 --noise-db 20 --method aiht htp --hidden 2 --nnz 4 "
        "--epochs 3 --keep-best --bias --dtype float32",
    ],
)
def test_the_commands_ask_for_just_the_rows_that_there_are(tmp_path, capsys, words):
    folder = tmp_path / "made"
    assert main(["run", *words.split(), "--format", "json", "--out", str(folder)]) == 0
    known = {row["run_id"] for row in load_rows(folder)}
    found = []
    for command in commands(load_rows(folder), str(folder)):
        capsys.readouterr()
        assert main([*shlex.split(command)[1:], "--format", "json"]) == 0
        found += [json.loads(line)["run_id"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(found) == sorted(known)


def test_an_option_of_one_method_does_not_reach_another_that_was_at_its_default():
    rows = [
        make_row(method="aiht", method_options={"epochs": 15, "keep_best": True}),
        make_row(method="htp", method_options={"epochs": 15}),
    ]
    assert len(commands(rows, "runs")) == 2
    rows[1]["method_options"]["keep_best"] = True
    assert len(commands(rows, "runs")) == 1


def test_a_grid_with_a_hole_is_cut_into_full_ones():
    rows = [make_row(hidden=m, nnz=s) for m in (2, 3) for s in (5, 6, 7) if (m, s) != (3, 7)]
    assert [line.split("--hidden ")[1] for line in commands(rows, "o")] == [
        "2 --nnz 5 6 7 --seeds 0 --out o", "3 --nnz 5 6 --seeds 0 --out o",
    ]  # fmt: skip


def test_hostile_names_stay_text(tmp_path):
    folder = put_rows(tmp_path / "a<b>&c", [make_row(status="failed", note=HOSTILE), make_row()])
    page = write_sweep_report(folder, tmp_path / "page.html")
    assert blob_of(page)["failures"][0]["note"] == HOSTILE
    text = page.read_text(encoding="utf-8")
    assert "alert(" not in text.replace('alert(\\"1\\")', "")
    assert "<title>a&lt;b&gt;&amp;c · sparsefit</title>" in text


def test_hostile_columns_of_a_model_stay_text(tmp_path):
    model = make_model(columns=(Column(name=HOSTILE, levels=("a", HOSTILE)), Column(name="\ud800"),
                                Column(name="b")))  # fmt: skip
    page = write_model_report(model, out=tmp_path / "page.html")
    assert page.read_text(encoding="utf-8").count("</script>") == 2
    assert HOSTILE in json.dumps(blob_of(page), ensure_ascii=False).replace('\\"', '"')


def test_the_page_fetches_nothing(tmp_path):
    text = write_model_report(make_model(), out=tmp_path / "page.html").read_text(encoding="utf-8")
    addresses = re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"') >]+)", text)
    assert [a for a in addresses if not a.startswith(("data:", "#", "`#"))] == []


def test_a_large_sweep_is_less_than_a_megabyte(tmp_path):
    rows = [
        make_row(hidden=m, nnz=s, seed=k, value=math.pi * k, note="a note of usual length " * 3)
        for m in range(1, 11) for s in range(1, 11) for k in range(5)
    ]  # fmt: skip
    page = write_sweep_report(put_rows(tmp_path / "r", rows))
    assert page == tmp_path / "r" / "report.html"
    assert page.stat().st_size < 2**20


def test_formulas_compute_what_the_model_does():
    model = make_model()
    rows = np.array([[50.0, 1.0, 0.0], [70.0, 0.0, 0.0], [30.0, 1.0, 2.0]])
    for standardised in (False, True):
        values = {
            "age": (rows[:, 0] - 40) / 10 if standardised else rows[:, 0],
            "pet=cat": rows[:, 1] == 0,
            "pet=dog": rows[:, 1] == 1,
        }
        for formula in formulas(model, standardised=standardised):
            total = (formula.constant or 0.0) + sum(w * values[name] for name, w in formula.terms)
            values[formula.name] = np.maximum(total, 0) if formula.wrap == "relu" else total
        np.testing.assert_allclose(values["y"] * np.ones(3), model.outputs(rows)[:, 0])


def test_formulas_are_written_in_words_of_the_columns():
    data = model_data(make_model())
    assert [formula["text"] for formula in data["formulas"]["given"]] == [
        "h0 = relu(-1.5 * pet=dog + 0.2 * age - 8)", "h1 = relu(0.5)", "y = 3 * h0 + h1 + 7",
    ]  # fmt: skip
    assert data["unused"] == ["unused"]
    assert [(column["name"], column["weights"]) for column in data["columns"]] == [
        ("age", 1), ("pet", 1),
    ]  # fmt: skip


def test_the_graph_has_every_weight_and_what_they_connect():
    picture = graph(make_model())
    names = [layer["nodes"] for layer in picture["layers"]]
    edges = {(names[a][i], names[b][j]): weight for a, i, b, j, weight in picture["edges"]}
    assert edges == {
        ("age", "h0"): 2.0, ("pet=dog", "h0"): -1.5, ("h0", "y"): 3.0, ("h1", "y"): 1.0,
    }  # fmt: skip


def test_multiply_adds_count_the_skip_connection_and_no_dead_unit():
    first = Layer(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
    network = Network(
        (first, Layer(np.array([[1.0], [5.0]]))), skip=Layer(np.array([[1.0], [0.0], [0.0], [1.0]]))
    )
    assert multiply_adds(make_model(network=network)) == 2 + 1 + 2


def test_truth_and_prediction_are_counted_by_class():
    model = make_model(classes=("no", "yes"))
    facts = {"truth": ["no", "no", "yes"], "prediction": ["no", "yes", "yes"]}
    assert model_data(model, facts)["facts"]["confusion"] == {
        "labels": ["no", "yes"], "counts": [[1, 1], [0, 1]],
    }  # fmt: skip
    pairs = model_data(make_model(), {"truth": [1.0, 2.0], "prediction": [1.5, 2.5]})["facts"]
    assert pairs["pairs"]["points"] == [[1.0, 1.5], [2.0, 2.5]]


def test_pixels_add_up_their_channels():
    model = make_model(columns=tuple(Column(name=f"p{k}") for k in range(4)))
    pictures = model_data(model, {"image_shape": [1, 2, 2]})["pictures"]
    assert pictures["units"] == [{"name": "h0", "pixels": [[0, 2.0], [1, -1.5]]}]


def test_direct_paths_are_pictures_too():
    weight = np.zeros((4, 3))
    weight[2, 1] = 5.0
    network = Network((Layer(np.zeros((4, 2))), Layer(np.zeros((2, 3)))), skip=Layer(weight))
    columns = tuple(Column(name=f"p{k}") for k in range(4))
    model = Predictor(network=network, columns=columns, targets=("y",), classes=("a", "b", "c"))
    pictures = model_data(model, {"image_shape": [2, 2]})["pictures"]
    assert pictures["units"] == [{"name": "score of b", "pixels": [[2, 5.0]]}]


def test_facts_are_read_from_the_file_beside_the_model(tmp_path):
    make_model().save(tmp_path / "m.safetensors")
    (tmp_path / "m.fit.json").write_text('{"scores": [{"name": "R²", "score": 0.5}], "other": 1}')
    page = write_model_report(tmp_path / "m.safetensors")
    assert page == tmp_path / "m.html"
    assert blob_of(page)["facts"] == {
        "scores": [{"name": "R²", "score": 0.5, "numbers": None}],
        "measures": [["score", "score"]],
    }


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"image_shape": [3, 3]}, "4 inputs in all"),
        ({"image_shape": 4}, "image_shape"),
        ({"scores": [{"name": "a"}]}, "'scores' must be a list of objects with name, score"),
        ({"scores": "high"}, "'scores'"),
        ({"path": [{"nnz": 3, "score": math.nan}]}, "'path' must be"),
        ({"path": [{"nnz": 3, "score": "x"}]}, "'path' must be"),
        ({"command": 3}, "'command' must be a text"),
        ({"confusion": [[1, 2], [3, 4]]}, "'confusion' must be"),
        ({"truth": [1.0], "prediction": [1.0, 2.0]}, "equal shape"),
        ({"truth": ["a"], "prediction": ["b"]}, "must be numbers"),
        ({"truth": [math.inf], "prediction": [1.0]}, "must be finite"),
    ],
)
def test_facts_of_another_form_are_refused(facts, words):
    with pytest.raises(DataError, match=re.escape(words)):
        model_data(make_model(), facts)


def test_unknown_classes_are_refused():
    facts = {"truth": ["no"], "prediction": ["maybe"]}
    with pytest.raises(DataError, match="must be of no, yes, got 'maybe'"):
        model_data(make_model(classes=("no", "yes")), facts)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no folder or file"),
        (lambda path: path.mkdir(), "it has no folder 'rows'"),
        (lambda path: (path / "rows").mkdir(parents=True), "'rows' holds no row"),
        (lambda path: path.write_text("no model"), "cannot be read as a network"),
        (lambda path: Network((Layer(np.ones((1, 1))),)).save(path), "network without columns"),
    ],
)
def test_what_is_no_source_is_refused_in_one_sentence(tmp_path, capsys, make, words):
    make(tmp_path / "source")
    assert main(["report", str(tmp_path / "source"), "--out", str(tmp_path / "x.html")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert words in line
    assert str(tmp_path / "source") in line
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize("text", ["[1]", "{", "nothing"])
def test_facts_that_are_no_object_are_refused(tmp_path, capsys, text):
    make_model().save(tmp_path / "m.safetensors")
    (tmp_path / "m.fit.json").write_text(text)
    assert main(["report", str(tmp_path / "m.safetensors")]) == 2
    assert "m.fit.json" in capsys.readouterr().err
    assert not (tmp_path / "m.html").exists()


def test_an_output_that_cannot_be_is_refused(tmp_path, capsys):
    folder = put_rows(tmp_path / "r", [make_row()])
    (tmp_path / "file").write_text("")
    for out, words in ((tmp_path, "it is a folder"), (tmp_path / "file" / "x.html", "file")):
        with pytest.raises(SparsefitError, match=words):
            write_sweep_report(folder, out)
    assert main(["report", str(folder), "--out", ""]) == 2
    assert "--out must be the name of a file, got ''" in capsys.readouterr().err


def test_the_command_prints_the_path_of_the_page(tmp_path, capsys):
    folder = put_rows(tmp_path / "r", [make_row()])
    page = tmp_path / "page.html"
    assert main(["report", str(folder), "--out", str(page)]) == 0
    assert capsys.readouterr().out.strip() == str(page)
    # Once more over its own page, but over no other file, and into no folder that is not there.
    assert main(["report", str(folder), "--out", str(page)]) == 0
    page.write_text("mine")
    assert main(["report", str(folder), "--out", str(page)]) == 2
    assert page.read_text() == "mine"
    assert main(["report", str(folder), "--out", str(page), "--force"]) == 0
    assert main(["report", str(folder), "--out", str(tmp_path / "new" / "page.html")]) == 2
    assert not (tmp_path / "new").exists()
