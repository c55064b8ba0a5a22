"""Drop weights of a linear map with the least harm to its outputs, and refit those that stay.

The layer-wise optimal brain surgeon: the squared change of outputs over the rows X, if the map W
becomes V, is tr (W - V) H (W - V)^T, with H = X^T X. A weight costs w^2 / [H^-1]_pp, the inverse
over what is kept in its row; after each cut each row is solved anew.

References
----------
E. Frantar, S. P. Singh and D. Alistarh, Optimal Brain Compression, NeurIPS 2022, arXiv:2208.11580.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sparsefit.nn.budget import Candidate, choose_in
from sparsefit.nn.oneshot.layers import Moments
from sparsefit.nn.structure import Structure

# Share of the mean diagonal that is added to that of H: a belief that weights stay as they were.
RIDGE = 0.01
# What a cut leaves of what there was, at least; the first, from the whole map, leaves half.
KEPT_BY_A_CUT = 0.7
# Numbers in the batch of matrices that are factorised together.
BLOCK = 2**24
_TINY = 1e-12


@dataclass
class Map:
    """A linear map while it is pruned.

    Attributes
    ----------
    weight : Tensor, shape (outputs, inputs)
    bias : Tensor or None, shape (outputs,)
    mask : Tensor of bool, in the shape of the weight
    """

    weight: Tensor
    bias: Tensor | None
    mask: Tensor


class Surgeon:
    """Prunes a map of which moments of inputs are known.

    Parameters
    ----------
    weight : Tensor
        (outputs, inputs, *kernel); of the dense network.
    bias : Tensor or None
    moments : Moments
    structure : Structure
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, moments: Moments, structure: Structure):
        self.shape, self.structure = tuple(weight.shape), structure
        self._has_bias = bias is not None
        flat = weight.detach().flatten(1).double()
        n_inputs = flat.shape[1]
        own, cross = moments.own.double() / moments.n, moments.cross.double() / moments.n
        still = bias.detach().double() if bias is not None else flat.new_zeros(len(flat))
        dense = torch.cat([flat, still[:, None]], dim=1)
        ridge = RIDGE * float(own.diagonal()[:n_inputs].mean()) + _TINY
        pull = own.new_full((n_inputs + 1,), ridge)
        pull[-1] = _TINY
        # Moves of the bias are free; a map without one keeps the last column at zero.
        self.hessian = own + torch.diag(pull)
        self.target = dense @ cross.t() + dense * pull
        if not self._has_bias:
            self.hessian[-1], self.hessian[:, -1], self.target[:, -1] = 0, 0, 0
            self.hessian[-1, -1] = 1
        self.map = self._map(dense, torch.ones_like(flat, dtype=torch.bool))

    def _map(self, rows: Tensor, mask: Tensor) -> Map:
        return Map(rows[:, :-1], rows[:, -1] if self._has_bias else None, mask)

    def cut_to(self, keep: int) -> Map:
        """Drop weights until at most `keep` are left."""
        size = self.map.mask.numel()
        there = self.map.weight != 0
        if self.structure.density is None and not there.all():
            # Of a map that is sparse already the zeros are the first to go, and cost nothing.
            if keep >= int(there.count_nonzero()):
                self.map.mask = self._chosen(self.map.weight.abs(), keep)
                return self.map
            self.map.mask &= there
        while True:
            now = int(self.map.mask.count_nonzero())
            step = size // 2 if now == size else int(KEPT_BY_A_CUT * now)
            # Places of n:m are settled at once.
            count = max(keep, step) if self.structure.density is None else keep
            self._cut(count)
            if count == keep or int(self.map.mask.count_nonzero()) >= now:
                return self.map

    def _cut(self, count: int) -> None:
        mask = self._chosen(self._scores(), count) & self.map.mask
        self.map = self._map(self._solved(mask), mask)

    def _chosen(self, scores: Tensor, count: int) -> Tensor:
        """Return the mask of the groups of the largest scores."""
        groups = self.structure.total(scores.view(self.shape))
        kept = choose_in(Candidate(self.shape, self.structure, groups), count)
        return self.structure.expand(kept, self.shape).flatten(1)

    def _scores(self) -> Tensor:
        """Return what the outputs change by, squared, if a weight goes and its row is solved."""
        weight, mask = self.map.weight, self.map.mask
        if mask.all():
            inverse = _inverse(self.hessian[None])[0].diagonal()[:-1].expand_as(weight)
            return weight.square() / inverse
        # With a column behind, for the place of the bias, which is never dropped.
        squares = torch.cat([weight.square(), weight.new_zeros(len(weight), 1)], dim=1)
        costs = torch.zeros_like(squares)
        for rows, places, inside in self._batches(mask):
            inverse = _inverse(self._part(places, inside)).diagonal(dim1=1, dim2=2)
            cost = squares[rows[:, None], places] / inverse
            costs[rows[:, None], places] = torch.where(inside, cost, 0.0)
        return costs[:, :-1]

    def _solved(self, mask: Tensor) -> Tensor:
        """Return each row's best values where the mask is, with the bias behind."""
        found = torch.zeros(len(mask), mask.shape[1] + 1, dtype=self.hessian.dtype)
        for rows, places, inside in self._batches(mask):
            wanted = torch.where(inside, self.target[rows[:, None], places], 0.0)
            part = self._part(places, inside)
            values = torch.cholesky_solve(wanted[:, :, None], _factor(part))[:, :, 0]
            found[rows[:, None], places] = torch.where(inside, values, 0.0)
        return found

    def _batches(self, mask: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield rows with the places that they keep, padded to one length, and what is padding."""
        n_more = 1 if self._has_bias else 0
        counts, order = mask.sum(dim=1).sort()
        start = 0
        while start < len(order):
            # All are as long as the last one; rows can differ in length by any factor.
            lengths = counts[start:] + n_more
            numbers = torch.arange(1, len(lengths) + 1) * (lengths + 8).square()
            size = max(1, int((numbers <= BLOCK).sum()))
            rows, longest = order[start : start + size], int(lengths[size - 1])
            start += len(rows)
            if longest == 0:
                continue
            wide = mask[rows]
            if n_more:
                wide = torch.cat([wide, torch.ones(len(rows), 1, dtype=torch.bool)], dim=1)
            # The places that are kept come first, in their order.
            places = wide.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :longest]
            yield rows, places, wide.gather(1, places)

    def _part(self, places: Tensor, inside: Tensor) -> Tensor:
        """Return the part of H that belongs to the places of each row, a one where is padding."""
        both = inside[:, :, None] & inside[:, None, :]
        part = self.hessian[places[:, :, None], places[:, None, :]] * both
        part.diagonal(dim1=1, dim2=2).add_((~inside).double())
        return part


def _factor(matrices: Tensor) -> Tensor:
    factors, failed = torch.linalg.cholesky_ex(matrices)
    if bool(failed.any()):
        jitter = 1e-8 * matrices.diagonal(dim1=1, dim2=2).mean(dim=1)
        eye = torch.eye(matrices.shape[1], dtype=matrices.dtype)
        factors = torch.linalg.cholesky(matrices + jitter[:, None, None] * eye)
    return factors  # type: ignore[no-any-return]


def _inverse(matrices: Tensor) -> Tensor:
    inverse: Tensor = torch.cholesky_inverse(_factor(matrices))
    return inverse
