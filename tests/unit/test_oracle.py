"""What least squares on the true support score: beside noisy rows only."""

import numpy as np
import pytest

from sparsefit.core.setting import Setting
from sparsefit.experiments.oracle import oracle_value
from sparsefit.gauss_newton.conversion import from_network
from sparsefit.tasks import find_task


def load(seed=0, how=None, **options):
    task = find_task("planted")(n_samples=2000, n_features=10, n_test=2000, **options)
    return task.load(Setting(**{"hidden": 4, "seed": seed} | (how or {})), 12)


@pytest.mark.parametrize(
    ("how", "options"),
    [({}, {}), ({"bias": True}, {"biases": 3}), ({"layers": 2}, {}), ({}, {"n_outputs": 3})],
)
@pytest.mark.parametrize("noise_db", [20.0, 60.0])
def test_its_error_is_that_of_cramer_and_rao(noise_db, how, options):
    ratios = []
    for seed in range(6):
        problem = load(seed, how, noise_db=noise_db, **options)
        net = from_network(problem.truth).net
        # A unit with weights behind it may be scaled freely, which no rows settle.
        count = net.nnz - net.scalings().shape[1]
        bound = noise_db + 10 * np.log10(2000 * problem.n_outputs / count)
        ratios.append(10 ** ((bound - oracle_value(problem)) / 10))
    # A squared normal variable for each weight, in the mean of six draws.
    assert 0.5 < np.mean(ratios) < 2


def test_without_noise_or_a_true_network_there_is_none():
    assert oracle_value(load()) is None
    diabetes = find_task("regression")().load(Setting(hidden=4, seed=0), 5)
    assert oracle_value(diabetes) is None
