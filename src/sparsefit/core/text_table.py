"""Rows of text as a table."""

from __future__ import annotations

import html
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


def html_table(rows: Sequence[Sequence[str]], *, n_text_columns: int) -> str:
    """Return rows, the first of them a head, as a table of HTML, for notebooks.

    Examples
    --------
    >>> html_table([("layer", "bytes"), ("<a>", "8")], n_text_columns=1).count("<td")
    2
    """
    head, *body = rows
    cells = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    lines = "".join(
        "<tr>" + "".join(
            f'<td style="text-align: {"left" if at < n_text_columns else "right"}">'
            f"{html.escape(text)}</td>"
            for at, text in enumerate(row)
        ) + "</tr>"
        for row in body
    )  # fmt: skip
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"
