"""Masks as PyTorch users treat models: averages, copies, kinds of layers, writes, optimisers."""

import copy
import io
import warnings

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn, get_ema_multi_avg_fn

import sparsefit
from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.nn import (
    SET,
    Columns,
    Constant,
    Cubic,
    HardTopK,
    Magnitude,
    Pruner,
    RigL,
    Rows,
    SparseLinear,
    finalize,
    masked_weights,
    prune,
    pruners,
    sparsify,
    summary,
)
from tests.masking import RULES, ConvNet, add_gradient, kept, make_mlp, n_kept, same, train

X = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))


def n_nonzero(model):
    """Count what is not zero in weights of two or more dimensions, those of norms left out."""
    norms = {id(p) for m in model.modules() if isinstance(m, nn.LayerNorm) for p in m.parameters()}
    return sum(int((p != 0).sum()) for p in weights_of(model) if id(p) not in norms)


def weights_of(model):
    return [p for name, p in model.named_parameters() if p.ndim > 1 and "_mask." not in name]


# --- averages ---------------------------------------------------------------------------------


AVERAGES = {
    "copied buffers": {},
    "averaged buffers, one by one": {"use_buffers": True, "avg_fn": get_ema_avg_fn(0.9)},
    "averaged buffers": {"use_buffers": True, "multi_avg_fn": get_ema_multi_avg_fn(0.9)},
}


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("rule", [Magnitude(), RigL(), HardTopK()])
def test_an_average_has_the_budget(rule, average):
    torch.manual_seed(0)
    model = sparsify(
        nn.Linear(100, 100, bias=False), sparsity=0.99, mask=rule, schedule=Constant(period=1)
    )
    averaged = AveragedModel(model, **AVERAGES[average])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    rows = torch.randn(32, 100)
    for _ in range(30):
        train(model, rows, 1, optimizer)
        averaged.update_parameters(model)
    assert int(finalize(averaged.module).weight.count_nonzero()) <= 100
    assert n_kept(model) == 100


def test_a_mask_within_the_budget_stays_though_the_average_knows_of_no_steps():
    model = sparsify(make_mlp(), sparsity=0.8, schedule=Cubic(end=9, period=3))
    averaged = AveragedModel(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(30):
        train(model, X, 1, optimizer)
        averaged.update_parameters(model)
    masks = kept(model)
    z = averaged.eval()(X)
    assert torch.equal(finalize(averaged.module)(X), z)
    for name, mask in masks.items():
        assert torch.equal(averaged.module.get_parameter(name) != 0, mask)


def test_an_average_of_state_dicts_is_counted():
    states = []
    for seed in range(3):
        model = sparsify(make_mlp(seed), sparsity=0.8)
        train(model, X, 5)
        states.append(model.state_dict())
    mean = {name: sum(state[name].float() for state in states) / 3 for name in states[0]}
    with pytest.warns(UserWarning, match=r"masks that were loaded keep \d+ weights where 26"):
        model.load_state_dict(mean)
    assert n_kept(model) == n_nonzero(model) == 26
    assert n_nonzero(finalize(model)) == 26


def test_evaluating_an_average_leaves_it_alone():
    model = sparsify(make_mlp(), sparsity=0.8, schedule=Constant(period=1))
    averaged = AveragedModel(model)
    for _ in range(4):
        train(model, X, 2)
        averaged.update_parameters(model)
    before = copy.deepcopy(averaged.state_dict())
    averaged.eval()(X)
    assert same(before, averaged.state_dict())


# --- checkpoints ------------------------------------------------------------------------------


@pytest.mark.parametrize("assign", [False, True])
def test_a_checkpoint_of_another_sparsity_is_cut_to_the_budget(assign):
    dense = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64))
    dense[2].weight.data *= 2  # so that no layer has to be spared
    other = prune(copy.deepcopy(dense), sparsity=0.5)
    model = prune(copy.deepcopy(dense), sparsity=0.9)
    count = n_kept(model)
    with pytest.warns(UserWarning, match=f"keep 2688 weights where {count} are allowed"):
        model.load_state_dict(other.state_dict(), assign=assign)
    assert n_nonzero(model) == n_kept(model) == count
    # The largest of those that were loaded.
    loaded = torch.cat([other[i].weight.detach().abs().ravel() for i in (0, 2)])
    stayed = torch.cat([model[i].weight.detach().abs().ravel() for i in (0, 2)])
    assert stayed[stayed > 0].min() >= loaded.sort(descending=True).values[count - 1]
    assert n_nonzero(finalize(model)) == count


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_dense_checkpoints_load_into_masked_models(rule, assign):
    model, dense = make_mlp(1), make_mlp(2)
    add_gradient(model, X)
    sparsify(model, sparsity=0.8, mask=RULES[rule], schedule=Constant(period=5))
    model.load_state_dict(dense.state_dict(), assign=assign)
    assert n_kept(model) == n_nonzero(model) == 26
    for name, mask in kept(model).items():
        wanted = dense.get_parameter(name) * mask
        assert torch.equal(model.get_parameter(name), wanted)
        if "hard" not in rule and rule not in ("sigmoid", "none"):
            # What is ranked by magnitudes is ranked by those that were loaded.
            loaded = dense.get_parameter(name).abs()
            assert loaded[mask].min() >= loaded[~mask].max()
    optimizer = train(model, X, 6)
    assert n_kept(model) == 26
    assert optimizer.param_groups[0]["params"][0] is model[0].weight


