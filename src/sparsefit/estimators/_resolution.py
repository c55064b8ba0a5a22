"""What change of an output the rows cannot tell from none."""

from __future__ import annotations

import numpy as np
import torch

from sparsefit.core.datafits import DATAFITS
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem

# Relative to the outputs.
_ROUNDING = 1e-9


def resolution(network: Network, problem: Problem, total: float) -> np.ndarray:
    """Return the standard error of a constant that is added to each output, (n_outputs,).

    By the sandwich formula: the root mean square of the loss's derivatives, over its mean second
    derivative, over the root of the number of rows.

    Parameters
    ----------
    network : Network
    problem : Problem
        The rows of the fit, or a draw of them.
    total : float
        How many rows there were.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> network = Network((Layer(np.array([[1.0]])),))
    >>> X = np.zeros((4, 1))
    >>> resolution(network, Problem(X, np.array([[1.0], [-1.0], [1.0], [-1.0]])), 4).tolist()
    [0.5]
    """
    datafit = DATAFITS[problem.loss]()
    z = torch.as_tensor(network.predict(problem.X)).double()
    y = torch.as_tensor(problem.targets).double()
    weight = problem.relative_weight
    row = torch.ones(len(z), 1) if weight is None else torch.as_tensor(weight).reshape(-1, 1)
    slopes = (row * datafit.gradient(z, y).square()).mean(dim=0).sqrt()
    bends = (row * datafit.curvature(z, y)).mean(dim=0)
    found = torch.nan_to_num(slopes / bends / total**0.5, nan=0.0, posinf=0.0)
    # Where all is fitted, what is left is rounding of the arithmetic.
    return np.asarray(found.clamp(min=_ROUNDING * float(z.square().mean().sqrt())).numpy())
