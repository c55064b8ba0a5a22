"""Sparse layers for torch: masks, what is pruned together, and schedules, freely combined.

`SparseLinear` and `SparseConv2d` stand in for torch's layers, `sparsify` masks the layers of any
model, `Pruner` does so step by step in your own loop, `prune` once; `finalize` gives a plain model.
"""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
