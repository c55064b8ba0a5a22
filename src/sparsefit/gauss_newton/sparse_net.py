"""A network on its support: outputs, their derivatives, and changes of the support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from sparsefit.core.activations import RELU, Activation


@dataclass(frozen=True, eq=False)
class Edges:
    """A sparse matrix (n_sources, n_targets) by its nonzeros, ordered by target, then source.

    Attributes
    ----------
    source, target : Tensor of int64, shape (nnz,)
    values : Tensor of shape (nnz,)
    n_sources, n_targets : int
    """

    source: Tensor
    target: Tensor
    values: Tensor
    n_sources: int
    n_targets: int

    @classmethod
    def build(
        cls, source: Tensor, target: Tensor, values: Tensor, n_sources: int, n_targets: int
    ) -> Edges:
        """Order the nonzeros; those at one place are added up."""
        keys, place = torch.unique(target * n_sources + source, return_inverse=True)
        summed = values.new_zeros(len(keys)).index_add_(0, place, values)
        return cls(keys % n_sources, keys // n_sources, summed, n_sources, n_targets)

    @classmethod
    def from_dense(cls, matrix: Tensor) -> Edges:
        """Return the nonzeros of a matrix of shape (n_sources, n_targets)."""
        target, source = matrix.T.nonzero(as_tuple=True)
        return cls(source, target, matrix[source, target], *matrix.shape)

    @property
    def nnz(self) -> int:
        """Number of nonzeros."""
        return len(self.values)

    def dense(self, sources: Tensor | None = None) -> Tensor:
        """Return the matrix transposed, (n_targets, len(sources)); `sources` increasing."""
        if sources is None:
            column, width = self.source, self.n_sources
        else:
            column, width = torch.searchsorted(sources, self.source), len(sources)
        matrix = self.values.new_zeros(self.n_targets, width)
        matrix[self.target, column] = self.values
        return matrix

    def take(self, kept: Tensor) -> Edges:
        """Return the nonzeros where the mask `kept` is True."""
        return replace(
            self, source=self.source[kept], target=self.target[kept], values=self.values[kept]
        )

    def emptied(self) -> Edges:
        """Return a matrix of the same shape without nonzeros."""
        return self.take(torch.zeros_like(self.target, dtype=torch.bool))

    def with_values(self, values: Tensor) -> Edges:
        """Return the same support with other values."""
        return replace(self, values=values)

    def add(self, source: Tensor, target: Tensor, values: Tensor) -> Edges:
        """Return the matrix with more nonzeros; values at places already there add up."""
        return Edges.build(
            torch.cat([self.source, source]),
            torch.cat([self.target, target]),
            torch.cat([self.values, values]),
            self.n_sources,
            self.n_targets,
        )

    def with_sources(self, before: int, count: int) -> Edges:
        """Return the matrix with `count` more sources, not used, before source number `before`."""
        source = torch.where(self.source < before, self.source, self.source + count)
        return replace(self, source=source, n_sources=self.n_sources + count)

    def renumber(self, sources: Tensor | None, targets: Tensor | None) -> Edges:
        """Return the part between the given sources and targets, numbered anew."""
        kept = torch.ones(self.nnz, dtype=torch.bool, device=self.values.device)
        if sources is not None:
            kept &= torch.isin(self.source, sources)
        if targets is not None:
            kept &= torch.isin(self.target, targets)
        part = self.take(kept)
        if sources is not None:
            source = torch.searchsorted(sources, part.source)
            part = replace(part, source=source, n_sources=len(sources))
        if targets is not None:
            target = torch.searchsorted(targets, part.target)
            part = replace(part, target=target, n_targets=len(targets))
        return part


class Forward(NamedTuple):
    """A block of rows on its way through the network, all feature-major.

    Attributes
    ----------
    inputs : list of Tensor
        What each hidden layer gets, (n_inputs, rows), and last what the outputs are made of. Where
        later layers have biases, the last of their inputs is the constant one.
    active : list of Tensor
        For each hidden layer the slope of its units, (units, rows): whether a ReLU is active.
    outputs : Tensor of shape (k, rows)
    """

    inputs: list[Tensor]
    active: list[Tensor]
    outputs: Tensor


@dataclass(frozen=True, eq=False)
class SparseNet:
    """A network on its support.

    f(x) = U^T a_L + C^T x with a_l = g(W_l^T a_{l-1}) and a_0 = x, for an activation g.

    Attributes
    ----------
    hidden : tuple of Edges
        W_1 ... W_L.
    readout : Edges
        U, (units of the last hidden layer, k); all ones, and not a parameter, if `fused`.
    skip : Edges
        C, (d, k): the skip connection.
    fused : bool
        One output, the plain sum of the last hidden layer.
    skip_counts : bool
        Whether the weights of the skip connection count, and may be dropped, like others.
    activation : Activation
        g; by default a ReLU.
    biased : bool
        Whether hidden layers after the first have biases: the weights of one more input, the last,
        which is that of the rows, their constant one.

    Notes
    -----
    Parameters are counted in the order W_1, ..., W_L, U (unless fused), C.
    """

    hidden: tuple[Edges, ...]
    readout: Edges
    skip: Edges
    fused: bool
    skip_counts: bool = False
    activation: Activation = RELU
    biased: bool = False

    @property
    def n_outputs(self) -> int:
        """Number of outputs k."""
        return self.skip.n_targets

    @property
    def trained(self) -> tuple[Edges, ...]:
        """The matrices that hold parameters, in their order."""
        middle = () if self.fused else (self.readout,)
        return (*self.hidden, *middle, self.skip)

    @cached_property
    def values(self) -> Tensor:
        """All parameters, shape (p,)."""
        return torch.cat([edges.values for edges in self.trained])

    @property
    def nnz(self) -> int:
        """Parameters that count: all, without a skip connection that is free."""
        return len(self.values) - (0 if self.skip_counts else self.skip.nnz)

    @property
    def n_units(self) -> int:
        """Units of the largest hidden layer."""
        return max(edges.n_targets for edges in self.hidden)

    def with_values(self, values: Tensor) -> SparseNet:
        """Return the same support with other values."""
        parts = values.split([edges.nnz for edges in self.trained])
        return self.with_trained(
            [e.with_values(v) for e, v in zip(self.trained, parts, strict=True)]
        )

    def keep(self, kept: Tensor) -> SparseNet:
        """Return the network with the parameters where `kept` is True, without idle units."""
        parts = kept.split([edges.nnz for edges in self.trained])
        return self.with_trained(
            [edges.take(part) for edges, part in zip(self.trained, parts, strict=True)]
        ).without_idle_units()

    def keep_largest(self, scores: Tensor, count: int) -> SparseNet:
        """Keep the `count` parameters of largest score, and those that come after the scored."""
        kept = torch.ones(len(self.values), dtype=torch.bool, device=scores.device)
        kept[: len(scores)] = False
        kept[scores.topk(min(count, len(scores))).indices] = True
        return self.keep(kept)

    def with_trained(self, trained: Sequence[Edges]) -> SparseNet:
        """Return the network with other matrices of parameters, in the order of `trained`."""
        *hidden, skip = trained
        readout = self.readout if self.fused else hidden.pop()
        return replace(self, hidden=tuple(hidden), readout=readout, skip=skip)

    def without_idle_units(self) -> SparseNet:
        """Drop units without inputs or without outputs, until none is left."""
        layers = [*self.hidden, self.readout]
        while True:
            before = [edges.n_targets for edges in layers]
            for number in range(len(layers) - 1):
                fed = torch.unique(layers[number].target)
                used = torch.unique(layers[number + 1].source)
                live = fed[torch.isin(fed, used)]
                constant = live.new_tensor(range(before[number], layers[number + 1].n_sources))
                layers[number] = layers[number].renumber(None, live)
                layers[number + 1] = layers[number + 1].renumber(torch.cat([live, constant]), None)
            if [edges.n_targets for edges in layers] == before:
                return replace(self, hidden=tuple(layers[:-1]), readout=layers[-1])

    def scaled(self, factor: float) -> SparseNet:
        """Return the network whose outputs are so many times as large, factor > 0."""
        skip = self.skip.with_values(self.skip.values * factor)
        if self.fused:
            *before, last = self.hidden
            return replace(
                self, hidden=(*before, last.with_values(last.values * factor)), skip=skip
            )
        readout = self.readout.with_values(self.readout.values * factor)
        return replace(self, readout=readout, skip=skip)

    def beside(self, other: SparseNet) -> SparseNet:
        """Return the sum of two networks, with all units of both."""
        hidden, ours, theirs = [], 0, 0  # units before each layer
        for one, two in zip(self.hidden, other.hidden, strict=True):
            # The constant one, which both have, comes after all units.
            wide = replace(one, n_targets=one.n_targets + two.n_targets).with_sources(ours, theirs)
            hidden.append(wide.add(ours + two.source, one.n_targets + two.target, two.values))
            ours, theirs = one.n_targets, two.n_targets
        out, more = self.readout.with_sources(ours, theirs), other.readout
        return replace(
            self,
            hidden=tuple(hidden),
            readout=out.add(ours + more.source, more.target, more.values),
            skip=self.skip.add(other.skip.source, other.skip.target, other.skip.values),
        )

    @property
    def _scalable(self) -> list[tuple[int, Edges, Edges]]:
        """Layers whose units may be scaled: what is in front of them, and what is behind."""
        if not self.activation.is_homogeneous:
            return []
        behind = [*self.hidden[1:], *([] if self.fused else [self.readout])]
        return [(at, self.hidden[at], edges) for at, edges in enumerate(behind)]

    def balanced(self) -> SparseNet:
        """Scale units so that the norms of their incoming and outgoing weights agree.

        g(c z) = c g(z) for c > 0: outputs stay as they are. Other activations leave no choice.
        """
        layers = list(self.trained)
        for at, _, _ in self._scalable:
            before, after = layers[at], layers[at + 1]
            n_units = before.n_targets
            ratio = _norms(after, after.source)
            ratio[:n_units] = (ratio[:n_units] / _norms(before, before.target)).sqrt()
            ratio[n_units:] = 1
            layers[at] = before.with_values(before.values * ratio[before.target])
            layers[at + 1] = after.with_values(after.values / ratio[after.source])
        return self.with_trained(layers)

    def scalings(self) -> Tensor:
        """Return the directions that scale a unit and change no output, shape (p, count), normed.

        Along them J^T J is singular.
        """
        starts = [0]
        for edges in self.trained:
            starts.append(starts[-1] + edges.nnz)
        columns = [self.values.new_zeros(len(self.values), 0)]
        for at, before, after in self._scalable:
            part = self.values.new_zeros(len(self.values), after.n_sources)
            place = torch.arange(before.nnz, device=part.device)
            part[starts[at] + place, before.target] = before.values
            place = torch.arange(after.nnz, device=part.device)
            part[starts[at + 1] + place, after.source] = -after.values
            part = part[:, : before.n_targets]
            columns.append(part / part.norm(dim=0).clamp(min=1e-300))
        return torch.cat(columns, dim=1)

    def forward(self, block: Tensor) -> Forward:
        """Return the activations of a block of rows, (d, rows)."""
        inputs, active = [block], []
        for number, edges in enumerate(self.hidden, start=1):
            units, slope = self.activation.with_slope(_apply(edges, inputs[-1]))
            active.append(slope)
            has_constant = self.biased and number < len(self.hidden)
            inputs.append(torch.cat([units, block[-1:]]) if has_constant else units)
        outputs = _apply(self.readout, inputs[-1]) + _apply(self.skip, block)
        return Forward(inputs, active, outputs)

    def sensitivities(self, through: Forward, weights: Tensor) -> list[Tensor]:
        """Return the derivative of a sum of outputs by the units of each hidden layer.

        The outputs are weighted, in every row in its own way, by `weights`, (k, rows). What is
        returned has shape (units, rows).
        """
        back = self.readout.dense().T @ weights
        found = [back]
        for number in range(len(self.hidden) - 1, 0, -1):
            back = self.hidden[number].dense().T @ (back * through.active[number])
            back = back[: self.hidden[number - 1].n_targets]
            found.append(back)
        return found[::-1]

    def jacobian(self, through: Forward, weights: Tensor) -> Tensor:
        """Return the derivative of a sum of outputs, weighted (k, rows), by all parameters.

        Shape (p, rows).
        """
        block, parts = through.inputs[0], []
        for number, back in enumerate(self.sensitivities(through, weights)):
            edges = self.hidden[number]
            delta = back * through.active[number]
            parts.append(through.inputs[number][edges.source] * delta[edges.target])
        readouts = [(self.skip, block)]
        if not self.fused:
            readouts.insert(0, (self.readout, through.inputs[-1]))
        for edges, features in readouts:
            parts.append(features[edges.source] * weights[edges.target])
        return torch.cat(parts)

    def features(self, through: Forward) -> tuple[Tensor, Tensor, Tensor]:
        """Return distinct features (q, rows), the place of each parameter's, and weights (p, k).

        With one hidden layer, the derivative of output o by parameter p is
        feature[place[p]] * weight[p, o]: one Gram matrix of few features serves all outputs.
        """
        block, (edges,) = through.inputs[0], self.hidden
        eye = torch.eye(self.n_outputs, dtype=block.dtype, device=block.device)
        features = [block[edges.source] * through.active[0][edges.target]]
        places = [torch.arange(edges.nnz, device=block.device)]
        weights = [self.readout.dense().T[edges.target]]
        readouts = [(self.skip, block)]
        if not self.fused:
            readouts.insert(0, (self.readout, through.inputs[1]))
        for readout, inputs in readouts:
            sources, place = torch.unique(readout.source, return_inverse=True)
            places.append(place + sum(map(len, features)))
            features.append(inputs[sources])
            weights.append(eye[readout.target])
        return torch.cat(features), torch.cat(places), torch.cat(weights)


def _norms(edges: Edges, unit: Tensor) -> Tensor:
    n_units = edges.n_targets if unit is edges.target else edges.n_sources
    squares = edges.values.new_zeros(n_units).index_add_(0, unit, edges.values.square())
    return squares.sqrt().clamp(min=1e-150)


def _apply(edges: Edges, block: Tensor) -> Tensor:
    """Return W^T block through the sources in use only."""
    sources = torch.unique(edges.source)
    if len(sources) == edges.n_sources:
        return edges.dense() @ block
    return edges.dense(sources) @ block[sources]
