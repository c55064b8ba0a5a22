"""All figures of a results folder."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparsefit.core.errors import SparsefitError, near_match
from sparsefit.core.files import parse_json, writing
from sparsefit.experiments.store import load_rows
from sparsefit.figures._style import SETTINGS, save
from sparsefit.figures.axis import find_axes, scores_along
from sparsefit.figures.mask_study import has_mask_study, mask_study
from sparsefit.figures.options import FigureOptions
from sparsefit.figures.panels import Panel, Series, make_panels, slug
from sparsefit.figures.phase import phase_diagram, phase_panels
from sparsefit.figures.summary import summary
from sparsefit.figures.timing import has_times, score_against_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Named = tuple[str, "Figure"]
# Names of the pictures that were drawn in a folder.
_MADE = ".drawn.json"


def draw_all(
    folder: str | Path,
    out: str | Path | None = None,
    options: FigureOptions | None = None,
    *,
    on_note: Callable[[str], None] = lambda note: None,
) -> list[Path]:
    """Draw every figure that the rows of a folder allow.

    First a summary of all tasks and methods. For each task with its options, unless it has but one
    cell: a heatmap and a success rate over widths and budgets per
    method, differences of two methods, curves over the budget, scores against time, and fitted
    images; where masks or structures of ``learned-mask`` are compared, figures of these instead
    of differences and curves. Where cells differ in an option of the task that is a number, scores
    against it; where that is the number of rows, success against rows for each weight, too.
    Pictures that were drawn there before, and would not be now, are removed.

    Parameters
    ----------
    folder : str or Path
        What ``--out`` was when the cells ran.
    out : str or Path, optional
        Where the files go; default: ``figures`` in `folder`.
    options : FigureOptions, optional
        Formats of files, the score, the threshold of success, what is compared.
    on_note : callable, optional
        Gets a sentence for what could not be read or drawn.

    Returns
    -------
    list of Path
        The files, in the order in which they were written.

    Raises
    ------
    SparsefitError
        If there is no row with a result, no method called so, or a file cannot be written.
    """
    import matplotlib as mpl

    options = options or FigureOptions()
    out = Path(folder) / "figures" if out is None else Path(out)
    rows = load_rows(folder, on_note)
    panels = make_panels(rows)
    pairs = [_pairs(panel, options.compare) for panel in panels]
    if options.compare and not any(pairs):
        _refuse(options.compare, panels)
    paths: list[Path] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(SETTINGS):
            whole = summary(panels, options.score)
            if whole is not None:
                paths += save(whole, out / "summary", options.format)
            for panel, own_pairs in zip(panels, pairs, strict=True):
                for name, figure in _draw_panel(panel, own_pairs, options):
                    paths += save(figure, out / slug(name), options.format)
                for name, figure in _draw_images(panel, Path(folder), options, on_note):
                    paths += save(figure, out / slug(name), options.format)
            for axis in find_axes(rows):
                name = slug(f"{axis.name} {axis.panel.title}")
                paths += save(scores_along(axis, options.score), out / name, options.format)
            for panel in phase_panels(rows):
                figure = phase_diagram(panel, options.score, _goal(panel, options))
                paths += save(figure, out / slug(f"phase {panel.title}"), options.format)
            _remove_old(out, paths)
    except OSError as error:
        raise SparsefitError(f"cannot write figures to {out}: {error.strerror}") from error
    return paths


def _remove_old(out: Path, paths: Sequence[Path]) -> None:
    """Remove pictures that were drawn here before, of other rows or options, and note the new."""
    made = out / _MADE
    with contextlib.suppress(OSError, ValueError):
        for name in parse_json(made.read_text(encoding="utf-8")):
            path = out / Path(str(name)).name
            if path not in paths:
                path.unlink(missing_ok=True)
    with writing(made) as temporary:
        temporary.write_text(json.dumps([path.name for path in paths]), encoding="utf-8")


def _is_one_cell(panel: Panel) -> bool:
    """Whether a panel has one width and one budget: the summary says all of it."""
    return len(panel.values_of("hidden")) * len(panel.values_of("nnz")) < 2


def _pairs(panel: Panel, compare: tuple[str, str] | None) -> list[tuple[Series, Series]]:
    """Return the series to compare: those with the two names, or the first with each other."""
    if compare is None:
        # A study of masks has many series, and figures of its own that compare them.
        others = [] if has_mask_study(panel) else panel.budgeted[1:]
        return [(panel.budgeted[0], other) for other in others]
    first, second = (
        [series for series in panel.budgeted if name in (series.label, series.method)]
        for name in compare
    )
    return [(left, right) for left in first for right in second if left is not right]


def _refuse(compare: tuple[str, str], panels: list[Panel]) -> None:
    every = [series for panel in panels for series in panel.budgeted]
    known = list(dict.fromkeys(name for series in every for name in (series.method, series.label)))
    for name in compare:
        if name not in known:
            raise SparsefitError(
                f"--compare: there are no results of {name!r}{near_match(name, known)}; "
                f"there are {', '.join(known)}"
            )
    raise SparsefitError(f"--compare: no task has results of both {compare[0]} and {compare[1]}")


def _draw_panel(
    panel: Panel, pairs: list[tuple[Series, Series]], options: FigureOptions
) -> Iterator[Named]:
    from sparsefit.figures.curves import curves
    from sparsefit.figures.heatmaps import comparison, heatmap, success_rate

    score, goal = options.score, _goal(panel, options)
    if _is_one_cell(panel):
        return
    for series in panel.budgeted:
        name = f"{panel.title} {series.label}"
        yield f"heatmap {name}", heatmap(panel, series, score)
        yield f"success {name}", success_rate(panel, series, score, goal)
    for first, second in pairs:
        name = f"{panel.title} {first.label} minus {second.label}"
        yield f"comparison {name}", comparison(panel, first, second, score)
    if has_mask_study(panel):
        yield from mask_study(panel)
    elif panel.budgeted:
        yield f"curves {panel.title}", curves(panel, score)
        if has_times(panel, score):
            yield f"time {panel.title}", score_against_time(panel, score)


def _goal(panel: Panel, options: FigureOptions) -> float:
    return panel.metric.success if options.threshold is None else options.threshold


def _draw_images(
    panel: Panel, folder: Path, options: FigureOptions, on_note: Callable[[str], None]
) -> Iterator[Named]:
    """Draw the fitted images of each width, for the lowest random seed."""
    from sparsefit.figures.images import fitted_images, load_original

    rows = [row for series in panel.budgeted for row in series.rows if row["metric"] is not None]
    if not panel.task.fits_image or not rows:
        return
    seed = min(row["seed"] for row in rows)
    own = [row for row in rows if row["seed"] == seed]
    try:
        problem = load_original(own[0], options.data_dir)
    except SparsefitError as error:
        on_note(f"no fitted images for {panel.title}: {error}")
        return
    for width in sorted({row["hidden"] for row in own}):
        yield (
            f"images {panel.title} hidden {width}",
            fitted_images(panel, width, seed, options.score, problem, folder),
        )
