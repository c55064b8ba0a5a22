"""The page: a template, styles, scripts and one block of data, in one file."""

from __future__ import annotations

import html
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from sparsefit._version import __version__
from sparsefit.core.errors import SparsefitError
from sparsefit.core.files import mark, writing
from sparsefit.experiments.rows import plain

# In the order in which they use each other.
_SCRIPTS = (
    "base",
    "color",
    "table",
    "heatmap",
    "plot",
    "sweep",
    "network",
    "formulas",
    "values",
    "model",
)


def render(data: dict[str, Any]) -> str:
    """Return the page that shows `data`.

    Parameters
    ----------
    data : dict
        With the keys ``kind`` and ``title``; what else there is the scripts of the kind know.

    Returns
    -------
    str
        HTML. No name in the data can end the block that it is in.

    Examples
    --------
    >>> page = render({"kind": "sweep", "title": "</script>"})
    >>> page.count("</script>"), "&lt;/script&gt;" in page, "<title>" in page
    (2, True, True)
    """
    folder = resources.files("sparsefit.pages") / "page"

    def text(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    block = json.dumps(plain(data | {"version": __version__}), allow_nan=False)
    parts = {
        "made": mark(str(data.get("source", ""))),
        "title": html.escape(str(data["title"])),
        "style": text("style.css"),
        "data": escaped(block),
        "script": "\n".join(text(f"{name}.js") for name in _SCRIPTS),
    }
    # All at once: what stands in one part is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], text("template.html"))


def escaped(block: str) -> str:
    r"""Return JSON as it may stand in a script element: nothing in it can be read as a tag.

    Examples
    --------
    >>> escaped('["</script>"]')
    '["\\u003c/script\\u003e"]'
    """
    for letter in "<>&":
        block = block.replace(letter, f"\\u{ord(letter):04x}")
    return block


def short(value: Any) -> Any:
    """Return a number with six digits, which are enough to read; anything else as it is.

    Examples
    --------
    >>> short(1 / 3), short(12345678), short(None)
    (0.333333, 12345678, None)
    """
    return float(f"{value:.6g}") if isinstance(value, float) else value


def write_page(data: dict[str, Any], out: Path) -> Path:
    """Write the page whole or not at all.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    SparsefitError
        If `out` is a folder or cannot be written.
    """
    if out.is_dir():
        raise SparsefitError(f"--out must be the name of a file, got {str(out)!r}: it is a folder")
    page = render(data)
    try:
        with writing(out) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        raise SparsefitError(f"cannot write {out}: {error.strerror}") from error
    return out
