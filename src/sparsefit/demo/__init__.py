"""What ``sparsefit demo`` shows: a network recovered, a table as a formula, a smaller torch model.

Each module is one part; `page.py` puts them on one page.
"""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
