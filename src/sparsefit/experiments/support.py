"""How much of a planted network was found, whatever the order and the splitting of its units.

Two networks can be one function: hidden units can be permuted, rescaled (the next layer undoes
it), and split into units with parallel weights. Both networks are therefore brought to a form
without parallel and without dead units, their units are matched, and then positions are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from sparsefit.core.network import Network
from sparsefit.core.problem import SensingProblem

# Directions that differ by less are one direction: above the rounding of float32.
PARALLEL = 1e-6
# The weights of each layer of two networks.
Pairs: TypeAlias = list[tuple[sparse.csc_array, sparse.csc_array]]


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
        None if the numbers of hidden layers or the activations differ.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> truth = Network((Layer(np.array([[1.0, 0.0], [0.0, 2.0]])),), fused=True)
    >>> split = Network((Layer(np.array([[0.0, 0.5, 0.5], [3.0, 0.0, 0.0]])),), fused=True)
    >>> support_overlap(truth, split)
    Overlap(shared=2, planted=2, found=2)
    """
    return overlap_and_distance(truth, found)[0]


def parameter_distance(truth: Network, found: Network) -> float | None:
    """Return |found - truth| / |truth| over all weights and biases, after units are matched.

    Units are brought to one order, scale and, where the activation is odd, sign.

    Returns
    -------
    float or None
        None if the numbers of hidden layers or the activations differ, or `truth` has no weights.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> truth = Network((Layer(np.array([[3.0, 0.0], [0.0, 4.0]])),), fused=True)
    >>> other = Network((Layer(np.array([[0.0, 3.0], [4.5, 0.0]])),), fused=True)
    >>> round(parameter_distance(truth, other), 4)
    0.0962
    """
    return overlap_and_distance(truth, found)[1]


def overlap_and_distance(truth: Network, found: Network) -> tuple[Overlap | None, float | None]:
    """Return what `support_overlap` and `parameter_distance` do, from one matching of units."""
    is_as_deep = len(truth.hidden_layers) == len(found.hidden_layers)
    if not is_as_deep or truth.activation != found.activation:
        return None, None
    pairs = _aligned(truth, found)
    apart = sum(float((b - a).power(2).sum()) for a, b in pairs)
    size = sum(float(a.power(2).sum()) for a, _ in pairs)
    counted = _counted(truth, pairs)
    overlap = Overlap(
        shared=sum(int((_pattern(a).multiply(_pattern(b))).sum()) for a, b in counted),
        planted=sum(a.nnz for a, _ in counted),
        found=sum(b.nnz for _, b in counted),
    )
    return overlap, float(np.sqrt(apart / size)) if size else None


class Position(NamedTuple):
    """A nonzero of a network without parallel units.

    Attributes
    ----------
    layer : str
        As in `Network.layer_names`.
    unit : int
        The unit of that layer, or the output, that it goes into; of merged units the first.
    input : int or None
        Where it comes from; None for a bias.
    """

    layer: str
    unit: int
    input: int | None


def found_again(reference: Network, other: Network) -> dict[Position, bool]:
    """Say for each position of a network whether another one, of as many layers, has it too.

    Positions are counted and units matched as in `support_overlap`.

    Parameters
    ----------
    reference, other : Network

    Returns
    -------
    dict of Position to bool
        Its keys, and their order, depend on `reference` alone.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> reference = Network((Layer(np.array([[1.0, 0.0], [0.0, 2.0]])),), fused=True)
    >>> other = Network((Layer(np.array([[0.0, 5.0], [0.0, 1.0]])),), fused=True)
    >>> list(found_again(reference, other).values())
    [True, False]
    """
    units = _canonical(reference)[1]
    found: dict[Position, bool] = {}
    pairs = _counted(reference, _aligned(reference, other))
    for number, (ours, theirs) in enumerate(pairs):
        is_skip = number == len(pairs) - 1
        name = "skip" if is_skip else reference.layer_names[number]
        targets = units[number] if number < len(units) and not is_skip else None
        sources = units[number - 1] if number > 0 and not is_skip else None
        shared = set(zip(*_pattern(ours).multiply(_pattern(theirs)).nonzero(), strict=True))
        for row, column in sorted(zip(*ours.nonzero(), strict=True), key=lambda at: at[::-1]):
            unit = column if targets is None else targets[column]
            source = row - 1 if sources is None or row == 0 else sources[row - 1]
            position = Position(name, int(unit), int(source) if row else None)
            found[position] = (row, column) in shared
    return found


def _counted(truth: Network, pairs: Pairs) -> Pairs:
    """Return the weights that are counted: all but those into one output, if they can be folded.

    That is, into the weights before them.
    """
    return pairs if _counts_outputs(truth) else [*pairs[:-2], pairs[-1]]


def _counts_outputs(truth: Network) -> bool:
    return truth.n_outputs > 1 or not truth.activation.is_homogeneous


