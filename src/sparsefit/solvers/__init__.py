"""Solvers: sparsity-constrained descent over block models, in one loop."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
