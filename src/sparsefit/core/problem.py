"""Data to fit, and how a fit is scored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sparsefit.core.errors import DataError
from sparsefit.core.file_rows import FileRows, Rows, chunks, mean_square
from sparsefit.core.team import Share, Team

if TYPE_CHECKING:
    from sparsefit.core.network import Network

Loss = Literal["squared", "huber", "poisson", "logistic", "softmax"]
Metric = Literal["psnr", "accuracy", "r2", "relative-error"]


@dataclass(frozen=True)
class Problem:
    """Rows to fit with a network.

    Attributes
    ----------
    X : ndarray or FileRows of shape (n, d)
        Training inputs, float32 or float64; in files, they stand for an array (``X[a:b]``).
    y : ndarray
        Softmax: shape (n,), int64 class numbers. Other losses: shape (n, k), floats (for logistic,
        and for accuracy under the squared loss, 0 or 1 with k = 1).
    loss : {"squared", "huber", "poisson", "logistic", "softmax"}
        What training minimises; "huber" takes residuals beyond 1 by their size, not its square;
        "poisson" is half the deviance of counts, of whose mean the outputs are the logarithm.
    metric : {"psnr", "accuracy", "r2"}
        What is reported.
    X_test, y_test : ndarray or None
        Fresh rows; None where the task has none, as in fitting one image.
    n_classes : int
        Number of classes; 0 for regression.
    peak : float
        The largest ``|y|``, which PSNR is relative to.
    truth : Network or None
        The planted network.
    image_shape : tuple of int
        Shape in which a column of outputs is an image, or empty.
    info : dict
        Facts on the data that go into the row, by name.
    sample_weight : ndarray of shape (n,), optional
        What each row counts for, > 0; a row of weight 2 is as good as two.
    share : Share, optional
        Which rows of a whole X and y are; default: all.

    Raises
    ------
    DataError
        If X or y hold NaN or infinity, or their lengths differ.

    Examples
    --------
    >>> problem = Problem(np.zeros((3, 2)), np.ones((3, 1)))
    >>> problem.n_features, problem.n_outputs
    (2, 1)
    """

    X: np.ndarray
    y: np.ndarray
    loss: Loss = "squared"
    metric: Metric = "psnr"
    X_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    n_classes: int = 0
    peak: float = 1.0
    truth: Network | None = None
    image_shape: tuple[int, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    sample_weight: np.ndarray | None = None
    share: Share | None = None
    # What a solver made of these very rows, so that it need not be made again; never copied.
    layouts: dict[tuple[Any, ...], Any] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be made again."""
        return {**self.__dict__, "layouts": {}}

    def __post_init__(self) -> None:
        """Refuse numbers that no method can use."""
        for name, x, y in (("", self.X, self.y), ("_test", self.X_test, self.y_test)):
            if x is None or y is None:
                continue
            if len(x) != len(y):
                raise DataError(f"X{name} has {len(x)} rows and y{name} has {len(y)}")
            for label, array in ((f"X{name}", x), (f"y{name}", y)):
                if not _is_finite(array):
                    raise DataError(f"{label} holds NaN or infinity")

    @property
    def relative_weight(self) -> np.ndarray | None:
        """`sample_weight` over its mean."""
        return (
            None if self.sample_weight is None else self.sample_weight / self.sample_weight.mean()
        )

    def take(self, index: np.ndarray) -> Problem:
        """Return the problem on some of its rows.

        Examples
        --------
        >>> Problem(np.eye(3), np.ones((3, 1))).take(np.array([0, 2])).X.shape
        (2, 3)
        """
        weight = None if self.sample_weight is None else self.sample_weight[index]
        return replace(self, X=self.X[index], y=self.y[index], sample_weight=weight)

    def sample(self, count: int, seed: int) -> Problem:
        """Return the problem on at most `count` of its rows, drawn at random, in their order.

        Examples
        --------
        >>> Problem(np.eye(9), np.ones((9, 1))).sample(2, seed=0).X.shape
        (2, 9)
        """
        if self.n <= count:
            return self if self.share is None else self._gathered(np.arange(self.n))
        random = np.random.default_rng(seed)
        index = np.sort(random.choice(self.n, count, replace=False))
        return self.take(index) if self.share is None else self._gathered(index)

    @property
    def n(self) -> int:
        """Rows in all, those of other processes included."""
        return len(self.X) if self.share is None else self.share.n

    def part(self, team: Team) -> Problem:
        """Return the problem on the rows that are this process's among all, of which it is one.

        Examples
        --------
        >>> problem = Problem(np.eye(5), np.ones((5, 1)))
        >>> [len(problem.part(Team(rank, 2)).X) for rank in (0, 1)]
        [2, 3]
        """
        if team.size == 1:
            return self
        own = team.part_of(len(self.X))
        X: Any = self.X.part(own) if isinstance(self.X, FileRows) else self.X[own]
        share = Share(team, own.start, len(self.X))
        return replace(self, X=X, y=self.y[own], share=share)

    @property
    def negative_share(self) -> float:
        """Share of the targets' sum of squares, of rows of all processes, that negative ones have.

        Examples
        --------
        >>> Problem(np.eye(2), np.array([[2.0], [-1.0]])).negative_share
        0.2
        """
        squares = np.square(self.y, dtype=float)
        own = np.array([[squares[self.y < 0].sum(), squares.sum()]])
        below, whole = (own if self.share is None else self.share.gathered(own)).sum(axis=0)
        return float(below / whole) if whole else 0.0

    def _gathered(self, index: np.ndarray) -> Problem:
        """Return some rows, by their numbers among all, in every process."""
        share = self.share
        assert share is not None
        own = share.own(index, len(self.X))
        X, y = share.gathered(self.X[own]), share.gathered(self.y[own])
        return replace(self, X=X, y=y, share=None)

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return int(self.X.shape[1])

    @property
    def n_outputs(self) -> int:
        """Outputs k of the network."""
        return self.n_classes if self.loss == "softmax" else int(self.y.shape[1])

    @property
    def targets(self) -> np.ndarray:
        """What outputs are to come to, (n, n_outputs): y, or for classes 1 at that of the row."""
        return np.eye(self.n_classes)[self.y] if self.loss == "softmax" else self.y

    def input_scale(self, rms: float) -> float:
        """Return the factor that brings the root mean square of X nearest to `rms`.

        It is a power of 4: such a factor rounds nothing, and inputs that are within a factor of
        two of `rms` stay exactly as they are.

        Examples
        --------
        >>> problem = Problem(np.full((2, 3), 200.0), np.zeros((2, 1)))
        >>> problem.input_scale(1.0), problem.input_scale(128.0)
        (0.00390625, 1.0)
        """
        present = math.sqrt(self._mean_square())
        return 4.0 ** round(math.log(rms / present, 4)) if present else 1.0

    def _mean_square(self) -> float:
        own = mean_square(self.X)
        if self.share is None:
            return own
        return float(self.share.gathered(np.array([own * len(self.X)])).sum()) / self.n


def _is_finite(array: Rows) -> bool:
    """Whether all numbers are; those of files are looked at once."""
    if isinstance(array, FileRows) and array.is_finite:
        return True
    # A sum is finite exactly if all terms are, short of overflow, and needs no copy.
    finite = all(
        np.isfinite(chunk.sum()) or bool(np.isfinite(chunk).all()) for chunk in chunks(array)
    )
    if isinstance(array, FileRows) and finite:
        array.note_finite()
    return finite


@dataclass(frozen=True)
class SensingProblem:
    """A sparse vector seen through a Gaussian matrix that is drawn column by column.

    Attributes
    ----------
    measurements : ndarray of shape (n,)
        A x for the true vector x.
    length : int
        Length of x.
    seed : int
        Seed of the columns of A.
    support : ndarray of int
        Where x is nonzero.
    values : ndarray
        The values there.
    """

    measurements: np.ndarray
    length: int
    seed: int
    support: np.ndarray
    values: np.ndarray
    metric: Metric = "relative-error"
    info: dict[str, Any] = field(default_factory=dict)


AnyProblem = Problem | SensingProblem
