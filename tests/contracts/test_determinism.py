"""Same seed, same bytes, whatever memory allows to keep."""

import numpy as np
import pytest
import torch

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.methods import find_method
from sparsefit.methods.aiht import AcceleratedIHT


def planted(n_outputs, n=9000, d=11, hidden=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32)
    W = rng.normal(size=(d, 9)) * (rng.random((d, 9)) < 0.3)
    U = np.ones((9, 1)) if n_outputs == 1 else rng.normal(size=(9, n_outputs))
    y = np.maximum(X @ W, 0) @ U
    return Problem(X, y.astype(np.float32), peak=float(np.abs(y).max()))


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("batch_size", [0, 8500])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_do_not_depend_on_the_memory_budget(n_outputs, batch_size, dtype):
    check_memory(AcceleratedIHT(epochs=4, batch_size=batch_size), n_outputs, dtype)


@pytest.mark.parametrize(
    "method",
    [
        find_method("aiht")(epochs=5, dead_gates="redraw", keep_best=True),
        find_method("htp")(epochs=4, dead_gates="redraw"),
        find_method("subspace-pursuit")(epochs=3),
        find_method("omp")(atoms=20),
    ],
    ids=lambda method: method.name,
)
def test_pursuits_and_redrawn_gates_do_not_depend_on_the_memory_budget(method):
    check_memory(method, 1, "float64")


def check_memory(method, n_outputs, dtype):
    problem = planted(n_outputs)
    fits = []
    for memory in ("1MB", "2MB", "512MB"):
        setting = Setting(hidden=300, seed=3, dtype=dtype, memory=memory)
        [(_, fit)] = method.path(problem, [60], setting)
        fits.append(fit)
    for other in fits[1:]:
        for one, two in zip(fits[0].network.layers, other.network.layers, strict=True):
            assert (one.weight.indices == two.weight.indices).all()
            assert one.weight.data.tobytes() == two.weight.data.tobytes()
        assert other.history == fits[0].history


def test_gates_of_a_unit_do_not_depend_on_the_number_of_units():
    problem = planted(1)
    small = AcceleratedIHT(epochs=1, convex=True)
    networks = [
        next(small.path(problem, [40], Setting(hidden=hidden)))[1].network for hidden in (8, 200)
    ]
    live = [network.gates.rows(range(8)) for network in networks]
    assert (live[0] == live[1]).all()


def test_a_solve_leaves_torchs_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    next(AcceleratedIHT(epochs=2).path(planted(1), [20], Setting(hidden=20)))
    assert torch.equal(torch.rand(3), expected)
