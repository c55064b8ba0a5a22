"""Backward elimination: leave out weights that noise, or rounding, alone could explain."""

from __future__ import annotations

import math

import torch

from sparsefit.gauss_newton.levenberg_marquardt import Minimum, levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective, present
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.gauss_newton.surgeon import contract, saliencies

# Weights that by the quadratic model cost more than so many times what useless ones do are not
# tried; a refit ends after so many steps, or one that lowers the loss by less than this share.
_REACH, _STEPS, _GAIN = 100.0, 20, 1e-3


def _price(net: SparseNet) -> float:
    """Return what the best of all useless weights gains, in units of the variance of the noise."""
    possible = sum(edges.n_sources * edges.n_targets for edges in net.trained)
    return 2 * math.log(max(possible, 2))


def eliminate_by_risk(result: Minimum, objective: Objective) -> Minimum:
    """Drop weights that lower the loss by no more than the best of many useless ones would.

    That is backward elimination by the risk inflation criterion.

    Of the networks on the way down, the one of least n log |r|^2 + 2 s log p is returned, for s
    weights out of the p between its units: the largest of p squared normal variables is near
    2 log p.

    Parameters
    ----------
    result : Minimum
        A network, refitted, whose residuals are not zero.
    objective : Objective

    References
    ----------
    D. Foster and E. George, The risk inflation criterion for multiple regression, The Annals of
    Statistics 22 (1994).

    Examples
    --------
    >>> import torch
    >>> from sparsefit.core.row_blocks import RowBlocks
    >>> from sparsefit.gauss_newton.sparse_net import Edges, SparseNet
    >>> noise = torch.Generator().manual_seed(0)
    >>> X = torch.randn(500, 8, generator=noise).double()
    >>> y = X[:, :1].T.clamp(min=0) + 0.1 * torch.randn(1, 500, generator=noise).double()
    >>> ones = torch.ones(1, 1).double()
    >>> all_inputs = Edges.from_dense(torch.ones(8, 1).double())
    >>> skip = Edges.from_dense(torch.zeros(8, 1).double())
    >>> net = SparseNet((all_inputs,), Edges.from_dense(ones), skip, fused=True)
    >>> objective = Objective(RowBlocks(X.numpy(), dtype=torch.float64), y)
    >>> fitted = levenberg_marquardt(net, objective, steps=20)
    >>> eliminate_by_risk(fitted, objective).net.hidden[0].source.tolist()
    [0]
    """
    price = _price(result.net)

    def criterion(refitted: Minimum) -> float:
        return objective.n_targets * math.log(refitted.loss) + price * refitted.net.nnz

    best = now = result
    while now.net.nnz > 1:
        cost = saliencies(now.net.balanced(), objective) / now.loss
        if float(cost.min()) > price:
            break
        # Few at a time: each that goes makes those it could stand in for more dear.
        fewer = now.net.nnz - max(1, int((cost < price / 4).sum()) // 2)
        less = contract(now.net, objective, fewer, now.net.n_units)
        now = levenberg_marquardt(less, objective, steps=5, gain=1e-3)
        if criterion(now) < criterion(best):
            best = now
    return best


def eliminate_while_exact(result: Minimum, objective: Objective) -> Minimum:
    """Drop weights of an exact fit as long as the others, refitted, leave as little without them.

    What is left of an exact fit is the rounding of its targets: a weight goes if by it that does
    not fall by more than by the best of many useless ones, as under other noise. Weights that few
    rows show, and by little, stay.

    Parameters
    ----------
    result : Minimum
    objective : Objective

    Examples
    --------
    >>> from sparsefit.core.row_blocks import RowBlocks
    >>> from sparsefit.gauss_newton.sparse_net import Edges, SparseNet
    >>> X = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).double()
    >>> weights = Edges.from_dense(torch.tensor([[1.0], [0.0], [1e-9]]).double())
    >>> readout = Edges.from_dense(torch.tensor([[2.0]]).double())
    >>> none = Edges.from_dense(torch.zeros(3, 1).double())
    >>> net = SparseNet((weights,), readout, none, fused=False)
    >>> rows = RowBlocks(X.numpy(), dtype=torch.float64)
    >>> objective = Objective(rows, 2 * X[:, :1].T.clamp(min=0).float().double())
    >>> eliminate_while_exact(Minimum(net, 1e-16), objective).net.nnz
    2
    """
    price = _price(result.net) / objective.n_targets
    while result.net.nnz > 1:
        net = result.net.balanced()
        costs = saliencies(net, objective).sort().values / objective.n_targets
        count = int((costs.cumsum(0) <= _REACH * price * result.loss).sum())
        while count:
            less = contract(net, objective, max(1, net.nnz - count), net.n_units)
            trial = levenberg_marquardt(less, objective, steps=_STEPS, gain=_GAIN)
            if trial.loss <= (1 + price * count) * result.loss:
                break
            count //= 2
        if not count:
            break
        result = trial
    return result


def drop_rounding(result: Minimum, objective: Objective, allowed: float) -> Minimum:
    """Drop the weights of an exact fit that do nothing, as those that only cancel rounding errors.

    Parameters
    ----------
    result : Minimum
    objective : Objective
    allowed : float
        Mean square, at most, of what is dropped.

    Examples
    --------
    >>> from sparsefit.core.row_blocks import RowBlocks
    >>> from sparsefit.gauss_newton.sparse_net import Edges, SparseNet
    >>> X = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).double()
    >>> weights = Edges.from_dense(torch.tensor([[2.0], [1e-17], [0.0]]).double())
    >>> unit, none = torch.ones(1, 1).double(), torch.zeros(3, 1).double()
    >>> net = SparseNet((weights,), Edges.from_dense(unit), Edges.from_dense(none), fused=True)
    >>> rows = RowBlocks(X.numpy(), dtype=torch.float64)
    >>> objective = Objective(rows, 2 * X[:, :1].T.clamp(min=0))
    >>> drop_rounding(Minimum(net, 0.0), objective, 1e-20).net.values.tolist()
    [2.0]
    """
    net = result.net
    curvature = present(net, objective.slopes(net)[0])
    # How much the outputs change at most, as the root of a mean square: these add up.
    sizes = (net.values.square()[: len(curvature)] * curvature / objective.n_targets).sqrt()
    ordered, place = sizes.sort()
    idle = place[ordered.cumsum(0) <= math.sqrt(allowed)]
    if not len(idle):
        return result
    kept = torch.ones(len(net.values), dtype=torch.bool, device=sizes.device)
    kept[idle] = False
    fewer = levenberg_marquardt(net.keep(kept), objective, steps=5)
    return fewer if fewer.loss <= max(result.loss, allowed) else result
