"""The order in which rows are seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batches:
    """Row numbers of each minibatch, reshuffled every epoch.

    Parameters
    ----------
    n : int
        Rows in all.
    size : int
        Rows of a minibatch; 0 for all of them. The last one of an epoch may be smaller.
    seed : int
        Seed of the shuffling.

    Examples
    --------
    >>> [sorted(batch.tolist()) for batch in Batches(4, 0, seed=0).epoch(0)]
    [[0, 1, 2, 3]]
    """

    n: int
    size: int
    seed: int

    @property
    def full(self) -> bool:
        """Whether an epoch is one batch of all rows, in their own order."""
        return self.size == 0 or self.size >= self.n

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch."""
        return 1 if self.full else -(-self.n // self.size)

    def epoch(self, number: int) -> Iterator[np.ndarray]:
        """Yield the batches of epoch `number`; the same whenever it is asked for."""
        if self.full:
            yield np.arange(self.n)
            return
        order = np.random.default_rng([self.seed, number]).permutation(self.n)
        for start in range(0, self.n, self.size):
            yield order[start : start + self.size]
