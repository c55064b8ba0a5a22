"""When the mask is made anew, and how sparse it then is.

A schedule gives, for every optimiser step, how much of the way to the final sparsity is left. Steps
are counted from 1, the first one that the optimiser takes; 0 is before training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from sparsefit.core.errors import OptionError
from sparsefit.core.options import Condition, Options, at_least, option

SHARE = Condition(lambda v: 0 <= v < 1, ">= 0 and < 1")


@dataclass(frozen=True, kw_only=True)
class Schedule(Options):
    """When masks are made anew.

    Examples
    --------
    >>> isinstance(Cubic(end=10), Schedule)
    True
    """

    name: ClassVar[str]

    period: int = option(10, "steps from one mask to the next", check=at_least(1))
    stop: int | None = option(
        None, "step from which the mask does not move any more; default: never", check=at_least(0)
    )

    def left(self, step: int) -> float:
        """Return how much of the way to the final sparsity is left after a step."""
        raise TypeError(f"{type(self).__name__} does not define left")

    def count(self, step: int, final: int, size: int) -> int:
        """Return how many of `size` weights are kept after a step, if `final` are in the end."""
        return final + round(self.left(step) * (size - final))

    def is_due(self, step: int) -> bool:
        """Return whether the mask is made anew after this step."""
        if self.stop is not None and step >= self.stop:
            return step == self.stop
        return step % self.period == 0

    def last_due(self, step: int) -> int:
        """Return the last step, up to this one, after which the mask was made anew.

        Examples
        --------
        >>> Linear(period=10, start=0, end=25).last_due(19), Linear(end=25).last_due(80)
        (10, 80)
        """
        if self.stop is not None:
            step = min(step, self.stop)
        while step > 0 and not self.is_due(step):
            step -= 1
        return step


@dataclass(frozen=True, kw_only=True)
class Constant(Schedule):
    """The final sparsity from the first step on.

    Examples
    --------
    >>> [step for step in range(1, 31) if Constant(period=10, stop=25).is_due(step)]
    [10, 20, 25]
    """

    name: ClassVar[str] = "constant"

    def left(self, step: int) -> float:
        """Return 0."""
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Ramp(Schedule):
    """From `initial` sparsity until step `start` to the final one from step `end` on.

    Examples
    --------
    >>> cubic = Cubic(end=100)
    >>> [round(cubic.left(step), 3) for step in (0, 50, 100)]
    [1.0, 0.125, 0.0]
    """

    start: int = option(0, "step until which the initial sparsity holds", check=at_least(0))
    end: int = option(1000, "step from which the final sparsity holds", check=at_least(0))
    initial: float = option(0.0, "sparsity before the start, if below the final one", check=SHARE)

    def __post_init__(self) -> None:
        """Ask that the steps are in order."""
        super().__post_init__()
        if self.end < self.start:
            raise OptionError("end", self.end, f"at least start, which is {self.start}")
        if self.stop is not None and self.stop < self.end:
            raise OptionError("stop", self.stop, f"at least end, which is {self.end}")

    def left(self, step: int) -> float:
        """Return 1 until `start`, 0 from `end` on, and the course between."""
        if step >= self.end:
            return 0.0
        if step <= self.start:
            return 1.0
        return self.course((step - self.start) / (self.end - self.start))

    def count(self, step: int, final: int, size: int) -> int:
        """Return how many of `size` weights are kept after a step, if `final` are in the end."""
        return super().count(step, final, max(final, round((1 - self.initial) * size)))

    def course(self, done: float) -> float:
        """Return the part that is left when the share `done` of the steps is taken."""
        raise TypeError(f"{type(self).__name__} does not define course")

    def is_due(self, step: int) -> bool:
        """Return whether the mask is made anew after this step."""
        return step == self.end or super().is_due(step)


@dataclass(frozen=True, kw_only=True)
class Linear(Ramp):
    """The same number of weights at every step.

    Examples
    --------
    >>> Linear(end=100).count(50, final=10, size=100)
    55
    """

    name: ClassVar[str] = "linear"

    def course(self, done: float) -> float:
        """Return 1 - done."""
        return 1 - done


@dataclass(frozen=True, kw_only=True)
class Cubic(Ramp):
    """Fast at first, slow towards the end (Zhu and Gupta, 2017, arXiv:1710.01878, eq. 1).

    Examples
    --------
    >>> Cubic(end=100).count(50, final=10, size=100)
    21
    """

    name: ClassVar[str] = "cubic"

    def course(self, done: float) -> float:
        """Return (1 - done)^3."""
        return (1 - done) ** 3


@dataclass(frozen=True, kw_only=True)
class Cosine(Ramp):
    """Slow at both ends.

    Examples
    --------
    >>> Cosine(end=100).count(50, final=10, size=100)
    55
    """

    name: ClassVar[str] = "cosine"

    def course(self, done: float) -> float:
        """Return (1 + cos(pi done)) / 2."""
        return (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True, kw_only=True)
class Stepwise(Ramp):
    """A few equal jumps.

    Examples
    --------
    >>> [Stepwise(end=100, jumps=4).left(step) for step in (10, 30, 80, 100)]
    [1.0, 0.75, 0.25, 0.0]
    """

    name: ClassVar[str] = "stepwise"

    jumps: int = option(5, "number of jumps", check=at_least(1))

    def course(self, done: float) -> float:
        """Return 1 - (jumps made) / jumps."""
        # A share of steps such as 0.29 is a little less than 29 of 100 jumps in floating point.
        return 1 - math.floor(done * self.jumps + 1e-9) / self.jumps


SCHEDULES: dict[str, type[Schedule]] = {
    cls.name: cls for cls in (Constant, Linear, Cubic, Cosine, Stepwise)
}
