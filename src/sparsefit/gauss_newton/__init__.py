"""Gauss-Newton on the support: networks by their nonzeros, refitted, grown and pruned."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
