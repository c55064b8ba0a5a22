"""Write torch models whose layers follow one another as ONNX or C.

`steps.py` reads a model as a list of steps with numbers; `onnx.py` and `c.py` write them.
"""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
