"""Units that cannot come in are left out of AIHT's gradient, and no bit of an iterate changes."""

import numpy as np
import pytest
import torch

from sparsefit.core.batches import Batches
from sparsefit.core.datafits import Logistic, Squared
from sparsefit.core.gates import RandomGates
from sparsefit.core.memory import Workspace
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models import GatedReLU
from sparsefit.models._patterns import Patterns
from sparsefit.solvers import AIHT
from tests.unit.test_iht import planted

D, HIDDEN = 8, 600  # four whole tiles of 128 units and a shorter one


class Counted(GatedReLU):
    """Notes how many units each pass over the gradient makes, as long as the gates are drawn."""

    def __init__(self, *args):
        super().__init__(*args)
        self.passes = []

    def blocks(self, *args):
        self.passes.append(0)
        for block in super().blocks(*args):
            self.passes[-1] += len(block.indices) // D
            yield block


def drawn(X, dtype=torch.float64, hidden=HIDDEN, memory=None):
    return Counted(RowBlocks(X, dtype=dtype), hidden, RandomGates(1, X.shape[1]), memory)


def iterates(model, datafit, y, screens, **options):
    found = []
    solver = AIHT(epochs=6, screens=screens, **options)
    batches = Batches(len(y), 0, 0)
    solver.solve(model, datafit, y, 20, batches=batches, callback=lambda _, w: found.append(w))
    return found


@pytest.mark.parametrize("options", [{}, {"sequential": False}, {"redraw": 3}, {"update_every": 3}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(3))
def test_iterates_are_the_same_bit_for_bit(options, dtype, seed):
    X, y = planted(n=2500, d=D, hidden=HIDDEN, nnz=20, seed=seed)
    y = torch.from_numpy(y).to(dtype)
    models = {screens: drawn(X, dtype) for screens in (True, False)}
    one, other = (iterates(model, Squared(), y, on, **options) for on, model in models.items())
    assert len(one) == len(other)
    assert all(a.equals(b) for a, b in zip(one, other, strict=True))
    # The first step is of length 1e-14, so the second finds the residual where it was.
    assert models[False].passes[:2] == [HIDDEN, HIDDEN]
    assert models[True].passes[0] == HIDDEN
    assert models[True].passes[1] < 0.9 * HIDDEN


def test_iterates_are_the_same_for_another_loss():
    X, y = planted(n=900, d=D, hidden=HIDDEN, nnz=20)
    labels = torch.from_numpy((y > np.median(y)).astype(float))
    one, other = (iterates(drawn(X), Logistic(), labels, screens) for screens in (True, False))
    assert all(a.equals(b) for a, b in zip(one, other, strict=True))


def weights(*indices):
    return SparseVector(torch.tensor(indices), torch.ones(len(indices)).double(), HIDDEN * D)


def by_unit(model, *args):
    """Return the gradient of each unit that is shown."""
    found = {}
    for block in model.blocks(*args):
        for index, row in zip(block.indices[::D].tolist(), block.gradient.view(-1, D), strict=True):
            found[index // D] = row
    return found


@pytest.mark.parametrize("n", [33, 257, 2048 + 257])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_left_out_is_smaller_and_what_is_shown_is_the_same(n, dtype):
    """With these numbers of rows, a unit elsewhere in its tile would be rounded otherwise."""
    rng = np.random.default_rng(n)
    X, coef = rng.normal(size=(n, D)), weights(3, 17, 2000, 4700)
    model, r, left_out = drawn(X, dtype), torch.from_numpy(rng.normal(size=n)).to(dtype), 0
    for number in range(12):
        r = r + 10.0 ** -(number % 4) * torch.from_numpy(rng.normal(size=n)).to(dtype)
        expected = by_unit(drawn(X, dtype), coef, r)
        peaks = torch.stack([expected[unit].abs().max() for unit in range(HIDDEN)])
        beyond = peaks.quantile(1 - 0.05 * (number % 3)).item()
        shown = by_unit(model, coef, r, beyond)
        assert all(torch.equal(row, expected[unit]) for unit, row in shown.items())
        assert {0, 2, 250, 587} <= set(shown)  # those that have weights
        hidden = [unit for unit in range(HIDDEN) if unit not in shown]
        left_out += len(hidden)
        assert not hidden or peaks[hidden].max() < beyond
    assert left_out > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_unit_enters_from_as_far_as_the_bound_reaches(share, dtype):
    """r goes along a column of the longest input, and takes that gradient up all the way."""
    rng = np.random.default_rng(0)
    X = np.concatenate([np.full((60, 1), 5.0), 0.01 * rng.normal(size=(60, D - 1))], axis=1)
    model, coef, r = drawn(X, dtype), weights(0), torch.zeros(60, dtype=dtype)
    assert len(by_unit(model, coef, r)) == HIDDEN
    input_norm = 5.0 * 60**0.5
    r = r + 2.0 / 60**0.5  # of norm 2
    far = by_unit(drawn(X, dtype), coef, r)
    peaks = torch.stack([far[unit].abs().max() for unit in range(HIDDEN)])
    assert abs(peaks.max().item() - 2 * input_norm) < 1e-3  # the bound is attained
    shown = by_unit(model, coef, r, 2 * input_norm * share)
    assert set((peaks >= 2 * input_norm * share).nonzero().ravel().tolist()) <= set(shown)


def test_nothing_can_enter_that_the_bound_excludes():
    rng = np.random.default_rng(0)
    X, r = rng.normal(size=(60, D)), torch.from_numpy(rng.normal(size=60))
    model, coef = drawn(X), weights(0)
    peak = max(row.abs().max().item() for row in by_unit(model, coef, r).values())
    longest = np.linalg.norm(X, axis=0).max()
    for number in range(1, 4):  # what r has gone adds up
        r = r + 0.1 / 60**0.5
        reach = peak + 0.1 * number * longest
        assert len(by_unit(model, coef, r, 0.99 * reach)) >= 128
        assert set(by_unit(model, coef, r, 1.01 * reach)) == {*range(128)}


def test_a_step_that_is_not_finite_leaves_nothing_out():
    X = np.random.default_rng(0).normal(size=(60, D))
    model, coef, r = drawn(X), weights(0), torch.ones(60, dtype=torch.float64)
    by_unit(model, coef, r)
    assert len(by_unit(model, coef, r * torch.nan, 1e9)) == HIDDEN
    assert len(by_unit(model, coef, r, torch.nan)) == HIDDEN


def test_patterns_that_are_not_kept_are_all_made():
    X, r = np.random.default_rng(0).normal(size=(60, D)), torch.ones(60, dtype=torch.float64)
    model = drawn(X, memory=Workspace(0))
    for _ in range(2):
        assert len(by_unit(model, weights(0), r, 1e9)) == HIDDEN


@pytest.mark.parametrize(("n", "d"), [(5000, 6), (60, 300)])
def test_patterns_that_are_not_kept_are_the_same(n, d):
    """Whether gates of tiles are kept or patterns of rows: of many rows, and of many inputs."""
    rng = np.random.default_rng(0)
    rows = RowBlocks(rng.normal(size=(n, d)), dtype=torch.float64)
    numbers = torch.tensor([3, 130, 131, 290, 3])
    kept, made = (
        Patterns(rows, 300, RandomGates(0, d), Workspace(budget)) for budget in (10**8, 0)
    )
    for one, two in zip(kept.select(numbers), made.select(numbers), strict=True):
        assert one.equal(two)
    for one, two in zip(kept.of_tile(slice(128, 256)), made.of_tile(slice(128, 256)), strict=True):
        assert one.equal(two)
