"""Which weights are kept or pruned together.

A structure sees a weight of shape (outputs, inputs, *kernel) as an array of *groups*: it reshapes
the weight (`Structure.view`) so that some dimensions run over the groups and the others within one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sparsefit.core.errors import OptionError
from sparsefit.core.hard_threshold import largest
from sparsefit.core.options import Options, at_least, option

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Structure(Options):
    """How a weight is cut into groups that are kept or pruned whole.

    Attributes
    ----------
    within : tuple of int
        Dimensions of `view` that run within a group.
    needs_kernel : bool
        True if only convolutions have such groups.

    Examples
    --------
    >>> from sparsefit.nn import Rows
    >>> isinstance(Rows(), Structure)
    True
    """

    name: ClassVar[str]
    within: ClassVar[tuple[int, ...]] = ()
    needs_kernel: ClassVar[bool] = False

    @property
    def density(self) -> float | None:
        """The share of weights that is kept, where the structure settles it."""
        return None

    def view(self, shape: Shape) -> Shape:
        """Return the shape that the weight is seen in."""
        return shape

    def check(self, shape: Shape, layer: str) -> None:
        """Raise `OptionError` if a weight of this shape has no such groups.

        Parameters
        ----------
        shape : tuple of int
        layer : str
            What the weight is called in the message.
        """
        if len(shape) < 2 and self.within:
            raise OptionError("structure", self.name, f"unstructured for the vector {layer}")
        if self.needs_kernel and len(shape) < 3:
            raise OptionError(
                "structure", self.name, f"one that {layer} has, which is no convolution"
            )

    def group_shape(self, shape: Shape) -> Shape:
        """Return the shape of the array of groups."""
        view = self.view(shape)
        return tuple(size for dim, size in enumerate(view) if dim not in self.within)

    def group_size(self, shape: Shape) -> int:
        """Return how many weights a group has."""
        return math.prod(shape) // math.prod(self.group_shape(shape))

    def pool(self, values: Tensor) -> Tensor:
        """Return the mean of every group, in the shape of the groups."""
        return self._over_groups(values, torch.mean)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of every group, in the shape of the groups."""
        return self._over_groups(values, torch.sum)

    def _over_groups(self, values: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
        if not self.within:
            return values
        return reduce(values.reshape(self.view(tuple(values.shape))), dim=self.within)

    def scale(self, values: Tensor, factors: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Multiply every weight by its group's factor.

        Parameters
        ----------
        values : Tensor
            In the shape of the weight.
        factors : Tensor
            In the shape of the groups.
        out : Tensor, optional
            Contiguous; what the product is put into.

        Examples
        --------
        >>> Rows().scale(torch.ones(2, 3), torch.tensor([1.0, 0.0])).tolist()
        [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
        """
        if not self.within:
            return torch.mul(values, factors, out=out)
        for dim in self.within:
            factors = factors.unsqueeze(dim)
        shape = tuple(values.shape)
        view = self.view(shape)
        place = None if out is None else out.view(view)
        return torch.mul(values.reshape(view), factors, out=place).reshape(shape)

    def expand(self, kept: Tensor, shape: Shape) -> Tensor:
        """Return a mask of groups in the shape of the weight, bool like the mask.

        Examples
        --------
        >>> Rows().expand(torch.tensor([True, False]), (2, 3)).tolist()
        [[True, True, True], [False, False, False]]
        """
        # Products with bytes are several times faster than with booleans.
        ones = torch.ones(shape, dtype=torch.uint8, device=kept.device)
        return self.scale(ones, kept.view(torch.uint8)).bool()

    def select(self, importance: Tensor, keep: int) -> Tensor:
        """Mark the groups to keep: the most important ones, ties to the lowest position.

        Parameters
        ----------
        importance : Tensor
            In the shape of the groups.
        keep : int
            How many groups.

        Returns
        -------
        Tensor of bool
            In the shape of the groups.
        """
        return largest(importance.reshape(-1), keep).view_as(importance)

    def attainable(self, shape: Shape, keep: int) -> int:
        """Return the largest number of kept weights that is possible and at most `keep`."""
        size = self.group_size(shape)
        return keep // size * size


@dataclass(frozen=True, kw_only=True)
class Unstructured(Structure):
    """Every weight by itself.

    Examples
    --------
    >>> Unstructured().name
    'unstructured'
    """

    name: ClassVar[str] = "unstructured"


@dataclass(frozen=True, kw_only=True)
class Rows(Structure):
    """Whole rows of a weight: the units of a linear layer, the output channels of a convolution.

    Examples
    --------
    >>> from sparsefit.nn import prune
    >>> layer = prune(torch.nn.Linear(8, 4), sparsity=0.5, structure=Rows())
    >>> int((layer.weight != 0).any(dim=1).sum())
    2
    """

    name: ClassVar[str] = "rows"
    within: ClassVar[tuple[int, ...]] = (1,)

    def view(self, shape: Shape) -> Shape:
        """Return (outputs, the rest)."""
        return shape[0], math.prod(shape[1:])


@dataclass(frozen=True, kw_only=True)
class Columns(Structure):
    """Whole columns of a weight: the inputs of a linear layer, the input channels of another.

    Examples
    --------
    >>> from sparsefit.nn import prune
    >>> layer = prune(torch.nn.Linear(8, 4), sparsity=0.5, structure=Columns())
    >>> int((layer.weight != 0).any(dim=0).sum())
    4
    """

    name: ClassVar[str] = "columns"
    within: ClassVar[tuple[int, ...]] = (0, 2)

    def view(self, shape: Shape) -> Shape:
        """Return (outputs, inputs, kernel)."""
        return shape[0], shape[1], math.prod(shape[2:])


@dataclass(frozen=True, kw_only=True)
class Channels(Rows):
    """Whole output channels of a convolution.

    Examples
    --------
    >>> from sparsefit.nn import prune
    >>> layer = prune(torch.nn.Conv2d(2, 8, 3), sparsity=0.75, structure=Channels())
    >>> int((layer.weight.flatten(1) != 0).any(dim=1).sum())
    2
    """

    name: ClassVar[str] = "channels"
    needs_kernel: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Kernels(Structure):
    """Whole kernels of a convolution: all weights between an input and an output channel.

    Examples
    --------
    >>> from sparsefit.nn import prune
    >>> layer = prune(torch.nn.Conv2d(2, 8, 3), sparsity=0.75, structure=Kernels())
    >>> int((layer.weight.flatten(2) != 0).any(dim=2).sum())
    4
    """

    name: ClassVar[str] = "kernels"
    within: ClassVar[tuple[int, ...]] = (2,)
    needs_kernel: ClassVar[bool] = True

    def view(self, shape: Shape) -> Shape:
        """Return (outputs, inputs, kernel)."""
        return shape[0], shape[1], math.prod(shape[2:])


@dataclass(frozen=True, kw_only=True)
class Blocks(Structure):
    """Blocks of `rows` x `columns` of the weight seen as a matrix (outputs, the rest).

    Examples
    --------
    >>> Blocks(rows=2, columns=2).group_shape((4, 6))
    (2, 3)
    """

    name: ClassVar[str] = "blocks"
    within: ClassVar[tuple[int, ...]] = (1, 3)

    rows: int = option(4, "outputs of a block", check=at_least(1))
    columns: int = option(4, "inputs of a block", check=at_least(1))

    def view(self, shape: Shape) -> Shape:
        """Return (rows of blocks, rows of a block, columns of blocks, columns of a block)."""
        n_rows, n_columns = shape[0], math.prod(shape[1:])
        return n_rows // self.rows, self.rows, n_columns // self.columns, self.columns

    def check(self, shape: Shape, layer: str) -> None:
        """Ask that the blocks tile the weight."""
        super().check(shape, layer)
        for name, size in (("rows", shape[0]), ("columns", math.prod(shape[1:]))):
            if size % getattr(self, name):
                raise OptionError(name, getattr(self, name), f"a divisor of {size}, for {layer}")


@dataclass(frozen=True, kw_only=True)
class NM(Structure):
    """At most `n` of every `m` consecutive inputs of a unit, as sparse matrix hardware asks.

    The final sparsity is 1 - n / m in every layer, whatever the allocation; a schedule passes
    through the whole numbers from m to n.

    Examples
    --------
    >>> NM(n=1, m=2).select(torch.tensor([[3.0, 2.0, 0.0, 1.0]]), 2).tolist()
    [[True, False, False, True]]
    """

    name: ClassVar[str] = "n:m"

    n: int = option(2, "how many of m consecutive weights are kept", check=at_least(1))
    m: int = option(4, "how many consecutive weights share n places", check=at_least(1))

    def __post_init__(self) -> None:
        """Ask that n is at most m."""
        super().__post_init__()
        if self.n > self.m:
            raise OptionError("n", self.n, f"at most m, which is {self.m}")

    @property
    def density(self) -> float:
        """The share of weights that is kept."""
        return self.n / self.m

    def check(self, shape: Shape, layer: str) -> None:
        """Ask that m divides the inputs of a unit."""
        if len(shape) < 2:
            raise OptionError("structure", self.name, f"unstructured for the vector {layer}")
        n_inputs = math.prod(shape[1:])
        if n_inputs % self.m:
            raise OptionError("m", self.m, f"a divisor of {n_inputs}, the inputs of {layer}")

    def select(self, importance: Tensor, keep: int) -> Tensor:
        """Mark as many of every m as `keep` allows."""
        rows = importance.reshape(-1, self.m)
        per_row = min(max(keep // len(rows), 0), self.m)
        # A stable sort leaves ties in the order of their positions.
        order = rows.argsort(dim=1, descending=True, stable=True)[:, :per_row]
        kept = torch.zeros_like(rows, dtype=torch.bool).scatter_(1, order, True)
        return kept.view_as(importance)

    def attainable(self, shape: Shape, keep: int) -> int:
        """Return the largest multiple of the number of groups of m that is at most `keep`."""
        n_rows = math.prod(shape) // self.m
        return min(keep // n_rows, self.m) * n_rows


@dataclass(frozen=True, kw_only=True)
class Transposed(Structure):
    """A structure of weights stored as (inputs, outputs, *kernel): of transposed convolutions.

    Attributes
    ----------
    inner : Structure
        That of the weight as (outputs, inputs, *kernel).

    Examples
    --------
    >>> Transposed(inner=Rows()).group_shape((2, 3, 5, 5))
    (3,)
    """

    name: ClassVar[str] = "transposed"

    inner: Structure

    def __post_init__(self) -> None:
        """Check nothing: the structure has checked its own options."""

    @property
    def density(self) -> float | None:
        """That of the structure."""
        return self.inner.density

    def check(self, shape: Shape, layer: str) -> None:
        """Check as the structure does."""
        self.inner.check(_swapped(shape), layer)

    def group_shape(self, shape: Shape) -> Shape:
        """Return the shape of the array of groups."""
        return self.inner.group_shape(_swapped(shape))

    def _over_groups(self, values: Tensor, reduce: Callable[..., Tensor]) -> Tensor:
        return self.inner._over_groups(values.transpose(0, 1), reduce)

    def scale(self, values: Tensor, factors: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Multiply every weight by its group's factor."""
        scaled = self.inner.scale(values.transpose(0, 1), factors).transpose(0, 1)
        return scaled if out is None else out.copy_(scaled)

    def select(self, importance: Tensor, keep: int) -> Tensor:
        """Mark the groups to keep."""
        return self.inner.select(importance, keep)

    def attainable(self, shape: Shape, keep: int) -> int:
        """Return the largest number of kept weights that is possible and at most `keep`."""
        return self.inner.attainable(_swapped(shape), keep)


def _swapped(shape: Shape) -> Shape:
    return shape[1], shape[0], *shape[2:]


STRUCTURES: dict[str, type[Structure]] = {
    cls.name: cls for cls in (Unstructured, Blocks, Rows, Columns, Channels, Kernels, NM)
}


def parse_structure(text: str) -> Structure:
    """Return the structure that a text stands for: a name, blocks as 4x4, or n:m as 2:4.

    Raises
    ------
    OptionError
        If it stands for none.

    Examples
    --------
    >>> parse_structure("rows"), parse_structure("2x8"), parse_structure("2:4")
    (Rows(), Blocks(rows=2, columns=8), NM(n=2, m=4))
    """
    numbers = re.fullmatch(r"(\d+)([x:])(\d+)", text)
    if numbers:
        first, second = int(numbers[1]), int(numbers[3])
        if numbers[2] == "x":
            return Blocks(rows=first, columns=second)
        return NM(n=first, m=second)
    if text not in STRUCTURES:
        names = [name for name in STRUCTURES if name != NM.name]
        allowed = f"one of {', '.join(names)}, blocks as 4x4, or n:m as 2:4"
        raise OptionError("structure", text, allowed)
    return STRUCTURES[text]()
