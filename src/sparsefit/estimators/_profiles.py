"""Numbers that settle what "auto" is, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Folds:
    """How many folds ``folds="auto"`` is.

    Attributes
    ----------
    few_rows, folds_of_few, folds : int
        Up to `few_rows` rows, each of which tells much, there are `folds_of_few` folds; beyond,
        where a fit takes longer, `folds`. Not tuned.
    most_rows : int
        Nothing is held out of more rows than these if each fold is fitted by a method of its own:
        at few weights overfitting is no concern then. Not tuned.

    Examples
    --------
    >>> [FOLDS.count(n) for n in (1, 3, 1000, 1001, 5001)]
    [0, 3, 5, 3, 3]
    >>> FOLDS.count(5001, is_slow=True)
    0
    """

    few_rows: int = 1000
    folds_of_few: int = 5
    folds: int = 3
    most_rows: int = 5000

    def count(self, n: int, *, is_slow: bool = False) -> int:
        """Return how many folds `n` rows are cut into; 0 for none."""
        if n < 2 or (is_slow and n > self.most_rows):
            return 0
        return min(n, self.folds_of_few if n <= self.few_rows else self.folds)


@dataclass(frozen=True)
class LargestBudget:
    """The largest network that ``nnz="auto"`` considers.

    Attributes
    ----------
    targets_a_weight : int
        Targets for each weight; more weights than that fit noise. ``benchmarks/tables.py``: with a
        weight for 8 targets, a class score counting as one, no table but the smallest, wine, is
        below the dense network by more than a standard error.
    least : int
        Considered however few rows there are: validation says how many of them help. Not tuned.
    most : int
        Validation fits a network of every size below, and each step of its Gauss-Newton solver
        costs the cube of the size. ``benchmarks/tables.py``: digits, which takes all 500, is within
        a standard error of the dense network.
    """

    targets_a_weight: int = 8
    least: int = 10
    most: int = 500

    def count(self, n_targets: int, dense: int) -> int:
        """Return the weights for so many targets, of a network that has `dense` in all.

        Examples
        --------
        >>> [LARGEST_BUDGET.count(n, 900) for n in (16, 800, 8000)]
        [10, 100, 500]
        """
        return min(dense, max(self.least, n_targets // self.targets_a_weight), self.most)


FOLDS = Folds()
LARGEST_BUDGET = LargestBudget()
