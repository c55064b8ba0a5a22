"""Compressed models: equal outputs, dead parts gone, only nonzeros stored."""

import copy
import io

import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn import functional

import sparsefit
from sparsefit.compression.forms import (
    BlockLinear,
    Part,
    SparseConv2d,
    SparseLinear,
    TransposedLinear,
    forms_of,
)
from sparsefit.core.errors import OptionError
from sparsefit.nn import Cubic, prune, sparsify


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.one = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm_one = nn.BatchNorm2d(outputs)
        self.two = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm_two = nn.BatchNorm2d(outputs)
        self.short = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.short = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        z = functional.relu(self.norm_one(self.one(x)))
        z = self.norm_two(self.two(z))
        z += self.short(x)
        return functional.relu(z)


class ResNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            Block(width, width), Block(width, 2 * width, 2), Block(2 * width, 2 * width)
        )
        self.head = nn.Linear(2 * width, 5)

    def forward(self, x):
        x = self.blocks(functional.relu(self.norm(self.stem(x))))
        return self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class PreNorm(nn.Module):
    """Norms before layers, a pooling with an edge, a mean, a view, a sum with a number."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm, self.second = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AvgPool2d(3, 2, padding=1)
        self.wide, self.narrow = nn.Linear(8 * 16, 12), nn.Linear(12, 3)

    def forward(self, x):
        x = self.first(x)
        x = x + self.second(torch.relu(self.norm(x))) + 0.5
        x = self.pool(x)
        x = x.view(x.size(0), -1)
        return self.narrow(functional.gelu(self.wide(x)) + 1)


class Choosing(nn.Module):
    """A course that depends on values."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x):
        return self.one(x) if x.sum() > 0 else self.two(x)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 4)

    def forward(self, x):
        return {"last": self.head(self.lstm(x)[0][:, -1])}


class Uses(nn.Module):
    """One layer called twice, an output that is also used, a grouped convolution."""

    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.enter, self.again = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        one = self.again(torch.relu(self.enter(x)))
        two = self.again(self.grouped(one))
        return one, torch.cat([one, two], dim=1)


MODELS = {
    "mlp": (
        lambda: nn.Sequential(
            nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 3),
        ),
        torch.randn(7, 20),
    ),
    "conv": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16),
            nn.ReLU(), nn.Flatten(), nn.Linear(16 * 9, 10),
        ),
        torch.randn(4, 1, 12, 12),
    ),
    "resnet": (ResNet, torch.randn(3, 1, 12, 12)),
    "pre-norm": (PreNorm, torch.randn(3, 1, 8, 8)),
    "one dimension": (
        lambda: nn.Sequential(nn.Conv1d(3, 8, 3), nn.Tanh(), nn.Conv1d(8, 4, 1)),
        torch.randn(2, 3, 9),
    ),
    "tokens": (
        lambda: nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8)), torch.randn(2, 5, 8)
    ),
    "choosing": (Choosing, torch.randn(3, 64)),
    "recurrent": (Recurrent, torch.randn(3, 4, 8)),
    "transformer": (
        lambda: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False
        ),
        torch.randn(3, 4, 8),
    ),
    "uses": (Uses, torch.randn(2, 1, 5, 5)),
    "one layer": (lambda: nn.Linear(40, 30), torch.randn(6, 40)),
}  # fmt: skip


def warmed(make, x):
    """Return a model whose norms have seen rows, in double precision."""
    torch.manual_seed(0)
    model = make().double()
    for _ in range(3):
        model(x.double())
    return model.eval(), x.double()


