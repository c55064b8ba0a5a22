"""Exported models answer as the model does, in every format."""

import json
import math
import sys

import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax

from sparsefit.core.activations import RELU, activation_named
from sparsefit.core.errors import DataError, OptionError, SparsefitError
from sparsefit.core.gates import RandomGates
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.export import FORMATS, export
from sparsefit.predictor import Column, Predictor, lower
from tests.exported import COLUMNS, MODELS, ROWS, answers, as_dicts, assert_close


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


# What is lowered.


def test_only_the_live_part_is_left():
    net = lower(MODELS["four values, two hidden"])
    assert all((np.diff(layer.weight.indptr) > 0).all() for layer in net.hidden)
    for layer in (*net.hidden[1:], net.output):
        assert (np.diff(layer.weight.tocsr().indptr) > 0).all()
    assert "dead" not in {COLUMNS[entry.column].name for entry in net.inputs}


def test_a_constant_model_has_biases_alone():
    net = lower(MODELS["four values, constant"])
    assert not net.hidden
    assert net.output.weight.nnz == 0
    assert len(net.inputs) == 1


def test_random_gates_are_refused():
    network = Network((Layer(np.ones((1, 2))),), fused=True, gates=RandomGates(0, 1))
    model = Predictor(network=network, columns=(Column(name="a"),), targets=("y",))
    with pytest.raises(SparsefitError, match="random gates"):
        lower(model)


@pytest.mark.parametrize("to", FORMATS)
def test_a_diverged_network_is_refused(to, tmp_path):
    network = Network((Layer(np.array([[np.inf]])),))
    model = Predictor(network=network, columns=(Column(name="a"),), targets=("y",))
    with pytest.raises(DataError, match="not finite"):
        export(model, to, tmp_path / "file")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", ["c", "onnx"])
def test_what_does_not_fit_into_single_precision_is_refused(to, tmp_path):
    if to == "onnx":
        pytest.importorskip("onnx")
    network = Network((Layer(np.array([[1e39]])),))
    model = Predictor(network=network, columns=(Column(name="a"),), targets=("y",))
    with pytest.raises(DataError, match="too large"):
        export(model, to, tmp_path / "file")


