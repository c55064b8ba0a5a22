"""Sweeps: cells and their identity, running them, keeping their rows, scoring them."""

from sparsefit.experiments.spec import Cell, grid
from sparsefit.experiments.store import Store, load_rows

__all__ = ["Cell", "Store", "grid", "load_rows"]
