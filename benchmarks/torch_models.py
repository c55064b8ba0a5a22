"""Sparse models of every kind on images of digits: masked in training, and pruned once.

    python benchmarks/torch_models.py masks [--sparsity 0.97] [--epochs 60] [--seeds 0 1 2]
        [--mask fisher] [--allocation global]
    python benchmarks/torch_models.py once [--sparsity 0.5 0.8 0.9 0.95] [--data FOLDER]

`masks` trains an LSTM, a GRU, a transformer, a ResNet and an autoencoder with transposed
convolutions, dense and under masks over all their weights, and prints the held-out score of both:
accuracy, or the share of variance that is reconstructed. `once` prunes trained networks by
magnitude, by Wanda's score and by the surgeon, with 512 rows of data. In place of scikit-learn's
digits it takes a folder of IDX files of images of 28 x 28, such as those of Fashion-MNIST.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import sparsefit
from sparsefit.data.idx import read_labelled
from sparsefit.nn import Cubic
from sparsefit.nn.masking import PruningMethod

TOY = ["once", "--sparsity", "0.5", "--epochs", "1"]
N_CLASSES, BATCH, N_DATA = 10, 64, 512
METHODS: tuple[PruningMethod, ...] = ("magnitude", "wanda", "surgeon")


class Images(NamedTuple):
    """Images of shape (n, 1, side, side), their classes, and how many are for training."""

    X: Tensor
    y: Tensor
    n_train: int

    @property
    def side(self) -> int:
        """Pixels of a side."""
        return self.X.shape[-1]


def load(folder: Path | None) -> Images:
    """Return images in a fixed order, of which a quarter is held out."""
    if folder is None:
        X, y = load_digits(return_X_y=True)
        images, classes = torch.tensor(X).float().view(-1, 1, 8, 8) / 16, torch.tensor(y)
    else:
        files = [next(iter(sorted(folder.glob(f"train-{kind}*")))) for kind in ("images", "labels")]
        pixels, labels = read_labelled(*files)
        images = torch.tensor(pixels[:8000]).float()[:, None] / 255
        classes = torch.tensor(labels[:8000]).long()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return Images(images[order], classes[order], 3 * len(images) // 4)


class Recurrent(nn.Module):
    """Reads an image row by row."""

    def __init__(self, side: int, kind: type[nn.LSTM] | type[nn.GRU]):
        super().__init__()
        self.recurrent = kind(side, 64, batch_first=True)
        self.head = nn.Linear(64, N_CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.recurrent(x[:, 0])[0][:, -1])
        return logits


class Transformer(nn.Module):
    """Attends to the rows of an image."""

    def __init__(self, side: int):
        super().__init__()
        self.enter, self.head = nn.Linear(side, 32), nn.Linear(32, N_CLASSES)
        self.places = nn.Parameter(0.1 * torch.randn(1, side, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.encoder(self.enter(x[:, 0]) + self.places).mean(1))
        return logits


class Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.one = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.two = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both."""
        z = self.norms[1](self.two(functional.relu(self.norms[0](self.one(x)))))
        return functional.relu(x + z)


def make_resnet(side: int) -> nn.Module:
    """Return three blocks of 32 channels."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        *(Block(32) for _ in range(3)), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(128, N_CLASSES),
    )  # fmt: skip


def make_autoencoder(side: int) -> nn.Module:
    """Return convolutions to 8 numbers a place of a quarter of the image, and back."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 3, 2, padding=1), nn.ReLU(), nn.Conv2d(64, 8, 3, 2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 64, 4, 2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, padding=1),
    )  # fmt: skip


def make_mlp(side: int) -> nn.Module:
    """Return two hidden layers of 128 units."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(side * side, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
        nn.Linear(128, N_CLASSES),
    )  # fmt: skip


def make_conv_net(side: int) -> nn.Module:
    """Return two convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(),
        nn.Linear(512, N_CLASSES),
    )  # fmt: skip


