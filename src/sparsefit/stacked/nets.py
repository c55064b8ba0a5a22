"""Many networks of one hidden layer and one shape, side by side in one tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from sparsefit.core.activations import RELU, Activation
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet


@dataclass(frozen=True)
class Shape:
    """Sizes of the layers; where there are biases, the last input is the constant 1.

    Attributes
    ----------
    inputs, units, outputs : int
    bias, skip : bool
        Whether there are biases, and a skip connection; biases of the outputs are part of it.
    activation : Activation
        Of the units.

    Notes
    -----
    The weights of a network are numbered: first those of the hidden units, (units, inputs), then
    those of the outputs, (outputs, units), then those of the skip connection, (outputs, inputs).

    Examples
    --------
    >>> Shape(inputs=3, units=4, outputs=2).count
    26
    """

    inputs: int
    units: int
    outputs: int
    bias: bool = True
    skip: bool = True
    activation: Activation = RELU

    @cached_property
    def allowed(self) -> Tensor:
        """Which weights may be nonzero, (count,): all, but for a skip connection that is not."""
        allowed = torch.ones(1, self.count, dtype=torch.bool)
        if not self.skip:
            self.split(allowed)[2][:, :, : self.inputs - self.bias] = False
        return allowed[0]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Weights of the hidden units, the outputs and the skip connection."""
        return (
            self.units * self.inputs, self.outputs * self.units, self.outputs * self.inputs,
        )  # fmt: skip

    @property
    def count(self) -> int:
        """Weights of a dense network."""
        return sum(self.sizes)

    def split(self, flat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return views of the weights of each layer, (B, n_targets, n_sources), of (B, count)."""
        hidden, out, skip = flat.split(self.sizes, dim=1)
        return (
            hidden.view(-1, self.units, self.inputs),
            out.view(-1, self.outputs, self.units),
            skip.view(-1, self.outputs, self.inputs),
        )

    @cached_property
    def places(self) -> tuple[Tensor, Tensor]:
        """What multiplies each weight, and what it adds to, both (count,).

        A weight multiplies one of the inputs or, `inputs` further, of the units; it adds to one of
        the units or, `units` further, of the outputs.
        """
        inputs, units, outputs = map(torch.arange, (self.inputs, self.units, self.outputs))
        source = [inputs.repeat(self.units), (self.inputs + units).repeat(self.outputs)]
        target = [units.repeat_interleave(self.inputs)]
        below = (self.units, self.inputs)
        target += [(self.units + outputs).repeat_interleave(width) for width in below]
        return torch.cat([*source, inputs.repeat(self.outputs)]), torch.cat(target)


@dataclass(frozen=True, eq=False)
class Stack:
    """Networks side by side.

    Attributes
    ----------
    shape : Shape
    weights : Tensor of float32, shape (B, shape.count)
        Zero outside of the support.
    support : Tensor of bool, shape (B, shape.count)
    """

    shape: Shape
    weights: Tensor
    support: Tensor

    def __len__(self) -> int:
        return len(self.weights)

    @property
    def sizes(self) -> Tensor:
        """Weights in each support, (B,)."""
        return self.support.sum(dim=1)

    def live_units(self) -> Tensor:
        """Return which units have inputs and outputs, (B, units)."""
        hidden, out, _ = self.shape.split(self.support)
        return hidden.any(dim=2) & out.any(dim=1)

    def of_live_units(self) -> Tensor:
        """Return which weights, there or not, belong to live units or to none, (B, count)."""
        live, kept = self.live_units(), torch.ones_like(self.support)
        hidden, out, _ = self.shape.split(kept)
        hidden &= live[:, :, None]
        out &= live[:, None, :]
        return kept

    def on(self, support: Tensor) -> Stack:
        """Return the networks on a smaller support, without weights of units that are idle."""
        support = support & replace(self, support=support).of_live_units()
        return replace(self, weights=self.weights * support, support=support)

    def largest(self, scores: Tensor, size: int) -> Stack:
        """Keep the `size` weights of each network whose scores, (B, count), are largest."""
        size = min(size, self.shape.count)
        kept = torch.zeros_like(self.support)
        kept.scatter_(1, scores.topk(size, dim=1).indices, value=True)
        return self.on(kept & self.support)

    def where(self, condition: Tensor, other: Stack) -> Stack:
        """Return these networks where the condition, (B,), holds, and else the others."""
        condition = condition[:, None]
        return replace(
            self,
            weights=torch.where(condition, self.weights, other.weights),
            support=torch.where(condition, self.support, other.support),
        )

    def repeat_interleave(self, count: int) -> Stack:
        """Return each network so many times."""
        return replace(
            self, weights=self.weights.repeat_interleave(count, dim=0),
            support=self.support.repeat_interleave(count, dim=0),
        )  # fmt: skip

    def balanced(self) -> Stack:
        """Scale units so that the norms of their incoming and outgoing weights agree.

        g(c z) = c g(z) for c > 0: outputs stay as they are. Other activations leave no choice.
        """
        if not self.shape.activation.is_homogeneous:
            return self
        weights = self.weights.clone()
        hidden, out, _ = self.shape.split(weights)
        norms = hidden.norm(dim=2), out.norm(dim=1)
        ratio = torch.where((norms[0] > 0) & (norms[1] > 0), norms[1] / norms[0], 1.0).sqrt()
        hidden *= ratio[:, :, None]
        out /= ratio[:, None, :]
        return replace(self, weights=weights)

    def compact(self) -> Stack:
        """Return the networks with as many units as the one that has most of them."""
        live = self.live_units()
        count = max(1, int(live.sum(dim=1).max()))
        units = live.byte().sort(dim=1, descending=True, stable=True).indices[:, :count]
        shape = replace(self.shape, units=count)
        weights, support = (self._of_units(flat, units) for flat in (self.weights, self.support))
        return Stack(shape, weights, support)

    def _of_units(self, flat: Tensor, units: Tensor) -> Tensor:
        hidden, out, skip = self.shape.split(flat)
        hidden = hidden.gather(1, units[:, :, None].expand(-1, -1, self.shape.inputs))
        out = out.gather(2, units[:, None, :].expand(-1, self.shape.outputs, -1))
        return torch.cat([part.reshape(len(flat), -1) for part in (hidden, out, skip)], dim=1)

    def net(self, at: int) -> SparseNet:
        """Return one of the networks, in float64."""
        chosen = (self.weights[[at]] * self.support[[at]]).double()
        hidden, out, skip = (Edges.from_dense(part[0].T) for part in self.shape.split(chosen))
        return SparseNet(
            (hidden,), out, skip, fused=False, skip_counts=True, activation=self.shape.activation
        ).without_idle_units()
