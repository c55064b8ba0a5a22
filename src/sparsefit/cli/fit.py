"""``sparsefit fit``: models of tables."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparsefit.cli._flags import Commands, ForceOptions, Format, OptionFlags, add_table
from sparsefit.cli._say import ending, note
from sparsefit.core.errors import OptionError
from sparsefit.core.files import check_output, facts_path, mark, writing
from sparsefit.core.options import FILE, option
from sparsefit.core.progress import Report, show_progress
from sparsefit.core.team import Team, present_team
from sparsefit.tabular.options import FitOptions

if TYPE_CHECKING:
    from sparsefit.tabular import Fitted
    from sparsefit.tabular.rows import TableRows

# Of so many it is printed how many rows are found.
_FEW_CLASSES = 12


@dataclass(frozen=True, kw_only=True)
class FitCommandOptions(FitOptions, ForceOptions):
    """What ``sparsefit fit`` is told."""

    out: Path | None = option(
        None, "what to write (default: the name of DATA with the suffix .safetensors)", check=FILE,
    )  # fmt: skip
    format: Format = option("table", "print a table, or one JSON object")


_FLAGS = OptionFlags([FitCommandOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "fit",
        help="fit a sparse network to a table",
        description="Fit a network with at most --nnz nonzero weights to a column of a table, and "
        "print its score on rows that were held out, beside other models. First it says what each "
        "column is taken as, as 'sparsefit look' does. Missing numbers count as the mean, missing "
        "categories as none; rows without a target are left out.",
        epilog="Example: sparsefit fit houses.csv --target price --nnz 30",
    )
    add_table(parser)
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=fit)


def fit(arguments: argparse.Namespace) -> int:
    """Fit, write the model and what a report shows beside it, and print the scores."""
    from sparsefit.reading import files_of
    from sparsefit.tabular import fit_rows

    options, data = _FLAGS.make(FitCommandOptions, arguments), arguments.data
    files, out = files_of(data), options.out or _default_out(data)
    for path in (out, facts_path(out)):
        check_output(path, files, "DATA", source=data.name, force=options.force)
    with present_team() as team, show_progress() as report:
        report(None, "reading")
        fitted = fit_rows(_read(data, options, report, team), options, report)
    if fitted is None:
        return 0
    with writing(out) as temporary:
        fitted.model.save(temporary)
    command = shlex.join(["sparsefit", *sys.argv[1:]])
    facts = {**fitted.facts, "command": command, "made": mark(data.name)}
    with writing(facts_path(out)) as temporary:
        temporary.write_text(json.dumps(facts))
    if options.format == "json":
        print(json.dumps({"model": str(out), **fitted.facts}))
    else:
        _print(fitted)
    ending(
        f"{_result(fitted)}; model in {out}",
        ("report", out, "--open"),
        ("predict", out, data, "--out", "predictions.csv"),
        ("export", out, "--to", "c"),
        format=options.format,
    )
    return 0


def _read(data: Path, options: FitOptions, report: Report, team: Team) -> TableRows:
    """Return the rows, and say what they were read as; the reader and its memory go."""
    from sparsefit.reading import open_table
    from sparsefit.reading.describe import lines
    from sparsefit.tabular import split_rows

    table = open_table(data, options, options.target, processes=team.size)
    if table.source.n_drawn_of:
        note(
            f"a draw of {table.n_rows} of the {table.source.n_drawn_of} rows is read, as --memory "
            f"{options.memory} has room for no more"
        )
    rows = split_rows(table, options, report, team)
    note("\n".join(lines(table)))
    return rows


def _default_out(data: Path) -> Path:
    from sparsefit.reading.text import PACKED

    if not data.is_file():
        raise OptionError("out", None, "given where DATA is a folder or a pattern")
    plain = data.with_suffix("") if data.suffix in PACKED else data
    return plain.with_suffix(".safetensors")


def _shown(value: float) -> str:
    """Return three decimals of what is about 1, and whole numbers of what is larger."""
    if 1e-3 <= abs(value) < 100 or value == 0:
        return f"{value:.3f}"
    return f"{value:.0f}" if 100 <= abs(value) < 1e7 else f"{value:.3g}"


def _result(fitted: Fitted) -> str:
    """Return the score of the network beside that of the best other model, in one sentence."""
    own, *others = fitted.scores
    measure = next(iter(fitted.measures.values()))
    words = f"{measure} {_shown(own.score)} with {own.size} numbers on {fitted.n_test} test rows"
    if not others:
        return words
    best = max(others, key=lambda score: score.score)
    size = "" if best.size is None else f" with {best.size}"
    return f"{words}; the best other model, {best.name}, has {_shown(best.score)}{size}"


def _print(fitted: Fitted) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(f"on {fitted.n_test} test rows", no_wrap=True)
    for name in (*fitted.measures.values(), "numbers"):
        table.add_column(name, justify="right")
    for score in fitted.scores:
        values = [score.measures[key] for key in fitted.measures]
        shown = ["" if value is None else _shown(value) for value in values]
        table.add_row(score.name, *shown, "" if score.size is None else str(score.size))
    Console(highlight=False).print(table)
    for line in fitted.remarks:
        print(line)
    formula = fitted.model.formula()
    if formula.is_short:
        print(f"\n{textwrap.indent(str(formula), '  ')}\n")
    found = fitted.facts.get("recall", {})
    if 0 < len(found) <= _FEW_CLASSES:
        shown = [f"{label} {'-' if v is None else f'{v:.0%}'}" for label, v in found.items()]
        print(f"found of the rows of each class: {', '.join(shown)}")