def test_masked_checkpoints_load_into_dense_models():
    model = sparsify(make_mlp(), sparsity=0.8)
    train(model, X, 12)
    plain = make_mlp(3)
    plain.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(plain(X), model(X))
    plain.load_state_dict(finalize(copy.deepcopy(model)).state_dict())
    assert n_nonzero(plain) == 26


def test_a_sparse_plain_checkpoint_keeps_its_pattern():
    trained = sparsify(make_mlp(), sparsity=0.8)
    train(trained, X, 25)
    finalize(trained)
    model = sparsify(make_mlp(5), sparsity=0.8)
    model.load_state_dict(trained.state_dict())
    assert torch.equal(model(X), trained(X))


# --- copies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_finalizing_a_copy_leaves_the_original_alone(rule):
    model = make_mlp()
    add_gradient(model, X)
    sparsify(model, sparsity=0.8, mask=RULES[rule], schedule=Constant(period=2))
    optimizer = train(model, X, 3)
    snapshot = finalize(copy.deepcopy(model))
    assert torch.equal(snapshot.eval()(X), model.eval()(X))
    train(model.train(), X, 5, optimizer)
    assert n_kept(model) == 26
    assert n_nonzero(finalize(model)) <= 26


def test_layers_that_a_transformer_encoder_clones_can_be_finalized():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    count = round(0.1 * n_nonzero(layer))
    encoder = nn.TransformerEncoder(
        sparsify(layer, sparsity=0.9), num_layers=3, enable_nested_tensor=False
    )
    rows = torch.randn(4, 5, 16)
    assert len(pruners(encoder)) == 3
    train(encoder, rows, 12)
    assert [pruner.n_steps for pruner in pruners(encoder)] == [12] * 3
    z = encoder.eval()(rows)
    finalize(encoder)
    torch.testing.assert_close(encoder(rows), z)
    assert [n_nonzero(one) for one in encoder.layers] == [count] * 3
    assert n_nonzero(finalize(layer)) == count


def test_a_handle_on_the_pruner_survives_copies():
    model = make_mlp()
    pruner = Pruner(model, sparsity=0.8, schedule=Cubic(end=4, period=2))
    twin, handle = copy.deepcopy((model, pruner))
    assert pruners(twin) == [handle]
    assert pruners(model) == [pruner]
    train(twin, X, 4, pruner=handle)
    assert (handle.n_steps, pruner.n_steps) == (4, 0)
    assert [sum(int(m.sum()) for m in one.masks().values()) for one in (handle, pruner)] == [
        26, 128,
    ]  # fmt: skip


def test_a_copied_submodule_leaves_the_model_behind():
    model = nn.Sequential(make_mlp(), nn.Linear(2, 5000))
    sparsify(model, sparsity=0.8)
    before = n_kept(model[0])
    part = copy.deepcopy(model[0])
    file = io.BytesIO()
    torch.save(part, file)
    assert file.tell() < 40_000
    [pruner] = pruners(part)
    assert pruner.keep == sum(int(mask.sum()) for mask in pruner.masks().values())
    assert list(pruner.masks()) == ["0.0.weight", "0.2.weight"]
    train(part, X, 12)
    nonzeros = n_nonzero(finalize(part))
    assert nonzeros == pruner.keep < 128
    assert n_kept(model[0]) == before


