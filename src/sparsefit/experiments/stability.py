"""Whether other draws of the same rows give the same support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sparsefit.core.errors import SparsefitError
from sparsefit.core.network import Network
from sparsefit.core.problem import AnyProblem, Problem
from sparsefit.core.result import Fit
from sparsefit.core.setting import no_progress
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.support import Overlap, Position, found_again, support_overlap

_STREAM = 7


@dataclass(frozen=True)
class Stability:
    """How a support fares when the method is given bootstrap resamples of the rows.

    Attributes
    ----------
    found : dict of Position to float
        For each nonzero of the network, parallel units merged, the share of the resamples whose
        network has it too.
    overlaps : list of Overlap
        For each resample; the network is what was planted there.
    """

    found: dict[Position, float]
    overlaps: list[Overlap]

    @property
    def jaccard(self) -> list[float]:
        """For each resample, positions in both networks over positions in either."""
        either = [overlap.planted + overlap.found - overlap.shared for overlap in self.overlaps]
        return [
            overlap.shared / count if count else 1.0
            for overlap, count in zip(self.overlaps, either, strict=True)
        ]


def fit_again(cell: Cell, problem: AnyProblem, **changes: object) -> Fit:
    """Return what the method of a cell gives for a problem.

    Parameters
    ----------
    cell : Cell
    problem : Problem or SensingProblem
        In place of that of the cell.
    **changes
        Fields of the setting to change, such as ``progress``.

    Raises
    ------
    SparsefitError
        If the method cannot fit it.
    """
    setting = replace(cell.setting, **changes)  # type: ignore[arg-type]
    cell.method.check(problem)
    for _, fit in cell.method.path(problem, [cell.nnz or 1], setting):
        return fit
    raise SparsefitError(f"method {cell.method.name!r} gave no network")


def resampled(problem: Problem, seed: int, number: int) -> Problem:
    """Return as many rows as there are, drawn with replacement.

    Parameters
    ----------
    problem : Problem
    seed, number : int
        Of the run and of the resample; together they decide the draw.

    Examples
    --------
    >>> problem = Problem(np.arange(4.0)[:, None], np.arange(4.0)[:, None])
    >>> again = resampled(problem, 0, 1)
    >>> len(again.X), bool((again.X == again.y).all())
    (4, True)
    """
    rng = np.random.default_rng([seed, _STREAM, number])
    rows = rng.integers(len(problem.X), size=len(problem.X))
    return replace(problem, X=problem.X[rows], y=problem.y[rows])


def stability(
    cell: Cell,
    problem: AnyProblem,
    network: Network,
    resamples: int,
    progress: Callable[[float, str], None] = no_progress,
) -> Stability:
    """Fit bootstrap resamples of the rows and look for the support of a network in each.

    Parameters
    ----------
    cell : Cell
        Whose method, budget and setting are used.
    problem : Problem
        Whose rows are drawn.
    network : Network
    resamples : int
        How many, >= 1.
    progress : callable, optional
        Gets the number of resamples done, with fractions, and a message.

    Raises
    ------
    SparsefitError
        If the problem has no rows to draw from, or the method cannot fit a resample.
    """
    if not isinstance(problem, Problem):
        raise SparsefitError(
            f"--stability draws rows anew, and task {cell.task.name!r} has no rows but measurements"
        )
    counts: dict[Position, int] = {}
    overlaps = []
    for number in range(resamples):

        def report(part: float, message: str, number: int = number) -> None:
            progress(number + part, f"resample {number + 1} {message}")

        again = resampled(problem, cell.setting.seed, number)
        found = fit_again(cell, again, progress=report).network
        overlap = support_overlap(network, found)
        assert overlap is not None
        overlaps.append(overlap)
        for position, there in found_again(network, found).items():
            counts[position] = counts.get(position, 0) + there
    shares = {position: count / resamples for position, count in counts.items()}
    return Stability(shares, overlaps)