def _aligned(truth: Network, found: Network) -> Pairs:
    """Return the weights of all layers of both, then those of the outputs and skip connection.

    Both are in canonical form, the units of `found` in the order of those of `truth` that they
    are most like, and with their signs where the activation is odd. Row 0 is the bias.
    """
    ours, theirs = _canonical(truth)[0], _canonical(found)[0]
    n_hidden, is_odd = len(truth.hidden_layers), truth.activation.is_odd
    for number in range(n_hidden):
        _pad(ours, theirs, number)
        common = _common(ours[number], theirs[number])
        if number == n_hidden - 1 and _counts_outputs(truth):
            common = common + _common(ours[-1][1:].T, theirs[-1][1:].T)
        # Among matchings that share as many positions, take the one with the likest weights.
        likeness = (ours[number].T @ theirs[number]).toarray()
        likeness = abs(likeness) if is_odd else likeness
        likeness /= max(abs(likeness).max(initial=0.0), 1.0)
        score = common + likeness / (2 * len(common) + 1)
        _, order = linear_sum_assignment(score, maximize=True)
        theirs[number] = theirs[number][:, order]
        theirs[number + 1] = theirs[number + 1][np.concatenate([[0], 1 + order]), :]
        if is_odd:
            _turn(ours, theirs, number)
    return [*zip(ours, theirs, strict=True), (_skip(truth), _skip(found))]


def _turn(ours: list[sparse.csc_array], theirs: list[sparse.csc_array], number: int) -> None:
    """Turn the units of a layer of `theirs` to the side of those of `ours`: f(-z) = -f(z)."""
    signs = np.where(ours[number].multiply(theirs[number]).sum(axis=0) < 0, -1.0, 1.0)
    theirs[number] = sparse.csc_array(theirs[number] * signs)
    theirs[number + 1] = sparse.csc_array(theirs[number + 1] * np.append(1.0, signs)[:, None])


def _canonical(network: Network) -> tuple[list[sparse.csc_array], list[np.ndarray]]:
    """Return the weights of every layer without parallel and dead units; row 0 is the bias.

    Beside them, for each hidden layer, the numbers of its units in the network.
    """
    weights = [_with_bias(layer.weight, layer.bias) for layer in network.layers]
    if network.fused:
        weights.append(_with_bias(np.ones((weights[-1].shape[1], 1)), None))
    units = []
    for number in range(len(weights) - 1):
        # Units with random gates of their own are not sums of one another.
        merging, scaled = network.gates is None, network.activation.is_homogeneous
        *weights[number : number + 2], kept = _merge(
            weights[number], weights[number + 1], merging=merging and scaled, scaled=scaled
        )
        units.append(kept)
    for number in reversed(range(len(weights) - 1)):
        used = np.flatnonzero(np.diff(weights[number + 1][1:].tocsr().indptr))
        if len(used) == weights[number].shape[1]:
            continue
        weights[number], units[number] = weights[number][:, used], units[number][used]
        weights[number + 1] = weights[number + 1][np.concatenate([[0], 1 + used]), :]
    return weights, units


def _skip(network: Network) -> sparse.csc_array:
    """Return the weights of the skip connection, empty where there is none."""
    if network.skip is None:
        return sparse.csc_array((1 + network.n_inputs, network.n_outputs))
    return _with_bias(network.skip.weight, network.skip.bias)


def _with_bias(weight: sparse.csc_array | np.ndarray, bias: np.ndarray | None) -> sparse.csc_array:
    weight = sparse.csc_array(weight, dtype=np.float64)
    if bias is not None:
        return _below(sparse.csc_array(bias[None, :], dtype=np.float64), weight)
    # A row of zeros only moves the others: `vstack` would take most of the time of a small network.
    shape = (1 + weight.shape[0], weight.shape[1])
    return sparse.csc_array((weight.data, weight.indices + 1, weight.indptr), shape=shape)


def _below(first: sparse.csc_array, rest: sparse.csc_array) -> sparse.csc_array:
    return sparse.csc_array(sparse.vstack([first, rest], format="csc"))


def _merge(
    weight: sparse.csc_array, after: sparse.csc_array, *, merging: bool, scaled: bool
) -> tuple[sparse.csc_array, sparse.csc_array, np.ndarray]:
    """Drop units without inputs and, if `merging`, add parallel units up; return who is left too.

    If `scaled`, the weights into every unit get norm 1: a unit c times as large is the same with c
    times its outgoing weights, c > 0.
    """
    groups: dict[bytes, list[int]] = {}
    for unit, (start, stop) in enumerate(zip(weight.indptr, weight.indptr[1:], strict=False)):
        if stop > start:
            groups.setdefault(weight.indices[start:stop].tobytes(), []).append(unit)
    norms = np.sqrt(weight.multiply(weight).sum(axis=0)) if scaled else np.ones(weight.shape[1])
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
    rest, first = sparse.csc_array(combine @ after[1:]), after[[0], :]
    merged = _below(first, rest) if first.nnz else _with_bias(rest, None)
    merged.eliminate_zeros()
    return sparse.csc_array(weight[:, kept] / norms[kept]), merged, kept


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
    shared: np.ndarray = (_pattern(ours).T @ _pattern(theirs)).toarray()
    return shared
