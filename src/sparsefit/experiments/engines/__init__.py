"""Where the cells of a sweep are computed: **one file is one engine**."""

from sparsefit.experiments.engines._base import Engine, EngineOptions, Work, open_engine

__all__ = ["Engine", "EngineOptions", "Work", "open_engine"]
