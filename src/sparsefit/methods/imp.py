"""Iterative magnitude pruning with rewinding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sparsefit import dense
from sparsefit.core.options import Condition, option
from sparsefit.methods._trained import PrunedTraining

_ROUNDS = Condition(
    lambda v: 0 <= v < 1 or (v > 0 and v == int(v)), "that is whole and >= 0, or between 0 and 1"
)


@dataclass(frozen=True, kw_only=True)
class IterativeMagnitudePruning(PrunedTraining):
    """Iterative magnitude pruning: train, prune the smallest weights, rewind, repeat.

    References
    ----------
    J. Frankle and M. Carbin, The Lottery Ticket Hypothesis, ICLR 2019, arXiv:1803.03635.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> path = IterativeMagnitudePruning(epochs=2, prune_iters=0.5)
    >>> [(nnz, fit.network.nnz) for nnz, fit in path.path(problem, [3, 9], Setting(hidden=3))]
    [(9, 9), (3, 3)]
    """

    name: ClassVar[str] = "imp"
    # The paper's code calls it so, and trains by the paper's protocol.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"pruning": {"protocol": "paper"}}
    quick: ClassVar[Mapping[str, Any]] = {**PrunedTraining.quick, "prune_iters": 0.5}

    prune_iters: float = option(
        0.1,
        "0: one pruning after training; in (0, 1): drop that fraction in each round; "
        "a whole number: that many rounds of one constant fraction",
        check=_ROUNDS,
        other=2,
    )

    @property
    def rewind(self) -> bool:
        """Whether there are rounds, each from the initial weights."""
        return self.prune_iters > 0

    def counts(self, n_params: int, nnz: int) -> list[int]:
        """Prune in rounds, or once."""
        if self.prune_iters == 0:
            return [nnz]
        if self.prune_iters < 1:
            return dense.shrinking_counts(n_params, self.prune_iters, nnz)
        return dense.geometric_counts(n_params, round(self.prune_iters), nnz)