@pytest.mark.parametrize(
    ("to", "options", "message"),
    [
        ("tflite", {}, "to must be one of onnx, c, npz, python, got 'tflite'"),
        ("c", {"number": "int4"}, "number must be one of float, int16, int8, got 'int4'"),
        ("npz", {"number": "int16"}, "number must be left out for npz, got 'int16'"),
        ("npz", {"name": "x"}, "name must be left out for npz, got 'x'"),
    ],
)
def test_what_there_is_not_is_named(to, options, message, tmp_path):
    with pytest.raises(OptionError) as caught:
        export(MODELS["a value, linear"], to, tmp_path / "file", **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("to", FORMATS)
def test_the_same_model_gives_the_same_bytes(model, to, tmp_path):
    if to == "onnx":
        pytest.importorskip("onnx")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        export(model, to, tmp_path / name / "file")
    assert (tmp_path / "a" / "file").read_bytes() == (tmp_path / "b" / "file").read_bytes()


# Arrays.


def from_arrays(arrays, header, rows):
    """Evaluate as the documentation of the format says."""
    columns, levels = arrays["input_columns"], arrays["input_levels"]
    numbers = (rows[:, columns] - arrays["input_means"]) / arrays["input_scales"]
    x = np.where(levels < 0, np.nan_to_num(numbers), rows[:, columns] == levels)

    def times(values, name):
        starts = arrays[f"{name}.starts"]
        parts = (arrays[f"{name}.values"], arrays[f"{name}.indices"], starts)
        return values @ sparse.csr_array(parts, shape=(len(starts) - 1, values.shape[1])).T

    values = x
    *hidden_layers, output = header["layers"]
    for name in hidden_layers:
        activate = activation_named(header["activation"])
        values = activate(times(values, name) + arrays[f"{name}.bias"])
    outputs = times(values, output) + arrays[f"{output}.bias"] + times(x, "skip")
    return np.exp(outputs) if header["exponential"] else outputs


def test_arrays(model, tmp_path):
    export(model, "npz", tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as arrays:
        header = json.loads(arrays["header"].tobytes())
        outputs = from_arrays(arrays, header, ROWS)
    expected, _ = answers(model)
    assert_close(softmax(outputs, axis=1) if model.classes else outputs, expected, 1e-10)
    assert [column["name"] for column in header["columns"]] == [c.name for c in COLUMNS]
    assert [tuple(column["levels"]) for column in header["columns"]] == [c.levels for c in COLUMNS]
    assert (tuple(header["targets"]), tuple(header["classes"])) == (model.targets, model.classes)


# Python.


def test_python(model, tmp_path):
    export(model, "python", tmp_path / "m.py")
    text = (tmp_path / "m.py").read_text(encoding="utf-8")
    allowed = {"max": max, "sum": sum, "zip": zip, "dict": dict}
    names = {"__builtins__": allowed, "math": math}
    activation = model.network.activation
    if activation != RELU:
        assert text.startswith(f"{text.splitlines()[0]}\n\n{activation.python_function()}\n")
    exec(compile(text.replace("import math\n", ""), "m.py", "exec"), names)
    function = set() if activation == RELU else {activation.word}
    assert set(names) == {"__builtins__", "__doc__", "math", "predict", *function}
    found = [names["predict"](row) for row in as_dicts(COLUMNS, ROWS)]
    expected, labels = answers(model)
    if model.classes:
        assert [answer["label"] for answer in found] == labels
        found = [answer["probabilities"] for answer in found]
    assert list(found[0]) == list(model.classes or model.targets)
    single = model.network.layers[0].weight.dtype == np.float32
    assert_close([list(answer.values()) for answer in found], expected, 1e-6 if single else 1e-10)


def test_python_of_many_terms_can_be_parsed(tmp_path):
    columns = tuple(Column(name=f"c{at}") for at in range(20000))
    network = Network((Layer(np.ones((20000, 1))),))
    export(Predictor(network=network, columns=columns, targets=("y",)), "python", tmp_path / "m.py")
    names = {}
    exec((tmp_path / "m.py").read_text(), names)
    assert names["predict"](dict.fromkeys((c.name for c in columns), 1.0)) == {"y": 20000.0}


def test_python_does_not_overflow(tmp_path):
    network = Network((Layer(np.array([[1000.0]])),))
    model = Predictor(
        network=network, columns=(Column(name="a"),), targets=("y",), classes=("n", "p")
    )
    export(model, "python", tmp_path / "m.py")
    names = {}
    exec((tmp_path / "m.py").read_text(), names)
    assert names["predict"]({"a": 9.0})["probabilities"] == {"n": 0.0, "p": 1.0}
    assert names["predict"]({"a": -9.0})["probabilities"] == {"n": 1.0, "p": 0.0}


def test_python_refuses_one_name_for_two_columns(tmp_path):
    network = Network((Layer(np.ones((2, 1))),))
    model = Predictor(network=network, columns=(Column(name="a"),) * 2, targets=("y",))
    with pytest.raises(SparsefitError, match="different column names, got 'a' twice"):
        export(model, "python", tmp_path / "m.py")


# ONNX.


def run_onnx(path, rows):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": rows.astype(np.float32)}), strict=True))


def test_onnx(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    export(model, "onnx", tmp_path / "m.onnx")
    found = run_onnx(tmp_path / "m.onnx", ROWS)
    expected, labels = answers(model)
    assert_close(found["probabilities" if model.classes else "values"], expected)
    assert list(found.get("label", [])) == labels
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    facts = {key: json.loads(value) for key, value in metadata.items()}
    assert [column["name"] for column in facts["columns"]] == [c.name for c in COLUMNS]
    assert (tuple(facts["targets"]), tuple(facts["classes"])) == (model.targets, model.classes)


def test_onnx_stores_little_of_a_large_layer_with_few_weights(tmp_path):
    pytest.importorskip("onnx")
    rng, n = np.random.default_rng(0), 400
    weight = sparse.csc_array((rng.normal(size=n), (np.arange(n), rng.permutation(n))), (n, n))
    network = Network((Layer(weight), Layer(rng.normal(size=(n, 2)))))
    columns = tuple(Column(name=str(at)) for at in range(n))
    model = Predictor(network=network, columns=columns, targets=("y", "z"))
    export(model, "onnx", tmp_path / "m.onnx")
    # Of which the names are 13 kB; the dense layer alone would be 640 kB.
    assert (tmp_path / "m.onnx").stat().st_size < 40000
    rows = rng.normal(size=(5, n))
    assert_close(run_onnx(tmp_path / "m.onnx", rows)["values"], model.outputs(rows), 1e-4)


def test_without_the_package_onnx_is_explained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SparsefitError) as caught:
        export(MODELS["a value, linear"], "onnx", tmp_path / "m.onnx")
    assert str(caught.value) == ("--to onnx needs the package onnx: pip install 'sparsefit[onnx]'")
