"""Accelerated iterative hard thresholding with one Python step per neuron.

The algorithm of the paper for one output, written as plainly as can be: every neuron's n x d block
of A is formed when it is needed, the s largest candidates are merged after each block, and the
line search evaluates A_S x anew in every trial.
"""

import numpy as np


def neuron_block(X, h):
    """Return D_j X, shape (n, d)."""
    return (X @ h > 0)[:, None] * X


def columns(X, gate, indices):
    """Return A_S, shape (n, s), one neuron at a time."""
    d = X.shape[1]
    matrix = np.zeros((len(X), len(indices)), X.dtype)
    for unit in np.unique(indices // d):
        here = indices // d == unit
        matrix[:, here] = neuron_block(X, gate(unit))[:, indices[here] % d]
    return matrix


def merge(indices, values, new_indices, new_values, s):
    """Keep the s largest magnitudes of both lists, ties to the lowest index."""
    fresh = new_values != 0
    indices = np.concatenate([indices, new_indices[fresh]])
    values = np.concatenate([values, new_values[fresh]])
    largest = np.lexsort((indices, -np.abs(values)))[:s]
    order = largest[np.argsort(indices[largest])]
    return indices[order], values[order]


def step(X, y, indices, values, gate, hidden, s, inner_steps=10):
    """Return the next support and values."""
    d = X.shape[1]
    A = columns(X, gate, indices)
    r = A @ values - y
    g = A.T @ r
    length = g @ g / (np.square(A @ g).sum() + 1e-8) if len(indices) else X.dtype.type(1e-14)
    new_indices, new_values = np.zeros(0, np.int64), np.zeros(0, X.dtype)
    for unit in range(hidden):
        gradient = r @ neuron_block(X, gate(unit))
        block = np.zeros(d, X.dtype)
        here = indices // d == unit
        block[indices[here] % d] = values[here]
        positions = unit * d + np.arange(d)
        moved = block - length * gradient
        new_indices, new_values = merge(new_indices, new_values, positions, moved, s)
    A = columns(X, gate, new_indices)
    return new_indices, refine(A, y, new_values, length, inner_steps)


def refine(A, y, start, length, inner_steps):
    """Gradient steps on a fixed support with Armijo backtracking (0.9 on ||r||^2)."""
    x = start
    value = value_at_start = np.square(A @ start - y).sum()
    for _ in range(inner_steps):
        g = A.T @ (A @ x - y)
        for trial in range(11):
            moved = x - length * g
            new_value = np.square(A @ moved - y).sum()
            if new_value <= value - 0.9 * length * (g @ g):
                x, value = moved, new_value
                break
            length = length / 2
            if trial == 10:
                x, value = start, value_at_start
    return x


def fit(X, y, hidden, s, random_gate, epochs, sequential=True):
    """Return the support and values after `epochs` full-batch steps from zero."""
    d = X.shape[1]
    indices, values, gate = np.zeros(0, np.int64), np.zeros(0, X.dtype), random_gate
    for epoch in range(epochs):
        indices, values = step(X, y, indices, values, gate, hidden, s)
        if sequential and epoch > 0:
            gate = own_weights(indices, values, d)
    return indices, values


def own_weights(indices, values, d):
    """Return the gates of the ReLU network with these weights."""

    def gate(unit):
        h = np.zeros(d, values.dtype)
        here = indices // d == unit
        h[indices[here] % d] = values[here]
        return h

    return gate
