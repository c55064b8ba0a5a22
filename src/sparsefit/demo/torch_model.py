"""A torch model of digits at 95 %: as accurate, smaller and faster, measured."""

from __future__ import annotations

import copy
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import sparsefit
from sparsefit.core.device import limited_threads
from sparsefit.demo.parts import Part, Progress
from sparsefit.figures._style import COLORS, SETTINGS, new_figure, svg
from sparsefit.nn import Cubic

SPARSITY, WIDTH, EPOCHS, BATCH, N_TRAIN = 0.95, 1024, 12, 64, 1347


def compress_digits(progress: Progress) -> Part:
    """Train a dense network, mask a copy of it while it is trained on, and compress that."""
    digits = _Digits()
    with limited_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Linear(64, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 10)
        dense = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        digits.train(dense, lambda share: progress(0.45 * share))
        n_steps = EPOCHS * -(-N_TRAIN // BATCH)
        pruned = sparsefit.sparsify(
            copy.deepcopy(dense), sparsity=SPARSITY, schedule=Cubic(end=2 * n_steps // 3)
        )
        digits.train(pruned, lambda share: progress(0.45 + 0.45 * share))
        progress(0.9)
        small = sparsefit.compress(sparsefit.finalize(pruned), digits.X[:256])
        scores = [digits.accuracy(dense), digits.accuracy(small)]
    found: Any = small.compression
    weights = [
        sum(int((p != 0).sum()) for p in model.parameters() if p.ndim > 1)
        for model in (dense, pruned)
    ]
    rows = [["model", "accuracy", "weights", "file", "256 rows"]]
    for name, score, n, size, ms in zip(
        ("dense", f"{SPARSITY:.0%} sparse"), scores, weights, found.bytes,
        found.milliseconds, strict=True,
    ):  # fmt: skip
        rows.append([name, f"{score:.3f}", f"{n:,}", f"{size / 1e6:.2f} MB", f"{ms:.2f} ms"])
    smaller = found.bytes[0] / found.bytes[1]
    faster = found.milliseconds[0] / found.milliseconds[1]
    result = (
        f"a torch model at {SPARSITY:.0%} sparsity is {smaller:.0f} times smaller and "
        f"{faster:.1f} times faster, accuracy {scores[1]:.3f} where the dense one has "
        f"{scores[0]:.3f}"
    )
    return Part(
        "A torch model, smaller and faster", result, rows, _CODE,
        _picture(found.bytes, found.milliseconds),
        "Dense and compressed, measured on this machine.",
    )  # fmt: skip


class _Digits:
    """The digits of scikit-learn, in a fixed order, of which the last are held out."""

    def __init__(self) -> None:
        data: Any = load_digits()
        order = torch.randperm(len(data.data), generator=torch.Generator().manual_seed(0))
        self.X = torch.tensor(data.data).float()[order] / 16
        self.y = torch.tensor(data.target)[order]

    def train(self, model: nn.Module, progress: Progress) -> None:
        """Train on the rows that are not held out."""
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for epoch in range(EPOCHS):
            progress(epoch / EPOCHS)
            for rows in torch.randperm(N_TRAIN).split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(model(self.X[rows]), self.y[rows]).backward()
                optimizer.step()

    def accuracy(self, model: nn.Module) -> float:
        """Return that on held-out rows."""
        with torch.no_grad():
            found = model.eval()(self.X[N_TRAIN:]).argmax(1)
        return float((found == self.y[N_TRAIN:]).float().mean())


_CODE = """\
sparsefit.sparsify(model, sparsity=0.95, schedule=Cubic(end=176))
...  # your training loop, as it is
small = sparsefit.compress(sparsefit.finalize(model), X[:256])"""


def _picture(sizes: tuple[int, ...], times: tuple[float, ...]) -> bytes:
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        figure = new_figure(7.0, 1.9)
        axes = figure.subplots(1, 2)
        for ax, values, name in zip(
            axes, ([size / 1e6 for size in sizes], times), ("file (MB)", "256 rows (ms)"),
            strict=True,
        ):  # fmt: skip
            ax.barh(["dense", "compressed"], values, color=COLORS[:2], height=0.6)
            ax.bar_label(ax.containers[0], fmt="%.2f", padding=3)
            ax.invert_yaxis()
            ax.set(xlabel=name, xlim=(0, 1.18 * max(values)))
        return svg(figure)
