"""Neural networks with at most s nonzero weights, fitted exactly.

What is public is listed in ``__init__.pyi``; it loads on first use.
"""

from sparsefit._version import __version__
from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
__all__ += ["__version__"]
