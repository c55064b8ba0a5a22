"""The pursuits on a matrix in memory, with a solver for least squares and all norms written out."""

import numpy as np

from tests.reference.per_neuron_iht import neuron_block, own_weights


def matrix(X, gate, hidden):
    """Return A, shape (n, hidden * d)."""
    return np.hstack([neuron_block(X, gate(unit)) for unit in range(hidden)])


def first_of_equal(A):
    """Mark the columns that equal no earlier one."""
    first = np.zeros(A.shape[1], bool)
    first[np.unique(A, axis=1, return_index=True)[1]] = True
    return first


def largest(scores, count):
    """Return the positions of the largest magnitudes, ties to the lowest; zeros are none."""
    order = np.lexsort((np.arange(len(scores)), -np.abs(scores)))[:count]
    return np.sort(order[scores[order] != 0])


def refit(A, y, support):
    w = np.zeros(A.shape[1])
    w[support] = np.linalg.lstsq(A[:, support], y, rcond=None)[0]
    return w


def unit_columns(A):
    norms = np.linalg.norm(A, axis=0)
    return norms, A / np.where(norms > 0, norms, 1)


def best_atoms(A, w, r, count):
    scores = unit_columns(A)[1].T @ r
    scores[(w != 0) | ~first_of_equal(A)] = 0
    return largest(scores, count)


def htp_step(A, y, w, s):
    norms, B = unit_columns(A)
    r = y - A @ w
    candidates = np.union1d(np.flatnonzero(w), best_atoms(A, w, r, s))
    g = np.zeros(len(w))
    g[candidates] = B[:, candidates].T @ r
    length = g @ g / (np.square(B @ g).sum() + 1e-8)
    return refit(A, y, largest(norms * w + length * g, s))


def subspace_step(A, y, w, s):
    norms, _ = unit_columns(A)
    wide = refit(A, y, np.union1d(np.flatnonzero(w), best_atoms(A, w, y - A @ w, s)))
    choices = [refit(A, y, np.flatnonzero(w)), refit(A, y, largest(norms * wide, s))]
    losses = [np.square(A @ choice - y).sum() for choice in choices]
    return choices[int(losses[1] < losses[0])]


def omp_step(A, y, w, s, atoms):
    count = min(atoms, s - np.count_nonzero(w))
    return refit(A, y, np.union1d(np.flatnonzero(w), best_atoms(A, w, y - A @ w, count)))


def fit(step, X, y, hidden, s, random_gate, epochs, sequential):
    """Return the weights after `epochs` steps from zero; the gates follow from the second on."""
    w, gate = np.zeros(hidden * X.shape[1]), random_gate
    for epoch in range(epochs):
        w = step(matrix(X, gate, hidden), y, w, s)
        if sequential and epoch > 0:
            support = np.flatnonzero(w)
            gate = own_weights(support, w[support], X.shape[1])
    return w