def assert_same(one, two):
    if isinstance(one, dict):
        one, two = one["last"], two["last"]
    for a, b in zip(*((o if isinstance(o, tuple) else (o,)) for o in (one, two)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("choice", ["measured", "last"])
@pytest.mark.parametrize("structure", ["unstructured", "rows", "columns"])
@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_equal(name, structure, choice, monkeypatch):
    if choice == "last":
        last_is_fastest(monkeypatch)
    model, x = warmed(*MODELS[name])
    sparsity = 0.2 if name == "uses" else 0.6
    prune(model, sparsity=sparsity, structure=structure, allocation="uniform")
    before = copy.deepcopy(model.state_dict())
    small = sparsefit.compress(model, x)
    with torch.no_grad():
        assert_same(model(x), small(x))
        # Other rows, and as many as nobody has timed.
        other = torch.randn(1, *x.shape[1:], dtype=torch.float64)
        if name != "choosing":
            assert_same(model(other), small(other))
    assert small.compression.error < 1e-9
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(p.requires_grad for p in small.parameters())


def test_dead_units_are_gone_and_constants_are_kept():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 16), nn.Sigmoid(), nn.Linear(16, 16), nn.ReLU(),
                          nn.Linear(16, 2)).double()  # fmt: skip
    with torch.no_grad():
        model[0].weight[4:] = 0  # twelve constants, sigmoid(bias)
        model[2].weight[:, 2] = 0  # one unit that nobody reads
        model[4].weight[:, 8:] = 0
        model[2].weight[0] = 0  # constant: relu(bias)
    x = torch.randn(9, 5, dtype=torch.float64)
    small = sparsefit.compress(model, x)
    torch.testing.assert_close(small(x), model(x))
    # Three units that are not constant and read; seven that are not constant.
    numbers = small.state_dict().values()
    assert sum(v.numel() for v in numbers) == (5 * 3 + 3) + (3 * 7 + 7) + (7 * 2 + 2)


def test_a_unit_that_only_dead_units_read_goes_too():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        model[4].weight[:, 1:] = 0
        model[2].weight[0, 1:] = 0
    x = torch.randn(6, 3)
    small = sparsefit.compress(model, x)
    assert sum(v.numel() for v in small.state_dict().values()) == (3 + 1) + (1 + 1) + (1 + 1)
    torch.testing.assert_close(small(x), model(x))


def test_a_constant_before_a_padded_convolution_stays():
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)).double()
    with torch.no_grad():
        model[0].weight[1:] = 0
        model[0].bias[2] = 0  # this one is zero at the edge as well
    x = torch.randn(2, 1, 6, 6, dtype=torch.float64)
    small = sparsefit.compress(model, x)
    torch.testing.assert_close(small(x), model(x))
    first, second = small.compression.layers
    assert first.bytes[1] <= first.bytes[0]
    assert second.products[1] <= second.products[0] * 3 // 4


def test_a_resnet_with_a_quarter_of_its_channels_does_a_fraction_of_the_work(monkeypatch):
    last_is_fastest(monkeypatch)
    model, x = warmed(lambda: ResNet(16), torch.randn(4, 1, 12, 12))
    prune(model, sparsity=0.75, structure="channels", allocation="uniform",
          layers=["stem", "blocks"])  # fmt: skip
    small = sparsefit.compress(model, x)
    torch.testing.assert_close(small(x), model(x))
    after = {layer.name: layer.products for layer in small.compression.layers}
    assert sum(a for _, a in after.values()) < 0.4 * sum(b for b, _ in after.values())
    # The second layer of a block reads a quarter of what the first makes.
    assert after["blocks.0.two"][1] <= after["blocks.0.two"][0] / 3


