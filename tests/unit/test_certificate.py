"""The certificate of a network: exact ones have nothing to gain, wrong ones do."""

import numpy as np
import pytest
import torch

from sparsefit.core.problem import Problem
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.certificate import certify
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet
from sparsefit.methods.splice import Splice


def rows_and_targets():
    X = np.random.default_rng(0).normal(size=(400, 5))
    y = np.maximum(X[:, 0] - X[:, 1], 0) + np.maximum(X[:, 2], 0)
    return X, torch.from_numpy(y[None])


def summed(*units):
    """Return a fused network of the given units on five inputs."""
    weight = torch.tensor(units, dtype=torch.float64).T
    ones = torch.ones(len(units), 1, dtype=torch.float64)
    nothing = Edges.from_dense(torch.zeros(5, 1, dtype=torch.float64))
    return SparseNet((Edges.from_dense(weight),), Edges.from_dense(ones), nothing, fused=True)


def test_at_the_truth_every_exchange_costs():
    X, y = rows_and_targets()
    found = certify(
        summed([1, -1, 0, 0, 0], [0, 0, 1, 0, 0]), Objective(RowBlocks(X, dtype=torch.float64), y)
    )
    assert found.swap_change > 0.01
    assert found.fresh_change > 0.01


def test_a_wrong_weight_is_known_by_the_swap_that_mends_it():
    X, y = rows_and_targets()
    objective = Objective(RowBlocks(X, dtype=torch.float64), y)
    wrong = levenberg_marquardt(summed([1, 0, 0, 1, 0], [0, 0, 1, 0, 0]), objective, steps=20).net
    assert certify(wrong, objective).swap_change < -0.01


def test_a_missing_unit_is_known_by_its_fresh_gate():
    X, y = rows_and_targets()
    objective = Objective(RowBlocks(X, dtype=torch.float64), y)
    lacking = levenberg_marquardt(summed([1, -1, 0, 0.001, 0]), objective, steps=20).net
    assert certify(lacking, objective).fresh_change < -0.01


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_row_has_it_whatever_the_unit_of_the_targets(scale):
    X, y = rows_and_targets()
    problem = Problem(X, scale * y.numpy().T)
    [(_, fit)] = Splice().path(problem, [3], Setting(hidden=2))
    assert fit.info["swap_change"] > 0.01
    assert fit.info["fresh_change"] > 0.01
