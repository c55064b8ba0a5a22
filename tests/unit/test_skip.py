"""The skip connection from inputs to outputs: predicted, counted, kept, trained and compared."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from sparsefit.core.activations import Tanh
from sparsefit.core.errors import DataError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.network_file import FORMAT_VERSION
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.dense import MLP
from sparsefit.experiments.support import support_overlap
from sparsefit.methods import find_method


def sparse(rng, *shape):
    return rng.normal(size=shape) * (rng.random(shape) < 0.5)


def networks():
    rng = np.random.default_rng(0)
    hidden = Layer(sparse(rng, 5, 4), sparse(rng, 4))
    skip = sparse(rng, 5, 1)
    two = Layer(sparse(rng, 4, 2), sparse(rng, 2))
    return {
        "fused": Network((hidden,), fused=True, skip=Layer(skip)),
        "fused with an output bias": Network(
            (hidden,), fused=True, skip=Layer(skip, np.array([0.5]))
        ),
        "two outputs": Network((hidden, two), skip=Layer(sparse(rng, 5, 2))),
    }


@pytest.fixture(params=networks())
def network(request):
    return networks()[request.param]


X = np.random.default_rng(1).normal(size=(30, 5))


def test_it_is_added_to_what_the_hidden_layers_give(network):
    expected = X @ network.skip.weight.toarray()
    if network.skip.bias is not None:
        expected = expected + network.skip.bias
    without = dataclasses.replace(network, skip=None)
    np.testing.assert_allclose(network.predict(X) - without.predict(X), expected)
    assert network.nnz == without.nnz + network.skip.nnz
    n_biases = 0 if network.skip.bias is None else network.n_outputs
    assert network.n_params == without.n_params + 5 * network.n_outputs + n_biases


def test_it_is_scaled_with_the_inputs(network):
    np.testing.assert_allclose(
        network.on_scaled_inputs(4.0).predict(X), network.predict(4 * X), rtol=1e-12
    )


def test_it_is_saved_and_loaded(network, tmp_path):
    network.save(tmp_path / "net")
    loaded = Network.load(tmp_path / "net")
    assert (loaded.predict(X) == network.predict(X)).all()
    assert (loaded.nnz, loaded.n_params) == (network.nnz, network.n_params)


def test_files_without_one_are_as_they_were_and_those_with_one_say_so(network, tmp_path):
    versions = {}
    for name, one in (("with", network), ("without", dataclasses.replace(network, skip=None))):
        one.save(tmp_path / name)
        with safe_open(tmp_path / name, framework="numpy") as file:
            header = json.loads(file.metadata()["sparsefit"])
            names = set(file.keys())
        versions[name] = header["version"]
        assert ("skip" in header) == (name == "with")
        assert any(key.startswith("skip") for key in names) == (name == "with")
    assert versions == {"with": 2, "without": 1}
    assert Network.load(tmp_path / "without").skip is None


def test_a_newer_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sparsefit.core.network_file.FORMAT_VERSION", FORMAT_VERSION + 1)
    # Files say the first version that wrote such: only what is newest says the newest.
    newest = dataclasses.replace(networks()["fused"], activation=Tanh())
    newest.save(tmp_path / "net")
    monkeypatch.undo()
    with pytest.raises(DataError, match="newer version"):
        Network.load(tmp_path / "net")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_torch_network_is_the_sum_of_both_paths(bias, layers):
    net = MLP([5, *[4] * layers, 2], bias=bias, seed=0, skip=True).double()
    plain = MLP([5, *[4] * layers, 2], bias=bias, seed=0).double()
    x = torch.from_numpy(X)
    torch.testing.assert_close(net(x), plain(x) + x @ net.skip.weight.T)
    assert net.n_params == plain.n_params + 10
    sparse_form = net.to_network()
    assert sparse_form.n_params == net.n_params
    assert sparse_form.skip.bias is None
    np.testing.assert_allclose(sparse_form.predict(X), net(x).detach().numpy())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("imp", {"epochs": 200, "prune_iters": 0.3}), ("magnitude", {"epochs": 100}),
        ("gmp", {"epochs": 150}), ("rigl", {}), ("learned-mask", {"epochs": 150}),
    ],
)  # fmt: skip
def test_a_linear_target_is_nearer_with_it(name, options):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 8)).astype(np.float32)
    problem = Problem(rows, rows[:, :3] @ np.array([[3.0], [-2.0], [1.0]], np.float32))
    losses = {}
    for skip in (False, True):
        method = find_method(name)(**options)
        [(_, fit)] = method.path(problem, [6], Setting(hidden=6, skip=skip))
        assert fit.network.nnz <= 6
        losses[skip] = np.square(fit.network.predict(rows) - problem.y).mean()
    assert losses[True] < 0.6 * losses[False]


def test_rows_of_a_structured_mask_leave_the_direct_path_to_itself():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 8)).astype(np.float32)
    problem = Problem(rows, np.maximum(rows[:, :1], 0) + rows[:, 1:2])
    method = find_method("learned-mask")(structure="rows", allocation="global", epochs=20)
    [(_, fit)] = method.path(problem, [30], Setting(hidden=6, skip=True))
    counts = np.diff(fit.network.layers[0].weight.indptr)
    assert set(counts) <= {0, 8}
    assert 0 < fit.network.skip.nnz < 8


def test_the_command_line_shows_it(tmp_path, capsys):
    from sparsefit.cli import main

    run = ["run", "--task", "planted", "--n-samples", "100", "--n-test", "0", "--n-features", "5"]
    out = ["--out", str(tmp_path)]
    assert main([*run, *out, "--method", "imp", "--epochs", "2", "--hidden", "3", "--nnz", "9",
                 "--skip"]) == 0  # fmt: skip
    row = json.loads(capsys.readouterr().out)
    assert (row["skip"], row["nnz_found"], row["n_params"]) == (True, 9, 5 * 3 + 3 + 5)
    assert main(["show", row["run_id"], *out]) == 0
    lines = capsys.readouterr().out.splitlines()
    layers = {line.split()[0]: line.split()[1:] for line in lines if line[2:8].strip()}
    assert layers["skip"][:2] == ["5", "1"]
    assert "output" in layers


def test_positions_of_the_direct_path_are_compared_as_they_are():
    hidden = Layer(np.array([[1.0], [0.0]]))
    truth = Network((hidden,), fused=True)
    found = dataclasses.replace(truth, skip=Layer(np.array([[0.0], [2.0]])))
    overlap = support_overlap(truth, found)
    assert (overlap.shared, overlap.planted, overlap.found) == (1, 1, 2)
    overlap = support_overlap(found, found)
    assert (overlap.shared, overlap.planted, overlap.found) == (2, 2, 2)
