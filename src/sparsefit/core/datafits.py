"""What training minimises, as functions of the outputs z; sums over rows, not means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from sparsefit.core.team import Team

# Rows, of very many, that a value is summed over at a time.
_ROWS_AT_ONCE = 2**20


class Datafit(Protocol):
    """A smooth convex function of the outputs z, separable over rows.

    All take z and y of one shape, (n,) or (n, k), and but for `value` (..., n, k).

    Attributes
    ----------
    has_unit_curvature : bool
        Whether the second derivative by z is the identity on every row.
    takes_weighted_rows : bool
        Whether rows and targets times sqrt(w) give the loss times w, for networks of which
        f(c x) = c f(x).
    """

    has_unit_curvature: ClassVar[bool]
    takes_weighted_rows: ClassVar[bool]

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the sum over rows, a scalar."""

    def losses(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each row, (n,) for z and y of shape (n, k)."""

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the derivative by z, of the shape of z."""

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the diagonal of the second derivative by z, of the shape of z."""

    def curvature_root(self, z: Tensor, y: Tensor, vector: Tensor) -> Tensor:
        """Return R times the rows of `vector`, (n, k): the second derivative is R R^T.

        `vector` may have one row that serves all.
        """

    def predict(self, z: Tensor) -> Tensor:
        """Return the mean of y that the outputs stand for."""


class Squared:
    """Half the sum of squares, 1/2 ||z - y||^2.

    Examples
    --------
    >>> Squared().value(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0])).item()
    2.5
    """

    has_unit_curvature: ClassVar[bool] = True
    takes_weighted_rows: ClassVar[bool] = True

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return 1/2 ||z - y||^2."""
        # Of very many rows in pieces: what is made on the way takes as much memory as they do.
        pieces = zip(z.split(_ROWS_AT_ONCE), y.split(_ROWS_AT_ONCE), strict=True)
        total: Tensor = sum(((a - b).square().sum() for a, b in pieces), start=z.new_zeros(()))
        return 0.5 * total

    def losses(self, z: Tensor, y: Tensor) -> Tensor:
        """Return half the squared distance of each row."""
        return 0.5 * (z - y).square().sum(dim=-1)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return z - y."""
        return z - y

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        """Return ones."""
        return torch.ones_like(z)

    def curvature_root(self, z: Tensor, y: Tensor, vector: Tensor) -> Tensor:
        """Return the vector."""
        return vector.expand_as(z)

    def predict(self, z: Tensor) -> Tensor:
        """Return z."""
        return z


SQUARED = Squared()


class Huber:
    """Half the squares of residuals up to 1, and of larger ones |z - y| - 1/2.

    Examples
    --------
    >>> Huber().value(torch.tensor([0.5, 3.0]), torch.tensor([0.0, 0.0])).item()
    2.625
    """

    has_unit_curvature: ClassVar[bool] = False
    takes_weighted_rows: ClassVar[bool] = False

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss."""
        return functional.huber_loss(z, y, reduction="sum")

    def losses(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of each row."""
        return functional.huber_loss(z, y, reduction="none").sum(dim=-1)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return z - y, no larger than 1."""
        return (z - y).clamp(-1, 1)

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        """Return that of the parabola above the loss, 1 / max(1, |z - y|): steps lower the loss."""
        return (z - y).abs().clamp(min=1).reciprocal()

    def curvature_root(self, z: Tensor, y: Tensor, vector: Tensor) -> Tensor:
        """Return the vector times the root of the curvature."""
        return self.curvature(z, y).sqrt() * vector

    def predict(self, z: Tensor) -> Tensor:
        """Return z."""
        return z


class Poisson:
    """Half the deviance of counts y >= 0 from their mean exp(z): exp(z) - y z - y + y log y.

    Beyond z = 30 it goes on as a line, so that no step can overflow.

    Examples
    --------
    >>> Poisson().value(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])).item()
    1.0
    """

    has_unit_curvature: ClassVar[bool] = False
    takes_weighted_rows: ClassVar[bool] = False
    _top: ClassVar[float] = 30.0

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return half the deviance."""
        return self._each(z, y).sum()

    def losses(self, z: Tensor, y: Tensor) -> Tensor:
        """Return half the deviance of each row."""
        return self._each(z, y).sum(dim=-1)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return exp(z) - y."""
        return self.predict(z) - y

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        """Return exp(z)."""
        return self.predict(z)

    def curvature_root(self, z: Tensor, y: Tensor, vector: Tensor) -> Tensor:
        """Return the vector times exp(z / 2)."""
        return self.predict(z).sqrt() * vector

    def predict(self, z: Tensor) -> Tensor:
        """Return the mean, exp(z)."""
        return z.clamp(max=self._top).exp()

    def _each(self, z: Tensor, y: Tensor) -> Tensor:
        mean = self.predict(z)
        beyond = (z - self._top).clamp(min=0)
        return mean * (1 + beyond) - y * z + torch.xlogy(y, y) - y


class Logistic:
    """Log loss of 0/1 labels, sum of log(1 + exp(z)) - y z.

    Examples
    --------
    >>> Logistic().gradient(torch.tensor([0.0]), torch.tensor([1.0])).item()
    -0.5
    """

    has_unit_curvature: ClassVar[bool] = False
    takes_weighted_rows: ClassVar[bool] = False

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the log loss."""
        return functional.binary_cross_entropy_with_logits(z, y, reduction="sum")

    def losses(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the log loss of each row."""
        return (functional.softplus(z) - y * z).sum(dim=-1)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return sigmoid(z) - y."""
        return z.sigmoid() - y

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        """Return p (1 - p), p = sigmoid(z)."""
        p = z.sigmoid()
        return p * (1 - p)

    def curvature_root(self, z: Tensor, y: Tensor, vector: Tensor) -> Tensor:
        """Return the vector times sqrt(p (1 - p))."""
        return self.curvature(z, y).sqrt() * vector

    def predict(self, z: Tensor) -> Tensor:
        """Return the probability of label 1."""
        return z.sigmoid()


class Softmax:
    """Cross-entropy of one-hot rows y, shape (n, k).

    Examples
    --------
    >>> Softmax().predict(torch.zeros(1, 2)).tolist()
    [[0.5, 0.5]]
    """

    has_unit_curvature: ClassVar[bool] = False
    takes_weighted_rows: ClassVar[bool] = False

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy."""
        return -(y * _log_softmax(z)).sum()

    def losses(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of each row."""
        return -(y * _log_softmax(z)).sum(dim=-1)

    def gradient(self, z: Tensor, y: Tensor) -> Tensor:
        """Return softmax(z) - y."""
        return _softmax(z) - y

    def curvature(self, z: Tensor, y: Tensor) -> Tensor:
        """Return p (1 - p), the diagonal only, p = softmax(z)."""
        p = _softmax(z)
        return p * (1 - p)

    def curvature_root(self, z: Tensor, y: Tensor, vector: Tensor) -> Tensor:
        """Return sqrt(p) v - p (sqrt(p) . v) for each row v of the vector."""
        p = _softmax(z)
        rooted = p.sqrt() * vector
        return rooted - p * rooted.sum(dim=-1, keepdim=True)

    def predict(self, z: Tensor) -> Tensor:
        """Return class probabilities."""
        return _softmax(z)


def _softmax(z: Tensor) -> Tensor:
    """Return the softmax over the last dimension."""
    if z.stride(-1) == 1:
        return z.softmax(dim=-1)
    # Where classes do not lie side by side in memory, torch takes many times as long as this.
    e = (z - z.amax(dim=-1, keepdim=True)).exp_()
    return e.div_(e.sum(dim=-1, keepdim=True))


def _log_softmax(z: Tensor) -> Tensor:
    """Return the logarithm of the softmax over the last dimension; see `_softmax`."""
    if z.stride(-1) == 1:
        return z.log_softmax(dim=-1)
    z = z - z.amax(dim=-1, keepdim=True)
    return z.sub_(z.exp().sum(dim=-1, keepdim=True).log_())


@dataclass(frozen=True)
class TotalFit:
    """A datafit whose value is the sum over the rows of all processes.

    Attributes
    ----------
    own : Datafit
    team : Team
    """

    own: Datafit
    team: Team

    def value(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the sum over all rows."""
        return self.team.total(self.own.value(z, y))

    def __getattr__(self, name: str) -> Any:
        """Have all else from the datafit of the rows that are here."""
        return getattr(self.own, name)


def curvature_roots(datafit: Datafit, z: Tensor, y: Tensor) -> Iterator[Tensor]:
    """Yield a_1, ..., a_k, of the shape of z, (n, k): the second derivative is sum_c a_c a_c^T.

    Examples
    --------
    >>> [a.tolist() for a in curvature_roots(Squared(), torch.zeros(1, 2), torch.zeros(1, 2))]
    [[[1.0, 0.0]], [[0.0, 1.0]]]
    """
    for unit in torch.eye(z.shape[-1], dtype=z.dtype, device=z.device):
        yield datafit.curvature_root(z, y, unit)


DATAFITS: dict[str, type[Datafit]] = {
    "squared": Squared,
    "huber": Huber,
    "poisson": Poisson,
    "logistic": Logistic,
    "softmax": Softmax,
}
