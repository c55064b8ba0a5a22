"""A mistake in a command is one sentence that says what is allowed; nothing is written."""

import numpy as np
import pytest

from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.predictor import Column, Predictor

SEED = "--seed must be an integer between 0 and 2147483647, got"
DATA = ["fit", "data.csv"]
FIT = [*DATA, "--target", "y"]
RUN = ["run", "--task", "planted", "--nnz", "3"]


@pytest.fixture(autouse=True)
def _files(monkeypatch, tmp_path):
    """Work in a folder with a table, a model, a folder, and a file of nothing known."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i},{i % 3},{2 * i}\n" for i in range(20))
    (tmp_path / "data.csv").write_text(f"a,b,y\n{rows}")
    columns = (Column(name="a"), Column(name="b"))
    network = Network((Layer(np.array([[2.0], [0.0]])),), fused=True)
    Predictor(network=network, columns=columns, targets=("y",)).save(tmp_path / "m.safetensors")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "weird.bin").write_bytes(b"\x00\xff" * 100)


FOLDER = "is a folder, where a file is wanted"
CASES = [
    # Numbers, words and choices of `fit`.
    ([*FIT, "--seed", "-1"], f"{SEED} -1"),
    ([*FIT, "--seed", "x"], f"{SEED} 'x'"),
    ([*FIT, "--seed", "99999999999"], f"{SEED} 99999999999"),
    ([*FIT, "--hidden", "0"], "--hidden must be an integer >= 1, got 0"),
    ([*FIT, "--hidden", "1e3"], "--hidden must be an integer >= 1, got '1e3'"),
    ([*FIT, "--test-share", "nan"], "--test-share must be a number > 0 and < 1, got nan"),
    ([*FIT, "--test-share", "2"], "--test-share must be a number > 0 and < 1, got 2.0"),
    ([*FIT, "--nnz", "0"], "--nnz must be an integer >= 1 or 'auto', got 0"),
    ([*FIT, "--nnz", "1.5"], "--nnz must be an integer >= 1 or 'auto', got '1.5'"),
    ([*FIT, "--nnz", "auot"], "got 'auot' (did you mean 'auto'?)"),
    ([*FIT, "--method", "nosuch"], "unknown method 'nosuch'; there are aiht, "),
    ([*FIT, "--method", "splic"], "unknown method 'splic' (did you mean 'splice'?)"),
    ([*FIT, "--image-shape", "0", "1"], "--image-shape must be an integer >= 1, got 0"),
    ([*FIT, "--image-shape", "2", "2"], "--image-shape must be height, width and perhaps channels"),
    ([*FIT, "--format", "xml"], "--format must be one of table, json, got 'xml'"),
    ([*FIT, "--format", "tabel"], "got 'tabel' (did you mean 'table'?)"),
    ([*FIT, "--seeds", "1"], "unknown option --seeds (did you mean '--seed'?)"),
    ([*FIT, "--classes=1"], "--classes/--no-classes is a switch and takes no value, got '1'"),
    # Columns.
    (DATA, "the following arguments are required: --target"),
    ([*DATA, "--target", ""], "--target must be text that is not empty, got ''"),
    ([*DATA, "--target", "z"], "--target 'z': data.csv has no such column"),
    ([*FIT, "--drop", "nosuch"], "--drop 'nosuch': data.csv has no such column"),
    ([*FIT, "--drop", "a", "b"], "data.csv has no column beside the target that differs"),
    # Files.
    (["fit", ".", "--target", "y"], "--out must be given where DATA is a folder or a pattern"),
    (["fit", "folder.csv", "--target", "y"], "folder.csv has no files"),
    (["fit", "none.csv", "--target", "y"], "there is no file none.csv"),
    (["fit", "weird.bin", "--target", "y"], "weird.bin is not a text in UTF-8"),
    ([*FIT, "--out", "none/x"], "--out must be a file other than DATA in a folder that exists"),
    ([*FIT, "--out", "data.csv"], "--out must be a file other than DATA in a folder that exists"),
    ([*FIT, "--out", "folder"], "--out must be a file other than DATA in a folder that exists"),
    ([*FIT, "--out", ""], "--out must be the name of a file, got ''"),
    (["predict", "folder", "data.csv"], f"folder {FOLDER}"),
    (["predict", "m.safetensors", "folder"], "folder has no files"),
    (["predict", "none", "data.csv"], "there is no file none"),
    (["predict", "weird.bin", "data.csv"], "weird.bin cannot be read as a network: "),
    (["predict", "m.safetensors", "data.csv", "--out", ""], "--out must be the name of a file"),
    (["predict", "m.safetensors", "data.csv", "--probabilities"], "--probabilities must be left"),
    (["export", "folder", "--to", "c"], f"folder {FOLDER}"),
    (["export", ".", "--to", "c"], f". {FOLDER}"),
    (["export", "", "--to", "c"], f". {FOLDER}"),
    (
        ["export", "m.safetensors", "--to", "nosuch"],
        "--to must be one of onnx, c, npz, python",
    ),
    (["export", "m.safetensors", "--to", "pyton"], "got 'pyton' (did you mean 'python'?)"),
    (["export", "m.safetensors", "--to", "c", "--number", "int4"], "--number must be one of float"),
    (["report", "nosuch"], "there is no folder or file 'nosuch'"),
    (["report", "weird.bin"], "weird.bin cannot be read as a network: "),
    (["report", "folder"], "there are no results in 'folder'"),
    (["report", "m.safetensors", "--out", ""], "--out must be the name of a file, got ''"),
    (
        ["report", "m.safetensors", "--out", "folder"],
        "--out must be a file other than MODEL in a folder",
    ),
    # Studies, recipes and results.
    (["train", "--seed", "-1"], f"{SEED} -1"),
    (["train", "folder"], "the config must end in .yaml, .yml or .toml, got 'folder'"),
    (["train", "--mask-schedule", "cubc"], "got 'cubc' (did you mean 'cubic'?)"),
    (["evaluate", "nosuch", "--device", "gpu"], "there is no study in 'nosuch'"),
    (["evaluate", "folder", "--format", "csv"], "--format must be one of table, json, got 'csv'"),
    (["reproduce", "nosuch"], "unknown recipe 'nosuch'; there are classify, "),
    (["reproduce", "figure1", "--scale", "smal"], "got 'smal' (did you mean 'small'?)"),
    (["reproduce", "figure1", "--device", "gpu"], "--device must be cpu, cuda, cuda:N or mps, got"),
    (["reproduce", "figure1", "--workers", "0"], "--workers must be an integer between 1 and 1024"),
    (["reproduce", "figure1", "--out", ""], "--out must be the name of a folder, got ''"),
    (["figures", "nosuch"], "there are no results in 'nosuch'"),
    (["figures", "data.csv"], "there are no results in 'data.csv'"),
    (["figures", "folder", "--score", "valu"], "got 'valu' (did you mean 'value'?)"),
    (["figures", "folder", "--format", "png", "gif"], "--format must be one of png, svg, pdf, got"),
    (["figures", "folder", "--compare", "a"], "--compare: expected 2 arguments"),
    (["diagnose", "nosuch", "--stability", "0"], "--stability must be an integer >= 1, got 0"),
    (["diagnose", "nosuch"], "there is no run 'nosuch' among the 0 in runs"),
    (["show", "nosuch", "--out", ""], "--out must be the name of a folder, got ''"),
    (["tasks", "--format", "xml"], "--format must be one of table, json, got 'xml'"),
    (["methods", "nosuch"], "unknown method 'nosuch'; there are aiht, "),
    ([*RUN, "--task", ""], "unknown task ''; there are barth, binary-cifar10, "),
    ([*RUN, "--device", "gpu"], "--device must be cpu, cuda, cuda:N or mps, got 'gpu'"),
    (
        [*RUN, "--method", "learned-mask", "--mask-schedule", "cubc"],
        "got 'cubc' (did you mean 'cubic'?)",
    ),
]


@pytest.mark.parametrize(("words", "sentence"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_a_mistake_is_one_sentence_and_writes_nothing(command, tmp_path, words, sentence):
    before = {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")}
    code, out, err = command(*words)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith("sparsefit: ")
    assert sentence in err[0]
    assert {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("name", ["data.csv", "m.safetensors"])
def test_a_file_that_may_not_be_read_is_named(command, tmp_path, monkeypatch, name):
    monkeypatch.setattr("os.access", lambda path, mode: tmp_path / path != tmp_path / name)
    code, out, err = command("predict", "m.safetensors", "data.csv")
    assert (code, out, err) == (2, "", [f"sparsefit: {name} may not be read"])
