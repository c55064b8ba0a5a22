"""One page of all parts, without scripts."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from sparsefit._version import __version__
from sparsefit.core.files import writing
from sparsefit.demo.parts import Part

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Demo · sparsefit</title>
<style>
{style}
.shown {{ background: #fff; border: 1px solid var(--line); border-radius: 6px; max-width: 46rem; \
width: 100%; height: auto; }}
figure {{ margin: 1rem 0; }}
.result {{ font-size: 1.05rem; }}
</style>
</head>
<body>
<div id="page">
<header><div><p class="kicker">sparsefit {version}</p>
<h1>Neural networks with at most s nonzero weights</h1></div></header>
<main>
{sections}
<section><h2>Next</h2><pre tabindex="0" aria-label="commands">{commands}</pre></section>
</main>
</div>
</body>
</html>
"""


def next_commands(folder: Path) -> list[tuple[str, ...]]:
    """Return what the demo and its page say to try next; words after ``sparsefit``."""
    return [
        ("run", "--task", "planted", "--method", "splice", "aiht", "--hidden", "10", "--nnz", "20"),
        ("fit", str(folder / "diabetes.csv"), "--target", "progression"),
        ("reproduce", "figure1", "--scale", "tiny"),
    ]


def write_demo_page(parts: Sequence[Part], out: Path) -> None:
    """Write the page whole or not at all."""
    style = (resources.files("sparsefit.pages") / "page" / "style.css").read_text(encoding="utf-8")
    commands = "\n".join(" ".join(("sparsefit", *words)) for words in next_commands(out.parent))
    page = _PAGE.format(
        style=style, version=__version__, commands=html.escape(commands),
        sections="\n".join(map(_section, parts)),
    )  # fmt: skip
    with writing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _section(part: Part) -> str:
    picture = base64.b64encode(part.picture).decode()
    head, *rows = part.table
    cells = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in head)
    lines = "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f'<td class="number">{html.escape(text)}</td>' for text in row[1:]) + "</tr>"
        for row in rows
    )  # fmt: skip
    text = ""
    if part.text:
        text = f'<pre tabindex="0" aria-label="in words">{html.escape(part.text)}</pre>'
    return (
        f"<section><h2>{html.escape(part.title)}</h2>"
        f'<p class="result">{html.escape(part.result[0].upper() + part.result[1:])}.</p>{text}'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(part.title)}">'
        f'<table class="list"><thead><tr>{cells}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
        f'<figure><img class="shown" alt="{html.escape(part.caption)}" '
        f'src="data:image/svg+xml;base64,{picture}">'
        f"<figcaption>{html.escape(part.caption)}</figcaption></figure></section>"
    )
