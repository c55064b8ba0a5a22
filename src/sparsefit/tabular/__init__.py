"""Models of tables in files: fitting, the baselines beside them, and predicting."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
