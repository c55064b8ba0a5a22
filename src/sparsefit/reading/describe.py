"""What was read, in lines."""

from __future__ import annotations

import itertools
from typing import Any

from sparsefit.reading.table import Kind, Table


def describe(table: Table) -> list[dict[str, Any]]:
    """Return what each column is taken as, in order, alike ones in a row as one.

    Parameters
    ----------
    table : Table

    Returns
    -------
    list of dict
        ``column``, the name, or that of the first and the last; ``count`` of columns; ``taken``
        as what; ``missing`` cells; ``remarks``, a list of texts.

    Examples
    --------
    >>> kinds = {name: Kind(word="number") for name in ("x0", "x1", "x2")}
    >>> describe(Table(None, kinds, 5))
    [{'column': 'x0 to x2', 'count': 3, 'taken': 'number', 'missing': 0, 'remarks': []}]
    """
    found = []
    said = itertools.groupby(table.kinds.items(), key=lambda item: _said(item[1]))
    for (taken, missing, remarks), group in said:
        names = [name for name, _ in group]
        # Two are as good as a range of two.
        parts = [[name] for name in names] if len(names) < 3 else [names]
        for part in parts:
            column = part[0] if len(part) == 1 else f"{part[0]} to {part[-1]}"
            found.append({
                "column": column, "count": len(part), "taken": taken, "missing": missing,
                "remarks": list(remarks),
            })  # fmt: skip
    return found


def _said(kind: Kind) -> tuple[str, int, tuple[str, ...]]:
    """Return what a column is taken as, how many cells are missing, and the remarks."""
    taken = kind.word
    if kind.word == "category" and kind.columns:
        n = len(kind.columns[0].levels)
        taken = f"category of {n} level{'' if n == 1 else 's'}"
    elif kind.word == "date":
        taken = f"date: {', '.join(column.part for column in kind.columns)}"
    if kind.left_out:
        taken = f"left out: {kind.left_out}"
    return taken, kind.n_missing, kind.remarks


def lines(table: Table) -> list[str]:
    r"""Return `describe` as lines of text, under one with the size of the table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from sparsefit.reading import Source
    >>> kinds = {"age": Kind(word="number", n_missing=2), "sex": Kind(left_out="--drop")}
    >>> print("\n".join(lines(Table(Source(Path("t.csv"), "", None), kinds, 5))))
    t.csv: 5 rows, 2 columns
      age  number; 2 cells missing
      sex  left out: --drop
    """
    entries = describe(table)
    n, rows = len(table.kinds), table.n_rows
    width = min(max(len(entry["column"]) for entry in entries), 40)
    plural = ["" if count == 1 else "s" for count in (rows, n)]
    found = [f"{table.path}: {rows} row{plural[0]}, {n} column{plural[1]}"]
    for entry in entries:
        missing = entry["missing"]
        cells = "cell" if missing == 1 else "cells"
        parts = [entry["taken"], f"{missing} {cells} missing" if missing else ""]
        said = "; ".join(filter(None, [*parts, *entry["remarks"]]))
        found.append(f"  {entry['column']:<{width}}  {said}")
    return found
