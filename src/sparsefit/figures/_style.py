"""What all figures share: fonts, colours, and saving them so that same rows give same bytes."""

from __future__ import annotations

import importlib
import io
import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sparsefit.core.files import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Of cells whose networks are all the true one, whatever the metric.
EXACT = COLORS[2]
MARKERS = "osD^vPX"
NOTHING, TROUBLE = "#e6e6e6", "#b00020"
# Room for a line and the space around it beside each label of a legend.
_KEY_LETTERS = 10
SETTINGS: Any = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    # Without these, SVG and PDF files would hold random names and the date.
    "svg.hashsalt": "sparsefit",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
_DOTS_PER_INCH = 150
# What draws each kind of file.
_BACKENDS = {"png": "agg", "svg": "svg", "pdf": "pdf"}
_NO_DATE: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "ModDate": None},
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, without any window system."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plots(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many plots, three beside each other, that share both axes."""
    n_columns = min(count, 3)
    n_rows = math.ceil(count / n_columns)
    figure = new_figure(1.0 + 3.2 * n_columns, 1.0 + 2.4 * n_rows)
    every = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in every[count:]:
        axes.set_visible(False)
    # With a shared axis only the lowest plot of a column shows its numbers.
    for column in range(n_columns):
        every[(count - 1 - column) // n_columns * n_columns + column].tick_params(labelbottom=True)
    return figure, list(every[:count])


def wrapped(text: str, inches: float, points: float) -> str:
    r"""Return `text` in lines that fit a width, at a size of type.

    Examples
    --------
    >>> wrapped("planted (layers 1): imp", 1.0, 10.0)
    'planted\n(layers 1):\nimp'
    """
    # Matplotlib's own wrapping takes no account of what stands beside the text.
    return textwrap.fill(text, letters_within(inches, points))


def letters_within(inches: float, points: float) -> int:
    """Return how many letters of a size of type fit a width; at least 1."""
    # A letter is about half as wide as the type is high.
    return max(1, int(inches * 72 / (0.56 * points)))


def add_title(figure: Figure, text: str) -> None:
    """Write a title above everything, in lines that fit the figure."""
    points = SETTINGS["axes.titlesize"]
    figure.suptitle(wrapped(text, figure.get_figwidth(), points), fontsize=points)


def add_legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Write a legend below everything, in as many columns of at most three as fit the figure."""
    n_letters = letters_within(figure.get_figwidth(), SETTINGS["font.size"])
    labels = [textwrap.fill(label, n_letters - _KEY_LETTERS) for label in labels]
    ncols = n_letters // (max(map(len, labels)) + _KEY_LETTERS)
    figure.legend(handles, labels, loc="outside lower center", ncols=min(max(ncols, 1), 3))


def scale_log_x(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, with plain numbers at 1, 2, 5, 10 and so on."""
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.minorticks_off()


def save(figure: Figure, stem: Path, formats: Iterable[str]) -> list[Path]:
    """Write ``stem.format`` for each format, whole or not at all, and return the paths."""
    paths = []
    for name in formats:
        path = stem.with_name(f"{stem.name}.{name}")
        with writing(path) as temporary, temporary.open("wb") as stream:
            _draw(figure, name, stream)
        paths.append(path)
    return paths


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG, without the date."""
    stream = io.BytesIO()
    _draw(figure, "svg", stream)
    return stream.getvalue()


def _draw(figure: Figure, format: str, stream: IO[bytes]) -> None:
    """Draw a figure once; ``Figure.savefig`` does so twice, the first time to place everything."""
    figure.set_dpi(_DOTS_PER_INCH)
    backend = importlib.import_module(f"matplotlib.backends.backend_{_BACKENDS[format]}")
    canvas = backend.FigureCanvas(figure)
    getattr(canvas, f"print_{format}")(stream, metadata=_NO_DATE[format])
