"""Methods that fit a sparse network: one file is one method.

A file here that defines a subclass of `Method` with a ``name`` is a choice of ``--method``, a
value of a sweep and a case of the contract tests; nothing else is to be edited.
"""

from sparsefit.methods._base import Method, PathMethod, find_method, list_methods

__all__ = ["Method", "PathMethod", "find_method", "list_methods"]
