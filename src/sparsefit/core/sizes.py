"""Sizes in bytes, as people write them."""

from __future__ import annotations

import re

from sparsefit.core.options import Condition

_UNITS = {"": 10**6, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def bytes_of(size: str) -> int | None:
    """Return how many bytes a text stands for, of a bare number as many MB; None if none.

    Examples
    --------
    >>> bytes_of("500MB"), bytes_of("2 GB"), bytes_of("7"), bytes_of("lots")
    (500000000, 2000000000, 7000000, None)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]B|)", size.upper())
    return int(float(match[1]) * _UNITS[match[2]]) if match else None


SIZE = Condition(lambda size: bool(bytes_of(size)), "that is a size, such as 500MB or 2GB", "SIZE")
