"""How a fit ended, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparsefit.core.network import Network


class Status(str, Enum):
    """Outcome of a fit or of a cell of a sweep.

    Examples
    --------
    >>> Status.FINISHED.message
    'ran for its full number of iterations'
    """

    CONVERGED = "converged"
    FINISHED = "finished"
    DIVERGED = "diverged"
    SKIPPED = "skipped"
    FAILED = "failed"

    @property
    def message(self) -> str:
        """One line that explains the status."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.CONVERGED: "stopped by itself: nothing left to gain",
    Status.FINISHED: "ran for its full number of iterations",
    Status.DIVERGED: "numbers became infinite; the last finite iterate is returned",
    Status.SKIPPED: "not run; the note says why",
    Status.FAILED: "stopped by an error; the note says which",
}


@dataclass(frozen=True)
class Fit:
    """A fitted network and how it came about.

    Attributes
    ----------
    network : Network
        The answer, at most the asked number of nonzeros.
    status : Status
        How the fit ended.
    n_iter : int
        Iterations (for methods of the torch world: optimizer steps) taken.
    history : tuple of float
        Training loss by iteration or epoch; may be empty.
    note : str
        One sentence for the user, where there is something to say.
    info : dict
        Further facts on the fit that go into the row, by name.

    Examples
    --------
    >>> from sparsefit import Setting, find_method, find_task
    >>> problem = find_task("planted")(n_samples=500, n_features=5).load(Setting(hidden=2), nnz=4)
    >>> [(nnz, fit)] = find_method("htp")().path(problem, [4], Setting(hidden=2))
    >>> nnz, fit.network.nnz <= 4
    (4, True)
    """

    network: Network
    status: Status
    n_iter: int
    history: tuple[float, ...] = field(default=(), repr=False)
    note: str = ""
    info: dict[str, Any] = field(default_factory=dict, repr=False)
