"""A sparse vector of ones seen through Gaussian measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sparsefit.core.gates import RandomGates
from sparsefit.core.options import at_least, option
from sparsefit.core.problem import SensingProblem
from sparsefit.core.setting import Setting
from sparsefit.tasks._base import SkipCell, Task


@dataclass(frozen=True, kw_only=True)
class GaussianSparse(Task):
    """A vector of nnz ones, of length --hidden, seen through Gaussian measurements.

    Examples
    --------
    >>> problem = GaussianSparse(n_measurements=30).load(Setting(hidden=100, seed=0), 3)
    >>> problem.measurements.shape, len(problem.support)
    ((30,), 3)
    """

    name: ClassVar[str] = "gaussian-sparse"
    draws_truth: ClassVar[bool] = True
    width_name: ClassVar[str] = "unknown numbers"
    limits: ClassVar[tuple[float, float]] = (1e-10, 1.0)

    n_measurements: int = option(200, "measurements", aliases=("nmeasurements",), check=at_least(1))

    def load(self, setting: Setting, nnz: int) -> SensingProblem:
        """Draw the support and measure."""
        length = setting.hidden
        if nnz > length:
            raise SkipCell(f"nnz={nnz} is more than the length of the vector, hidden={length}")
        random = np.random.RandomState(setting.seed)
        support = np.sort(random.choice(length, size=nnz, replace=False))
        columns = RandomGates(setting.seed, self.n_measurements).rows(support)
        return SensingProblem(columns.sum(axis=0), length, setting.seed, support, np.ones(nnz))
