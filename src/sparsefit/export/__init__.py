"""Fitted models as files that need no sparsefit: one module is one format."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
