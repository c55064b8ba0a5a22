"""The workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparsefit.core.errors import OptionError
from sparsefit.experiments.engines._base import Engine, EngineOptions, Future, Work, needed

# Seconds that the scheduler has to answer.
_TIMEOUT = 10


class Dask(Engine):
    """Calls made by a `distributed.Client`.

    Parameters
    ----------
    client : distributed.Client
    cluster : distributed.LocalCluster or None
        What is ended with it.
    """

    piece_seconds = 1.0
    look_seconds = 0.01

    def __init__(self, client: Any, cluster: Any):
        from distributed.scheduler import KilledWorker

        self.killed = (KilledWorker,)
        self._client, self._cluster = client, cluster
        self.slots = max(1, sum(client.nthreads().values()))

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        """Have a call made by whichever worker is free; each is made, however alike."""
        call: Future = self._client.submit(function, *args, pure=False)
        return call

    def __exit__(self, *error: object) -> None:
        """Give up what is still being computed."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def open_engine(options: EngineOptions, work: Work) -> Engine:
    """Return the workers at an address; raise `OptionError` if nobody is there."""
    needed("dask", "distributed")
    import dask
    from distributed import Client, LocalCluster

    # A call whose worker is killed is made once more, alone: it need not be tried thrice before.
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        if options.address == "local":
            cluster = LocalCluster(
                n_workers=min(options.workers, work.n_jobs), threads_per_worker=1, processes=True,
                dashboard_address=":0", silence_logs=50,
            )  # fmt: skip
            return Dask(Client(cluster), cluster)
    try:
        return Dask(Client(options.address, timeout=_TIMEOUT), None)
    except (OSError, ValueError) as error:
        allowed = f"the address of a scheduler that answers within {_TIMEOUT} s"
        raise OptionError("address", options.address, allowed) from error
