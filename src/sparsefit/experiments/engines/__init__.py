"""Where the cells of a sweep are computed: **one file is one engine**."""

from sparsefit.experiments.engines._base import (
    Engine,
    EngineOptions,
    Work,
    WorkerOptions,
    open_engine,
)

__all__ = ["Engine", "EngineOptions", "Work", "WorkerOptions", "open_engine"]
