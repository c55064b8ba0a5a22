"""Small layers, models and training loops for the tests of masks."""

import torch
from torch import nn
from torch.nn import functional

from sparsefit.nn import (
    MASKS,
    NM,
    SCHEDULES,
    SET,
    STRUCTURES,
    Blocks,
    Constant,
    HardTopK,
    Magnitude,
    OneShot,
    RigL,
    Stepwise,
    masked_weights,
)

# Every rule that the registry lists, soft ones annealed within a short training, and the others.
SHORT = {"sigmoid": {"steps": 6}, "hard-concrete": {"steps": 6}}
RULES = {name: cls(**SHORT.get(name, {})) for name, cls in MASKS.items()} | {
    "none": HardTopK(gradient="none"),
    "masked magnitude": Magnitude(gradient="masked"),
    "set": SET(),
    "rigl": RigL(),
    "one-shot": OneShot(),
    "snip": OneShot(by="sensitivity"),
}
TRAINED = tuple(MASKS)
SMALL = {"blocks": Blocks(rows=2, columns=2), "n:m": NM(n=1, m=4)}
GROUPS = {name: SMALL.get(name) or cls() for name, cls in STRUCTURES.items()}
TIMES = {
    name: Constant(period=2) if cls is Constant else cls(start=1, end=7, period=2)
    for name, cls in SCHEDULES.items()
}
TIMES["stepwise"] = Stepwise(start=1, end=7, period=2, jumps=3)
LAYERS = {
    "linear": lambda: nn.Linear(12, 16),
    "six outputs": lambda: nn.Linear(20, 6),
    "convolution": lambda: nn.Conv2d(4, 8, 3),
    "convolution in time": lambda: nn.Conv1d(4, 6, 2),
}


def make_mlp(seed=0, bias=True):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16, bias=bias), nn.ReLU(), nn.Linear(16, 2, bias=bias))


class ConvNet(nn.Module):
    """A model that somebody else wrote: no Sequential, norms, a functional call."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, image):
        hidden = functional.relu(self.norm(self.first(image)))
        return self.head(functional.relu(self.second(hidden)).mean(dim=(2, 3)))


def inputs_of(layer, rows=8, seed=0):
    """Return a batch that fits the layer."""
    shape = {
        nn.Linear: lambda: (layer.in_features,),
        nn.Conv1d: lambda: (layer.in_channels, 5),
        nn.Conv2d: lambda: (layer.in_channels, 5, 5),
    }
    find = next(find for kind, find in shape.items() if isinstance(layer, kind))
    return torch.randn(rows, *find(), generator=torch.Generator().manual_seed(seed))


def add_gradient(model, X):
    """Leave a gradient that asks every output for something else."""
    z = model(X)
    wanted = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    loss = (z - wanted).square().mean()
    loss.backward()
    return loss


def train(model, X, steps, optimizer=None, pruner=None):
    """Train as a user does; return the optimiser."""
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=0.02, fused=True)
    for _ in range(steps):
        optimizer.zero_grad()
        add_gradient(model, X)
        optimizer.step()
        if pruner is not None:
            pruner.step(optimizer)
    return optimizer


def driver_of(model):
    return next(masked_weights(model)).masked.driver


def kept(model):
    """Return the masks by name, as they are now."""
    return {name: mask.clone() for name, mask in driver_of(model).masks().items()}


def n_kept(model):
    return sum(int(mask.sum()) for mask in kept(model).values())


def same(one, two):
    """Whether two dictionaries of tensors hold the same bytes."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
