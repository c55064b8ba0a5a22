"""What may be said of the figures of a results folder."""

from __future__ import annotations

from dataclasses import dataclass

from sparsefit.core.choices import Score
from sparsefit.core.options import Options, option
from sparsefit.figures import Format


@dataclass(frozen=True, kw_only=True)
class FigureOptions(Options):
    """Which figures of a results folder are drawn, and how.

    Examples
    --------
    >>> FigureOptions(format=("svg", "png"), threshold=100.0).score
    'value'
    """

    format: tuple[Format, ...] = option(("png",), "kinds of files, one or more")
    score: Score = option(
        "value", "value: the score on fresh rows where the task has them; train_value: on the "
        "training rows",
    )  # fmt: skip
    threshold: float | None = option(
        None, "a seed that scores at least as well is a success (default: by the metric)"
    )
    compare: tuple[str, str] | None = option(
        None, "draw the difference of these two methods, or labels of series (default: the first "
        "and each other one)",
    )  # fmt: skip
    data_dir: str | None = option(
        None, "folder with the files of image tasks, whose original fitted images stand beside",
    )  # fmt: skip
