"""From dense networks, or linear ones, to ever smaller ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sparsefit.stacked.descent import contract, refit
from sparsefit.stacked.growth import exchange
from sparsefit.stacked.nets import Stack
from sparsefit.stacked.objective import StackObjective
from sparsefit.stacked.profiles import PATH, PathProfile


def falling_sizes(nnz: int) -> list[int]:
    """Return `nnz` and smaller sizes, to 1.

    Examples
    --------
    >>> falling_sizes(10)
    [10, 6, 4, 2, 1]
    """
    sizes = [nnz]
    while sizes[-1] > 1:
        sizes.append(int(PATH.step * sizes[-1]))
    return sizes


def shrink(
    stack: Stack, objective: StackObjective, sizes: Sequence[int], effort: PathProfile = PATH
) -> Iterator[tuple[int, Stack]]:
    """Drop weights by the surgeon and refit the others, size by size.

    Parameters
    ----------
    stack : Stack
    objective : StackObjective
    sizes : sequence of int
        Falling.
    effort : PathProfile, optional

    Yields
    ------
    size : int
    stack : Stack
        Networks of at most `size` weights.
    """
    for size in sizes:
        stack = contract(stack, objective, size).compact()
        stack = refit(stack, objective, effort.steps)
        if size <= effort.exchanged:
            stack = exchange(stack, objective, size)
        yield size, stack