def test_a_model_that_is_saved_whole_is_masked_when_it_is_read():
    model = sparsify(make_mlp(), sparsity=0.8, schedule=Constant(period=1))
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    train(again, X, 5)
    assert n_kept(again) == 26
    assert pruners(again)[0].n_steps == 5
    assert type(finalize(again)[0]) is nn.Linear


# --- every kind of layer ----------------------------------------------------------------------


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.recurrent = kind(5, 12, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, rows):
        return self.head(self.recurrent(rows)[0][:, -1])


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(5, 12), nn.Linear(12, 2)

    def forward(self, rows):
        state = None
        for step in rows.unbind(1):
            state = self.cell(step, state)
        return self.head(state)


class Words(nn.Module):
    """An embedding, positions of the model's own, attention and a norm."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(9, 8, padding_idx=0)
        self.places = nn.Parameter(torch.randn(1, 3, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 2)

    def forward(self, words):
        return self.head(self.norm(self.layer(self.words(words) + self.places)).mean(1))


class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.pair = nn.Bilinear(5, 5, 2)

    def forward(self, rows):
        return self.pair(rows[:, 0], rows[:, 1])


SEQUENCES = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(1))
KINDS = {
    "lstm": (lambda: Recurrent(nn.LSTM), SEQUENCES),
    "two directions": (
        lambda: Recurrent(lambda *a, **k: nn.LSTM(*a, proj_size=6, bidirectional=True, **k)),
        SEQUENCES,
    ),
    "gru": (lambda: Recurrent(nn.GRU), SEQUENCES),
    "rnn": (lambda: Recurrent(nn.RNN), SEQUENCES),
    "gru cell": (Cell, SEQUENCES),
    "words": (Words, torch.arange(6)[:, None] + torch.arange(3)),
    "bilinear": (Pairs, SEQUENCES),
    "transposed convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.ConvTranspose2d(6, 1, 3)),
        torch.randn(4, 1, 6, 6),
    ),
    "transposed in one dimension": (
        lambda: nn.Sequential(nn.ConvTranspose1d(3, 6, 2, groups=3), nn.Conv1d(6, 2, 1)),
        SEQUENCES,
    ),
    "bag": (lambda: nn.EmbeddingBag(9, 6), torch.arange(6)[:, None] + torch.arange(3)),
    "sparse gradients": (
        lambda: nn.Embedding(9, 6, sparse=True), torch.arange(6)[:, None] + torch.arange(3)
    ),
}  # fmt: skip
# Directions of the last are of one output each: the head of the others has 12 inputs.
SIZED = [name for name in KINDS if name != "two directions"]


@pytest.mark.parametrize("rule", [Magnitude(), RigL(), HardTopK(), Magnitude(gradient="masked")])
@pytest.mark.parametrize("kind", SIZED)
def test_every_weight_of_every_layer_is_masked(kind, rule):
    torch.manual_seed(0)
    make, rows = KINDS[kind]
    model = make()
    count = round(0.2 * n_nonzero_of_shapes(model))
    sparsify(model, sparsity=0.8, mask=rule, schedule=Constant(period=2))
    kinds = torch.optim.SparseAdam if kind == "sparse gradients" else torch.optim.Adam
    if kind == "sparse gradients" and isinstance(rule, HardTopK):
        return
    optimizer, first = kinds(list(model.parameters()), lr=0.05), kept(model)
    for _ in range(9):
        optimizer.zero_grad()
        z = model(rows)
        (z - 1).square().mean().backward()
        optimizer.step()
    assert n_kept(model) == count
    assert n_nonzero(model) <= count
    if rule == Magnitude():
        assert not same(first, kept(model))
    z = model.eval()(rows)
    with torch.no_grad():
        torch.testing.assert_close(model(rows), z)
    finalize(model)
    torch.testing.assert_close(model(rows), z)
    assert n_nonzero(model) <= count
    assert not any("mask" in name for name in model.state_dict())


def n_nonzero_of_shapes(model):
    norms = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    assert all(p.ndim == 1 for m in norms for p in m.parameters())
    return sum(p.numel() for p in model.parameters() if p.ndim > 1)


def test_recurrent_layers_see_the_mask_in_training():
    layer = nn.LSTM(5, 7)
    sparsify(layer, sparsity=0.5)
    plain = nn.LSTM(5, 7)
    plain.load_state_dict(layer.state_dict(), strict=False)
    rows = torch.randn(3, 2, 5)
    torch.testing.assert_close(layer(rows)[0], plain(rows)[0])
    # What is written into a weight is masked in the next forward pass.
    with torch.no_grad():
        layer.weight_hh_l0.fill_(1)
        plain.weight_hh_l0.copy_(kept(layer)["weight_hh_l0"].float())
    torch.testing.assert_close(layer(rows)[0], plain(rows)[0])


@pytest.mark.parametrize("structure", ["rows", "columns", "2x2", "1:2", "kernels"])
def test_structures_of_transposed_convolutions_go_by_outputs(structure):
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(4, 6, 2)
    options = {} if structure == "1:2" else {"sparsity": 0.5}
    sparsify(layer, structure=structure, **options)
    by_output = layer.weight.transpose(0, 1) != 0
    assert int(by_output.sum()) == 48
    if structure == "rows":
        assert int(by_output.all(dim=(1, 2, 3)).sum()) == 3
    if structure == "columns":
        assert int(by_output.all(dim=(0, 2, 3)).sum()) == 2
    if structure == "kernels":
        assert int(by_output.all(dim=(2, 3)).sum()) == 12
    assert summary(layer).layers[0].dead_units == (3 if structure == "rows" else 0)
    train(layer, torch.randn(2, 4, 3, 3), 3)
    assert int(layer.weight.count_nonzero()) == 48


def test_what_cannot_be_masked_is_named():
    model = nn.Sequential(nn.Linear(6, 8), nn.utils.parametrizations.weight_norm(nn.Linear(8, 4)))
    with pytest.warns(UserWarning, match=r"^1\.weight gets no mask: it is made of several param"):
        sparsify(model, sparsity=0.5)
    assert [line.masked for line in summary(model).layers] == [("weight",), (), ()]
    orthogonal = nn.Sequential(
        nn.utils.parametrizations.orthogonal(nn.Linear(6, 6)), nn.Linear(6, 1)
    )
    with pytest.warns(UserWarning, match=r"^0\.weight gets no mask: it has a parametrization that"):
        sparsify(orthogonal, sparsity=0.5)
    with pytest.raises(SparsefitError, match=r"^0\.weight has a parametrization that fills"):
        sparsify(orthogonal, layers=["0"])


def test_layers_take_prefixes_and_patterns_and_exclude():
    def masked(**options):
        model = Words()
        sparsify(model, sparsity=0.5, **options)
        return [target.name for target in masked_weights(model)]

    assert masked(layers=["layer.self_attn"]) == [
        "layer.self_attn.in_proj_weight", "layer.self_attn.out_proj.weight",
    ]  # fmt: skip
    assert masked(layers=["layer.linear?", "head"]) == [
        "layer.linear1.weight", "layer.linear2.weight", "head.weight",
    ]  # fmt: skip
    assert masked(layers=["*_proj*"], exclude=["layer.self_attn.out_proj"]) == [
        "layer.self_attn.in_proj_weight"
    ]
    assert masked(exclude=["words", "places", "layer"]) == ["head.weight"]
    with pytest.raises(SparsefitError, match=r"exclude must name .* got 'haed' \(did you mean 'he"):
        masked(exclude=["haed"])
    with pytest.raises(OptionError, match="exclude must be such that something is left"):
        masked(exclude=["*"])


def test_layers_with_a_sparsity_of_their_own():
    model = Words()
    sparsify(
        model, sparsity={"layer": 0.9, "layer.self_attn": 0.5, "head": 0.25},
        schedule=Cubic(end=3, period=1),
    )  # fmt: skip
    train(model, torch.arange(6)[:, None] + torch.arange(3), 4)
    attention = model.layer.self_attn
    assert int(sum((w != 0).sum() for w in (attention.in_proj_weight, attention.out_proj.weight))
               ) == (24 * 8 + 64) // 2  # fmt: skip
    assert int(sum((w.weight != 0).sum() for w in (model.layer.linear1, model.layer.linear2))) == 26
    assert int((model.head.weight != 0).sum()) == 12
    assert int((model.words.weight != 0).sum()) == 64
    with pytest.raises(OptionError, match=r"sparsity must be a number >= 0 and < 1, got 2"):
        sparsify(Words(), sparsity={"head": 2})


def test_nnz_counts_what_other_pruners_keep():
    model = nn.Sequential(nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 64), nn.Linear(64, 10))
    sparsify(model, sparsity=0.5, layers=["2"], mask=HardTopK())
    sparsify(model, nnz=4400)
    train(model, torch.randn(8, 100), 12)
    finalize(model)
    assert sum(int((p != 0).sum()) for p in model.parameters()) == 4400


# --- masks that cannot move -------------------------------------------------------------------


def test_scores_that_no_optimiser_holds_are_spoken_of():
    model = make_mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    sparsify(model, sparsity=0.8, mask=HardTopK())
    with pytest.warns(UserWarning, match=r"scores of 0\.weight are in no optimiser, so its mask"):
        train(model, X, 8, optimizer)


def descend(model, steps, rate=0.1, pruner=None):
    """Train without an optimiser of torch."""
    for _ in range(steps):
        model.zero_grad()
        add_gradient(model, X)
        for parameter in model.parameters():
            parameter.data.sub_(rate * parameter.grad)
        if pruner is not None:
            pruner.step()


def train_masters(model, masters, optimizer, steps):
    """Train copies of the weights in another precision."""
    for _ in range(steps):
        model.zero_grad()
        model(X.bfloat16()).square().mean().backward()
        for master, parameter in zip(masters, model.parameters(), strict=True):
            master.grad = parameter.grad.float()
        optimizer.step()
        with torch.no_grad():
            for master, parameter in zip(masters, model.parameters(), strict=True):
                parameter.copy_(master)


def test_an_update_that_is_not_torchs_is_spoken_of():
    model = sparsify(make_mlp(), sparsity=0.8)
    words = r"^0\.weight changes, but no torch optimiser that holds it has stepped.*Pruner\.step"
    with pytest.warns(UserWarning, match=words):
        descend(model, 6)


def test_master_weights_in_another_precision_are_spoken_of():
    model = sparsify(make_mlp().bfloat16(), sparsity=0.8)
    masters = [p.detach().float().requires_grad_() for p in model.parameters()]
    optimizer = torch.optim.Adam(masters, lr=0.05)
    with pytest.warns(UserWarning, match="changes, but no torch optimiser"):
        train_masters(model, masters, optimizer, 8)


def test_steps_by_hand_move_the_masks_of_any_optimiser():
    model = make_mlp()
    pruner = Pruner(model, sparsity=0.8, mask="magnitude", schedule="constant")
    first = kept(model)
    for _ in range(30):
        descend(model, 1, rate=2, pruner=pruner)
        assert n_nonzero(model) <= 26
    assert not same(first, kept(model))


def test_a_pruner_that_is_never_stepped_is_spoken_of():
    model = make_mlp()
    Pruner(model, sparsity=0.8)
    with pytest.warns(UserWarning, match=r"10 steps, and Pruner\.step\(\) was never called"):
        train(model, X, 12)


def test_an_end_that_cuts_much_is_spoken_of():
    model = make_mlp()
    pruner = Pruner(model, sparsity=0.8)
    train(model, X, 5)
    with pytest.warns(UserWarning, match=r"128 weights are cut to 26 at once, as 0 steps of"):
        finalize(copy.deepcopy(model))
    train(model, X, 5, pruner=pruner)
    with pytest.warns(UserWarning, match=r"weights are cut to 26 at once, as 5 steps of"):
        finalize(model)


def test_nothing_is_said_where_nothing_is_wrong():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rule in (Magnitude(), HardTopK(), RigL(), HardTopK(gradient="none")):
            model = sparsify(make_mlp(), sparsity=0.8, mask=rule, schedule=Cubic(end=9, period=3))
            train(model, X, 20)
            finalize(model)
        model = sparsify(make_mlp(), sparsity=0.8, mask=HardTopK())
        scores = [target.masked.scores for target in masked_weights(model)]
        others = [p for p in model.parameters() if all(p is not s for s in scores)]
        optimizers = [torch.optim.Adam(group, lr=0.01) for group in (others, scores)]
        for _ in range(20):
            model.zero_grad()
            add_gradient(model, X)
            for optimizer in optimizers:
                optimizer.step()


# --- structured budgets -----------------------------------------------------------------------


def resnet():
    def block(inputs, outputs):
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )  # fmt: skip

    return nn.Sequential(
        nn.Conv2d(1, 8, 3, bias=False), block(8, 8), block(8, 16), block(16, 32), nn.Flatten()
    )


@pytest.mark.parametrize("allocation", ["erk", "uniform", "global"])
@pytest.mark.parametrize("structure", ["columns", "rows", "kernels"])
def test_structured_budgets_leave_every_layer_something(structure, allocation):
    torch.manual_seed(0)
    model = resnet()
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    size = sum(layer.weight.numel() for layer in layers)
    for sparsity in (0.5, 0.9, 0.93):
        pruned = prune(
            copy.deepcopy(model), sparsity=sparsity, structure=structure, allocation=allocation
        )
        counts = [int((w != 0).sum()) for w in weights_of(pruned)]
        assert min(counts) > 0
        allowed = round((1 - sparsity) * size)
        # As near as the smallest group allows, where there is one that still fits.
        assert allowed - 9 * 32 < sum(counts) <= allowed


def test_a_budget_of_less_than_a_group_in_every_layer_is_refused():
    with pytest.raises(OptionError, match=r"of 1\d\d weights to keep, one group in each takes"):
        prune(resnet(), sparsity=0.99, structure=Columns())
    with pytest.warns(UserWarning, match="1 weights are kept in 2 layers, so that some have none"):
        prune(make_mlp(), nnz=19)


# --- writes, transforms, compilers, optimisers ------------------------------------------------


WRITES = {
    "init": lambda layer: nn.init.constant_(layer.weight, 0.5),
    "data": lambda layer: layer.weight.data.fill_(0.5),
    "new data": lambda layer: setattr(layer.weight, "data", torch.full((4, 6), 0.5)),
    "new parameter": lambda layer: setattr(
        layer, "weight", nn.Parameter(torch.full((4, 6), 0.5))
    ),
    "no grad": lambda layer: torch.no_grad()(layer.weight.copy_)(torch.full((4, 6), 0.5)),
}  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("rule", ["magnitude", "one-shot", "hard-top-k", "rigl"])
def test_what_is_written_reaches_the_weight_and_is_masked(rule, write):
    layer = nn.Linear(6, 4, bias=False)
    sparsify(layer, sparsity=0.5, mask=rule, schedule=Constant(period=100))
    mask = kept(layer)["weight"]
    WRITES[write](layer)
    assert torch.equal(layer(torch.eye(6)).T, 0.5 * mask)
    add_gradient(layer, X)
    torch.optim.SGD(layer.parameters(), lr=1e-9).step()
    torch.testing.assert_close(layer.weight.detach(), 0.5 * mask)
    WRITES[write](layer)
    assert torch.equal(finalize(layer).weight, 0.5 * mask)


def test_parameters_can_be_reset():
    model = sparsify(make_mlp(), sparsity=0.8)
    before = model[0].weight.detach().clone()
    model[0].reset_parameters()
    assert not torch.equal(before[before != 0], model[0].weight[before != 0])
    train(model, X, 3)
    assert n_nonzero(model) == 26


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("rule", [*RULES])
def test_a_whole_graph_is_compiled_once_for_all_layers(rule):
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    sizes = [6, *range(7, 18), 2]
    model = nn.Sequential(*[
        part for i in range(len(sizes) - 1)
        for part in (nn.Linear(sizes[i], sizes[i + 1]), nn.ReLU())
    ][:-1])  # fmt: skip
    add_gradient(model, X)
    sparsify(model, sparsity=0.6, mask=RULES[rule], schedule=Constant(period=100))
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        add_gradient(compiled, X)
        optimizer.step()
    # A second graph once a soft mask is hard, or dynamic shapes are tried; not one a layer.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 2
    torch.testing.assert_close(compiled(X), model(X)) if rule != "hard-concrete" else None


@pytest.mark.parametrize("rule", RULES)
def test_gradients_of_single_rows(rule):
    model = make_mlp()
    add_gradient(model, X)
    sparsify(model, sparsity=0.8, mask=RULES[rule])
    model.eval()
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def loss(parameters, row):
        return functional_call(model, (parameters, buffers), (row,)).square().sum()

    by_row = vmap(grad(loss), (None, 0))(parameters, X)
    for i, row in enumerate(X):
        model.zero_grad()
        model(row).square().sum().backward()
        torch.testing.assert_close(model[0].weight.grad, by_row["0.weight"][i])


def test_functional_updates_keep_to_the_mask():
    model = sparsify(make_mlp(), sparsity=0.8, mask=RULES["masked magnitude"])
    mask = kept(model)["0.weight"]
    dense = {name: torch.ones_like(p) for name, p in model.named_parameters()}
    z = functional_call(model[0], {"weight": dense["0.weight"]}, (torch.eye(6),))
    expected = functional.linear(torch.eye(6), mask.float(), model[0].bias)
    torch.testing.assert_close(z, expected)


def test_optimisers_keep_their_own_states_and_switching_loses_no_step():
    model = sparsify(make_mlp(), sparsity=0.8, mask=SET(), schedule=Constant(period=3))
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    [pruner] = pruners(model)
    for step, optimizer in enumerate([adam, adam, sgd, sgd, sgd, adam, sgd, adam], start=1):
        train(model, X, 1, optimizer)
        assert pruner.n_steps == step
    for target in masked_weights(model):
        for optimizer in (adam, sgd):
            assert any(v.ndim == 2 for v in optimizer.state[target.weight].values())


def test_an_optimiser_made_before_the_masks_goes_on():
    model = make_mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    train(model, X, 3, optimizer)
    sparsify(model, sparsity=0.8, schedule=Constant(period=1))
    first = kept(model)
    for _ in range(20):
        train(model, X, 1, optimizer)
        assert n_nonzero(model) == 26
    assert not same(first, kept(model))
    finalize(model)
    train(model, X, 2, optimizer)


def test_quasi_newton_steps_see_the_masks():
    model = sparsify(make_mlp(), sparsity=0.8, mask=Magnitude(gradient="masked"))
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=5)
    seen = []

    def closure():
        optimizer.zero_grad()
        seen.append(n_nonzero(model))
        return add_gradient(model, X)

    losses = [optimizer.step(closure).item() for _ in range(4)]
    assert set(seen) == {26}
    assert losses[-1] < losses[0]
    assert n_nonzero(model) == 26


def test_names_stand_for_rules_structures_and_schedules():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    sparsify(model, mask="rigl", structure="2:4", schedule="cubic")
    assert pruners(model)[0].rule == RigL()
    assert int(SparseLinear(8, 8, mask="magnitude", structure="1:4").mask.sum()) == 16
    sparsify(nn.Linear(8, 4), structure={"": "rows"}, sparsity=0.5)
    for option, value, words in (
        ("mask", "magnitud", r"mask must be one of .*'magnitud' \(did you mean 'magnitude'\?\)"),
        ("schedule", "cubik", r"schedule must be one of .* \(did you mean 'cubic'\?\)"),
        ("structure", "3:x", r"structure must be one of .* got '3:x'"),
        ("structure", Rows, "structure must be a structure such as Rows"),
    ):
        with pytest.raises(OptionError, match=words):
            sparsify(make_mlp(), **{option: value})


def test_fully_sharded_models_are_refused_in_a_sentence(tmp_path):
    from torch.distributed import destroy_process_group, init_process_group
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        model = fully_shard(sparsify(make_mlp()), mesh=init_device_mesh("cpu", (1,)))
        with pytest.raises(SparsefitError, match=r"0\.weight is split over processes \(FSDP\)"):
            train(model, X, 1)
        # Models beside it are none of its business.
        train(sparsify(make_mlp()), X, 2)
        with pytest.raises(SparsefitError, match="is split over processes"):
            sparsify(fully_shard(make_mlp(), mesh=init_device_mesh("cpu", (1,))))
    finally:
        destroy_process_group()


def test_a_conv_net_in_use_has_the_name_of_its_layers():
    assert [line.kind for line in summary(sparsify(ConvNet())).layers] == [
        "Conv2d", "Conv2d", "Linear",
    ]  # fmt: skip
    assert sparsefit.summary is summary
