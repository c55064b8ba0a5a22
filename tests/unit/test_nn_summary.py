"""The table of layers."""

import pytest
import torch
from torch import nn

from sparsefit.nn import HardConcrete, HardTopK, Sigmoid, finalize, prune, sparsify, summary
from tests.masking import RULES, ConvNet, inputs_of, make_mlp


def make_known():
    """Two layers with 2 + 1 and 3 nonzeros, and a norm."""
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Conv1d(1, 2, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0, 2], [0, 0, 0]]))
        model[0].bias.copy_(torch.tensor([0, 3.0]))
        model[2].weight.copy_(torch.tensor([[[1.0, 2]], [[0, 3]]]))
    return model


def test_numbers():
    table = summary(make_known())
    first, second = table.layers
    assert (first.name, first.kind, first.shape) == ("0", "Linear", (2, 3))
    assert (first.n_params, first.nonzeros, first.dead_units) == (8, 3, 1)
    assert first.density == 3 / 8
    assert first.bytes == 3 * (4 + 4)
    assert (second.kind, second.shape, second.dead_units) == ("Conv1d", (2, 1, 2), 0)
    assert (second.n_params, second.nonzeros) == (4, 3)
    assert table.other_params == 4
    assert (table.n_params, table.nonzeros) == (16, 10)


def test_text():
    assert str(summary(make_known())).splitlines() == [
        "layer    kind    shape  parameters  nonzeros  density  dead units  bytes",
        "0        Linear  2x3             8         3   0.3750           1     24",
        "2        Conv1d  2x1x2           4         3   0.7500           0     24",
        "(other)                          4         4",
        "total                           16        10   0.6250",
    ]


def test_bytes_go_by_the_precision():
    [layer] = summary(prune(nn.Linear(4, 4, bias=False, dtype=torch.float64), nnz=5)).layers
    assert layer.bytes == 5 * (8 + 4)


@pytest.mark.parametrize("rule", RULES)
def test_masked_and_finalized_models_have_the_same_summary(rule):
    model = make_mlp()
    model(inputs_of(model[0])).sum().backward()
    sparsify(model, sparsity=0.75, mask=RULES[rule])
    table = summary(model)
    assert [layer.kind for layer in table.layers] == ["Linear", "Linear"]
    assert sum(layer.nonzeros for layer in table.layers) == 32 + 18 == table.nonzeros
    assert (table.n_params, table.other_params) == (146, 0)
    assert str(summary(finalize(model))) == str(table)


@pytest.mark.parametrize("rule", [HardTopK(), Sigmoid(), HardConcrete()])
def test_looking_changes_nothing(rule):
    model = sparsify(ConvNet(), sparsity=0.75, mask=rule)
    random, soft = torch.get_rng_state(), model.first.parametrizations.weight[0].is_soft
    first = str(summary(model))
    assert str(summary(model)) == first
    assert torch.equal(random, torch.get_rng_state())
    assert model.training
    assert model.first.parametrizations.weight[0].is_soft == soft
    assert "(other)" in first


def test_models_without_layers_or_parameters():
    assert str(summary(nn.ReLU())).splitlines()[-1].split() == ["total", "0", "0"]
    assert summary(nn.BatchNorm1d(3)).nonzeros == 6
