"""What ``train`` and ``evaluate`` print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsefit.cli._flags import SweepFormat, format_or_default
from sparsefit.cli._say import ending

if TYPE_CHECKING:
    from sparsefit.study.evaluation import Evaluation


def draw_and_print(folder: Path, evaluation: Evaluation, format: SweepFormat | None) -> None:
    """Draw the pictures of a study, and print its folder, scores and pictures on stdout."""
    from sparsefit.figures.study import draw_study
    from sparsefit.study.folder import RunFolder

    paths = draw_study(evaluation, RunFolder(folder).figures)
    facts = {"run": str(folder), **evaluation.scores, "figures": [str(path) for path in paths]}
    format = format_or_default(format)
    if format == "json":
        print(json.dumps(facts, allow_nan=False))
    else:
        width = max(map(len, facts))
        for name, value in facts.items():
            for number, line in enumerate(value if isinstance(value, list) else [value]):
                print(f"{name if number == 0 else '':{width}}  {_text(line)}")
    ending(f"{len(paths)} pictures in {RunFolder(folder).figures}", ("evaluate", folder),
           format=format)  # fmt: skip


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
