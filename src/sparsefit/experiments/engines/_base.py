"""What an engine is: something that calls a function elsewhere, and survives if that is killed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from sparsefit.core.errors import OptionError
from sparsefit.core.options import Options, at_least, between, option
from sparsefit.core.sizes import SIZE

# Processes that an ordinary machine survives.
MOST_WORKERS = 1024
# Minutes in a Slurm job, if nothing is said.
_MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class WorkerOptions(Options):
    """How many cells are computed at a time."""

    workers: int = option(
        1, "cells computed at a time, each with --threads threads",
        check=between(1, MOST_WORKERS),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EngineOptions(WorkerOptions):
    """Where cells are computed."""

    engine: Literal["processes", "dask", "slurm"] = option(
        "processes", "what computes cells: processes of this machine, the workers of a Dask "
        "cluster, or Slurm jobs (by submitit)",
    )  # fmt: skip
    address: str | None = option(
        None, "of the scheduler of Dask, as tcp://HOST:PORT; or local, for --workers processes "
        "here in place of Dask's or Slurm's own",
    )  # fmt: skip
    max_jobs: int = option(
        16, "Slurm jobs at a time; cells are shared among them", check=at_least(1)
    )
    partition: str | None = option(None, "partition that Slurm jobs are queued in")
    minutes: int = option(_MINUTES, "time limit of a Slurm job", check=at_least(1))
    max_memory: str | None = option(
        None, "memory that the process of a cell may have, as 2GB; a cell that needs more fails, "
        "with a row that says so (Linux)", check=SIZE,
    )  # fmt: skip

    def __post_init__(self) -> None:
        """Check also what goes with which engine."""
        super().__post_init__()
        if self.engine == "processes" and self.address is not None:
            raise OptionError("address", self.address, "left out without --engine dask or slurm")
        if self.engine == "dask" and self.address is None:
            raise OptionError("address", None, "tcp://HOST:PORT, or local, with --engine dask")
        if self.engine == "slurm" and self.address not in (None, "local"):
            raise OptionError("address", self.address, "local, or left out, with --engine slurm")


class Future(Protocol):
    """A call that is made elsewhere; those of `concurrent.futures` are of this kind."""

    def done(self) -> bool:
        """Whether it has ended."""

    def result(self) -> Any:
        """Return what it gave, or raise what it raised."""


class Engine(contextlib.AbstractContextManager["Engine"]):
    """Something that makes calls elsewhere.

    Attributes
    ----------
    slots : int
        Calls at a time.
    piece_seconds : float or None
        Calls that are shorter cost more than they bring; None if each is queued for, so that there
        should be no more of them than slots.
    look_seconds : float
        Between looks at what has ended.
    killed : tuple of exception types
        What `Future.result` raises when the process of the call was killed.
    """

    slots: int
    piece_seconds: float | None
    look_seconds: float
    killed: tuple[type[BaseException], ...]

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        """Have a call made; its arguments are small, and can be pickled."""
        raise NotImplementedError

    def __exit__(self, *error: object) -> None:
        """End all calls that are still being made."""


@dataclass(frozen=True)
class Work:
    """What an engine is to be fit for.

    Attributes
    ----------
    n_jobs : int
        No more workers start than can be used.
    threads : int
        That a call computes with.
    folder : Path
        Of the results.
    """

    n_jobs: int
    threads: int
    folder: Path


def open_engine(options: EngineOptions, work: Work) -> Engine:
    """Return the engine that some options ask for.

    Raises
    ------
    OptionError
        If its package is not installed, or nobody answers at the address.
    """
    module = importlib.import_module(f"sparsefit.experiments.engines.{options.engine}")
    engine: Engine = module.open_engine(options, work)
    return engine


def needed(engine: str, package: str) -> None:
    """Raise `OptionError` unless the package of an engine is there."""
    if importlib.util.find_spec(package) is None:
        allowed = f"one whose package is there (pip install 'sparsefit[{engine}]')"
        raise OptionError("engine", engine, allowed)
