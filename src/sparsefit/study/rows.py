"""Rows of a study: fresh ones for every step, whoever takes it, and others to score on."""

from __future__ import annotations

import numpy as np

from sparsefit.study.config import StudyConfig
from sparsefit.tasks._targets import find_target

N_HELD_OUT = 10_000
_TRAIN_STREAM, _HELD_OUT_STREAM = 0, 1

LabelledRows = tuple[np.ndarray, np.ndarray]


def rows_of_step(config: StudyConfig, step: int) -> LabelledRows:
    """Draw the rows of a training step, which depend on nothing but the config and the step.

    Parameters
    ----------
    config : StudyConfig
    step : int
        Counted from 1.

    Returns
    -------
    tuple of ndarray
        Inputs of shape (batch_size, n_features) and noisy values of shape (batch_size, 1), float32.

    Examples
    --------
    >>> X, y = rows_of_step(StudyConfig(batch_size=3), 7)
    >>> X.shape, y.shape, bool(np.allclose(X.sum(axis=1), y[:, 0], atol=1e-5))
    ((3, 10), (3, 1), True)
    """
    return _draw(config, _TRAIN_STREAM, step, config.batch_size, config.noise)


def held_out_rows(config: StudyConfig) -> LabelledRows:
    """Draw `N_HELD_OUT` rows that no step sees, without noise."""
    return _draw(config, _HELD_OUT_STREAM, 0, N_HELD_OUT, 0.0)


def _draw(config: StudyConfig, stream: int, step: int, n: int, noise: float) -> LabelledRows:
    # Philox makes its numbers from a key and a counter, so that any step's are there at once; the
    # highest word of the counter is the step, and a draw counts up the lowest.
    key = np.array([config.seed, stream], dtype=np.uint64)
    counter = np.array([0, 0, 0, step], dtype=np.uint64)
    random = np.random.Generator(np.random.Philox(key=key, counter=counter))
    X = random.standard_normal((n, config.n_features), dtype=np.float32)
    y = find_target(config.target, config.n_features)(X)
    if noise:
        y = y + noise * random.standard_normal(n)
    return X, y.astype(np.float32)[:, None]
