"""A torch model of digits at 95 %: as accurate, smaller and faster, measured."""

from __future__ import annotations

import copy
from typing import Any

from sparsefit.demo.parts import Part, Progress
from sparsefit.figures._style import COLORS, SETTINGS, new_figure, svg

SPARSITY, WIDTH, EPOCHS, BATCH = 0.95, 1024, 12, 64


def compress_digits(progress: Progress) -> Part:
    """Train a dense network, mask a copy of it while it is trained on, and compress that."""
    import torch
    from sklearn.datasets import load_digits
    from torch import nn
    from torch.nn import functional

    import sparsefit
    from sparsefit.nn import Cubic

    data: Any = load_digits()
    X = torch.tensor(data.data).float() / 16
    y = torch.tensor(data.target)
    order = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))
    X, y, n_train = X[order], y[order], 1347

    def train(model: nn.Module, begin: float) -> None:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for epoch in range(EPOCHS):
            progress(begin + 0.45 * epoch / EPOCHS)
            for rows in torch.randperm(n_train).split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(model(X[rows]), y[rows]).backward()
                optimizer.step()

    def accuracy(model: nn.Module) -> float:
        with torch.no_grad():
            return float((model.eval()(X[n_train:]).argmax(1) == y[n_train:]).float().mean())

    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        dense = nn.Sequential(
            nn.Linear(64, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
            nn.ReLU(),
            nn.Linear(WIDTH, 10),
        )
        train(dense, 0.0)
        n_steps = EPOCHS * -(-n_train // BATCH)
        pruned = sparsefit.sparsify(
            copy.deepcopy(dense), sparsity=SPARSITY, schedule=Cubic(end=2 * n_steps // 3)
        )
        train(pruned, 0.45)
        progress(0.9)
        small = sparsefit.compress(sparsefit.finalize(pruned), X[:256])
        found: Any = small.compression
        scores = [accuracy(dense), accuracy(small)]
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
    kept = sum(int((p != 0).sum()) for p in pruned.parameters() if p.ndim > 1)
    rows = [["model", "accuracy", "weights", "file", "256 rows"]]
    whole = sum(p.numel() for p in dense.parameters() if p.ndim > 1)
    for name, score, n, size, ms in zip(
        ("dense", f"{SPARSITY:.0%} sparse"), scores, (whole, kept), found.bytes,
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
