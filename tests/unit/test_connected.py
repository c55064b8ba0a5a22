"""Budgets are spent on paths from inputs to outputs."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.dense.connected import choose_connected
from sparsefit.methods.fisher_gmp import FisherPruning
from sparsefit.nn import Candidate, Unstructured, choose


def candidates_of(*scores):
    tensors = [torch.tensor(score) for score in scores]
    return [Candidate(tuple(t.shape), Unstructured(), t) for t in tensors]


def random_candidates(widths, *, bias, skip, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = []
    for n_in, n_out in itertools.pairwise(widths):
        shapes += [(n_out, n_in)] + [(n_out,)] * bias
    shapes += [(widths[-1], widths[0])] * skip
    scores = [torch.rand(shape, generator=generator) for shape in shapes]
    return [Candidate(tuple(s.shape), Unstructured(), s) for s in scores]


def half_connected(weights):
    """Count, in a slow and obvious way, hidden units that have connections but lie on no path."""
    n_layers, count = len(weights), 0

    def reaches_inputs(layer, unit):
        sources = np.flatnonzero(weights[layer][unit])
        return any(layer == 0 or reaches_inputs(layer - 1, source) for source in sources)

    def reaches_outputs(layer, unit):
        targets = np.flatnonzero(weights[layer + 1][:, unit])
        return any(layer + 2 == n_layers or reaches_outputs(layer + 1, t) for t in targets)

    for layer in range(n_layers - 1):
        for unit in range(len(weights[layer])):
            used = weights[layer][unit].any() or weights[layer + 1][:, unit].any()
            count += used and not (reaches_inputs(layer, unit) and reaches_outputs(layer, unit))
    return count


@given(
    st.sampled_from([[5, 4, 2], [3, 6, 1], [4, 3, 3, 2], [2, 2, 3, 2, 1]]),
    st.booleans(), st.booleans(), st.sampled_from(["global", "uniform", "erk"]),
    st.integers(0, 5), st.data(),
)  # fmt: skip
def test_no_unit_is_half_connected_and_the_budget_is_spent(
    widths, bias, skip, allocation, seed, data
):
    candidates = random_candidates(widths, bias=bias, skip=skip, seed=seed)
    n_layers = len(widths) - 1
    size = sum(candidate.importance.numel() for candidate in candidates)
    keep = data.draw(st.integers(1, size))
    masks = choose_connected(candidates, keep, allocation=allocation, n_layers=n_layers)
    matrices = [mask.numpy() for mask in masks if mask.ndim == 2]
    assert half_connected(matrices[:n_layers]) == 0
    kept = sum(int(mask.sum()) for mask in masks)
    # What is left over is less than a further path takes.
    assert keep - n_layers < kept <= keep
    if any(matrix.any() for matrix in matrices[:n_layers]):
        assert kept >= keep - 1
    if bias:
        by_layer = masks[: 2 * n_layers]
        for matrix, own in list(zip(by_layer[::2], by_layer[1::2], strict=True))[:-1]:
            assert not own[~matrix.any(dim=1)].any()


def test_what_is_connected_is_chosen_as_without():
    candidates = random_candidates([5, 4, 2], bias=True, skip=False)
    masks = choose_connected(candidates, 30, allocation="global", n_layers=2)
    assert all(map(torch.equal, masks, choose(candidates, 30, "global")))


def test_the_budget_of_half_connected_units_goes_to_the_most_important_others():
    into = [[9.0, 8.0, 1.0], [7.0, 2.0, 3.0]]
    out = [[0.5, 6.0]]
    # The first four are 9, 8, 7 and 6; the first unit then leads nowhere.
    masks = choose_connected(candidates_of(into, out), 4, allocation="global", n_layers=2)
    assert masks[0].tolist() == [[False, False, False], [True, True, True]]
    assert masks[1].tolist() == [[False, True]]


def test_further_units_are_connected_where_the_others_are_full():
    into = [[9.0, 8.0], [7.0, 2.0], [0.1, 0.3]]
    out = [[0.5, 6.0, 0.4]]
    five = choose_connected(candidates_of(into, out), 5, allocation="global", n_layers=2)
    # The second unit can take three, the best connections of the first are the other two.
    assert five[0].tolist() == [[True, False], [True, True], [False, False]]
    assert five[1].tolist() == [[True, True, False]]
    into[0][1], into[1][1] = into[1][1], into[0][1]
    # Now the second unit takes three of four at once, and the fourth would be half a unit.
    four = choose_connected(candidates_of(into, out), 4, allocation="global", n_layers=2)
    assert [int(mask.sum()) for mask in four] == [2, 1]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("nnz", [6, 15, 60])
def test_the_network_of_the_method_has_no_half_connected_unit(layers, bias, nnz):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 8)).astype(np.float32)
    y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
    problem = Problem(X, y, loss="softmax", metric="accuracy", n_classes=3)
    setting = Setting(hidden=16, layers=layers, bias=bias)
    [(_, fit)] = FisherPruning(epochs=20).path(problem, [nnz], setting)
    assert half_connected([layer.weight.toarray().T for layer in fit.network.layers]) == 0
    assert fit.network.nnz == nnz
