"""Make a sparse torch model smaller and faster in fact: dead parts removed, the rest stored well.

`compress` returns a plain module; `graph.py` reads the model, `channels.py` finds what is dead and
removes it, `forms.py` has the ways in which a layer can be stored, `choosing.py` measures them.
"""

from sparsefit.core.lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
