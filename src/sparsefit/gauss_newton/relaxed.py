"""A dense start with more units than allowed, an L1 term and a free skip connection."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sparsefit.core.activations import RELU, Activation
from sparsefit.core.batches import Batches
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import START
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet

# An input of so small a share of the largest root mean square says nothing.
_SILENT = 1e-6


@dataclass(frozen=True, kw_only=True)
class RelaxedStart:
    """How the dense start is trained.

    Attributes
    ----------
    fused : bool
        One output, the plain sum of the last hidden layer.
    steps : int
        Adam steps; rate and L1 weight fall linearly to zero.
    penalty : float
        Weight of the L1 norm at first, for targets scaled so that weights are of size 1.
    lr : float
    batch : int
        Rows of a minibatch.
    skip : bool
        Whether there is a free skip connection.
    activation : Activation
    biased : bool
        Whether hidden layers after the first have biases; see `SparseNet`.
    room : int
        Weights of a layer that are trained at a time.
    """

    fused: bool
    steps: int = START.steps
    penalty: float = START.penalty
    lr: float = START.lr
    batch: int = START.least_batch
    skip: bool = True
    activation: Activation = RELU
    biased: bool = False
    room: int = START.room


def relaxed_start(
    objective: Objective, units: list[int], n_edges: int, seed: int, how: RelaxedStart
) -> SparseNet:
    """Train a dense network of the given widths and return it, with all its weights.

    One hidden layer of more than ``how.room`` weights comes in blocks of units, each trained on
    what the blocks before it leave of the targets, and of each the largest weights, ``how.room``
    over ``START.held`` in all. Layers of deeper networks get as many units as there is room for.

    Parameters
    ----------
    objective : Objective
        Of the squared loss.
    units : list of int
        Width of each hidden layer.
    n_edges : int
        Weights that are expected to reach the outputs, which sets the scale of the targets.
    seed : int
        Of the initial weights and the minibatches; torch's global generator is left as it is.
    how : RelaxedStart
    """
    objective = objective.here()
    most = max(1, how.room // objective.rows.d)
    if len(units) > 1 or units[0] <= most:
        narrow = [min(width, most) for width in units]
        return _dense_start(objective, narrow, n_edges, seed, how)
    return _start_in_blocks(objective, units[0], n_edges, seed, how)


def _start_in_blocks(
    objective: Objective, units: int, n_edges: int, seed: int, how: RelaxedStart
) -> SparseNet:
    d = objective.rows.d
    most = max(1, how.room // d)
    n_blocks = math.ceil(units / most)
    held = max(1, most * d // (START.held * n_blocks))
    net = None
    for block in range(n_blocks):
        left = objective.y if net is None else -objective.residuals(net)
        count = min(most, units - block * most)
        part = _dense_start(replace(objective, y=left), [count], n_edges, seed + block, how)
        part = _largest(part, held)
        net = part if net is None else net.beside(part)
    assert net is not None
    return net


def _largest(net: SparseNet, count: int) -> SparseNet:
    """Keep the hidden weights that are largest, times what their unit puts out."""
    edges = net.hidden[0]
    size = edges.values.abs() * net.readout.dense().norm(dim=0)[edges.target]
    return net.keep_largest(size, count)


def _dense_start(
    objective: Objective, units: list[int], n_edges: int, seed: int, how: RelaxedStart
) -> SparseNet:
    rows, y = objective.rows, objective.y
    scale = _target_scale(y, n_edges)
    X = torch.cat(list(rows.blocks), dim=1).T.to(torch.float32)
    # The penalty is to draw weights by what they do, whatever the units of their inputs.
    input_scale = X.square().mean(dim=0).sqrt()
    input_scale = input_scale.where(input_scale > _SILENT * input_scale.max(), 1.0)
    X /= input_scale
    target = y.T.to(torch.float32) / scale
    net = _DenseNet.draw([rows.d, *units, len(y)], seed, how, X)
    moments = [(torch.zeros_like(w), torch.zeros_like(w)) for w in net.trained]
    batches = Batches(len(X), how.batch if how.batch < len(X) else 0, seed)
    indices = (index for epoch in itertools.count() for index in batches.epoch(epoch))
    for step, index in enumerate(itertools.islice(indices, how.steps)):
        x, t = X[torch.from_numpy(index)], target[torch.from_numpy(index)]
        left = 1 - step / how.steps
        for number, gradient in enumerate(net.gradients(x, t)):
            weight = net.trained[number]
            if number < net.n_penalised:
                gradient.add_(weight.sign(), alpha=how.penalty * left)
            _adam(weight, gradient, moments[number], how.lr * left, step + 1)
    return net.on_support(scale, input_scale, rows.dtype)


@dataclass(frozen=True)
class _DenseNet:
    """A network of dense matrices, (n_in, n_out) each, that are changed in place."""

    hidden: list[Tensor]
    readout: Tensor
    skip: Tensor
    how: RelaxedStart

    @classmethod
    def draw(cls, widths: list[int], seed: int, how: RelaxedStart, like: Tensor) -> _DenseNet:
        """Draw the initial weights between layers of the given widths; no skip connection yet."""
        *sizes, n_outputs = widths
        generator = torch.Generator().manual_seed(seed)
        hidden = [
            _draw(a + (how.biased and number > 0), b, generator).to(like.device)
            for number, (a, b) in enumerate(itertools.pairwise(sizes))
        ]
        if how.fused:
            readout = like.new_ones(sizes[-1], 1)
        else:
            readout = _draw(sizes[-1], n_outputs, generator).to(like.device)
            readout *= math.sqrt(sizes[-1] / n_outputs)
        return cls(hidden, readout, like.new_zeros(sizes[0], n_outputs), how)

    @property
    def n_penalised(self) -> int:
        """Matrices, from the first, whose weights the L1 norm draws to zero: all but the skip's."""
        return len(self.hidden) + (not self.how.fused)

    @property
    def trained(self) -> list[Tensor]:
        """The matrices that are trained."""
        readout = [] if self.how.fused else [self.readout]
        return [*self.hidden, *readout, *([self.skip] if self.how.skip else [])]

    def gradients(self, x: Tensor, t: Tensor) -> list[Tensor]:
        """Return the gradients of half the mean square by `trained`, on rows x and targets t."""
        inputs, slopes = [x], []
        for weight in self.hidden:
            units, slope = self.how.activation.with_slope(inputs[-1] @ weight)
            has_constant = self.how.biased and len(inputs) < len(self.hidden)
            inputs.append(torch.cat([units, x[:, -1:]], dim=1) if has_constant else units)
            slopes.append(slope)
        r = (inputs[-1] @ self.readout + x @ self.skip - t) / len(x)
        back, found = r @ self.readout.T, []
        for number in range(len(self.hidden) - 1, -1, -1):
            back = back * slopes[number]
            found.append(inputs[number].T @ back)
            if number:
                back = back @ self.hidden[number].T[:, : self.hidden[number - 1].shape[1]]
        found.reverse()
        readout = [] if self.how.fused else [inputs[-1].T @ r]
        return [*found, *readout, *([x.T @ r] if self.how.skip else [])]

    def on_support(self, scale: float, input_scale: Tensor, dtype: torch.dtype) -> SparseNet:
        """Return the network for inputs and targets as they are, times these scales."""
        layers = [weight.to(dtype) for weight in self.hidden]
        readout = self.readout
        layers[0] = layers[0] / input_scale[:, None].to(dtype)
        if self.how.biased:
            for layer in layers[1:]:
                layer[-1] /= input_scale[-1].to(dtype)
        if self.how.fused:
            layers[-1] = layers[-1] * scale
        else:
            readout = readout * scale
        return SparseNet(
            tuple(Edges.from_dense(weight) for weight in layers),
            Edges.from_dense(readout.to(dtype)),
            Edges.from_dense(self.skip.to(dtype) * scale / input_scale[:, None].to(dtype)),
            self.how.fused,
            activation=self.how.activation,
            biased=self.how.biased,
        )


def _target_scale(y: Tensor, n_edges: int) -> float:
    """Return what to divide targets by so that `n_edges` weights that fit them are of size 1."""
    spread = float(y.var(dim=1).sum().sqrt())
    return spread / (0.8 * math.sqrt(n_edges)) if spread else float(y.abs().max()) or 1.0


def _draw(n_in: int, n_out: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n_in, n_out, generator=generator) / math.sqrt(n_in)


def _adam(
    weight: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], rate: float, step: int
) -> None:
    first, second = moments
    first.lerp_(gradient, 1 - START.betas[0])
    second.mul_(START.betas[1]).addcmul_(gradient, gradient, value=1 - START.betas[1])
    size = (second / (1 - START.betas[1] ** step)).sqrt_().add_(1e-8)
    weight.addcdiv_(first, size, value=-rate / (1 - START.betas[0] ** step))
