"""prune, Pruner, finalize and the sparse layers as a user meets them, bad input included."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.nn import (
    NM,
    Blocks,
    Channels,
    Constant,
    Cubic,
    HardConcrete,
    HardTopK,
    Kernels,
    Linear,
    Magnitude,
    OneShot,
    Pruner,
    RigL,
    Rows,
    SparseConv2d,
    SparseLinear,
    finalize,
    masked_weights,
    prune,
    sparsify,
)
from tests.masking import RULES, ConvNet, driver_of, kept, make_mlp, n_kept, same, train

# Schedules end early here, which finalize speaks of.
pytestmark = pytest.mark.filterwarnings("ignore:.* weights are cut to")

X = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


def make_optimizer(name, parameters):
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.01)
    return torch.optim.Adam(parameters, lr=0.05)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_prune_keeps_the_largest_and_holds_the_others_at_zero(optimizer):
    model = make_mlp()
    # So that neither layer has to be spared.
    model[2].weight.data *= 2
    weights = torch.cat([model[i].weight.detach().abs().ravel() for i in (0, 2)])
    prune(model, sparsity=0.75)
    mask = torch.cat([model[i].weight.detach().ravel() != 0 for i in (0, 2)])
    assert int(mask.sum()) == 32
    assert weights[mask].min() > weights[~mask].max()
    first = kept(model)
    train(model, X, 15, make_optimizer(optimizer, model.parameters()))
    assert same(first, kept(model))
    for target in masked_weights(model):
        assert not target.dense()[~first[target.name]].any()
        assert target.dense()[first[target.name]].all()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_an_optimiser_that_was_there_before_revives_nothing(optimizer):
    model = make_mlp()
    optimizer = make_optimizer(optimizer, model.parameters())
    train(model, X, 5, optimizer)
    prune(model, sparsity=0.75)
    train(model, X, 5, optimizer)
    mask = kept(model)
    finalize(model)
    for i in (0, 2):
        assert torch.equal(model[i].weight != 0, mask[f"{i}.weight"])


def test_prune_takes_a_budget_biases_and_structures():
    model = make_mlp()
    prune(model, nnz=20, biases=True)
    assert sum(int((p != 0).sum()) for layer in (model[0], model[2])
               for p in (layer.weight, layer.bias)) == 20  # fmt: skip
    model = prune(make_mlp(), sparsity=0.5, structure=Rows(), layers=["0"])
    assert int((model[0].weight != 0).all(dim=1).sum()) == 8
    assert (model[2].weight != 0).all()


def test_step_in_a_users_loop():
    model = make_mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    pruner = Pruner(model, sparsity=0.75, schedule=Linear(start=2, end=10, period=4))
    assert pruner.sparsity == 0
    counts = []
    for step in range(1, 13):
        train(model, X, 1, optimizer, pruner)
        assert pruner.n_steps == step
        counts.append(sum(int(mask.sum()) for mask in pruner.masks().values()))
    # 128 weights, 32 in the end; masks are due at 4, 8 and 10.
    assert counts == [128] * 3 + [104] * 4 + [56] * 2 + [32] * 3
    assert pruner.sparsity == 0.75
    assert [*pruner.masks()] == ["0.weight", "2.weight"]
    for i in (0, 2):
        assert torch.equal(model[i].weight != 0, pruner.masks()[f"{i}.weight"])


def test_a_pruner_of_ones_own_does_not_count_twice():
    model = make_mlp()
    pruner = Pruner(model, sparsity=0.5, schedule=Cubic(end=10))
    train(model, X, 3)
    assert pruner.n_steps == 0


def test_the_mask_stops_where_the_schedule_says():
    model = sparsify(make_mlp(), sparsity=0.75, schedule=Constant(period=1, stop=5))
    optimizer = train(model, X, 5, torch.optim.Adam(model.parameters(), lr=0.1))
    stopped = kept(model)
    train(model, X, 10, optimizer)
    assert same(stopped, kept(model))


def test_optimisers_of_other_models_do_not_count():
    model, other = sparsify(make_mlp()), sparsify(make_mlp())
    train(model, X, 3)
    assert (driver_of(model).n_steps, driver_of(other).n_steps) == (3, 0)
    finalize(model)
    train(model, X, 1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_finalize_gives_a_plain_model_with_the_same_outputs(rule, training):
    torch.manual_seed(0)
    model = nn.Sequential(SparseLayer(rule), nn.ReLU(), nn.Linear(16, 2)).train(training)
    if rule != "snip":
        sparsify(model, sparsity=0.8, mask=RULES[rule], layers=["2"])
    train(model.train(), X, 12)
    model.train(training)
    masked = copy.deepcopy(model).eval()
    z = masked(X)
    plain = finalize(model)
    assert plain is model
    assert torch.equal(plain(X), z)
    assert type(plain[0]) is type(plain[2]) is nn.Linear
    assert [type(module).__name__ for module in plain.modules()] == [
        "Sequential", "Linear", "ReLU", "Linear",
    ]  # fmt: skip
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in plain.modules())
    assert list(plain.state_dict()) == list(make_mlp().state_dict())
    assert all(type(p) is nn.Parameter and p.is_leaf for p in plain.parameters())
    assert not [*masked_weights(plain)]
    make_mlp().load_state_dict(plain.state_dict())
    assert finalize(plain) is plain
    train(plain, X, 1)
    sparsify(plain, sparsity=0.5)


def SparseLayer(rule):  # noqa: N802
    if rule == "snip":
        return nn.Linear(6, 16)
    return SparseLinear(6, 16, sparsity=0.75, mask=RULES[rule], schedule=Constant(period=3))


def test_finalize_restores_the_class_of_others_models():
    model = sparsify(ConvNet(), sparsity=0.9)
    finalize(model)
    assert type(model) is ConvNet
    assert type(model.first) is nn.Conv2d
    assert list(model.state_dict()) == list(ConvNet().state_dict())


def test_a_pruner_still_knows_the_masks_of_a_finalized_model():
    model = make_mlp()
    pruner = Pruner(model, sparsity=0.75, schedule=Cubic(end=100))
    finalize(model)
    assert pruner.sparsity == 0.75
    for i in (0, 2):
        assert torch.equal(pruner.masks()[f"{i}.weight"], model[i].weight != 0)
    pruner.step()
    assert pruner.sparsity == 0.75


@pytest.mark.parametrize("bias", [False, True])
def test_sparse_linear(bias):
    torch.manual_seed(0)
    layer = SparseLinear(10, 64, bias, sparsity=0.9, dtype=torch.float64)
    assert isinstance(layer, nn.Linear)
    assert (layer.bias is not None) == bias
    assert layer.mask.shape == (64, 10)
    assert int(layer.mask.sum()) == int((layer.weight != 0).sum()) == 64
    assert layer.scores is None
    assert layer.weight.dtype == torch.float64
    torch.manual_seed(0)
    plain = nn.Linear(10, 64, bias, dtype=torch.float64)
    rows = torch.randn(3, 10, dtype=torch.float64)
    expected = nn.functional.linear(rows, plain.weight * layer.mask, plain.bias)
    assert torch.equal(layer(rows), expected)
    assert SparseLinear(4, 4, mask=HardTopK()).scores.shape == (4, 4)
    assert SparseLinear(4, 4, mask=HardTopK(), structure=Rows(), sparsity=0.5).scores.shape == (4,)
    budget = SparseLinear(10, 64, bias, nnz=100)
    assert sum(int((p != 0).sum()) for p in (budget.weight, budget.bias) if p is not None) == 100
    assert int(SparseLinear(8, 8, structure=NM()).mask.sum()) == 32
    assert int(SparseLinear(10, 10).mask.sum()) == 10


def test_sparse_conv2d():
    torch.manual_seed(0)
    layer = SparseConv2d(
        4, 8, (3, 1), sparsity=0.75, structure=Kernels(), mask=HardTopK(), stride=2, padding=1,
        bias=False, groups=2,
    )  # fmt: skip
    assert isinstance(layer, nn.Conv2d)
    assert layer.mask.shape == (8, 2, 3, 1)
    assert layer.scores.shape == (8, 2)
    assert int(layer.mask.all(dim=(2, 3)).sum()) == int(layer.mask.sum()) // 3 == 4
    images = torch.randn(2, 4, 7, 7)
    [target] = masked_weights(layer)
    expected = nn.functional.conv2d(
        images, target.dense() * layer.mask, stride=2, padding=1, groups=2
    )
    assert torch.equal(layer(images), expected)
    assert type(finalize(layer)) is nn.Conv2d
    rows = SparseConv2d(4, 8, 3, sparsity=0.5, structure=Channels(), padding_mode="circular")
    assert rows.padding_mode == "circular"
    assert int((rows.weight != 0).any(dim=(1, 2, 3)).sum()) == 4


def test_frozen_weights_can_be_masked():
    model = make_mlp()
    model[0].weight.requires_grad_(False)
    sparsify(model, sparsity=0.75)
    train(model, X, 12)
    assert n_kept(model) == 32


def test_a_layer_that_is_used_twice_is_one_layer():
    layer = nn.Linear(6, 6)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    sparsify(model, sparsity=0.5)
    train(model, X, 12)
    assert n_kept(model) == 18
    assert torch.equal(finalize(model)[0].weight, model[2].weight)


def test_attention_and_other_parametrizations_get_masks():
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    names = dict(model.named_parameters())
    sparsify(model, sparsity=0.5)
    rows = torch.randn(2, 3, 8)
    train(model, rows, 11)
    z = model.eval()(rows)
    torch.testing.assert_close(finalize(model)(rows), z)
    assert dict(model.named_parameters()).keys() == names.keys()
    normed = parametrizations.spectral_norm(nn.Linear(6, 4))
    sparsify(normed, sparsity=0.5)
    assert int((normed.weight != 0).sum()) == 12


# The model has 6 x 16 + 16 + 16 x 2 + 2 = 146 parameters, of which 18 are biases.
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sparsity": 1.0}, "sparsity must be a number >= 0 and < 1, got 1.0"),
        ({"sparsity": -0.1}, "sparsity must be a number >= 0 and < 1, got -0.1"),
        ({"sparsity": 95}, "sparsity must be a number >= 0 and < 1, got 95"),
        ({"sparsity": float("nan")}, "sparsity must be a number >= 0 and < 1, got nan"),
        ({"sparsity": "0.9"}, "sparsity must be a number >= 0 and < 1, got '0.9'"),
        ({"sparsity": True}, "sparsity must be a number >= 0 and < 1, got True"),
        ({"nnz": 0}, "nnz must be an integer from 19 to 146 (18 parameters have no mask), got 0"),
        ({"nnz": 18}, "nnz must be an integer from 19 to 146 (18 parameters have no mask), got 18"),
        ({"nnz": 147},
         "nnz must be an integer from 19 to 146 (18 parameters have no mask), got 147"),
        ({"nnz": 50.0},
         "nnz must be an integer from 19 to 146 (18 parameters have no mask), got 50.0"),
        ({"nnz": 0, "biases": True}, "nnz must be an integer from 1 to 146, got 0"),
        ({"nnz": 50, "sparsity": 0.5},
         "nnz must be left out if sparsity is given, here 0.5, got 50"),
        ({"allocation": "equal"},
         "allocation must be one of global, uniform, erk, or a function, got 'equal'"),
        ({"layers": []}, "layers must be one or more names of layers, got []"),
        ({"layers": ["0", "two"]},
         "layers must name layers of the model, got 'two'; there are 0, 2"),
        ({"layers": ["1"]},
         "layers must name layers of the model, got '1'; there are 0, 2"),
        ({"structure": Blocks(rows=3, columns=2)},
         "rows must be a divisor of 16, for 0, got 3"),
        ({"structure": Blocks(rows=2, columns=4)},
         "columns must be a divisor of 6, for 0, got 4"),
        ({"structure": NM()}, "m must be a divisor of 6, the inputs of 0, got 4"),
        ({"structure": NM(n=1, m=2), "sparsity": 0.9},
         "sparsity must be 0.5 with this n:m structure, got 0.9"),
        ({"structure": Kernels()},
         "structure must be one that 0 has, which is no convolution, got 'kernels'"),
        ({"structure": Channels()},
         "structure must be one that 0 has, which is no convolution, got 'channels'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("entry", [Pruner, sparsify, prune])
def test_bad_options_are_refused_by_name_and_change_nothing(entry, options, words):
    model = make_mlp()
    before = list(model.state_dict())
    with pytest.raises(SparsefitError) as caught:
        entry(model, **options)
    assert str(caught.value) == words
    assert list(model.state_dict()) == before
    assert type(model[0]) is nn.Linear
    sparsify(model)


def test_unknown_layers_suggest_the_nearest():
    with pytest.raises(SparsefitError, match=r"got 'secnd' \(did you mean 'second'\?\)"):
        sparsify(ConvNet(), layers=["secnd"])


@pytest.mark.parametrize("layers", ["first", "head"])
def test_one_name_in_place_of_a_list_is_understood_or_refused_by_name(layers):
    with pytest.raises(OptionError, match=f"layers must be a list of names, got '{layers}'"):
        sparsify(ConvNet(), layers=layers)


@pytest.mark.parametrize("model", [nn.Sequential(), nn.ReLU(), nn.BatchNorm1d(3)])
def test_a_model_without_layers_is_refused(model):
    for entry in (Pruner, sparsify, prune):
        with pytest.raises(OptionError, match="model must be one with a linear layer or conv"):
            entry(model)


def test_a_layer_of_this_package_checks_its_options():
    for options in ({"sparsity": 1.0}, {"nnz": 0}, {"nnz": 10_000}, {"sparsity": 0.5, "nnz": 3}):
        name = next(reversed(options))
        for make in (lambda o: SparseLinear(4, 8, **o), lambda o: SparseConv2d(4, 8, 3, **o)):
            with pytest.raises(OptionError, match=name):
                make(options)
    with pytest.raises(OptionError, match="structure must be one that model has"):
        SparseLinear(4, 8, structure=Kernels())
    with pytest.raises(OptionError, match="m must be a divisor of 6, the inputs of model"):
        SparseLinear(6, 8, structure=NM())


@pytest.mark.parametrize("entry", [Pruner, sparsify, prune])
def test_masking_twice_is_refused(entry):
    model = sparsify(make_mlp(), sparsity=0.5)
    first = kept(model)
    with pytest.raises(SparsefitError, match=r"0\.weight has a mask already: finalize the model"):
        entry(model)
    assert same(first, kept(model))
    with pytest.raises(SparsefitError, match="has a mask already"):
        entry(nn.Sequential(SparseLinear(4, 4)))
    with pytest.raises(SparsefitError, match="has a mask already"):
        entry(SparseLinear(4, 4))


def test_layers_can_be_masked_one_after_the_other():
    model = make_mlp()
    sparsify(model, sparsity=0.5, layers=["0"])
    prune(model, sparsity=0.75, layers=["2"])
    train(model, X, 12)
    assert [int((model[i].weight != 0).sum()) for i in (0, 2)] == [48, 8]
    assert len({id(target.masked.driver) for target in masked_weights(model)}) == 2
    finalize(model)
    assert type(model[0]) is type(model[2]) is nn.Linear


class Tied(nn.Module):
    def __init__(self, first):
        super().__init__()
        self.first, self.last = first, nn.Linear(4, 10)
        self.last.weight = first.weight


@pytest.mark.parametrize("first", [nn.Linear(4, 10), nn.Embedding(10, 4)])
@pytest.mark.parametrize("rule", RULES)
def test_weights_that_layers_share_count_once(first, rule):
    model = Tied(copy.deepcopy(first))
    model.first.weight.grad = torch.ones(10, 4)
    sparsify(model, sparsity=0.5, mask=RULES[rule], schedule=Constant(period=2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    rows = torch.arange(10) if isinstance(first, nn.Embedding) else torch.randn(8, 4)
    for _ in range(6):
        optimizer.zero_grad()
        hidden = model.first(rows)[:, :4]
        model.last(hidden).square().mean().backward()
        optimizer.step()
        assert int((model.last.weight != 0).sum()) <= 20
    assert [target.name for target in masked_weights(model)] == ["first.weight"]
    z = model.eval().last(torch.ones(1, 4))
    finalize(model)
    assert model.last.weight is model.first.weight
    assert int((model.last.weight != 0).sum()) <= 20
    assert torch.equal(model.last(torch.ones(1, 4)), z)


def test_weights_that_cannot_be_masked_are_refused_in_a_sentence():
    with pytest.raises(SparsefitError, match="has no shape yet: run the model once"):
        sparsify(nn.Sequential(nn.LazyLinear(4)))
    normed = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)))
    with pytest.raises(SparsefitError, match=r"0\.weight is made of several parameters"):
        sparsify(normed)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Magnitude(leak=2), "leak must be a number between 0 and 1, got 2"),
        (lambda: Magnitude(gradient="none"),
         "gradient must be one of straight-through, masked, got 'none'"),
        (lambda: HardTopK(gradient="masked"),
         "gradient must be one of straight-through, none, got 'masked'"),
        (lambda: HardConcrete(temperature=0), "temperature must be a number > 0, got 0"),
        (lambda: HardConcrete(steps=0), "steps must be an integer >= 1, got 0"),
        (lambda: RigL(fraction=1.5), "fraction must be a number between 0 and 1, got 1.5"),
        (lambda: OneShot(by="size"), "by must be one of magnitude, sensitivity, got 'size'"),
    ],
)  # fmt: skip
def test_bad_options_of_rules_are_refused_by_name(make, words):
    with pytest.raises(OptionError) as caught:
        make()
    assert str(caught.value) == words
