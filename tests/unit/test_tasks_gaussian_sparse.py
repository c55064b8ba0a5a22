"""The sparse vector and its measurements."""

import numpy as np
import pytest

from sparsefit.core.setting import Setting
from sparsefit.tasks._base import SkipCell
from sparsefit.tasks.gaussian_sparse import GaussianSparse


def test_measurements_are_those_of_the_models_matrix():
    import torch

    from sparsefit.core.sparse_vector import SparseVector
    from sparsefit.models import GaussianSensing

    problem = GaussianSparse(n_measurements=30).load(Setting(hidden=80, seed=3), 6)
    assert len(np.unique(problem.support)) == 6
    assert problem.support.min() >= 0
    assert problem.support.max() < problem.length == 80
    assert problem.values.tolist() == [1.0] * 6
    model = GaussianSensing(30, 80, seed=problem.seed, dtype=torch.float64)
    truth = SparseVector(
        torch.from_numpy(problem.support), torch.from_numpy(problem.values), problem.length
    )
    assert np.allclose(model.forward(truth).numpy().ravel(), problem.measurements)


def test_the_seed_draws_vector_and_matrix():
    first, again, other = (
        GaussianSparse().load(Setting(hidden=500, seed=seed), 10) for seed in (0, 0, 1)
    )
    assert first.measurements.tobytes() == again.measurements.tobytes()
    assert np.array_equal(first.support, again.support)
    assert not np.array_equal(first.support, other.support)
    assert first.measurements.shape == (200,)


def test_more_nonzeros_than_entries_are_skipped():
    with pytest.raises(SkipCell, match="nnz=11 is more than the length of the vector, hidden=10"):
        GaussianSparse().load(Setting(hidden=10), 11)
