"""What a network on its support is fitted to: rows, targets, a loss, a ridge and a prior."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sparsefit.core.activations import RELU
from sparsefit.core.datafits import DATAFITS, SQUARED, Datafit, curvature_roots
from sparsefit.core.problem import Problem
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.sparse_net import Edges, Forward, SparseNet

# Rows that stand for one weighted row, where weights cannot be put into the loss: the error of a
# weight is then below a third of it. Not tuned.
_DRAWS = 10
# Narrower products of matrices gain nothing.
_LEAST_WIDTH = 64
# Rows that a step takes which looks at them one by one: those of all processes, if they are few.
_MOST_GATHERED = 50_000
# A curvature of so small a share of the largest is that of a unit which no row sees.
_NEGLIGIBLE = 1e-24


@dataclass(frozen=True)
class Prior:
    """What is known of the weights: (w - center)^T precision (w - center) is added to the loss.

    Attributes
    ----------
    center : Tensor of shape (p,)
    precision : Tensor of shape (p, p)
        In the units of twice the sum over rows of the loss.
    """

    center: Tensor
    precision: Tensor


class Equations(NamedTuple):
    """Gauss-Newton equations at a network of p weights.

    Attributes
    ----------
    gram : Tensor of shape (p, p)
        J^T H J for outputs z = f(X): J their derivative by the weights, H the second derivative of
        the loss by z, the identity for the squared loss.
    gradient : Tensor of shape (p,)
        J^T r, r the first derivative of the loss by z: f(X) - y for the squared loss.
    total : float
        Twice the loss; |r|^2 for the squared one.
    """

    gram: Tensor
    gradient: Tensor
    total: float


class Slopes(NamedTuple):
    """Sums over rows for one matrix of possible weights, (targets, sources).

    Attributes
    ----------
    gradient : Tensor
        G, the derivative of the loss, which is 1/2 |r|^2 unless it is another.
    curvature : Tensor
        D, the diagonal of its Gauss-Newton matrix, J^T J.
    """

    gradient: Tensor
    curvature: Tensor

    @property
    def gain(self) -> Tensor:
        """By what twice the loss falls if the weight alone is set to its best value, G^2 / D."""
        return self.gradient.square() / self._curvature_seen

    def damped(self, amount: Tensor) -> Slopes:
        """Return the same with `amount` added to the curvature."""
        return self._replace(curvature=self.curvature + amount)

    @property
    def best(self) -> Tensor:
        """The best value for the weight alone, -G / D."""
        return -self.gradient / self._curvature_seen

    @property
    def _curvature_seen(self) -> Tensor:
        """D, infinite where it is nothing beside the largest: there G is rounding."""
        least = _NEGLIGIBLE * self.curvature.amax() if self.curvature.numel() else 0.0
        return self.curvature.where(self.curvature > least, torch.inf)


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a network on its support, with all that is added to it.

    Attributes
    ----------
    rows : RowBlocks
    y : Tensor of shape (k, n)
    datafit : Datafit, optional
        Default the squared loss.
    alpha : float, optional
        Ridge: alpha |w|^2 is added to twice the mean over rows of the loss.
    prior : Prior, optional
    gram_dtype : torch.dtype or None, optional
        Precision of the products, block by block, that the Gram matrix of features is the sum of;
        default that of the rows. Where steps come to rest is settled by the gradient, which is not
        rounded.

    Examples
    --------
    >>> problem = Problem(np.eye(2), np.ones((2, 1)), sample_weight=np.array([1.0, 3.0]))
    >>> objective = Objective.of(problem, Setting())
    >>> objective.rows.blocks[0].square().diagonal().numpy().round(6).tolist()
    [0.5, 1.5]
    """

    rows: RowBlocks
    y: Tensor
    datafit: Datafit = SQUARED
    alpha: float = 0.0
    prior: Prior | None = None
    gram_dtype: torch.dtype | None = None

    @classmethod
    def of(cls, problem: Problem, setting: Setting, *, most: int | None = None) -> Objective:
        """Return the objective of a problem, in float64 unless the setting has another precision.

        Squared errors are weighted by scaling rows and targets; for other losses, and activations
        that are not homogeneous, rows are drawn in proportion to their weights. Rows are laid out
        once for a problem and a precision.

        Parameters
        ----------
        problem : Problem
        setting : Setting
        most : int, optional
            At most so many rows, drawn at random.
        """
        key: tuple[Any, ...] = (
            "objective",
            setting.dtype or "float64",
            setting.device,
            setting.bias,
        )
        if (most is not None and problem.n > most) or problem.sample_weight is not None:
            key = (*key, most, setting.seed, setting.nonlinearity.is_homogeneous)
        if key not in problem.layouts:
            problem.layouts[key] = cls._laid_out(problem, setting, most)
        objective: Objective = problem.layouts[key]
        return objective

    @classmethod
    def _laid_out(cls, problem: Problem, setting: Setting, most: int | None) -> Objective:
        weights, n = problem.relative_weight, len(problem.X)
        datafit: Datafit = DATAFITS[problem.loss]()
        scales_rows = datafit.takes_weighted_rows and setting.nonlinearity.is_homogeneous
        if weights is not None and not scales_rows:
            draw = np.random.default_rng(setting.seed)
            count = min(_DRAWS * n, most or _DRAWS * n)
            problem = problem.take(draw.choice(n, count, p=weights / weights.sum()))
            weights = None
        elif most is not None:
            problem = problem.sample(most, setting.seed)
            weights = problem.relative_weight
        dtype = getattr(torch, setting.dtype or "float64")
        rows = RowBlocks(
            problem.X, bias=setting.bias, dtype=dtype, device=setting.device, weights=weights,
            room=setting.memory_bytes // 2, share=problem.share,
        )  # fmt: skip
        y = torch.tensor(problem.y, device=setting.device)
        if problem.loss == "softmax":
            y = functional.one_hot(y, problem.n_outputs)
        y = y.to(dtype).T.contiguous()
        if weights is not None:
            y *= torch.from_numpy(np.sqrt(weights)).to(y)
        return cls(rows, y, datafit)

    def sample(self, count: int, seed: int) -> Objective:
        """Return the objective on `count` of the rows, drawn at random, in their order."""
        drawn = np.random.default_rng(seed).choice(self.rows.n_all, count, replace=False)
        index = np.sort(drawn)
        if self.rows.share is not None:
            return self._gathered(index)
        y = self.y[:, torch.from_numpy(index).to(self.y.device)]
        return replace(self, rows=self.rows.take(index), y=y)

    def here(self) -> Objective:
        """Return the objective on all rows, or a draw if they are many, in this process alone."""
        if self.rows.share is None:
            return self
        count = min(self.rows.n_all, _MOST_GATHERED)
        return self.sample(count, seed=0)

    def _gathered(self, index: np.ndarray) -> Objective:
        """Return the objective on rows by their numbers among all, in every process."""
        rows, share = self.rows, self.rows.share
        assert share is not None
        own = share.own(index, rows.n)
        X = share.team.gather(torch.from_numpy(rows.X[own]))
        y = share.team.gather(self.y[:, torch.from_numpy(own)].T)
        whole = RowBlocks(X.numpy(), bias=rows.bias, dtype=rows.dtype, device=rows.device)
        return replace(self, rows=whole, y=y.T.contiguous())

    @property
    def n(self) -> int:
        """Rows in all."""
        return self.rows.n_all

    @property
    def n_targets(self) -> int:
        """Numbers that are fitted, in all."""
        return len(self.y) * self.n

    @property
    def mean_square(self) -> float:
        """The mean square of what is fitted."""
        if self.rows.share is None:
            return float(self.y.square().mean())
        return float(self.rows.total(self.y.square().sum())) / self.n_targets

    @property
    def n_outputs(self) -> int:
        """Outputs k."""
        return len(self.y)

    def outputs(self, net: SparseNet) -> Tensor:
        """Return f(X), (k, n)."""
        return torch.cat([net.forward(block).outputs for block in self.rows.blocks], dim=1)

    def residuals(self, net: SparseNet) -> Tensor:
        """Return f(X) - y, (k, n)."""
        return self.outputs(net) - self.y

    def value(self, net: SparseNet) -> float:
        """Return twice the mean over rows and outputs of the loss, and the penalties.

        For the squared loss alone that is the mean square of the residual.
        """
        own = self.datafit.value(self.outputs(net).T, self.y.T)
        loss = 2 * float(self.rows.total(own)) / self.n_targets
        penalty = self.alpha * float(net.values.square().sum()) / len(self.y)
        if self.prior is not None:
            away = net.values - self.prior.center
            penalty += float(away @ self.prior.precision @ away) / self.n_targets
        return loss + penalty

    def equations(self, net: SparseNet) -> Equations:
        """Return the equations of the loss, without penalties.

        One block of rows at a time: beyond the p^2 numbers of the result, memory is that of p
        features on one block.
        """
        if len(net.hidden) == 1 and self.datafit.has_unit_curvature:
            return self._shallow_equations(net)
        p = len(net.values)
        gram, gradient = net.values.new_zeros(p, p), net.values.new_zeros(p)
        total = net.values.new_zeros(())
        for span, block in zip(self.rows.spans, self.rows.blocks, strict=True):
            through = net.forward(block)
            z, targets = through.outputs.T, self.y[:, span].T
            total += 2 * self.datafit.value(z, targets)
            gradient += net.jacobian(through, self.datafit.gradient(z, targets).T).sum(dim=1)
            for root in curvature_roots(self.datafit, z, targets):
                _add_lower(gram, net.jacobian(through, root.T))
        gram, gradient, total = map(self.rows.total, (gram, gradient, total))
        return Equations(_mirrored(gram), gradient, float(total))

    def _shallow_equations(self, net: SparseNet) -> Equations:
        """Return the equations by one Gram matrix of features that serves all outputs."""
        slope = total = net.values.new_zeros(())
        gram = net.values.new_zeros(0, 0)
        for span, block in zip(self.rows.spans, self.rows.blocks, strict=True):
            through = net.forward(block)
            residual = through.outputs - self.y[:, span]
            feature, place, weight = net.features(through)
            if not len(gram):
                gram = feature.new_zeros(len(feature), len(feature))
            _add_lower(gram, feature.to(self.gram_dtype or feature.dtype))
            slope = slope + feature @ residual.T
            total = total + residual.square().sum()
        gram, slope, total = map(self.rows.total, (gram, slope, total))
        gram = _mirrored(gram)[place][:, place] * (weight @ weight.T)
        return Equations(gram, (slope[place] * weight).sum(dim=1), float(total))

    def penalised(self, net: SparseNet, equations: Equations) -> Equations:
        """Return equations with ridge and prior added."""
        gram, gradient, total = equations
        if self.prior is not None:
            pull = self.prior.precision @ (net.values - self.prior.center)
            gram = gram + self.prior.precision
            gradient = gradient + pull
            total += float(pull @ (net.values - self.prior.center))
        if self.alpha:
            weight = self.alpha * self.n
            gram = gram.clone()
            gram.diagonal().add_(weight)
            gradient = gradient + weight * net.values
            total += weight * float(net.values.square().sum())
        return Equations(gram, gradient, total)

    def slopes(self, net: SparseNet) -> tuple[list[Slopes], list[Slopes]]:
        """Return the slopes of all weights between live units, and of fresh units with one input.

        Returns
        -------
        live : list of Slopes
            For W_1, ..., W_L, unless fused U, and C if it counts.
        fresh : list of Slopes
            For each hidden layer the slopes, by what the new unit feeds and by its input and sign,
            of its outgoing weight: inputs first with a weight of 1, then, where that makes another
            unit, of -1.
        """
        n_layers = len(net.hidden)
        live = [_no_slopes(edges, net) for edges in (*net.hidden, net.readout, net.skip)]
        fed = [*net.hidden[1:], net.readout]
        fresh = [
            _no_slopes(replace(into, n_targets=out.n_targets), net, double=_has_two(net, number))
            for number, (into, out) in enumerate(zip(net.hidden, fed, strict=True))
        ]
        fresh_units = net.activation.module()
        for span, block in zip(self.rows.spans, self.rows.blocks, strict=True):
            through = net.forward(block)
            pulls, squares = self._pulls_and_squares(net, through, self.y[:, span])
            # The skip connection feeds the outputs, as the readout does.
            targets = [*range(n_layers + 1), n_layers]
            for slope, source, at in zip(live, [*through.inputs, block], targets, strict=True):
                _add_slopes(slope, pulls[at], squares[at], source)
            for number, slope in enumerate(fresh):
                source = through.inputs[number]
                if _has_two(net, number):
                    source = torch.cat([source, -source])
                source = fresh_units(source)
                _add_slopes(slope, pulls[number + 1], squares[number + 1], source)
        live, fresh = ([self._summed(slope) for slope in found] for found in (live, fresh))
        *hidden, last, skip = live
        readouts = [*([] if net.fused else [last]), *([skip] if net.skip_counts else [])]
        return [*hidden, *readouts], fresh

    def _summed(self, slope: Slopes) -> Slopes:
        return Slopes(self.rows.total(slope.gradient), self.rows.total(slope.curvature))

    def _pulls_and_squares(
        self, net: SparseNet, through: Forward, y: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the derivatives of the loss by what enters each unit, and then each output.

        First and second ones, for each layer in shape (units, rows).
        """

        def deltas(weights: Tensor) -> list[Tensor]:
            back = net.sensitivities(through, weights)
            return [*(b * a for b, a in zip(back, through.active, strict=True)), weights]

        z = through.outputs.T
        pulls = deltas(self.datafit.gradient(z, y.T).T)
        squares = [torch.zeros_like(pull) for pull in pulls]
        for root in curvature_roots(self.datafit, z, y.T):
            for square, delta in zip(squares, deltas(root.T), strict=True):
                square.addcmul_(delta, delta)
        return pulls, squares


def present(net: SparseNet, live: list[Slopes], scored: slice = slice(None)) -> Tensor:
    """Return the curvature of the weights that are there, in their order, from `live` slopes."""
    return torch.cat([
        slope.curvature[edges.target, edges.source]
        for edges, slope in zip(net.trained[scored], live, strict=False)
    ])  # fmt: skip


def _has_two(net: SparseNet, number: int) -> bool:
    """Whether fresh units of a layer with a weight of -1 are others than those of 1.

    After a ReLU there are no negative numbers, which it would make zero.
    """
    return not net.activation.is_odd and (number == 0 or net.activation != RELU)


def _no_slopes(edges: Edges, net: SparseNet, *, double: bool = False) -> Slopes:
    shape = edges.n_targets, edges.n_sources * (2 if double else 1)
    return Slopes(net.values.new_zeros(shape), net.values.new_zeros(shape))


def _add_slopes(to: Slopes, pull: Tensor, square: Tensor, source: Tensor) -> None:
    """Add one block of rows."""
    to.gradient.addmm_(pull, source.T)
    to.curvature.addmm_(square, source.square().T)


def _add_lower(gram: Tensor, part: Tensor) -> None:
    """Add part @ part.T, but for blocks above the diagonal: they mirror those below."""
    size = len(gram)
    width = max(_LEAST_WIDTH, -(-size // 4))
    for start in range(0, size, width):
        stop = start + width
        gram[start:stop, :stop] += part[start:stop] @ part[:stop].T


def _mirrored(gram: Tensor) -> Tensor:
    return gram.tril() + gram.tril(-1).T
