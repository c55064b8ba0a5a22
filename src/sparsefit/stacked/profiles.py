"""Numbers that settle how stacks of networks are trained, each with its reason.

What names ``benchmarks/fit_time.py`` was chosen by its scores and seconds; "not tuned" means that
one value was tried and served.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StartProfile:
    """How dense networks are trained and thinned by Adam.

    Attributes
    ----------
    batch : int
        Rows of a minibatch. Not tuned.
    epochs, least_steps, most_steps : int
        Each row is seen so often, within limits on the steps. ``benchmarks/fit_time.py``: with
        half as many, vowel loses two points of accuracy.
    rate : float
        Of Adam at first; it falls linearly to zero. Not tuned.
    memory : tuple of float
        Of Adam's two averages, short as the rate falls all the time. Not tuned.
    penalty : float
        Of the L1 norm of what feeds and leaves units at first; it falls likewise.
        ``benchmarks/fit_time.py``: .01 is too much for vowel and Friedman 1, .001 too little for
        digits.
    weights_a_unit, least_units, more_units : int
        A unit for so many weights of the budget, and some more. Not tuned.
    selected : float
        Weights that are left in the end, as a multiple of the budget: the surgeon, who looks
        closer, drops the others.
    first, last : float
        Shares of the steps between which weights are dropped, first many, then few.
    every : int
        Steps from one drop to the next. Not tuned.
    scored_rows : int
        Rows, at most, on which weights are scored. Not tuned.
    """

    batch: int = 128
    epochs: int = 150
    least_steps: int = 400
    most_steps: int = 1500
    rate: float = 0.02
    memory: tuple[float, float] = (0.9, 0.99)
    penalty: float = 0.003
    weights_a_unit: int = 5
    least_units: int = 8
    more_units: int = 4
    selected: float = 1.8
    first: float = 0.3
    last: float = 0.8
    every: int = 20
    scored_rows: int = 1024

    def steps(self, n_rows: int) -> int:
        """Return the steps on so many rows.

        Examples
        --------
        >>> [START.steps(n) for n in (100, 640, 5000)]
        [400, 750, 1500]
        """
        return min(max(self.epochs * n_rows // self.batch, self.least_steps), self.most_steps)

    def units(self, nnz: int, most: int) -> int:
        """Return the hidden units for a budget, where there may be `most`.

        Examples
        --------
        >>> START.units(100, 100), START.units(100, 4), START.units(1, 100)
        (25, 4, 8)
        """
        return min(most, max(self.least_units, nnz // self.weights_a_unit + self.more_units + 1))


@dataclass(frozen=True)
class DescentProfile:
    """How networks are refitted, and cut to fewer weights.

    Attributes
    ----------
    damping, least, most : float
        Of Levenberg-Marquardt at first, and its limits, relative to the diagonal. Not tuned.
    fall, growth : float
        Of the damping after a step that was taken, and after one that was not. Not tuned.
    least_curvature : float
        Share of the mean of the diagonal that is added to all of it: about the rounding of
        float32.
    share : float
        Of the weights that is dropped in one stage: all of those between one size and the next.
        ``benchmarks/fit_time.py``: a tenth takes half as long again and scores no better.
    most_directions : int
        Of the curvature of several outputs, at most. ``benchmarks/fit_time.py``: vowel, which has
        eleven classes, gains nothing by more.
    rows_a_weight : float
        Rows times directions for each weight. Not tuned.
    least_rows, room : int
        Rows that are multiplied at a time, so that a block of `room` numbers stays near the
        processor. They do not change the result but for rounding.
    least_block, most_blocks : int
        Columns of one product, at least, and products that the lower half of a Gram matrix is made
        of, at most. They do not change the result but for rounding.
    """

    damping: float = 1e-2
    least: float = 1e-5
    most: float = 1e4
    fall: float = 5.0
    growth: float = 8.0
    least_curvature: float = 1e-7
    share: float = 0.34
    most_directions: int = 2
    rows_a_weight: float = 14.0
    least_rows: int = 64
    room: int = 1 << 20
    least_block: int = 50
    most_blocks: int = 3


@dataclass(frozen=True)
class PathProfile:
    """How many steps each size on the way down gets.

    Attributes
    ----------
    step : float
        From one size to the next. ``benchmarks/tables.py``: finer steps find sizes whose losses
        differ by less than their standard errors.
    steps : int
        Levenberg-Marquardt steps at each size. ``benchmarks/fit_time.py``: four leave Friedman 1
        .003 short, twelve gain no more than six; one before the first size gains nothing.
    exchanged : int
        Up to so many weights, the supports are improved by exchange. ``benchmarks/fit_time.py``:
        100 takes up to a fifth longer and scores no better.
    cycles, exchange_steps : int
        Exchanges at each size, and steps within one.
    binding, more_cycles : int
        Where the largest size is best, and at most `binding`, it gets so many more exchanges.
        ``benchmarks/fit_time.py``: digits gains a point of accuracy.
    share, fewest : float, int
        Weights that an exchange adds before it drops as many: a share of the size.
    linear : int
        A linear model starts with so many times the weights of the first size, those of largest
        gain. ``benchmarks/fit_time.py``: with four times as many, digits takes a fifth longer and
        scores no better.
    """

    step: float = 2 / 3
    steps: int = 5
    exchanged: int = 60
    cycles: int = 1
    exchange_steps: int = 3
    binding: int = 100
    more_cycles: int = 3
    share: float = 0.5
    fewest: int = 3
    linear: int = 2


START = StartProfile()
DESCENT = DescentProfile()
PATH = PathProfile()
# Linear models are convex: they need neither exchanges nor many steps.
LINEAR = PathProfile(steps=3, exchanged=0)
