"""Tiny tasks and methods for tests of sweeps, and a command line that knows them."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from sparsefit.core.errors import DataError, SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.options import at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.methods import Method
from sparsefit.methods import _base as methods_base
from sparsefit.tasks import Task
from sparsefit.tasks import _base as tasks_base

D = 4


@dataclass(frozen=True, kw_only=True)
class Ramp(Task):
    """One ReLU of the first input."""

    name: ClassVar[str] = "ramp"
    n: int = option(30, "rows", aliases=("nmeasurements",), check=at_least(1))
    data_dir: str | None = option(None, "where the files are")

    def load(self, setting, nnz):
        rng = np.random.default_rng(setting.seed)
        X, fresh = rng.normal(size=(2, self.n, D))
        truth = Network((Layer(np.eye(D)[:, :1]),), fused=True)
        return Problem(
            X, truth.predict(X), X_test=fresh, y_test=truth.predict(fresh), truth=truth,
            peak=1.0, info={"draw": "toy"},
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Drawn(Ramp):
    """A ramp that is drawn anew for every width and budget."""

    name: ClassVar[str] = "drawn"
    aliases: ClassVar[tuple[str, ...]] = ("old-drawn",)
    draws_truth: ClassVar[bool] = True

    def load(self, setting, nnz):
        if nnz == 13:
            raise tasks_base.SkipCell("no luck with 13")
        return super().load(setting, nnz)


@dataclass(frozen=True, kw_only=True)
class Absent(Task):
    """Its files are never there."""

    name: ClassVar[str] = "absent"

    def load(self, setting, nnz):
        raise DataError("put absent.bin into the data folder")


@dataclass(frozen=True, kw_only=True)
class Ones(Method):
    """The first nnz weights are 1; may misbehave on demand at one budget."""

    name: ClassVar[str] = "ones"
    aliases: ClassVar[tuple[str, ...]] = ("units",)
    scale: float = option(1.0, "what the weights are", check=at_least(0))
    kind: Literal["plain", "round"] = option("plain", "has no meaning")
    trouble: str | None = option(None, "raise, over, stop, hide or refuse")
    at: int = option(0, "the budget at which there is trouble")

    def check(self, problem):
        if self.trouble == "refuse":
            raise SparsefitError("method 'ones' does not fit this")

    def path(self, problem, budgets, setting):
        for nnz in budgets:
            extra = 0
            if str(nnz) == os.environ.get("TOYS_KILL_AT"):
                os.kill(os.getpid(), signal.SIGKILL)
            if str(nnz) == os.environ.get("TOYS_FILL_AT"):
                np.ones(2**28)
            if "TOYS_COUNT" in os.environ:
                with Path(os.environ["TOYS_COUNT"]).open("a") as file:
                    file.write(f"{self.name} {nnz} {setting.seed}\n")
            if nnz == self.at:
                extra = self._make_trouble()
            if self.trouble == "hide" and nnz == self.at:
                continue
            weight = np.zeros((D, setting.hidden))
            weight.ravel()[: nnz + extra] = self.scale
            yield nnz, Fit(Network((Layer(weight),), fused=True), Status.FINISHED, len(budgets))

    def fit(self, problem, nnz, setting):
        return dict(self.path(problem, [nnz], setting))[nnz]

    def _make_trouble(self):
        if self.trouble == "raise":
            raise ZeroDivisionError("toy\ntrouble")
        if self.trouble == "stop":
            raise KeyboardInterrupt
        return int(self.trouble == "over")


@dataclass(frozen=True, kw_only=True)
class Together(Ones):
    """The same, all budgets in one path, largest first."""

    name: ClassVar[str] = "together"
    aliases: ClassVar[tuple[str, ...]] = ()
    shares_path: ClassVar[bool] = True

    def path(self, problem, budgets, setting):
        return super().path(problem, sorted(budgets, reverse=True), setting)


@dataclass(frozen=True, kw_only=True)
class Full(Ones):
    """Ignores the budget."""

    name: ClassVar[str] = "full"
    aliases: ClassVar[tuple[str, ...]] = ()
    uses_budget: ClassVar[bool] = False
    default_dtype: ClassVar[str] = "float32"

    def path(self, problem, budgets, setting):
        for nnz in budgets:
            [(_, fit)] = super().path(problem, [D * setting.hidden], setting)
            yield nnz, fit


TASKS = {cls.name: cls for cls in (Absent, Drawn, Ramp)}
METHODS = {cls.name: cls for cls in (Full, Ones, Together)}


def install(set_attribute=setattr):
    """Let discovery find the toys and nothing else."""
    set_attribute(tasks_base.TASKS, "own", lambda: TASKS)
    set_attribute(methods_base.METHODS, "own", lambda: METHODS)


if __name__ == "__main__":
    # Under their module's name, so that worker processes can import the classes.
    from sparsefit.cli import main
    from tests import toys

    toys.install()
    sys.exit(main())
