"""Rows of text as a table."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(rows: Sequence[Sequence[str]], *, n_text_columns: int) -> str:
    """Return rows below each other, columns two spaces apart.

    Parameters
    ----------
    rows : sequence of sequences of str
    n_text_columns : int
        So many columns, from the first one on, begin at the left; others end at the right.

    Examples
    --------
    >>> print(text_table([("layer", "bytes"), ("first", "8")], n_text_columns=1))
    layer  bytes
    first      8
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if at < n_text_columns else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
