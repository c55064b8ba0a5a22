"""``sparsefit diagnose``, as its users meet it."""

import json
from pathlib import Path

import numpy as np
import pytest

from sparsefit.core import progress
from sparsefit.core.network import Network

PLANTED = [
    "run", "--task", "planted", "--n-samples", "200", "--n-test", "0", "--n-features", "8",
    "--hidden", "4", "--nnz", "6",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def fitted(command, *words):
    code, out, err = command(*PLANTED, "--format", "json", *words)
    assert code == 0, err
    return json.loads(out)


def change_row(row, **fields):
    path = Path("runs", "rows", f"{row['run_id']}.json")
    path.write_text(json.dumps({k: v for k, v in (row | fields).items() if v is not ...}))


def test_json_is_one_object_with_everything(command):
    row = fitted(command, "--method", "aiht")
    words = ["diagnose", row["run_id"][:6], "--drift", "--stability", 2, "--format", "json"]
    code, out, err = command(*words)
    assert (code, err) == (0, [])
    found = json.loads(out)
    assert command(*words)[1] == out
    assert found["recovery"]["recall"] == row["support_recall"]
    assert found["drift"]["iterates"] == row["n_iter"]
    assert len(found["stability"]["recall"]["values"]) == 2
    network = Network.load(Path("runs", "networks", f"{row['run_id']}.safetensors"))
    live = np.flatnonzero(np.diff(network.layers[0].weight.indptr))
    assert [int(unit) for unit in found["units"]["shares"]] == live.tolist()
    assert found["spectrum"]["columns"] == row["nnz_found"]


def test_by_prefix_and_by_file_are_one_and_a_table_says_what_matters(command):
    row = fitted(command, "--method", "splice", "--restarts", "0")
    path = Path("runs", "rows", f"{row['run_id']}.json")
    by_file = command("diagnose", path, "--format", "table")
    assert by_file == command("diagnose", row["run_id"][:4], "--format", "table")
    code, out, err = by_file
    assert (code, err[1:]) == (0, [f"next: sparsefit show {row['run_id'][:8]}"])
    lines = {line.split("  ")[1]: line for line in out.splitlines() if "  " in line}
    for name in (
        "units",
        "nearest patterns",
        "A_S^T A_S / n",
        "change by the best swap",
        "outputs",
    ):
        assert name in lines
    assert "drop hidden 1 unit" in lines["change by the best swap"]
    assert "exact yes" in lines["planted support"]
    assert "necessary for the theorems, not sufficient" in out


def test_the_row_of_splice_names_its_exchanges(command):
    row = fitted(command, "--method", "splice", "--restarts", "0")
    assert isinstance(row["swap_change"], float)
    assert row["swap_drop"].keys() == {"layer", "unit", "input", "value"}
    assert row["fresh_unit"].keys() == {"layer", "input", "sign", "feeds"}
    network = Network.load(Path("runs", "networks", f"{row['run_id']}.safetensors"))
    drop = row["swap_drop"]
    assert network.layers[0].weight[drop["input"], drop["unit"]] == drop["value"]


def test_progress_is_told_on_stderr(command, monkeypatch):
    row = fitted(command, "--method", "htp", "--epochs", "3")
    monkeypatch.setattr(progress, "PERIOD", 0.0)
    _, out, err = command("diagnose", row["run_id"], "--stability", 1, "--format", "json")
    assert json.loads(out)["drift"] is None
    assert err[-1].startswith("1 of 1 fits: resample 1")


def test_a_method_that_hides_its_iterates_is_noted(command):
    row = fitted(command, "--method", "magnitude", "--epochs", "3")
    _, out, _ = command("diagnose", row["run_id"], "--drift", "--format", "table")
    assert "note: no gate drift: method 'magnitude' does not show its iterates" in out


def test_a_sensed_vector_has_its_row_only(command):
    words = ["--task", "gaussian-sparse", "--hidden", 50, "--nnz", 2, "--n-measurements", 40]
    _, out, _ = command("run", *words, "--format", "json")
    run = json.loads(out)["run_id"]
    code, out, _ = command("diagnose", run, "--format", "table")
    assert code == 0
    assert "recall 1, precision 1" in out
    assert "which has no units" in out
    code, out, [sentence] = command("diagnose", run, "--stability", 1)
    assert (code, out) == (2, "")
    assert "task 'gaussian-sparse' has no rows but measurements" in sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["diagnose"], "the following arguments are required: RUN"),
        (["diagnose", "abc"], "there is no run 'abc' among the 1 in runs"),
        (["diagnose", "abc", "--out", "nowhere"], "there is no run 'abc' among the 0 in nowhere"),
        (["diagnose", "", "--out"], "--out: expected one argument"),
        (["diagnose", "", "--out", ""], "--out must be the name of a folder, got ''"),
        (["diagnose", "", "--stability", "0"], "--stability must be an integer >= 1, got 0"),
        (["diagnose", "", "--stability", "x"], "--stability must be an integer >= 1, got 'x'"),
        (["diagnose", "", "--stability"], "--stability: expected one argument"),
        (["diagnose", "", "--data-dir", ""], "--data-dir must be text that is not empty, got ''"),
        (["diagnose", "", "--format", "csv"], "--format must be one of table, json, got 'csv'"),
        (["diagnose", "", "--drfit"], "unknown option --drfit (did you mean '--drift'?)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_bad_request_is_one_sentence(command, words, sentence):
    fitted(command, "--method", "htp", "--epochs", "2")
    code, out, err = command(*words)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith(f"sparsefit: {sentence}")


def refused(command, run_id):
    code, out, err = command("diagnose", run_id)
    assert (code, out, len(err)) == (2, "", 1), err
    return err[0]


def test_a_cell_without_a_network(command):
    _, out, _ = command(
        "run", "--task", "digits", "--method", "splice", "--nnz", 5, "--format", "json"
    )
    row = json.loads(out)
    assert row["status"] == "skipped"
    sentence = refused(command, row["run_id"])
    assert sentence == f"sparsefit: run {row['run_id']} has no network: {row['note']}"


def test_a_missing_and_a_damaged_network(command):
    run = fitted(command, "--method", "htp", "--epochs", "2")["run_id"]
    path = Path("runs", "networks", f"{run}.safetensors")
    path.write_bytes(path.read_bytes()[:50])
    assert f"{path} cannot be read as a network" in refused(command, run)
    path.write_text("half a network")
    assert f"{path} cannot be read as a network" in refused(command, run)
    path.unlink()
    assert refused(command, run) == f"sparsefit: the network of run {run} is missing: {path}"


def test_a_damaged_row(command):
    run = fitted(command, "--method", "htp", "--epochs", "2")["run_id"]
    path = Path("runs", "rows", f"{run}.json")
    path.write_text(path.read_text()[:40])
    assert refused(command, run) == f"sparsefit: {path} is damaged: not JSON"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"seed": 5}, "are not those that run"),  # the data that this seed draws
        ({"data": "another digest"}, "are not those that run"),
        ({"task_options": {"n_rows": 7}}, "had other options"),
        ({"task_options": ...}, "does not say what was asked: no 'task_options'"),
        ({"task_options": 5}, "is damaged: 'task_options' is 5"),
        ({"task": 5}, "is damaged: 'task' is 5"),
        ({"task": "plantd"}, "unknown task 'plantd' (did you mean 'planted'?)"),
        ({"hidden": "four"}, "is damaged: 'hidden' is 'four'"),
    ],
    ids=str,
)
def test_a_row_whose_data_cannot_be_made_again(command, fields, sentence):
    row = fitted(command, "--method", "htp", "--epochs", "2")
    change_row(row, **fields)
    assert sentence in refused(command, row["run_id"])
