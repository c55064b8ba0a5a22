"""Tables in files and frames: what their columns are, and their rows as numbers."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
