"""Magnitude pruning against a naive version, and the three meanings of prune_iters."""

import copy

import numpy as np
import pytest
import torch

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.dense import MLP, geometric_counts, prune_to, shrinking_counts
from sparsefit.methods.dense import DenseTraining
from sparsefit.methods.imp import IterativeMagnitudePruning
from sparsefit.methods.magnitude import MagnitudePruning
from tests.reference.naive_imp import naive_imp


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5)).astype(np.float32)
    y = np.maximum(X[:, :1] - X[:, 1:2], 0)
    return Problem(X, y, peak=float(y.max()))


SETTING = Setting(hidden=6, seed=2)


def weights(fit):
    return [layer.weight.toarray() for layer in fit.network.all_layers]


def by_budget(method, problem, budgets, setting=SETTING):
    return dict(method.path(problem, budgets, setting))


@pytest.mark.parametrize("score", ["pruned", "retrained"])
@pytest.mark.parametrize("prune_iters", [0.0, 0.2, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("skip", [False, True])
def test_equals_the_naive_version(problem, score, prune_iters, bias, skip):
    setting = Setting(hidden=6, seed=2, bias=bias, skip=skip)
    method = IterativeMagnitudePruning(
        protocol="paper", epochs=3, prune_iters=prune_iters, score=score
    )
    fit = by_budget(method, problem, [7], setting)[7]
    expected = naive_imp(problem, 7, setting, epochs=3, prune_iters=prune_iters, score=score)
    assert fit.network.nnz == 7
    for found, wanted in zip(weights(fit), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("prune_iters", [0, 0.3, 1, 4])
def test_a_budget_does_not_depend_on_the_others(problem, prune_iters):
    method = IterativeMagnitudePruning(protocol="paper", epochs=2, prune_iters=prune_iters)
    together = by_budget(method, problem, [4, 30, 9, 21, 8])
    assert list(together) == [30, 21, 9, 8, 4]
    for nnz, fit in together.items():
        alone = by_budget(method, problem, [nnz])[nnz]
        for one, two in zip(weights(fit), weights(alone), strict=True):
            assert one.tobytes() == two.tobytes()


def test_one_descent_serves_all_budgets(problem):
    method = IterativeMagnitudePruning(protocol="paper", epochs=1, prune_iters=0.1)
    alone = sum(by_budget(method, problem, [nnz])[nnz].n_iter for nnz in (5, 6, 7))
    together = by_budget(method, problem, [5, 6, 7])
    assert together[5].n_iter < 0.5 * alone


def test_rewinding_starts_from_the_initial_weights(problem):
    tiny = IterativeMagnitudePruning(protocol="paper", epochs=1, lr=1e-12, prune_iters=1)
    fit = by_budget(tiny, problem, [8])[8]
    initial = MLP([5, 6, 1], bias=False, seed=2).to_network()
    for found, start in zip(weights(fit), initial.layers, strict=True):
        kept = found != 0
        np.testing.assert_allclose(found[kept], start.weight.toarray()[kept], rtol=1e-6)


def test_without_rounds_there_is_no_rewinding(problem):
    one_shot = IterativeMagnitudePruning(protocol="paper", epochs=20, lr=0.01, prune_iters=0)
    magnitude = MagnitudePruning(protocol="paper", epochs=20, lr=0.01)
    rewound = IterativeMagnitudePruning(protocol="paper", epochs=20, lr=0.01, prune_iters=1)
    fits = [by_budget(method, problem, [8])[8] for method in (one_shot, magnitude, rewound)]
    assert all((a == b).all() for a, b in zip(weights(fits[0]), weights(fits[1]), strict=True))
    assert any((a != b).any() for a, b in zip(weights(fits[0]), weights(fits[2]), strict=True))


def test_more_budget_than_parameters_is_dense(problem):
    fits = by_budget(
        IterativeMagnitudePruning(protocol="paper", epochs=2), problem, [36, 10_000, 10]
    )
    assert fits[10_000].network.nnz == 36
    assert fits[36].network.nnz == 36
    dense = by_budget(DenseTraining(protocol="paper", epochs=2), problem, [1])[1]
    assert all((a == b).all() for a, b in zip(weights(fits[36]), weights(dense), strict=True))


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
@pytest.mark.parametrize("layers", [1, 2])
def test_every_loss_is_learned(loss, layers):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 4))
    label = (X[:, 0] > 0).astype(int)
    y = label if loss == "softmax" else label[:, None].astype(float)
    problem = Problem(X, y, loss=loss, metric="accuracy", n_classes=2)
    setting = Setting(hidden=8, layers=layers, seed=0)
    z = by_budget(DenseTraining(), problem, [1], setting)[1].network.predict(X)
    guess = z.argmax(1) if loss == "softmax" else z[:, 0] > {"squared": 0.5, "logistic": 0}[loss]
    assert np.mean(guess == label) > 0.9


def test_progress_counts_every_training_once(problem):
    seen = []
    setting = Setting(hidden=6, seed=2, progress=lambda fraction, _: seen.append(fraction))
    method = IterativeMagnitudePruning(protocol="paper", epochs=1, prune_iters=0.3)
    list(method.path(problem, [5, 20, 11], setting))
    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_global_random_state_is_left_alone(problem):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    by_budget(IterativeMagnitudePruning(protocol="paper", epochs=1), problem, [10])
    assert torch.equal(torch.rand(2), expected)


def test_pruning_keeps_exactly_that_many_of_what_is_left():
    a, b = torch.tensor([[1.0, -1.0, 1.0]]), torch.tensor([1.0, 5.0])
    masks = [torch.ones_like(a, dtype=torch.bool), torch.tensor([True, False])]
    before = copy.deepcopy(masks)
    kept = prune_to([a, b], masks, 2)
    assert [mask.tolist() for mask in kept] == [[[True, True, False]], [False, False]]
    assert all(torch.equal(x, y) for x, y in zip(masks, before, strict=True))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.99])
def test_shrinking_counts_fall_by_the_fraction_to_the_budget(fraction):
    counts = shrinking_counts(1000, fraction, 7)
    assert counts[-1] == 7
    assert all(a > b for a, b in zip([1000, *counts], counts, strict=False))
    assert counts[0] == max(7, 1000 - round(1000 * fraction))


def test_geometric_counts_have_that_many_rounds():
    assert geometric_counts(10_000, 4, 1) == [1000, 100, 10, 1]
    assert len(geometric_counts(50, 1, 7)) == 1
