"""Mask rules: who is kept, what gradient flows, soft masks, and what optimisers remember."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sparsefit.core.errors import SparsefitError
from sparsefit.nn import (
    SET,
    Constant,
    Cubic,
    HardConcrete,
    HardTopK,
    Magnitude,
    OneShot,
    Pruner,
    RigL,
    Rows,
    Sigmoid,
    SparseLinear,
    Unstructured,
    finalize,
    masked_weights,
    sparsify,
)
from tests.masking import add_gradient, driver_of, kept, make_mlp, n_kept, same, train

# Schedules end early here, which finalize speaks of.
pytestmark = pytest.mark.filterwarnings("ignore:.* weights are cut to")

SGD = {"lr": 0.05, "momentum": 0.9}
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, **SGD),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    "fused adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01, fused=True),
}


@given(st.lists(st.integers(-2, 2), min_size=1, max_size=40), st.integers(0, 41), st.booleans())
def test_top_k_keeps_exactly_k_and_ties_go_to_the_lowest_index(values, k, low_precision):
    scores = torch.tensor(values, dtype=torch.bfloat16 if low_precision else torch.float32)
    wanted = set(sorted(range(len(values)), key=lambda i: (-values[i], i))[:k])
    found = Unstructured().select(scores, k)
    assert {int(i) for i in found.nonzero()} == wanted


def masked_copy(rule, structure=None, dtype=torch.float64):
    torch.manual_seed(0)
    layer = nn.Linear(6, 4, dtype=dtype)
    sparsify(layer, sparsity=0.5, mask=rule, structure=structure)
    [target] = masked_weights(layer)
    X = torch.randn(5, 6, dtype=dtype)
    add_gradient(layer, X)
    return layer, target, X


@pytest.mark.parametrize("leak", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("structure", [Unstructured(), Rows()])
def test_gradient_of_scores_and_weights_against_autograd(structure, leak):
    layer, target, X = masked_copy(HardTopK(leak=leak), structure)
    weight = target.dense().clone().requires_grad_()
    mask = target.masked.mask.double().requires_grad_()
    dense = weight * (mask if mask.ndim == 2 else mask[:, None])
    dense.retain_grad()
    plain = nn.Linear(6, 4, dtype=torch.float64)
    plain.bias.data.copy_(layer.bias.detach())
    z = X @ dense.T + plain.bias
    wanted = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    (z - wanted).square().mean().backward()
    in_shape = mask.detach() if mask.ndim == 2 else mask.detach()[:, None]
    gain = in_shape + leak * (1 - in_shape)
    torch.testing.assert_close(target.masked.scores.grad, mask.grad)
    torch.testing.assert_close(target.weight.grad, gain * dense.grad)
    assert (layer.weight == dense).all()


@pytest.mark.parametrize(
    ("rule", "leak"),
    [(Magnitude(leak=0.3), 0.3), (Magnitude(gradient="masked"), 0), (OneShot(), 0)],
)
def test_pruned_weights_learn_as_the_rule_says(rule, leak):
    layer, target, X = masked_copy(rule)
    dense = layer.weight.detach().clone().requires_grad_()
    wanted = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    (X @ dense.T + layer.bias.detach() - wanted).square().mean().backward()
    gain = torch.where(kept(layer)["weight"], 1.0, leak)
    torch.testing.assert_close(target.weight.grad, gain * dense.grad)


def test_none_never_moves():
    torch.manual_seed(0)
    layer = SparseLinear(10, 64, mask=HardTopK(gradient="none"), schedule=Constant(period=1))
    first, scores = kept(layer), layer.scores.clone()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
    train(layer, torch.randn(16, 10), 20, optimizer)
    assert same(first, kept(layer))
    assert torch.equal(scores, layer.scores)
    pruned = ~kept(layer)["weight"]
    [target] = masked_weights(layer)
    assert not target.weight.grad[pruned].any()


SOFT = [Sigmoid(steps=10), HardConcrete(steps=10)]


@pytest.mark.parametrize("rule", SOFT)
def test_soft_gates_are_between_0_and_1_then_hard(rule):
    torch.manual_seed(0)
    layer = SparseLinear(10, 20, sparsity=0.8, mask=rule, schedule=Constant(period=4))
    X = torch.randn(8, 10)
    [target] = masked_weights(layer)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for step in range(12):
        gates = (target.masked(layer.weight) / target.dense()).detach()
        assert ((gates >= 0) & (gates <= 1 + 1e-6)).all()
        between = (gates > 1e-6) & (gates < 1 - 1e-6)
        assert between.any() == (step < 10)
        layer.eval()
        assert torch.equal(layer.weight, target.dense() * kept(layer)["weight"])
        assert int((layer.weight != 0).sum()) == 40
        layer.train()
        train(layer, X, 1, optimizer)
    assert torch.equal(layer.weight, target.dense() * kept(layer)["weight"])


def test_sigmoid_gates_against_the_formula():
    torch.manual_seed(0)
    rule = Sigmoid(steps=100, temperature=0.5)
    layer = SparseLinear(10, 20, sparsity=0.8, mask=rule, schedule=Constant(period=1))
    train(layer, torch.randn(8, 10), 30)
    scores = layer.scores.detach()
    highest = scores.ravel().sort(descending=True).values
    threshold = (highest[39] + highest[40]) / 2
    gates = 1 / (1 + torch.exp(-(scores - threshold) / (0.5 * 0.01**0.3)))
    [target] = masked_weights(layer)
    torch.testing.assert_close(target.masked(layer.weight), target.dense() * gates)


def test_hard_concrete_gates_are_often_closed_and_seldom_between():
    torch.manual_seed(0)
    rule = HardConcrete(temperature=0.001)
    logits = torch.tensor([-8.0, 0.0, 8.0]).expand(20_000, 3)
    gates, _ = rule.gates(logits)
    assert gates[:, 0].mean() < 0.01
    assert gates[:, 2].mean() > 0.99
    assert gates[:, 1].mean() == pytest.approx(0.5, abs=0.02)
    # P(gate = 0) = sigmoid(beta log(stretch / (1 + stretch)) - logit), Louizos et al., eq. 12.
    closed = 1 / (1 + math.exp(-rule.beta * math.log(rule.stretch / (1 + rule.stretch))))
    assert (gates[:, 1] == 0).float().mean() == pytest.approx(closed, abs=0.02)


@pytest.mark.parametrize("rule", SOFT)
@pytest.mark.parametrize("structure", [Unstructured(), Rows()])
def test_gradients_of_soft_gates_against_differences(rule, structure):
    torch.manual_seed(0)
    layer = SparseLinear(
        4, 3, sparsity=0.5, mask=rule, structure=structure, dtype=torch.float64,
        schedule=Constant(period=100),
    )  # fmt: skip
    X = torch.randn(5, 4, dtype=torch.float64)

    [target] = masked_weights(layer)

    def loss(weight, scores):
        torch.manual_seed(1)
        return nn.functional.linear(X, target.masked(weight), layer.bias).square().sum()

    assert torch.autograd.gradcheck(loss, (layer.weight, layer.scores), atol=1e-4)


@pytest.mark.parametrize("rule", SOFT)
@pytest.mark.parametrize("steps", [0, 4, 10])
def test_finalize_hardens_a_soft_mask(rule, steps):
    model = make_mlp()
    sparsify(model, sparsity=0.9, mask=rule, schedule=Cubic(end=10, period=2))
    train(model, torch.randn(8, 6), steps)
    finalize(model)
    assert sum(int((p != 0).sum()) for p in model.parameters() if p.ndim > 1) == 13


@pytest.mark.parametrize("rule", SOFT)
def test_a_dense_soft_mask_has_open_gates(rule):
    layer = SparseLinear(10, 20, sparsity=0.0, mask=rule)
    [target] = masked_weights(layer)
    torch.testing.assert_close(target.masked(layer.weight), target.dense(), rtol=0.01, atol=0)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rule", [SET(), RigL(), OneShot()])
def test_what_optimisers_remember_of_pruned_weights_is_zero(rule, optimizer):
    model, X = make_mlp(), torch.randn(8, 6)
    schedule = Cubic(end=9, period=3)
    sparsify(model, sparsity=0.7, mask=rule, schedule=schedule, allocation="uniform")
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    train(model, X, 9, optimizer)
    for target in masked_weights(model):
        pruned = ~kept(model)[target.name]
        tensors = [v for v in optimizer.state[target.weight].values() if v.ndim == 2]
        assert tensors
        assert all(value[~pruned].any() for value in tensors)
        for value in (target.dense(), *tensors):
            assert not value[pruned].any()
    before = kept(model)
    train(model, X, 2, optimizer)
    for target in masked_weights(model):
        assert same(before, kept(model))
        pruned = ~kept(model)[target.name]
        # The gradient of pruned weights is let through only where RigL is about to look at it.
        if not isinstance(rule, RigL):
            assert not target.dense()[pruned].any()
        assert not target.module.weight[pruned].any()


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rule", [SET(), RigL()])
def test_grown_weights_start_from_zero(rule, optimizer, by_hand):
    model, X = make_mlp(), torch.randn(8, 6)
    options = {"sparsity": 0.7, "mask": rule, "schedule": Constant(period=3)}
    pruner = Pruner(model, **options) if by_hand else sparsify(model, **options) and None
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    n_grown = 0
    for _ in range(4):
        train(model, X, 2, optimizer, pruner)
        before = kept(model)
        train(model, X, 1, optimizer, pruner)
        for target in masked_weights(model):
            grown = kept(model)[target.name] & ~before[target.name]
            n_grown += int(grown.sum())
            memory = [v for v in optimizer.state[target.weight].values() if v.ndim == 2]
            for value in (target.dense(), *memory):
                assert not value[grown].any()
    assert n_grown > 20


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_momentum_moves_what_masked_magnitudes_have_pruned(optimizer):
    model, X = make_mlp(), torch.randn(8, 6)
    pruner = Pruner(model, sparsity=0.8, schedule=Cubic(end=10, period=5, stop=10))
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    train(model, X, 10, optimizer, pruner)
    pruned = {name: ~mask for name, mask in kept(model).items()}
    before = {target.name: target.dense().clone() for target in masked_weights(model)}
    assert all(before[name][mask].all() for name, mask in pruned.items())
    train(model, X, 5, optimizer, pruner)
    for target in masked_weights(model):
        hidden = pruned[target.name]
        assert torch.equal(target.dense()[hidden], before[target.name][hidden])


def test_rigl_grows_where_the_gradient_is_largest():
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    sparsify(layer, sparsity=0.5, mask=RigL(fraction=0.25), schedule=Constant(period=1))
    [target] = masked_weights(layer)
    before = kept(layer)["weight"]
    train(layer, torch.randn(8, 6), 1, torch.optim.SGD(layer.parameters(), lr=1e-6))
    after = kept(layer)["weight"]
    gradient, magnitude = target.weight.grad.abs(), target.dense().detach().abs()
    grown, dropped = after & ~before, before & ~after
    assert int(grown.sum()) == int(dropped.sum()) == 3
    assert gradient[grown].min() >= gradient[~before & ~grown].max() > 0
    assert magnitude[before & after].min() >= 0
    assert (layer.weight[before & after] != 0).all()


def test_rigl_looks_at_the_gradient_of_pruned_weights_only_where_a_mask_is_due():
    model = make_mlp()
    sparsify(model, sparsity=0.7, mask=RigL(), schedule=Constant(period=3, stop=6))
    optimizer, seen = torch.optim.SGD(model.parameters(), lr=0.01), []
    for _ in range(9):
        pruned = {name: ~mask for name, mask in kept(model).items()}
        train(model, torch.randn(8, 6), 1, optimizer)
        targets = masked_weights(model)
        seen.append(all(bool(t.weight.grad[pruned[t.name]].any()) for t in targets))
    assert seen == [False, False, True, False, False, True, False, False, False]


def test_set_and_rigl_drop_the_smallest():
    for rule in (SET(fraction=0.5), RigL(fraction=0.5)):
        torch.manual_seed(0)
        layer = nn.Linear(8, 4)
        sparsify(layer, sparsity=0.5, mask=rule, schedule=Constant(period=1))
        before, weight = kept(layer)["weight"], layer.weight.detach().clone()
        train(layer, torch.randn(8, 8), 1, torch.optim.SGD(layer.parameters(), lr=1e-9))
        dropped = before & ~kept(layer)["weight"]
        assert int(dropped.sum()) == 8
        assert weight[dropped].abs().max() <= weight[before & ~dropped].abs().min()


def test_the_exchanged_share_falls_to_nothing():
    torch.manual_seed(0)
    layer = nn.Linear(20, 20)
    sparsify(layer, sparsity=0.5, mask=SET(fraction=0.4), schedule=Constant(period=1, stop=20))
    optimizer, changed = torch.optim.SGD(layer.parameters(), lr=0.01), []
    for _ in range(22):
        before = kept(layer)["weight"]
        train(layer, torch.randn(8, 20), 1, optimizer)
        changed.append(int((before & ~kept(layer)["weight"]).sum()))
    assert changed[0] > changed[10] > changed[17]
    assert changed[19:] == [0, 0, 0]


def test_rigl_without_gradients_says_so():
    model = make_mlp()
    pruner = Pruner(model, sparsity=0.5, mask=RigL(), schedule=Constant(period=1))
    with pytest.raises(SparsefitError, match=r"rigl.*gradients.*between backward and zero_grad$"):
        pruner.step()


def test_snip_without_gradients_says_so_and_leaves_the_model_alone():
    model = make_mlp()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    with pytest.raises(SparsefitError, match=r"by='sensitivity' needs gradients"):
        sparsify(model, mask=OneShot(by="sensitivity"))
    assert not [*masked_weights(model)]
    assert type(model[0]) is nn.Linear


def test_snip_keeps_the_most_sensitive():
    layer = nn.Linear(6, 4)
    add_gradient(layer, torch.randn(8, 6))
    sensitivity = (layer.weight * layer.weight.grad).abs().detach()
    sparsify(layer, sparsity=0.5, mask=OneShot(by="sensitivity"), schedule=Constant(stop=0))
    mask = kept(layer)["weight"]
    assert sensitivity[mask].min() > sensitivity[~mask].max()


@pytest.mark.parametrize("rule", [RigL(), SET()])
def test_what_drops_and_grows_can_be_finalized_at_any_time(rule):
    model, X = make_mlp(), torch.randn(8, 6)
    sparsify(model, sparsity=0.8, mask=rule, schedule=Cubic(end=100, period=5))
    train(model, X, 12).zero_grad()
    before, driver = kept(model), driver_of(model)
    finalize(model)
    assert sum(int((p != 0).sum()) for p in model.parameters() if p.ndim > 1) == 26
    for name, mask in driver.masks().items():
        assert not (mask & ~before[name]).any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rule", [SET(), RigL(), Magnitude(), HardTopK()])
def test_counts_are_exact_in_low_precision(rule, dtype):
    torch.manual_seed(0)
    layer = nn.Linear(400, 400, bias=False, dtype=dtype)
    sparsify(layer, sparsity=0.5, mask=rule, schedule=Constant(period=1))
    [target] = masked_weights(layer)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    for _ in range(2):
        before = kept(layer)["weight"]
        magnitude = target.dense().detach().abs()
        target.weight.grad = torch.randn(400, 400).to(dtype) * 1e-6
        optimizer.step()
        after = kept(layer)["weight"]
        assert int(after.sum()) == 80_000
        if isinstance(rule, (SET, RigL)):
            dropped = before & ~after
            assert int(dropped.sum()) == int(rule.fraction * 80_000)
            assert magnitude[dropped].max() <= magnitude[before & after].min() * 1.05
    assert driver_of(layer).sparsity == 0.5
    assert n_kept(layer) == 80_000
