"""YAML as people write it: 1e-3 is a number, and 2:4 is none."""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Reads numbers as YAML 1.2; to PyYAML 1e-3 is a text, and 2:4 is 124, in base 60."""


_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(0|[1-9][0-9]*)$",
    "tag:yaml.org,2002:float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$",
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in pairs if tag not in _NUMBERS]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list("-+.0123456789"))


def read_yaml(text: str) -> Any:
    r"""Return what a text says, an empty mapping if nothing.

    Raises
    ------
    ValueError
        If it is not YAML.

    Examples
    --------
    >>> read_yaml("lr: 1e-3 # of Adam\nstructure: 2:4")
    {'lr': 0.001, 'structure': '2:4'}
    """
    try:
        # As safe as yaml.safe_load, whose loader this one derives from: it makes plain values only.
        table = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (at line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise ValueError(f"{error.problem}{where}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return {} if table is None else table
