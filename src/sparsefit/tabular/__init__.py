"""Models of tables in files: fitting, the baselines beside them, and predicting."""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
