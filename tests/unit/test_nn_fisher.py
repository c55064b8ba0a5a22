"""The Fisher mask: what it ranks by, and what it asks of an optimiser."""

import pytest
import torch

from sparsefit.core.errors import SparsefitError
from sparsefit.nn import (
    Constant,
    Cubic,
    Fisher,
    Magnitude,
    Pruner,
    finalize,
    masked_weights,
    sparsify,
)
from tests.masking import driver_of, kept, make_mlp, same, train

KEEPING_MOMENTS = {
    "exp_avg_sq": [torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam, torch.optim.RAdam],
    "square_avg": [torch.optim.RMSprop, torch.optim.Adadelta],
}


@pytest.mark.parametrize("gradient", ["masked", "straight-through"])
@pytest.mark.parametrize(
    ("key", "make"), [(k, o) for k, all_ in KEEPING_MOMENTS.items() for o in all_]
)
@pytest.mark.parametrize("exponent", [0.0, 0.25, 0.5])
def test_fisher_keeps_the_largest_over_all_layers(exponent, key, make, gradient):
    model, X = make_mlp(), torch.randn(8, 6)
    model[2].weight.data *= 2  # so that no layer has to be spared
    rule, schedule = Fisher(exponent=exponent, gradient=gradient), Cubic(end=9, period=3)
    sparsify(model, sparsity=0.7, mask=rule, schedule=schedule, allocation="global")
    optimizer = make(model.parameters(), lr=0.02)
    for _ in range(3):
        train(model, X, 3, optimizer)
        scores = torch.cat([
            (t.dense().detach().abs() * optimizer.state[t.weight][key] ** exponent).ravel()
            for t in masked_weights(model)
        ])  # fmt: skip
        mask = torch.cat([mask.ravel() for mask in kept(model).values()])
        assert scores[mask].min() >= scores[~mask].max()


def test_the_first_mask_of_fisher_is_that_of_the_magnitudes():
    masks = []
    for rule in (Fisher(), Magnitude()):
        model = make_mlp()
        sparsify(model, sparsity=0.7, mask=rule)
        masks.append(kept(model))
    assert same(*masks)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_fisher_without_second_moments_says_so(momentum):
    model, X = make_mlp(), torch.randn(8, 6)
    sparsify(model, sparsity=0.7, mask=Fisher(), schedule=Constant(period=2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    train(model, X, 1, optimizer)
    with pytest.raises(SparsefitError, match=r"^mask 'fisher' needs .* Adam, AdamW and RMSprop"):
        train(model, X, 1, optimizer)


def test_fisher_without_an_optimiser_says_so():
    pruner = Pruner(make_mlp(), mask=Fisher(), schedule=Constant(period=1))
    with pytest.raises(SparsefitError, match=r"^mask 'fisher' .* call pruner.step\(optimizer\)$"):
        pruner.step()


def test_fisher_remembers_squared_gradients_of_what_no_momentum_moves():
    model, X = make_mlp(), torch.randn(8, 6)
    rule, schedule = Fisher(gradient="masked"), Cubic(end=10, period=5, stop=10)
    pruner = Pruner(model, sparsity=0.8, mask=rule, schedule=schedule)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    train(model, X, 10, optimizer, pruner)
    pruned = {name: ~mask for name, mask in kept(model).items()}
    before = {target.name: target.dense().clone() for target in masked_weights(model)}
    train(model, X, 5, optimizer, pruner)
    for target in masked_weights(model):
        hidden, memory = pruned[target.name], optimizer.state[target.weight]
        assert torch.equal(target.dense()[hidden], before[target.name][hidden])
        assert not memory["exp_avg"][hidden].any()
        assert memory["exp_avg_sq"][hidden].any()


@pytest.mark.parametrize("steps", [0, 12])
@pytest.mark.filterwarnings("ignore:.* weights are cut to")
def test_fisher_that_stops_early_revives_nothing(steps):
    model, X = make_mlp(), torch.randn(8, 6)
    sparsify(model, sparsity=0.8, mask=Fisher(), schedule=Cubic(end=100, period=5))
    train(model, X, steps)
    before, driver = kept(model), driver_of(model)
    finalize(model)
    for name, mask in driver.masks().items():
        assert not (mask & ~before[name]).any()
    assert sum(int((p != 0).sum()) for p in model.parameters() if p.ndim > 1) == 26


@pytest.mark.parametrize(
    "make", [lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), lambda p: torch.optim.Adam(p)]
)
def test_with_a_fallback_any_optimiser_will_do(make):
    masks = []
    for rule in (Fisher(fallback=True), Magnitude(), Fisher()):
        model, X = make_mlp(), torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
        sparsify(model, sparsity=0.7, mask=rule, schedule=Constant(period=2))
        optimizer = make(model.parameters())
        if rule == Fisher() and isinstance(optimizer, torch.optim.SGD):
            return
        train(model, X, 5, optimizer)
        masks.append(kept(model))
        if len(masks) == 2 and isinstance(optimizer, torch.optim.SGD):
            assert same(*masks)
    # Under Adam it is Fisher itself.
    assert same(masks[0], masks[2])
