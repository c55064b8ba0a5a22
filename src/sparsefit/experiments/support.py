"""How much of a planted network was found, whatever the order and the splitting of its units.

Two networks can be one function: hidden units can be permuted, rescaled (the next layer undoes
it), and split into units with parallel weights. Both networks are therefore brought to a form
without parallel and without dead units, their units are matched, and then positions are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from sparsefit.core.network import Network
from sparsefit.core.problem import SensingProblem

# Directions that differ by less are one direction: above the rounding of float32.
PARALLEL = 1e-6


@dataclass(frozen=True)
class Overlap:
    """Shared positions of a planted and a found network.

    Attributes
    ----------
    shared, planted, found : int
        Positions in both, in the planted network and in the found one.
    """

    shared: int
    planted: int
    found: int

    @property
    def recall(self) -> float:
        """Share of the planted positions that were found."""
        return self.shared / self.planted if self.planted else 1.0

    @property
    def precision(self) -> float:
        """Share of the found positions that were planted; 1 if none was found."""
        return self.shared / self.found if self.found else 1.0


def vector_overlap(problem: SensingProblem, network: Network) -> Overlap:
    """Compare the positions of a recovered vector with the true ones."""
    found = network.layers[0].weight.indices
    shared = np.intersect1d(problem.support, found)
    return Overlap(len(shared), len(problem.support), len(found))


def support_overlap(truth: Network, found: Network) -> Overlap | None:
    """Compare two networks up to order, scale and splitting of hidden units.

    With one output, output weights are folded into the last hidden layer, so that a fused network
    can be compared with one that stores output weights: only hidden weights are then counted.

    Parameters
    ----------
    truth, found : Network
        With the same numbers of inputs and outputs.

    Returns
    -------
    Overlap or None
        None if the numbers of hidden layers differ.

    Examples
    --------
    >>> from sparsefit.core.network import Layer
    >>> truth = Network((Layer(np.array([[1.0, 0.0], [0.0, 2.0]])),), fused=True)
    >>> split = Network((Layer(np.array([[0.0, 0.5, 0.5], [3.0, 0.0, 0.0]])),), fused=True)
    >>> support_overlap(truth, split)
    Overlap(shared=2, planted=2, found=2)
    """
    if len(truth.hidden_layers) != len(found.hidden_layers):
        return None
    ours, theirs = _canonical(truth), _canonical(found)
    n_outputs_counted = truth.n_outputs if truth.n_outputs > 1 else 0
    n_hidden = len(truth.hidden_layers)
    for number in range(n_hidden):
        _pad(ours, theirs, number)
        common = _common(ours[number], theirs[number])
        if number == n_hidden - 1 and n_outputs_counted:
            common = common + _common(ours[-1][1:].T, theirs[-1][1:].T)
        # Among matchings that share as many positions, take the one with the likest weights.
        likeness = (ours[number].T @ theirs[number]).toarray()
        score = common + likeness / (2 * len(common) + 1)
        _, order = linear_sum_assignment(score, maximize=True)
        theirs[number] = theirs[number][:, order]
        theirs[number + 1] = theirs[number + 1][np.concatenate([[0], 1 + order]), :]
    layers = n_hidden + (n_outputs_counted > 0)
    pairs = list(zip(ours, theirs, strict=True))[:layers]
    pairs.append((_skip(truth), _skip(found)))
    return Overlap(
        shared=sum(int((_pattern(a).multiply(_pattern(b))).sum()) for a, b in pairs),
        planted=sum(a.nnz for a, _ in pairs),
        found=sum(b.nnz for _, b in pairs),
    )


def _canonical(network: Network) -> list[sparse.csc_array]:
    """Return the weights of every layer without parallel and dead units; row 0 is the bias."""
    weights = [_with_bias(layer.weight, layer.bias) for layer in network.layers]
    if network.fused:
        weights.append(_with_bias(np.ones((weights[-1].shape[1], 1)), None))
    for number in range(len(weights) - 1):
        # Units with random gates of their own are not sums of one another.
        merging = network.gates is None
        weights[number : number + 2] = _merge(weights[number], weights[number + 1], merging)
    for number in reversed(range(len(weights) - 1)):
        used = np.flatnonzero(np.diff(weights[number + 1][1:].tocsr().indptr))
        weights[number] = weights[number][:, used]
        weights[number + 1] = weights[number + 1][np.concatenate([[0], 1 + used]), :]
    return weights


def _skip(network: Network) -> sparse.csc_array:
    """Return the weights of the skip connection, empty where there is none."""
    if network.skip is None:
        return sparse.csc_array((1 + network.n_inputs, network.n_outputs))
    return _with_bias(network.skip.weight, network.skip.bias)


def _with_bias(weight: sparse.csc_array | np.ndarray, bias: np.ndarray | None) -> sparse.csc_array:
    first = np.zeros(weight.shape[1]) if bias is None else bias
    stacked = sparse.vstack([sparse.csr_array(first[None, :]), weight], format="csc")
    return sparse.csc_array(stacked, dtype=np.float64)


def _merge(
    weight: sparse.csc_array, after: sparse.csc_array, merging: bool
) -> tuple[sparse.csc_array, sparse.csc_array]:
    """Drop units without inputs and, if `merging`, add parallel units up.

    The weights into every unit get norm 1: a unit c times as large is the same with c times its
    outgoing weights, c > 0.
    """
    groups: dict[bytes, list[int]] = {}
    for unit, (start, stop) in enumerate(zip(weight.indptr, weight.indptr[1:], strict=False)):
        if stop > start:
            groups.setdefault(weight.indices[start:stop].tobytes(), []).append(unit)
    norms = np.sqrt(weight.multiply(weight).sum(axis=0))
    leader = np.full(weight.shape[1], -1)
    for units in groups.values():
        leader[units] = units
        if merging and len(units) > 1:
            directions = weight[:, units] / norms[units]
            cosines = (directions.T @ directions).toarray()
            # |a - b|^2 = 2 - 2 cos for unit vectors.
            leader[units] = np.array(units)[(cosines >= 1 - PARALLEL**2 / 2).argmax(axis=1)]
    members = np.flatnonzero(leader >= 0)
    kept, position = np.unique(leader[members], return_inverse=True)
    shape = (len(kept), weight.shape[1])
    combine = sparse.csr_array((norms[members], (position, members)), shape=shape)
    merged = sparse.csc_array(sparse.vstack([after[[0], :], combine @ after[1:]], format="csc"))
    merged.eliminate_zeros()
    return sparse.csc_array(weight[:, kept] / norms[kept]), merged


def _pad(ours: list[sparse.csc_array], theirs: list[sparse.csc_array], number: int) -> None:
    """Give hidden layer `number` as many units in both, the new ones empty."""
    units = max(ours[number].shape[1], theirs[number].shape[1])
    for form in (ours, theirs):
        form[number].resize((form[number].shape[0], units))
        form[number + 1].resize((1 + units, form[number + 1].shape[1]))


def _pattern(weight: sparse.csc_array) -> sparse.csc_array:
    return (weight != 0).astype(np.int64)


def _common(ours: sparse.csc_array, theirs: sparse.csc_array) -> np.ndarray:
    """Count common positions of every column with every column."""
    return (_pattern(ours).T @ _pattern(theirs)).toarray()
