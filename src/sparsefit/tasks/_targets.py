"""Functions of standard normal inputs, to be learned: from rows (n, d) to values (n,), float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sparsefit.core.errors import OptionError


def total(X: np.ndarray) -> np.ndarray:
    """Return x1 + ... + xd."""
    total: np.ndarray = X.sum(axis=1)
    return total


def friedman(X: np.ndarray) -> np.ndarray:
    """Return 10 sin(pi u1 u2) + 20 (u3 - 1/2)^2 + 10 u4 + 5 u5 of u = Phi(x), uniform on [0, 1].

    References
    ----------
    J. H. Friedman, Multivariate adaptive regression splines, Annals of Statistics, 1991.
    """
    from scipy.special import ndtr

    u = ndtr(X[:, :5]).T
    waves = 10 * np.sin(np.pi * u[0] * u[1])
    target: np.ndarray = waves + 20 * (u[2] - 0.5) ** 2 + 10 * u[3] + 5 * u[4]
    return target


def sine(X: np.ndarray) -> np.ndarray:
    """Return sin(2 x1) + ... + sin(2 xd)."""
    total: np.ndarray = np.sin(2 * X).sum(axis=1)
    return total


def product(X: np.ndarray) -> np.ndarray:
    """Return x1 x2 + x3 x4 + ...; of an odd number of inputs the last has no part in it."""
    pairs = X.shape[1] // 2
    total: np.ndarray = (X[:, 0 : 2 * pairs : 2] * X[:, 1 : 2 * pairs : 2]).sum(axis=1)
    return total


def radial(X: np.ndarray) -> np.ndarray:
    """Return the length of x."""
    norms: np.ndarray = np.sqrt(np.square(X).sum(axis=1))
    return norms


@dataclass(frozen=True)
class TargetFunction:
    """A function to be learned.

    Attributes
    ----------
    function : callable
        From rows of shape (n, d) to values of shape (n,).
    least_inputs : int
        How many inputs it needs; more may go unused.
    """

    function: Callable[[np.ndarray], np.ndarray]
    least_inputs: int = 1

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return the values, float64 whatever the precision of X."""
        return self.function(X.astype(np.float64))


TARGETS: dict[str, TargetFunction] = {
    "sum": TargetFunction(total),
    "friedman": TargetFunction(friedman, least_inputs=5),
    "sine": TargetFunction(sine),
    "product": TargetFunction(product, least_inputs=2),
    "radial": TargetFunction(radial),
}


def find_target(name: str, n_features: int) -> TargetFunction:
    """Return a target by name.

    Raises
    ------
    OptionError
        If it needs more than `n_features` inputs.

    Examples
    --------
    >>> find_target("product", 3)(np.array([[2.0, 3.0, 9.0]])).tolist()
    [6.0]
    """
    target = TARGETS[name]
    if n_features < target.least_inputs:
        allowed = f"an integer >= {target.least_inputs} for target {name}"
        raise OptionError("n_features", n_features, allowed)
    return target
