"""A function of normal inputs, learned from its values: the task of the study, with fixed rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sparsefit.core.choices import TargetName
from sparsefit.core.options import at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.tasks._base import Task
from sparsefit.tasks._targets import find_target

_TRAIN_STREAM, _TEST_STREAM = 1, 2


@dataclass(frozen=True, kw_only=True)
class Regression(Task):
    """A function of standard normal inputs, learned from its values on some rows.

    Only the training values are noisy. `sparsefit train` fits the same functions from fresh rows.

    Examples
    --------
    >>> problem = Regression(target="product", n_samples=50, n_test=20).load(Setting(seed=1), 5)
    >>> problem.X.shape, problem.y.shape, problem.y_test.shape
    ((50, 10), (50, 1), (20, 1))
    """

    name: ClassVar[str] = "regression"
    quick: ClassVar[Mapping[str, Any]] = {"n_samples": 40, "n_test": 20}

    target: TargetName = option("sum", "the function to be learned")
    n_features: int = option(10, "inputs d", aliases=("input-dim",), check=at_least(1))
    n_samples: int = option(10_000, "training rows", aliases=("nmeasurements",), check=at_least(1))
    n_test: int = option(10_000, "fresh noiseless rows to score on; 0: none", check=at_least(0))
    noise: float = option(
        0.0, "standard deviation of the noise in the training values", check=at_least(0), other=0.5
    )

    def __post_init__(self) -> None:
        """Ask for as many inputs as the target has."""
        super().__post_init__()
        find_target(self.target, self.n_features)

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Draw the rows."""
        X, y = self._rows(setting.seed, _TRAIN_STREAM, self.n_samples, self.noise)
        X_test, y_test = self._rows(setting.seed, _TEST_STREAM, self.n_test, 0.0)
        if not self.n_test:
            return Problem(X, y, metric="r2")
        return Problem(X, y, metric="r2", X_test=X_test, y_test=y_test)

    def _rows(self, seed: int, stream: int, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, stream])
        X = rng.normal(size=(n, self.n_features)).astype(np.float32)
        y = find_target(self.target, self.n_features)(X) + noise * rng.normal(size=n)
        return X, y.astype(np.float32)[:, None]