FORMS = {
    "linear": (nn.Linear(32, 48), torch.randn(6, 32)),
    "linear without bias": (nn.Linear(32, 48, bias=False), torch.randn(2, 3, 32)),
    "one row": (nn.Linear(32, 48), torch.randn(1, 32)),
    "convolution": (
        nn.Conv2d(4, 8, 3, stride=2, padding=1, dilation=2), torch.randn(2, 4, 11, 10)
    ),
    "convolution in time": (nn.Conv1d(4, 8, 3), torch.randn(2, 4, 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_computes_the_same(name):
    layer, x = copy.deepcopy(FORMS[name][0]), FORMS[name][1]
    with torch.no_grad():
        n_outputs, n_inputs = layer.weight.shape[:2]
        layer.weight[n_outputs // 2 :] = 0
        layer.weight[:, n_inputs // 2 :] = 0
    forms = list(forms_of(layer))
    kinds = {type(form) for form in forms}
    assert Part in kinds
    if isinstance(layer, nn.Linear):
        assert {SparseLinear, TransposedLinear} <= kinds
    if isinstance(layer, nn.Conv2d):
        assert SparseConv2d in kinds
    for form in forms:
        torch.testing.assert_close(form(x), layer(x))
        again = copy.deepcopy(form)
        again.load_state_dict(load(save(form.state_dict())))
        torch.testing.assert_close(again(x), layer(x))


def test_blocks_are_tried_where_they_are_filled():
    layer = nn.Linear(64, 64)
    prune(layer, sparsity=0.9, structure="8x8")
    sparsefit.finalize(layer)
    forms = [form for form in forms_of(layer) if isinstance(form, BlockLinear)]
    assert [form.kind for form in forms] == ["8x8 blocks", "4x4 blocks"]
    x = torch.randn(5, 64)
    for form in forms:
        torch.testing.assert_close(form(x), layer(x))
    scattered = prune(nn.Linear(64, 64), sparsity=0.9)
    kinds = {type(form) for form in forms_of(sparsefit.finalize(scattered))}
    assert BlockLinear not in kinds


def last_is_fastest(monkeypatch):
    """Take what was measured out of the choice: of the forms, the last is taken."""
    monkeypatch.setattr(
        "sparsefit.compression.choosing.time_in_turns",
        lambda runs: tuple(float(len(runs) - i) for i in range(len(runs))),
    )


def test_nonzeros_and_their_places_are_all_that_is_stored(monkeypatch):
    last_is_fastest(monkeypatch)
    model = nn.Sequential(nn.Linear(400, 500), nn.ReLU(), nn.Linear(500, 10))
    prune(model, sparsity=0.99, allocation="uniform")
    small = sparsefit.compress(model, torch.randn(32, 400))
    # Values and columns, starts of rows and biases, and names.
    assert len(save(small.state_dict())) < 8 * 2050 + 8 * 520 + 2000
    assert small.compression.bytes[0] == sum(4 * p.numel() for p in model.parameters())
    text = str(small.compression).splitlines()
    assert text[0].split() == ["layer", "now", "bytes", "after", "products", "after", "ms", "after"]
    assert text[-1].split()[0] == "model"
    file = io.BytesIO()
    torch.save(small, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    x = torch.randn(3, 400)
    assert torch.equal(again(x), small(x))
    assert torch.equal(copy.deepcopy(small)(x), small(x))


def test_masks_need_not_be_permanent(monkeypatch):
    last_is_fastest(monkeypatch)
    model = sparsify(nn.Sequential(nn.Linear(200, 300), nn.ReLU(), nn.Linear(300, 2)),
                     sparsity=0.95, schedule=Cubic(end=100))  # fmt: skip
    small = sparsefit.compress(model, torch.randn(8, 200))
    state = small.state_dict().values()
    nonzeros = sum(int((v != 0).sum()) for v in state if v.dtype == torch.float32)
    assert nonzeros <= round(0.05 * (200 * 300 + 600)) + 302
    assert model[0].weight.count_nonzero() == 200 * 300


def test_a_course_that_is_not_fixed_is_spoken_of():
    small = sparsefit.compress(prune(Choosing(), sparsity=0.9), torch.randn(3, 64))
    assert "not fixed" in str(small.compression).splitlines()[-1]


def test_an_example_that_does_not_fit_is_refused():
    with pytest.raises(OptionError, match=r"example must be what the model can be called with \("):
        sparsefit.compress(nn.Linear(4, 2), torch.randn(3, 5))
