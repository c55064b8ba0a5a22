"""What sparse layers cost: a training step on nonzeros alone, and a compressed network.

    python benchmarks/sparse_layers.py [--hidden 1024] [--batch 256] [--sparsity 0.9 0.95 0.99]
        [--turns 10] [--data FOLDER] [--epochs 5] [--widths 16 64]

The network is that of 784 inputs, two hidden layers and ten outputs. Contestants take turns on one
thread, so that a machine that is busy slows all; medians are printed as multiples. So are those of
residual networks of the given widths, of whose channels a quarter is kept. With `--data`, a folder
of IDX files of images and labels such as those of MNIST, held-out accuracy is compared too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

import sparsefit
from sparsefit.data.idx import read_labelled

TOY = ["--hidden", "64", "--batch", "16", "--sparsity", "0.9", "--turns", "1", "--widths", "8"]
N_INPUTS, N_CLASSES, PER_TURN = 784, 10, 10
KERNELS = ("dense", "sparse")


def make(hidden: int, sparsity: float | None, kernel: str = "dense") -> nn.Sequential:
    """Return the network, dense or trained by RigL."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(N_INPUTS, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
        nn.Linear(hidden, N_CLASSES),
    )  # fmt: skip
    if sparsity is not None:
        sparsefit.sparsify(model, sparsity=sparsity, mask="rigl", kernel=kernel)
    return model


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: Sequence[tuple[Tensor, Tensor]]
) -> None:
    """Take a step for each batch."""
    for x, y in batches:
        optimizer.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def in_turns(runs: Sequence[Callable[[], object]], turns: int) -> list[float]:
    """Return the median seconds of each, taking turns."""
    seconds: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    for _ in range(turns):
        for run, found in zip(runs, seconds, strict=True):
            start = time.perf_counter()
            run()
            found.append(time.perf_counter() - start)
    return [median(found) for found in seconds]


def compare_training(hidden: int, batch: int, sparsity: float, turns: int) -> None:
    """Print what a step costs dense, masked and on nonzeros alone."""
    drawn = [(torch.randn(batch, N_INPUTS), torch.randint(N_CLASSES, (batch,)))] * PER_TURN
    models = [make(hidden, None), *(make(hidden, sparsity, kernel) for kernel in KERNELS)]
    runs = [partial(train, m, torch.optim.Adam(m.parameters()), drawn) for m in models]
    dense, masked, stored = (s / PER_TURN for s in in_turns(runs, turns))
    print(
        f"training, {sparsity:.0%} zeros, batch {batch}: {1e3 * stored:.2f} ms a step on nonzeros; "
        f"masked takes {masked / stored:.1f} times that, dense {dense / stored:.1f}"
    )


def compare_inference(hidden: int, batch: int, sparsity: float, turns: int) -> None:
    """Print what a compressed network costs."""
    plain = sparsefit.finalize(make(hidden, sparsity)).eval()
    x = torch.randn(batch, N_INPUTS)
    small = sparsefit.compress(plain, x)
    many = max(1, 256 // batch)

    def run(model: nn.Module) -> None:
        with torch.no_grad():
            for _ in range(many):
                model(x)

    dense, sparse = in_turns([partial(run, plain), partial(run, small)], 3 * turns)
    size = len(save(small.state_dict()))
    print(
        f"inference, {sparsity:.0%} zeros, batch {batch}: {1e3 * sparse / many:.3f} ms compressed, "
        f"dense takes {dense / sparse:.1f} times that; {size / 1e6:.2f} MB of "
        f"{len(save(plain.state_dict())) / 1e6:.2f}"
    )


class Block(nn.Module):
    """Two convolutions with norms beside a third, which doubles the channels."""

    def __init__(self, width: int):
        super().__init__()
        self.one = nn.Conv2d(width, 2 * width, 3, 2, padding=1, bias=False)
        self.two = nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False)
        self.short = nn.Conv2d(width, 2 * width, 1, 2, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(2 * width) for _ in "123"])

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both ways."""
        z = self.norms[1](self.two(functional.relu(self.norms[0](self.one(x)))))
        return functional.relu(z + self.norms[2](self.short(x)))


def compare_channels(width: int, turns: int) -> None:
    """Print what a residual network costs when a quarter of its channels is kept."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), Block(width), Block(2 * width),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, N_CLASSES),
    ).eval()  # fmt: skip
    x = torch.randn(16, 1, 32, 32)
    sparsefit.prune(
        model, sparsity=0.75, structure="channels", allocation="uniform", exclude=["6"]
    )  # fmt: skip
    small = sparsefit.compress(model, x)
    plain = sparsefit.finalize(model)
    with torch.no_grad():
        dense, sparse = in_turns([partial(plain, x), partial(small, x)], turns)
        error = float((plain(x) - small(x)).abs().max())
    print(
        f"residual network of {width} to {4 * width} channels, a quarter kept: "
        f"{sparse / dense:.2f} of the dense time, outputs differ by {error:.0e}"
    )


def compare_accuracy(folder: Path, hidden: int, sparsity: float, epochs: int, batch: int) -> None:
    """Print held-out accuracy, trained under masks and on nonzeros alone."""
    files = sorted(folder.glob("train-images*")), sorted(folder.glob("train-labels*"))
    images, classes = read_labelled(files[0][0], files[1][0])
    X = torch.tensor(images).reshape(-1, N_INPUTS).float() / 255
    labels = torch.tensor(classes).long()
    n_train = int(0.8 * len(X))
    for kernel in KERNELS:
        model = make(hidden, sparsity, kernel)
        optimizer = torch.optim.Adam(model.parameters())
        for epoch in range(epochs):
            order = torch.randperm(n_train, generator=torch.Generator().manual_seed(epoch))
            train(model, optimizer, [(X[rows], labels[rows]) for rows in order.split(batch)])
        with torch.no_grad():
            right = model(X[n_train:]).argmax(1) == labels[n_train:]
        print(f"accuracy, {sparsity:.0%} zeros, kernel {kernel}: {float(right.float().mean()):.4f}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in {"hidden": 1024, "batch": 256, "turns": 10, "epochs": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.9, 0.95, 0.99])
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--data", type=Path, help="a folder of IDX files")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    for width in args.widths:
        compare_channels(width, args.turns)
    for sparsity in args.sparsity:
        compare_training(args.hidden, args.batch, sparsity, args.turns)
        for batch in (args.batch, 1):
            compare_inference(args.hidden, batch, sparsity, args.turns)
        if args.data:
            compare_accuracy(args.data, args.hidden, sparsity, args.epochs, args.batch)


if __name__ == "__main__":
    main()
