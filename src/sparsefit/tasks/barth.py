"""The dense tanh networks of two inputs of a study which holds that none can be recovered."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sparsefit.core.options import at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.tasks._base import Task

if TYPE_CHECKING:
    from sparsefit.core.network import Network

_STREAM = 9


@dataclass(frozen=True, kw_only=True)
class Barth(Task):
    """A dense tanh network of two hidden layers, recovered from noisy answers on a square.

    Weights are Glorot's uniform draws and biases zero, as in the study; inputs are uniform in
    [-1, 1]^2. With ``--activation tanh --layers 2`` what is fitted has the form of the teacher,
    which has 58, 75 or 700 weights.

    References
    ----------
    L. Barth and P. von Petersenn, Probabilistic and nonlinear compressive sensing, 2025,
    arXiv:2509.15060.

    Examples
    --------
    >>> problem = Barth(n_samples=50).load(Setting(), 58)
    >>> problem.X.shape, problem.y.shape, problem.truth.nnz
    ((50, 2), (50, 1), 58)
    """

    name: ClassVar[str] = "barth"
    limits: ClassVar[tuple[float, float]] = (0.0, 80.0)
    quick: ClassVar[Mapping[str, Any]] = {"n_samples": 40, "n_test": 20}

    teacher: Literal["2-5-8-1", "2-10-5-1", "2-25-25-1"] = option(
        "2-5-8-1", "inputs, units of both hidden layers, and outputs of the teacher"
    )
    n_samples: int = option(10_000, "training rows", check=at_least(1))
    noise: float = option(
        1e-3, "standard deviation of the noise of training targets", check=at_least(0)
    )
    n_test: int = option(1000, "fresh noiseless rows to score on; 0: none", check=at_least(0))

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Draw the teacher and its rows."""
        rng = np.random.default_rng([setting.seed, _STREAM])
        truth = self._draw_teacher(rng)
        X, X_test = rng.uniform(-1, 1, (self.n_samples, 2)), rng.uniform(-1, 1, (self.n_test, 2))
        y = truth.predict(X)
        noisy = y + self.noise * rng.normal(size=y.shape)
        return Problem(
            X, noisy, peak=float(np.abs(y).max()), truth=truth,
            X_test=X_test if self.n_test else None,
            y_test=truth.predict(X_test) if self.n_test else None,
        )  # fmt: skip

    def _draw_teacher(self, rng: np.random.Generator) -> Network:
        from sparsefit.core.activations import Tanh
        from sparsefit.core.layer import Layer
        from sparsefit.core.network import Network

        widths = map(int, self.teacher.split("-"))
        limits = ((a, b, np.sqrt(6 / (a + b))) for a, b in itertools.pairwise(widths))
        layers = tuple(Layer(rng.uniform(-size, size, (a, b))) for a, b, size in limits)
        return Network(layers, activation=Tanh())
