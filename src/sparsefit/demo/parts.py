"""The parts of the demo, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sparsefit.core.setting import no_progress

# Gets the share of a part that is done.
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Part:
    """What a part of the demo has found.

    Attributes
    ----------
    title : str
    result : str
        One sentence.
    table : list of list of str
        Rows to compare; the first names the columns.
    text : str
        What is to be read letter by letter, such as a formula; may be empty.
    picture : bytes
        SVG.
    caption : str
        What the picture shows.
    """

    title: str
    result: str
    table: list[list[str]]
    text: str
    picture: bytes
    caption: str


def run_demo(folder: Path, progress: Callable[[float, str], None] = no_progress) -> list[Part]:
    """Run all parts; in less than a minute on two cores.

    Parameters
    ----------
    folder : Path
        Where the table of the second part is left, and the page.
    progress : callable, optional
        Gets the share that is done and a text.

    Returns
    -------
    list of Part
    """
    from sparsefit.demo.page import write_demo_page
    from sparsefit.demo.planted import recover
    from sparsefit.demo.table import fit_diabetes
    from sparsefit.demo.torch_model import compress_digits

    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    steps: list[tuple[float, str, Callable[[Progress], Part]]] = [
        (0.3, "a planted network, recovered", recover),
        (0.43, "a table, as a formula", partial(fit_diabetes, folder)),
        (1.0, "a torch model, pruned and compressed", compress_digits),
    ]
    begin = 0.0
    for end, name, run in steps:
        part = partial(_report_part, progress, begin, end, name)
        part(0.0)
        parts.append(run(part))
        begin = end
    write_demo_page(parts, folder / "demo.html")
    return parts


def _report_part(
    progress: Callable[[float, str], None], begin: float, end: float, name: str, share: float
) -> None:
    progress(begin + share * (end - begin), name)