MASKED: dict[str, Callable[[int], nn.Module]] = {
    "LSTM": lambda side: Recurrent(side, nn.LSTM),
    "GRU": lambda side: Recurrent(side, nn.GRU),
    "transformer": Transformer,
    "ResNet": make_resnet,
    "autoencoder": make_autoencoder,
}
PRUNED: dict[str, Callable[[int], nn.Module]] = {
    "MLP": make_mlp, "ConvNet": make_conv_net, "transformer": Transformer
}  # fmt: skip


def train(model: nn.Module, images: Images, epochs: int, seed: int) -> None:
    """Train by Adam, with the rate of learning falling along a cosine."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    steps = epochs * -(-images.n_train // BATCH)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    draws = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(images.n_train, generator=draws).split(BATCH):
            optimizer.zero_grad()
            loss_of(model, images.X[rows], images.y[rows]).backward()
            optimizer.step()
            falling.step()
    model.eval()


def loss_of(model: nn.Module, X: Tensor, y: Tensor) -> Tensor:
    """Return cross-entropy, or the mean square of what is not reconstructed."""
    z = model(X)
    return functional.mse_loss(z, X) if z.ndim == 4 else functional.cross_entropy(z, y)


@torch.no_grad()
def score(model: nn.Module, images: Images) -> float:
    """Return held-out accuracy, or the share of variance that is reconstructed."""
    X, y = images.X[images.n_train :], images.y[images.n_train :]
    z = model(X)
    if z.ndim == 4:
        return float(1 - (z - X).square().mean() / (X - X.mean(0)).square().mean())
    return float((z.argmax(1) == y).float().mean())


def count(model: nn.Module) -> tuple[int, int]:
    """Return how many weights of two or more dimensions there are, and how many are not zero."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    return sum(p.numel() for p in weights), sum(int((p != 0).sum()) for p in weights)


def compare_masks(
    images: Images, sparsity: float, epochs: int, seeds: Sequence[int], **options: str
) -> None:
    """Print scores of models trained dense and under masks."""
    for name, make in MASKED.items():
        scores: dict[bool, list[float]] = {False: [], True: []}
        for seed in seeds:
            for is_masked, found in scores.items():
                torch.manual_seed(seed)
                model = make(images.side)
                steps = epochs * -(-images.n_train // BATCH)
                if is_masked:
                    schedule = Cubic(end=3 * steps // 5, period=10, stop=4 * steps // 5)
                    sparsefit.sparsify(model, sparsity=sparsity, schedule=schedule, **options)
                train(model, images, epochs, seed)
                sparsefit.finalize(model)
                found.append(score(model, images))
        size, kept = count(model)
        dense, masked = (sum(found) / len(found) for found in scores.values())
        print(f"{name}: {kept} of {size} weights; dense {dense:.4f}, masked {masked:.4f}")


def compare_once(images: Images, sparsities: Sequence[float], epochs: int, seed: int) -> None:
    """Print scores of models that were pruned once."""
    for name, make in PRUNED.items():
        torch.manual_seed(seed)
        model = make(images.side)
        train(model, images, epochs, seed)
        print(f"{name}: dense {score(model, images):.4f}")
        for sparsity in sparsities:
            found = []
            for method in METHODS:
                data = None if method == "magnitude" else images.X[:N_DATA]
                pruned = copy.deepcopy(model)
                sparsefit.prune(pruned, sparsity=sparsity, data=data, method=method)
                found.append(f"{method} {score(sparsefit.finalize(pruned), images):.4f}")
            print(f"{name}, {sparsity:.0%} zeros: {', '.join(found)}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("masks", "once"))
    parser.add_argument("--sparsity", type=float, nargs="+")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--mask", default="fisher", help="of masks: the name of a rule")
    parser.add_argument("--allocation", default="global", help="of masks: erk, uniform or global")
    parser.add_argument("--data", type=Path, help="a folder of IDX files")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    images = load(args.data)
    if args.part == "masks":
        for sparsity in args.sparsity or [0.97]:
            compare_masks(
                images, sparsity, args.epochs, args.seeds, mask=args.mask,
                allocation=args.allocation,
            )  # fmt: skip
        return
    for seed in args.seeds:
        compare_once(images, args.sparsity or [0.5, 0.8, 0.9, 0.95], args.epochs, seed)


if __name__ == "__main__":
    main()
