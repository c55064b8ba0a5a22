"""A fitted network with all that leads from the columns of a table to an answer."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
