"""What a header in C says of columns, levels and classes, to people and to programs."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from sparsefit.export import _c_text as templates
from sparsefit.export._c_tables import Fill, small_table, strings, wrapped
from sparsefit.predictor.lowering import Lowered, float32

# Room of a field: any number fits.
_FIELD = 512
# Of so many columns, levels and classes there are constants.
_MOST_CONSTANTS = 200


def constants(fill: Fill, net: Lowered) -> str:
    """Return enumerations of columns, of the levels of categories, and of classes."""
    found = []
    columns = _constants([column.name for column in net.columns], "NET_COL")
    found.append(("Places in a row.", columns))
    for name, column in zip(columns, net.columns, strict=True):
        if column.levels:
            levels = _constants(column.levels, name.replace("NET_COL_", "NET_"))
            found.append((f"Values of {in_comment(column.name)}.", levels))
    if net.classes:
        found.append(("Classes.", _constants(net.classes, "NET_CLASS")))
    texts = []
    taken: set[str] = set()
    for comment, names in found:
        # Two columns may have levels that make the same constant.
        if len(names) > _MOST_CONSTANTS or taken & set(names):
            continue
        taken |= set(names)
        body = fill(",\n    ".join(names))
        texts.append(f"\n/* {comment} */\nenum {{\n    {body}\n}};\n")
    return "".join(texts)


def _constants(names: Sequence[str], prefix: str) -> list[str]:
    """Return a different constant for each name."""
    taken: set[str] = set()
    found = []
    for name in names:
        word = re.sub("[^A-Za-z0-9]+", "_", name).strip("_").upper()[:40] or "X"
        while f"{prefix}_{word}" in taken:
            word += "_"
        taken.add(f"{prefix}_{word}")
        found.append(f"{prefix}_{word}")
    return found


def in_comment(text: str) -> str:
    r"""Return a text that ends no comment and is no warning in one.

    Examples
    --------
    >>> in_comment("a*/b\\\n??/")
    'a* /b  ? ?/'
    """
    text = re.sub(r"[^ -~]|\\", " ", text)
    return text.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?")


def column_lines(net: Lowered) -> str:
    """Return a line of the head of the file for each column that is read."""
    read = {entry.column for entry in net.inputs}
    lines = []
    for at, column in enumerate(net.columns):
        if at not in read:
            continue
        kind = f"a number, {column.mean:.6g} on average"
        if column.levels:
            kind = f"0 to {len(column.levels) - 1}: {', '.join(column.levels[:6])}"
            kind += ", ..." if len(column.levels) > 6 else ""
        unit = f" ({column.written.unit})" if column.written.unit else ""
        lines.append(in_comment(f"row[{at}]  {column.name}{unit}: {kind}"))
    left = len(net.columns) - len(read)
    if left:
        lines.append(f"and {left} more that it does not read")
    return "\n".join(f" *     {line[:96]}" for line in lines)


def trial(net: Lowered) -> tuple[list[float], list[float]]:
    """Return a row of usual values, and the answer to it: values, or scores of classes."""
    row = np.array([
        0.0 if column.levels else float(f"{column.mean + column.scale:.3g}")
        for column in net.columns
    ], dtype=np.float32)  # fmt: skip
    values = []
    for entry in net.inputs:
        x = float(row[entry.column])
        is_level = float(x == entry.level)
        values.append((x - entry.mean) / entry.scale if entry.level is None else is_level)
    *hidden, output = net.wired
    for layer in hidden:
        values += net.activation(np.array(values) @ layer.weight + layer.bias).tolist()
    out = np.array(values) @ output.weight + output.bias
    return row.tolist(), (np.exp(out) if net.exponential else out).tolist()


def trial_macros(net: Lowered) -> Iterator[str]:
    """Give definitions of a row and of what comes out of it."""
    row, out = trial(net)
    for name, values in (("ROW", row), ("OUT", out)):
        words = ", ".join(f"{value!s}f" for value in float32(values))
        lines = textwrap.wrap(words, 90)
        body = " \\\n    ".join(lines)
        yield f"#define NET_TEST_{name} {{ \\\n    {body} }}\n"


def names(fill: Fill, net: Lowered) -> str:
    """Return functions from numbers to names and back."""
    kind, names = ("class", net.classes) if net.classes else ("target", net.targets)
    columns = [column.name for column in net.columns]
    levels = [level for column in net.columns for level in column.levels]
    starts = itertools.accumulate((len(column.levels) for column in net.columns), initial=0)
    first = small_table("first", starts, "")
    return (
        fill(templates.NAMES, KIND="column", NAMES=strings(columns))
        + fill(templates.NAMES, KIND=kind, NAMES=strings(names))
        + fill(
            templates.LEVELS, NAMES=strings(levels or [""]), TYPE=first.type,
            FIRST=textwrap.indent(wrapped([str(at) for at in first.values]), "    "),
        )
    )  # fmt: skip


def program(fill: Fill, net: Lowered) -> str:
    """Return a main function, which answers rows of text."""
    texts = [net.columns[0].name, *(level for column in net.columns for level in column.levels)]
    # One more than the longest, and its end: what is cut off there is equal to none of them.
    room = max([_FIELD, *(len(text.encode("utf-8", "replace")) + 2 for text in texts)])
    show = templates.PRINT_CLASS if net.classes else templates.PRINT_VALUES
    kind = "class" if net.classes else "target"
    return fill(templates.MAIN.replace("@PRINT@", show), FIELD=room, KIND=kind)
