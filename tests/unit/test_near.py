"""Near-equal supports, against all exchanges refitted one by one."""

import json

import numpy as np
import pytest
import torch

from sparsefit.cli import main
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton.conversion import from_network
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.near import exchanges
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.sparse_net import Edges


def case(seed):
    """Return a network at its minimum on noisy rows of inputs that go together, and its rows."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, 6))
    X[:, 3:] = 0.97 * X[:, :3] + 0.25 * X[:, 3:]
    weight = np.zeros((6, 2))
    weight[[0, 1, 4], [0, 0, 1]] = 1.0, -1.5, 2.0
    network = Network((Layer(weight), Layer(np.array([[1.0], [-0.7]]))))
    y = network.predict(X) + 0.8 * rng.normal(size=(80, 1))
    objective = Objective(RowBlocks(X, dtype=torch.float64), torch.from_numpy(y.T))
    return levenberg_marquardt(from_network(network).net, objective, steps=50), objective


def refitted(net, objective, dropped, entered):
    """Return the loss with one hidden weight dropped and another in its stead, from many starts."""
    losses = []
    for value in (1.0, -1.0):
        first = net.hidden[0].dense().T.clone()
        first[dropped] = 0
        if entered is not None:
            first[entered] = value
        changed = net.with_trained([Edges.from_dense(first), net.readout, net.skip])
        start = changed.without_idle_units()
        losses.append(levenberg_marquardt(start, objective, steps=40).loss)
    return min(losses)


@pytest.mark.parametrize("seed", [0, 1])
def test_exchanges_of_hidden_weights_are_those_of_brute_force(seed):
    best, objective = case(seed)
    slack = 0.15
    found = {}
    for one in exchanges(best.net, objective, slack):
        if one.dropped.layer == "hidden 1" and (one.entered is None or one.entered.layer[0] == "h"):
            entered = one.entered and (one.entered.input, one.entered.unit)
            found[(one.dropped.input, one.dropped.unit), entered] = one.change
    weights = best.net.hidden[0].dense().T
    present = [tuple(at) for at in weights.nonzero().tolist()]
    absent = [tuple(at) for at in (weights == 0).nonzero().tolist()]
    within = {}
    for dropped in present:
        for entered in (None, *absent):
            change = refitted(best.net, objective, dropped, entered) / best.loss - 1
            if change <= slack:
                within[dropped, entered] = change
    assert found
    assert set(found) <= set(within)
    for pair, change in found.items():
        assert change >= within[pair] - 1e-6
    # What is found is the best in the stead of each weight, within a third of the slack at least.
    for (dropped, entered), change in within.items():
        if change < slack / 3 and entered is not None and entered[1] == dropped[1]:
            assert (dropped, entered) in found


RUN = [
    "run", "--task", "planted", "--method", "splice", "--hidden", "3", "--nnz", "6",
    "--n-samples", "150", "--n-features", "8", "--n-test", "20", "--restarts", "0", "--quiet",
    "--format", "json", "--out", "runs",
]  # fmt: skip


def diagnosed(capsys, *words):
    assert main([*RUN, *words]) == 0
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    assert main(["diagnose", run_id, "--near", "0.1", "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_command_lists_what_noise_leaves_open(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = diagnosed(capsys, "--noise-db", "15", "--inputs", "correlated", "--correlation", "0.95")
    near = found["near"]
    assert near["supports"] == len(near["exchanges"]) > 0
    changes = [one["change"] for one in near["exchanges"]]
    assert changes == sorted(changes)
    assert changes[-1] <= near["slack"] == 0.1
    dropped = {json.dumps({**one["dropped"], "value": 0}) for one in near["exchanges"]}
    assert near["always"] == near["weights"] - len(dropped)
    assert main(["diagnose", found["run_id"], "--near", "0.1", "--format", "table"]) == 0
    printed = capsys.readouterr().out
    assert f"{near['supports']} differ in one weight" in printed


def test_an_exact_network_has_none_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = diagnosed(capsys)
    assert found["near"] is None
    assert any("the network is exact" in note for note in found["notes"])
