"""Find the methods and tasks: one file each in their folder, nothing to register."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from sparsefit.core.errors import SparsefitError, near_match


@cache
def discover(package: str, base: type) -> dict[str, type[Any]]:
    """Import every public module of `package` and list the subclasses of `base` by name.

    Names starting with an underscore are helpers of their folder and are not scanned.

    Examples
    --------
    >>> from sparsefit.methods import Method
    >>> "aiht" in discover("sparsefit.methods", Method)
    True
    """
    folder = importlib.import_module(package)
    found: dict[str, type[Any]] = {}
    for module_info in pkgutil.iter_modules(folder.__path__):
        if module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{module_info.name}")
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, base) and "name" in vars(item):
                found[item.name] = item  # type: ignore[attr-defined]
    return dict(sorted(found.items()))


def by_name(kind: str, found: dict[str, type[Any]], name: str) -> type[Any]:
    """Look up a name or an alias; ``_`` and ``-`` are the same, case does not matter.

    Raises
    ------
    SparsefitError
        If there is none, with the nearest name.
    """
    wanted = name.lower().replace("_", "-")
    for cls in found.values():
        if wanted in (cls.name, *cls.aliases):
            return cls
    hint = near_match(wanted, [name for cls in found.values() for name in (cls.name, *cls.aliases)])
    raise SparsefitError(f"unknown {kind} {name!r}{hint}; there are {', '.join(found)}")
