"""The torch.nn world: dense networks that are trained, masked and pruned."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
