"""Leave out what noise alone could explain."""

from __future__ import annotations

import math

from torch import Tensor

from sparsefit.core.rows import Rows
from sparsefit.solvers.levenberg_marquardt import Refit, refit
from sparsefit.solvers.surgeon import contract, saliencies


def drop_unproven(result: Refit, rows: Rows, y: Tensor) -> Refit:
    """Drop weights that lower the loss by no more than the best of many useless ones would.

    Of the networks on the way down, the one of least n log |r|^2 + 2 s log p is returned, for s
    weights out of the p between its units: the largest of p squared normal variables is near
    2 log p.

    Parameters
    ----------
    result : Refit
        A network, refitted, whose residuals are not zero.
    rows : Rows
    y : Tensor of shape (k, n)

    References
    ----------
    D. Foster and E. George, The risk inflation criterion for multiple regression, The Annals of
    Statistics 22 (1994).

    Examples
    --------
    >>> import torch
    >>> from sparsefit.solvers.sparse_net import Edges, SparseNet
    >>> noise = torch.Generator().manual_seed(0)
    >>> X = torch.randn(500, 8, generator=noise).double()
    >>> y = X[:, :1].T.clamp(min=0) + 0.1 * torch.randn(1, 500, generator=noise).double()
    >>> ones = torch.ones(1, 1).double()
    >>> all_inputs = Edges.from_dense(torch.ones(8, 1).double())
    >>> linear = Edges.from_dense(torch.zeros(8, 1).double())
    >>> net = SparseNet((all_inputs,), Edges.from_dense(ones), linear, fused=True)
    >>> rows = Rows(X.numpy(), dtype=torch.float64)
    >>> drop_unproven(refit(net, rows, y, steps=20), rows, y).net.hidden[0].source.tolist()
    [0]
    """
    possible = sum(edges.n_sources * edges.n_targets for edges in result.net.trained)
    price = 2 * math.log(max(possible, 2))

    def criterion(refitted: Refit) -> float:
        return y.numel() * math.log(refitted.loss) + price * refitted.net.n_weights

    best = now = result
    while now.net.n_weights > 1:
        cost = saliencies(now.net.balanced(), rows, y) / now.loss
        if float(cost.min()) > price:
            break
        # Few at a time: each that goes makes those it could stand in for more dear.
        fewer = now.net.n_weights - max(1, int((cost < price / 4).sum()) // 2)
        fewer_of = contract(now.net, rows, y, fewer, now.net.n_units)
        now = refit(fewer_of, rows, y, steps=5, gain=1e-3)
        if criterion(now) < criterion(best):
            best = now
    return best
