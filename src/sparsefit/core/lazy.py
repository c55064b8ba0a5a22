"""Packages whose names load on first use, with a near match for a name that is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lazy_loader

from sparsefit.core.errors import near_match


def attach_stub(
    package: str, file: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of the names in the stub beside a file.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    file : str
        Its ``__file__``; a ``.pyi`` file of the same name imports what is public.

    Examples
    --------
    >>> import sparsefit
    >>> sparsefit.SparseMLPRegresor
    Traceback (most recent call last):
    ...
    AttributeError: 'sparsefit' has no 'SparseMLPRegresor' (did you mean 'SparseMLPRegressor'?)
    """
    load, names, public = lazy_loader.attach_stub(package, file)

    def getattr_(name: str) -> Any:
        if name not in public:
            # Neither `name=` nor `obj=`: Python would add a second near match of its own.
            raise AttributeError(f"{package!r} has no {name!r}{near_match(name, public)}")
        return load(name)

    return getattr_, names, public
