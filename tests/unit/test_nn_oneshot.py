"""Pruning once with data: exact counts, least squares, attention, convolutions, structures."""

import copy
import resource

import numpy as np
import pytest
import torch
from torch import nn

from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.nn import finalize, masked_weights, prune, sparsify
from sparsefit.nn.oneshot.layers import Moments, rows_of, watched
from sparsefit.nn.oneshot.rows import Surgeon
from sparsefit.nn.oneshot.sharing import share_by_loss
from sparsefit.nn.structure import NM, Blocks, Rows, Unstructured
from tests.masking import ConvNet, make_mlp, train


def moments_of(x, n_more=1):
    rows = torch.cat([x, x.new_ones(len(x), n_more)], dim=1)
    return Moments(rows.t() @ rows, rows.t() @ rows, len(rows))


def correlated(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=generator, dtype=torch.float64)
    return torch.randn(n, d, generator=generator, dtype=torch.float64) @ mix + 1


@pytest.mark.parametrize("bias", [False, True])
def test_what_stays_is_the_least_squares_fit_to_the_dense_outputs(bias):
    torch.manual_seed(0)
    x, weight = correlated(400, 12), torch.randn(5, 12, dtype=torch.float64)
    still = torch.randn(5, dtype=torch.float64) if bias else None
    found = Surgeon(weight, still, moments_of(x), Unstructured()).cut_to(20)
    assert int(found.mask.sum()) == int((found.weight != 0).sum()) == 20
    outputs = x @ weight.T + (still if bias else 0)
    own = torch.cat([x, x.new_ones(400, 1)], dim=1).T @ torch.cat([x, x.new_ones(400, 1)], 1) / 400
    ridge = 0.01 * float(own.diagonal()[:12].mean())
    for row in range(5):
        kept = found.mask[row]
        columns = torch.cat([x[:, kept], x.new_ones(400, 1)], 1) if bias else x[:, kept]
        penalty = torch.full((columns.shape[1],), ridge, dtype=torch.float64)
        start = weight[row, kept]
        if bias:
            penalty[-1] = 1e-12
            start = torch.cat([start, still[row : row + 1]])
        left = columns.T @ columns / 400 + torch.diag(penalty)
        right = columns.T @ outputs[:, row] / 400 + penalty * start
        solved = torch.linalg.solve(left, right)
        torch.testing.assert_close(found.weight[row, kept], solved[: int(kept.sum())])
        if bias:
            torch.testing.assert_close(found.bias[row], solved[-1])


def test_one_cut_drops_what_costs_least_by_enumeration():
    torch.manual_seed(0)
    x, weight = correlated(300, 4), torch.randn(1, 4, dtype=torch.float64)
    surgeon = Surgeon(weight, None, moments_of(x), Unstructured())
    hessian = surgeon.hessian[:4, :4]

    def harm(drop):
        kept = [i for i in range(4) if i != drop]
        solved = torch.linalg.solve(hessian[kept][:, kept], hessian[kept] @ weight[0])
        new = torch.zeros(4, dtype=torch.float64)
        new[kept] = solved
        return float((new - weight[0]) @ hessian @ (new - weight[0]))

    scores = surgeon._scores()[0]
    torch.testing.assert_close(scores, torch.tensor([harm(i) for i in range(4)]).double())
    found = surgeon.cut_to(3)
    assert found.mask[0].logical_not().nonzero().item() == int(
        np.argmin([harm(i) for i in range(4)])
    )
    # The same of a map that is partly pruned.
    again = surgeon._scores()[0]
    assert again[~found.mask[0]].item() == 0
    assert (again[found.mask[0]] > 0).all()


@pytest.mark.parametrize("structure", [Rows(), Blocks(rows=2, columns=2), NM(n=1, m=4)])
def test_structures(structure):
    torch.manual_seed(0)
    weight = torch.randn(8, 16, dtype=torch.float64)
    found = Surgeon(weight, None, moments_of(correlated(100, 16)), structure).cut_to(32)
    kept = structure.pool(found.mask.double())
    if isinstance(structure, NM):
        assert (found.mask.view(8, 4, 4).sum(2) == 1).all()
    else:
        assert set(kept.flatten().tolist()) == {0.0, 1.0}
        assert int(found.mask.sum()) == 32


def test_the_budget_goes_where_it_lowers_the_loss():
    densities = [1.0, 0.5, 0.25, 0.1]
    losses = np.array([[0, 1e-6, 1e-5, 1e-4], [0, 0.1, 1.0, 5.0]])
    counts = share_by_loss([1000, 1000], densities, losses, 700)
    assert sum(counts) == 700
    assert counts[0] < 100 < 600 < counts[1]
    assert share_by_loss([10, 10], densities, np.zeros((2, 4)), 20) == [10, 10]
    even = share_by_loss([100, 100], densities, np.array([losses[1]] * 2), 61)
    assert sum(even) == 61
    assert abs(even[0] - even[1]) <= 2


def make_net(kind):
    torch.manual_seed(0)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
                             nn.Linear(32, 3)), torch.randn(200, 20)  # fmt: skip
    if kind == "conv":
        return ConvNet(), torch.randn(40, 1, 6, 6)
    if kind == "conv in time":
        return nn.Sequential(
            nn.Conv1d(3, 8, 3, stride=2, padding=2, dilation=2), nn.ReLU(),
            nn.Conv1d(8, 4, 2, padding="same", padding_mode="circular"),
        ), torch.randn(40, 3, 11)  # fmt: skip
    if kind == "attention":
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        return nn.Sequential(layer, nn.Linear(8, 2)), torch.randn(60, 5, 8)
    return nn.Sequential(nn.Embedding(9, 8), nn.Flatten(), nn.Linear(24, 2)), torch.randint(
        9, (50, 3)
    )


