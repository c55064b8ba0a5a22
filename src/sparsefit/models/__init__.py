"""Models that are never written out as a matrix: outputs and gradients, block by block."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
