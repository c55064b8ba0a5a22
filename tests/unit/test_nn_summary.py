"""The table of layers."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from sparsefit.nn import HardConcrete, HardTopK, Sigmoid, finalize, prune, sparsify, summary
from sparsefit.nn.overview import Count
from tests.masking import RULES, ConvNet, inputs_of, make_mlp

# Schedules end early here, which finalize speaks of.
pytestmark = pytest.mark.filterwarnings("ignore:.* weights are cut to")


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
    assert (first.weights, first.biases, first.masked) == (Count(6, 2), Count(2, 1), ())
    assert (second.weights, second.biases, second.masked) == (Count(4, 3), Count(0, 0), ())
    assert table.other_params == 4
    assert (table.other_weights, table.other_biases) == (Count(2, 2), Count(2, 0))
    assert (table.weights, table.biases) == (Count(12, 7), Count(4, 1))
    assert (table.n_params, table.nonzeros) == (16, 8)


def test_text():
    expected = """
layer    kind    shape  masked  weights  nonzero  density  biases  nonzero  dead units  bytes
0        Linear  2x3    no            6        2   0.3333       2        1           1     24
2        Conv1d  2x1x2  no            4        3   0.7500       0        0           0     24
(other)                 no            2        2   1.0000       2        0
total                                12        7   0.5833       4        1
"""
    assert str(summary(make_known())) == expected.strip()


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
    assert all(layer.masked == ("weight",) for layer in table.layers)
    plain = replace(table, layers=tuple(replace(layer, masked=()) for layer in table.layers))
    assert summary(finalize(model)) == plain
    assert str(summary(model)) == str(plain)


@pytest.mark.parametrize("rule", [HardTopK(), Sigmoid(), HardConcrete()])
def test_looking_changes_nothing(rule):
    model = sparsify(ConvNet(), sparsity=0.75, mask=rule)
    random, soft = torch.get_rng_state(), model.first.weight_mask.is_soft
    first = str(summary(model))
    assert str(summary(model)) == first
    assert torch.equal(random, torch.get_rng_state())
    assert model.training
    assert model.first.weight_mask.is_soft == soft
    assert "(other)" in first


def test_models_without_layers_or_parameters():
    assert str(summary(nn.ReLU())).splitlines()[-1].split() == ["total", *"0000"]
    norm = nn.BatchNorm1d(3)
    assert summary(norm).nonzeros == 3  # its biases are zero
    nn.init.zeros_(norm.weight)
    assert (summary(norm).nonzeros, summary(norm).n_params) == (0, 6)


def test_zero_biases_are_not_nonzero():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.bias)
    [line] = summary(layer).layers
    assert (line.weights, line.biases) == (Count(6, 6), Count(2, 0))
    assert (line.nonzeros, line.n_params, line.bytes) == (6, 8, 6 * 8)


def test_masks_of_biases_are_told_apart_from_masks_of_weights():
    model = make_mlp()
    sparsify(model, sparsity=0.75, layers=["0"], biases=True)
    first, second = summary(model).layers
    assert (first.masked, second.masked) == (("weight", "bias"), ())
    assert first.nonzeros == (6 * 16 + 16) // 4
    assert "weight, bias" in str(summary(model))


@pytest.mark.parametrize("rule", [Sigmoid(), HardConcrete()])
def test_a_soft_mask_counts_as_evaluation_sees_it(rule):
    model = nn.Sequential(nn.Linear(6, 4))
    sparsify(model, sparsity=0.75, mask=rule)
    assert model.training
    assert model[0].weight_mask.is_soft
    table = summary(model)
    assert (table.weights, table.biases) == (Count(24, 6), Count(4, 4))
    assert table.other_params == 0  # the scores of the mask are no parameters of the model


def test_parameters_that_a_layer_has_beside_weight_and_bias_are_other():
    layer = nn.Linear(2, 2, bias=False)
    layer.gain = nn.Parameter(torch.tensor([0.0, 1.0]))
    assert summary(layer).other_weights == Count(2, 1)
