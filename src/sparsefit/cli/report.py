"""``sparsefit report``: one HTML page of a results folder or of a model."""

from __future__ import annotations

import argparse
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from sparsefit.cli._flags import Commands, ForceOptions, OptionFlags
from sparsefit.cli._say import ending, note
from sparsefit.core.errors import SparsefitError
from sparsefit.core.files import check_output, facts_path
from sparsefit.core.options import FILE, option


@dataclass(frozen=True, kw_only=True)
class ReportOptions(ForceOptions):
    """What ``sparsefit report`` is told."""

    out: Path | None = option(
        None, "the page (default DIR/report.html, or the name of the model with .html)", check=FILE,
    )  # fmt: skip
    open: bool = option(False, "show the page in a browser")


_FLAGS = OptionFlags([ReportOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "report",
        help="write one HTML page of a results folder or of a model",
        description="Write one HTML page that needs no network: of a results folder heatmaps, "
        "differences, curves and a table to sort and filter; of a model its network, the formula "
        "of each unit, its size and its columns. If 'sparsefit fit' left its scores beside MODEL, "
        "the page also shows its scores, path and confusions.",
    )
    parser.add_argument(
        "source", type=Path, metavar="DIR_OR_MODEL", help="results folder, or file of a model"
    )
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=write)


def write(arguments: argparse.Namespace) -> int:
    """Write the page and print its path."""
    from sparsefit.pages import write_model_report, write_sweep_report
    from sparsefit.predictor import Predictor

    source, options = arguments.source, _FLAGS.make(ReportOptions, arguments)
    if source.is_dir():
        out, name = options.out or source / "report.html", source.resolve().name
        check_output(out, [], "DIR", source=name, force=options.force)
        path = write_sweep_report(source, out, on_note=lambda text: note(f"note: {text}"))
    elif source.exists():
        out, name = options.out or source.with_suffix(".html"), Predictor.load(source).source
        inputs = [source, facts_path(source)]
        check_output(out, inputs, "MODEL", source=name, force=options.force)
        path = write_model_report(source, out=out)
    else:
        raise SparsefitError(
            f"there is no folder or file {str(source)!r}: give a results folder of 'sparsefit run' "
            "or a model of 'sparsefit fit'"
        )
    print(path)
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    further = () if options.open else (("report", source, "--open"),)
    ending(f"the page of {source} is {path.stat().st_size // 1000} kB, and needs no network",
           *further)  # fmt: skip
    return 0
