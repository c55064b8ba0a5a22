"""Fits whose rows several processes have parts of: one searches, and all refit what it finds.

The first process looks for networks on a draw that all have. What it finds is refitted on all rows:
it says which network, the others do the same steps on their rows, and Gram matrices, gradients and
losses are summed over all. In the end it says what it chose.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from sparsefit.core.errors import SparsefitError
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.core.team import Team
from sparsefit.estimators._ridge import with_ridge


class Found(NamedTuple):
    """A network, and what it was chosen by: see `Candidates.path`."""

    fit: Fit
    path: list[dict[str, Any]]


def refit(network: Network, problem: Problem, setting: Setting, alpha: float) -> Network:
    """Return `with_ridge` of a problem, whose other rows may be in processes that `follow`."""
    if problem.share is not None:
        how = {"alpha": alpha, "dtype": setting.dtype}
        problem.share.team.told(_packed(network, how))
    return with_ridge(network, problem, setting, alpha)


def lead(search: Callable[[], Found], team: Team) -> Found:
    """Return what a search finds, and tell it those that `follow`; they go whatever happens."""
    if team.size == 1:
        return search()
    said = b""
    try:
        found = search()
        about = {
            "path": found.path, "n_iter": found.fit.n_iter, "status": found.fit.status.value,
        }  # fmt: skip
        said = _packed(found.fit.network, about)
        return found
    finally:
        team.told(said)


def follow(problem: Problem, setting: Setting, team: Team) -> Found:
    """Refit on the rows here whatever the first process does, and return what it finds."""
    with tempfile.TemporaryDirectory(prefix="sparsefit-") as folder:
        path = Path(folder) / "network"
        while content := team.told(b""):
            path.write_bytes(content)
            network, how = Network.load_with_header(path)
            if "status" in how:
                fit = Fit(network, Status(how["status"]), how["n_iter"])
                return Found(fit, how["path"])
            with_ridge(network, problem, replace(setting, dtype=how["dtype"]), how["alpha"])
    raise SparsefitError("the process that searches has failed")


def _packed(network: Network, about: dict[str, Any]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="sparsefit-") as folder:
        path = Path(folder) / "network"
        network.save(path, about)
        return path.read_bytes()
