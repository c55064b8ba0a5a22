"""What recovery theorems look at, measured on the true networks of a sweep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sparsefit.core.activations import RELU
from sparsefit.core.errors import SparsefitError
from sparsefit.core.problem import Problem
from sparsefit.core.setting import no_progress
from sparsefit.experiments.activity import closest, patterns
from sparsefit.experiments.diagnosis import MOST_WEIGHTS, spectrum
from sparsefit.experiments.jobs import load_problem
from sparsefit.experiments.store import Row
from sparsefit.experiments.stored import make_cell
from sparsefit.gauss_newton.conversion import from_network

# What makes two cells have one problem.
_PROBLEM = ("task", "task_options", "hidden", "layers", "bias", "activation", "nnz", "seed", "data")


class Theory(NamedTuple):
    """What theorems ask of a problem, measured at its true network.

    Attributes
    ----------
    n : int
        Rows.
    alpha, beta : float
        Extreme eigenvalues of A_S^T A_S / n; see `sparsefit.experiments.diagnosis.spectrum`.
    least_share : float
        Of the units of the first layer that are active on some row, the least share of rows on
        which one is active.
    nearest : float or None
        The least share of rows on which two of these differ; None for fewer than two.
    """

    n: int
    alpha: float
    beta: float
    least_share: float
    nearest: float | None

    @property
    def ratio(self) -> float | None:
        """Return beta / alpha; None where alpha is 0."""
        return self.beta / self.alpha if self.alpha else None

    @property
    def facts(self) -> dict[str, int | float | None]:
        """All of it, by name."""
        return {**self._asdict(), "ratio": self.ratio}


def theory_of(problem: Problem) -> Theory | None:
    """Measure a problem; None without a true ReLU network of at most 5000 weights, or rows.

    Examples
    --------
    >>> from sparsefit.core.setting import Setting
    >>> from sparsefit.tasks import find_task
    >>> problem = find_task("planted")(n_samples=500).load(Setting(hidden=3), 9)
    >>> found = theory_of(problem)
    >>> 0 < found.alpha < found.beta, found.ratio > 1, 0.4 < found.least_share < 0.6
    (True, True, True)
    """
    truth = problem.truth
    if truth is None or truth.activation != RELU or not 0 < truth.nnz <= MOST_WEIGHTS:
        return None
    live = patterns(truth, problem.X).live
    if not len(live.units):
        return None
    extremes, near = spectrum(from_network(truth), problem.X), closest(live)
    nearest = None if near is None else near.share
    return Theory(problem.n, extremes.alpha, extremes.beta, float(live.shares.min()), nearest)


def with_theory(
    rows: Iterable[Row], data_dir: str | None = None,
    progress: Callable[[float, str], None] = no_progress,
) -> list[Row]:  # fmt: skip
    """Return the rows of problems with a true network, each with what `theory_of` measures.

    Problems are made again, once for all methods.

    Parameters
    ----------
    rows : iterable of dict
        Of results, as `sparsefit.load_rows` returns them.
    data_dir : str, optional
        Where the files of tasks are; rows do not say.
    progress : callable, optional
        Gets the share of the rows that is done, and a text.

    Raises
    ------
    SparsefitError
        If no row has a true ReLU network.
    """
    scored = [row for row in rows if row["value"] is not None]
    known: dict[str, Theory | None] = {}
    found = []
    for number, row in enumerate(scored):
        progress(number / len(scored), f"problem {len(known)}")
        key = json.dumps({name: row.get(name) for name in _PROBLEM}, sort_keys=True)
        if key not in known:
            problem = load_problem(make_cell(row, data_dir))
            known[key] = theory_of(problem) if isinstance(problem, Problem) else None
        theory = known[key]
        if theory is not None:
            found.append(row | theory.facts)
    if not found:
        raise SparsefitError(
            "no result is of a task with a true ReLU network, such as planted or teacher"
        )
    return found
