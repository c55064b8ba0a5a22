"""The paper's planted problem: dense matrices, every step spelled out."""

import itertools

import numpy as np


def planted_draw(*, hidden, nnz, seed, layers=1, n=50, d=7, k=1):
    """Return dense weights by layer, inputs and labels."""
    random = np.random.RandomState(seed + 1)
    sizes = [d] + [hidden] * layers + ([k] if k > 1 else [])
    weights = []
    for rows, columns in itertools.pairwise(sizes):
        count = min(rows * columns, nnz // (len(sizes) - 1))
        positions = random.choice(rows * columns, size=count, replace=False)
        values = random.normal(size=count).astype(np.float32)
        weight = np.zeros((rows, columns))
        for position, value in zip(positions, values, strict=True):
            weight[position // columns, position % columns] = value
        weights.append(weight)
    X = np.random.RandomState(seed + 2).normal(size=(n, d)).astype(np.float32)
    z = X
    for number, weight in enumerate(weights):
        z = z @ weight
        if k == 1 or number < len(weights) - 1:
            z = np.maximum(z, 0)
    labels = z.sum(axis=1, keepdims=True) if k == 1 else z
    return weights, X, labels.astype(np.float32)
