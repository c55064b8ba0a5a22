"""``sparsefit export``: what it writes, what it prints, and what it refuses."""

import numpy as np
import pytest

from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.predictor import Column, Predictor


@pytest.fixture
def saved(tmp_path):
    columns = (Column(name="age", mean=40.0, scale=10.0), Column(name="height"))
    network = Network((Layer(np.array([[2.0], [0.0]])),), fused=True)
    path = tmp_path / "model.safetensors"
    Predictor(network=network, columns=columns, targets=("risk",)).save(path)
    return path


@pytest.mark.parametrize(
    ("to", "name"),
    [("c", "model.h"), ("python", "model.py"), ("npz", "model.npz"), ("onnx", "model.onnx")],
)
def test_a_file_lies_beside_the_model(command, saved, to, name):
    if to == "onnx":
        pytest.importorskip("onnx")
    code, out, err = command("export", saved, "--to", to)
    path = saved.with_name(name)
    assert (code, err[0]) == (0, "it computes risk from age")
    assert err[1].startswith({"c": "next: cc -std=c99"}.get(to, "next: python -c"))
    assert out == f"{path}: {to}, {path.stat().st_size} bytes\n"
    assert sorted(entry.name for entry in saved.parent.iterdir()) == sorted([saved.name, name])


def test_the_file_may_be_named(command, saved):
    path = saved.with_name("risk.txt")
    assert command("export", saved, "--to", "python", "--out", path)[0] == 0
    names = {}
    exec(path.read_text(), names)
    assert names["predict"]({"age": 50.0}) == {"risk": 2.0}


def test_numbers_in_c_may_be_integers(command, saved):
    for number in ("int16", "int8"):
        assert command("export", saved, "--to", "c", "--number", number)[0] == 0
        text = saved.with_name("model.h").read_text()
        assert f"static SPARSEFIT_FLASH {number}_t model_weight[]" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--to", "tflite"], "--to must be one of onnx, c, npz, python, got 'tflite'"),
        (
            ["--to", "c", "--number", "int4"],
            "--number must be one of float, int16, int8, got 'int4' (did you mean 'int8'?)",
        ),
        (["--to", "npz", "--number", "int16"], "--number must be left out for npz, got 'int16'"),
        ([], "the following arguments are required: --to"),
    ],
)
def test_a_mistake_is_one_sentence(command, saved, words, sentence):
    assert command("export", saved, *words) == (2, "", [f"sparsefit: {sentence}"])
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("name", ["model.safetensors", "none/model.h", ""])
def test_only_a_new_file_in_a_folder_is_written(command, saved, name):
    before = saved.read_bytes()
    code, out, [line] = command("export", saved, "--to", "c", "--out", saved.parent / name)
    assert (code, out) == (2, "")
    assert line == (
        "sparsefit: --out must be a file other than MODEL in a folder that exists, "
        f"got {str(saved.parent / name)!r}"
    )
    assert saved.read_bytes() == before


def test_a_file_that_is_no_model_is_refused(command, tmp_path):
    path = tmp_path / "model.safetensors"
    Network((Layer(np.ones((1, 1))),)).save(path)
    code, _, [line] = command("export", path, "--to", "c")
    assert code == 2
    assert "is a network without columns" in line
    assert command("export", tmp_path / "none", "--to", "c")[0] == 2
