"""One HTML page of a results folder or of a model, which needs no network and no other file."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
