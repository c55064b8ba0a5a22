"""Remove a skip connection by turning units around: relu(z) = relu(-z) + z.

Other activations g have g(z) = g(-z) + t z.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from scipy import optimize, sparse

from sparsefit.gauss_newton.sparse_net import Edges, SparseNet

# A limit in seconds would make results depend on the machine.
_NODES = 2000


def resolve_signs(net: SparseNet) -> SparseNet:
    """Return a network of one hidden layer without a skip connection, as near as can be.

    Turning unit j around adds t w_j u_j^T to the skip connection, so the signs are the solution of
    a linear system in 0/1 unknowns: min |C + t sum_j b_j w_j u_j^T|_1. A unit with a single input i
    may also become two, one on either side; with one summed output that moves C_i by any part of
    its weight, and with trained outputs it makes row i of C free.
    """
    if net.n_units == 0:
        return net
    weights = net.hidden[0].dense().cpu().numpy()
    readout = net.readout.dense().T.cpu().numpy()
    turn = net.activation.turn
    assert turn is not None
    # Of w and u, the linear term of a unit is t w u^T: counted in units of t, it is w u^T.
    skip = net.skip.dense().T.cpu().numpy() / turn
    single = (weights != 0).sum(axis=1) == 1
    share = _minimise(weights, readout, skip, single, fused=net.fused)
    if net.fused:
        turned = _turn_summed(weights, single, share)
        left = skip[:, 0] + share @ weights
        return _rebuild(net, turned, np.ones((len(turned), 1)), turn * left[:, None])
    new_weights, new_readout, left = _turn(weights, readout, skip, single, share)
    return _rebuild(net, new_weights, new_readout, turn * left)


def _minimise(
    weights: np.ndarray, readout: np.ndarray, skip: np.ndarray, single: np.ndarray, *,
    fused: bool,
) -> np.ndarray:  # fmt: skip
    """Return b, shape (units,): 0 or 1, for single units of a summed output anything between."""
    n_units = len(weights)
    free_rows = np.zeros(len(skip), dtype=bool)
    if not fused:
        free_rows[np.abs(weights[single]).sum(axis=0) > 0] = True
    kept = np.flatnonzero(~free_rows)
    columns = np.einsum("ji,jo->ioj", weights[:, kept], readout).reshape(-1, n_units)
    target = skip[kept].ravel()
    used = np.abs(columns).sum(axis=1) > 0
    columns, target = columns[used], target[used]
    n_rows = len(target)
    if n_rows == 0:
        return np.zeros(n_units)
    eye = sparse.eye_array(n_rows)
    matrix = sparse.hstack([sparse.csr_array(columns), eye, -eye], format="csc")
    cost = np.concatenate([np.zeros(n_units), np.ones(2 * n_rows)])
    whole = np.concatenate([np.where(single & fused, 0, 1), np.zeros(2 * n_rows)])
    upper = np.concatenate([np.where(single & (not fused), 0.0, 1.0), np.full(2 * n_rows, np.inf)])
    # With presolve HiGHS calls a worse point optimal where some weights are next to nothing.
    with _quiet_stdout():
        found = optimize.milp(
            cost, integrality=whole, bounds=optimize.Bounds(0, upper),
            constraints=optimize.LinearConstraint(matrix, -target, -target),
            options={"node_limit": _NODES, "mip_rel_gap": 1e-9, "presolve": False},
        )  # fmt: skip
    if found.x is None:
        return np.zeros(n_units)
    share: np.ndarray = found.x[:n_units]
    return np.asarray(np.where(single & fused, share, np.round(share)))


@contextlib.contextmanager
def _quiet_stdout() -> Iterator[None]:
    """Send the file descriptor of stdout nowhere: HiGHS writes there whatever it is told."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _turn_summed(weights: np.ndarray, single: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return (1 - b) w and -b w of every unit, without zeros."""
    share = np.where(share < 1e-9, 0, np.where(share > 1 - 1e-9, 1, share))
    both = np.concatenate([(1 - share)[:, None] * weights, -share[:, None] * weights])
    return np.asarray(both[np.abs(both).sum(axis=1) > 0])


def _turn(
    weights: np.ndarray, readout: np.ndarray, skip: np.ndarray, single: np.ndarray,
    share: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Turn units around; single ones take up what is left in their row of the skip connection."""
    turned = share > 0.5
    skip = skip + (weights * turned[:, None]).T @ (readout * turned[:, None])
    weights = np.where(turned[:, None], -weights, weights)
    readout = readout.copy()
    extra_weights, extra_readout = [], []
    for unit in np.flatnonzero(single):
        (source,) = np.flatnonzero(weights[unit])
        row = skip[source] / weights[unit, source]
        if not row.any():
            continue
        # relu(z) u + z c = relu(z) (u + c) - relu(-z) c
        readout[unit] += row
        extra_weights.append(-weights[unit])
        extra_readout.append(-row)
        skip[source] = 0
    if extra_weights:
        weights = np.concatenate([weights, extra_weights])
        readout = np.concatenate([readout, extra_readout])
    return weights, readout, skip


def with_skip_as_pairs(net: SparseNet, most: int) -> SparseNet:
    """Write the skip connection as pairs of units, t c.x = g(c.x) - g(-c.x), one per output.

    Parameters
    ----------
    net : SparseNet
        With trained outputs.
    most : int
        Only so many of the largest weights of the term.
    """
    turn = net.activation.turn
    assert turn is not None
    skip = net.skip.dense().T.cpu().numpy() / turn
    if 0 < most < np.count_nonzero(skip):
        skip = np.where(np.abs(skip) >= np.sort(np.abs(skip).ravel())[-most], skip, 0)
    weights, readout = net.hidden[0].dense().cpu().numpy(), net.readout.dense().T.cpu().numpy()
    for output in np.flatnonzero(np.abs(skip).sum(axis=0)):
        pair = np.stack([skip[:, output], -skip[:, output]])
        fed = np.zeros((2, skip.shape[1]))
        fed[:, output] = 1, -1
        weights, readout = np.concatenate([weights, pair]), np.concatenate([readout, fed])
    return _rebuild(net, weights, readout, 0 * skip)


def _rebuild(
    net: SparseNet, weights: np.ndarray, readout: np.ndarray, skip: np.ndarray
) -> SparseNet:
    def edges(matrix: np.ndarray) -> Edges:
        return Edges.from_dense(torch.from_numpy(matrix).to(net.values))

    return replace(
        net, hidden=(edges(np.ascontiguousarray(weights.T)),), readout=edges(readout),
        skip=edges(skip),
    ).without_idle_units()  # fmt: skip
