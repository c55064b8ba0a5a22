"""What theorems on exact recovery ask for, and what the data and a network have of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sparsefit.core.memory import ROWS_PER_TILE
from sparsefit.core.network import Network

# The theorem takes any share above zero and pays with its constants: below this, dearly.
LEAST_SHARE = 0.05
MOST_INPUTS = 5000
# (1 + delta) / (1 - delta) for delta = 1/3 and 1/sqrt(3).
GRADES_RATIO, HTP_RATIO = 2.0, 2 + math.sqrt(3)
# Largest share by which extreme eigenvalues of few rows may be further apart than those of many.
_FLUCTUATION = 1.2
_SIGMAS = 5.0


class Assumption(NamedTuple):
    """One assumption.

    Attributes
    ----------
    name : str
    value : float or None
        What was measured; None where it could not be.
    limit : str
        What it should be.
    holds : bool or None
    """

    name: str
    value: float | None
    limit: str
    holds: bool | None


@dataclass(frozen=True)
class Inputs:
    """Second moments of the training inputs.

    Attributes
    ----------
    n, d : int
    least, largest : float or None
        Extreme eigenvalues of X^T X / n; None for more than `MOST_INPUTS` inputs.
    mean : float
        The largest mean of an input, relative to its root mean square.
    shared : int
        Inputs that feed more than one unit of the first hidden layer.
    used : int
        Inputs that feed any.
    """

    n: int
    d: int
    least: float | None
    largest: float | None
    mean: float
    shared: int
    used: int

    @classmethod
    def measure(cls, X: np.ndarray, network: Network) -> Inputs:
        """Measure rows, and which of their columns a network uses.

        Examples
        --------
        >>> from sparsefit.core.layer import Layer
        >>> network = Network((Layer(np.array([[1.0, 1.0], [0.0, 1.0]])),), fused=True)
        >>> found = Inputs.measure(np.array([[3.0, 0.0], [0.0, 1.0]]), network)
        >>> found.least, found.largest, found.shared, found.used
        (0.5, 4.5, 1, 2)
        """
        n, d = X.shape
        size = np.sqrt(np.mean(np.square(X, dtype=np.float64), axis=0))
        mean = np.abs(X.mean(axis=0, dtype=np.float64))
        mean = np.divide(mean, size, out=np.zeros(d), where=size > 0).max()
        least, largest = _extremes(X) if d <= MOST_INPUTS else (None, None)
        feeds = (network.layers[0].weight != 0).sum(axis=1)
        shared, used = int((feeds > 1).sum()), int((feeds > 0).sum())
        return cls(n, d, least, largest, float(mean), shared, used)

    @property
    def ratio(self) -> float | None:
        """Largest over least eigenvalue; None if the least is zero."""
        return self.largest / self.least if self.least and self.largest else None


def _extremes(X: np.ndarray) -> tuple[float, float]:
    gram = np.zeros((X.shape[1], X.shape[1]))
    for start in range(0, len(X), ROWS_PER_TILE):
        block = X[start : start + ROWS_PER_TILE].astype(np.float64)
        gram += block.T @ block
    values = np.linalg.eigvalsh(gram / len(X))
    return cut(float(values[0]), float(values[-1]), len(gram)), float(values[-1])


def cut(least: float, largest: float, size: int) -> float:
    """Return the least eigenvalue of a Gram matrix, or 0 where it is but rounding.

    Parameters
    ----------
    least, largest : float
    size : int
        Of the matrix.

    Examples
    --------
    >>> cut(1e-17, 1.0, 10), cut(0.5, 1.0, 10)
    (0.0, 0.5)
    """
    return least if least > size * np.finfo(float).eps * largest else 0.0


def check_all(
    network: Network,
    inputs: Inputs,
    shares: Sequence[float],
    apart: float | None,
    extremes: tuple[float, float] | None,
) -> list[Assumption]:
    """Compare what was measured with what the theorems ask for.

    All of it is necessary at best: the theorems speak of every small support, and here there is
    the one that was found.

    Parameters
    ----------
    network : Network
    inputs : Inputs
    shares : sequence of float
        For each live unit the share of rows on which it is active.
    apart : float or None
        Share of rows on which the nearest two patterns differ.
    extremes : tuple of float or None
        alpha and beta, the extreme eigenvalues of A_S^T A_S / n.
    """
    most = 1 - LEAST_SHARE
    alpha, beta = extremes or (None, None)
    ratio = beta / alpha if alpha and beta is not None else None
    few = _isotropic_limit(inputs.n, inputs.d)
    return [
        _at_most("hidden layers", len(network.hidden_layers), 1),
        _at_most("outputs", network.n_outputs, 1),
        _at_least("least share of rows of a live unit", min(shares, default=None), LEAST_SHARE),
        _at_most("largest share of rows of a live unit", max(shares, default=None), most),
        _at_least("share of rows on which the nearest units differ", apart, LEAST_SHARE),
        Assumption("alpha: columns on the support independent", alpha, "> 0", _positive(alpha)),
        _below("beta / alpha: gradient descent with sparsification", ratio, GRADES_RATIO, alpha),
        _below("beta / alpha: hard thresholding pursuit", ratio, HTP_RATIO, alpha),
        _at_most("largest mean of an input, in its own size", inputs.mean, _SIGMAS / inputs.n**0.5),
        _below("ratio of the extreme eigenvalues of X^T X / n", inputs.ratio, few, inputs.least),
    ]


def _isotropic_limit(n: int, d: int) -> float:
    """Return how far apart the eigenvalues of isotropic Gaussian rows are (Bai and Yin, 1993)."""
    edge = math.sqrt(d / n)
    return _FLUCTUATION * ((1 + edge) / (1 - edge)) ** 2 if edge < 1 else math.inf


def _positive(value: float | None) -> bool | None:
    return None if value is None else value > 0


def _at_least(name: str, value: float | None, limit: float) -> Assumption:
    return Assumption(name, value, f">= {limit:.4g}", None if value is None else value >= limit)


def _at_most(name: str, value: float | None, limit: float) -> Assumption:
    return Assumption(name, value, f"<= {limit:.4g}", None if value is None else value <= limit)


def _below(name: str, value: float | None, limit: float, least: float | None) -> Assumption:
    """Assumption a ratio of eigenvalues, which has no value where the least of them is zero."""
    holds = value < limit if value is not None else (False if least == 0 else None)
    return Assumption(name, value, f"< {limit:.4g}", holds)
