"""The models that are compared: one module is one peer, and brings its models by name.

A model is a function of the training rows and a seed; it returns how to predict, and how many
numbers it stores. Each chooses its settings on these rows alone.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
from benchmarks.front.tables import Table

Fitted = tuple[Callable[[np.ndarray], Any], int]
Model = Callable[[Table, int], Fitted]


def find() -> tuple[dict[str, Model], dict[str, str]]:
    """Return the models by name, and the packages that peers lack by the names of these."""
    models: dict[str, Model] = {}
    missing: dict[str, str] = {}
    for peer in pkgutil.iter_modules(__path__):
        try:
            models |= importlib.import_module(f"{__name__}.{peer.name}").MODELS
        except ModuleNotFoundError as error:  # noqa: PERF203 - one by one is what is asked
            missing[peer.name] = error.name or "?"
    return models, missing
