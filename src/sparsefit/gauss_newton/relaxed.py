"""A dense start with more units than allowed, an L1 term and a free linear term."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.batches import Batches
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import MEMORY_MB
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet

_BETAS = 0.9, 0.99
# Weights with their gradients and both moments, in float32, that fill the default memory budget.
# It is not the budget of the setting, as the result depends on it.
_ROOM = MEMORY_MB * 2**20 // 16
# A weight of a network on its support takes so many times as much.
_HELD = 2


@dataclass(frozen=True)
class RelaxedStart:
    """How the dense start is trained.

    Attributes
    ----------
    steps : int
        Adam steps; rate and L1 weight fall linearly to zero.
    penalty : float
        Weight of the L1 norm at first, for targets scaled so that weights are of size 1.
    lr : float
    batch : int
        Rows of a minibatch.
    linear : bool
        Whether there is a free linear term.
    """

    steps: int = 3000
    penalty: float = 0.03
    lr: float = 0.02
    batch: int = 256
    linear: bool = True


def relaxed_start(
    rows: RowBlocks, y: Tensor, units: list[int], n_edges: int, seed: int, how: RelaxedStart, *,
    fused: bool, room: int = _ROOM,
) -> SparseNet:  # fmt: skip
    """Train a dense network of the given widths and return it, with all its weights.

    One hidden layer of more than `room` weights comes in blocks of units, each trained on what the
    blocks before it leave of the targets, and of each the `room` / `_HELD` largest weights in all.
    Layers of deeper networks get as many units as there is room for.

    Parameters
    ----------
    rows : RowBlocks
    y : Tensor of shape (k, n)
    units : list of int
        Width of each hidden layer.
    n_edges : int
        Weights that are expected to reach the outputs, which sets the scale of the targets.
    seed : int
        Of the initial weights and the minibatches; torch's global generator is left as it is.
    how : RelaxedStart
    fused : bool
        One output, the plain sum of the last hidden layer.
    room : int, optional
        Weights of a layer that are trained at a time.
    """
    most = max(1, room // rows.d)
    if len(units) > 1 or units[0] <= most:
        narrow = [min(width, most) for width in units]
        return _dense_start(rows, y, narrow, n_edges, seed, how, fused=fused)
    return _start_in_blocks(rows, y, units[0], most, n_edges, seed, how, fused=fused)


def _dense_start(
    rows: RowBlocks, y: Tensor, units: list[int], n_edges: int, seed: int, how: RelaxedStart, *,
    fused: bool,
) -> SparseNet:  # fmt: skip
    n_outputs = len(y)
    scale = _target_scale(y, n_edges)
    input_scale = float(np.sqrt(np.mean(np.square(rows.X, dtype=np.float64)))) or 1.0
    X = torch.cat(rows.blocks, dim=1).T.to(torch.float32) / input_scale
    target = y.T.to(torch.float32) / scale
    generator = torch.Generator().manual_seed(seed)
    widths = [rows.d, *units]
    hidden = [_draw(a, b, generator).to(X.device) for a, b in itertools.pairwise(widths)]
    if fused:
        readout = X.new_ones(units[-1], 1)
    else:
        readout = _draw(units[-1], n_outputs, generator).to(X.device)
        readout *= math.sqrt(units[-1] / n_outputs)
    linear = X.new_zeros(rows.d, n_outputs)
    trained = [*hidden, *([] if fused else [readout]), *([linear] if how.linear else [])]
    penalised = len(trained) - how.linear
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in trained]
    batches = Batches(len(X), how.batch if how.batch < len(X) else 0, seed)
    step = 0
    for epoch in itertools.count():
        for index in batches.epoch(epoch):
            x, t = X[torch.from_numpy(index)], target[torch.from_numpy(index)]
            left = 1 - step / how.steps
            gradients = _gradients(x, t, hidden, readout, linear, fused=fused)
            if not how.linear:
                gradients.pop()
            for number, gradient in enumerate(gradients):
                if number < penalised:
                    gradient.add_(trained[number].sign(), alpha=how.penalty * left)
                _adam(trained[number], gradient, moments[number], how.lr * left, step + 1)
            step += 1
            if step == how.steps:
                return _finished(hidden, readout, linear, scale, input_scale, rows, fused=fused)
    raise AssertionError


def _start_in_blocks(
    rows: RowBlocks, y: Tensor, units: int, most: int, n_edges: int, seed: int,
    how: RelaxedStart, *, fused: bool,
) -> SparseNet:  # fmt: skip
    n_blocks = math.ceil(units / most)
    held = max(1, most * rows.d // (_HELD * n_blocks))
    net = None
    for block in range(n_blocks):
        left = y if net is None else -net.residuals(rows, y)
        count = min(most, units - block * most)
        part = _dense_start(rows, left, [count], n_edges, seed + block, how, fused=fused)
        part = _largest(part, held)
        net = part if net is None else _side_by_side(net, part)
    assert net is not None
    return net


def _largest(net: SparseNet, count: int) -> SparseNet:
    """Keep the hidden weights that are largest, times what their unit puts out."""
    edges = net.hidden[0]
    size = edges.values.abs() * net.readout.dense().norm(dim=0)[edges.target]
    return net.keep_largest(size, count)


def _side_by_side(one: SparseNet, two: SparseNet) -> SparseNet:
    """Return the sum of two networks of one hidden layer."""
    shift = one.hidden[0].n_targets
    wide = replace(one.hidden[0], n_targets=shift + two.hidden[0].n_targets)
    into, out, straight = two.hidden[0], two.readout, two.linear
    return replace(
        one,
        hidden=(wide.add(into.source, shift + into.target, into.values),),
        readout=replace(one.readout, n_sources=wide.n_targets).add(
            shift + out.source, out.target, out.values
        ),
        linear=one.linear.add(straight.source, straight.target, straight.values),
    )


def _target_scale(y: Tensor, n_edges: int) -> float:
    """Return what to divide targets by so that `n_edges` weights that fit them are of size 1."""
    spread = float(y.var(dim=1).sum().sqrt())
    return spread / (0.8 * math.sqrt(n_edges)) if spread else float(y.abs().max()) or 1.0


def _draw(n_in: int, n_out: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n_in, n_out, generator=generator) / math.sqrt(n_in)


def _gradients(
    x: Tensor, t: Tensor, hidden: list[Tensor], readout: Tensor, linear: Tensor, *, fused: bool
) -> list[Tensor]:
    """Return the gradients of half the mean square by W_1..., U unless fused, and C."""
    inputs = [x]
    for weight in hidden:
        inputs.append((inputs[-1] @ weight).clamp_(min=0))
    r = (inputs[-1] @ readout + x @ linear - t) / len(x)
    back, found = r @ readout.T, []
    for number in range(len(hidden) - 1, -1, -1):
        back = back * (inputs[number + 1] > 0)
        found.append(inputs[number].T @ back)
        if number:
            back = back @ hidden[number].T
    found.reverse()
    return [*found, *([] if fused else [inputs[-1].T @ r]), x.T @ r]


def _adam(
    weight: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], rate: float, step: int
) -> None:
    first, second = moments
    first.lerp_(gradient, 1 - _BETAS[0])
    second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
    size = (second / (1 - _BETAS[1] ** step)).sqrt_().add_(1e-8)
    weight.addcdiv_(first, size, value=-rate / (1 - _BETAS[0] ** step))


def _finished(
    hidden: list[Tensor], readout: Tensor, linear: Tensor, scale: float, input_scale: float,
    rows: RowBlocks, *, fused: bool,
) -> SparseNet:  # fmt: skip
    """Return the network for inputs and targets as they are."""
    layers = [weight.to(rows.dtype) for weight in hidden]
    layers[0] = layers[0] / input_scale
    if fused:
        layers[-1] = layers[-1] * scale
    else:
        readout = readout * scale
    return SparseNet(
        tuple(Edges.from_dense(weight) for weight in layers),
        Edges.from_dense(readout.to(rows.dtype)),
        Edges.from_dense(linear.to(rows.dtype) * scale / input_scale),
        fused,
    )
