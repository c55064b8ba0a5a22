"""Rows that a fit keeps for `partial_fit`, in memory only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sparsefit.core.errors import SparsefitError
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.estimators._online import ONLINE, Online


class Sample(NamedTuple):
    """Rows as they are fitted.

    Attributes
    ----------
    problem : Problem
        Scaled, and without repetitions.
    total : float
        Sum of the weights of the rows, as they were given.
    """

    problem: Problem
    total: float

    def drawn(self, seed: int) -> Sample:
        """Return at most `ONLINE.most_rows` of the rows, drawn at random, that stand for all."""
        # A copy, which does not keep what solvers made of the rows.
        return self._replace(problem=replace(self.problem.sample(ONLINE.most_rows, seed)))


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedRows:
    """What the state of `partial_fit` is made of, which takes p^2 numbers for p weights.

    It is made only when `partial_fit` is called. A pickle has nothing of this, so that a saved
    model is as small as what it predicts with and holds no data; copies in a process share it.

    Attributes
    ----------
    network : Network
    sample : Sample
        The rows of the fit, or a draw of them.
    setting : Setting
    free_constant : bool
        See `Online.start`.
    """

    network: Network
    sample: Sample
    setting: Setting
    free_constant: bool

    def start(self) -> Online:
        """Return the state after the fit.

        Raises
        ------
        SparsefitError
            If `partial_fit` cannot change the network.
        """
        try:
            return Online.start(
                self.network, self.sample.problem, self.setting, total=self.sample.total,
                free_constant=self.free_constant,
            )  # fmt: skip
        except SparsefitError as error:
            raise SparsefitError(f"partial_fit cannot change this network: {error}") from None

    def update(self, problem: Problem, setting: Setting, total: float) -> Online:
        """Return the state after more rows; see `Online.update`."""
        return self.start().update(problem, setting, total)

    def __deepcopy__(self, memo: Any) -> FittedRows:
        return self

    def __reduce__(self) -> Any:
        return NoRows, ()


class NoRows:
    """In place of `FittedRows` in a model that was saved after `fit`."""

    def update(self, problem: Problem, setting: Setting, total: float) -> Online:
        """Say why there is no state to update."""
        raise SparsefitError(
            "partial_fit needs the rows of the first fit, which a saved model does not hold: "
            "call partial_fit before saving, in place of fit or after it"
        )
