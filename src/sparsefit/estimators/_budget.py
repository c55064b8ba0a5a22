"""From the parameter `nnz` to a number of weights."""

from __future__ import annotations

import itertools
from numbers import Integral

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.estimators._profiles import LARGEST_BUDGET


def most_weights(nnz: int | float | str, problem: Problem, setting: Setting) -> int:
    """Return the number of weights that a value of `nnz` allows at most.

    Parameters
    ----------
    nnz : int, float or "auto"
        A number, a fraction of the weights of the dense network, or as many as the rows support.
    problem : Problem
    setting : Setting

    Examples
    --------
    >>> import numpy as np
    >>> problem = Problem(np.ones((80, 3)), np.ones((80, 2)))
    >>> [most_weights(nnz, problem, Setting(hidden=4)) for nnz in (7, 0.5, "auto")]
    [7, 10, 20]
    """
    if isinstance(nnz, Integral):
        return int(nnz)
    dense = dense_size(problem, setting)
    if isinstance(nnz, str):
        # Scores of classes are free but for a constant.
        n_free = problem.n_outputs - (problem.loss == "softmax")
        return LARGEST_BUDGET.count(problem.n * n_free, dense)
    return max(1, round(nnz * dense))


def dense_size(problem: Problem, setting: Setting) -> int:
    """Return the weights and biases that a network has if none is zero.

    Examples
    --------
    >>> import numpy as np
    >>> dense_size(Problem(np.ones((1, 3)), np.ones((1, 2))), Setting(hidden=4, skip=True))
    26
    """
    widths = [problem.n_features, *[setting.hidden] * setting.layers, problem.n_outputs]
    layers = sum((a + setting.bias) * b for a, b in itertools.pairwise(widths))
    return layers + setting.skip * problem.n_features * problem.n_outputs
