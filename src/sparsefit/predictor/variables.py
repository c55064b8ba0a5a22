"""Names of columns as names of variables."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Sequence


def variable_names(names: Sequence[str], reserved: Collection[str]) -> list[str]:
    """Return different variables of Python for names, each as near to its name as that allows.

    Names such as h1 and h1_2 are left to hidden units.

    Examples
    --------
    >>> variable_names(["age", "year built", "class", "2nd", "h1", "a b", "a-b"], {"sum"})
    ['age', 'year_built', 'x_class', 'x_2nd', 'x_h1', 'a_b', 'x_a_b']
    """
    taken, found = {*reserved, *keyword.kwlist}, []
    for column in names:
        name = re.sub("[^A-Za-z0-9_]+", "_", column)[:40].strip("_")
        while name in taken or not name.isidentifier() or re.fullmatch(r"h[\d_]+", name):
            name = f"x_{name}" if name else "x"
        taken.add(name)
        found.append(name)
    return found