KINDS = ["mlp", "conv", "conv in time", "attention", "words"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_count_is_exact_and_the_surgeon_changes_outputs_least(kind):
    model, x = make_net(kind)
    model.eval()
    with torch.no_grad():
        before = model(x)
    size = sum(p.numel() for p in model.parameters() if p.ndim > 1)
    changes = {}
    for method in ("magnitude", "wanda", "surgeon"):
        pruned = copy.deepcopy(model)
        data = None if method == "magnitude" else [x[:20], (x[20:], "labels")]
        assert prune(pruned, sparsity=0.7, data=data, method=method) is pruned
        with torch.no_grad():
            changes[method] = float((pruned(x) - before).square().mean())
        finalize(pruned)
        count = sum(int((p != 0).sum()) for p in pruned.parameters() if p.ndim > 1)
        assert count == round(0.3 * size)
    assert changes["surgeon"] < 0.7 * min(changes["magnitude"], changes["wanda"])


def test_rows_of_a_convolution_give_its_outputs():
    for kind in ("conv in time", "conv"):
        model, x = make_net(kind)
        layers = [m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d))]
        for layer in layers:
            taken = {}
            with watched(model, [("it", layer, "weight")], taken):
                seen = []
                handle = layer.register_forward_hook(lambda m, a, z, seen=seen: seen.append(z))
                model(x)
                handle.remove()
            [rows], [z] = taken["it"], seen
            made = rows[:, :-1] @ layer.weight.flatten(1).T + layer.bias
            torch.testing.assert_close(made, z.movedim(1, -1).reshape(-1, z.shape[1]))
    assert rows_of(nn.Conv2d(4, 4, 3, groups=2), "weight", (torch.randn(1, 4, 5, 5),)) is None


def test_rows_of_attention_give_its_outputs():
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    x, taken = torch.randn(3, 4, 8), {}
    places = [
        ("in", attention, "in_proj_weight"), ("out", attention.out_proj, "weight")
    ]  # fmt: skip
    with watched(attention, places, taken):
        z, _ = attention(x, x, x)
    [heads] = taken["out"]
    made = heads[:, :-1] @ attention.out_proj.weight.T + attention.out_proj.bias
    torch.testing.assert_close(made, z.reshape(-1, 8))
    torch.testing.assert_close(taken["in"][0][:, :-1], x.reshape(-1, 8))
    assert type(attention.out_proj.weight) is nn.Parameter


def test_what_is_pruned_stays_so_in_training():
    model, x = make_net("mlp")
    prune(model, nnz=200, data=x, exclude=["4"])
    masks = {target.name: target.weight != 0 for target in masked_weights(model)}
    assert list(masks) == ["0.weight", "2.weight"]
    train(model, x, 10)
    assert sum(int((p != 0).sum()) for p in finalize(model).parameters()) == 200
    for name, mask in masks.items():
        assert not model.get_parameter(name)[~mask].any()


def test_sparsities_of_their_own_structures_and_training_mode():
    model, x = make_net("mlp")
    model.train()
    prune(model, sparsity={"0": 0.5, "2": 0.9}, data=x)
    assert model.training
    assert [int((model[i].weight != 0).sum()) for i in (0, 2, 4)] == [320, 102, 96]
    model, x = make_net("mlp")
    prune(model, data=x, structure="1:4", layers=["0", "2"])
    assert ((model[0].weight != 0).view(32, 5, 4).sum(2) == 1).all()
    model, x = make_net("mlp")
    prune(model, sparsity=0.5, data=x, structure={"0": "rows"}, method="wanda")
    assert set((model[0].weight != 0).float().mean(1).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "surgeon"}, "data must be inputs of the model with method 'surgeon', got None"),
        ({"method": "obs", "data": torch.ones(2, 6)},
         "method must be one of magnitude, wanda, surgeon, got 'obs'"),
        ({"data": []}, r"data must be one batch of inputs at least, got \[\]"),
        ({"data": torch.ones(2, 6), "allocation": "erk"},
         "allocation must be left out with method 'surgeon', got 'erk'"),
        ({"data": torch.ones(2, 6), "sparsity": 2}, "sparsity must be a number >= 0 and < 1"),
    ],
)  # fmt: skip
def test_bad_options_change_nothing(options, words):
    model = make_mlp()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(OptionError, match=words):
        prune(model, **options)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(SparsefitError, match="has a mask already"):
        prune(sparsify(model), data=torch.ones(2, 6))


def test_rows_of_any_length_take_little_memory():
    torch.manual_seed(0)
    layer = nn.Linear(600, 400)
    # Most rows are short, a few are whole: a batch is as wide as its longest row.
    layer.weight.data[5:] *= torch.rand(395, 600) < 0.02
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    prune(layer, sparsity=0.99, data=torch.randn(300, 600))
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert int((layer.weight != 0).sum()) == 2400
    assert taken < 700_000


def test_a_model_that_is_sparse_already_is_pruned_on_from_its_nonzeros():
    torch.manual_seed(0)
    layer = nn.Linear(300, 200)
    layer.weight.data *= torch.rand(200, 300) < 0.1
    there = layer.weight != 0
    prune(layer, sparsity=0.95, data=torch.randn(200, 300))
    kept = layer.weight != 0
    assert int(kept.sum()) == 3000
    assert bool((there | ~kept).all())
