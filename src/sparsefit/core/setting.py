"""What every method is told beside the data and the budget."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field, replace
from typing import Any, Literal

from sparsefit.core.activations import ACTIVATION, Activation, ActivationName, activation_named
from sparsefit.core.options import Options, at_least, between, option
from sparsefit.core.sizes import SIZE, bytes_of

# Enough for the patterns and support columns of a thousand units on 50000 rows; with torch
# itself, hundreds of millions of candidate weights stay well below a gigabyte.
MEMORY_MB = 320
# NumPy's old generator, which the paper's draws are made with, takes 32 bits; tasks add to it.
LARGEST_SEED = 2**31 - 1
# Above what any machine gains from; each thread takes memory and a process id.
MOST_THREADS = 1024


def no_progress(fraction: float, message: str) -> None:
    """Ignore progress."""


@dataclass(frozen=True, kw_only=True)
class Setting(Options):
    """Architecture, random seed and machine of one fit.

    Examples
    --------
    >>> Setting(hidden=50, seed=1).layers
    1
    """

    hidden: int = option(100, "hidden units in each hidden layer, m", check=at_least(1))
    layers: int = option(1, "number of hidden layers", aliases=("num-layers",), check=at_least(1))
    bias: bool = option(False, "give every hidden unit a bias, counted in the budget")
    skip: bool = option(
        False, "a skip connection, linear from the inputs to the outputs, counted in the budget"
    )
    activation: ActivationName = option(
        "relu", "what hidden units make of their sums", check=ACTIVATION, later=True,
    )  # fmt: skip
    seed: int = option(
        0, "random seed of the data draw and of the method", check=between(0, LARGEST_SEED)
    )
    dtype: Literal["float32", "float64"] | None = option(
        None, "precision of the computation; default: the method's own"
    )
    device: str = option("cpu", "torch device: cpu, cuda, cuda:N or mps")
    threads: int = option(
        1,
        "computing threads per cell; sums are rounded in another order when it changes",
        check=between(1, MOST_THREADS),
    )
    memory: str = option(
        f"{MEMORY_MB}MB",
        "room for temporary arrays, and for rows that are in files; results do not depend on it",
        aliases=("memory-mb",),
        check=SIZE,
    )
    # What `memory` was called; it goes with the next minor version.
    memory_mb: InitVar[int | None] = None
    progress: Callable[[float, str], None] = field(default=no_progress, compare=False)
    # Gets a `Network` after every iteration, where the method shows them and someone asks: making
    # one costs. It is named `Any` as its module loads scipy, which ``--help`` does without.
    observe: Callable[[Any], None] | None = field(default=None, compare=False)

    def __post_init__(self, memory_mb: int | None) -> None:
        """Check the options; take the old name of one."""
        if memory_mb is not None:
            warnings.warn("memory_mb is called memory now, as memory='9MB'", DeprecationWarning, 3)
            object.__setattr__(self, "memory", f"{memory_mb}MB")
        super().__post_init__()

    @property
    def nonlinearity(self) -> Activation:
        """What `activation` stands for."""
        return activation_named(self.activation)

    @property
    def memory_bytes(self) -> int:
        """What `memory` stands for."""
        return bytes_of(self.memory) or 0

    def part(self, start: float, stop: float) -> Setting:
        """Return the setting of a part of the fit, whose progress goes from `start` to `stop`.

        Examples
        --------
        >>> setting = Setting(progress=lambda fraction, message: print(fraction, message))
        >>> setting.part(0.5, 1.0).progress(0.5, "half of the second half")
        0.75 half of the second half
        """

        def progress(fraction: float, message: str) -> None:
            self.progress(start + (stop - start) * fraction, message)

        return replace(self, progress=progress)
