"""A problem as the rows, targets and loss of Gauss-Newton equations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sparsefit.core.datafits import DATAFITS, Datafit
from sparsefit.core.problem import Problem
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.sparse_net import SQUARED

# Rows that stand for weighted ones, for each of them.
_DRAWS = 10


def as_rows(
    problem: Problem, setting: Setting, *, most: int | None = None
) -> tuple[RowBlocks, Tensor, Datafit]:
    """Return what `SparseNet` takes, in float64 unless the setting has another precision.

    Squared errors are weighted by scaling rows and targets; for other losses rows are drawn in
    proportion to their weights.

    Parameters
    ----------
    problem : Problem
    setting : Setting
    most : int, optional
        At most so many rows, drawn at random.

    Returns
    -------
    rows : RowBlocks
    y : Tensor of shape (k, n)
    datafit : Datafit

    Examples
    --------
    >>> problem = Problem(np.eye(2), np.ones((2, 1)), sample_weight=np.array([1.0, 3.0]))
    >>> rows, y, _ = as_rows(problem, Setting())
    >>> rows.blocks[0].square().diagonal().numpy().round(6).tolist()
    [0.5, 1.5]
    """
    weights, n = problem.relative_weight, len(problem.X)
    is_squared = problem.loss == "squared"
    if weights is not None and not is_squared:
        draw = np.random.default_rng(setting.seed)
        count = min(_DRAWS * n, most or _DRAWS * n)
        problem = problem.take(draw.choice(n, count, p=weights / weights.sum()))
        weights = None
    elif most is not None:
        problem = problem.sample(most, setting.seed)
        weights = problem.relative_weight
    dtype = getattr(torch, setting.dtype or "float64")
    rows = RowBlocks(
        problem.X, bias=setting.bias, dtype=dtype, device=setting.device, weights=weights
    )  # fmt: skip
    y = torch.tensor(problem.y, device=setting.device)
    if problem.loss == "softmax":
        y = functional.one_hot(y, problem.n_outputs)
    y = y.to(dtype).T.contiguous()
    if weights is not None:
        y *= torch.from_numpy(np.sqrt(weights)).to(y)
    return rows, y, SQUARED if is_squared else DATAFITS[problem.loss]()
