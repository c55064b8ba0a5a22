"""Linear layers and convolutions with a budget."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, nn

from sparsefit.nn.masked import Masked
from sparsefit.nn.masking import sparsify
from sparsefit.nn.masks import MaskRule
from sparsefit.nn.schedules import Schedule
from sparsefit.nn.stored import STORED_CLASSES, Stored, StoredLinear
from sparsefit.nn.structure import Structure
from sparsefit.nn.targets import masked_weights


class _SparseLayer:
    """What sparse layers add to those of torch."""

    @property
    def mask(self) -> Tensor:
        """The present mask, True where a weight is kept, in the shape of the weight."""
        return self._masked.expanded()

    @property
    def scores(self) -> Tensor | None:
        """Scores of the groups of weights, for rules that have them."""
        scores: Tensor | None = self._masked.scores
        return scores

    @property
    def _masked(self) -> Masked | Stored:
        assert isinstance(self, nn.Module)
        return next(masked_weights(self)).masked


class SparseLinear(_SparseLayer, nn.Linear):
    """A linear layer of which a fixed number of weights is not zero; it chooses which.

    Nothing is to be called in the training loop: the mask follows the optimiser (`sparsify`).

    Parameters
    ----------
    in_features, out_features, bias, device, dtype
        As of `torch.nn.Linear`. A bias is dense.
    sparsity : float, optional
        Share of the weights that are zero, in [0, 1); default 0.9.
    nnz : int, optional
        In place of it, the number of nonzero parameters, a bias included.
    mask : MaskRule or str, optional
        Default that of `sparsify`: the weights that matter most, where pruned ones may come back.
    structure : Structure or str, optional
        Default `Unstructured`.
    schedule : Schedule or str, optional
        Default `Constant`: the final sparsity from the start.
    kernel : {"dense", "auto", "sparse"}, optional
        Whether only nonzeros are stored and computed with, as of `Pruner`.

    Raises
    ------
    OptionError
        If a value is not allowed.

    Examples
    --------
    >>> layer = SparseLinear(10, 64, bias=False, sparsity=0.9)
    >>> int((layer.weight != 0).sum()), int(layer.mask.sum())
    (64, 64)
    """

    plain_class: ClassVar[type[nn.Module]] = nn.Linear

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        sparsity: float | None = None,
        nnz: int | None = None,
        mask: MaskRule | str | None = None,
        structure: Structure | str | None = None,
        schedule: Schedule | str | None = None,
        kernel: str = "dense",
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        sparsify(
            self, sparsity=sparsity, nnz=nnz, mask=mask, structure=structure, schedule=schedule,
            kernel=kernel,
        )  # fmt: skip


class StoredSparseLinear(StoredLinear, SparseLinear):
    """A `SparseLinear` that stores only its nonzeros."""


STORED_CLASSES[SparseLinear] = StoredSparseLinear


class SparseConv2d(_SparseLayer, nn.Conv2d):
    """A two-dimensional convolution of which a fixed number of weights is not zero.

    Parameters
    ----------
    in_channels, out_channels, kernel_size
        As of `torch.nn.Conv2d`, and so are further options by name: stride, padding, ...
    sparsity, nnz, mask, structure, schedule
        As of `SparseLinear`.

    Examples
    --------
    >>> from sparsefit.nn import Kernels
    >>> layer = SparseConv2d(4, 8, 3, sparsity=0.75, structure=Kernels())
    >>> int((layer.weight != 0).sum()), 4 * 8 * 9 // 4
    (72, 72)
    """

    plain_class: ClassVar[type[nn.Module]] = nn.Conv2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        sparsity: float | None = None,
        nnz: int | None = None,
        mask: MaskRule | str | None = None,
        structure: Structure | str | None = None,
        schedule: Schedule | str | None = None,
        **options: Any,
    ):
        super().__init__(in_channels, out_channels, kernel_size, **options)
        sparsify(
            self, sparsity=sparsity, nnz=nnz, mask=mask, structure=structure, schedule=schedule
        )
