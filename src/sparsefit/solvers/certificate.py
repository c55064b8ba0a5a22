"""Whether a network on its support could be made better by one exchange."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sparsefit.core.rows import Rows
from sparsefit.solvers.growth import slopes
from sparsefit.solvers.sparse_net import SparseNet
from sparsefit.solvers.surgeon import saliencies


@dataclass(frozen=True)
class Certificate:
    """What the best single exchanges promise, relative to the sum of squares of the targets.

    Attributes
    ----------
    swap_change : float
        Change of |r|^2 by dropping the weight that costs least, w^2 / [K^-1]_ii, and adding the
        one between live units that gains most, G^2 / D. Negative: the swap promises progress.
    fresh_change : float
        The same with a fresh unit of one input as what is added.
    """

    swap_change: float
    fresh_change: float


def certify(net: SparseNet, rows: Rows, y: Tensor) -> Certificate | None:
    """Return the certificate of a network, or None for one without weights or targets of zero.

    Costs and gains are those of the quadratic model at the network, each exchange by itself.

    Parameters
    ----------
    net : SparseNet
    rows : Rows
    y : Tensor of shape (k, n)
    """
    size = float(y.square().sum())
    if net.n_weights == 0 or size == 0:
        return None
    net = net.balanced()
    least = float(saliencies(net, rows, y).min())
    live, fresh = slopes(net, rows, y)
    gains = [0.0]
    for edges, slope in zip(net.trained, live, strict=False):
        gain = slope.gain
        gain[edges.target, edges.source] = 0
        gains += gain.ravel().tolist()
    fresh_gain = 0.0
    for number, slope in enumerate(fresh):
        gain = slope.gain
        if net.fused and number + 1 == len(net.hidden):
            # The plain sum of units has no negative outgoing weights.
            gain = gain * (slope.gradient < 0)
        fresh_gain = max([fresh_gain, *gain.ravel().tolist()])
    return Certificate((least - max(gains)) / size, (least - fresh_gain) / size)
