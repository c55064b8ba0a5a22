"""Inputs and targets of a common scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sparsefit.core.team import Share
from sparsefit.predictor import Column


@dataclass(frozen=True, eq=False)
class InputScale:
    """What is subtracted from each input, and what it is divided by.

    Attributes
    ----------
    mean, scale : ndarray of shape (d,)

    Examples
    --------
    >>> X = np.array([[1.0, 5.0], [3.0, 5.0]])
    >>> InputScale.of(X, None).apply(X).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def none(cls, n_inputs: int) -> InputScale:
        """Return the scale that leaves inputs as they are."""
        return cls(np.zeros(n_inputs), np.ones(n_inputs))

    @classmethod
    def of(cls, X: np.ndarray, weight: np.ndarray | None, share: Share | None = None) -> InputScale:
        """Return the scale that gives rows X (n, d) of weights (n,) mean 0 and variance 1.

        With a share, those of all processes, without weights.
        """
        average = partial(np.average, axis=0, weights=weight) if share is None else share.mean
        mean = average(X)
        spread = np.sqrt(average(np.square(X - mean)))
        # What is constant but for rounding is not blown up.
        constant = spread <= 1e-12 * np.abs(mean).clip(min=1e-300)
        return cls(mean, np.where(constant, 1.0, spread))

    def apply(self, X: np.ndarray) -> np.ndarray:
        """Return scaled inputs (n, d) in the precision of X; X itself if nothing changes."""
        if not self.mean.any() and (self.scale == 1).all():
            return X
        scaled: np.ndarray = ((X - self.mean) / self.scale).astype(X.dtype, copy=False)
        return scaled

    def columns(self, names: Iterable[str]) -> tuple[Column, ...]:
        """Return the inputs as a `Predictor` reads them, by their names."""
        return tuple(
            Column(name=str(name), mean=float(mean), scale=float(scale))
            for name, mean, scale in zip(names, self.mean, self.scale, strict=True)
        )


@dataclass(frozen=True, eq=False)
class TargetScale:
    """What is subtracted from each target, and what they are divided by.

    Attributes
    ----------
    means : ndarray of shape (k,)
    spread : float or ndarray of shape (k,)
        The same for all targets but for counts, of each its mean.
    """

    means: np.ndarray
    spread: float | np.ndarray

    @classmethod
    def of(
        cls, Y: np.ndarray, weight: np.ndarray | None, *, is_centred: bool, is_robust: bool
    ) -> TargetScale:
        """Return the scale of targets Y (n, k) of weights (n,).

        It is that of means and standard deviations or, if robust, of medians and of median
        absolute deviations; the means are 0 unless the targets are centred.

        Examples
        --------
        >>> Y = np.array([[1.0], [2.0], [3.0], [90.0]])
        >>> TargetScale.of(Y, None, is_centred=True, is_robust=True).apply(Y[:3]).ravel().tolist()
        [-1.0, 0.0, 1.0]
        """
        means = (_median if is_robust else _mean)(Y, weight)
        means = means if is_centred else np.zeros_like(means)
        away = Y - means
        # Relative to the largest, as squares of huge or tiny targets are no numbers.
        largest = float(abs(away).max()) or 1.0
        away = away / largest
        spread = _median(abs(away), weight) if is_robust else np.sqrt(_mean(away**2, weight))
        return cls(means, largest * float(np.sqrt(np.square(spread).mean())) or 1.0)

    @classmethod
    def of_counts(
        cls, Y: np.ndarray, weight: np.ndarray | None, *, is_centred: bool
    ) -> TargetScale:
        """Return the scale by which counts Y (n, k) have mean 1, unless they are not centred.

        Examples
        --------
        >>> Y = np.array([[1.0], [3.0]])
        >>> TargetScale.of_counts(Y, None, is_centred=True).apply(Y).ravel().tolist()
        [0.5, 1.5]
        """
        means = _mean(Y, weight)
        return cls(np.zeros_like(means), means if is_centred else np.ones_like(means))

    def apply(self, Y: np.ndarray) -> np.ndarray:
        """Return scaled targets (n, k)."""
        return np.asarray((Y - self.means) / self.spread)


def _mean(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    return np.asarray(np.average(values, axis=0, weights=weight))


def _median(values: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Return, for each column, the least value that at least half the weight is not above."""
    weight = np.ones(len(values)) if weight is None else weight
    order = np.argsort(values, axis=0)
    below = np.cumsum(weight[order], axis=0)
    half = (below >= below[-1] / 2).argmax(axis=0)
    middle = np.take_along_axis(order, half[None], axis=0)
    return np.asarray(np.take_along_axis(values, middle, axis=0)[0])
