"""The path of the lasso, over several outputs jointly."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lasso_path


def lasso_supports(
    X: np.ndarray, y: np.ndarray, count: int = 50, tol: float = 1e-4
) -> tuple[np.ndarray, np.ndarray]:
    """Return falling penalties, and which inputs the lasso takes at each.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n, k)
        Outputs take the same inputs.
    count : int, optional
        Penalties, down to a thousandth of the first, at which all is zero.
    tol : float, optional
        See scikit-learn.

    Returns
    -------
    alphas : ndarray of shape (count,)
    taken : ndarray of bool, shape (d, count)

    Examples
    --------
    >>> X = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    >>> alphas, taken = lasso_supports(X, X[:, :1], count=3)
    >>> alphas.round(4).tolist(), taken.tolist()
    ([0.5, 0.0158, 0.0005], [[False, True, True], [False, False, False]])
    """
    X, y = X - X.mean(axis=0, dtype=np.float64), y - y.mean(axis=0, dtype=np.float64)
    largest = float(np.linalg.norm(X.T @ y, axis=1).max()) / len(X)
    alphas = (largest or 1.0) * np.geomspace(1, 1e-3, count)
    with warnings.catch_warnings():
        # The end of the path may not converge; it is long by then.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, coefs, _ = lasso_path(X, y, alphas=alphas, tol=tol)
    return alphas, (coefs != 0).any(axis=0)
