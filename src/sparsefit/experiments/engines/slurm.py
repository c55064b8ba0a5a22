"""Slurm jobs, or processes that stand for them, by submitit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sparsefit.core.errors import OptionError
from sparsefit.core.sizes import bytes_of
from sparsefit.experiments.engines._base import (
    Engine,
    EngineOptions,
    Future,
    Work,
    needed,
)


class Slurm(Engine):
    """Calls made in Slurm jobs.

    Parameters
    ----------
    executor : submitit.AutoExecutor
    slots : int
        Slurm jobs at a time.
    """

    piece_seconds = None
    look_seconds = 0.5

    def __init__(self, executor: Any, slots: int):
        from submitit.core.utils import FailedJobError, UncompletedJobError

        self.killed = (UncompletedJobError, FailedJobError)
        self._executor, self.slots = executor, slots
        self._jobs: list[Any] = []

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        """Queue a Slurm job that makes a call."""
        job: Future = self._executor.submit(function, *args)
        self._jobs.append(job)
        return job

    def __exit__(self, *error: object) -> None:
        """Cancel the Slurm jobs that have not ended."""
        for job in self._jobs:
            if not job.done():
                job.cancel()


def open_engine(options: EngineOptions, work: Work) -> Engine:
    """Return what queues Slurm jobs; raise `OptionError` where there is no Slurm."""
    needed("slurm", "submitit")
    import submitit

    is_local = options.address == "local"
    if not is_local and submitit.SlurmExecutor.affinity() < 0:
        raise OptionError("engine", "slurm", "another where there is no sbatch, or --address local")
    # What Slurm jobs are told and say: beside the results, on a disk that they all see.
    executor = submitit.AutoExecutor(
        work.folder / "slurm", cluster="local" if is_local else "slurm"
    )
    executor.update_parameters(timeout_min=options.minutes, cpus_per_task=work.threads)
    if not is_local:
        executor.update_parameters(**_wanted(options))
    return Slurm(executor, min(options.workers if is_local else options.max_jobs, work.n_jobs))


def _wanted(options: EngineOptions) -> dict[str, Any]:
    """Return what Slurm alone is told."""
    memory = bytes_of(options.max_memory or "")
    wanted = {
        "slurm_partition": options.partition,
        "mem_gb": None if memory is None else math.ceil(memory / 1e9),
    }
    return {name: value for name, value in wanted.items() if value is not None}
