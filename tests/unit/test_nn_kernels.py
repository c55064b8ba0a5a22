"""Layers that store, multiply and train only their nonzeros, against dense ones."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.func import functional_call

from sparsefit.core.errors import OptionError
from sparsefit.nn import (
    SET,
    Constant,
    Cubic,
    HardTopK,
    Linear,
    OneShot,
    Pruner,
    RigL,
    SparseLinear,
    finalize,
    masked_weights,
    pruners,
    sparsify,
    summary,
)
from sparsefit.nn.kernels import pattern_of, sparse_linear
from tests.masking import add_gradient, make_mlp, train

X = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
RULES = {"rigl": RigL(), "set": SET(), "one-shot": OneShot()}
OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.02),
    "fused adam": lambda p: torch.optim.Adam(p, lr=0.02, fused=True),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
}


def n_stored(model):
    return sum(target.masked.n_kept for target in masked_weights(model))


@pytest.mark.parametrize("shape", [(8, 6), (2, 3, 6), (6,), (0, 6)])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_products_and_gradients_against_dense(shape, density):
    generator = torch.Generator().manual_seed(0)
    dense = torch.randn(4, 6, dtype=torch.float64, generator=generator)
    mask = torch.rand(4, 6, generator=generator) < density
    mask[1] = False
    pattern = pattern_of((4, 6), mask.flatten().nonzero()[:, 0])
    x = torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
    bias = torch.randn(4, dtype=torch.float64, generator=generator).requires_grad_()
    values = dense[mask].clone().requires_grad_()
    z = sparse_linear(x, values, bias, pattern)
    weight = (dense * mask).requires_grad_()
    expected = nn.functional.linear(x, weight, bias)
    torch.testing.assert_close(z, expected)
    wanted = torch.randn(z.shape, dtype=torch.float64, generator=generator)
    found = torch.autograd.grad((z * wanted).sum(), (x, values, bias), allow_unused=True)
    true = torch.autograd.grad((expected * wanted).sum(), (x, weight, bias))
    torch.testing.assert_close(found[0], true[0])
    torch.testing.assert_close(found[1], true[1][mask])
    torch.testing.assert_close(found[2], true[2])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("rule", ["rigl", "one-shot"])
def test_training_equals_that_of_masked_weights(rule, optimizer):
    """What is stored and what is masked go the same way: same draws, same exchanges."""
    models = []
    for kernel in ("sparse", "dense"):
        model = sparsify(
            make_mlp(), sparsity=0.7, mask=RULES[rule], schedule=Constant(period=3), kernel=kernel,
        )  # fmt: skip
        train(model, X, 14, OPTIMIZERS[optimizer](model.parameters()))
        assert n_stored(model) == 38
        models.append(finalize(model))
    for one, two in zip(*(model.parameters() for model in models), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("schedule", [Constant(period=2), Cubic(end=9, period=3), Linear(end=8)])
@pytest.mark.parametrize("rule", RULES)
def test_counts_and_memories_go_with_the_nonzeros(rule, schedule):
    model = make_mlp()
    sparsify(model, sparsity=0.8, mask=RULES[rule], schedule=schedule, kernel="sparse")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    [pruner] = pruners(model)
    for step in range(1, 13):
        train(model, X, 1, optimizer)
        assert pruner.n_steps == step
        count = schedule.count(schedule.last_due(step), 26, 128)
        assert n_stored(model) == count
        for target in masked_weights(model):
            memory = optimizer.state[target.weight]
            assert memory["exp_avg"].shape == target.weight.shape
            assert target.masked.starts[-1] == target.masked.n_kept == len(target.masked.columns)
    line, _ = summary(model).layers
    assert (line.kind, line.masked) == ("Linear", ("weight",))
    z = model(X)
    assert all(isinstance(m, nn.Linear) for m in (model[0], model[2]))
    plain = finalize(model)
    assert type(plain[0]) is nn.Linear
    torch.testing.assert_close(plain(X), z)
    assert list(plain.state_dict()) == list(make_mlp().state_dict())
    assert sum(int((plain[i].weight != 0).sum()) for i in (0, 2)) <= 26
    assert not pruners(plain)


def test_grown_weights_have_the_largest_gradients_and_no_memory():
    torch.manual_seed(0)
    layer = nn.Linear(30, 20)
    sparsify(
        layer, sparsity=0.8, mask=RigL(fraction=0.25), schedule=Constant(period=2), kernel="sparse"
    )
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-4)
    rows, wanted = torch.randn(16, 30), torch.randn(16, 20)

    def step():
        optimizer.zero_grad()
        z = layer(rows)
        loss = (z - wanted).square().mean()
        loss.backward()
        gradient = (2 / z.numel() * (z - wanted)).t() @ rows
        optimizer.step()
        return gradient.detach().abs()

    step()
    [target] = masked_weights(layer)
    before = target.masked.expanded()
    gradient = step()
    after = target.masked.expanded()
    grown, dropped = after & ~before, before & ~after
    assert int(grown.sum()) == int(dropped.sum()) == 30
    assert gradient[grown].min() >= gradient[~before & ~grown].max()
    new = target.masked.pattern.places()[:, None].eq(grown.flatten().nonzero()[:, 0]).any(1)
    assert int(new.sum()) == 30
    assert not optimizer.state[target.weight]["exp_avg"][new].any()
    assert not target.weight[new].any()
    assert optimizer.state[target.weight]["exp_avg"][~new].all()


def test_blocks_of_the_gradient_find_what_the_whole_finds(monkeypatch):
    results = []
    for block in (2**20, 45):
        monkeypatch.setattr("sparsefit.nn.stored.BLOCK", block)
        torch.manual_seed(0)
        layer = SparseLinear(
            30, 20, sparsity=0.8, mask="rigl", schedule=Constant(period=1), kernel="sparse"
        )
        train(layer, torch.randn(8, 30), 6)
        results.append(layer.weight)
    torch.testing.assert_close(*results)


def test_accumulated_gradients_are_looked_at_together():
    layers = [
        SparseLinear(6, 8, sparsity=0.5, mask="rigl", schedule=Constant(period=1), kernel="sparse")
        for _ in range(2)
    ]
    layers[1].load_state_dict(layers[0].state_dict())
    wanted = torch.randn(8, 8)
    for layer, parts in zip(layers, (1, 2), strict=True):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            for rows, aims in zip(X.chunk(parts), wanted.chunk(parts), strict=True):
                ((layer(rows) - aims).square().mean() / parts).backward()
            optimizer.step()
    torch.testing.assert_close(layers[0].weight, layers[1].weight)


def test_copies_and_checkpoints():
    model = sparsify(
        make_mlp(), sparsity=0.8, mask="rigl", kernel="sparse", schedule=Constant(period=3)
    )
    optimizer = train(model, X, 4)
    twin = copy.deepcopy(model)
    file = io.BytesIO()
    torch.save([model.state_dict(), optimizer.state_dict()], file)
    train(model, X, 7, optimizer)
    for_twin = torch.optim.Adam(twin.parameters(), lr=0.02)
    file.seek(0)
    weights, memory = torch.load(file, weights_only=True)
    for_twin.load_state_dict(memory)
    train(twin, X, 7, for_twin)
    again = sparsify(
        make_mlp(1), sparsity=0.5, mask="rigl", kernel="sparse", schedule=Constant(period=3)
    )
    again.load_state_dict(weights)
    assert n_stored(again) == 26
    for_again = torch.optim.Adam(again.parameters(), lr=0.02)
    for_again.load_state_dict(memory)
    assert pruners(again)[0].n_steps == 4
    [one], [two] = pruners(model), pruners(twin)
    assert (one.n_steps, two.n_steps) == (11, 11)
    torch.testing.assert_close(model[0].weight, twin[0].weight)
    finalize(copy.deepcopy(model))
    train(model, X, 3, optimizer)
    # What keeps more than the budget is cut; a dense checkpoint gives its largest.
    with pytest.warns(UserWarning, match="masks that were loaded keep 64 weights where 26"):
        model.load_state_dict(sparsify(make_mlp(2), sparsity=0.5, mask="rigl",
                                       kernel="sparse").state_dict())  # fmt: skip
    assert n_stored(model) == 26
    dense = make_mlp(3)
    model.load_state_dict(dense.state_dict())
    mask = model[0].weight != 0
    assert dense[0].weight.abs()[mask].min() > dense[0].weight.abs()[~mask].max()
    plain = finalize(model)
    torch.testing.assert_close(plain[0].weight[mask], dense[0].weight[mask])


def test_auto_stores_large_weights_of_few_nonzeros():
    model = nn.Sequential(nn.Linear(300, 400), nn.ReLU(), nn.Linear(400, 10))
    kinds = {
        sparsity: [type(t.masked).__name__ for t in masked_weights(
            sparsify(copy.deepcopy(model), sparsity=sparsity, allocation="uniform", kernel="auto")
        )] for sparsity in (0.95, 0.5)
    }  # fmt: skip
    assert kinds == {0.95: ["Stored", "Masked"], 0.5: ["Masked", "Masked"]}
    mixed = sparsify(model, sparsity=0.95, kernel="auto", schedule=Constant(period=2))
    count = round(0.05 * (300 * 400 + 4000))
    train(mixed, torch.randn(8, 300), 7)
    assert n_stored(mixed) == count
    finalize(mixed)
    assert sum(int((mixed[i].weight != 0).sum()) for i in (0, 2)) <= count


def test_layers_with_the_kernel_are_those_of_the_package():
    layer = SparseLinear(64, 32, sparsity=0.9, kernel="sparse")
    assert isinstance(layer, (SparseLinear, nn.Linear))
    assert int(layer.mask.sum()) == 205 == int((layer.weight != 0).sum())
    assert [name for name, _ in layer.named_parameters()] == ["bias", "weight_store.values"]
    assert sum(p.numel() for p in layer.parameters()) == 205 + 32
    with pytest.raises(AttributeError):
        layer.weight = torch.ones(32, 64)
    assert layer.double()(torch.ones(1, 64, dtype=torch.float64)).dtype == torch.float64
    assert type(finalize(layer)) is nn.Linear


def test_other_models_keep_their_layers():
    class Custom(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    model = nn.Sequential(Custom(8, 8), nn.Conv1d(8, 8, 1), nn.Linear(8, 4))
    sparsify(model, sparsity=0.5, kernel="sparse")
    assert [type(t.masked).__name__ for t in masked_weights(model)] == [
        "Masked",
        "Masked",
        "Stored",
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel": "csr"}, "kernel must be one of dense, auto, sparse, got 'csr'"),
        (
            {"kernel": "sparse", "mask": HardTopK()},
            "mask must be rigl, set or one-shot with",
        ),
        (
            {"kernel": "sparse", "allocation": "global"},
            "allocation must be erk or uniform with",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    with pytest.raises(OptionError, match=words):
        Pruner(make_mlp(), **options)


def test_functional_calls_train_the_nonzeros():
    model = sparsify(make_mlp(), sparsity=0.5, kernel="sparse")
    parameters = {name: p.detach() * 2 for name, p in model.named_parameters()}
    z = functional_call(model, parameters, (X,))
    add_gradient(model, X)
    assert not torch.equal(z, model(X))
