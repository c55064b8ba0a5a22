"""Iterative hard thresholding in the forms of MLP-IHT (Fridovich-Keil and Pilanci, 2025)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.gates import RandomGates
from sparsefit.core.hard_threshold import CountSketch, StreamingTopK
from sparsefit.core.result import Status
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import Block, BlockModel, RowMap, SupportMatrix
from sparsefit.models.factored_relu import FactoredReLU
from sparsefit.solvers.base import Solver, SolveResult
from sparsefit.solvers.step_rules import armijo, quadratic_step


@dataclass(frozen=True, kw_only=True)
class AIHT(Solver):
    """Accelerated iterative hard thresholding for models that are linear in their parameters.

    One step from w with support S and gradient g:

    1. mu = |g_S|^2 / |A_S g_S|^2,
    2. w' = H_s(w - mu g), streamed over blocks,
    3. `inner_steps` gradient steps on the support of w', each with Armijo backtracking from the
       length at which the one before ended.

    Parameters
    ----------
    inner_steps : int, optional
        10 for networks, 3 for Gaussian sensing.
    screens : bool, optional
        In 2, leave out units that cannot come in. That changes no bit of any iterate: it is for
        tests and benchmarks to compare.

    References
    ----------
    T. Blumensath, Accelerated iterative hard thresholding, Signal Processing 92 (2012).

    Examples
    --------
    >>> import torch
    >>> from sparsefit.core.datafits import Squared
    >>> from sparsefit.models import GaussianSensing
    >>> from sparsefit.core.batches import Batches
    >>> model = GaussianSensing(100, 200, seed=0, dtype=torch.float64)
    >>> truth = SparseVector(torch.tensor([3, 70]), torch.tensor([1.0, 1.0]).double(), 200)
    >>> solver = AIHT(epochs=30, inner_steps=3)
    >>> batches = Batches(100, 0, seed=0)
    >>> found = solver.solve(model, Squared(), model.forward(truth), 2, batches=batches).coef
    >>> found.indices.tolist(), [round(v, 6) for v in found.values.tolist()]
    ([3, 70], [1.0, 1.0])
    """

    inner_steps: int = 10
    screens: bool = True
    needs_linear: ClassVar[bool] = True

    def step(
        self, model: BlockModel, datafit: Datafit, y: Tensor, coef: SparseVector, nnz: int,
        epoch: int,
    ) -> tuple[SparseVector, Tensor]:  # fmt: skip
        """Take one step; see the class."""
        columns = model.support(coef.indices)
        residual_of = _residual(datafit, y)
        z, gradient = columns.both(coef.values, residual_of)
        residual = residual_of(z, slice(None))
        length = quadratic_step(gradient, columns.square(columns.matvec(gradient)))
        top = StreamingTopK(model.zeros(), nnz)
        beyond = _least(coef, gradient, length) if self.screens and 0 < coef.nnz == nnz else 0.0
        for block in model.blocks(coef, residual, beyond):
            top.push(block.indices, block.values - length * block.gradient)
        new, value = top.result(), datafit.value(z, y)
        del z, residual  # a number a row each, which may be much
        if not new.indices.equal(coef.indices):
            del columns  # gives its memory to the next ones
            columns = model.support(new.indices)
        return self._refine(columns, datafit, y, new, length), value

    def _refine(
        self,
        columns: SupportMatrix,
        datafit: Datafit,
        y: Tensor,
        coef: SparseVector,
        length: Tensor,
    ) -> SparseVector:
        """Descend on a fixed support.

        z is linear in the length, so trials cost no product; and the gradient after a step is made
        along with its image, for the first length that will be tried. None follows the last step.
        """
        residual_of = _residual(datafit, y)
        values = coef.values
        z, gradient = columns.both(values, residual_of)
        begin = values, z, gradient
        for left in reversed(range(self.inner_steps)):
            first, next_gradient = length, gradient
            if left:
                ahead = _residual(datafit, y, z, length)
                image, next_gradient = columns.both(gradient, ahead)
            else:
                image = columns.matvec(gradient)
            value_at = _along(datafit, y, z, image)
            start, slope = datafit.value(z, y), gradient.square().sum()
            length, accepted = armijo(value_at, start, slope, length)
            if not accepted:
                values, z, gradient = begin
                continue
            values, z = values - length * gradient, _moved(z, length, image, out=image)
            if left and length != first:
                next_gradient = columns.rmatvec(datafit.gradient(z, y))
            gradient = next_gradient
        return SparseVector(coef.indices, values, coef.size)


def _least(coef: SparseVector, gradient: Tensor, length: Tensor) -> float:
    """Return the least gradient by which a weight that is zero comes among those of `coef`.

    After a step `length` the weights on the support are moved to sizes of which the least, over
    the length, is that gradient; less some roundings of the weights, so that it is a lower bound.
    """
    rounding = 8 * torch.finfo(gradient.dtype).eps * (coef.values.abs() + (length * gradient).abs())
    moved = (coef.values - length * gradient).abs() - rounding
    return (moved.min() / length).item()


def _along(datafit: Datafit, y: Tensor, z: Tensor, image: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda length: datafit.value(_moved(z, length, image), y)


def _moved(z: Tensor, length: Tensor, image: Tensor, out: Tensor | None = None) -> Tensor:
    """Return z - length * image, with no other number for each row on the way."""
    return torch.mul(image, length, out=out).neg_().add_(z)


def _residual(
    datafit: Datafit, y: Tensor, z: Tensor | None = None, length: Tensor | None = None
) -> RowMap:
    """Return the map from outputs to residuals; with `z`, from an image to those after a step."""
    if z is None or length is None:
        return lambda outputs, rows: datafit.gradient(outputs, y[rows])
    return lambda image, rows: datafit.gradient(z[rows] - length * image, y[rows])


@dataclass(frozen=True, kw_only=True)
class SketchedIHT(Solver):
    """Hard thresholding of a two-layer model by accumulated updates, kept in a count sketch.

    A plain gradient step of fixed length on the mean loss; which s numbers stay is decided by the
    size of the sum of all updates that a position ever asked for, as a count sketch recalls it.
    In the first epoch, and with `redraw` in all, units without weights start from a uniform draw.

    Parameters
    ----------
    length : float
        Step length on the loss per row. A fit that diverges starts again with a quarter of it.
    seed : int
        Seed of that draw.
    restarts : int, optional
        How often.

    Notes
    -----
    The sketch is updated by all blocks before any is ranked, so the result does not depend on the
    order or size of the blocks. MLP-IHT ranks every unit right after its own update.
    """

    length: float
    seed: int
    restarts: int = 8
    _sketch: list[CountSketch] = field(default_factory=list, init=False, compare=False)

    def solve(
        self, model: BlockModel, datafit: Datafit, y: Tensor, nnz: int, **how: Any
    ) -> SolveResult:
        """Minimise from zero; see `Solver.solve`."""
        result = super().solve(model, datafit, y, nnz, **how)
        if result.status is not Status.DIVERGED or self.restarts == 0:
            return result
        # A unit with weights w and u curves the loss by |w|^2 and |u|^2, which grow with the fit:
        # no length is safe for every target, and one that was safe at the start may not stay so.
        shorter = replace(self, length=self.length / 4, restarts=self.restarts - 1)
        result = shorter.solve(model, datafit, y, nnz, **how)
        note = f"started again with step {shorter.length:g}, as a longer one diverged"
        return replace(result, note=result.note or note)

    def start(self, model: BlockModel, nnz: int) -> None:
        """Begin with an empty sketch."""
        zeros = model.zeros().values
        sketch = CountSketch.for_budget(
            min(nnz, model.n_params), model.n_params, dtype=zeros.dtype, device=zeros.device
        )
        self._sketch[:] = [sketch]

    def step(
        self, model: BlockModel, datafit: Datafit, y: Tensor, coef: SparseVector, nnz: int,
        epoch: int,
    ) -> tuple[SparseVector, Tensor]:  # fmt: skip
        """Take one step; see the class."""
        assert isinstance(model, FactoredReLU)
        if epoch == 0 or self.redraw is not None:
            # Of a unit without any weights the gradient is zero, whatever its gate is.
            width = model.rows.d + model.n_outputs
            model = model.with_fill(RandomGates(self.seed, width))
        sketch, top = self._sketch[0], StreamingTopK(model.zeros(), nnz)
        z = model.forward(coef)
        residual = datafit.gradient(z, y) / model.n_rows
        blocks = _replayable(model, coef, residual)
        for block in blocks():
            sketch.add(block.indices, -self.length * block.gradient)
        for block in blocks():
            new = block.values - self.length * block.gradient
            top.push(block.indices, new, sketch.query(block.indices))
        return top.result(), datafit.value(z, y)

    def is_settled(self, before: SparseVector, after: SparseVector) -> bool:
        """Never: the sketch remembers more than the iterate shows."""
        return False


def _replayable(
    model: BlockModel, coef: SparseVector, cotangent: Tensor
) -> Callable[[], Iterable[Block]]:
    """Return a function that streams the blocks, from memory where the budget holds them all."""
    if 24 * model.n_params > model.memory.budget:
        return lambda: model.blocks(coef, cotangent)
    kept = list(model.blocks(coef, cotangent))
    return lambda: kept
